"""Figures that say how far a judge can be trusted, each with an interval: topics are drawn anew."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temperament.stats import Estimate, correlation
from temperament.stats.cluster import student
from temperament.stats.estimate import NORMAL
from temperament.stats.resample import draws, widened

Numbers = NDArray[np.float64]
# How often each answer is there, [draw, answer], to the figure of each draw, [draw]; not a number where it has none.
Statistic = Callable[[Numbers], Numbers]
# Draws in which a figure exists below which it has no interval.
LEAST_SHARE = 0.9
_NEAR = 1e-9


def resampled(statistic: Statistic, topics: Sequence[str], seed: int = 0) -> Estimate:
    """Any figure of answers, with a bootstrap over topics, widened where these are few as in `stats.average`.

    Args:
        statistic: gives the figure of draws.
        topics: of the answers.
        seed: of the draws.

    Returns:
        The estimate; its interval is withheld with fewer than two topics, or where no draw differs.
    """
    codes = _codes(topics).astype(np.int64)
    n, count = codes.size, len(set(topics))
    value = float(statistic(np.ones((1, n)))[0]) if n else math.nan
    if math.isnan(value):
        return Estimate(None, None, None, n)
    if count < 2:
        return Estimate(value, None, None, n)
    found = np.concatenate([statistic(drawn[:, codes]) for drawn in draws(count, seed)])
    known = found[~np.isnan(found)]
    if known.size < LEAST_SHARE * found.size or np.ptp(known) < _NEAR:
        return Estimate(value, None, None, n)
    lower, upper = widened(np.float64(value), known, student(count - 1), count)
    return Estimate(value, min(value, float(lower)), max(value, float(upper)), n)


def separation(
    ratings: Sequence[float],
    is_high: Sequence[bool],
    topics: Sequence[str],
    groups: Sequence[str],
    names: Sequence[str] | None = None,
) -> Estimate:
    """The chance that an answer of the high pole is rated above one of the low pole; a tie is half.

    This is the area under the ROC curve (AUC): 0.5 is chance, 1 perfect, below 0.5 reversed. Pairs are made within a
    group alone. A bootstrap cannot see what did not happen, and from a perfect separation it would claim certainty, so
    the interval is never narrower than a score interval that has width there.

    Args:
        ratings: of the answers.
        is_high: what each answer shows.
        topics: of the answers.
        groups: of the answers, such as scales.
        names: of the answers: one that is there in two groups is no second one. None where all differ.

    Source: Newcombe 2006, doi:10.1002/sim.2324, method 5 (score interval), with the variance of Hanley and McNeil
    1982, doi:10.1148/radiology.143.1.7063747.
    Departs: for several groups of like size the variance is divided by their number.
    """
    values, high, codes = np.array(ratings, dtype=np.float64), np.array(is_high, dtype=bool), _codes(groups)
    found = resampled(lambda weights: _area(weights, values, high, codes), topics)
    if found.value is None or len(set(topics)) < 2:
        return found
    inside = [high[codes == code] for code in np.unique(codes) if len(set(high[codes == code])) == 2]
    sizes = [float(np.mean([(side == pole).sum() for side in inside])) for pole in (True, False)]
    different = len(set(names)) / len(names) if names else 1.0
    lower, upper = _score_interval(found.value, sizes[0], sizes[1], len(inside) * different)
    bounds = [bound for bound in (found.lower, found.upper) if bound is not None]
    return Estimate(found.value, max(0.0, min([lower, *bounds])), min(1.0, max([upper, *bounds])), found.n)


def rank_correlation(
    first: Sequence[float], second: Sequence[float], topics: Sequence[str], groups: Sequence[str] | None = None
) -> Estimate:
    """Spearman's correlation, -1 to 1, of ranks within groups; None where something does not vary.

    Args:
        first: one value an answer.
        second: one value an answer.
        topics: of the answers.
        groups: within which answers are compared, such as the poles; None compares all.

    Departs: within groups ranks are given once and not anew in each resample.
    """
    if groups is None:
        return correlation(first, second, topics)
    codes = _codes(groups)
    ranks = [_ranks(np.array(column, dtype=np.float64), codes) for column in (first, second)]
    return correlation(ranks[0].tolist(), ranks[1].tolist(), topics, "pearson")


def variance(values: Sequence[float], topics: Sequence[str]) -> Estimate:
    """The variance of values, over their number less one, with a bootstrap over topics."""
    column = np.array(values, dtype=np.float64)

    def of(weights: Numbers) -> Numbers:
        size = weights.sum(axis=1)
        squares = weights @ column**2 - (weights @ column) ** 2 / size
        return np.where(size > 1, np.maximum(squares, 0) / np.maximum(size - 1, 1), np.nan)

    found = resampled(of, topics)
    return Estimate(found.value, None if found.lower is None else max(0.0, found.lower), found.upper, found.n)


def _area(weights: Numbers, ratings: Numbers, is_high: NDArray[np.bool_], groups: Numbers) -> Numbers:
    """Of each draw the share of its pairs in which the high one is above."""
    pairs = (groups[is_high][:, None] == groups[~is_high][None, :]).astype(np.float64)
    wins = pairs * (np.sign(ratings[is_high][:, None] - ratings[~is_high][None, :]) + 1) / 2
    high, low = weights[:, is_high], weights[:, ~is_high]
    count = ((high @ pairs) * low).sum(axis=1)
    return np.divide(((high @ wins) * low).sum(axis=1), count, out=np.full(len(weights), np.nan), where=count > 0)


def _score_interval(area: float, high: float, low: float, groups: float) -> tuple[float, float]:
    """The areas from which the one that was found is no further than chance lets it be."""
    from scipy.optimize import brentq

    def beyond(candidate: float) -> float:
        spread = (1 - candidate) / (2 - candidate) + candidate / (1 + candidate)
        size = (high + low) / 2
        variance = candidate * (1 - candidate) * (1 + (size - 1) * spread) / (high * low * groups)
        return (area - candidate) ** 2 - NORMAL**2 * variance

    # 0 at an end where the area lies there itself; just inside of it negative, as at any other area.
    inside = min(max(area, _NEAR), 1 - _NEAR)
    ends: list[Any] = [brentq(beyond, 0.0, inside) if area > 0 else 0.0, brentq(beyond, inside, 1.0) if area < 1 else 1]
    return float(ends[0]), float(ends[1])


def _ranks(values: Numbers, groups: Numbers) -> Numbers:
    """Ranks within each group, as shares of it, around 0; equal values share theirs."""
    from scipy.stats import rankdata

    ranks = np.zeros_like(values)
    for group in np.unique(groups):
        mine = groups == group
        found = rankdata(values[mine])
        ranks[mine] = (found - found.mean()) / found.size
    return ranks


def _codes(names: Sequence[str]) -> Numbers:
    order = {name: code for code, name in enumerate(dict.fromkeys(names))}
    return np.array([order[name] for name in names], dtype=np.float64)
