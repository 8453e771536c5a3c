"""Shares have honest intervals, also where nothing happened and where answers cluster."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interval import bounds, topics, width
from scipy.stats import binomtest

from temperament.stats import Estimate, average, paired_difference, ratio, share
from temperament.stats.proportion import wilson_bounds

a_few = settings(max_examples=25, deadline=None)


@pytest.mark.parametrize(("hits", "n"), [(82, 100), (6, 20), (0, 40), (40, 40), (20, 200), (194, 200), (500, 1000)])
def test_the_share_of_independent_hits_is_wilsons_interval(hits, n):
    from statsmodels.stats.proportion import proportion_confint

    estimate = share([True] * hits + [False] * (n - hits))
    reference = binomtest(hits, n).proportion_ci(method="wilson")
    assert estimate.value == hits / n
    assert bounds(estimate) == pytest.approx((reference.low, reference.high), abs=1e-9)
    assert bounds(estimate) == pytest.approx(proportion_confint(hits, n, method="wilson"), abs=1e-9)
    assert estimate.n == n


@pytest.mark.parametrize(("hits", "n"), [(1, 200), (3, 40), (4, 40), (5, 10), (1, 4)])
def test_few_hits_and_few_answers_reach_further_than_wilson_and_no_further_than_the_exact_interval(hits, n):
    estimate = share([True] * hits + [False] * (n - hits))
    wilson = binomtest(hits, n).proportion_ci(method="wilson")
    exact = binomtest(hits, n).proportion_ci(method="exact")
    # Less what two ways of computing the same bound differ by.
    rounding = 1e-12
    assert exact.low - rounding <= estimate.lower < wilson.low
    assert wilson.high - rounding <= estimate.upper <= max(exact.high, wilson.high) + rounding


def test_six_answers_or_fewer_have_the_exact_interval_where_that_is_wider():
    exact = binomtest(2, 5).proportion_ci(method="exact")
    assert bounds(share([1, 1, 0, 0, 0])) == pytest.approx((exact.low, exact.high))


def test_wilsons_interval_matches_published_values():
    # Newcombe 1998 (doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E), table I, score method.
    for hits, n, published in ((81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)),
                               (1, 29, (0.0061, 0.1718))):  # fmt: skip
        assert wilson_bounds(np.float64(hits / n), np.float64(n)) == pytest.approx(published, abs=5e-5)
    assert bounds(share([1] * 81 + [0] * (263 - 81))) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert bounds(share([1] * 15 + [0] * (148 - 15))) == pytest.approx((0.0624, 0.1605), abs=5e-5)


@a_few
@given(st.integers(2, 60), st.data())
def test_one_more_hit_raises_both_bounds(n, data):
    hits = data.draw(st.integers(0, n - 1))
    fewer, more = (bounds(share([1] * count + [0] * (n - count))) for count in (hits, hits + 1))
    assert more[0] > fewer[0] or fewer[0] == 0
    assert more[1] > fewer[1] or more[1] == 1


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


@a_few
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


def test_answers_that_differ_within_every_topic_narrow_the_interval_within_reason():
    names = topics(20, 2)
    apart, alike = share([index % 2 for index in range(40)], names), share([index < 20 for index in range(40)], names)
    assert width(apart) < width(share([index % 2 for index in range(40)])) < width(alike)
    assert width(apart) > 0.7 * width(share([index % 2 for index in range(40)]))
