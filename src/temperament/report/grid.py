"""Tables of several metrics: a row for each goal, strength and seed below the untouched model's."""

from collections.abc import Sequence
from dataclasses import dataclass

from temperament.record import Figure
from temperament.report.board import Arm, Goal, Pair
from temperament.report.evidence import Evidence
from temperament.report.wording import estimate

UNMOVED = "0 by definition"
NOT_MEASURED = "\u2013"


@dataclass(frozen=True)
class Column:
    """A metric.

    Attributes:
        measured: which trait or pole, where it is not the target's own.
    """

    metric: str
    title: str
    places: int = 2
    measured: Goal | None = None


@dataclass(frozen=True)
class Cell:
    """A figure in words.

    Attributes:
        value: of the figure.
        bounds: of its interval.
        change: to the untouched model; empty where it was not worked out.
        n: answers behind it; 0 where it was not measured.
        anchor: of the rows that it is made from.
        is_own: it is of the goal's own trait.
    """

    value: str
    bounds: str = ""
    change: str = ""
    n: int = 0
    anchor: str = ""
    is_own: bool = False


@dataclass(frozen=True)
class Line:
    """One goal, strength and seed; ``kind`` is untouched, shaped or void."""

    name: str
    strength: str
    seed: int
    kind: str
    cells: list[Cell]


@dataclass(frozen=True)
class Grid:
    """The table."""

    title: str
    columns: list[Column]
    lines: list[Line]

    @property
    def has_strengths(self) -> bool:
        """Whether rows differ in strength."""
        return len({line.strength for line in self.lines if line.kind != "untouched"}) > 1

    @property
    def has_seeds(self) -> bool:
        """Whether rows differ in seed."""
        return len({line.seed for line in self.lines}) > 1


def grid(evidence: Evidence, arms: Sequence[Arm], title: str, columns: Sequence[Column]) -> Grid | None:
    """The metrics of one way; None where none was measured, and without those that were not."""
    board = evidence.board
    kept = [column for column in columns if any(board.pairs(arm, column.metric, column.measured) for arm in arms)]
    if not kept:
        return None
    before: dict[tuple[Goal, int], list[Cell]] = {}
    lines: list[Line] = []
    for goal in dict.fromkeys(goal for arm in arms for goal in board.goals(arm)):
        for arm in (arm for arm in arms if goal in board.goals(arm)):
            for seed in board.seeds(arm):
                pairs = [_pair(evidence, arm, column, goal, seed) for column in kept]
                before.setdefault((goal, seed), [_before(evidence, *one) for one in zip(kept, pairs, strict=True)])
                cells = [_after(evidence, goal, *one) for one in zip(kept, pairs, strict=True)]
                kind = "void" if evidence.sound(arm, goal).level == "void" else "shaped"
                lines.append(Line(goal.name, f"{arm.strength:g}", seed, kind, cells))
    return Grid(title, kept, _with_untouched(before, lines))


def _with_untouched(before: dict[tuple[Goal, int], list[Cell]], lines: Sequence[Line]) -> list[Line]:
    """The untouched model's row once, or before each goal where its figures depend on the goal."""
    seeds = list(dict.fromkeys(seed for _, seed in before))
    by_seed = {seed: [cells for (_, own), cells in before.items() if own == seed] for seed in seeds}
    if all(cells == rows[0] for rows in by_seed.values() for cells in rows):
        return [*(Line("untouched", "", seed, "untouched", by_seed[seed][0]) for seed in seeds), *lines]
    found: list[Line] = []
    for goal in dict.fromkeys(goal for goal, _ in before):
        found += [
            Line(f"{goal.name}: untouched", "", seed, "untouched", cells)
            for (own, seed), cells in before.items()
            if own == goal
        ]
        found += [line for line in lines if line.name == goal.name]
    return found


def _pair(evidence: Evidence, arm: Arm, column: Column, goal: Goal, seed: int) -> Pair | None:
    pairs = evidence.board.pairs(arm, column.metric, column.measured)
    return next((pair for pair in pairs if (pair.goal, pair.seed) == (goal, seed)), None)


def _before(evidence: Evidence, column: Column, pair: Pair | None) -> Cell:
    if column.metric == "drawdown":
        return Cell(UNMOVED)
    return _cell(evidence, column, pair.before if pair else None)


def _after(evidence: Evidence, goal: Goal, column: Column, pair: Pair | None) -> Cell:
    change = estimate(pair.change, column.places, signed=True) if pair and pair.change else ""
    is_own = column.measured is not None and column.measured.trait == goal.trait
    return _cell(evidence, column, pair.after if pair else None, change, is_own=is_own)


def _cell(evidence: Evidence, column: Column, figure: Figure | None, change: str = "", *, is_own: bool = False) -> Cell:
    if figure is None:
        return Cell(NOT_MEASURED, change=change, is_own=is_own)
    value, _, bounds = estimate(figure, column.places).partition(" (")
    return Cell(value, bounds.rstrip(")"), change, figure.n, evidence.sources.anchor(figure), is_own)
