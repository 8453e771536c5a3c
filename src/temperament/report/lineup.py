"""Methods side by side: what each did, what it cost, and how long it took; one table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from temperament.record import Figure
from temperament.report.board import Arm, Board, Goal, Pair
from temperament.report.wording import estimate, number
from temperament.run import Run

# Metric, title, decimals, and whether it is the change that is shown.
COLUMNS = (
    ("trait_alignment", "trait alignment, change", 2, True),
    ("edit_success", "edit success", 2, False),
    ("drawdown", "drawdown", 2, False),
    ("gibberish_share", "gibberish", 2, False),
    ("perplexity", "perplexity", 1, False),
    ("words", "words", 0, False),
)
NOTHING = "\u2013"


@dataclass(frozen=True)
class Entry:
    """One row.

    Attributes:
        name: of the method, or of one of its targets.
        values: of `COLUMNS`, in words.
        fitting: seconds; of all targets of the method together.
        is_method: a row of a method, the mean over its targets and seeds.
    """

    name: str
    values: list[str]
    fitting: str
    is_method: bool = True


@dataclass(frozen=True)
class Lineup:
    """The table; ``titles`` are those of ``values``."""

    titles: list[str]
    entries: list[Entry]


def lineup(run: Run, board: Board) -> Lineup | None:
    """The methods of a run side by side, the untouched model first; None where there is one method or none."""
    arms = board.arms
    if len({(arm.method, arm.condition) for arm in arms}) < 2:
        return None
    entries = [_untouched(board, subject) for subject in board.subjects]
    for arm in arms:
        goals = board.goals(arm)
        fitting = _fitting(run, arm, board.seeds(arm))
        name = board.name(arm) + (f", {arm.subject}" if len(board.subjects) > 1 else "")
        entries.append(Entry(name, _values(board, arm, goals), fitting))
        if len(goals) > 1:
            entries += [Entry(goal.name, _values(board, arm, [goal]), "", is_method=False) for goal in goals]
    return Lineup([title for _, title, _, _ in COLUMNS], entries)


def _values(board: Board, arm: Arm, goals: Sequence[Goal]) -> list[str]:
    values: list[str] = []
    for metric, _, places, is_change in COLUMNS:
        pairs = [pair for pair in board.pairs(arm, metric) if pair.goal in goals]
        figures = [pair.change if is_change else pair.after for pair in pairs]
        values.append(_in_words(figures, places, signed=is_change))
    return values


def _untouched(board: Board, subject: str) -> Entry:
    """The untouched model: where a figure depends on the target, the mean over targets."""
    values: list[str] = []
    for metric, _, places, is_change in COLUMNS:
        found: dict[tuple[Goal, int], Pair] = {}
        for arm in board.arms:
            if arm.subject == subject:
                found.update({(pair.goal, pair.seed): pair for pair in board.pairs(arm, metric)})
        values.append(NOTHING if is_change else _in_words([pair.before for pair in found.values()], places))
    name = "Untouched" + (f", {subject}" if len(board.subjects) > 1 else "")
    return Entry(name, values, NOTHING)


def _in_words(figures: Sequence[Figure | None], places: int, *, signed: bool = False) -> str:
    """A figure, or the mean of several with the mean of their bounds, which is never too narrow an interval.

    The standard deviation of a mean is at most the mean of the standard deviations, however the figures depend on one
    another; figures of one method do, for they are of the same questions.
    """
    known = [figure for figure in figures if figure is not None and figure.value is not None]
    if not known:
        return NOTHING
    middle, lower, upper = (
        [getattr(figure, name) for figure in known if getattr(figure, name) is not None]
        for name in ("value", "lower", "upper")
    )
    is_whole = len(lower) == len(upper) == len(known)
    mean = replace(
        known[0],
        value=sum(middle) / len(middle),
        lower=sum(lower) / len(lower) if is_whole else None,
        upper=sum(upper) / len(upper) if is_whole else None,
    )
    return estimate(mean, places, signed=signed)


def _fitting(run: Run, arm: Arm, seeds: Sequence[int]) -> str:
    """Seconds, the mean over seeds."""
    names = [f"fitting {arm.method} {arm.condition} s{seed}" for seed in seeds]
    found = [run.timing[name] for name in names if isinstance(run.timing.get(name), (int, float))]
    return number(sum(found) / len(found), 1) if found else NOTHING
