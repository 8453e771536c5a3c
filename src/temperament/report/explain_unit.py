"""The units that changed most: what they write, how they moved, and the texts on which they fire."""

from collections.abc import Sequence
from dataclasses import dataclass

from temperament.report.emoji import scientific, small
from temperament.report.explain_text import (
    Spot,
    in_line,
    known_numbers,
    numbers_of,
    part_of,
    percent,
    spot_of,
    texts_of,
    token,
    visible,
)
from temperament.report.family import probability
from temperament.report.finding import estimate_of, number_of, rows_of, text_of
from temperament.report.wording import number
from temperament.run import Row

MOST_TOKENS = 10
MOST_TEXTS = 3
AROUND = 24  # pieces before and after the one on which a unit fires most
NOTHING = "\u2013"


@dataclass(frozen=True)
class Piece:
    """A piece of a text: ``depth`` from 0 to 1 is of its tint, and ``is_most`` marks where the unit fires most."""

    text: str
    depth: float
    words: str
    is_most: bool


@dataclass(frozen=True)
class Firing:
    """A text on which a unit fires."""

    topic: str
    pieces: list[Piece]
    highest: str


@dataclass(frozen=True)
class Unit:
    """One row of a table, in words.

    Attributes:
        alone: what its removal alone does to latent emoji mass.
        expected: what a gradient said that it would do.
    """

    name: str
    kind: str
    towards: list[str]
    away: list[str]
    sequences: list[tuple[str, str]]
    emoji: str
    rank: str
    firing: str
    mean: str
    high: str
    effect: str
    normalised: str
    q: str
    alone: str
    expected: str
    firings: list[Firing]


@dataclass(frozen=True)
class Units:
    """The table, and of how many units it shows the first."""

    rows: list[Unit]
    total: int
    has_writing: bool


def top_units(explanation: Row, most: int) -> Units | None:
    """The units with the largest effects, joined with what they write; None where none changed."""
    known = _Known(explanation)
    # Those whose writing was followed stand first, and those that another table has not at all.
    followed = [spot for spot in known.changes if spot in known.writings]
    others = [spot for spot in known.writings if spot not in known.expected]
    spots = list(dict.fromkeys((*followed, *known.changes, *others)))
    return known.table(spots, most)


def expected_units(explanation: Row, most: int) -> Units | None:
    """The units with the largest expected effects, those first that do most; None where nothing was expected."""
    known = _Known(explanation)
    return known.table(known.expected, most)


class _Known:
    """What there is of each unit."""

    def __init__(self, explanation: Row) -> None:
        self.writings = _by_unit(part_of(explanation, "projection").get("writings"))
        self.changes = _by_unit(part_of(explanation, "units").get("changes"))
        self.alone = _by_unit(part_of(explanation, "cause").get("alone"))
        self.expected = [spot for spot, row in self.alone.items() if text_of(row, "order") == "effect"]

    def table(self, spots: Sequence[Spot], most: int) -> Units | None:
        """Some units, at most so many; None where there are none."""
        if not spots:
            return None
        found = [tuple(each.get(spot, {}) for each in (self.changes, self.writings, self.alone)) for spot in spots]
        rows = [_unit(spot, *each) for spot, each in zip(spots[:most], found, strict=False)]
        return Units(rows, len(spots), bool(self.writings))


def _by_unit(rows: object) -> dict[Spot, Row]:
    return {spot: row for row in rows_of(rows) if (spot := spot_of(row.get("unit"))) is not None}


def _unit(spot: Spot, change: Row, writing: Row, alone: Row) -> Unit:
    found, expected = estimate_of(alone.get("effect")), number_of(alone, "expected")
    emoji, rank = number_of(writing, "emoji"), number_of(writing, "rank")
    effect, normalised = number_of(change, "effect"), number_of(change, "normalised")
    return Unit(
        name=spot.name,
        kind=visible(text_of(change, "kind")),
        towards=[token(piece) for piece in texts_of(writing.get("towards"))[:MOST_TOKENS]],
        away=[token(piece) for piece in texts_of(writing.get("away"))[:MOST_TOKENS]],
        sequences=_sequences(writing),
        emoji=NOTHING if emoji is None else number(emoji, signed=True),
        rank="" if rank is None else f"at or above {percent(rank)} of its site",
        firing=_pair(change, "firing"),
        mean=_pair(change, "mean"),
        high=_pair(change, "high"),
        effect=NOTHING if effect is None else number(effect, signed=True),
        normalised="" if normalised is None else number(normalised, signed=True),
        q=probability(number_of(change, "q")) if change else NOTHING,
        alone=scientific(found, signed=True) if alone else "",
        expected=NOTHING if expected is None else small(expected, signed=True),
        firings=[_firing(row) for row in rows_of(writing.get("fires"))[:MOST_TEXTS]],
    )


def _pair(row: Row, name: str) -> str:
    values = known_numbers(row.get(name))
    return f"{number(values[0])} \u2192 {number(values[1])}" if len(values) == 2 else NOTHING


def _sequences(writing: Row) -> list[tuple[str, str]]:
    """Emojis of several tokens with the mean of their logits."""
    found: list[tuple[str, str]] = []
    listed = writing.get("sequences")
    for pair in listed if isinstance(listed, list) else []:
        name, value = (pair[0], numbers_of(pair)[1]) if isinstance(pair, list) and len(pair) == 2 else (None, None)
        if isinstance(name, str) and value is not None:
            found.append((visible(name), number(value, signed=True)))
    return found[:MOST_TOKENS]


def _firing(row: Row) -> Firing:
    pieces, found = texts_of(row.get("pieces")), numbers_of(row.get("activations"))
    values = [found[place] if place < len(found) else None for place in range(len(pieces))]
    known = [(value, place) for place, value in enumerate(values) if value is not None]
    most = max(known, key=lambda one: abs(one[0]))[1] if known else 0
    largest = max((abs(value) for value, _ in known), default=0.0) or 1.0
    start, end = max(0, most - AROUND), most + AROUND + 1
    shown = [
        Piece(
            in_line(piece),
            0.0 if value is None else round(abs(value) / largest, 2),
            "not recorded" if value is None else number(value),
            bool(known) and place == most,
        )
        for place, (piece, value) in enumerate(zip(pieces, values, strict=True))
        if start <= place < end
    ]
    highest = values[most] if known else None
    return Firing(visible(text_of(row, "topic")), shown, "" if highest is None else number(highest))
