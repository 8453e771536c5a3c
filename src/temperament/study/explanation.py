"""The stage that looks into the edits of a study, and the comparison of arms beyond what seeds do."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temperament.record import to_json, write_text
from temperament.study.plan import Cell
from temperament.study.stage import Progress, Stage

if TYPE_CHECKING:
    from temperament.edit.activation import ActivationEdit
    from temperament.edit.base import Edit
    from temperament.explain.finding import Arms
    from temperament.explain.look import Material

FINDING = Path("findings") / "arms.json"
# Conditions beside the random sets of the main count: other counts, the other way, parts of an adapter, single units.
BESIDE = 360


class Explanations(Stage):
    """``findings/explain/CELL.json``, and ``explain/CELL.safetensors`` with the effects on every unit."""

    name = "explain"
    doing = "looking into"
    scorer = "explain"

    def names(self, cells: Sequence[Cell]) -> list[str]:
        """Edits at the strength that the plan names."""
        strength = self.study.explain.strength
        return [cell.name for cell in cells if cell.method != "base" and cell.strength == strength]

    def path(self, name: str) -> Path:
        """A finding, because it is read as one."""
        return self.folder / "findings" / self.name / f"{name}.json"

    def effects_path(self, cell: Cell) -> Path:
        """Of the effects on every unit."""
        return self.folder / self.name / f"{cell.name}.safetensors"

    def forget(self, cell: Cell) -> None:
        """Remove what was seen under replies that are gone."""
        super().forget(cell)
        self.effects_path(cell).unlink(missing_ok=True)
        self._testimonies(cell).unlink(missing_ok=True)

    def refusal(self, subject: Any) -> str:
        """A subject without weights at hand cannot be looked into."""
        from temperament.measure.reading import closed_reason
        from temperament.subject.open import OpenSubject

        return "" if isinstance(subject, OpenSubject) else closed_reason(subject)

    def tokens(self, cells: Sequence[Cell], replies: float) -> int:
        """Every condition of an ablation reads the texts once."""
        plan = self.study.explain
        if "cause" not in plan.lenses:
            return round(6 * replies * len(self.missing(cells)))
        read = replies * plan.texts / max(plan.texts, self.study.interview.topics or plan.texts)
        conditions = plan.sets + BESIDE
        deep = [cell for cell in cells if cell.name in self.missing(cells) and self._is_deep(cell)]
        return round(read * (6 * len(self.missing(cells)) + conditions * len(deep)))

    def run(self, cell: Cell | None, subject: Any, edit: Any, progress: Progress) -> None:
        """Look into one edit."""
        from dataclasses import replace

        from temperament.explain.look import look_into

        if cell is None:
            return
        material = self._material(cell, edit)
        plan = self.study.explain
        seen = look_into(subject, edit, material, plan, progress, is_deep=self._is_deep(cell))
        self.effects_path(cell).parent.mkdir(parents=True, exist_ok=True)
        seen.effects.save(self.effects_path(cell))
        # Last, because a cell that has it is done.
        write_text(self.path(cell.name), to_json(replace(seen.finding, edit=cell.name)))

    def write_finding(self, cells: Sequence[Cell]) -> None:
        """Compare every two arms that have seeds enough; nothing is written where no two have."""
        if self.reason or "units" not in self.study.explain.lenses:
            return
        write_text(self.folder / FINDING, to_json({"rows": list(self._arms(cells))}))

    def _arms(self, cells: Sequence[Cell]) -> "Iterator[Arms]":
        from temperament.explain.arm import SEEDS, compare_arms, load_effects

        runs: defaultdict[tuple[str, str], list[Cell]] = defaultdict(list)
        for cell in cells:
            if self.effects_path(cell).exists():
                runs[" ".join(filter(None, (cell.method, cell.condition))), str(cell.target or "")].append(cell)
        arms = {
            names: [load_effects(self.effects_path(cell)) for cell in own]
            for names, own in runs.items()
            if len(own) >= SEEDS
        }
        for (one, first), (other, second) in combinations(arms.items(), 2):
            names = (", ".join(filter(None, one)), ", ".join(filter(None, other)))
            if one[1] != other[1] and one[0] != other[0]:
                continue
            yield compare_arms(first, second, names, "all")

    def _is_deep(self, cell: Cell) -> bool:
        return cell.seed in self.study.seeds[: self.study.explain.seeds]

    def _testimonies(self, cell: Cell) -> Path:
        return self.folder / "testimony" / f"{cell.name}.jsonl"

    def _material(self, cell: Cell, edit: "Edit") -> "Material":
        from temperament.explain.look import Material
        from temperament.explain.removal import target_probability

        target = cell.target or edit.origin.target
        score = target_probability(self._classifier, target) if target else None
        beside = self._beside(cell)
        others = [one for one in beside.values() if target and one.origin.target]
        alike = [one for one in others if one.origin.method == edit.origin.method]
        return Material(
            replies=self.records(cell),
            # Of the first seed, so that all edits are compared on the same texts.
            untouched=self.records(Cell("base", seed=self.study.seeds[0])),
            target=target,
            score=score,
            other=next((one for one in (*alike, *others) if target and _is_of_other_trait(one, target.trait)), None),
            neurons=_neurons({cell.name: edit, **beside}),
            store=self._testimonies(cell),
        )

    def _beside(self, cell: Cell) -> "dict[str, Edit]":
        """Other edits of the study, of the same seed and strength; and those that the plan names."""
        from temperament.edit.store import load_edit

        found: dict[str, Edit] = {}
        for other in self.study.cells():
            folder = self.folder / "edits" / other.edit
            is_alike = (other.seed, other.strength) == (cell.seed, cell.strength) and other.target != cell.target
            if other.method != "base" and folder.exists() and (is_alike or other.method == "neurons"):
                found[other.name] = other.strength * load_edit(folder)
        return {**found, **{Path(path).name: load_edit(Path(path)) for path in self.study.explain.others}}

    @cached_property
    def _classifier(self) -> Any:
        from temperament.measure.stock import trait_classifier

        return trait_classifier(self.opinions, self.study.measure.embedder)


def _is_of_other_trait(edit: "Edit", trait: str) -> bool:
    return edit.origin.target is not None and edit.origin.target.trait != trait


def _neurons(edits: "dict[str, Edit]") -> "dict[str, ActivationEdit]":
    from temperament.edit.activation import ActivationEdit

    found = {name: edit for name, edit in edits.items() if edit.origin.method == "neurons"}
    return {name: edit for name, edit in found.items() if isinstance(edit, ActivationEdit)}
