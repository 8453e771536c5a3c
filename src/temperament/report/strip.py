"""Dot-and-interval strips: where each figure lies on an axis from 0 to 1, and the same in words."""

from dataclasses import dataclass

from temperament.record import Figure
from temperament.report.board import Arm, Board, Goal, Pair, by_goal, verdict_of
from temperament.report.wording import estimate

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
        kind: 'untouched' is drawn hollow, 'shaped' filled.
        at: percent of the axis; None where there is nothing to draw.
        left: where the interval begins, in percent; None where it is withheld.
        right: where it ends.
        words: the same in words.
    """

    kind: str
    seed: int
    at: float | None
    left: float | None
    right: float | None
    words: str
    n: int


@dataclass(frozen=True)
class Row:
    """One goal: a line for the untouched model and one for the shaped, for each seed."""

    goal: Goal
    lines: list[Line]
    changes: list[str]
    verdict: str
    verdict_words: str


@dataclass(frozen=True)
class Strip:
    """One metric of one arm, a row for each goal."""

    rows: list[Row]
    has_seeds: bool


def strip(board: Board, arm: Arm, metric: str) -> Strip | None:
    """The strip of a share; None where it was not measured."""
    goals = by_goal(board.pairs(arm, metric))
    if not goals:
        return None
    rows = [_row(goal, pairs) for goal, pairs in goals.items()]
    return Strip(rows, has_seeds=any(len(pairs) > 1 for pairs in goals.values()))


def _row(goal: Goal, pairs: list[Pair]) -> Row:
    verdict = verdict_of(pairs)
    words = VERDICTS[verdict]
    if verdict == "unclear" and any(pair.verdict in {"towards", "away"} for pair in pairs):
        words = "seeds disagree: the interval of the change excludes 0 in some of them"
    elif len(pairs) > 1 and verdict in {"towards", "away"}:
        words += f", in each of {len(pairs)} seeds"
    return Row(
        goal=goal,
        lines=[line for pair in pairs for line in _lines(pair)],
        changes=[_change(pair, has_seeds=len(pairs) > 1) for pair in pairs],
        verdict=verdict,
        verdict_words=words,
    )


def _change(pair: Pair, *, has_seeds: bool) -> str:
    words = estimate(pair.change, signed=True)
    return f"seed {pair.seed}: {words}" if has_seeds else words


def _lines(pair: Pair) -> list[Line]:
    return [_line("untouched", pair.seed, pair.before), _line("shaped", pair.seed, pair.after)]


def _line(kind: str, seed: int, figure: Figure | None) -> Line:
    words, n = estimate(figure), figure.n if figure else 0
    if figure is None or figure.value is None:
        return Line(kind, seed, None, None, None, words, n)
    return Line(kind, seed, _percent(figure.value), _percent(figure.lower), _percent(figure.upper), words, n)


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * min(max(value, 0.0), 1.0), 2)
