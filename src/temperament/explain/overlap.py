"""How many units two sets share, by layer and over all layers, beside what chance would share."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from temperament.edit.activation import ActivationEdit
from temperament.errors import RequestError
from temperament.explain.finding import Overlap, Unit
from temperament.subject.anatomy import Place, Site

# Units by layer, or by site where all sites are of one place.
Units = Mapping[int, AbstractSet[int]] | Mapping[Site, AbstractSet[int]]
Value = TypeVar("Value")
UnitSets = dict[str, dict[int, set[int]]]


def overlaps(sets: Mapping[str, Units], widths: Mapping[int, int] | Mapping[Site, int]) -> list[Overlap]:
    """Compare every two sets: a row for each layer in which both have units, then one for all layers.

    By chance each set would be drawn from the units of its layer without regard to the other: what they share is then
    hypergeometric, and over all layers a sum of these, whose distribution is computed exactly. A set thus keeps its
    number of units in each layer, so that two sets do not coincide merely by preferring the same layers. The p-values
    of layers are not corrected for their number: `stats.discoveries` does that.

    Args:
        sets: units by layer, 0-based, of each set.
        widths: units that each layer has; layers that are in no set count as well.

    Returns:
        Pairs in the order of the sets.

    Raises:
        RequestError: a unit or a layer does not exist, or sites of several places are mixed.
    """
    sizes = _by_layer(widths)
    plain = {name: {layer: set(units) for layer, units in _by_layer(of).items()} for name, of in sets.items()}
    for name, of in plain.items():
        _check(name, of, sizes)
    return [row for one, other in combinations(plain, 2) for row in _pair(one, other, plain, sizes)]


def changed_set(units: Iterable[Unit], place: Place = "gate") -> dict[int, set[int]]:
    """The units of a place that an edit changed, by layer; those that are given, which may not be all."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for unit in units:
        if unit.place == place:
            found[unit.layer].add(unit.number)
    return dict(sorted(found.items()))


def sets_of_edit(edit: ActivationEdit) -> UnitSets:
    """The gate units that an edit of method ``neurons`` raises (``own``) and clamps to at most 0 (``opposite``)."""
    shifts = {site.layer: shift for site, shift in sorted(edit.shifts.items()) if site.place == "gate"}
    own = {layer: set((shift.add > 0).nonzero().flatten().tolist()) for layer, shift in shifts.items()}
    opposite = {
        layer: set(shift.is_clamped.nonzero().flatten().tolist())
        for layer, shift in shifts.items()
        if shift.is_clamped is not None
    }
    return {"own": _filled(own), "opposite": _filled(opposite)}


def _pair(one: str, other: str, sets: Mapping[str, Mapping[int, set[int]]], sizes: Mapping[int, int]) -> list[Overlap]:
    rows: list[Overlap] = []
    shared, expected, distribution = 0, 0.0, np.ones(1)
    for layer, width in sorted(sizes.items()):
        first, second = sets[one].get(layer, set()), sets[other].get(layer, set())
        if not first or not second:
            continue
        both, chance = len(first & second), len(first) * len(second) / width
        own = _chances(width, len(first), len(second))
        p = _tail(own, both)
        rows.append(Overlap(one, other, layer, (len(first), len(second)), width, both, chance, p))
        shared, expected, distribution = shared + both, expected + chance, np.convolve(distribution, own)
    totals = tuple(sum(map(len, sets[name].values())) for name in (one, other))
    everything = Overlap(
        one, other, None, (totals[0], totals[1]), sum(sizes.values()), shared, expected, _tail(distribution, shared)
    )
    return [*rows, everything]


def _chances(width: int, first: int, second: int) -> NDArray[np.float64]:
    """The probability that 0, 1, ... units are shared, up to the smaller set."""
    from scipy.stats import hypergeom

    counts = np.arange(min(first, second) + 1)
    return np.asarray(hypergeom.pmf(counts, width, first, second), dtype=np.float64)


def _tail(chances: NDArray[np.float64], shared: int) -> float:
    """The probability of as many or more."""
    # From the small end, so that what is rare is not lost beside what is common.
    return 1.0 if shared == 0 else min(1.0, math.fsum(np.sort(chances[shared:]).tolist()))


def _by_layer(of: Mapping[int, Value] | Mapping[Site, Value]) -> dict[int, Value]:
    places = {key.place for key in of if isinstance(key, Site)}
    if len(places) > 1:
        message = f"units of one place can be compared by layer, and these are of {', '.join(sorted(places))}."
        raise RequestError(message)
    return {key.layer if isinstance(key, Site) else key: value for key, value in of.items()}


def _filled(of: Mapping[int, set[int]]) -> dict[int, set[int]]:
    return {layer: units for layer, units in of.items() if units}


def _check(name: str, of: Mapping[int, set[int]], sizes: Mapping[int, int]) -> None:
    for layer, units in of.items():
        if layer not in sizes:
            message = (
                f"'{name}' has units in layer {layer}, whose width was not given: the widths are of {sorted(sizes)}."
            )
            raise RequestError(message)
        wrong = [unit for unit in units if not 0 <= unit < sizes[layer]]
        if wrong:
            message = f"'{name}' has unit {wrong[0]} in layer {layer}, which has units 0 to {sizes[layer] - 1}."
            raise RequestError(message)
