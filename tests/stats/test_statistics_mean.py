"""Means and ratios have honest intervals from clusters that are drawn again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interval import bounds, topics, width
from scipy.stats import chi2, ttest_1samp

from temperament.stats import Estimate, average, paired_difference, ratio

a_few = settings(max_examples=25, deadline=None)


def test_a_ratio_is_the_sum_over_the_sum():
    estimate = ratio([3, 0, 1], [1, 4, 5], list("abc"))
    assert estimate.value == pytest.approx(0.4)
    assert estimate.n == 3


def test_a_ratio_of_zero_has_the_exact_poisson_upper_bound():
    estimate = ratio([0] * 40, [2] * 40)
    assert estimate.value == 0
    assert bounds(estimate) == pytest.approx((0, chi2.ppf(0.975, 2) / 2 / 80))
    assert bounds(ratio([0] * 40, [2] * 40, topics(8, 5)))[1] == pytest.approx(chi2.ppf(0.975, 2) / 2 / 16)


def test_counts_that_are_equal_everywhere_are_not_certain():
    lower, upper = bounds(ratio([1] * 40, [1] * 40))
    assert lower == pytest.approx(chi2.ppf(0.025, 80) / 2 / 40)
    assert upper == pytest.approx(chi2.ppf(0.975, 82) / 2 / 40)


def test_a_ratio_of_amounts_that_never_differs_has_no_interval():
    assert ratio([0.5] * 8, [1] * 8) == Estimate(0.5, None, None, 8)


def test_a_ratio_without_denominators_is_withheld():
    assert ratio([0, 0], [0, 0]) == Estimate(None, None, None, 2)


def test_an_average_of_symmetric_values_has_nearly_the_student_interval():
    values = np.random.default_rng(0).normal(10, 2, 12)
    reference = ttest_1samp(values, 0).confidence_interval()
    assert bounds(average(values.tolist())) == pytest.approx((reference.low, reference.high), abs=0.25)


def test_an_average_counts_topics_and_not_answers():
    values = [float(topic) for topic in range(10) for _ in range(20)]
    alone = average([float(topic) for topic in range(10)])
    clustered = average(values, topics(10, 20))
    assert bounds(clustered) == pytest.approx(bounds(alone))
    assert width(clustered) > 3 * width(average(values))


def test_equal_values_leave_the_spread_unknown():
    assert average([3.0] * 40, topics(8, 5)) == Estimate(3.0, None, None, 40)
    assert paired_difference([3.0] * 40, [5.0] * 40, topics(8, 5)) == Estimate(2.0, None, None, 40)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = np.random.default_rng(1).normal(size=30).tolist()
    assert average(values, seed=1) == average(values, seed=1)
    assert average(values, seed=1) != average(values, seed=2)


def test_a_mean_of_many_topics_agrees_with_regression_with_clustered_errors():
    import statsmodels.api as sm

    random = np.random.default_rng(4)
    names = topics(300, 4)
    values = np.repeat(random.normal(size=300), 4) + random.normal(size=1200) + 3
    groups = np.repeat(np.arange(300), 4)
    fitted = sm.OLS(values, np.ones(1200)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    estimate = average(values.tolist(), names)
    assert estimate.value == pytest.approx(fitted.params[0])
    assert bounds(estimate) == pytest.approx(tuple(fitted.conf_int()[0]), abs=0.04 * width(estimate))
    assert width(average(values.tolist())) < 0.8 * width(estimate)


def test_a_long_tail_to_the_right_stretches_the_interval_to_the_right():
    stretched = []
    for seed in range(6):
        values = np.exp(np.random.default_rng(seed).normal(size=15) * 0.9)
        estimate, mirrored = average(values.tolist()), average((-values).tolist())
        assert bounds(mirrored) == pytest.approx((-estimate.upper, -estimate.lower), rel=0.03)
        stretched.append((estimate.upper - estimate.value) / (estimate.value - estimate.lower))
    # One of these draws is nearly even.
    assert min(stretched) > 1
    assert np.median(stretched) > 1.5


def test_four_clusters_are_never_stretched_beyond_twice_students_interval():
    values = [0.0, 0.0, 0.1, 5.0]
    reference = ttest_1samp(values, 0).confidence_interval()
    lower, upper = bounds(average(values))
    assert upper - np.mean(values) <= 2 * (reference.high - np.mean(values)) + 1e-9
    assert np.mean(values) - lower <= 2 * (reference.high - np.mean(values)) + 1e-9


def test_one_topic_with_nearly_all_answers_tells_little():
    values = np.random.default_rng(3).normal(size=40)
    even = average(values.tolist(), topics(8, 5))
    uneven = average(values.tolist(), ["large"] * 33 + [f"small {index}" for index in range(7)])
    assert width(uneven) > 1.5 * width(even)


clustered = st.lists(
    st.tuples(st.floats(-100, 100).map(lambda value: round(value, 3)), st.sampled_from("abcdef")),
    min_size=2,
    max_size=25,
)


@a_few
@given(clustered)
def test_an_average_lies_in_its_interval(rows):
    estimate = average([value for value, _ in rows], [name for _, name in rows])
    if estimate.lower is not None:
        assert estimate.lower <= estimate.value <= estimate.upper


@a_few
@given(clustered, st.integers(-5, 5).filter(bool), st.integers(-50, 50))
def test_other_units_change_an_average_as_they_should(rows, scale, shift):
    names = [name for _, name in rows]
    plain = average([value for value, _ in rows], names)
    moved = average([scale * value + shift for value, _ in rows], names)
    assert moved.value == pytest.approx(scale * plain.value + shift, abs=1e-6)
    if plain.lower is not None and width(plain) > 1e-3:
        expected = sorted(scale * bound + shift for bound in bounds(plain))
        assert bounds(moved) == pytest.approx(expected, abs=1e-6 * abs(scale) * max(width(plain), 1))
