"""The first screen: what must be known before any figure is believed, and for each method what moved at what cost."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from temperament.report.board import Arm, Goal, Way, by_goal, verdict_of
from temperament.report.crosstalk import specificity_of
from temperament.report.evidence import Evidence
from temperament.report.judge import JudgeCard
from temperament.report.lineup import NOTHING, Column, fitting_of, is_judged_void, mean_of
from temperament.report.soundness import Level, Replies
from temperament.report.trust import Card
from temperament.report.wording import amount, counted, listed

EFFECT = Column("trait_alignment", "change of trait alignment", is_change=True, is_effect=True)
# Effects beside it, then costs; a column that no method has is left out.
EFFECTS = (
    Column("adjective_evaluation", "judged by adjectives, change", is_effect=True),
    Column("inventory_score", "self-report (1 to 5), change", is_change=True, is_effect=True),
)
COSTS = (
    Column("emoji_share", "replies with emojis, change", is_change=True),
    Column("drawdown", "neutral text moved, nats"),
    Column("words", "words, change", 0, is_change=True),
)
FEWEST_RIGHT = 0.5  # of answers on unseen topics; a classifier that is right less often decides nothing alone
MOST_MISCALIBRATED = 0.15
IN_FULL = 3


@dataclass(frozen=True)
class Warning:
    """What disqualifies figures, or puts them in doubt.

    Attributes:
        what: it is about.
        words: why.
        others: the same of further targets and strengths.
        is_aside: it is about strengths that do not stand for their method.
    """

    level: Level
    what: str
    words: str
    others: list[str]
    is_aside: bool = False


@dataclass(frozen=True)
class Line:
    """One method.

    Attributes:
        note: which strength stands for it.
        moved: what moved, in words.
        names: of what moved.
        values: of the table's columns, in words.
        level: of its worst goal, but for 'void', which says that none counts.
        has_moved: something that counts moved towards its target.
    """

    name: str
    note: str
    moved: str
    names: str
    values: list[str]
    level: Level
    has_moved: bool
    anchor: str


@dataclass(frozen=True)
class Minute:
    """The first screen; ``titles`` are those of ``values``, each with whether it is an effect."""

    answer: str
    warnings: list[Warning]
    titles: list[tuple[str, bool]]
    lines: list[Line]


def minute(evidence: Evidence, card: Card | None) -> Minute:
    """What a reader needs first."""
    ways = evidence.board.ways
    columns = [column for column in (*EFFECTS, *COSTS) if _is_there(evidence, column)]
    columns = [column for column in columns if not is_judged_void(evidence, column)]
    has_index = any(
        specificity_of(evidence, arm, goal) for arm in evidence.board.arms for goal in evidence.board.goals(arm)
    )
    lines = [_line(evidence, way, arms, columns, has_index=has_index) for way, arms in ways.items()]
    titles = [(EFFECT.title, True), ("no answers", False), *((column.title, column.is_effect) for column in columns)]
    titles += [("specificity", True)] if has_index else []
    warnings = [*_of_instruments(card, evidence.judge), *_of_untouched(evidence)]
    for way, arms in ways.items():
        warnings += _of_way(evidence, way, arms)
    warnings.sort(key=lambda warning: (warning.is_aside, warning.level != "void"))
    return Minute(_answer(evidence, lines), warnings, [*titles, ("fitting, seconds", False)], lines)


def _line(evidence: Evidence, way: Way, arms: Sequence[Arm], columns: Sequence[Column], *, has_index: bool) -> Line:
    board = evidence.board
    arm = evidence.chosen(arms)
    goals = board.goals(arm)
    note = f"at strength {arm.strength:g}" if len(arms) > 1 or arm.strength != 1 else ""
    moved, names = _moved(evidence, arm)
    values = [mean_of(evidence, arm, EFFECT, goals), _no_answers(evidence, arm)]
    values += [mean_of(evidence, arm, column, goals) for column in columns]
    values += [_index(evidence, arm)] if has_index else []
    levels = evidence.levels(arm)
    level: Level = "void" if not evidence.counting(arm) else "sound" if set(levels.values()) == {"sound"} else "doubt"
    name = way.name + (f", {way.subject}" if len(board.subjects) > 1 else "")
    fitting = fitting_of(evidence.run, way, board.seeds(arm))
    has_moved = bool(names) and level != "void"
    anchor = evidence.sources.arm_anchor(arm)
    return Line(name, note, moved, names, [*values, fitting], level, has_moved, anchor)


def _moved(evidence: Evidence, arm: Arm) -> tuple[str, str]:
    """What moved towards its target and what away, of the goals that count; and which these are."""
    counting = evidence.counting(arm)
    measured = by_goal(evidence.board.pairs(arm, "trait_alignment"))
    if not measured:
        return "trait alignment was not measured", ""
    if not counting:
        return "does not count", _kinds(evidence, arm)
    moves = {goal: verdict_of(pairs) for goal, pairs in measured.items() if goal in counting}
    towards, away = ([goal for goal, verdict in moves.items() if verdict == wanted] for wanted in ("towards", "away"))
    parts = [f"{len(towards) or 'none'} of {len(moves)} towards {'its' if len(moves) == 1 else 'the'} target"]
    if away:
        parts.append(f"{len(away)} away from it")
    if towards and evidence.family and (held := _held(evidence, arm, towards)) is not None:
        parts.append(f"{held} after correction")
    if lost := len(measured) - len(moves):
        parts.append(f"{lost} more {'does' if lost == 1 else 'do'} not count")
    return "; ".join(parts), listed([_short(goal, measured) for goal in towards])


def _kinds(evidence: Evidence, arm: Arm) -> str:
    """Why most replies of an arm are no answers, or else the first reason of its first goal."""
    goals = evidence.board.goals(arm)
    kinds = sum((evidence.sound(arm, goal).replies.unfit for goal in goals), Counter[str]())
    return ", ".join(why for why, _ in kinds.most_common(2)) or evidence.sound(arm, goals[0]).reasons[0]


def _held(evidence: Evidence, arm: Arm, goals: Sequence[Goal]) -> int | None:
    """How many of the moves stand after the correction for the number of tests; None where one was not tested."""
    found = [evidence.family.holds(arm, goal, "trait_alignment") for goal in goals] if evidence.family else [None]
    return None if None in found else sum(bool(one) for one in found)


def _short(goal: Goal, goals: Iterable[Goal]) -> str:
    is_plain = goal.pole == "high" and sum(other.trait == goal.trait for other in goals) == 1
    return goal.trait if is_plain else goal.name.replace(",", "")


def _no_answers(evidence: Evidence, arm: Arm) -> str:
    found = [evidence.sound(arm, goal).replies for goal in evidence.board.goals(arm)]
    before = evidence.untouched(arm)
    if not any(one.asked for one in found):
        return NOTHING
    return f"{_of(found)} (untouched {_of([before])})" if before.asked else _of(found)


def _of(replies: Sequence[Replies]) -> str:
    return f"{sum(one.unfit.total() for one in replies)} of {sum(one.asked - one.missing for one in replies)}"


def _index(evidence: Evidence, arm: Arm) -> str:
    found = {goal: specificity_of(evidence, arm, goal) for goal in evidence.counting(arm)}
    values = [one.value for one in found.values() if one is not None and one.value is not None]
    if not values:
        return NOTHING if not any(found.values()) else "withheld"
    mean = sum(values) / len(values)
    total = len(evidence.board.goals(arm))
    return f"{mean:.2f}" + (f" ({len(values)} of {total})" if len(values) < total else "")


def _is_there(evidence: Evidence, column: Column) -> bool:
    pairs = (pair for arm in evidence.board.arms for pair in evidence.board.pairs(arm, column.metric))
    return any((pair.change if column.is_change else pair.after) is not None for pair in pairs)


def _answer(evidence: Evidence, lines: Sequence[Line]) -> str:
    """One or two sentences over all methods; with one method its own headline says it."""
    if len(lines) < 2:
        return ""
    arms = [evidence.chosen(arms) for arms in evidence.board.ways.values()]
    moves = [_in_short(evidence, arm, line) for arm, line in zip(arms, lines, strict=True) if line.has_moved]
    void = [line.name for line in lines if line.level == "void"]
    total = amount(len(lines), "method")
    sentence = f"None of {total} moved a trait measurably."
    if moves:
        sentence = f"Of {total} {amount(len(moves))} moved a trait towards its target: {listed(moves)}."
    return sentence + (f" What {listed(void)} did does not count: the replies are no answers." if void else "")


def _in_short(evidence: Evidence, arm: Arm, line: Line) -> str:
    """Such as 'IKE (k8), 1 of 3 (neuroticism), in doubt'."""
    measured = by_goal(evidence.board.pairs(arm, "trait_alignment"))
    counting = evidence.counting(arm)
    towards = [goal for goal, pairs in measured.items() if goal in counting and verdict_of(pairs) == "towards"]
    names = [_short(goal, measured) for goal in towards[:IN_FULL]] + (["others"] if len(towards) > IN_FULL else [])
    is_doubted = any(evidence.sound(arm, goal).level == "doubt" for goal in towards)
    return f"{line.name}, {len(towards)} of {len(measured)} ({listed(names)})" + (", in doubt" if is_doubted else "")


def _of_way(evidence: Evidence, way: Way, arms: Sequence[Arm]) -> list[Warning]:
    """One warning a level, with the first reason in full and the others to unfold."""
    found: list[Warning] = []
    total = sum(len(evidence.board.goals(arm)) for arm in arms)
    first = evidence.chosen(arms)
    for level in ("void", "doubt"):
        hits = [(arm, goal) for arm in arms for goal, own in evidence.levels(arm).items() if own == level]
        hits.sort(key=lambda hit: hit[0] != first)
        if hits:
            words = [f"{_where(arm, goal, arms)}: {'; '.join(evidence.sound(arm, goal).reasons)}" for arm, goal in hits]
            what = way.name + (f", {len(hits)} of {counted(total, 'figure')}" if total > 1 else "")
            found.append(Warning(level, what, words[0], words[1:], is_aside=all(arm != first for arm, _ in hits)))
    return found


def _where(arm: Arm, goal: Goal, arms: Sequence[Arm]) -> str:
    return goal.name + (f", strength {arm.strength:g}" if len(arms) > 1 else "")


def _of_untouched(evidence: Evidence) -> list[Warning]:
    """Whether the untouched model answers at all."""
    found: dict[str, Warning] = {}
    for arm in evidence.board.arms:
        replies = evidence.untouched(arm)
        share = replies.share
        if share is not None and share > 0.1:
            words = f"{replies.words}, and changes start from there"
            found[arm.subject] = Warning("doubt", f"The untouched model{_named(evidence, arm)}", words, [])
    return list(found.values())


def _named(evidence: Evidence, arm: Arm) -> str:
    return f", {arm.subject}" if len(evidence.board.subjects) > 1 else ""


def _of_instruments(card: Card | None, judge: JudgeCard | None) -> list[Warning]:
    """Whether the classifier and the judge can be relied on."""
    found: list[Warning] = []
    if card is None or card.chosen is None:
        found.append(Warning("doubt", "The classifier", "nobody has assessed how often it is right", []))
    elif card.chosen.share is not None and card.chosen.share < FEWEST_RIGHT:
        words = (
            f"it is right on {card.chosen.poles} of answers on topics that it has not seen: too seldom to decide alone"
        )
        found.append(Warning("doubt", "The classifier is weak", words, []))
    elif card.chosen.error is not None and card.chosen.error > MOST_MISCALIBRATED:
        words = f"its probabilities lie {card.chosen.calibration} from how often it is right"
        found.append(Warning("doubt", "The classifier is badly calibrated", words, []))
    if judge and judge.poor:
        found.append(Warning(judge.level, "The judge", judge.poor, []))
    return found
