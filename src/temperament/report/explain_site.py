"""How many units changed, by place, layer and kind, and on what the counts rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from temperament.report.explain_text import PLACES, counts_of, known_numbers, percent, spot_of, visible
from temperament.report.finding import number_of, rows_of, text_of
from temperament.report.wording import counted, listed
from temperament.run import Row

MOST_APART = 6


@dataclass(frozen=True)
class Site:
    """How many units of a site changed, and how many dimensions that stand out did, which are not counted in."""

    layer: int
    place: str
    units: int
    selected: int
    confirmed: int
    kinds: dict[str, int]
    outliers: int = 0


def sites_of(units: Row) -> list[Site]:
    """The counts of all sites, in order."""
    found: list[Site] = []
    for row in rows_of(units.get("sites")):
        layer = number_of(row, "layer")
        count, selected, confirmed = (int(number_of(row, name) or 0) for name in ("units", "selected", "confirmed"))
        if layer is not None:
            place, kinds = visible(text_of(row, "place")), counts_of(row.get("kinds"))
            outliers = int(number_of(row, "outliers") or 0)
            found.append(Site(int(layer), place, count, selected, confirmed, kinds, outliers))
    return found


def place_order(place: str) -> tuple[int, str]:
    """Sorts places as they stand in a block."""
    names = list(PLACES)
    return (names.index(place) if place in names else len(names), place)


def counts_table(units: Row) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Confirmed units by layer (rows) and place (columns), with those that were selected first."""
    sites = sites_of(units)
    places = sorted({site.place for site in sites}, key=place_order)
    by = {(site.layer, site.place): site for site in sites}
    rows = [
        (layer, [_count(by.get((layer, place))) for place in places])
        for layer in sorted({site.layer for site in sites})
    ]
    return [PLACES.get(place, place) for place in places], rows


def _count(site: Site | None) -> str:
    if site is None:
        return ""
    apart = f"; {counted(site.outliers, 'outlier')} not counted" if site.outliers else ""
    return f"{site.confirmed:,} of {site.units:,}; {site.selected:,} selected{apart}"


def spread(sites: Sequence[Site]) -> tuple[str, str]:
    """Confirmed units by place and by kind, in words."""
    places: dict[str, int] = {}
    kinds: dict[str, int] = {}
    for site in sites:
        places[site.place] = places.get(site.place, 0) + site.confirmed
        for kind, count in site.kinds.items():
            kinds[kind] = kinds.get(kind, 0) + count
    by_place = [
        f"{places[place]:,} {PLACES.get(place, place)}" for place in sorted(places, key=place_order) if places[place]
    ]
    by_kind = [f"{count:,} {kind}" for kind, count in sorted(kinds.items(), key=lambda one: (-one[1], one[0]))]
    return listed(by_place), listed(by_kind)


def share_changed(sites: Sequence[Site]) -> tuple[int, int, str]:
    """Confirmed units, all units, and the share in percent."""
    confirmed, units = sum(site.confirmed for site in sites), sum(site.units for site in sites)
    return confirmed, units, percent(confirmed / units) if units else "withheld"


def facts(units: Row) -> list[str]:
    """On what the figures rest, as sentences."""
    texts, topics = (known_numbers(units.get(name)) for name in ("texts", "topics"))
    source = {"own": "replies that the edited model wrote", "given": "given answers"}.get(text_of(units, "source"), "")
    tokens, level, flipped = (number_of(units, name) for name in ("tokens", "level", "flipped"))
    found: list[str] = []
    if len(texts) == 2 and len(topics) == 2:
        halves = f"{texts[0]:,.0f} texts on {topics[0]:,.0f} topics, {texts[1]:,.0f} on {topics[1]:,.0f} others"
        found.append(f"Selected on one half of the topics and reported on the other ({halves})")
    if source or tokens is not None:
        read = "" if tokens is None else f"{int(tokens):,} tokens"
        found.append(f"Both models read the same {' of '.join(filter(None, (read, source)))}")
    if level is not None:
        found.append(f"False discoveries among the selected are held to {percent(level)}")
    if flipped is not None:
        found.append(f"Where each topic's change has a random sign, the same procedure confirms {percent(flipped)}")
    if apart := _apart(units):
        found.append(apart)
    return found


def on_given(units: Row) -> list[str]:
    """What the same procedure finds on replies of the untouched model, as sentences."""
    confirmed, total, share = share_changed(sites_of(units))
    if not total:
        return []
    return [f"On replies of the untouched model {confirmed:,} of {total:,} units changed ({share})"]


def _apart(units: Row) -> str:
    """Which dimensions stand out in the untouched model, those in most layers first."""
    layers: dict[str, int] = {}
    for row in rows_of(units.get("outliers")):
        if (spot := spot_of(row.get("unit"))) is not None:
            name = f"{spot.place} {spot.number}"
            layers[name] = layers.get(name, 0) + 1
    named = sorted(layers.items(), key=lambda one: (-one[1], one[0]))
    words = [f"{name} in {counted(count, 'layer')}" for name, count in named[:MOST_APART]]
    more = f" and {len(named) - MOST_APART} others" if len(named) > MOST_APART else ""
    return f"Set apart, as they stand out in the untouched model already: {', '.join(words)}{more}" if words else ""
