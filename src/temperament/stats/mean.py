"""Means and ratios of sums."""

import math
from collections.abc import Sequence

import numpy as np

from temperament.errors import RequestError
from temperament.stats.cluster import Codes, Figures, Numbers, checked, kish_size, summed, tally
from temperament.stats.estimate import NOTHING, TAIL, Estimate, Number
from temperament.stats.resample import resampled_bounds


def ratio(
    numerators: Sequence[Number],
    denominators: Sequence[Number],
    clusters: Sequence[str] | None = None,
    seed: int = 0,
) -> Estimate:
    """Sum over sum, such as emojis per sentence, with a bootstrap over clusters.

    A bootstrap cannot see what did not happen: from no emojis at all, or one a reply everywhere, it would claim
    certainty. Where the numerators are counts (whole numbers) the interval is therefore never narrower than the exact
    Poisson interval of their sum; a sum of 0 has the exact Poisson upper bound, 3.69 events at 95 %, over the
    denominators. As in `share`, the fewer events there are, the more a cluster counts as one answer, wholly at 0.
    Otherwise, where all clusters have the same ratio, the interval is withheld.

    Args:
        numerators: one per answer, 0 or more.
        denominators: one per answer, 0 or more.
        clusters: the topic of each answer; None where the answers are independent.
        seed: of the resamples.

    Returns:
        The estimate; without a value where the denominators sum to 0, without an interval with fewer than two clusters.

    Raises:
        RequestError: a number is negative or not finite, or the lengths differ.

    Source: Garwood 1936, doi:10.1093/biomet/28.3-4.437 (Poisson); for the bootstrap see `resampled_bounds`.
    """
    above, codes = checked(numerators, clusters, "numerators")
    below, _ = checked(denominators, clusters, "denominators")
    if above.size != below.size:
        message = f"a ratio needs as many denominators as numerators: got {below.size} and {above.size}."
        raise RequestError(message)
    if (above < 0).any() or (below < 0).any():
        message = "a ratio needs numerators and denominators of 0 or more: some are negative."
        raise RequestError(message)
    if not below.sum():
        return Estimate(None, None, None, above.size)
    value = float(above.sum() / below.sum())
    if not codes.max():
        return Estimate(value, None, None, above.size)
    is_count = bool((above == np.round(above)).all())
    sizes = summed(np.ones_like(above), codes) if is_count else None
    lower, upper = ratio_bounds(summed(above, codes), summed(below, codes), sizes, seed)
    return _estimate(value, lower, upper, above.size)


def ratio_bounds(above: Numbers, below: Numbers, sizes: Numbers | None, seed: int = 0) -> tuple[Figures, Figures]:
    """The bounds of ratios, [...] each; NaN where they are withheld.

    Args:
        above: sums of the numerators, [..., cluster].
        below: sums of the denominators, [..., cluster].
        sizes: answers in each cluster, [cluster], where the numerators are counts.
        seed: of the resamples.
    """
    lower, upper = resampled_bounds(above, below, seed)
    if sizes is not None:
        least, most = _poisson(above.sum(axis=-1), below.sum(axis=-1), kish_size(sizes))
        lower, upper = np.fmin(lower, least), np.fmax(upper, most)
    return np.maximum(lower, 0.0), upper


def average(values: Sequence[Number], clusters: Sequence[str] | None = None, seed: int = 0) -> Estimate:
    """The mean, with a bootstrap over clusters.

    Whole clusters are drawn with replacement, as many as there are; how the bounds are made is told at
    `resampled_bounds`. Where all clusters have the same mean, nothing is known about the spread: the value is given and
    the interval withheld. (For yes and no use `share`, which has an interval then.) In simulations coverage is 94 to
    97 % for symmetric values in 4 to 40 clusters, and 90 to 96 % for log-normal ones, lowest for fewer than 8 values.

    Args:
        values: any finite numbers.
        clusters: the topic of each value; None where the values are independent.
        seed: of the resamples.

    Returns:
        The estimate; its interval is withheld with fewer than two clusters.

    Raises:
        RequestError: a value is not finite, or the lengths differ.
    """
    return mean_of(*checked(values, clusters, "values"), seed)


def mean_of(numbers: Numbers, codes: Codes, seed: int) -> Estimate:
    """The mean of numbers that were checked."""
    if not numbers.size:
        return NOTHING
    value = float(numbers.mean())
    if not codes.max():
        return Estimate(value, None, None, numbers.size)
    values = tally(numbers, codes)
    return _estimate(value, *resampled_bounds(values.sums, values.sizes, seed), numbers.size)


def _poisson(events: Figures, base: Figures, size: float) -> tuple[Figures, Figures]:
    """Exact Poisson bounds of a count over its denominators; few events count by cluster of the given size."""
    from scipy.special import gammaincinv

    effect = 1 + (size - 1) / np.maximum(events, 1.0)
    events, base = events / effect, base / effect
    least = np.where(events > 0, gammaincinv(np.where(events > 0, events, 1.0), TAIL), 0.0)
    return least / base, gammaincinv(events + 1, 1 - TAIL) / base


def _estimate(value: float, lower: Figures, upper: Figures, n: int) -> Estimate:
    if math.isnan(lower) or math.isnan(upper):
        return Estimate(value, None, None, n)
    # Rounding must not leave the value outside its own interval.
    return Estimate(value, min(float(lower), value), max(float(upper), value), n)
