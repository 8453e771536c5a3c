"""Tables: metrics before and after, which poles replies read as, and how often the classifier is right."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from temperament.report.board import Arm, Board, Goal, Pair, mean_value
from temperament.report.wording import estimate, number
from temperament.run import Run

MOST_EMOJIS = 12


@dataclass(frozen=True)
class Shade:
    """One cell of a shaded table.

    Attributes:
        words: what is written in it.
        depth: of its shade, 0 to 1.
        is_target: the measured pole is the one that the row was shaped towards.
    """

    words: str
    depth: float
    is_target: bool


@dataclass(frozen=True)
class Matrix:
    """A shaded table; ``columns`` are poles, ``rows`` have a name and a shade for each column."""

    columns: list[Goal]
    rows: list[tuple[str, list[Shade]]]

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The traits over the columns, each with the number of its poles."""
        return list(Counter(column.trait for column in self.columns).items())


@dataclass(frozen=True)
class Change:
    """One metric of one goal and seed, in words."""

    goal: Goal
    seed: int
    before: str
    after: str
    change: str
    n: int


def changes(board: Board, arm: Arm, metric: str, places: int = 2) -> list[Change]:
    """One metric of an arm in words, a row for each goal and seed."""
    return [_change(pair, places) for pair in board.pairs(arm, metric)]


def _change(pair: Pair, places: int) -> Change:
    return Change(
        goal=pair.goal,
        seed=pair.seed,
        before=estimate(pair.before, places),
        after=estimate(pair.after, places),
        change=estimate(pair.change, places, signed=True) if pair.change else "",
        n=pair.after.n if pair.after else 0,
    )


def crosstalk(board: Board, arm: Arm) -> Matrix | None:
    """Which poles the replies of each goal read as, the mean over seeds; None where it was not measured."""
    columns = board.measured(arm, "pole_share")
    if not columns:
        return None
    cells = {column: board.pairs(arm, "pole_share", column) for column in columns}
    goals = board.goals(arm)
    before = [mean_value([pair.before for pair in cells[column] if pair.goal == goals[0]]) for column in columns]
    rows = [("untouched", [_shade(value) for value in before])]
    for goal in goals:
        after = [mean_value([pair.after for pair in cells[column] if pair.goal == goal]) for column in columns]
        shades = [_shade(value, is_target=column == goal) for column, value in zip(columns, after, strict=True)]
        rows.append((goal.name, shades))
    return Matrix(columns, rows)


def confusion(counts: object) -> Matrix | None:
    """The classifier's answers by what was shown, as shares of each row; None where there are no counts.

    Args:
        counts: by shown and by recognised pole, such as ``{"openness:low": {"openness:low": 3, ...}, ...}``.
    """
    if not isinstance(counts, dict) or not all(isinstance(row, dict) for row in counts.values()):
        return None
    names = list(dict.fromkeys([*counts, *(name for row in counts.values() for name in row)]))
    columns = [_goal_of(str(name)) for name in names]
    rows = [(_goal_of(str(name)), [float(row.get(other, 0)) for other in names]) for name, row in counts.items()]
    return Matrix(columns, [(goal.name, _of_row(goal, columns, row)) for goal, row in rows]) if rows else None


def _of_row(goal: Goal, columns: list[Goal], row: Sequence[float]) -> list[Shade]:
    total = sum(row)
    shares = [value / total if total else None for value in row]
    return [_shade(share, is_target=column == goal) for column, share in zip(columns, shares, strict=True)]


def _goal_of(label: str) -> Goal:
    trait, _, pole = label.partition(":")
    return Goal(trait, pole)


def _shade(value: float | None, *, is_target: bool = False) -> Shade:
    if value is None:
        return Shade("\u2013", 0.0, is_target)
    return Shade(number(value), round(min(max(value, 0.0), 1.0), 2), is_target)


def emojis_in(run: Run, cells: Sequence[str]) -> list[tuple[str, int]] | None:
    """The commonest emojis in the replies of some cells, with counts; None where they were not scored."""
    scores = [score["emoji"] for cell in cells for score in run.scores.get(cell, []) if _is_row(score.get("emoji"))]
    if not scores:
        return None
    found = Counter(str(emoji) for score in scores for emoji in score.get("emojis") or [])
    return sorted(found.items(), key=lambda one: (-one[1], one[0]))[:MOST_EMOJIS]


def _is_row(value: object) -> bool:
    return isinstance(value, dict)
