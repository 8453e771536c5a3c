"""Mixing edits: what they do together, against the sum of what each does alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temperament.errors import RequestError
from temperament.measure.protocol import Score
from temperament.record import read_lines, read_records, to_json, write_text
from temperament.stats import Estimate, average, paired_difference, share
from temperament.study.plan import Cell, InterviewPlan, MethodPlan, OpinionPlan, Study, SubjectPlan
from temperament.trait import Target, custom_traits

if TYPE_CHECKING:
    from temperament.edit.base import Edit

FINDING = Path("findings") / "additivity.json"
MIX = "mix"
# What one reply has of a pole: whether the classifier reads it as that, or the probability that it gives.
VALUES: Mapping[str, Callable[[Score, str], float]] = {
    "share": lambda score, pole: float(score["label"] == pole),
    "probability": lambda score, pole: float(score["probabilities"][pole]),
}


@dataclass(frozen=True)
class Part:
    """An edit on disk and the strength that it has in a mix.

    Attributes:
        name: in records and tables.
        path: of its folder.
        factor: by which the saved edit is multiplied.
        strength: that it has then: the factor times its own.
    """

    name: str
    path: str
    factor: float
    strength: float


@dataclass(frozen=True)
class Additive:
    """Whether changes add up, for one pole and one measure.

    Attributes:
        measured_trait: what replies were read for.
        measured_pole: of that trait.
        measure: ``share`` of replies that are read as the pole, or mean ``probability`` of it.
        untouched: under no edit.
        parts: the change under each part alone.
        predicted: the sum of these changes.
        observed: the change under all parts together.
        beyond: observed less predicted, by question: 0 where the parts add up, below 0 in the direction of a rise
            where they get in each other's way or there is no more room.
    """

    measured_trait: str
    measured_pole: str
    measure: str
    untouched: Estimate
    parts: tuple[Estimate, ...]
    predicted: Estimate
    observed: Estimate
    beyond: Estimate


@dataclass(frozen=True)
class Additivity:
    """The content of ``findings/additivity.json``.

    Attributes:
        parts: what was mixed.
        questions: that all conditions answered.
        rows: every pole that the classifier knows, by every measure.
    """

    parts: tuple[Part, ...]
    questions: int
    rows: tuple[Additive, ...]


def parts_of(paths: Sequence[str], strengths: Sequence[float] = ()) -> tuple[Part, ...]:
    """What to mix: several edits, or the parts of one saved stack.

    Args:
        paths: folders of edits.
        strengths: one for each, one for all, or none, which is 1; the saved edits are multiplied by them.

    Raises:
        RequestError: there is nothing to mix, or some strengths have no edit.
        BadFileError: a folder holds no edit.
    """
    if len(strengths) not in (0, 1, len(paths)):
        message = f"{len(strengths)} strengths were given for {len(paths)} edits: give one for each, or one for all."
        raise RequestError(message)
    each = list(strengths) if len(strengths) == len(paths) else [*(strengths or (1.0,))] * len(paths)
    found = [
        (folder, factor * outer, factor * outer * own)
        for path, factor in zip(paths, each, strict=True)
        for folder, outer, own in _inside(path, is_opened=len(paths) == 1)
    ]
    if len(found) < 2:
        message = "one edit was to be mixed: give --edit at least twice, or a saved stack."
        raise RequestError(message)
    names = [_name(Path(path)) for path, _, _ in found]
    return tuple(
        Part(name if [*names, MIX].count(name) == 1 else f"{name}-{number}", path, factor, strength)
        for number, (name, (path, factor, strength)) in enumerate(zip(names, found, strict=True), start=1)
    )


def mixed(parts: Sequence[Part]) -> "Edit":
    """All parts together, each at its strength."""
    return adapter_of(_plan(MIX, parts))


def adapter_of(plan: MethodPlan) -> "Edit":
    """The edit of a plan of the method ``adapter``: the one at its path, or all of them together.

    Raises:
        BadFileError: a folder holds no edit.
    """
    from temperament.edit.base import Stack
    from temperament.edit.store import load_edit

    edits = [load_edit(path) for path in plan.paths]
    strengths = plan.settings.get("mix")
    if strengths is None and len(edits) == 1:
        return edits[0]
    parts = zip(strengths or [1.0] * len(edits), edits, strict=True)
    return Stack(edits[0].origin, parts=tuple(float(strength) * edit for strength, edit in parts))


def mix_study(
    parts: Sequence[Part], subject: SubjectPlan, opinions: OpinionPlan, interview: InterviewPlan, name: str
) -> Study:
    """A study that asks the untouched model, each part alone and all together the same questions."""
    plans = [_plan(part.name, [part]) for part in parts]
    together = " + ".join(f"{part.strength:g} {part.name}" for part in parts)
    return Study(
        name=name,
        title=f"{together} on {subject.model}",
        traits=custom_traits(),
        subject=subject,
        opinions=opinions,
        method=(*plans, _plan(MIX, parts)),
        interview=interview,
    )


def write_additivity(folder: Path, study: Study, parts: Sequence[Part]) -> Additivity:
    """Read the scores of a finished run of `mix_study`, and keep what they say of adding up."""
    base, *alone, together = [_scores(folder, cell) for cell in study.cells()]
    scored = [item for item in base if all(item in found for found in (*alone, together))]
    topics = {record.item: record.topic for record in read_records(_file(folder, "records", study.cells()[0]))}
    labels = list(base[scored[0]]["probabilities"]) if scored else []
    rows = [
        _additive(Target.parse(label), measure, [base, *alone, together], scored, [topics[item] for item in scored])
        for measure in VALUES
        for label in labels
    ]
    found = Additivity(tuple(parts), len(scored), tuple(rows))
    write_text(folder / FINDING, to_json(asdict(found)))
    return found


def _additive(
    pole: Target,
    measure: str,
    cells: Sequence[Mapping[str, Score]],
    items: Sequence[str],
    topics: Sequence[str],
) -> Additive:
    before, *alone, together = [[VALUES[measure](cell[item], str(pole)) for item in items] for cell in cells]
    predicted = [sum(after) - len(alone) * start for start, *after in zip(before, *alone, strict=True)]
    observed = [after - start for start, after in zip(before, together, strict=True)]
    return Additive(
        measured_trait=pole.trait,
        measured_pole=pole.pole,
        measure=measure,
        untouched=share(before, topics) if measure == "share" else average(before, topics),
        parts=tuple(paired_difference(before, after, topics) for after in alone),
        predicted=average(predicted, topics),
        observed=paired_difference(before, together, topics),
        beyond=average([there - here for here, there in zip(predicted, observed, strict=True)], topics),
    )


def _plan(condition: str, parts: Sequence[Part]) -> MethodPlan:
    settings: dict[str, Any] = {"condition": condition, "mix": [part.factor for part in parts]}
    return MethodPlan("adapter", path=tuple(part.path for part in parts), settings=settings)


def _scores(folder: Path, cell: Cell) -> dict[str, Score]:
    """What the classifier made of each reply, by item; replies that it did not read are left out."""
    rows: list[Score] = read_lines(_file(folder, "scores", cell), dict)
    return {row["item"]: row["alignment"] for row in rows if row["alignment"] and row["alignment"]["label"]}


def _file(folder: Path, kind: str, cell: Cell) -> Path:
    return folder / kind / f"{cell.name}.jsonl"


def _name(path: Path) -> str:
    """What an edit is called; a part of a stack goes by the stack's name too."""
    return f"{path.parent.name}-{path.name}" if path.name.startswith("part-") else path.name


def _inside(path: str, *, is_opened: bool) -> list[tuple[str, float, float]]:
    """Of an edit, or of each part of a stack: folder, strength of the stack around it (or 1), and its own strength."""
    from temperament.edit.base import Stack
    from temperament.edit.store import load_edit

    folder, edit = Path(path).resolve(), load_edit(path)
    if not isinstance(edit, Stack) or not is_opened:
        return [(str(folder), 1.0, edit.strength)]
    return [(str(folder / f"part-{number}"), edit.strength, part.strength) for number, part in enumerate(edit.parts)]
