"""Whether sets of units coincide, and whether two ways to shape change other units, beyond chance and seeds."""

from dataclasses import dataclass

from temperament.report.explain_strip import Strip, draws
from temperament.report.explain_text import PLACES, known_numbers, visible
from temperament.report.family import LEVEL, probability
from temperament.report.finding import finding, number_of, rows_of, text_of
from temperament.report.wording import counted, number
from temperament.run import Row, Run
from temperament.stats import Estimate

NOTHING = "\u2013"


@dataclass(frozen=True)
class Overlap:
    """Two sets in one layer, or in all."""

    sizes: str
    shared: str
    expected: str
    p: str
    is_more: bool


@dataclass(frozen=True)
class Both:
    """Two sets: over all layers, and by layer."""

    first: str
    second: str
    whole: Overlap | None
    layers: dict[int, Overlap]


@dataclass(frozen=True)
class Overlaps:
    """All pairs of sets; ``layers`` are those of any."""

    pairs: list[Both]
    layers: list[int]
    words: str


@dataclass(frozen=True)
class Arms:
    """Two ways to shape, compared unit by unit, in words.

    Attributes:
        seeds: of each.
        strip: the distance beside those of other divisions, with their places.
        least: the smallest p-value that so few divisions can give.
    """

    name: str
    seeds: str
    place: str
    distance: str
    strip: Strip | None
    others: list[float]
    relabelled: str
    p: str
    least: str
    beyond: str
    is_apart: bool


def overlaps(explanation: Row) -> Overlaps | None:
    """The overlaps of a finding; None where there are none."""
    rows = rows_of(explanation.get("overlaps"))
    if not rows:
        return None
    keys = list(dict.fromkeys((text_of(row, "first"), text_of(row, "second")) for row in rows))
    pairs = [
        _both(
            first, second, [row for row in rows if (text_of(row, "first"), text_of(row, "second")) == (first, second)]
        )
        for first, second in keys
    ]
    whole = [pair.whole for pair in pairs if pair.whole is not None]
    more = sum(one.is_more for one in whole)
    words = (
        f"{more} of {counted(len(whole), 'pair')} of sets share more units than chance would give (p below {LEVEL:g})."
    )
    return Overlaps(pairs, sorted({layer for pair in pairs for layer in pair.layers}), words if whole else "")


def _both(first: str, second: str, rows: list[Row]) -> Both:
    whole = next((_overlap(row) for row in rows if number_of(row, "layer") is None), None)
    layers = {int(layer): _overlap(row) for row in rows if (layer := number_of(row, "layer")) is not None}
    return Both(visible(first), visible(second), whole, layers)


def _overlap(row: Row) -> Overlap:
    sizes = known_numbers(row.get("sizes"))
    shared, expected, p, units = (number_of(row, name) for name in ("shared", "expected", "p", "units"))
    of = "" if units is None else f" of {int(units):,}"
    return Overlap(
        f"{sizes[0]:,.0f} and {sizes[1]:,.0f}{of}" if len(sizes) == 2 else NOTHING,
        NOTHING if shared is None else f"{int(shared):,}",
        NOTHING if expected is None else number(expected, 1),
        probability(p),
        is_more=p is not None and p < LEVEL,
    )


def arms(run: Run) -> list[Arms]:
    """What ``findings/arms.json`` says."""
    return [_arms(row) for row in rows_of(finding(run, "arms").get("rows"))]


def _arms(row: Row) -> Arms:
    distance, p, beyond, expected = (number_of(row, name) for name in ("distance", "p", "beyond", "expected"))
    others, seeds = known_numbers(row.get("relabelled")), known_numbers(row.get("seeds"))
    drawn = draws("", None if distance is None else Estimate(distance, None, None, 1), others)
    more = "" if expected is None else f", by chance {number(expected, 1)}"
    place = text_of(row, "place")
    return Arms(
        name=f"{visible(text_of(row, 'first'))} and {visible(text_of(row, 'second'))}",
        seeds=f"{seeds[0]:.0f} and {seeds[1]:.0f}" if len(seeds) == 2 else NOTHING,
        place="units of all places" if place == "all" else PLACES.get(place, visible(place)),
        distance="withheld" if distance is None else number(distance, 4),
        strip=drawn[0] if drawn else None,
        others=drawn[1] if drawn else [],
        relabelled=f"{number(min(others), 4)} to {number(max(others), 4)}" if others else NOTHING,
        p=probability(p),
        least=probability(1 / (len(others) + 1)) if others else NOTHING,
        beyond="withheld" if beyond is None else f"{int(beyond):,}{more}",
        is_apart=p is not None and p < LEVEL,
    )
