"""The calibrated dial: the strength at which an edit has a wanted effect, so that like is compared with like.

Two methods at strength 1 differ in how much they do before they differ in what they do. Set to equal distance from
the untouched model, or to equal effect on the trait, they can be compared in everything else.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from temperament.activation.forcing import Exchange, divergences
from temperament.edit.base import Edit
from temperament.edit.profile import has_dial
from temperament.errors import RequestError
from temperament.measure.alignment import PoleReader, alignment
from temperament.measure.reading import PASSAGE_TOKENS
from temperament.record import Generation
from temperament.shape.likelihood import pole_likelihoods, whole
from temperament.shape.pair import Pair
from temperament.shape.protocol import opened
from temperament.stats import Estimate, average
from temperament.subject.base import Subject
from temperament.trait import Target

# What an edit does to the untouched subject that is given with it, at whatever strength the edit has: one number,
# and its interval where it is a mean over items.
Effect = Callable[[Subject, Edit], float | Estimate]
# With fewer items than this, edits of equal effect may differ by much.
FEW = 40


@dataclass(frozen=True)
class Search:
    """How a strength is looked for.

    Attributes:
        tolerance: the effect may miss the goal by this share of the way from the untouched model to the goal.
        resolution: or by this much, where that is more: half a step of an effect that moves in steps.
        most: strength that is tried, at most.
        tries: evaluations of the effect, at most.

    Raises:
        RequestError: one of them is out of its range.
    """

    tolerance: float = 0.05
    resolution: float = 0.0
    most: float = 4.0
    tries: int = 16

    def __post_init__(self) -> None:
        check_ranges(
            self,
            ("tolerance", 0 < self.tolerance < 1, "a share, above 0 and below 1"),
            ("resolution", self.resolution >= 0, "at least 0"),
            ("most", 0 < self.most < math.inf, "a number above 0"),
            ("tries", self.tries >= 3, "at least 3"),
        )


def check_ranges(settings: object, *ranges: tuple[str, bool, str]) -> None:
    """Raises RequestError for the first setting that is out of its range: name, whether it is right, and the range."""
    for name, is_right, range_ in ranges:
        if not is_right:
            message = f"{name} is {getattr(settings, name)}: it needs to be {range_}."
            raise RequestError(message)


@dataclass(frozen=True)
class Try:
    """A strength and the effect at it; None where the effect is no finite number there."""

    strength: float
    effect: float | None


@dataclass(frozen=True)
class Setting:
    """The outcome of a calibration.

    Attributes:
        strength: by which the edit, as it was given, is to be multiplied.
        effect: at that strength; of all that were tried the nearest to the goal.
        goal: that was asked for.
        is_reached: the effect is as near to the goal as was asked for.
        tried: in the order of strength.
        note: why the goal was not reached; empty where it was.
        estimate: the effect with its interval and the number of its items; None where the effect gives neither.
    """

    strength: float
    effect: float
    goal: float
    is_reached: bool
    tried: tuple[Try, ...]
    note: str = ""
    estimate: Estimate | None = None


def calibrate(subject: Subject, edit: Edit, effect: Effect, goal: float, search: Search = Search()) -> Setting:
    """The strength at which an effect equals a goal, by bracketing and bisection.

    Strengths are doubled from 1 until the effect is beyond the goal, seen from the untouched model. The effect need not
    rise evenly: where no doubling gets there, strengths in between are tried before the goal is given up, and what is
    returned then is the nearest that was seen. Where the effect passes the goal more than once, the strength is one of
    those places, and the lowest that was bracketed.

    Args:
        subject: untouched.
        edit: an edit without a dial is tried at 0 and at 1.
        effect: of the edit on the subject.
        goal: of the effect.
        search: how near, how far and how long.

    Raises:
        RequestError: the goal, or the effect on the untouched model, is no finite number.
    """
    curve = Curve(subject, edit, effect, goal, search)
    start = curve.at(0.0)
    if start is None or not math.isfinite(goal):
        message = (
            f"an effect of {goal:g} was asked for and that of the untouched model is {start}: give finite numbers."
        )
        raise RequestError(message)
    curve.start = start
    if not has_dial(edit):
        curve.at(1.0)
    elif not curve.is_near(start):
        _close_in(curve, search)
    return curve.setting()


@dataclass
class Curve:
    """An effect by strength, each strength asked once, against a goal that it is to reach or not to pass.

    Attributes:
        search: how near is near enough, and how many strengths may be asked.
        start: the effect on the untouched model.
        seen: None where the effect is no finite number.
        estimates: where the effect gives more than a number.
    """

    subject: Subject
    edit: Edit
    effect: Effect
    goal: float
    search: Search
    start: float = 0.0
    seen: dict[float, float | None] = field(default_factory=dict[float, float | None])
    estimates: dict[float, Estimate] = field(default_factory=dict[float, Estimate])

    def at(self, strength: float) -> float | None:
        """The effect at a strength."""
        if strength not in self.seen:
            found = self.effect(self.subject, strength * self.edit)
            if isinstance(found, Estimate):
                self.estimates[strength] = found
            value = found.value if isinstance(found, Estimate) else float(found)
            self.seen[strength] = value if value is not None and math.isfinite(value) else None
        return self.seen[strength]

    @property
    def is_spent(self) -> bool:
        """No more strengths may be asked."""
        return len(self.seen) >= self.search.tries

    def is_near(self, value: float | None) -> bool:
        """Near enough to the goal."""
        if value is None:
            return False
        within = max(self.search.tolerance * abs(self.goal - self.start), self.search.resolution)
        return abs(value - self.goal) <= within

    def is_beyond(self, strength: float) -> bool:
        """As far from the untouched model as the goal, or further; a model that no longer gives numbers is too far."""
        value = self.at(strength)
        return value is None or (value - self.goal) * (self.goal - self.start) >= 0

    def bracket(self) -> tuple[float, float] | None:
        """Neighbours among the strengths seen, the lower short of the goal and the higher beyond."""
        order = sorted(self.seen)
        for low, high in pairwise(order):
            if not self.is_beyond(low) and self.is_beyond(high):
                return low, high
        return None

    def setting(self) -> Setting:
        """The nearest of what was seen; of equally near ones the weakest."""
        found = [
            (abs(value - self.goal), strength, value) for strength, value in self.seen.items() if value is not None
        ]
        _, strength, value = min(found)
        tried = tuple(Try(each, self.seen[each]) for each in sorted(self.seen))
        note = "" if self.is_near(value) else self._reason(tried)
        return Setting(strength, value, self.goal, not note, tried, note, self.estimates.get(strength))

    def _reason(self, tried: Sequence[Try]) -> str:
        if not has_dial(self.edit):
            return f"{self.edit.origin.method} has no dial"
        if self.bracket() is None:
            found = [each.effect for each in tried if each.effect is not None]
            return (
                f"from strength 0 to {tried[-1].strength:g} the effect stays between {min(found):.3g} and "
                f"{max(found):.3g}"
            )
        return f"the effect jumps over the goal: {len(tried)} strengths did not come nearer"


def _close_in(curve: Curve, search: Search) -> None:
    """Find a bracket, then halve it until the effect is near enough, or tries are spent, or nothing is left."""
    doubled = [min(search.most, 1.0)]
    while doubled[-1] < search.most:
        doubled.append(min(search.most, 2 * doubled[-1]))
    between = [(low + high) / 2 for low, high in zip([0.0, *doubled], doubled, strict=False)]
    for strength in (*doubled, *between):
        if curve.bracket() is not None or curve.is_spent:
            break
        if curve.is_near(curve.at(strength)):
            return
    while (found := curve.bracket()) is not None and not curve.is_spent and found[1] - found[0] > 1e-4 * search.most:
        if curve.is_near(curve.at(sum(found) / 2)):
            return


@dataclass(frozen=True)
class Divergence:
    """Effect: how far the shaped model is from the untouched one on neutral text, KL in nats a token, 0 or more.

    Attributes:
        exchanges: neutral, as `neutral_exchanges` gives them, each on a topic of its own; they are the items.
        longest: tokens of an answer that are read, from its first; as many as a study reads for drawdown.
    """

    exchanges: Sequence[Exchange]
    longest: int = PASSAGE_TOKENS

    def __call__(self, subject: Subject, edit: Edit) -> Estimate:
        """Of an edit."""
        if not edit.strength:
            return _mean([0.0] * len(self.exchanges))
        opened_subject = opened(subject, "the dial by kl")
        found = whole(opened_subject, self.exchanges, divergences(opened_subject, self.exchanges, edit, self.longest))
        return _mean([float(moved.double().mean()) for moved, _ in found])


@dataclass
class LikelihoodRise:
    """Effect: the mean rise of ``p+ - p-``, log-probability a token; 0 is the untouched model, above 0 the target.

    Attributes:
        pairs: of the target, on topics that the edit was not fitted to; the items, which cluster by topic.
    """

    pairs: Sequence[Pair]
    _untouched: dict[str, list[float]] = field(default_factory=dict[str, list[float]], init=False)

    def __call__(self, subject: Subject, edit: Edit) -> Estimate:
        """Of an edit."""
        topics = [pair.topic for pair in self.pairs]
        if not edit.strength:
            return _mean([0.0] * len(topics), topics)
        opened_subject = opened(subject, "the dial by likelihood")

        def gaps() -> list[float]:
            return [plus - minus for plus, minus in pole_likelihoods(opened_subject, self.pairs)]

        if subject.fingerprint not in self._untouched:
            self._untouched[subject.fingerprint] = gaps()
        with edit.applied(subject):
            after = gaps()
        before = self._untouched[subject.fingerprint]
        return _mean([there - here for here, there in zip(before, after, strict=True)], topics)


@dataclass(frozen=True)
class Alignment:
    """Effect: the share of replies in which a classifier sees the target, 0 to 1; the untouched model has one too.

    Attributes:
        target: that the edits are for.
        questions: on topics that no edit was fitted to; the share moves in steps of one by their number.
        generation: how replies are drawn.
        classifier: None is the one that ships.
        topics: of the questions, by which replies cluster; None where each question has its own.
    """

    target: Target
    questions: Sequence[str]
    generation: Generation = Generation()
    classifier: PoleReader | None = None
    topics: Sequence[str] | None = None

    def __call__(self, subject: Subject, edit: Edit) -> Estimate:
        """Of an edit; without a value where no reply can be read."""
        with edit.applied(subject) as shaped:
            replies = shaped.reply(self.questions, self.generation)
        return alignment(replies, self.target, self.classifier, self.topics)


def _mean(values: Sequence[float], topics: Sequence[str] | None = None) -> Estimate:
    """Without a value where one of the items has none that is finite."""
    is_finite = all(map(math.isfinite, values))
    return average(values, topics) if is_finite else Estimate(None, None, None, len(values))
