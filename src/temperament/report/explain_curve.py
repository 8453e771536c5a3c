"""Whether units are the cause: the effect of more and more of them, beside that of random ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from temperament.report.emoji import scientific, small
from temperament.report.explain_text import PLACES, excludes, known_numbers, outcome_name, percent, percentile, visible
from temperament.report.family import LEVEL, probability
from temperament.report.finding import estimate_of, number_of, rows_of, text_of
from temperament.report.wording import counted
from temperament.run import Row
from temperament.stats import Estimate

TAIL = 0.025
FEWEST_FOR_BAND = 40  # sets; below, a percentile of 2.5 is an extreme, so that each set is drawn
VALUES = {
    "base": "to what they are in the untouched model",
    "mean": "to their mean in the untouched model",
    "zero": "to zero",
    "edited": "to what they are in the edited model",
}
# In which units are tried; each is one more chance to find something.
ORDERS = {"change": "those that changed most", "effect": "those with the largest expected effects"}


@dataclass(frozen=True)
class Step:
    """The effect of the first units beside that of as many random ones; ``p`` is None where it was withheld.

    Attributes:
        changed: effects of as many other units that the edit changed; none where there are none.
    """

    count: int
    effect: Estimate
    random: list[float]
    p: float | None
    changed: list[float] = field(default_factory=list[float])

    @property
    def others(self) -> str:
        """The sets of other changed units in words, after a semicolon; empty where there are none."""
        if not self.changed:
            return ""
        low, middle, high = (small(percentile(self.changed, share), signed=True) for share in (0.0, 0.5, 1.0))
        sets = counted(len(self.changed), "set")
        return f"; other changed units: median {middle} (all {sets} between {low} and {high})"

    @property
    def middle(self) -> str:
        """The random sets in words: their median, and where they lie."""
        if not self.random:
            return "none"
        return f"{small(percentile(self.random, 0.5), signed=True)} ({self.bounds})"

    @property
    def ends(self) -> tuple[float, float]:
        """Between what 95 of 100 random sets lie, or all where they are few."""
        tail = TAIL if len(self.random) >= FEWEST_FOR_BAND else 0.0
        return percentile(self.random, tail), percentile(self.random, 1 - tail)

    @property
    def bounds(self) -> str:
        """The same in words."""
        low, high = (small(end, signed=True) for end in self.ends)
        return f"{percent(1 - 2 * TAIL) if len(self.random) >= FEWEST_FOR_BAND else 'all'} between {low} and {high}"


@dataclass(frozen=True)
class Curve:
    """An outcome as more units are changed."""

    name: str
    values: str
    place: str
    outcome: str
    outcome_name: str
    start: Estimate | None
    whole: Estimate | None
    steps: list[Step]
    order: str = "change"

    @property
    def doing(self) -> str:
        """What was done, in words."""
        if self.name == "transplant":
            return "In the untouched model, the units set to what they are in the edited one"
        if self.name == "ablation":
            return f"In the edited model, the units set {VALUES.get(self.values, visible(self.values))}"
        return visible(f"{self.name}, {self.values}")

    @property
    def undone(self) -> str:
        """What the dashed line is."""
        return "the whole edit" if self.name == "transplant" else "removing the whole edit"

    def share(self, step: Step) -> float | None:
        """Of the effect of everything; None where that cannot be told from 0, or has no value."""
        whole = self.whole
        if whole is None or not whole.value or step.effect.value is None or not excludes(whole):
            return None
        return step.effect.value / whole.value


@dataclass(frozen=True)
class Point:
    """A dot with its interval, in percent from the upper left."""

    x: float
    y: float
    top: float | None
    bottom: float | None
    words: str


@dataclass(frozen=True)
class Line:
    """A row of the table beside a picture."""

    count: str
    effect: str
    share: str
    random: str
    p: str


@dataclass(frozen=True)
class Picture:
    """A curve, drawn.

    Attributes:
        title: what was done to which units.
        outcome: the axis.
        band: of the random sets, as the points of an SVG polygon in a box of 100 by 100; empty where there is one step.
        singles: places of single random sets, where they are few.
        whole: height of the effect of everything.
        zero: height of no effect.
        words: what is seen.
        is_main: it stands in sight; the others are folded away.
    """

    title: str
    outcome: str
    points: list[Point]
    band: str
    singles: list[tuple[float, float]]
    whole: float | None
    zero: float
    along: list[tuple[str, float]]
    up: list[tuple[str, float]]
    words: str
    lines: list[Line]
    is_main: bool


def is_beyond_random(p: float, orders: int = 1) -> bool:
    """Whether units did more than random sets: the rule that the verdict was written by."""
    return p < LEVEL / orders


def curves_of(cause: Row, name: str = "curves") -> list[Curve]:
    """The curves of a finding, each with at least one step that has an effect."""
    found = [_curve(row) for row in rows_of(cause.get(name))]
    return [curve for curve in found if curve.steps]


def _curve(row: Row) -> Curve:
    steps = [
        Step(
            int(count),
            effect,
            known_numbers(step.get("random")),
            number_of(step, "p"),
            known_numbers(step.get("changed")),
        )
        for step in rows_of(row.get("steps"))
        if (count := number_of(step, "count")) and (effect := estimate_of(step.get("effect"))) and count >= 1
    ]
    steps = sorted((step for step in steps if step.effect.value is not None), key=lambda step: step.count)
    name, values, place = (text_of(row, key) for key in ("name", "values", "place"))
    start, whole = estimate_of(row.get("start")), estimate_of(row.get("whole"))
    order = text_of(row, "order") or "change"
    return Curve(name, values, place, text_of(row, "outcome"), outcome_name(row), start, whole, steps, order)


def main_steps(cause: Row) -> list[tuple[Curve, Step | None]]:
    """What the verdict rests on, an ablation for each order of units; no step where its effect was withheld."""
    curves = [_curve(row) for row in rows_of(cause.get("curves")) if text_of(row, "name") == "ablation"]
    curves.sort(key=lambda curve: (curve.outcome != "latent_emoji_mass", curve.values != "base"))
    first = {order: next((curve for curve in curves if curve.order == order), None) for order in ORDERS}
    main = number_of(cause, "main")
    return [(curve, _main_step(curve, main)) for curve in first.values() if curve is not None]


def _main_step(curve: Curve, main: float | None) -> Step | None:
    """The step of the verdict's count; where it names none, the one beside which most random sets were drawn."""
    if main:
        return next((step for step in curve.steps if step.count == main), None)
    return leading(curve.steps) if curve.steps else None


def leading(steps: Sequence[Step]) -> Step:
    """The step beside which most random sets were drawn; of several the one of the most units."""
    return max(steps, key=lambda step: (len(step.random), step.count))


def pictures(cause: Row, name: str = "curves") -> list[Picture]:
    """The curves, drawn; the first of emojis of each kind stands in sight."""
    curves = curves_of(cause, name)
    emoji = [curve for curve in curves if "emoji" in curve.outcome] or curves[:1]
    first = {(curve.name, curve.order): curve for curve in reversed(emoji)}
    return [_picture(curve, is_main=any(curve is one for one in first.values())) for curve in curves]


def _picture(curve: Curve, *, is_main: bool) -> Picture:
    height = _Height(curve)
    counts = [step.count for step in curve.steps]
    has_band = len(counts) > 1 and all(step.random for step in curve.steps)
    place = "" if curve.place in {"all", ""} else PLACES.get(curve.place, visible(curve.place))
    order = "" if curve.order == "change" else f"{ORDERS.get(curve.order, visible(curve.order))} first"
    which = "; ".join(filter(None, (place, order)))
    return Picture(
        title=f"{curve.doing} ({which})" if which else curve.doing,
        outcome=curve.outcome_name,
        points=[_point(height, counts, step) for step in curve.steps],
        band=_band(height, counts, curve.steps) if has_band else "",
        singles=[
            (_along(counts, step.count), height.at(one))
            for step in curve.steps
            for one in step.random
            if len(step.random) < FEWEST_FOR_BAND or not has_band
        ],
        whole=None if curve.whole is None or curve.whole.value is None else height.at(curve.whole.value),
        zero=height.at(0.0),
        along=[(f"{count:,}", _along(counts, count)) for count in counts],
        up=height.ticks,
        words=_words(curve),
        lines=[_line(curve, step) for step in curve.steps],
        is_main=is_main,
    )


def _words(curve: Curve) -> str:
    step = leading(curve.steps)
    share = curve.share(step)
    start = "" if curve.start is None or curve.start.value is None else f" from {scientific(curve.start)}"
    whole = "" if curve.whole is None else f", {curve.undone} by {scientific(curve.whole, signed=True)}"
    sets = f"; {counted(len(step.random), 'random set')} by {step.middle}" if step.random else ""
    p = f"; p {probability(step.p)}" if step.p is not None else ""
    part = f", {percent(share)} of it" if share is not None and share > 0 else ""
    return (
        f"{step.count:,} units change {curve.outcome_name}{start} by {scientific(step.effect, signed=True)}"
        f"{whole}{part}{sets}{p}{step.others}."
    )


def _line(curve: Curve, step: Step) -> Line:
    share = curve.share(step)
    return Line(
        f"{step.count:,}",
        scientific(step.effect, signed=True),
        "withheld" if share is None else percent(share),
        step.middle,
        probability(step.p),
    )


def _point(height: "_Height", counts: Sequence[int], step: Step) -> Point:
    effect = step.effect
    value, lower, upper = (
        None if one is None else height.at(one) for one in (effect.value, effect.lower, effect.upper)
    )
    words = f"{step.count:,} units: {scientific(effect, signed=True)}"
    return Point(_along(counts, step.count), value or 0.0, upper, lower, words)


def _band(height: "_Height", counts: Sequence[int], steps: Sequence[Step]) -> str:
    ends = [step.ends for step in steps]
    low = [(_along(counts, step.count), height.at(end[0])) for step, end in zip(steps, ends, strict=True)]
    high = [(_along(counts, step.count), height.at(end[1])) for step, end in zip(steps, ends, strict=True)]
    return " ".join(f"{x:g},{y:g}" for x, y in (*low, *reversed(high)))


def _along(counts: Sequence[int], count: int) -> float:
    """Of the number of units, by powers of ten; a single one stands in the middle."""
    low, high = math.log10(counts[0]), math.log10(counts[-1])
    return 50.0 if high == low else round(100 * (math.log10(count) - low) / (high - low), 2)


class _Height:
    """The axis of effects, from the lowest to the highest that is drawn, with 0 in sight."""

    def __init__(self, curve: Curve) -> None:
        drawn = [0.0, curve.whole.value if curve.whole and curve.whole.value is not None else 0.0]
        for step in curve.steps:
            bounds = (step.effect.value, step.effect.lower, step.effect.upper)
            drawn += [one for one in bounds if one is not None] + step.random
        self._ends = (min(drawn), max(drawn))
        room = 0.06 * (self._ends[1] - self._ends[0]) or 1.0
        self._low, self._high = self._ends[0] - room, self._ends[1] + room

    def at(self, value: float) -> float:
        """In percent from above."""
        return round(100 * (self._high - value) / (self._high - self._low), 2)

    @property
    def ticks(self) -> list[tuple[str, float]]:
        """0 and the ends that have room."""
        found = [("0", self.at(0.0))]
        found += [(small(end, signed=True), self.at(end)) for end in self._ends if abs(self.at(end) - found[0][1]) > 12]
        return found
