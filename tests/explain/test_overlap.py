from itertools import combinations

import pytest
import torch
from scipy.stats import hypergeom

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.errors import RequestError
from temperament.explain.finding import Change, Dot, Unit
from temperament.explain.overlap import (
    changed_set,
    overlaps,
    sets_of_edit,
)
from temperament.shape.neurons.finding import LayerNeurons, TraitNeurons
from temperament.subject.anatomy import Site


def neurons(high=((0, 1), (5,)), low=((2,), ()), width=8):
    layers = []
    for ups, downs in zip(high, low, strict=True):
        is_high, is_low = torch.zeros(width, dtype=torch.bool), torch.zeros(width, dtype=torch.bool)
        is_high[list(ups)] = True
        is_low[list(downs)] = True
        delta = is_high.float() - is_low.float()
        layers.append(LayerNeurons(delta, torch.ones(width), is_high, is_low))
    return TraitNeurons("openness", "m", "m", tuple(layers))


def test_what_two_sets_share_is_beside_what_chance_would_share():
    (row, everything) = overlaps({"a": {0: {1, 2, 3}}, "b": {0: {2, 3, 4, 5}}}, {0: 10})
    assert (row.first, row.second, row.layer, row.sizes, row.units, row.shared) == ("a", "b", 0, (3, 4), 10, 2)
    assert row.expected == pytest.approx(1.2)
    assert row.p == pytest.approx(hypergeom.sf(1, 10, 3, 4))
    assert (everything.layer, everything.shared, everything.p) == (None, 2, pytest.approx(row.p))


def test_the_chance_of_all_layers_is_that_of_every_possible_draw():
    widths, first, second = {0: 5, 1: 6}, {0: {0, 1}, 1: {0, 1, 2}}, {0: {1, 2, 3}, 1: {1, 2}}
    shared = [
        len(first[0] & set(one)) + len(first[1] & set(other))
        for one in combinations(range(5), 3)
        for other in combinations(range(6), 2)
    ]
    everything = overlaps({"a": first, "b": second}, widths)[-1]
    assert everything.shared == 3
    assert everything.sizes == (5, 5)
    assert everything.units == 11
    assert everything.p == pytest.approx(sum(count >= 3 for count in shared) / len(shared))
    assert everything.expected == pytest.approx(sum(shared) / len(shared))


def test_equal_sets_are_surprising_and_sets_that_share_nothing_are_not():
    some, others = {layer: set(range(9)) for layer in range(4)}, {layer: set(range(9, 18)) for layer in range(4)}
    widths = dict.fromkeys(range(4), 1000)
    same = overlaps({"a": some, "b": some}, widths)[-1]
    apart = overlaps({"a": some, "b": others}, widths)[-1]
    assert 0 < same.p < 1e-60
    assert apart.p == 1.0


def test_small_chances_keep_their_digits():
    sets = {"a": {0: set(range(300))}, "b": {0: set(range(150, 450))}}
    row = overlaps(sets, {0: 1536})[0]
    assert row.p == pytest.approx(hypergeom.sf(149, 1536, 300, 300), rel=1e-6)
    assert row.p < 1e-20


def test_sets_that_prefer_the_same_layer_do_not_coincide_by_that_alone():
    everything = overlaps({"a": {0: {0, 1, 2, 3, 4}}, "b": {0: {3, 4, 5, 6, 7}}}, {0: 10, 1: 990})[-1]
    assert everything.expected == pytest.approx(2.5)
    assert everything.p > 0.5


def test_layers_in_which_a_set_has_nothing_have_no_row():
    rows = overlaps({"a": {0: {1}, 1: {1}}, "b": {1: {1}}, "c": {}}, {0: 4, 1: 4})
    assert [(row.first, row.second, row.layer) for row in rows] == [
        ("a", "b", 1),
        ("a", "b", None),
        ("a", "c", None),
        ("b", "c", None),
    ]
    assert rows[-1].p == 1.0
    assert rows[-1].sizes == (1, 0)


def test_sites_are_layers_where_all_are_of_one_place():
    by_site = {Site(0, "gate"): {1, 2}}
    rows = overlaps({"a": by_site, "b": by_site}, {Site(0, "gate"): 6})
    assert (rows[0].layer, rows[0].shared) == (0, 2)
    with pytest.raises(RequestError, match="one place"):
        overlaps({"a": {Site(0, "gate"): {1}, Site(0, "mlp"): {1}}, "b": {0: {1}}}, {0: 6})


@pytest.mark.parametrize("units", [{0: {6}}, {0: {-1}}, {3: {0}}])
def test_units_that_do_not_exist_are_refused(units):
    with pytest.raises(RequestError, match="layer"):
        overlaps({"a": units, "b": {0: {1}}}, {0: 6})


def change(layer, number, place="gate"):
    return Change(
        Unit(layer, place, number), "amplified", (0.0, 1.0), (0.0, 1.0), (0.0, 1.0), 1.0, 1.0, 1.0, 0.01, 0.01
    )


def test_changed_units_of_a_place_are_a_set():
    changes = [change(1, 5), change(0, 3), change(0, 4, "mlp"), Dot(Unit(0, "gate", 7), -0.5)]
    units = [change.unit for change in changes]
    assert changed_set(units) == {0: {3, 7}, 1: {5}}
    assert changed_set(units, "mlp") == {0: {4}}


def test_what_an_edit_of_neurons_raises_is_compared_with_what_another_edit_changed():
    sets = {
        "changed": changed_set([change(0, 0).unit, change(0, 1).unit, change(1, 5).unit]),
        **sets_of_edit(neurons().edit_for("high")),
    }
    everything = {(row.first, row.second): row for row in overlaps(sets, {0: 8, 1: 8}) if row.layer is None}
    assert everything["changed", "own"].shared == 3
    assert everything["changed", "own"].p == pytest.approx(1 / 28 / 8)
    assert everything["changed", "opposite"].shared == 0


def test_an_edit_of_neurons_gives_its_sets_back():
    found = neurons()
    edit = found.edit_for("high")
    assert sets_of_edit(edit) == {"own": {0: {0, 1}, 1: {5}}, "opposite": {0: {2}}}
    plain = ActivationEdit(Origin("vector"), shifts={Site(0): Shift(torch.ones(4))})
    assert sets_of_edit(plain) == {"own": {}, "opposite": {}}
