"""Bounds of means and ratios from resampled clusters."""

import numpy as np

from temperament.stats.cluster import Figures, Numbers, student
from temperament.stats.estimate import NORMAL, TAIL

RESAMPLES = 4000
_CELLS_AT_ONCE = 4_000_000  # numbers held in memory at a time


def resampled_bounds(above: Numbers, below: Numbers, seed: int = 0) -> tuple[Figures, Figures]:
    """Bounds of sum over sum; NaN where the clusters do not differ.

    Two intervals are made and the wider bound is taken on either side, because each alone is too short where the other
    is not (few or unequal clusters; skewed values): quantiles of the bootstrap over clusters, their distances from the
    value widened by t * sqrt(k / (k - 1)) / z for k clusters; and Student's interval corrected for skewness. The
    degrees of freedom of t are one fewer than the clusters that count, (sum of sizes)^2 / sum of squared sizes.

    Args:
        above: sums of the numerators, [..., cluster].
        below: sums of the denominators, the same shape.
        seed: of the resamples; data sets in one call share them.

    Returns:
        Lower and upper bounds, [...] each.

    Source: Davison and Hinkley 1997, Bootstrap Methods, section 3.8 (clusters); Hall 1992,
    doi:10.1111/j.2517-6161.1992.tb01872.x (skewness); Carter, Schnepel and Steigerwald 2017, doi:10.1162/REST_a_00639
    (clusters that count). The factor has the purpose and the size of the one in Hesterberg 2014, arXiv 1411.5279, 4.
    Departs: Hesterberg moves the levels of the quantiles; with fewer than six clusters no level reaches 95 %, so the
    distances are widened instead, which gives the Student interval for symmetric data. Taking the wider bound is ours:
    normal values in 10 clusters get a tenth wider, skewed ones by as much as they were too short, up to a third.
    """
    value = above.sum(axis=-1) / below.sum(axis=-1)
    known = below.sum(axis=-1) ** 2 / (below**2).sum(axis=-1)
    quantile = student(np.maximum(known - 1, 1.0))
    lower, upper = _bootstrap(above, below, value, quantile, seed)
    least, most = _student_bounds(above, below, value, quantile)
    even = np.expand_dims(value, -1) * below
    near = 1e-12 * (np.abs(above).max(axis=-1, keepdims=True) + np.abs(even))
    is_flat = (np.abs(above - even) <= near).all(axis=-1)
    lower, upper = np.minimum(np.minimum(lower, least), value), np.maximum(np.maximum(upper, most), value)
    return np.where(is_flat, np.nan, lower), np.where(is_flat, np.nan, upper)


def draws(count: int, seed: int) -> list[Numbers]:
    """How often each cluster is drawn in each resample, [resample, cluster], in parts that memory holds."""
    random = np.random.default_rng(seed)
    step = max(1, _CELLS_AT_ONCE // count)
    chances = np.full(count, 1 / count)
    sizes = [min(step, RESAMPLES - start) for start in range(0, RESAMPLES, step)]
    return [random.multinomial(count, chances, size).astype(np.float64) for size in sizes]


def widened(value: Figures, resamples: Numbers, quantile: Figures, count: int) -> tuple[Figures, Figures]:
    """Bounds from resampled values, [..., resample], which few clusters make too narrow; missing ones are left out."""
    quantiles = np.nanquantile if np.isnan(resamples).any() else np.quantile
    lower, upper = quantiles(resamples, (TAIL, 1 - TAIL), axis=-1)
    factor = quantile / NORMAL * np.sqrt(count / (count - 1))
    return value - (value - lower) * factor, value + (upper - value) * factor


def _bootstrap(above: Numbers, below: Numbers, value: Figures, quantile: Figures, seed: int) -> tuple[Figures, Figures]:
    parts: list[Numbers] = []
    for drawn in draws(above.shape[-1], seed):
        top, bottom = above @ drawn.T, below @ drawn.T
        parts.append(np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1.0), np.nan))
    return widened(value, np.concatenate(parts, axis=-1), quantile, above.shape[-1])


def _student_bounds(above: Numbers, below: Numbers, value: Figures, quantile: Figures) -> tuple[Figures, Figures]:
    """Student's interval over clusters, corrected for the skewness of what they add."""
    count = above.shape[-1]
    added = above - np.expand_dims(value, -1) * below
    variance = (added**2).mean(axis=-1)
    error = np.sqrt(variance / (count - 1)) / below.mean(axis=-1)
    unbiased = np.sqrt(count * (count - 1)) / (count - 2) if count > 2 else 1.0
    skewness = unbiased * (added**3).mean(axis=-1) / np.where(variance > 0, variance, 1.0) ** 1.5
    bend = skewness / np.sqrt(count)
    return value - _straightened(quantile, bend) * error, value - _straightened(-quantile, bend) * error


def _straightened(quantile: Figures, bend: Figures) -> Figures:
    """Where a mean over its error lies at a Student quantile: the inverse of Hall's cubic, at most twice as far.

    Four clusters can look so skewed that the inverse runs away; held so, the bounds keep nearly all that they cover.
    """
    is_bent = np.abs(bend) > 1e-6
    safe = np.where(is_bent, bend, 1.0)
    found = np.where(is_bent, 3 / safe * (np.cbrt(1 + safe * (quantile - safe / 6)) - 1), quantile)
    return np.clip(found, -2 * np.abs(quantile), 2 * np.abs(quantile))
