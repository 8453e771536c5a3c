"""Estimates have honest intervals, also where nothing happened and where answers cluster."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2, ttest_1samp

from temperament.errors import RequestError
from temperament.stats import Estimate, average, paired_difference, ratio, share


def topics(count, size):
    return [f"topic {index // size}" for index in range(count * size)]


def bounds(estimate):
    assert estimate.lower is not None
    assert estimate.upper is not None
    return estimate.lower, estimate.upper


def width(estimate):
    lower, upper = bounds(estimate)
    return upper - lower


def test_an_estimate_reads_as_a_sentence():
    assert str(Estimate(0.816, 0.76, 0.874, 200)) == "0.82 (0.76 to 0.87), n = 200"
    assert str(Estimate(None, None, None, 0)) == "withheld, n = 0"
    assert str(Estimate(3.0, None, None, 4)) == "3.00 (interval withheld), n = 4"


# share


@pytest.mark.parametrize(("hits", "n"), [(82, 100), (5, 10), (0, 40), (40, 40), (1, 200), (199, 200)])
def test_the_share_of_independent_hits_is_wilsons_interval(hits, n):
    estimate = share([True] * hits + [False] * (n - hits))
    reference = binomtest(hits, n).proportion_ci(method="wilson")
    assert estimate.value == hits / n
    assert bounds(estimate) == pytest.approx((reference.low, reference.high), abs=1e-9)
    assert estimate.n == n


def test_the_share_of_independent_hits_matches_published_values():
    # Newcombe 1998 (doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E), table I, score method.
    assert bounds(share([1] * 81 + [0] * (263 - 81))) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert bounds(share([1] * 15 + [0] * (148 - 15))) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert bounds(share([0] * 20)) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert bounds(share([1] + [0] * 28)) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_clusters_of_one_answer_are_the_same_as_no_clusters():
    hits = [True] * 12 + [False] * 8
    assert share(hits, [str(index) for index in range(20)]) == share(hits)


def test_shares_of_zero_have_an_upper_bound_that_counts_topics():
    clustered = share([False] * 40, topics(8, 5))
    assert clustered.value == 0
    lower, upper = bounds(clustered)
    assert lower == 0
    assert upper > binomtest(0, 8).proportion_ci(method="wilson").high
    assert upper < 0.5
    assert bounds(share([True] * 40, topics(8, 5))) == pytest.approx((1 - upper, 1))


def test_one_hit_is_not_more_certain_than_none():
    none, one = share([0] * 40, topics(8, 5)), share([1] + [0] * 39, topics(8, 5))
    assert bounds(one)[1] > bounds(none)[1]


def test_hits_that_cluster_by_topic_widen_the_interval():
    names = topics(20, 5)
    spread_evenly = share([index % 5 == 0 for index in range(100)], names)
    all_in_four_topics = share([index < 20 for index in range(100)], names)
    assert spread_evenly.value == all_in_four_topics.value == 0.2
    assert width(all_in_four_topics) > 1.5 * width(spread_evenly)
    # Wholly alike within topics: 100 answers say as much as 20 do.
    assert width(all_in_four_topics) > width(share([index < 4 for index in range(20)]))


def test_with_fewer_than_two_topics_the_interval_is_withheld():
    assert share([1, 0, 1, 0], ["one"] * 4) == Estimate(0.5, None, None, 4)
    assert average([1.0, 2.0], ["one"] * 2) == Estimate(1.5, None, None, 2)
    assert ratio([1, 2], [2, 2], ["one"] * 2) == Estimate(0.75, None, None, 2)
    assert paired_difference([1.0, 2.0], [2.0, 4.0], ["one"] * 2) == Estimate(1.5, None, None, 2)
    assert paired_difference([0, 0], [1, 1], ["one"] * 2) == Estimate(1.0, None, None, 2)


def test_nothing_gives_no_value():
    nothing = Estimate(None, None, None, 0)
    assert share([]) == ratio([], []) == average([]) == paired_difference([], []) == nothing


@pytest.mark.parametrize("true_share", [0.02, 0.3, 0.5])
@pytest.mark.parametrize("count", [8, 20])
def test_shares_of_clustered_answers_are_covered(true_share, count):
    random = np.random.default_rng(7)
    names, correlation, repeats = topics(count, 5), 0.3, 1200
    strength = (1 - correlation) / correlation
    rates = random.beta(true_share * strength, (1 - true_share) * strength, (repeats, count))
    draws = random.random((repeats, count * 5)) < np.repeat(rates, 5, axis=1)
    found = [bounds(share(row, names)) for row in draws.tolist()]
    covered = np.mean([lower <= true_share <= upper for lower, upper in found])
    # Four standard errors of the simulation are 2.5 points; without the design effect coverage is below 0.90.
    assert covered >= 0.93


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdefg")), min_size=2, max_size=60))
def test_a_share_lies_in_its_interval_and_misses_mirror_hits(rows):
    hits, names = [hit for hit, _ in rows], [name for _, name in rows]
    estimate, mirrored = share(hits, names), share([not hit for hit in hits], names)
    if len(set(names)) < 2:
        assert estimate.lower is None
        return
    lower, upper = bounds(estimate)
    assert 0 <= lower <= estimate.value <= upper <= 1
    assert bounds(mirrored) == pytest.approx((1 - upper, 1 - lower), abs=1e-9)


# ratio


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


def test_ratios_of_clustered_counts_are_covered():
    random = np.random.default_rng(3)
    names, covered = topics(20, 5), []
    for _ in range(400):
        rates = np.repeat(random.gamma(2, 0.5, 20), 5) * 0.3
        sentences = random.integers(1, 4, 100)
        lower, upper = bounds(ratio(random.poisson(rates * sentences).tolist(), sentences.tolist(), names))
        covered.append(lower <= 0.3 <= upper)
    assert np.mean(covered) >= 0.90


# average and paired_difference


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


def test_averages_of_few_clusters_are_covered():
    random = np.random.default_rng(5)
    names, covered = topics(5, 4), []
    for _ in range(600):
        values = np.repeat(random.normal(size=5), 4) + random.normal(size=20)
        lower, upper = bounds(average(values.tolist(), names))
        covered.append(lower <= 0 <= upper)
    assert 0.92 <= np.mean(covered) <= 0.98


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


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("abcde")), min_size=2, max_size=40))
def test_swapping_before_and_after_turns_the_sign(rows):
    before, after, names = ([row[place] for row in rows] for place in range(3))
    there, back = paired_difference(before, after, names), paired_difference(after, before, names)
    assert there.value == pytest.approx(-back.value)
    if there.lower is not None:
        assert -1 <= there.lower <= there.value <= there.upper <= 1
        assert (there.lower, there.upper) == pytest.approx((-back.upper, -back.lower))


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = np.random.default_rng(1).normal(size=30).tolist()
    assert average(values, seed=1) == average(values, seed=1)
    assert average(values, seed=1) != average(values, seed=2)


# Requests that cannot be met


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: share([0.5, 2.0]), "between 0 and 1"),
        (lambda: share([0.5, float("nan")]), "not finite"),
        (lambda: share([True], ["a", "b"]), "got 2 clusters"),
        (lambda: ratio([1, 2], [1]), "as many denominators"),
        (lambda: ratio([-1, 2], [1, 1]), "negative"),
        (lambda: average([float("inf")]), "not finite"),
        (lambda: paired_difference([1.0], [1.0, 2.0]), "the same items"),
    ],
)
def test_impossible_values_are_refused(call, said):
    with pytest.raises(RequestError, match=said):
        call()


def test_statistics_import_neither_torch_nor_all_of_scipy():
    program = "import sys, json, temperament.stats; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "scipy.stats", "sklearn", "pandas"} & set(json.loads(output))
