"""Doubt is of what carries no trait, begins where the wanted coverage says, and says what it has not learned."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temperament.errors import RequestError
from temperament.measure.doubt import Doubt, Material, conformal_bound, fit_doubt, unsure_of_new
from temperament.measure.traitless import Traitless

HIDDEN = 8
TOPICS = tuple(f"topic {number // 10}" for number in range(300))


def drawn(count, place, seed):
    """Texts around a place on the first axis; the second axis is a hundred times as wide, and says nothing."""
    random = np.random.default_rng(seed)
    found = random.normal(size=(count, HIDDEN))
    found[:, 0] += place
    found[:, 1] *= 100
    return found.astype(np.float32)


def material(kinds=("salad",), place=-6.0):
    texts = tuple(Traitless(kind, f"other {kind} {number}", "x") for kind in kinds for number in range(40))
    others = np.vstack([drawn(40, place, seed) for seed, _ in enumerate(kinds, start=5)])
    return Material(drawn(300, 0.0, 1), TOPICS, drawn(20, 0.0, 2), TOPICS[:20], others, texts, 0)


def test_what_looks_like_learned_nonsense_is_unsure_and_new_answers_are_sure():
    doubt = fit_doubt(material())
    assert isinstance(doubt, Doubt)
    assert (doubt.scores(drawn(200, -6.0, 9)) < doubt.bound).mean() > 0.95
    assert (doubt.scores(drawn(2000, 0.0, 8)) < doubt.bound).mean() == pytest.approx(0.1, abs=0.05)


def test_the_coverage_is_kept_where_nonsense_cannot_be_told_from_answers():
    doubt = fit_doubt(material(place=0.0))
    for seed in range(8, 12):
        assert (doubt.scores(drawn(2000, 0.0, seed)) < doubt.bound).mean() < 0.16


def test_what_is_like_texts_that_carry_a_trait_beside_the_answers_is_sure():
    known = material()
    short = drawn(60, -3.0, 20)
    short[:, 3] += 6
    new = drawn(200, -3.0, 21)
    new[:, 3] += 6
    alone, beside = (fit_doubt(each) for each in (known, replace(known, carriers=short, carrier_topics=TOPICS[:60])))
    assert (alone.scores(new) < alone.bound).mean() > 0.5
    assert (beside.scores(new) < beside.bound).mean() < 0.1


def test_a_higher_coverage_doubts_less():
    bounds = [fit_doubt(material(), coverage).bound for coverage in (0.8, 0.9, 0.99)]
    assert bounds == sorted(bounds, reverse=True)
    assert len(set(bounds)) == 3


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_no_more_than_the_rest_lies_below_the_bound(scores, coverage):
    bound = conformal_bound(np.array(scores), coverage)
    assert np.mean(np.array(scores) < bound) <= 1 - coverage + 1e-9


def test_the_bound_is_the_rank_that_the_coverage_promises():
    assert conformal_bound(np.arange(1.0, 100.0), 0.9) == 10.0
    assert conformal_bound(np.arange(1.0, 9.0), 0.9) == -math.inf


def test_a_kind_that_is_like_another_is_doubted_without_having_been_learned():
    known = material(("salad", "loop"))
    assert np.mean(unsure_of_new(known, "loop")) > 0.9


def test_a_kind_that_is_like_no_other_is_not_doubted_where_it_was_not_learned():
    known = material(("salad", "far"))
    far = drawn(40, 0.0, 6)
    far[:, 2] += 8
    known = replace(known, others=np.vstack([known.others[:40], far]))
    doubt = fit_doubt(known)
    assert (doubt.scores(far) < doubt.bound).mean() > 0.9
    assert np.mean(unsure_of_new(known, "far")) < 0.6
    assert np.mean(unsure_of_new(known, "salad")) < 0.6


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, 2.0])
def test_a_coverage_that_is_no_share_is_refused(coverage):
    with pytest.raises(RequestError, match="coverage is"):
        fit_doubt(material(), coverage)
