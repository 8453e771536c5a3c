"""Methods side by side: what each did, what it cost, and how long it took; one table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from temperament.record import Figure
from temperament.report.board import Arm, Goal, Pair, Way
from temperament.report.evidence import Evidence
from temperament.report.judge import JUDGED
from temperament.report.wording import estimate, number, part
from temperament.run import Run

NOTHING = "\u2013"


@dataclass(frozen=True)
class Column:
    """A metric of the table.

    Attributes:
        places: decimals.
        is_change: the change is shown, not the figure.
        is_effect: it says what was achieved; it is no figure where replies are no answers.
    """

    metric: str
    title: str
    places: int = 2
    is_change: bool = False
    is_effect: bool = False


COLUMNS = (
    Column("trait_alignment", "trait alignment, change", is_change=True, is_effect=True),
    Column("emoji_share", "replies with emojis, change", is_change=True),
    Column("edit_success", "edit success", is_effect=True),
    Column("adjective_evaluation", "judged by adjectives, change", is_effect=True),
    Column("inventory_score", "self-report, change", is_change=True, is_effect=True),
    Column("drawdown", "drawdown"),
    Column("gibberish_share", "gibberish"),
    Column("refusal_share", "refusals"),
    Column("perplexity", "perplexity", 1),
    Column("words", "words", 0),
)


@dataclass(frozen=True)
class Entry:
    """One row.

    Attributes:
        name: of the method, or of one of its targets.
        values: of the table's columns, in words.
        fitting: seconds; of all targets of the method together.
        is_method: a row of a method, the mean over its targets and seeds.
        anchor: of the rows of records.
        is_void: of each value whether it does not count.
    """

    name: str
    values: list[str]
    fitting: str
    is_method: bool
    anchor: str
    is_void: list[bool]


@dataclass(frozen=True)
class Lineup:
    """The table; ``columns`` are those of ``values``."""

    columns: list[Column]
    entries: list[Entry]


def lineup(evidence: Evidence) -> Lineup | None:
    """All arms side by side, the untouched model first; None where there is one arm or none."""
    board = evidence.board
    if len(board.arms) < 2:
        return None
    columns = [column for column in COLUMNS if any(board.pairs(arm, column.metric) for arm in board.arms)]
    entries = [_untouched(evidence, subject, columns) for subject in board.subjects]
    for way, arms in board.ways.items():
        for arm in arms:
            goals = board.goals(arm)
            name = board.name(arm) + (f", {arm.subject}" if len(board.subjects) > 1 else "")
            fitting = fitting_of(evidence.run, way, board.seeds(arm)) if arm == arms[0] else ""
            entries.append(_entry(evidence, arm, goals, columns, (name, fitting)))
            if len(goals) > 1 and len(arms) == 1:
                entries += [
                    replace(_entry(evidence, arm, [goal], columns, (goal.name, "")), is_method=False) for goal in goals
                ]
    return Lineup(columns, entries)


def _entry(
    evidence: Evidence, arm: Arm, goals: Sequence[Goal], columns: Sequence[Column], words: tuple[str, str]
) -> Entry:
    values = [mean_of(evidence, arm, column, goals) for column in columns]
    is_void = [
        is_judged_void(evidence, column) or (column.is_effect and not _counting(evidence, arm, goals))
        for column in columns
    ]
    return Entry(words[0], values, words[1], is_method=True, anchor=evidence.sources.arm_anchor(arm), is_void=is_void)


def mean_of(evidence: Evidence, arm: Arm, column: Column, goals: Sequence[Goal]) -> str:
    """A column's figure of an arm: the mean over some of its goals and all seeds, and of how many it is.

    An effect is the mean over the goals that count, unless none does.
    """
    counting = _counting(evidence, arm, goals)
    wanted = counting if column.is_effect and counting else goals
    pairs = [pair for pair in evidence.board.pairs(arm, column.metric) if pair.goal in wanted]
    figures = [pair.change if column.is_change else pair.after for pair in pairs]
    return in_words(figures, column.places, evidence.board.cells(arm, goals), signed=column.is_change)


def is_judged_void(evidence: Evidence, column: Column) -> bool:
    """Whether a column is of a judge that cannot tell the poles apart."""
    return column.metric in JUDGED and evidence.judge is not None and evidence.judge.level == "void"


def _counting(evidence: Evidence, arm: Arm, goals: Sequence[Goal]) -> list[Goal]:
    return [goal for goal in evidence.counting(arm) if goal in goals]


def _untouched(evidence: Evidence, subject: str, columns: Sequence[Column]) -> Entry:
    """The untouched model: where a figure depends on the target, the mean over targets."""
    values: list[str] = []
    for column in columns:
        found: dict[tuple[Goal, int], Pair] = {}
        for arm in evidence.board.arms:
            if arm.subject == subject:
                found.update({(pair.goal, pair.seed): pair for pair in evidence.board.pairs(arm, column.metric)})
        figures = [pair.before for pair in found.values()]
        values.append(NOTHING if column.is_change else in_words(figures, column.places, len(figures)))
    name = "Untouched" + (f", {subject}" if len(evidence.board.subjects) > 1 else "")
    anchor = evidence.sources.base_anchor(subject)
    return Entry(name, values, NOTHING, is_method=True, anchor=anchor, is_void=[False] * len(values))


def in_words(figures: Sequence[Figure | None], places: int, total: int, *, signed: bool = False) -> str:
    """A figure, or the mean of several with the mean of their bounds, which is never too narrow an interval.

    The standard deviation of a mean is at most the mean of the standard deviations, however the figures depend on one
    another; figures of one method do, for they are of the same questions. Where fewer figures are known than there are
    targets and seeds, the words say of how many it is.
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
    return estimate(mean, places, signed=signed) + part(len(known), total)


def fitting_of(run: Run, way: Way, seeds: Sequence[int]) -> str:
    """Seconds, the mean over seeds, and of how many where some are not known."""
    names = [f"fitting {way.method} {way.condition} s{seed}" for seed in seeds]
    found = [run.timing[name] for name in names if isinstance(run.timing.get(name), (int, float))]
    return number(sum(found) / len(found), 1) + part(len(found), len(names), "seed") if found else NOTHING
