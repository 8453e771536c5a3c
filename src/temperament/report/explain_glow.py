"""The probability of an emoji at each token of a reply: before, after, and without the units that changed."""

import math
from dataclasses import dataclass
from statistics import fmean

from temperament.report.emoji import small
from temperament.report.explain_text import numbers_of, texts_of, token, visible
from temperament.report.finding import rows_of, text_of
from temperament.run import Row

FLOOR = 1e-6  # of the tints; what is less probable has none
MOST_PIECES = 200
SIDES = (
    ("before", "untouched"),
    ("after", "edited"),
    ("without", "edited, without the top units"),
)
END = "(end)"


@dataclass(frozen=True)
class Tint:
    """A token and the probability that an emoji begins in its place; ``depth`` is from 0 to 1."""

    text: str
    depth: float
    words: str


@dataclass(frozen=True)
class Reading:
    """One model's reading of the reply; ``words`` say where it is highest."""

    name: str
    tints: list[Tint]
    words: str


@dataclass(frozen=True)
class Glow:
    """One reply; ``cut`` tokens are not shown."""

    topic: str
    rows: list[Reading]
    cut: int


def glows(explanation: Row, most: int) -> list[Glow]:
    """The replies over which the probability was measured, at most ``most``."""
    found = [_glow(row) for row in rows_of(explanation.get("glows"))[:most]]
    return [glow for glow in found if glow.rows]


def _glow(row: Row) -> Glow:
    pieces = texts_of(row.get("pieces"))
    sides = [(name, numbers_of(row.get(key))) for key, name in SIDES]
    # A position behind the last token is that of the end of the reply.
    if pieces and any(len(values) == len(pieces) + 1 for _, values in sides):
        pieces = [*pieces, END]
    shown = pieces[:MOST_PIECES]
    rows = [_row(name, shown, values) for name, values in sides if any(value is not None for value in values)]
    return Glow(visible(text_of(row, "topic")), rows, len(pieces) - len(shown))


def _row(name: str, pieces: list[str], values: list[float | None]) -> Reading:
    both = [(piece, values[place] if place < len(values) else None) for place, piece in enumerate(pieces)]
    tints = [Tint(visible(piece), depth(value), _words(value)) for piece, value in both]
    known = [(value, place) for place, (_, value) in enumerate(both) if value is not None]
    if not known:
        return Reading(name, tints, "")
    highest, place = max(known, key=lambda one: one[0])
    mean = fmean(value for value, _ in known)
    return Reading(name, tints, f"mean {small(mean)}, highest {small(highest)} {_at(pieces, place)}")


def _at(pieces: list[str], place: int) -> str:
    """Where something is, in words; a token may write no more than a part of a character, or the end."""
    piece = pieces[place]
    if piece in (END, "") and place == len(pieces) - 1:
        return "at the end"
    return f"at \u201c{visible(piece).strip() or token(piece)}\u201d" if piece else "where a character begins"


def _words(value: float | None) -> str:
    return "inside an emoji, or not measured" if value is None else small(value)


def depth(value: float | None) -> float:
    """Of a tint: 0 at the floor and below, 1 at a probability of 1, even for each power of ten."""
    if value is None or value <= FLOOR:
        return 0.0
    return round(1 - math.log10(min(value, 1.0)) / math.log10(FLOOR), 2)


LEGEND = [
    (words, depth(value))
    for words, value in (
        ("10\u207b\u2076 or less", 1e-6),
        ("10\u207b\u2074", 1e-4),
        ("10\u207b\u00b2", 1e-2),
        ("0.1", 0.1),
        ("1", 1.0),
    )
]
