"""Intervals cover known answers in 93 of 100 cases or more, and tests are wrong in five of a hundred at most.

A part of ``python -m benchmarks.coverage``, with thousands of data sets a setting: four standard errors of a simulation
of 4,000 are 1.4 points at 95 %, so settings are held to 93 % where the benchmark found 94 % or more.
"""

from pathlib import Path

import numpy as np
import pytest

from temperament.stats.evidence import deal_p, exact_flip_p, flip_p
from temperament.stats.mean import ratio_bounds
from temperament.stats.proportion import change_bounds, share_bounds
from temperament.stats.resample import resampled_bounds


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


def test_shares_of_independent_answers_are_covered_as_counted_over_all_outcomes():
    """Not drawn: every outcome. Whole numbers of hits make coverage jump, for any interval that is not drawn by lot."""
    from benchmarks.coverage import exact_coverage

    shares = np.linspace(0.0005, 0.9995, 1001)
    central = (shares >= 0.1) & (shares <= 0.9)
    for n in (4, 5, 6, 8, 10, 15, 20, 30, 40, 60, 100, 200):
        found = exact_coverage(n, shares)
        assert found.min() >= 0.91, n
        assert (found >= 0.93).mean() >= 0.95, n
        if n >= 20:
            assert (found[central] <= 0.97).mean() >= 0.85, n
            assert found[central].max() <= 0.985, n
            assert 0.945 <= found[central].mean() <= 0.96, n


@pytest.mark.parametrize("topics", [4, 8, 20, 40])
@pytest.mark.parametrize("size", [5, "uneven"])
def test_shares_of_clustered_answers_are_covered(topics, size):
    from benchmarks.coverage import covered, draw_hits, sizes_of

    random = np.random.default_rng((topics, 5 if size == 5 else 0))
    for share in (0.005, 0.02, 0.1, 0.2, 0.5, 0.7, 0.98):
        for icc in (0.0, 0.1, 0.3, 0.6):
            hits = draw_hits(random, share, icc, sizes_of(topics, size), 4000)
            found = covered(share_bounds(hits), share)
            assert found >= 0.93, (share, icc)
            if topics >= 20 and 0.2 <= share <= 0.8:
                assert found <= 0.97, (share, icc)
            if topics >= 20 and share == 0.1:
                # A share of 0.1 is near 0 for so few topics: the lower bound can hardly miss it.
                assert found <= 0.985, (share, icc)


@pytest.mark.parametrize("topics", [4, 10, 20])
@pytest.mark.parametrize("size", [1, 5])
def test_changes_of_yes_and_no_are_covered(topics, size):
    from benchmarks.coverage import covered, draw_changes, sizes_of

    random = np.random.default_rng((topics, size))
    for gained, lost in ((0.005, 0.0), (0.05, 0.0), (0.1, 0.1), (0.3, 0.1), (0.5, 0.1), (0.45, 0.45), (0.95, 0.0)):
        for icc in (0.0,) if size == 1 else (0.0, 0.3, 0.6):
            changes = draw_changes(random, gained, lost, icc, sizes_of(topics, size), 3000)
            found = covered(change_bounds(changes), gained - lost)
            assert found >= 0.93, (gained, lost, icc)
            if topics == 20 and gained >= 0.3 and lost >= 0.1:
                assert found <= 0.98, (gained, lost, icc)


@pytest.mark.parametrize("topics", [4, 10, 20])
@pytest.mark.parametrize("size", [5, "uneven"])
@pytest.mark.parametrize("kind", ["normal", "rounded", "skewed"])
def test_means_and_differences_of_values_are_covered(topics, size, kind):
    from benchmarks.coverage import covered, draw_values, sizes_of

    sizes = sizes_of(topics, size)
    sums, mean = draw_values(np.random.default_rng(topics), kind, 0.3, sizes, 1000)
    found = covered(resampled_bounds(sums, sizes), mean)
    assert 0.93 <= found <= 0.985


@pytest.mark.parametrize("topics", [6, 20])
@pytest.mark.parametrize(("rate", "spread"), [(0.01, 0.7), (0.3, 0.0), (0.3, 0.7), (2.0, 0.7)])
def test_ratios_of_counts_are_covered(topics, rate, spread):
    from benchmarks.coverage import covered, draw_counts, sizes_of

    sizes = sizes_of(topics, 5)
    above, below = draw_counts(np.random.default_rng(topics), rate, spread, sizes, 600)
    assert covered(ratio_bounds(above, below, sizes), rate) >= 0.93


@pytest.mark.parametrize("topics", [6, 12, 30])
def test_flips_are_wrong_in_five_of_a_hundred_at_most(topics):
    """4,000 and 1,000 data sets: three standard errors are 1.0 and 2.1 points."""
    from benchmarks.coverage import draw_changes, draw_values, sizes_of

    random, sizes = np.random.default_rng(topics), sizes_of(topics, "uneven")
    yes = draw_changes(random, 0.15, 0.15, 0.3, sizes, 4000).sums
    assert np.mean([exact_flip_p(row) <= 0.05 for row in yes]) <= 0.06
    before, after = (draw_values(random, "log-normal", 0.4, sizes, 1000)[0] for _ in range(2))
    found = np.mean(flip_p(after - before) <= 0.05)
    assert found <= 0.071
    assert topics < 12 or found >= 0.03


@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_dealing_is_wrong_in_five_of_a_hundred_at_most(spread):
    """1,000 data sets: three standard errors are 2.1 points."""
    from benchmarks.coverage import draw_values, sizes_of

    both = np.concatenate([sizes_of(6, 3), sizes_of(6, 3)])
    sums, _ = draw_values(np.random.default_rng(7), "normal", 0.4, both, 1000)
    sums[:, 6:] *= spread
    found = np.mean(deal_p(sums, both, 6) <= 0.05)
    assert 0.025 <= found <= 0.071
