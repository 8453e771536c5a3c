"""Random sets: of the same sites, about as active, never what was chosen, and the same for the same seed."""

from collections import Counter

import pytest
import torch

from temperament.activation.statistic import Collector
from temperament.activation.text import read_texts
from temperament.errors import RequestError
from temperament.explain.finding import Unit
from temperament.explain.matched import MatchedUnits, activity, others_of
from temperament.explain.text import Text
from temperament.subject.anatomy import Site
from temperament.subject.base import as_conversation
from temperament.subject.text import Encoded

# A hundred units, unit n as active as n: decile n // 10.
LEVELS = {Site(1, "gate"): torch.arange(100.0), Site(2): torch.arange(50.0).flip(0)}


def gates(*numbers):
    return [Unit(1, "gate", number) for number in numbers]


def test_a_set_has_as_many_units_of_each_site_and_decile():
    chosen = [*gates(3, 95, 96, 97), Unit(2, "residual", 0), Unit(2, "residual", 49)]
    found = MatchedUnits(chosen, LEVELS).draw(50)
    assert found.borrowed == 0
    for some in found.sets:
        assert len(set(some)) == len(chosen)
        assert not set(some) & set(chosen)
        gate = Counter(unit.number // 10 for unit in some if unit.place == "gate")
        assert gate == {0: 1, 9: 3}
        # The first residual unit is the most active one there.
        assert sorted((49 - unit.number) // 5 for unit in some if unit.place == "residual") == [0, 9]


def test_every_unit_that_may_be_drawn_is_drawn_as_often():
    drawn = Counter(unit.number for some in MatchedUnits(gates(95, 96), LEVELS).draw(4000).sets for unit in some)
    assert set(drawn) == {90, 91, 92, 93, 94, 97, 98, 99}
    assert all(900 < count < 1100 for count in drawn.values())


def test_a_decile_without_units_left_borrows_from_the_nearest():
    found = MatchedUnits(gates(*range(90, 97)), LEVELS).draw(20)
    assert found.borrowed == pytest.approx(4 / 7)
    for some in found.sets:
        assert Counter(unit.number // 10 for unit in some) == {9: 3, 8: 4}


def test_units_apart_are_never_drawn():
    found = MatchedUnits(gates(95), LEVELS, apart=gates(*range(90, 95), 96, 97, 98)).draw(20)
    assert {unit.number for some in found.sets for unit in some} == {99}


def test_a_site_without_enough_others_is_refused():
    with pytest.raises(RequestError, match=r"60 units of the gate of layer 1: it has only 40 others"):
        MatchedUnits(gates(*range(60)), LEVELS)


def test_seeds_decide_what_is_drawn():
    matched = MatchedUnits(gates(3, 55), LEVELS)
    assert matched.draw(5, seed=1) == matched.draw(5, seed=1)
    assert matched.draw(5, seed=1) != matched.draw(5, seed=2)


def test_activity_is_the_mean_over_the_tokens_of_answers(lively):
    subject = lively("llama")
    texts = [Text("tea", "Tea?", "With milk"), Text("rain", "Rain?", "No")]
    site = Site(1)
    found = activity(subject, texts, [site])
    collector = Collector(subject, [site])
    encoded = [subject.encode(as_conversation(text.question), text.answer) for text in texts]
    read_texts(subject, [Encoded(one.prompt, one.answer[:-1]) for one in encoded], [collector])
    assert torch.allclose(found.mean[site], collector.statistics(site).mean, atol=1e-6)
    assert (found.magnitude[site] >= found.mean[site].abs() - 1e-9).all()
    assert (found.magnitude[site] > found.mean[site].abs() + 1e-3).any()
    assert activity(subject, texts, []).mean == {}


def test_other_changed_units_are_of_the_same_site_as_far_as_it_goes_then_of_the_same_place():
    chosen = [Unit(0, "gate", 1), Unit(0, "gate", 2), Unit(1, "mlp", 1)]
    pool = [Unit(0, "gate", 9), *(Unit(2, "gate", number) for number in range(9)), Unit(1, "mlp", 7)]
    found = others_of(chosen, [*chosen, *pool], 19, 3)
    assert len(found) == 9
    for some in found:
        assert [unit.place for unit in some] == ["gate", "mlp", "gate"]
        assert {some[0], some[1]} == {Unit(0, "gate", 9), Unit(1, "mlp", 7)}
        assert some[2] in pool[1:10]
    assert found == others_of(chosen, pool, 19, 3)


def test_a_pool_without_units_enough_of_a_place_gives_no_set():
    chosen = [Unit(0, "gate", 1), Unit(1, "mlp", 1)]
    assert others_of(chosen, [Unit(0, "gate", number) for number in range(9)], 19) == ()
    assert others_of((), [Unit(0, "gate", 1)], 19) == ()
