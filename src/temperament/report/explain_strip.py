"""Estimates and shares on a common axis: what goes with each part of an adapter, and what a logit is made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from temperament.report.emoji import scientific, small
from temperament.report.explain_text import known_numbers, outcome_name, token, visible
from temperament.report.finding import estimate_of, number_of, rows_of, text_of
from temperament.report.wording import number
from temperament.run import Row
from temperament.stats import Estimate

# Of a logit: what it is divided into, and how many are shown.
SHARES = (("parts", "Parts of the model", 12), ("heads", "Attention heads", 8), ("units", "Units", 8))
MOST_TEXT = 240  # characters of a reply before the token that is traced


@dataclass(frozen=True)
class Interval:
    """One row: a dot with its interval, in percent of the axis; None where there is nothing to draw."""

    name: str
    at: float | None
    left: float | None
    right: float | None
    words: str


@dataclass(frozen=True)
class Strip:
    """Rows on one axis, on which ``zero`` is the place of 0 in percent; ``words`` say what is seen."""

    title: str
    rows: list[Interval]
    zero: float
    words: str


@dataclass(frozen=True)
class Bar:
    """A share of a sum: where its bar begins and how long it is, in percent."""

    name: str
    left: float
    width: float
    is_less: bool
    words: str


@dataclass(frozen=True)
class Bars:
    """The heaviest shares, the heaviest first, of ``total``."""

    title: str
    rows: list[Bar]
    zero: float
    total: int


@dataclass(frozen=True)
class Traced:
    """A token and where its logit comes from."""

    topic: str
    before: str
    piece: str
    words: str
    is_written: bool
    bars: list[Bars]


class Axis:
    """From the lowest to the highest value, 0 among them."""

    def __init__(self, values: Sequence[float]) -> None:
        self._low, self._high = min(*values, 0.0, 0.0), max(*values, 0.0, 0.0)
        if self._low == self._high:
            self._low, self._high = -1.0, 1.0

    def at(self, value: float) -> float:
        """In percent."""
        return round(100 * (value - self._low) / (self._high - self._low), 2)


def knockouts(cause: Row) -> list[Strip]:
    """The effect of leaving out each layer and each module of an adapter, a strip for each outcome and kind."""
    rows = rows_of(cause.get("knockouts"))
    keys = list(dict.fromkeys((outcome_name(row), text_of(row, "kind")) for row in rows))
    return [
        _knockout(outcome, kind, [row for row in rows if (outcome_name(row), text_of(row, "kind")) == (outcome, kind)])
        for outcome, kind in keys
    ]


def _knockout(outcome: str, kind: str, rows: Sequence[Row]) -> Strip:
    found = [(visible(text_of(row, "name")), estimate_of(row.get("effect"))) for row in rows]
    what = visible(kind) or "part"
    known = [(name, one, one.value) for name, one in found if one is not None and one.value is not None]
    strip = intervals(f"Change of {outcome} without each {what} of the adapter", found)
    if not known:
        return strip
    name, largest, _ = max(known, key=lambda one: abs(one[2]))
    words = f"Without {name} {outcome} changes most: by {scientific(largest, signed=True)}."
    return Strip(strip.title, strip.rows, strip.zero, words)


def intervals(title: str, found: Sequence[tuple[str, Estimate | None]]) -> Strip:
    """Estimates on one axis."""
    known = [one for _, one in found if one is not None]
    bounds = [bound for one in known for bound in (one.value, one.lower, one.upper) if bound is not None]
    axis = Axis(bounds)

    def place(value: float | None) -> float | None:
        return None if value is None else axis.at(value)

    rows = [
        Interval(name, place(one.value), place(one.lower), place(one.upper), scientific(one, signed=True))
        if one is not None
        else Interval(name, None, None, None, "withheld")
        for name, one in found
    ]
    return Strip(title, rows, axis.at(0.0), "")


def bars(title: str, rows: Sequence[Row], most: int) -> Bars | None:
    """The heaviest parts; None where there are none."""
    found = [(visible(text_of(row, "name")), number_of(row, "value")) for row in rows]
    known = [(name, value) for name, value in found if value is not None]
    kept = sorted(known, key=lambda one: -abs(one[1]))[:most]
    if not kept:
        return None
    axis = Axis([value for _, value in kept])
    zero = axis.at(0.0)
    drawn = [
        Bar(name, min(zero, axis.at(value)), round(abs(axis.at(value) - zero), 2), value < 0, small(value, signed=True))
        for name, value in kept
    ]
    return Bars(title, drawn, zero, len(known))


def traced(row: Row, most: int) -> list[Traced]:
    """The tokens whose logits were taken apart, at most ``most``."""
    return [_traced(one) for one in rows_of(row.get("attributions"))[:most]]


def _traced(row: Row) -> Traced:
    found = [bars(title, rows_of(row.get(name)), most) for name, title, most in SHARES]
    text = text_of(row, "text")
    before = visible(text[-MOST_TEXT:])
    return Traced(
        visible(text_of(row, "topic")),
        f"\u2026{before}" if len(text) > MOST_TEXT else before,
        token(text_of(row, "piece")),
        _sum(row),
        row.get("is_written") is not False,
        [one for one in found if one is not None],
    )


def _sum(row: Row) -> str:
    """The logit, what it is made of, and what is left over."""
    logit, error, probability = (number_of(row, name) for name in ("logit", "error", "probability"))
    values = [number_of(part, "value") for part in rows_of(row.get("parts"))]
    said = [f"its probability there is {small(probability)}" if probability is not None else ""]
    if logit is not None:
        said.append(f"its logit stands {number(logit)} above the mean of the vocabulary")
    if values and error is not None:
        whole = sum(value for value in values if value is not None)
        said.append(f"the parts add up to {number(whole)}, which leaves an error of {small(error, signed=True)}")
    words = "; ".join(filter(None, said))
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def draws(words: str, found: Estimate | None, random: object) -> tuple[Strip, list[float]] | None:
    """An estimate beside random draws: the strip, and their places; None where there are no draws."""
    known = known_numbers(random)
    if found is None or found.value is None or not known:
        return None
    bounds = [bound for bound in (found.value, found.lower, found.upper) if bound is not None]
    axis = Axis([*bounds, *known])
    left, right = (None if bound is None else axis.at(bound) for bound in (found.lower, found.upper))
    row = Interval("", axis.at(found.value), left, right, words)
    return Strip("", [row], axis.at(0.0), words), [axis.at(one) for one in known]
