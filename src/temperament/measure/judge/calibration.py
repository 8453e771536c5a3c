"""How far a judge can be trusted: what it makes of answers of which it is known what they show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from temperament.measure.judge.base import Judge
from temperament.measure.judge.interval import rank_correlation, separation
from temperament.measure.judge.judging import JudgedText, Judging, Rating, cost_of, spread
from temperament.measure.judge.plan import JudgePlan
from temperament.measure.judge.scale import DIRECTIONS, WORDINGS, Direction, Scale
from temperament.measure.judge.score import Tally, ratings_of, tally, word_ratings
from temperament.opinion.row import Opinion, Opinions, Split
from temperament.stats import Estimate, average
from temperament.subject.base import Progress
from temperament.subject.cost import Cost
from temperament.trait import POLES, Pole, Target

CHANCE = 0.5


@dataclass(frozen=True)
class Agreement:
    """Whether a judge says the same when the same is asked in another way.

    Attributes:
        correlation: Spearman's, of the two ratings of an answer; None where all ratings are equal.
        difference: mean distance between them, 0 to 4; small also for a judge that always says the same.
    """

    correlation: Estimate
    difference: Estimate


@dataclass(frozen=True)
class Assessment:
    """What a judge makes of labelled answers on one kind of scale; all estimates withheld where too many calls failed.

    Attributes:
        asked: ``traits`` or ``adjectives``.
        area: the chance that an answer that shows the pole is rated above one that shows its opposite (AUC): 0.5 is
            chance, below it the judge has the poles reversed.
        by_trait: the same for each trait.
        correlation: Spearman's, of ratings and poles within a trait.
        low: mean rating of answers that show the low pole (of an adjective: the opposite of its pole).
        high: mean rating of the others.
        spread: standard deviation of all ratings; 0 for a judge that always says the same.
        order_bias: mean rating with the scale shown upwards less that with it shown downwards, -4 to 4; above 0 the
            judge leans to high numbers, below 0 to low ones, whatever they mean. None where one direction is shown.
        length_bias: Spearman's correlation of ratings and numbers of words among answers of one pole of one trait.
        wording: agreement between two wordings of the request.
        direction: agreement between the two directions of the scale.
        outside: mean probability of all that is no digit, of a judge that is read.
        tally: calls behind this.
    """

    asked: str
    area: Estimate
    by_trait: dict[str, Estimate]
    correlation: Estimate
    low: Estimate
    high: Estimate
    spread: float | None
    order_bias: Estimate
    length_bias: Estimate
    wording: Agreement
    direction: Agreement
    outside: Estimate
    tally: Tally


@dataclass(frozen=True)
class JudgeCard:
    """What stands beside every score of a judge.

    Attributes:
        judge: name of the model.
        kind: remote or local.
        split: of the labelled answers; empty where there are none.
        answers: labelled answers.
        topics: that they are on; none of them is asked in the study.
        is_counterbalanced: scores average both directions of a scale, and so do the figures here.
        traits: on scales from pole to pole.
        adjectives: on how well a word fits; None where no word is asked for.
        cost: of the calls.
        price: of them, where prices are known.
        says: all in a sentence or two.
    """

    judge: str
    kind: str
    split: str
    answers: int
    topics: int
    is_counterbalanced: bool
    traits: Assessment
    adjectives: Assessment | None
    cost: Cost
    price: float | None
    says: str

    def __str__(self) -> str:
        return self.says


def calibrate(
    judge: Judge,
    opinions: Opinions,
    plan: JudgePlan,
    targets: Sequence[Target],
    asked: Split = "test",
    store: Path | None = None,
    progress: Progress | None = None,
) -> JudgeCard:
    """Try a judge on labelled answers on topics that the study does not ask about.

    Args:
        judge: to be tried.
        opinions: of all splits.
        plan: says how many answers of each pole, and which adjectives.
        targets: of the study: their traits and the adjectives of their poles are tried.
        asked: the split whose questions the study asks.
        store: file of JSON lines that keeps the ratings; one that exists is read instead.
        progress: told how many ratings there are, of how many.

    Raises:
        EndpointError: a server stays unavailable.
    """
    traits = list(dict.fromkeys(target.trait for target in targets))
    texts = labelled_texts(opinions, traits, plan.calibration, asked)
    directions: tuple[Direction, ...] = DIRECTIONS if plan.is_counterbalanced else DIRECTIONS[:1]
    rows = Judging(tuple(texts), plan.scales(targets), directions, WORDINGS).administer(judge, store, progress)
    return card_of(rows, plan, opinions, asked)


def labelled_texts(opinions: Opinions, traits: Sequence[str], count: int, asked: Split) -> list[JudgedText]:
    """Answers of both poles of some traits: of the split ``validation``, or of ``measure`` where that one is asked.

    Nothing of a topic that the asked split has is taken, whatever split it stands in. The poles of a trait are tried on
    the same topics, and traits on different ones as far as there are enough: intervals go by topics.
    """
    taboo = {row.topic.casefold() for row in opinions if row.split == asked}
    source = [row for row in opinions.split(_split(opinions, asked)) if row.topic.casefold() not in taboo]
    chosen: list[Opinion] = []
    for turn, trait in enumerate(traits):
        for pole in POLES:
            different = {row.answer: row for row in reversed(source) if row.target == Target(trait, pole)}
            mine = list(different.values())[::-1]
            start = turn % max(len(mine), 1)
            chosen += spread([*mine[start:], *mine[:start]], count)
    return [
        JudgedText("labelled", f"{row.target}-{number}", row.topic, row.question, row.answer, str(row.target))
        for number, row in enumerate(chosen)
    ]


def card_of(rows: Sequence[Rating], plan: JudgePlan, opinions: Opinions, asked: Split) -> JudgeCard:
    """The card that ratings of labelled answers give; nobody is asked."""
    judge = rows[0].judge if rows else plan.model
    traits = [row for row in rows if not row.adjective]
    words = [row for row in rows if row.adjective]
    assessment = _assessment("traits", traits, plan.most_missing)
    adjectives = _assessment("adjectives", words, plan.most_missing) if words else None
    cost = cost_of(rows)
    return JudgeCard(
        judge=judge,
        kind="remote" if plan.is_remote else "local",
        split=_split(opinions, asked) if rows else "",
        answers=len({row.id for row in rows}),
        topics=len({row.topic for row in rows}),
        is_counterbalanced=plan.is_counterbalanced,
        traits=assessment,
        adjectives=adjectives,
        cost=cost,
        price=plan.price(cost),
        says=_in_words(judge, assessment, adjectives),
    )


def _split(opinions: Opinions, asked: Split) -> Split:
    is_there = any(row.split == "validation" for row in opinions)
    return "validation" if asked != "validation" and is_there else "measure"


@dataclass(frozen=True)
class _Answer:
    """A labelled answer with its rating in the first wording, on a trait's scale or by the adjectives of a pole."""

    scale: str
    trait: str
    id: str
    topic: str
    shows: str
    words: int
    is_high: bool
    rating: float


def _assessment(asked: str, rows: Sequence[Rating], most_missing: float) -> Assessment:
    counted = tally(rows, most_missing)
    kept = [] if counted.withheld else rows
    first = [row for row in kept if row.wording == "first"]
    answers = _answers(first)
    ratings, topics = [answer.rating for answer in answers], [answer.topic for answer in answers]
    upwards, downwards = ([row for row in first if row.direction == direction] for direction in DIRECTIONS)
    outside = [(row.outside, row.topic) for row in kept if row.outside is not None]
    return Assessment(
        asked=asked,
        area=_area(answers),
        by_trait={
            trait: _area([answer for answer in answers if answer.trait == trait])
            for trait in dict.fromkeys(row.trait for row in rows)
        },
        correlation=rank_correlation(
            ratings, [float(answer.is_high) for answer in answers], topics, [answer.scale for answer in answers]
        ),
        low=_mean([answer for answer in answers if not answer.is_high]),
        high=_mean([answer for answer in answers if answer.is_high]),
        spread=_deviation(ratings),
        order_bias=_order_bias(upwards, downwards),
        length_bias=rank_correlation(
            ratings,
            [float(answer.words) for answer in answers],
            topics,
            [f"{answer.scale} {answer.shows}" for answer in answers],
        ),
        wording=_agreement(first, [row for row in kept if row.wording != "first"]),
        direction=_agreement(upwards, downwards),
        outside=average([mass for mass, _ in outside], [topic for _, topic in outside]),
        tally=counted,
    )


def _answers(rows: Sequence[Rating]) -> list[_Answer]:
    """The answers that have a rating, as scores are made of them."""
    by_text = {(row.trait, row.pole, row.id): row for row in rows}
    scales: dict[tuple[str, Pole | None], None] = dict.fromkeys((row.trait, row.pole) for row in rows)
    found = {
        (trait, pole): word_ratings(rows, Target(trait, pole)) if pole else ratings_of(rows, Scale(trait))
        for trait, pole in scales
    }
    return [
        _Answer(
            scale=f"{trait}:{pole}",
            trait=trait,
            id=name,
            topic=by_text[trait, pole, name].topic,
            shows=by_text[trait, pole, name].shows,
            words=by_text[trait, pole, name].words,
            is_high=by_text[trait, pole, name].shows == f"{trait}:{pole or 'high'}",
            rating=rating,
        )
        for (trait, pole), ratings in found.items()
        for name, rating in ratings.items()
    ]


def _area(answers: Sequence[_Answer]) -> Estimate:
    return separation(
        [answer.rating for answer in answers],
        [answer.is_high for answer in answers],
        [answer.topic for answer in answers],
        [answer.scale for answer in answers],
        [answer.id for answer in answers],
    )


def _mean(answers: Sequence[_Answer]) -> Estimate:
    return average([answer.rating for answer in answers], [answer.topic for answer in answers])


def _pairs(first: Sequence[Rating], second: Sequence[Rating]) -> list[tuple[float, float, str]]:
    """Two ratings of an answer on a scale, where there are both, and its topic."""
    topics = {row.id: row.topic for row in first}
    return [
        (rating, other[name], topics[name])
        for scale in dict.fromkeys(row.scale for row in first)
        for other in [ratings_of(second, scale)]
        for name, rating in ratings_of(first, scale).items()
        if name in other
    ]


def _agreement(first: Sequence[Rating], second: Sequence[Rating]) -> Agreement:
    pairs = _pairs(first, second)
    topics = [topic for _, _, topic in pairs]
    return Agreement(
        rank_correlation([one for one, _, _ in pairs], [other for _, other, _ in pairs], topics),
        average([abs(one - other) for one, other, _ in pairs], topics),
    )


def _order_bias(upwards: Sequence[Rating], downwards: Sequence[Rating]) -> Estimate:
    pairs = _pairs(upwards, downwards)
    return average([up - down for up, down, _ in pairs], [topic for _, _, topic in pairs])


def _deviation(ratings: Sequence[float]) -> float | None:
    import numpy as np

    return float(np.std(ratings, ddof=1)) if len(ratings) > 1 else None


def _in_words(name: str, traits: Assessment, adjectives: Assessment | None) -> str:
    kinds: Mapping[str, Assessment | None] = {"the poles of a trait": traits, "fitting adjectives": adjectives}
    parts = [_verdict(what, assessment) for what, assessment in kinds.items() if assessment is not None]
    return f"{name}: {' '.join(parts)}"


def _verdict(what: str, found: Assessment) -> str:
    area = found.area
    if found.tally.withheld:
        return f"how well it tells {what} is withheld: {found.tally.withheld}"
    if area.value is None:
        return f"there were no labelled answers to try it on, so nothing is known of how well it tells {what}."
    known = f"(AUC {area})"
    if area.lower is not None and area.lower > CHANCE:
        says = f"it tells {what} {known}"
    elif area.upper is not None and area.upper < CHANCE:
        says = f"it tells {what} the wrong way round {known}, so its scores mean the opposite"
    else:
        says = f"it is not shown to tell {what} better than chance {known}, so its scores say nothing"
    bias = "" if found.order_bias.value is None else f"; order moves its ratings by {found.order_bias}"
    return f"{says}{bias}."
