"""Tests of differences: exact where they can be, silent where there is nothing, loud where there is something."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interval import topics
from scipy.stats import binomtest, permutation_test, ttest_1samp

from temperament.stats import Evidence, mcnemar, paired_test, unpaired_test
from temperament.stats.evidence import exact_flip_p, flip_p
from temperament.stats.power import mcnemar_power

a_few = settings(max_examples=25, deadline=None)


def changed(gained, lost, same):
    before = [0] * gained + [1] * lost + [0] * same
    return before, [1] * gained + [0] * lost + [0] * same


def test_evidence_reads_as_a_sentence():
    assert str(Evidence(0.0312, 0.01, "exact McNemar", 40, 40)) == "p = 0.031 (exact McNemar), n = 40 on 40 topics"
    assert str(Evidence(0.0001, 0.0, "sign flips of topics", 40, 20)).startswith("p < 0.001 (sign flips of topics)")
    assert str(Evidence(None, None, "exact McNemar", 1, 1)) == "p withheld (exact McNemar), n = 1 on 1 topics"


@pytest.mark.parametrize(("gained", "lost"), [(9, 1), (3, 3), (12, 5), (0, 7), (1, 0)])
def test_mcnemars_test_agrees_with_statsmodels_and_with_the_binomial_test(gained, lost):
    from statsmodels.stats.contingency_tables import mcnemar as reference

    found = mcnemar(*changed(gained, lost, 20))
    assert found.p == pytest.approx(reference([[0, lost], [gained, 20]], exact=True).pvalue)
    assert found.p == pytest.approx(binomtest(gained, gained + lost).pvalue)
    assert found == mcnemar(*reversed(changed(gained, lost, 20)))


def test_one_question_a_topic_is_mcnemars_test():
    before, after = changed(9, 2, 20)
    assert paired_test(before, after) == mcnemar(before, after)
    assert paired_test(before, after, topics(31, 1)).test == "exact McNemar"


def test_topics_that_change_as_one_count_as_one():
    before, after = changed(12, 0, 12)
    alone, clustered = paired_test(before, after), paired_test(before, after, topics(6, 4))
    assert clustered.test == "sign flips of topics"
    assert alone.p == pytest.approx(2 * 0.5**12)
    assert clustered.p == pytest.approx(2 * 0.5**3)


def test_few_topics_cannot_show_anything_and_say_so():
    found = paired_test([0] * 20, [1] * 20, topics(4, 5))
    assert found.p == found.least == 0.125
    assert paired_test([0.0, 0.0], [1.5, 1.0], ["one", "one"]).p is None
    assert paired_test([], []).p is None


@a_few
@given(st.lists(st.integers(-4, 4), min_size=2, max_size=9))
def test_counting_sums_is_the_same_as_going_through_all_flips(sums):
    signs = np.array(list(product((-1, 1), repeat=len(sums))))
    reached = np.abs(signs @ np.array(sums)) >= abs(sum(sums))
    assert exact_flip_p(np.array(sums, dtype=float)) == pytest.approx(reached.mean())
    assert float(flip_p(np.array(sums, dtype=float))) == pytest.approx(reached.mean())


def test_flips_of_values_agree_with_scipy():
    change = np.random.default_rng(3).normal(0.5, 1, size=10)
    reference = permutation_test((change,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert paired_test([0.0] * 10, change.tolist()).p == pytest.approx(reference.pvalue)


def test_random_flips_of_many_topics_agree_with_students_test():
    change = np.random.default_rng(3).normal(0.35, 1, size=60)
    found = paired_test([0.0] * 60, change.tolist())
    assert found.p == pytest.approx(ttest_1samp(change, 0).pvalue, rel=0.2)
    assert found.least == 1e-4
    assert paired_test([0.0] * 60, [5.0 + 0.1 * value for value in change]).p == found.least


@a_few
@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef")), min_size=2, max_size=30))
def test_no_difference_has_p_of_one(rows):
    values, names = [float(value) for value, _ in rows], [name for _, name in rows]
    if len(set(names)) > 1:
        assert paired_test(values, values, names).p == 1
        assert paired_test([value + 0.3 for value in values], [value + 0.3 for value in values], names).p == 1


@a_few
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.sampled_from("abcdef")), min_size=2, max_size=20))
def test_before_and_after_can_be_swapped(rows):
    before, after, names = ([row[place] for row in rows] for place in range(3))
    assert paired_test(before, after, names).p == paired_test(after, before, names).p


def test_groups_that_do_not_differ_have_p_of_one_and_groups_that_do_a_small_one():
    same = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert unpaired_test(same, same).p == 1
    assert unpaired_test([1.0] * 5, [1.0] * 5).p == 1
    apart = unpaired_test(same, [value + 9.5 for value in same])
    assert apart.p == apart.least == pytest.approx(2 / 252)
    assert unpaired_test([1.0, 2.0], [1.0, 2.0], ["a", "a"], ["b", "c"]).p is None


def test_dealing_topics_anew_agrees_with_welchs_test_where_there_are_many():
    from scipy.stats import ttest_ind

    random = np.random.default_rng(8)
    first, second = random.normal(size=40), random.normal(0.6, 2, size=30)
    reference = ttest_ind(first, second, equal_var=False).pvalue
    found = unpaired_test(first.tolist(), second.tolist())
    assert found.p == pytest.approx(reference, rel=0.15)
    # Each value five times over says no more than once.
    often = unpaired_test(
        np.repeat(first, 5).tolist(), np.repeat(second, 5).tolist(), topics(40, 5, "a"), topics(30, 5, "b")
    )
    assert often.p == pytest.approx(found.p, rel=0.02)
    assert often.n == 350


def test_yes_and_no_of_two_groups_agree_with_an_exact_test():
    from scipy.stats import fisher_exact

    first, second = [1] * 4 + [0] * 26, [1] * 16 + [0] * 14
    found = unpaired_test(first, second).p
    assert found == pytest.approx(fisher_exact([[4, 26], [16, 14]]).pvalue, rel=0.6)
    assert found < 0.01


@pytest.mark.parametrize("n", [6, 10, 20, 40, 200])
def test_mcnemars_test_is_wrong_in_five_of_a_hundred_at_most(n):
    """Counted over all outcomes, not drawn."""
    for discordance in (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0):
        assert mcnemar_power(0.0, discordance, n) <= 0.05
