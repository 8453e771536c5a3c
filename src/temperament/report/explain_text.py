"""Model text, units and lenient reading, for the chapter of explanations."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from temperament.report.finding import number_of, text_of
from temperament.report.wording import number
from temperament.run import Row
from temperament.stats import Estimate

PLACES = {
    "gate": "gate units",
    "mlp": "outputs of the MLP",
    "attention": "outputs of the attention",
    "residual": "dimensions of the stream",
}
OUTCOMES = {
    "latent_emoji_mass": "latent emoji mass",
    "emoji_share": "share of replies with emojis",
    "log_likelihood": "log-likelihood of a token (nats)",
    "target_probability": "probability of the target\u2019s pole",
    "words": "number of words",
}
ENDS = {"\n": "\u21b5", "\r": "\u240d", "\t": "\u21e5"}
FLAG, JOINER = "\U0001f3f4", "\u200d"
# Characters that take no room, or turn the direction of those around them.
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, order=True)
class Spot:
    """A unit, as the report names it."""

    place: str
    layer: int
    number: int

    @property
    def name(self) -> str:
        """Such as ``gate 3.17``."""
        return f"{self.place} {self.layer}.{self.number}"


def spot_of(value: object) -> Spot | None:
    """A unit as it stands in JSON; None where it is none."""
    row = value if isinstance(value, dict) else {}
    layer, index, place = number_of(row, "layer"), number_of(row, "number"), text_of(row, "place")
    return None if layer is None or index is None or not place else Spot(visible(place), int(layer), int(index))


def part_of(row: Mapping[str, Any], name: str) -> Row:
    """A table in a table; empty where there is none."""
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def texts_of(value: object) -> list[str]:
    """The texts of a list."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def numbers_of(value: object) -> list[float | None]:
    """The items of a list; None stands where one is no finite number, so that places are kept."""
    return [number_of({"item": one}, "item") for one in value] if isinstance(value, list) else []


def known_numbers(value: object) -> list[float]:
    """The finite numbers of a list."""
    return [one for one in numbers_of(value) if one is not None]


def counts_of(value: object) -> dict[str, int]:
    """Counts by name, those above 0."""
    row = value if isinstance(value, dict) else {}
    found = {visible(str(name)): number_of(row, name) for name in row}
    return {name: int(count) for name, count in found.items() if count}


def visible(text: str) -> str:
    """Text whose characters that steer or hide can be seen, as in '<U+202E>'; those inside emojis stay as they are."""
    if text.isprintable():
        return text
    kept = {JOINER} | ({chr(code) for code in range(0xE0020, 0xE0080)} if FLAG in text else set())
    return "".join(
        f"\u27e8U+{ord(one):04X}\u27e9" if _is_hidden(one) and one not in kept and one not in ENDS else one
        for one in text
    )


def token(piece: str) -> str:
    """A piece of the vocabulary with its spaces and ends of lines in sight."""
    if not piece:
        return "(nothing)"
    if all(_is_hidden(one) or unicodedata.category(one) == "Mn" for one in piece if one not in ENDS):
        return "".join(ENDS.get(one, f"\u27e8U+{ord(one):04X}\u27e9") for one in piece)
    return in_line(piece).replace(" ", "\u2423")


def in_line(text: str) -> str:
    """Text on one line, with its ends of lines in sight."""
    return "".join(ENDS.get(one, one) for one in visible(text))


def outcome_name(row: Row) -> str:
    """What was looked at, in words."""
    name = text_of(row, "outcome")
    return OUTCOMES.get(name, visible(name.replace("_", " ")) or "the outcome")


def percent(share: float) -> str:
    """A share in percent, such as '0.04 %', '2.1 %', '48 %' and '99.9 %'."""
    size = 100 * abs(share)
    places = 2 if size < 1 else 1 if size < 10 or 99 < size < 100 else 0
    text = number(100 * share, places)
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}\u00a0%"


def percentile(values: Sequence[float], share: float) -> float:
    """Of at least one value, between those that are nearest."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def excludes(found: Estimate | None, value: float = 0.0) -> bool:
    """Whether the interval of an estimate is there and leaves a value out."""
    if found is None or found.lower is None or found.upper is None:
        return False
    return found.lower > value or found.upper < value


def includes(found: Estimate | None, value: float = 0.0) -> bool:
    """Whether the interval of an estimate is there and has a value in it."""
    return found is not None and found.lower is not None and found.upper is not None and not excludes(found, value)


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in HIDDEN
