"""Families of tests, and what a study of a given size can see."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interval import topics
from scipy.stats import false_discovery_control

from temperament.stats import (
    Discovery,
    Visible,
    discoveries,
    power_note,
    visible_change,
    visible_share_change,
    visible_share_difference,
)
from temperament.stats.evidence import exact_flip_p, flip_p
from temperament.stats.power import mcnemar_power, student_power

a_few = settings(max_examples=25, deadline=None)

chances = st.dictionaries(st.text(max_size=5), st.floats(0, 1), min_size=1, max_size=20)


@a_few
@given(chances)
def test_adjusted_p_agree_with_scipy_and_statsmodels(family):
    from statsmodels.stats.multitest import multipletests

    found = discoveries(family)
    assert list(found) == list(family)
    adjusted = [each.adjusted for each in found.values()]
    assert adjusted == pytest.approx(false_discovery_control(list(family.values())).tolist())
    rejected, reference, _, _ = multipletests(list(family.values()), alpha=0.05, method="fdr_bh")
    assert adjusted == pytest.approx(reference.tolist())
    close = np.isclose(reference, 0.05, atol=1e-9)
    assert [each.is_found for each in found.values()] == pytest.approx(rejected | False) or close.any()


@a_few
@given(chances)
def test_a_smaller_p_is_never_adjusted_to_a_larger_one(family):
    found = sorted(discoveries(family).values(), key=lambda each: each.p)
    for better, worse in pairwise(found):
        assert better.adjusted <= worse.adjusted
        assert better.is_found or not worse.is_found
    assert all(each.p <= each.adjusted + 1e-12 <= 1 + 1e-12 for each in found)


def test_tests_that_were_withheld_keep_their_name_and_do_not_count():
    found = discoveries({"words": 0.04, "emoji_share": None, "pole_share": 0.03})
    assert found["emoji_share"] == Discovery(None, None, is_found=False)
    assert found["words"].adjusted == pytest.approx(0.04)
    assert found["words"].is_found
    assert discoveries({}) == {}
    many = discoveries({"words": 0.04, **{f"other {index}": 0.9 for index in range(9)}})
    assert not many["words"].is_found


def test_of_what_is_found_few_are_chance():
    """30 of 40 tests have nothing to find."""
    random, wrong = np.random.default_rng(3), []
    for _ in range(300):
        p = np.concatenate([random.random(30), random.random(10) * 0.004])
        named = discoveries({str(index): float(each) for index, each in enumerate(p)})
        found = [int(name) for name, each in named.items() if each.is_found]
        wrong.append(sum(index < 30 for index in found) / max(len(found), 1))
    assert 0.02 < np.mean(wrong) <= 0.05


# What can be seen


def test_what_can_be_seen_reads_as_a_sentence():
    assert str(visible_share_change(40, 0.25)) == (
        "with n = 40 on 40 topics you can see differences of 0.22 or more (80 % power, alpha .05)"
    )
    assert str(Visible(None, 4, 2)) == "with n = 4 on 2 topics you can see no difference (80 % power, alpha .05)"
    assert "0.0013 or more" in str(Visible(0.00124, 400, 40))


@pytest.mark.parametrize("n", [10, 40, 300])
def test_visible_mean_changes_agree_with_statsmodels(n):
    from statsmodels.stats.power import TTestPower

    # Ten topics and more can give p close enough to 0.05.
    reference = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
    assert visible_change(n, 2.0).difference == pytest.approx(2 * reference, rel=0.01)
    assert student_power(reference * math.sqrt(n), n - 1) == pytest.approx(0.8, abs=0.005)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_visible_differences_of_shares_agree_with_statsmodels(share):
    from statsmodels.stats.power import NormalIndPower
    from statsmodels.stats.proportion import proportion_effectsize

    found = visible_share_difference(50, share).difference
    reference = NormalIndPower().solve_power(nobs1=50, alpha=0.05, power=0.8, ratio=1)
    assert proportion_effectsize(share + found, share) == pytest.approx(reference, rel=1e-4)


@pytest.mark.parametrize(("n", "discordance"), [(40, 0.25), (100, 0.1), (60, 0.6)])
def test_visible_changes_of_shares_are_seen_in_four_of_five_studies(n, discordance):
    difference = visible_share_change(n, discordance).difference
    changed = max(discordance, difference)
    chances = [(changed + difference) / 2, (changed - difference) / 2, 1 - changed]
    random = np.random.default_rng(1)
    drawn = random.choice([1.0, -1.0, 0.0], (3000, n), p=chances)
    seen = np.mean([exact_flip_p(row) <= 0.05 for row in drawn])
    assert seen == pytest.approx(0.8, abs=0.025)
    assert mcnemar_power(difference, changed, n) == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize(("clusters", "size", "icc"), [(12, 1, 0.0), (10, 5, 0.3), (20, 5, 0.3), (40, 1, 0.0)])
def test_visible_changes_of_means_are_seen_in_four_of_five_studies(clusters, size, icc):
    difference = visible_change(clusters * size, 1.0, clusters, icc).difference
    random = np.random.default_rng(2)
    own = random.normal(size=(1000, clusters, size)) * math.sqrt(1 - icc)
    values = own + random.normal(size=(1000, clusters, 1)) * math.sqrt(icc) + difference
    seen = np.mean(flip_p(values.sum(axis=-1)) <= 0.05)
    assert seen == pytest.approx(0.8, abs=0.04)


def test_clustered_answers_and_fewer_of_them_see_less():
    assert visible_change(100, 1.0, 20, 0.3).difference > visible_change(100, 1.0, 20).difference
    assert visible_change(40, 1.0).difference > visible_change(160, 1.0).difference
    assert visible_share_change(100, 0.3, 20, 0.5).difference > visible_share_change(100, 0.3).difference
    assert visible_share_change(40, 0.5).difference > visible_share_change(40, 0.25).difference


def test_five_topics_see_nothing_because_their_p_cannot_be_small():
    assert visible_change(100, 1.0, 5).difference is None
    assert visible_share_change(100, 0.3, 5).difference is None
    assert visible_change(100, 1.0, 6).difference is not None


def test_a_note_takes_its_terms_from_the_items():
    before, after = [0] * 40, [1] * 6 + [0] * 34
    # 6 of 40 changed: the centre of Wilson's interval is 0.18, less than what can be seen.
    assert power_note(before, after).difference == visible_share_change(40, 0.18).difference
    values = np.random.default_rng(1).normal(size=30)
    assert power_note([0.0] * 30, values.tolist()).difference == pytest.approx(
        visible_change(30, float(values.std(ddof=1))).difference
    )


def test_no_change_at_all_is_not_taken_for_perfect_sight():
    assert power_note([0] * 40, [0] * 40).difference == pytest.approx(0.2, abs=0.02)
    assert power_note([3.0] * 40, [3.0] * 40).difference is None
    assert power_note([], []).difference is None


def test_a_note_counts_topics():
    random = np.random.default_rng(5)
    change = np.repeat(random.normal(size=12), 5) + 0.1 * random.normal(size=60)
    alone, clustered = power_note([0.0] * 60, change.tolist()), power_note([0.0] * 60, change.tolist(), topics(12, 5))
    assert clustered.difference > 1.8 * alone.difference
    assert str(clustered).startswith("with n = 60 on 12 topics")
