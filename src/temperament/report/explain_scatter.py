"""By how much units changed: their means before and after."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from temperament.report.emoji import small
from temperament.report.explain_text import Spot, known_numbers, spot_of, visible
from temperament.report.finding import rows_of, text_of
from temperament.report.wording import counted
from temperament.run import Row

# Symbols of the kinds of changes; others are drawn as amplified ones.
KINDS = ("newly activated", "amplified", "suppressed", "sign-flipped")


@dataclass(frozen=True)
class Mark:
    """A unit that is drawn by itself, in percent from the upper left, with its words and kind."""

    x: float
    y: float
    words: str
    kind: str = ""


@dataclass(frozen=True)
class Scatter:
    """Means before and after, on axes that are even near 0 and by powers of ten farther out.

    Attributes:
        ticks: of both axes, with their place in percent from the left and from below.
        kinds: how many of each kind are drawn.
        words: what is seen.
    """

    marks: list[Mark]
    ticks: list[tuple[str, float]]
    kinds: list[tuple[str, int]]
    words: str


def scatter(units: Row, most: int) -> Scatter | None:
    """Means of the changed units before and after; None where none is known."""
    rows = [(row, spot, _both(row)) for row in rows_of(units.get("changes")) if (spot := spot_of(row.get("unit")))]
    found = [(row, spot, both) for row, spot, both in rows if both is not None][:most]
    if not found:
        return None
    values = [value for _, _, both in found for value in both]
    scale = _Scale(values)
    marks = [_mark(scale, row, spot, both) for row, spot, both in found]
    kinds = [(kind, sum(mark.kind == kind for mark in marks)) for kind in KINDS]
    above = sum(both[1] > both[0] for *_, both in found)
    whole = len(rows_of(units.get("changes")))
    words = (
        f"Of the {counted(len(found), 'changed unit')} drawn{'' if len(found) == whole else f' (of {whole:,})'}, "
        f"{above:,} lie above the line, so that their mean is higher after the edit, and {len(found) - above:,} below."
    )
    return Scatter(marks, scale.ticks, [(kind, count) for kind, count in kinds if count], words)


def _both(row: Row) -> tuple[float, float] | None:
    values = known_numbers(row.get("mean"))
    return (values[0], values[1]) if len(values) == 2 else None


def _mark(scale: "_Scale", row: Row, spot: Spot, both: tuple[float, float]) -> Mark:
    kind = text_of(row, "kind")
    words = f"{spot.name}, {visible(kind) or 'changed'}: mean {small(both[0])} before, {small(both[1])} after"
    # The picture's y runs downwards.
    return Mark(scale.place(both[0]), round(100 - scale.place(both[1]), 2), words, kind if kind in KINDS else KINDS[1])


class _Scale:
    """An axis that is even near 0 and by powers of ten farther out, so that a few large means hide no small one."""

    def __init__(self, values: Sequence[float]) -> None:
        sizes = sorted(abs(value) for value in values if value)
        self._unit = sizes[len(sizes) // 2] if sizes else 1.0
        low, high = self._bent(min(*values, 0.0)), self._bent(max(*values, 0.0))
        room = 0.05 * (high - low) or 1.0
        self._low, self._high = low - room, high + room
        self._ends = (min(values), max(values))

    def place(self, value: float) -> float:
        """In percent of the axis."""
        return round(100 * (self._bent(value) - self._low) / (self._high - self._low), 2)

    @property
    def ticks(self) -> list[tuple[str, float]]:
        """0 and powers of ten that have room."""
        largest = max(abs(end) for end in self._ends) or 1.0
        powers = [
            10.0**power for power in range(math.floor(math.log10(self._unit)), math.ceil(math.log10(largest)) + 1)
        ]
        wanted = [0.0, *(sign * power for power in reversed(powers) for sign in (1, -1))]
        found: list[tuple[str, float]] = []
        for value in wanted:
            place = self.place(value)
            if 0 <= place <= 100 and all(abs(place - other) >= 14 for _, other in found):
                found.append((_short(value), place))
        return sorted(found, key=lambda tick: tick[1])

    def _bent(self, value: float) -> float:
        return math.asinh(value / self._unit)


def _short(value: float) -> str:
    return f"{value:g}".replace("-", "\u2212")
