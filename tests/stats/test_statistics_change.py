"""Differences of the same items, and of groups that have no item in common."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interval import bounds, topics, width

from temperament.errors import RequestError
from temperament.stats import average, paired_difference, risk_difference, share, unpaired_difference

a_few = settings(max_examples=25, deadline=None)


def test_a_rise_is_positive():
    before, after = [10.0, 12.0, 11.0, 13.0], [15.0, 18.0, 15.0, 19.0]
    estimate = paired_difference(before, after)
    assert estimate.value == pytest.approx(5.25)
    assert bounds(estimate)[0] > 0
    fallen = paired_difference(after, before)
    assert fallen.value == pytest.approx(-5.25)
    assert bounds(fallen)[1] < 0


def test_pairs_are_compared_item_by_item():
    before = [float(item * 100) for item in range(12)]
    after = [value + 1 + 0.1 * (index % 3) for index, value in enumerate(before)]
    assert width(paired_difference(before, after)) < 0.5


def test_no_change_in_yes_and_no_has_honest_bounds():
    estimate = paired_difference([0] * 40, [0] * 40, topics(8, 5))
    upper = bounds(share([0] * 40, topics(8, 5)))[1]
    assert estimate.value == 0
    assert bounds(estimate) == pytest.approx((-upper, upper))


def test_a_change_in_every_item_has_an_honest_lower_bound():
    estimate = paired_difference([0] * 40, [1] * 40)
    assert estimate.value == 1
    lower, upper = bounds(estimate)
    assert upper == 1
    assert lower == pytest.approx(1 - 2 * bounds(share([0] * 40))[1])


def test_gains_and_losses_of_yes_and_no_agree_with_the_bootstrap_where_there_are_many():
    random = np.random.default_rng(2)
    before = (random.random(400) < 0.3).astype(float)
    after = np.where(random.random(400) < 0.5, before, random.random(400) < 0.6)
    exact = paired_difference(before.tolist(), after.tolist())
    resampled = average((after - before).tolist())
    assert exact.value == pytest.approx(resampled.value)
    assert bounds(exact) == pytest.approx(bounds(resampled), abs=0.01)


@a_few
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("abcde")), min_size=2, max_size=40))
def test_swapping_before_and_after_turns_the_sign(rows):
    before, after, names = ([row[place] for row in rows] for place in range(3))
    there, back = paired_difference(before, after, names), paired_difference(after, before, names)
    assert there.value == pytest.approx(-back.value)
    if there.lower is not None:
        assert -1 <= there.lower <= there.value <= there.upper <= 1
        assert (there.lower, there.upper) == pytest.approx((-back.upper, -back.lower))


def test_the_difference_of_independent_shares_is_newcombes():
    from statsmodels.stats.proportion import confint_proportions_2indep

    first, second = [1] * 20 + [0] * 60, [1] * 45 + [0] * 45
    estimate = unpaired_difference(first, second)
    assert estimate.value == pytest.approx(0.25)
    assert estimate.n == 170
    reference = confint_proportions_2indep(45, 90, 20, 80, method="newcomb", compare="diff")
    assert bounds(estimate) == pytest.approx(reference, abs=1e-6)
    assert risk_difference(first, second) == estimate


def test_the_difference_of_independent_means_is_nearly_welchs():
    from scipy.stats import ttest_ind

    random = np.random.default_rng(2)
    first, second = random.normal(size=80), random.normal(0.5, 2, size=60)
    reference = ttest_ind(second, first, equal_var=False).confidence_interval()
    estimate = unpaired_difference(first.tolist(), second.tolist())
    assert estimate.value == pytest.approx(second.mean() - first.mean())
    assert bounds(estimate) == pytest.approx((reference.low, reference.high), abs=0.06 * width(estimate))


def test_pairing_sees_more_than_comparing_groups():
    random = np.random.default_rng(5)
    before = random.normal(size=30)
    after = before + 0.3 + 0.1 * random.normal(size=30)
    assert width(paired_difference(before.tolist(), after.tolist())) < 0.3 * width(
        unpaired_difference(before.tolist(), after.tolist())
    )


def test_groups_that_share_a_topic_are_not_independent():
    with pytest.raises(RequestError, match="'b' is in both"):
        unpaired_difference([1.0, 2.0], [3.0, 4.0], ["a", "b"], ["b", "c"])
    with pytest.raises(RequestError, match="yes and no"):
        risk_difference([0.5, 2.0], [1.0, 0.0])


def test_a_group_without_values_or_with_one_topic_has_no_interval():
    assert unpaired_difference([], [1.0, 2.0]).value is None
    alone = unpaired_difference([1.0, 2.0], [3.0, 5.0], ["a", "a"], ["b", "c"])
    assert alone.value == pytest.approx(2.5)
    assert alone.lower is None


rows = st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("abcde")), min_size=2, max_size=30)


@a_few
@given(rows, st.randoms(use_true_random=False), st.booleans())
def test_neither_names_of_topics_nor_the_order_of_items_matters(drawn, random, binary):
    shift = 0.0 if binary else 0.5
    shuffled = list(drawn)
    random.shuffle(shuffled)
    named = [(before, after, f"other {name}") for before, after, name in shuffled]

    def split(some):
        return ([row[0] + shift for row in some], [row[1] + shift for row in some], [row[2] for row in some])

    plain, other = split(drawn), split(named)
    if binary:
        assert share(plain[0], plain[2]).value == pytest.approx(share(other[0], other[2]).value)
        one, two = paired_difference(*plain), paired_difference(*other)
        assert (one.lower is None) == (two.lower is None)
        if one.lower is not None:
            assert bounds(one) == pytest.approx(bounds(two), abs=1e-9)
            assert bounds(share(plain[0], plain[2])) == pytest.approx(bounds(share(other[0], other[2])), abs=1e-9)
    else:
        # The order of topics picks other resamples; the order of items within topics picks none.
        renamed = [f"other {name}" for name in plain[2]]
        assert paired_difference(*plain) == paired_difference(plain[0], plain[1], renamed)
        assert average(plain[0], plain[2]).value == pytest.approx(average(other[0], other[2]).value)


def test_two_groups_the_other_way_round_turn_the_sign():
    first, second = [1.0, 2.0, 4.0, 3.5], [3.0, 6.0, 5.0, 5.5, 4.0]
    there, back = unpaired_difference(first, second), unpaired_difference(second, first)
    assert there.value > 0
    assert (there.lower, there.upper) == pytest.approx((-back.upper, -back.lower))
    names = topics(2, 2), topics(5, 1, "other")
    assert unpaired_difference(first, second, *names).value == there.value
