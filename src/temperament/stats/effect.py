"""Effect sizes: how large a difference is beside what varies anyway. Positive where the second is larger."""

import math
from collections.abc import Sequence

import numpy as np

from temperament.errors import RequestError
from temperament.stats.change import unpaired, unpaired_difference
from temperament.stats.cluster import Codes, Figures, Numbers, is_binary, paired, student, summed, tally
from temperament.stats.estimate import Estimate, Number
from temperament.stats.proportion import recovered, share_bounds


def cohens_d(
    first: Sequence[Number],
    second: Sequence[Number],
    first_clusters: Sequence[str] | None = None,
    second_clusters: Sequence[str] | None = None,
) -> Estimate:
    """Cohen's d of two groups: the difference of their means in standard deviations within groups.

    Args:
        first: values of one group.
        second: values of the other; the groups have no topic in common.
        first_clusters: the topic of each value of the first; None where they are independent.
        second_clusters: of the second.

    Returns:
        The estimate. Without a value where a group has fewer than two values or nothing varies; without an interval
        where a group has fewer than two clusters.

    Raises:
        RequestError: a value is not finite, the lengths differ, or a topic is in both groups.

    Source: Cohen 1988, Statistical Power Analysis, equation 2.5.1; Hedges and Olkin 1985, Statistical Methods for
    Meta-Analysis, chapter 5 (variance, and the scale on which it does not depend on d).
    Departs: the variance is summed over topics by linearisation, so that it holds for answers that cluster.
    """
    before, after, codes, others = unpaired(first, second, first_clusters, second_clusters)
    sizes = before.size, after.size
    if min(sizes) < 2:
        return Estimate(None, None, None, sum(sizes))
    degrees = sum(sizes) - 2
    one, other = before - before.mean(), after - after.mean()
    spread = math.sqrt(((one**2).sum() + (other**2).sum()) / degrees)
    if not _varies(spread, before, after):
        return Estimate(None, None, None, sum(sizes))
    value = float(after.mean() - before.mean()) / spread
    counts = int(codes.max()) + 1, int(others.max()) + 1
    if min(counts) < 2:
        return Estimate(value, None, None, sum(sizes))
    parts = [(-one / spread, codes), (other / spread, others)]
    bend = 1 / math.sqrt(2 * degrees * (1 / sizes[0] + 1 / sizes[1]))
    return _stretched(value, _variance(value, parts, degrees), bend, sum(counts) - 2, sum(sizes))


def cohens_d_paired(
    before: Sequence[Number], after: Sequence[Number], clusters: Sequence[str] | None = None
) -> Estimate:
    """Cohen's d_z: the mean change in standard deviations of the changes.

    Args:
        before: one value an item.
        after: of the same items, in the same order.
        clusters: the topic of each item; None where the items are independent.

    Returns:
        The estimate. Without a value where there are fewer than two items or all changed by as much; without an
        interval with fewer than two clusters.

    Raises:
        RequestError: a value is not finite, or the lengths differ.

    Source: Cohen 1988, Statistical Power Analysis, equation 2.3.5; for the interval see `cohens_d`.
    """
    first, second, codes = paired(before, after, clusters)
    change = second - first
    spread = float(change.std(ddof=1)) if change.size > 1 else 0.0
    if not _varies(spread, first, second):
        return Estimate(None, None, None, change.size)
    value = float(change.mean()) / spread
    if not codes.max():
        return Estimate(value, None, None, change.size)
    variance = _variance(value, [((change - change.mean()) / spread, codes)], change.size - 1)
    return _stretched(value, variance, math.sqrt(0.5), int(codes.max()), change.size)


def cohens_h(
    first: Sequence[Number],
    second: Sequence[Number],
    first_clusters: Sequence[str] | None = None,
    second_clusters: Sequence[str] | None = None,
) -> Estimate:
    """Cohen's h of two groups: the difference of their shares on the arcsine scale, from -pi to pi.

    Args:
        first: yes or no.
        second: of other items on other topics.
        first_clusters: the topic of each value of the first; None where they are independent.
        second_clusters: of the second.

    Returns:
        The estimate; without an interval where a group has fewer than two clusters.

    Raises:
        RequestError: a value is not 0 or 1, the lengths differ, or a topic is in both groups.

    Source: Cohen 1988, Statistical Power Analysis, equation 6.2.1; the bounds are those of the two shares (`share`),
    combined as Zou and Donner 2008, doi:10.1002/sim.3095, do.
    """
    before, after, codes, others = unpaired(first, second, first_clusters, second_clusters)
    return _arcsine((before, codes), (after, others), 0.0, before.size + after.size)


def cohens_h_paired(
    before: Sequence[Number], after: Sequence[Number], clusters: Sequence[str] | None = None
) -> Estimate:
    """Cohen's h of the same items before and after; the bounds know how far the two go together.

    Args:
        before: yes or no, one an item.
        after: of the same items, in the same order.
        clusters: the topic of each item; None where the items are independent.

    Returns:
        The estimate; without an interval with fewer than two clusters.

    Raises:
        RequestError: a value is not 0 or 1, or the lengths differ.
    """
    first, second, codes = paired(before, after, clusters)
    one, other = first - first.mean() if first.size else first, second - second.mean() if second.size else second
    scale = math.sqrt(float((one**2).sum() * (other**2).sum()))
    together = float((one * other).sum()) / scale if scale > 0 else 0.0
    return _arcsine((first, codes), (second, codes), together, first.size)


def risk_difference(
    first: Sequence[Number],
    second: Sequence[Number],
    first_clusters: Sequence[str] | None = None,
    second_clusters: Sequence[str] | None = None,
) -> Estimate:
    """The share of the second group less the share of the first, as `unpaired_difference`, of yes and no alone.

    For the same items before and after it is `paired_difference`.

    Raises:
        RequestError: a value is not 0 or 1, the lengths differ, or a topic is in both groups.
    """
    before, after, _, _ = unpaired(first, second, first_clusters, second_clusters)
    _need_binary(before, after)
    return unpaired_difference(first, second, first_clusters, second_clusters)


def _varies(spread: float, *arrays: Numbers) -> bool:
    """Whether a standard deviation is more than rounding."""
    return spread > 1e-12 * max((float(np.abs(array).max()) for array in arrays if array.size), default=0.0)


def _need_binary(*arrays: Numbers) -> None:
    if not is_binary(*arrays):
        message = "a difference of shares needs yes and no: for other values take Cohen's d."
        raise RequestError(message)


def _clustered(moved: Numbers, codes: Codes) -> float:
    """The variance of a sum of influences, summed by cluster first."""
    sums = summed(moved, codes)
    return float((sums**2).sum()) * sums.size / (sums.size - 1)


def _variance(value: float, parts: Sequence[tuple[Numbers, Codes]], degrees: int) -> float:
    """Of d, from each group's deviations in standard deviations; no smaller than for normal values.

    What few values say about the spread of a spread is too little more often than too much.
    """
    of_mean = sum(_clustered(apart / apart.size, codes) for apart, codes in parts)
    moved = sum(
        _clustered(apart / apart.size - value / (2 * degrees) * (apart**2 - 1), codes) for apart, codes in parts
    )
    return max(moved, of_mean + value**2 / (2 * degrees))


def _stretched(value: float, variance: float, bend: float, degrees: int, n: int) -> Estimate:
    """Bounds made on the scale asinh(bend * d) / bend, where the spread of d does not grow with d."""
    middle = math.asinh(bend * value) / bend
    half = float(student(degrees)) * math.sqrt(variance) / math.sqrt(1 + (bend * value) ** 2)
    lower, upper = (math.sinh(min(max(bend * bound, -30.0), 30.0)) / bend for bound in (middle - half, middle + half))
    return Estimate(value, min(lower, value), max(upper, value), n)


def _arcsine(one: tuple[Numbers, Codes], other: tuple[Numbers, Codes], together: float, n: int) -> Estimate:
    (first, codes), (second, others) = one, other
    _need_binary(first, second)
    if not first.size or not second.size:
        return Estimate(None, None, None, n)
    before, after = _angle(first.mean()), _angle(second.mean())
    value = float(after - before)
    if not codes.max() or not others.max():
        return Estimate(value, None, None, n)
    least, most = (_angle(bound) for bound in share_bounds(tally(first, codes)))
    lowest, highest = (_angle(bound) for bound in share_bounds(tally(second, others)))
    below = float(recovered(after - lowest, most - before, together))
    above = float(recovered(highest - after, before - least, together))
    return Estimate(value, max(value - below, -math.pi), min(value + above, math.pi), n)


def _angle(share: Figures) -> Figures:
    return 2 * np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0)))
