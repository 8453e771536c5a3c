"""Replies side by side: the same question, untouched and shaped, chosen by rule and not by eye."""

from dataclasses import dataclass

from temperament.record import Label, Record
from temperament.report.board import Arm, Goal, is_of_arm
from temperament.report.wording import number
from temperament.run import Row, Run

OPEN = 2  # topics whose first question is in sight; the rest is folded away
MOST_CHARACTERS = 1500
MOST_PAIRS = 300  # on the whole page, so that it stays small


@dataclass(frozen=True)
class Said:
    """One reply, ready to show.

    Attributes:
        text: None where there is no reply, and then ``error`` says why.
        cut: how many characters are not shown.
        reads_as: what the classifier takes it for; empty where it was not scored.
        is_target: whether that is the target.
    """

    text: str | None
    error: str
    cut: int
    is_finished: bool | None
    reads_as: str
    is_target: bool


@dataclass(frozen=True)
class Both:
    """The same question, asked of the untouched and of the shaped model."""

    topic: str
    question: str
    before: Said | None
    after: Said


@dataclass(frozen=True)
class Samples:
    """The pairs of one arm and goal: some in sight, some folded away, and how many there are in all."""

    arm: Arm
    goal: Goal
    seed: int
    file: str
    base_file: str
    shown: list[Both]
    folded: list[Both]
    total: int


def cells_of(run: Run, arm: Arm, goal: Goal) -> list[str]:
    """The names of the cells of an arm and goal, a cell for each seed, lowest seed first."""
    found = [
        (records[0].generation.seed, name)
        for name, records in run.cells.items()
        if records and records[0].subject == arm.subject and is_of_arm(records[0].label, arm, goal)
    ]
    return [name for _, name in sorted(found)]


def base_cells(run: Run, arm: Arm) -> list[str]:
    """The names of the cells of the untouched model that an arm is compared with, lowest seed first."""
    for condition in (arm.condition, ""):
        found = [
            (records[0].generation.seed, name)
            for name, records in run.cells.items()
            if records and records[0].subject == arm.subject and _is_base(records[0].label, condition)
        ]
        if found:
            return [name for _, name in sorted(found)]
    return []


def samples(run: Run, arm: Arm, goal: Goal, most: int) -> Samples | None:
    """Pairs of the arm's lowest seed: the first question of each topic, then the others, at most ``most``."""
    cells = cells_of(run, arm, goal)
    if not cells:
        return None
    records = run.cells[cells[0]]
    seed = records[0].generation.seed
    base = next((name for name in base_cells(run, arm) if run.cells[name][0].generation.seed == seed), "")
    before = {record.item: record for record in run.cells.get(base, [])}
    scores, base_scores = _scores(run, cells[0]), _scores(run, base)
    ordered = _first_of_each_topic(records)[:most]
    pairs = [
        Both(
            record.topic,
            record.question,
            _said(before[record.item], base_scores, goal) if record.item in before else None,
            _said(record, scores, goal),
        )
        for record in ordered
    ]
    return Samples(arm, goal, seed, cells[0], base, pairs[:OPEN], pairs[OPEN:], len(records))


def _first_of_each_topic(records: list[Record]) -> list[Record]:
    firsts = {record.topic: index for index, record in reversed(list(enumerate(records)))}
    leading = sorted(firsts.values())
    rest = [index for index in range(len(records)) if index not in set(leading)]
    return [records[index] for index in (*leading, *rest)]


def _scores(run: Run, cell: str) -> dict[str, Row]:
    return {str(score.get("item")): score for score in run.scores.get(cell, [])}


def _said(record: Record, scores: dict[str, Row], goal: Goal) -> Said:
    alignment = scores.get(record.item, {}).get("alignment")
    label, words = _reading(alignment) if isinstance(alignment, dict) else ("", "")
    text = record.reply
    return Said(
        text=text if text is None else text[:MOST_CHARACTERS],
        error=record.error or "the reason was not recorded",
        cut=0 if text is None else max(0, len(text) - MOST_CHARACTERS),
        is_finished=record.is_finished,
        reads_as=words,
        is_target=label == f"{goal.trait}:{goal.pole}",
    )


def _reading(alignment: Row) -> tuple[str, str]:
    label, probability = str(alignment.get("label") or ""), alignment.get("probability")
    words = label.replace(":", ", ")
    if label and isinstance(probability, (int, float)):
        words += f" ({number(float(probability))})"
    return label, words


def _is_base(label: Label, condition: str) -> bool:
    return label.method == "base" and label.condition == condition
