"""The course of an effect over strengths: its slope, how far it rises, where it stops and where it falls apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from temperament.errors import RequestError
from temperament.stats import Estimate, average, paired_difference, paired_test
from temperament.study.scored import Arm, ReplyValue, paired

# Strengths beside the untouched model without which there is no slope, and no saturation: through two points goes any
# line, and a curve that has stopped rising has to be seen before, at and after it did.
FEWEST_FOR_SLOPE = 2
FEWEST_FOR_SATURATION = 3
ALPHA = 0.05
# Of a slope: stricter than its interval, so that of studies of nothing 95 of 100 say so with room to spare.
ALPHA_OF_SLOPE = 0.025
NO_EFFECT = "no effect can be told from none"
_NONE = Estimate(None, None, None, 0)


@dataclass(frozen=True)
class DoseLimits:
    """What counts as collapse, and as no further gain.

    Attributes:
        gibberish: rise of the share of replies that are gibberish, above the untouched model's.
        perplexity: of neutral text, as a multiple of the untouched model's. That of the replies is no sign of collapse:
            answers in the style of Opinion QA surprise a chat model far more than its own.
        plateau: further gain that counts as none, as a share of the largest effect.

    Raises:
        RequestError: one of them is out of its range.
    """

    gibberish: float = 0.10
    perplexity: float = 2.0
    plateau: float = 0.2

    def __post_init__(self) -> None:
        for name, least, most in (("gibberish", 0, 1), ("perplexity", 1, float("inf")), ("plateau", 0, 1)):
            if not least < getattr(self, name) <= most:
                message = f"{name} is {getattr(self, name)}: it needs to be above {least} and at most {most:g}."
                raise RequestError(message)


DEFAULTS = DoseLimits()


@dataclass(frozen=True)
class Point:
    """One strength.

    Attributes:
        effect: paired change to the untouched model; at strength 0 it is 0, and there is no point of it.
        gibberish: paired rise of the share of replies that are gibberish.
        perplexity: of neutral text, as a multiple of the untouched model's; withheld where nothing was read (n = 0),
            or where the model gave no finite number of what was.
        asked: questions.
    """

    strength: float
    effect: Estimate
    gibberish: Estimate
    perplexity: Estimate
    asked: int


@dataclass(frozen=True)
class Slope:
    """The least-squares line through the means at all strengths, the untouched model at 0 among them.

    Attributes:
        estimate: change of the effect by a strength of 1, its interval over topics.
        chance: that topics without a slope give one as steep: signs of the topics' slopes flipped at random.
        strengths: that the line goes through: all, or those before replies or neutral text collapsed. Which these are
            does not depend on the effect, which would bend the slope.
        is_told: the slope can be told from none: the interval leaves out 0, and chance is at most 0.025. In
            simulations of no effect (5 to 40 topics, 3 and 5 strengths, normal, yes-or-no and rare values) that happens
            in 1 % (none above 5 %), where the interval alone leaves out 0 in up to 9 %. With six topics or fewer it
            never happens.
        reason: why it is withheld; empty where it is not.
    """

    estimate: Estimate
    chance: float | None
    strengths: tuple[float, ...]
    is_told: bool
    reason: str = ""


@dataclass(frozen=True)
class Place:
    """A strength, or why there is none."""

    strength: float | None
    reason: str


def slope_of(base: Arm, arms: Sequence[Arm], value: ReplyValue) -> Slope:
    """The slope of the line through the means of the untouched model and of an edit at several strengths.

    Each question that has a value at all of these strengths gives a slope of its own, and their mean is that of the
    line through the means.
    """
    strengths = (0.0, *(arm.strength for arm in arms))
    if len(arms) < FEWEST_FOR_SLOPE:
        reason = f"a slope needs at least {FEWEST_FOR_SLOPE} strengths before the collapse: there are {len(arms)}"
        return Slope(_NONE, None, strengths, is_told=False, reason=reason)
    tables = [arm.values(value) for arm in (base, *arms)]
    keys = [key for key in tables[0] if all(key in table for table in tables)]
    if not keys:
        return Slope(_NONE, None, strengths, is_told=False, reason="no question has a value at all strengths")
    apart = np.array(strengths) - np.mean(strengths)
    weights = (apart / (apart**2).sum()).tolist()
    slopes = [sum(weight * table[key] for weight, table in zip(weights, tables, strict=True)) for key in keys]
    topics = [base.topics[key] for key in keys]
    estimate, chance = average(slopes, topics), _chance([0.0] * len(slopes), slopes, topics)
    return Slope(estimate, chance, strengths, is_told=_is_apart(estimate) and chance <= ALPHA_OF_SLOPE)


def _chance(before: Sequence[float], after: Sequence[float], topics: Sequence[str]) -> float:
    """How surprising a difference would be if there were none; 1 where there are too few topics to say."""
    found = paired_test(before, after, topics).p
    return 1.0 if found is None else found


@dataclass(frozen=True)
class Course:
    """The points above strength 0 with their conditions, from the weakest.

    Attributes:
        sign: of the largest effect, by which all are turned so that it points up.
    """

    base: Arm
    steps: tuple[tuple[Point, Arm], ...]
    value: ReplyValue
    sign: float
    limits: DoseLimits
    _known: dict[tuple[int | None, int], tuple[Estimate, float]] = field(
        default_factory=dict[tuple[int | None, int], tuple[Estimate, float]], compare=False, repr=False
    )

    @property
    def strongest(self) -> float:
        """The last strength."""
        return self.steps[-1][0].strength

    def height(self, place: int) -> float:
        """The effect, turned; nothing where it is not known."""
        value = self.steps[place][0].effect.value
        return float("-inf") if value is None else self.sign * value

    def moved(self, start: int | None, end: int) -> tuple[Estimate, float]:
        """The difference, turned, between two places (None is the untouched model), and the chance of one as large."""
        if (start, end) not in self._known:
            self._known[start, end] = self._moved(start, end)
        return self._known[start, end]

    def _moved(self, start: int | None, end: int) -> tuple[Estimate, float]:
        first = self.base if start is None else self.steps[start][1]
        pair = paired(first, self.steps[end][1], self.value)
        # Taken the other way round and not with another sign: yes and no have an interval of their own.
        before, after = (pair.before, pair.after) if self.sign > 0 else (pair.after, pair.before)
        return paired_difference(before, after, pair.topics), _chance(before, after, pair.topics)

    def fallen(self, place: int) -> str:
        """How far the effect has fallen below its maximum so far, where that is beyond chance; else empty."""
        best = max(range(place), key=self.height, default=None)
        if best is None or self.height(best) <= 0 or self.height(place) >= self.height(best):
            return ""
        apart, chance = self.moved(best, place)
        # Any two places might have been compared.
        pairs = len(self.steps) * (len(self.steps) - 1) / 2
        if not _is_apart(apart) or chance > ALPHA / pairs:
            return ""
        return f"the effect has fallen from strength {self.steps[best][0].strength:g}: {apart}"

    def collapse(self) -> Place:
        """The weakest strength at which replies or neutral text pass the limits, or the effect has fallen."""
        for place, (point, _) in enumerate(self.steps):
            if reason := spoiled(point, self.limits) or self.fallen(place):
                return Place(point.strength, reason)
        return Place(None, f"none up to {self.strongest:g}" if self.steps else "there is no strength above 0")

    def monotone(self, slope: Slope) -> Place:
        """Up to where no step back is beyond chance; nowhere without an effect that could step back."""
        if len(self.steps) < FEWEST_FOR_SLOPE:
            return Place(None, _too_few(FEWEST_FOR_SLOPE, len(self.steps)))
        if not slope.is_told and not any(self.has_effect(place) for place in range(len(self.steps))):
            return Place(None, NO_EFFECT)
        for place, (point, _) in enumerate(self.steps):
            if reason := self.fallen(place):
                return Place(self.steps[place - 1][0].strength, f"at {point.strength:g} {reason}")
        return Place(self.strongest, "no step back is beyond chance")

    def has_effect(self, place: int) -> bool:
        """One in the direction of the largest that is beyond chance, were it at every strength."""
        apart, chance = self.moved(None, place)
        return _is_apart(apart) and self.height(place) > 0 and chance <= ALPHA / len(self.steps)

    def saturation(self, collapse: Place) -> Place:
        """The weakest strength from which no stronger one gains more than the plateau allows."""
        end = float("inf") if collapse.strength is None else collapse.strength
        places = [place for place, (point, _) in enumerate(self.steps) if point.strength < end]
        if len(places) < FEWEST_FOR_SATURATION:
            return Place(None, f"{_too_few(FEWEST_FOR_SATURATION, len(places))} before the collapse")
        if not any(map(self.has_effect, places)):
            return Place(None, NO_EFFECT)
        room = self.limits.plateau * max(map(self.height, places))
        for place in places[:-1]:
            gains = [self.moved(place, later)[0] for later in places if later > place]
            if self.has_effect(place) and all(gain.upper is not None and gain.upper <= room for gain in gains):
                most = max(gain.upper or 0.0 for gain in gains)
                return Place(self.steps[place][0].strength, f"no stronger one gains more than {most:.2f}")
        last, _ = self.moved(places[-2], places[-1])
        if _is_apart(last) and (last.value or 0.0) > 0:
            return Place(None, f"still rising at {self.steps[places[-1]][0].strength:g}")
        return Place(None, f"that gains beyond some strength stay below {room:.2f} cannot be told")


def _too_few(needed: int, found: int) -> str:
    return f"this needs at least {needed} strengths above 0: there are {found}"


def _is_apart(estimate: Estimate) -> bool:
    """Whether 0 is outside the interval."""
    return estimate.lower is not None and estimate.upper is not None and (estimate.lower > 0 or estimate.upper < 0)


def spoiled(point: Point, limits: DoseLimits) -> str:
    """Which limit replies or neutral text pass; empty where they pass none."""
    if point.asked and point.effect.value is None and point.gibberish.value is None:
        return "no reply can be read"
    if point.gibberish.value is not None and point.gibberish.value > limits.gibberish:
        return f"gibberish rises by more than {limits.gibberish:g}: {point.gibberish}"
    if point.perplexity.value is None and point.perplexity.n:
        return "neutral text has no finite probability"
    if point.perplexity.value is not None and point.perplexity.value > limits.perplexity:
        return (
            f"the perplexity of neutral text is more than {limits.perplexity:g} times what it was: {point.perplexity}"
        )
    return ""
