"""Dot-and-interval strips: where each figure lies on an axis from 0 to 1, and the same in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from temperament.record import Figure
from temperament.report.board import Arm, Goal, Pair, by_goal, verdict_of
from temperament.report.evidence import Evidence
from temperament.report.family import probability
from temperament.report.wording import estimate

# In short where there are several strengths.
SHORT = {
    "towards": "rose",
    "away": "fell",
    "unclear": "no change told from 0",
    "unknown": "no interval of the change",
}
VERDICTS = {
    "towards": "rose: the interval of the change excludes 0",
    "away": "fell: the interval of the change excludes 0",
    "unclear": "no change that the interval can tell from 0",
    "unknown": "no interval of the change",
}


@dataclass(frozen=True)
class Line:
    """One dot with its interval.

    Attributes:
        kind: 'untouched' is drawn hollow, 'shaped' filled, 'void' crossed out.
        name: what it is of, in words.
        at: percent of the axis; None where there is nothing to draw.
        left: where the interval begins, in percent; None where it is withheld.
        right: where it ends.
        words: the same in words.
        anchor: of the cell's rows.
    """

    kind: str
    name: str
    seed: int
    at: float | None
    left: float | None
    right: float | None
    words: str
    n: int
    anchor: str


@dataclass(frozen=True)
class Move:
    """What became of one goal at one strength.

    Attributes:
        name: the strength, where there are several.
        changes: in words, one a seed.
        verdict: see `board.Verdict`, or 'void' where it does not count.
        words: the verdict in words.
    """

    name: str
    changes: list[str]
    verdict: str
    words: str


@dataclass(frozen=True)
class Row:
    """One goal: a line for the untouched model and one for each strength, for each seed."""

    goal: Goal
    lines: list[Line]
    moves: list[Move]


@dataclass(frozen=True)
class Strip:
    """One metric of one way, a row for each goal."""

    rows: list[Row]
    has_seeds: bool
    has_strengths: bool


def strip(evidence: Evidence, arms: Sequence[Arm], metric: str) -> Strip | None:
    """The strip of a share; None where it was not measured."""
    found = [(arm, by_goal(evidence.board.pairs(arm, metric))) for arm in arms]
    goals = list(dict.fromkeys(goal for _, pairs in found for goal in pairs))
    if not goals:
        return None
    rows = [
        _row(evidence, metric, goal, [(arm, pairs[goal]) for arm, pairs in found if goal in pairs]) for goal in goals
    ]
    has_seeds = any(len(pairs) > 1 for _, by in found for pairs in by.values())
    return Strip(rows, has_seeds, has_strengths=len(arms) > 1)


def _row(evidence: Evidence, metric: str, goal: Goal, found: Sequence[tuple[Arm, list[Pair]]]) -> Row:
    base = [_line(evidence, "untouched", "untouched", pair.seed, pair.before) for pair in found[0][1]]
    lines: list[Line] = []
    moves: list[Move] = []
    for arm, pairs in found:
        level = evidence.sound(arm, goal).level
        name = f"strength {arm.strength:g}" if len(found) > 1 else ""
        kind = "void" if level == "void" else "shaped"
        lines += [_line(evidence, kind, name or "shaped", pair.seed, pair.after) for pair in pairs]
        moves.append(_move(evidence, metric, (arm, goal), pairs, name))
    return Row(goal, [*base, *lines], moves)


def _move(evidence: Evidence, metric: str, what: tuple[Arm, Goal], pairs: Sequence[Pair], name: str) -> Move:
    arm, goal = what
    verdict = verdict_of(list(pairs))
    words = (SHORT if name else VERDICTS)[verdict]
    if verdict == "unclear" and any(pair.verdict in {"towards", "away"} for pair in pairs):
        words = "seeds disagree: the interval of the change excludes 0 in some of them"
    elif len(pairs) > 1 and verdict in {"towards", "away"}:
        words += f", in each of {len(pairs)} seeds"
    words += _corrected(evidence, metric, arm, goal)
    sound = evidence.sound(arm, goal)
    if metric == "trait_alignment" and sound.honest and sound.level != "void":
        less = "; ".join(estimate(found, signed=True) for _, found in sound.honest)
        words += f"; {less} where replies that are no answers count as misses"
    changes = [_change(pair, has_seeds=len(pairs) > 1) for pair in pairs]
    if sound.level == "void":
        return Move(name, changes, "void", f"does not count: {sound.reasons[0].partition(';')[0]}")
    return Move(name, changes, verdict, words)


def _corrected(evidence: Evidence, metric: str, arm: Arm, goal: Goal) -> str:
    tests = evidence.family.of(arm, goal, metric) if evidence.family else []
    if not tests:
        return ""
    return f"; corrected p {', '.join(probability(test.adjusted) for test in tests)}"


def _change(pair: Pair, *, has_seeds: bool) -> str:
    words = estimate(pair.change, signed=True)
    return f"seed {pair.seed}: {words}" if has_seeds else words


def _line(evidence: Evidence, kind: str, name: str, seed: int, figure: Figure | None) -> Line:
    words, n, anchor = estimate(figure), figure.n if figure else 0, evidence.sources.anchor(figure)
    if figure is None or figure.value is None:
        return Line(kind, name, seed, None, None, None, words, n, anchor)
    bounds = (share(figure.value), share(figure.lower), share(figure.upper))
    return Line(kind, name, seed, *bounds, words, n, anchor)


def share(value: float | None) -> float | None:
    """A share as percent of an axis from 0 to 1."""
    return None if value is None else round(100 * min(max(value, 0.0), 1.0), 2)
