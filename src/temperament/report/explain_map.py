"""Where in the model units changed: a map of layers and units for each place."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from temperament.report.explain_scatter import Mark
from temperament.report.explain_site import Site, place_order, sites_of
from temperament.report.explain_text import PLACES, Spot, spot_of
from temperament.report.finding import number_of, rows_of
from temperament.report.wording import counted, listed, number
from temperament.run import Row

BOX = 1000  # units of the picture's width and height


@dataclass(frozen=True)
class Bar:
    """How much of a layer changed: its place and size in percent."""

    y: float
    height: float
    width: float


@dataclass(frozen=True)
class Panel:
    """One place of the model.

    Attributes:
        higher: dots of units that are higher after the edit, as an SVG path in a box of BOX by BOX.
        lower: of those that are lower.
        bars: confirmed units of each layer, by the most that a layer has.
        ticks: layers, with their place in percent.
        units: of the widest layer.
        height: in pixels.
        words: what is seen.
        summary: the same in short, for those who cannot see it.
    """

    name: str
    higher: str
    lower: str
    outliers: list[Mark]
    bars: list[Bar]
    ticks: list[tuple[str, float]]
    units: str
    height: int
    words: str
    summary: str


def panels(units: Row, most: int) -> list[Panel]:
    """A map for each place where a unit changed, of at most ``most`` dots in all, those with the largest effects."""
    sites = sites_of(units)
    dots = _dots(units)
    drawn = sorted(dots, key=lambda dot: -abs(dot[1]))[:most]
    outliers = [(spot_of(row.get("unit")), number_of(row, "ratio")) for row in rows_of(units.get("outliers"))]
    marked = [(spot, ratio) for spot, ratio in outliers if spot is not None]
    places = sorted({site.place for site in sites if site.confirmed}, key=place_order)
    return [
        _panel(
            place,
            [site for site in sites if site.place == place],
            [dot for dot in drawn if dot[0].place == place],
            [one for one in marked if one[0].place == place],
        )
        for place in places
    ]


def _dots(units: Row) -> list[tuple[Spot, float]]:
    """Of the map and of the table, each unit once."""
    found: dict[Spot, float] = {}
    for row in (*rows_of(units.get("changes")), *rows_of(units.get("dots"))):
        spot, effect = spot_of(row.get("unit")), number_of(row, "effect")
        if spot is not None and effect is not None:
            found.setdefault(spot, effect)
    return list(found.items())


def _panel(
    place: str,
    sites: Sequence[Site],
    dots: Sequence[tuple[Spot, float]],
    outliers: Sequence[tuple[Spot, float | None]],
) -> Panel:
    layers = 1 + max(*(site.layer for site in sites), *(spot.layer for spot, _ in (*dots, *outliers)), 0)
    width = max(*(site.units for site in sites), *(spot.number + 1 for spot, _ in (*dots, *outliers)), 1)

    def at(spot: Spot) -> tuple[float, float]:
        return (spot.number + 0.5) / width, (spot.layer + 0.5) / layers

    by_layer = {site.layer: site.confirmed for site in sites}
    most = max(*by_layer.values(), 1)
    marks = [_outlier(spot, ratio, at(spot)) for spot, ratio in outliers]
    name = PLACES.get(place, place)
    confirmed = sum(by_layer.values())
    where = _where(by_layer)
    more = f" {len(dots):,} of them are drawn, those with the largest effects." if len(dots) < confirmed else ""
    apart = counted(len(marks), "dimension")
    words = f"{confirmed:,} of {sum(site.units for site in sites):,} changed, {where}.{more}" + (
        f" {apart} that {'stands' if len(marks) == 1 else 'stand'} out in the untouched model already." if marks else ""
    )
    return Panel(
        name=name[:1].upper() + name[1:],
        higher=_path([at(spot) for spot, effect in dots if effect > 0]),
        lower=_path([at(spot) for spot, effect in dots if effect <= 0]),
        outliers=marks,
        bars=[_bar(layer, count, layers, most) for layer, count in by_layer.items() if count],
        ticks=_layer_ticks(layers),
        units=f"{width:,}",
        height=min(max(9 * layers, 72), 260),
        words=words,
        summary=f"{name} by layer and number: {words}",
    )


def _where(by_layer: dict[int, int]) -> str:
    """In which layers most of the units lie."""
    found = sorted((layer for layer, count in by_layer.items() if count), key=lambda layer: (-by_layer[layer], layer))
    if not found:
        return "in no layer"
    total, held, kept = sum(by_layer.values()), 0, 0
    while held < total / 2:
        held += by_layer[found[kept]]
        kept += 1
    layers = sorted(found[:kept])
    if kept == len(found) and kept <= 3:
        return f"in layer{'s' if kept > 1 else ''} {listed([str(layer) for layer in layers])}"
    return f"half or more of them in layer{'s' if kept > 1 else ''} {listed(_runs(layers))}"


def _runs(layers: Sequence[int]) -> list[str]:
    """'3', '5 to 9': layers that follow one another taken together."""
    groups = [list(group) for _, group in groupby(enumerate(layers), key=lambda one: one[1] - one[0])]
    return [str(group[0][1]) if len(group) == 1 else f"{group[0][1]} to {group[-1][1]}" for group in groups]


def _path(places: Sequence[tuple[float, float]]) -> str:
    """Dots as lines of no length with round ends: a map has thousands, and this keeps the page small."""
    return "".join(f"M{BOX * x:.0f} {BOX * y:.0f}h0" for x, y in places)


def _outlier(spot: Spot, ratio: float | None, place: tuple[float, float]) -> Mark:
    times = "" if ratio is None else f", {number(ratio, 1)} times the median of its site"
    return Mark(round(100 * place[0], 2), round(100 * place[1], 2), f"{spot.name}{times}")


def _bar(layer: int, count: int, layers: int, most: int) -> Bar:
    height = 100 / layers
    return Bar(round((layer + 0.15) * height, 2), round(0.7 * height, 2), round(100 * count / most, 2))


def _layer_ticks(layers: int) -> list[tuple[str, float]]:
    step = max(1, math.ceil(layers / 6))
    return [(str(layer), round(100 * (layer + 0.5) / layers, 2)) for layer in range(0, layers, step)]
