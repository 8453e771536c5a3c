"""Judges: how they rated, and beside every score how far the judge can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from temperament.record import Figure
from temperament.report.board import Arm, Goal
from temperament.report.finding import estimate_of, finding, number_of, text_of, words_of
from temperament.report.soundness import Level
from temperament.report.wording import estimate, number
from temperament.run import Row, Run

if TYPE_CHECKING:
    from temperament.report.evidence import Evidence

JUDGED = (
    *("judge_score", "adjective_evaluation", "adjective_evaluation_reference"),
    *("personality_bench_mean", "personality_bench_variance"),
)
CHANCE, POOR = 0.5, 0.7  # of the area under the curve; a coin has the first


@dataclass(frozen=True)
class Trial:
    """What the judge made of labelled answers on one kind of scale, in words.

    Attributes:
        area: the chance that it rates an answer of the pole above one of the opposite.
        by_trait: the same for each trait.
        rows: everything else, as names and texts.
    """

    asked: str
    area: str
    by_trait: dict[str, str]
    rows: list[tuple[str, str]]


@dataclass(frozen=True)
class JudgeCard:
    """The judge's card.

    Attributes:
        says: all of it in a sentence or two, in the judge's own card.
        poor: why its scores do not count or are in doubt; empty where they are sound.
        level: how far they can be believed.
        origin: what it was tried on.
        cost: of all calls of the run, in words; empty where it was not recorded.
    """

    judge: str
    says: str
    poor: str
    level: Level
    origin: str
    trials: list[Trial]
    cost: str = ""


@dataclass(frozen=True)
class Judged:
    """The scores of one goal, strength and seed, in words, with the calibration beside them."""

    goal: Goal
    strength: str
    seed: int
    before: str
    after: str
    evaluation: str
    reference: str
    bench: str
    calibration: str
    n: int
    anchor: str
    is_void: bool


def judge_card(run: Run) -> JudgeCard | None:
    """How far the judge of a run can be trusted; None where nothing was judged."""
    found = finding(run, "judge")
    is_judged = any(figure.metric in JUDGED for figure in run.results.figures)
    if not found or "unread" in found:
        poor = "nobody has tried it on answers of which it is known what they show"
        return JudgeCard("", "", poor, "doubt", "", []) if is_judged else None
    trials = [_trial(row) for row in (found.get("traits"), found.get("adjectives")) if isinstance(row, dict)]
    level, poor = _trust(found)
    counts = [number_of(found, name) for name in ("answers", "topics")]
    answers, topics = (f"{count:g}" if count is not None else "some" for count in counts)
    split = text_of(found, "split")
    origin = f"{answers} labelled answers on {topics} topics" + (f" of the split {split}" if split else "")
    return JudgeCard(text_of(found, "judge"), text_of(found, "says"), poor, level, origin, trials, _cost(found))


def judged(evidence: "Evidence", arms: Sequence[Arm]) -> list[Judged]:
    """What the judge said of one way, with its calibration for the trait; nothing where it was not asked."""
    board, found = evidence.board, list[Judged]()
    by_trait = {kind.asked: kind.by_trait for kind in (evidence.judge.trials if evidence.judge else [])}
    for arm in arms:
        pairs = {metric: {(one.goal, one.seed): one for one in board.pairs(arm, metric)} for metric in JUDGED}
        for goal, seed in dict.fromkeys(place for one in pairs.values() for place in one):
            score, evaluation, reference, mean, variance = (pairs[metric].get((goal, seed)) for metric in JUDGED)
            some = next(one for one in (score, evaluation, reference, mean, variance) if one)
            area = [by_trait.get(kind, {}).get(goal.trait, "") for kind in ("traits", "adjectives")]
            found.append(
                Judged(
                    goal=goal,
                    strength=f"{arm.strength:g}",
                    seed=seed,
                    before=_words(score.before if score else None),
                    after=_words(score.after if score else None),
                    evaluation=_words(evaluation.after if evaluation else None, signed=True),
                    reference=_words(reference.after if reference else None, signed=True),
                    bench="; variance ".join(_words(one.after) for one in (mean, variance) if one),
                    calibration="; ".join(filter(None, area)) or "not calibrated",
                    n=some.after.n if some.after else 0,
                    anchor=evidence.sources.anchor(some.after),
                    is_void=evidence.sound(arm, goal).level == "void",
                )
            )
    order = list(dict.fromkeys(one.goal for one in found))
    return sorted(found, key=lambda one: order.index(one.goal))


def _cost(found: Row) -> str:
    cost: Row = found["run_cost"] if isinstance(found.get("run_cost"), dict) else {}
    calls, read, wrote = (number_of(cost, name) for name in ("calls", "prompt_tokens", "completion_tokens"))
    if calls is None or read is None or wrote is None:
        return ""
    price = number_of(found, "run_price")
    words = f"{calls:,.0f} calls, {read:,.0f} tokens read and {wrote:,.0f} written"
    return words + ("" if price is None else f", at a price of {number(price)}")


def _words(figure: Figure | None, *, signed: bool = False) -> str:
    return "\u2013" if figure is None else estimate(figure, signed=signed)


def _trust(found: Row) -> tuple[Level, str]:
    """From the trial on scales from pole to pole: whether it tells the poles apart."""
    part = found.get("traits")
    row: Row = part if isinstance(part, dict) else {}
    area = estimate_of(row.get("area"))
    if area is None or area.value is None:
        tally = row.get("tally")
        reason = text_of(tally, "withheld") if isinstance(tally, dict) else ""
        return "doubt", f"it could not be calibrated{f': {reason}' if reason else ''}"
    words = (
        f"it rates an answer of the high pole above one of the low pole with a chance of {words_of(row.get('area'))}"
    )
    if area.value <= CHANCE or (area.lower is not None and area.lower <= CHANCE):
        return "void", f"{words}; {number(CHANCE, 1)} is a coin, so that what it says does not count"
    return ("doubt", f"{words}; {number(CHANCE, 1)} is a coin") if area.value < POOR else ("sound", "")


def _trial(row: Row) -> Trial:
    traits = row.get("by_trait")
    by_trait = {str(name): words_of(value) for name, value in traits.items()} if isinstance(traits, dict) else {}
    names = {
        "correlation": "rank correlation of ratings and poles",
        "low": "mean rating of answers of the low pole",
        "high": "mean rating of answers of the high pole",
        "spread": "standard deviation of all ratings",
        "order_bias": "order bias: leans to high numbers above 0, to low ones below",
        "length_bias": "length bias: rank correlation of ratings and length",
        "outside": "probability of what is no digit",
    }
    rows = [(words, words_of(row[name])) for name, words in names.items() if row.get(name) is not None]
    for name, words in (("wording", "two wordings"), ("direction", "two directions of the scale")):
        part = row.get(name)
        if isinstance(part, dict):
            rows.append((f"agreement of {words}: rank correlation", words_of(part.get("correlation"))))
            rows.append((f"agreement of {words}: mean distance", words_of(part.get("difference"))))
    tally = row.get("tally")
    if isinstance(tally, dict):
        rows.append(
            ("calls that gave a rating", f"{number_of(tally, 'rated') or 0:g} of {number_of(tally, 'calls') or 0:g}")
        )
    return Trial(text_of(row, "asked"), words_of(row.get("area")), by_trait, rows)
