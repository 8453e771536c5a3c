"""Effect sizes and correlations: known values, signs, and bounds that hold them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interval import bounds, topics, width
from scipy.stats import nct, pearsonr, spearmanr

from temperament.stats import (
    average,
    cohens_d,
    cohens_d_paired,
    cohens_h,
    cohens_h_paired,
    compared,
    correlation,
    paired_difference,
)

a_few = settings(max_examples=25, deadline=None)


def test_cohens_d_is_the_difference_in_standard_deviations():
    # Means 3 and 5, both with variance 2.5: d = 2 / sqrt(2.5).
    estimate = cohens_d([1, 2, 3, 4, 5], [3, 4, 5, 6, 7])
    assert estimate.value == pytest.approx(2 / math.sqrt(2.5))
    assert estimate.n == 10
    lower, upper = bounds(estimate)
    assert lower < estimate.value < upper
    fallen = cohens_d([3, 4, 5, 6, 7], [1, 2, 3, 4, 5])
    assert bounds(fallen) == pytest.approx((-upper, -lower))


def test_the_bounds_of_cohens_d_are_nearly_those_of_the_non_central_t():
    from scipy.optimize import brentq

    random = np.random.default_rng(1)
    first, second = random.normal(size=60), random.normal(0.8, 1, size=60)
    estimate = cohens_d(first.tolist(), second.tolist())
    seen = estimate.value / math.sqrt(1 / 60 + 1 / 60)
    exact = [
        brentq(lambda size, chance=chance: nct.cdf(seen, 118, size) - chance, -5, 15) * math.sqrt(1 / 30)
        for chance in (0.975, 0.025)
    ]
    assert bounds(estimate) == pytest.approx(exact, abs=0.06)


def test_cohens_d_of_pairs_is_the_change_in_standard_deviations_of_changes():
    before, change = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0], [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]
    estimate = cohens_d_paired(before, [one + more for one, more in zip(before, change, strict=True)])
    assert estimate.value == pytest.approx(2 / np.std(change, ddof=1))
    assert bounds(estimate)[0] > 0


def test_effects_count_topics_and_not_answers():
    random = np.random.default_rng(3)
    change = random.normal(0.5, 1, size=12)
    alone = cohens_d_paired([0.0] * 12, change.tolist())
    often = cohens_d_paired([0.0] * 120, np.repeat(change, 10).tolist(), topics(12, 10))
    assert often.value == pytest.approx(alone.value, rel=0.05)
    assert width(often) > 0.8 * width(alone)
    assert width(cohens_d_paired([0.0] * 120, np.repeat(change, 10).tolist())) < 0.5 * width(alone)


@pytest.mark.parametrize(("first", "second"), [(0.2, 0.5), (0.5, 0.2), (0.1, 0.9), (0.4, 0.4)])
def test_cohens_h_agrees_with_statsmodels(first, second):
    from statsmodels.stats.proportion import proportion_effectsize

    before, after = ([1] * round(50 * part) + [0] * round(50 * (1 - part)) for part in (first, second))
    expected = proportion_effectsize(second, first)
    estimate = cohens_h(before, after)
    assert estimate.value == pytest.approx(expected)
    assert cohens_h_paired(before, after).value == pytest.approx(expected)
    assert estimate.lower < expected < estimate.upper


def test_nothing_at_all_and_everything_have_bounds_of_h():
    estimate = cohens_h([0] * 40, [1] * 40)
    assert estimate.value == pytest.approx(math.pi)
    lower, upper = bounds(estimate)
    assert upper == pytest.approx(math.pi)
    assert 2 < lower < 3
    assert bounds(cohens_h_paired([0] * 40, [0] * 40))[0] < 0 < bounds(cohens_h_paired([0] * 40, [0] * 40))[1]


def test_pairs_that_go_together_have_a_narrower_h():
    before = [0] * 30 + [1] * 30
    after = [0] * 24 + [1] * 6 + [1] * 30
    assert width(cohens_h_paired(before, after)) < 0.8 * width(cohens_h(before, after))


def test_what_does_not_vary_has_no_effect_size():
    assert cohens_d([3.0] * 5, [3.0] * 5).value is None
    assert cohens_d_paired([1.0] * 5, [2.0] * 5).value is None
    assert cohens_d([1.0], [1.0, 2.0]).value is None
    assert cohens_d([], []).value is cohens_h([], []).value is cohens_d_paired([], []).value is None
    one = cohens_d([1.0, 2.0], [2.0, 4.0], ["a", "a"], ["b", "c"])
    assert one.value > 0
    assert one.lower is None


@a_few
@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.sampled_from("abcde")), min_size=3, max_size=20))
def test_effects_of_pairs_lie_in_their_intervals_and_turn_their_sign(rows):
    before, after, names = ([round(row[place], 2) if place < 2 else row[2] for row in rows] for place in range(3))
    there, back = cohens_d_paired(before, after, names), cohens_d_paired(after, before, names)
    if there.lower is not None:
        assert there.lower <= there.value <= there.upper
        assert (there.lower, there.upper) == pytest.approx((-back.upper, -back.lower))


# Correlations


def test_correlations_agree_with_scipy():
    random = np.random.default_rng(1)
    first = random.integers(0, 6, 30).astype(float)
    second = np.exp(first / 2 + random.normal(size=30))
    for kind, reference in (("pearson", pearsonr), ("spearman", spearmanr)):
        estimate = correlation(first.tolist(), second.tolist(), kind=kind)
        assert estimate.value == pytest.approx(reference(first, second).statistic)
        assert estimate.lower < estimate.value < estimate.upper <= 1


def test_the_interval_of_many_pairs_is_nearly_fishers():
    random = np.random.default_rng(2)
    first = random.normal(size=300)
    second = 0.6 * first + 0.8 * random.normal(size=300)
    reference = pearsonr(first, second).confidence_interval()
    assert bounds(correlation(first.tolist(), second.tolist(), kind="pearson")) == pytest.approx(
        (reference.low, reference.high), abs=0.03
    )


def test_a_falling_line_is_negative_and_what_does_not_vary_is_not_correlated():
    falling = correlation([1, 2, 3, 4, 5, 6, 7, 8], [9, 8, 6, 7, 4, 5, 2, 1])
    assert falling.value < -0.9
    assert falling.upper < 0
    assert correlation([1, 1, 1], [1, 2, 3]).value is None
    assert correlation([], []).value is None
    straight = correlation([1, 2, 3, 4], [10, 20, 30, 40])
    assert straight.value == pytest.approx(1)
    assert straight.lower is None


def test_correlations_count_topics_and_not_answers():
    random = np.random.default_rng(6)
    first, second = random.normal(size=15), random.normal(size=15)
    often = correlation(np.repeat(first, 8).tolist(), np.repeat(second, 8).tolist(), topics(15, 8))
    assert width(often) > 2 * width(correlation(np.repeat(first, 8).tolist(), np.repeat(second, 8).tolist()))


def test_correlations_of_clustered_values_are_covered():
    random, covered = np.random.default_rng(9), []
    for _ in range(150):
        pairs = np.repeat(random.normal(size=(20, 2)), 3, axis=0) * 0.6 + random.normal(size=(60, 2)) * 0.8
        estimate = correlation(pairs[:, 0].tolist(), (pairs @ [0.6, 0.8]).tolist(), topics(20, 3), kind="pearson")
        covered.append(estimate.lower <= 0.6 <= estimate.upper)
    assert np.mean(covered) >= 0.91


# All at once


def test_a_comparison_says_how_large_how_sure_and_what_could_be_seen():
    before, after = [0] * 30 + [1] * 10, [1] * 14 + [0] * 16 + [1] * 9 + [0]
    whole = compared(before, after)
    assert whole.difference == paired_difference(before, after)
    assert whole.measure == "h"
    assert whole.effect == cohens_h_paired(before, after)
    assert whole.evidence.p < 0.01
    assert 0.1 < whole.visible.difference < whole.difference.value
    assert str(whole).count("n = 40") == 4
    values = compared([1.0, 2.0, 3.0, 4.0], [2.0, 2.5, 3.0, 6.0])
    assert values.measure == "d_z"
    assert values.difference.value == pytest.approx(average([1.0, 0.5, 0.0, 2.0]).value)
