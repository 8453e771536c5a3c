"""Cross-talk: what an edit for one trait did to the others, and how specific it was."""

from collections.abc import Sequence
from dataclasses import dataclass

from temperament.report.board import Arm, Goal
from temperament.report.evidence import Evidence
from temperament.report.finding import estimate_of, finding, number_of, rows_of, text_of, words_of
from temperament.report.wording import estimate, number
from temperament.run import Row
from temperament.stats import Estimate

# The finer reading first: probabilities move before labels do.
READINGS = {
    "probability": "the probability of the high pole less that of the low pole, mean over replies",
    "share": "the share of replies that read as the high pole less that of the low pole",
}
NEXT_TO_NOTHING = 0.02


@dataclass(frozen=True)
class Shift:
    """What became of one trait.

    Attributes:
        words: the change.
        note: its interval.
        displaced: what of it the target would displace anyway; empty where that is next to nothing.
        depth: of the shade, 0 to 1.
        is_less: the change is below 0.
        is_target: it is the target's own trait.
        is_clear: the interval excludes 0.
    """

    words: str
    note: str
    displaced: str
    depth: float
    is_less: bool
    is_target: bool
    is_clear: bool


@dataclass(frozen=True)
class Talk:
    """One goal at one strength: a shift for each trait, and the index in words."""

    name: str
    shifts: list[Shift]
    index: str
    reason: str
    anchor: str
    is_void: bool


@dataclass(frozen=True)
class CrossTalk:
    """One way, by one reading; ``traits`` are those of the shifts."""

    reading: str
    traits: list[str]
    talks: list[Talk]


def crosstalk(evidence: Evidence, arms: Sequence[Arm]) -> list[CrossTalk]:
    """The changes of all traits under one way, by each reading; none where it was not worked out."""
    found: list[CrossTalk] = []
    for reading, words in READINGS.items():
        rows = [
            (arm, goal, row)
            for goal in dict.fromkeys(goal for arm in arms for goal in evidence.board.goals(arm))
            for arm in arms
            for row in _rows(evidence, arm, goal, reading)
        ]
        if rows:
            traits = [text_of(change, "measured_trait") for change in rows_of(rows[0][2].get("changes"))]
            talks = [_talk(evidence, arm, goal, row, has_strengths=len(arms) > 1) for arm, goal, row in rows]
            found.append(CrossTalk(words, traits, talks))
    return found


def specificity_of(evidence: Evidence, arm: Arm, goal: Goal) -> Estimate | None:
    """The specificity index by the finest reading that there is; None where it was not worked out."""
    for reading in READINGS:
        for row in _rows(evidence, arm, goal, reading):
            return estimate_of(row.get("specificity"))
    return None


def _rows(evidence: Evidence, arm: Arm, goal: Goal, reading: str) -> list[Row]:
    wanted = (arm.subject, arm.method, arm.condition, arm.strength, goal.trait, goal.pole, reading)
    rows = rows_of(finding(evidence.run, "crosstalk").get("rows"))
    return [row for row in rows if _key(row) == wanted]


def _key(row: Row) -> tuple[object, ...]:
    subject, method, condition, trait, pole, reading = (
        text_of(row, name) for name in ("subject", "method", "condition", "trait", "pole", "reading")
    )
    return (subject, method, condition, number_of(row, "strength"), trait, pole, reading)


def _talk(evidence: Evidence, arm: Arm, goal: Goal, row: Row, *, has_strengths: bool) -> Talk:
    name = f"{goal.name}, {arm.strength:g}" if has_strengths else goal.name
    shifts = [_shift(change, goal) for change in rows_of(row.get("changes"))]
    index, reason = words_of(row.get("specificity")), text_of(row, "reason")
    is_void = evidence.sound(arm, goal).level == "void"
    return Talk(name, shifts, index, reason, evidence.sources.arm_anchor(arm), is_void)


def _shift(change: Row, goal: Goal) -> Shift:
    found = estimate_of(change.get("estimate"))
    is_target = text_of(change, "measured_trait") == goal.trait
    if found is None or found.value is None:
        return Shift("withheld", "", "", 0.0, is_less=False, is_target=is_target, is_clear=False)
    displaced = number_of(change, "displaced")
    note = estimate(found, signed=True).partition(" (")[2].rstrip(")")
    words = number(displaced, signed=True) if displaced is not None and abs(displaced) >= NEXT_TO_NOTHING else ""
    is_clear = found.lower is not None and found.upper is not None and (found.lower > 0 or found.upper < 0)
    depth = round(min(abs(found.value), 1.0), 2)
    return Shift(number(found.value, signed=True), note, words, depth, found.value < 0, is_target, is_clear)
