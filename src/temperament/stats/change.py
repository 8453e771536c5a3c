"""Differences: of the same items before and after, and of two groups of items that have nothing in common."""

from collections.abc import Sequence

import numpy as np

from temperament.errors import RequestError
from temperament.stats.cluster import Codes, Numbers, checked, is_binary, paired, tally
from temperament.stats.estimate import NOTHING, Estimate, Number
from temperament.stats.mean import average, mean_of
from temperament.stats.proportion import change_bounds, recovered, share


def paired_difference(
    before: Sequence[Number],
    after: Sequence[Number],
    clusters: Sequence[str] | None = None,
    seed: int = 0,
) -> Estimate:
    """The mean of after - before over the same items.

    Where all values are 0 or 1 the difference is the share of items that were gained less the share that were lost;
    each gets the interval of `share` at the effective number of items (the correlation is that of the differences), and
    both are combined by the method of variance estimates recovery. So no change in 40 items has honest bounds. For
    other values the interval is the bootstrap over clusters of `average`; where all clusters changed by exactly as much
    it is withheld.

    Args:
        before: one value an item.
        after: of the same items, in the same order.
        clusters: the topic of each item; None where the items are independent.
        seed: of the resamples.

    Returns:
        The estimate, positive where ``after`` is larger; its interval is withheld with fewer than two clusters.

    Raises:
        RequestError: a value is not finite, or the lengths differ.

    Source: Zou and Donner 2008, doi:10.1002/sim.3095 (recovery); Newcombe 1998, doi:10.1002/(SICI)1097-0258
    (19981130)17:22<2635::AID-SIM954>3.0.CO;2-C (paired shares).
    """
    first, second, codes = paired(before, after, clusters)
    if is_binary(first, second):
        return _gained_less_lost(second - first, codes)
    return mean_of(second - first, codes, seed)


def unpaired_difference(
    first: Sequence[Number],
    second: Sequence[Number],
    first_clusters: Sequence[str] | None = None,
    second_clusters: Sequence[str] | None = None,
    seed: int = 0,
) -> Estimate:
    """The mean of ``second`` less the mean of ``first``, which have no item and no topic in common.

    The interval combines those of the two means, or of the two shares where all values are 0 or 1: for independent
    shares it is Newcombe's. Where the same items were answered twice, `paired_difference` sees much more.

    Args:
        first: values of one group.
        second: values of the other.
        first_clusters: the topic of each value of the first; None where they are independent.
        second_clusters: of the second.
        seed: of the resamples.

    Returns:
        The estimate, positive where ``second`` is larger; n is that of both. Its interval is withheld where one of the
        two groups has fewer than two clusters, or clusters that do not differ.

    Raises:
        RequestError: a value is not finite, the lengths differ, or a topic is in both groups.

    Source: Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, method 10; Zou and
    Donner 2008, doi:10.1002/sim.3095.
    """
    before, after, _, _ = unpaired(first, second, first_clusters, second_clusters)
    if not before.size or not after.size:
        return Estimate(None, None, None, before.size + after.size)
    if is_binary(before, after):
        one, other = share(first, first_clusters), share(second, second_clusters)
    else:
        one, other = average(first, first_clusters, seed), average(second, second_clusters, seed)
    return _difference(one, other)


def unpaired(
    first: Sequence[Number],
    second: Sequence[Number],
    first_clusters: Sequence[str] | None,
    second_clusters: Sequence[str] | None,
) -> tuple[Numbers, Numbers, Codes, Codes]:
    """The values of two groups, and the number of each one's cluster within its group.

    Raises:
        RequestError: a value is not finite, the lengths differ, or a topic is in both groups.
    """
    before, codes = checked(first, first_clusters, "first values")
    after, others = checked(second, second_clusters, "second values")
    both = sorted(set(first_clusters or ()) & set(second_clusters or ()))
    if both:
        message = (
            f"groups that are compared unpaired have no topic in common: '{both[0]}' is in both; "
            "pair them by topic, or leave it out of one."
        )
        raise RequestError(message)
    return before, after, codes, others


def _difference(one: Estimate, other: Estimate) -> Estimate:
    """Of two independent estimates: the second less the first."""
    n = one.n + other.n
    if one.value is None or other.value is None:
        return Estimate(None, None, None, n)
    value = other.value - one.value
    if one.lower is None or one.upper is None or other.lower is None or other.upper is None:
        return Estimate(value, None, None, n)
    below = recovered(np.float64(other.value - other.lower), np.float64(one.upper - one.value))
    above = recovered(np.float64(other.upper - other.value), np.float64(one.value - one.lower))
    return Estimate(value, value - float(below), value + float(above), n)


def _gained_less_lost(change: Numbers, codes: Codes) -> Estimate:
    """The mean of changes of -1, 0 and 1."""
    if not change.size:
        return NOTHING
    value = float(change.mean())
    if not codes.max():
        return Estimate(value, None, None, change.size)
    lower, upper = change_bounds(tally(change, codes))
    # Rounding must not leave the value outside its own interval.
    return Estimate(value, min(float(lower), value), max(float(upper), value), change.size)
