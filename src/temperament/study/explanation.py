"""The stage that looks into the edits of a study, and the comparison of arms beyond what seeds do."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temperament.errors import RequestError
from temperament.record import to_json, write_text
from temperament.study.plan import Cell
from temperament.study.stage import Progress, Stage
from temperament.trait import Target

if TYPE_CHECKING:
    from temperament.edit.activation import ActivationEdit
    from temperament.edit.base import Edit
    from temperament.explain.finding import Arms
    from temperament.explain.look import Material
    from temperament.explain.removal import Score

FINDING = Path("findings") / "arms.json"
# What there is beside the random sets of both orders, in conditions: other counts and values, the other way, parts and
# single units (some 300), and what other lenses, testimonies and replies that are written take.
BESIDE = 440


class Explanations(Stage):
    """``findings/explain/CELL.json``, and ``explain/CELL.safetensors`` with the effects on every unit."""

    name = "explain"
    doing = "looking into"
    scorer = "explain"

    def names(self, cells: Sequence[Cell]) -> list[str]:
        """Edits at the strength that the plan names."""
        return [cell.name for cell in self.study.explained(cells)]

    def check(self, subject: Any) -> None:
        """The edits beside are there, and fit."""
        from temperament.edit.store import load_edit

        for path in self.study.explain.others:
            load_edit(path).check(subject)

    def path(self, name: str) -> Path:
        """A finding, because it is read as one."""
        return self.folder / "findings" / self.name / f"{name}.json"

    def effects_path(self, cell: Cell) -> Path:
        """Of the effects on every unit."""
        return self.folder / self.name / f"{cell.name}.safetensors"

    def forget(self, cell: Cell) -> None:
        """Remove what was seen under replies that are gone; those of the given texts are every cell's."""
        forgotten = self.study.cells() if cell == self._given else [cell]
        for one in forgotten:
            super().forget(one)
            self.effects_path(one).unlink(missing_ok=True)
            self._testimonies(one).unlink(missing_ok=True)
        (self.folder / FINDING).unlink(missing_ok=True)

    def refusal(self, subject: Any) -> str:
        """A subject without weights at hand cannot be looked into."""
        from temperament.subject.open import OpenSubject

        if isinstance(subject, OpenSubject):
            return ""
        return f"{subject.name} gives replies and no more: what is inside needs a model whose weights are at hand."

    def tokens(self, cells: Sequence[Cell], replies: float) -> int:
        """Every condition of an ablation reads the texts once."""
        plan = self.study.explain
        if "cause" not in plan.lenses:
            return round(6 * replies * len(self.missing(cells)))
        read = replies * plan.texts / max(plan.texts, self.study.interview.topics or plan.texts)
        conditions = 2 * plan.sets + BESIDE
        missing = set(self.missing(cells))
        deep = [cell for cell in cells if cell.name in missing and self._is_deep(cell)]
        return round(read * (6 * len(missing) + conditions * len(deep)))

    def run(self, cell: Cell | None, subject: Any, edit: Any, progress: Progress) -> None:
        """Look into one edit."""
        from temperament.explain.look import Material, look_into

        if cell is None:
            return
        is_deep = self._is_deep(cell)
        # Units alone need no more than this.
        material = Material(replies=self.records(cell), untouched=self.records(self._given))
        if is_deep:
            material = self._deepened(material, cell, edit)
        seen = look_into(subject, edit, material, self.study.explain, progress, is_deep=is_deep)
        if seen.effects is not None:
            self.effects_path(cell).parent.mkdir(parents=True, exist_ok=True)
            seen.effects.save(self.effects_path(cell))
        # Last, because a cell that has it is done.
        write_text(self.path(cell.name), to_json(replace(seen.finding, edit=cell.name)))

    def write_finding(self, cells: Sequence[Cell]) -> None:
        """Compare every two arms that have seeds enough; nothing is written where no two have."""
        arms = [] if self.reason else list(self._arms(cells))
        if arms:
            write_text(self.folder / FINDING, to_json({"rows": arms}))

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

    @property
    def _given(self) -> Cell:
        """Whose replies every edit is looked into on, so that edits can be compared."""
        return Cell("base", seed=self.study.seeds[0])

    def _deepened(self, material: "Material", cell: Cell, edit: "Edit") -> "Material":
        """With what the other lenses need: a classifier, and edits beside."""
        target = cell.target or edit.origin.target
        beside = self._beside(cell)
        return replace(
            material,
            target=target,
            score=self._score(target),
            other=_other(edit, beside.values(), target),
            neurons=_neurons({cell.edit: edit, **beside}),
            store=self._testimonies(cell),
        )

    def _score(self, target: Target | None) -> "Score | None":
        """The trait score of texts; None where the classifier has not learned the target."""
        from temperament.explain.removal import target_probability

        try:
            return target_probability(self._classifier, target) if target else None
        except RequestError:
            return None

    def _beside(self, cell: Cell) -> "dict[str, Edit]":
        """Other edits: of the study, those of the same seed and method, and neurons; and those that the plan names."""
        from temperament.edit.store import load_edit

        names = {
            other.edit
            for other in self.study.cells()
            if other.method != "base"
            and other.seed == cell.seed
            and other.edit != cell.edit
            and (other.method in (cell.method, "neurons"))
            and (self.folder / "edits" / other.edit).exists()
        }
        found = {name: load_edit(self.folder / "edits" / name) for name in sorted(names)}
        return {**found, **{Path(path).name: load_edit(path) for path in self.study.explain.others}}

    @cached_property
    def _classifier(self) -> Any:
        from temperament.measure.stock import trait_classifier

        return trait_classifier(self.opinions, self.study.measure.embedder)


def _other(edit: "Edit", beside: "Iterable[Edit]", target: Target | None) -> "Edit | None":
    """An edit for another trait, of the same method where there is one."""
    others = [
        one for one in beside if target and one.origin.target is not None and one.origin.target.trait != target.trait
    ]
    alike = [one for one in others if one.origin.method == edit.origin.method]
    return next(iter([*alike, *others]), None)


def _neurons(edits: "dict[str, Edit]") -> "dict[str, ActivationEdit]":
    from temperament.edit.activation import ActivationEdit

    found = {name: edit for name, edit in edits.items() if edit.origin.method == "neurons"}
    return {name: edit for name, edit in found.items() if isinstance(edit, ActivationEdit)}
