"""Shaded tables: which poles replies read as, and how often the classifier is right."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from temperament.report.board import Arm, Goal, mean_value, values_of
from temperament.report.evidence import Evidence
from temperament.report.wording import number, part


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


def shares_of_poles(evidence: Evidence, arms: Sequence[Arm]) -> Matrix | None:
    """Which poles the replies of each goal and strength read as, the mean over seeds; None where nobody looked."""
    board = evidence.board
    columns = list(dict.fromkeys(goal for arm in arms for goal in board.measured(arm, "pole_share")))
    if not columns:
        return None
    first = board.goals(arms[0])[0]
    rows = [("untouched", _poles(evidence, arms[0], first, columns, is_before=True))]
    for goal in dict.fromkeys(goal for arm in arms for goal in board.goals(arm)):
        for arm in (arm for arm in arms if goal in board.goals(arm)):
            name = f"{goal.name}, {arm.strength:g}" if len(arms) > 1 else goal.name
            rows.append((name, _poles(evidence, arm, goal, columns)))
    return Matrix(columns, rows)


def _poles(
    evidence: Evidence, arm: Arm, goal: Goal, columns: Sequence[Goal], *, is_before: bool = False
) -> list[Shade]:
    shades: list[Shade] = []
    for column in columns:
        pairs = [pair for pair in evidence.board.pairs(arm, "pole_share", column) if pair.goal == goal]
        figures = [pair.before if is_before else pair.after for pair in pairs]
        shade = _shade(mean_value(figures), is_target=not is_before and column == goal)
        shades.append(replace(shade, words=shade.words + part(len(values_of(figures)), len(figures))))
    return shades


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
