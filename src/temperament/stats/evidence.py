"""Tests: how surprising a difference would be if there were none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from temperament.errors import RequestError
from temperament.stats.change import unpaired
from temperament.stats.cluster import Figures, Numbers, is_binary, paired, summed
from temperament.stats.estimate import Number

DRAWS = 9999
_EXACT_CLUSTERS = 14
_EXACT_GROUPS = 10_000
_SAME = 1 - 1e-9  # sums that differ by rounding only are ties, and ties count


@dataclass(frozen=True)
class Evidence:
    """What a test found.

    Attributes:
        p: the chance of a difference as large as this one, either way, if there were none; None where there is nothing
            to test it with.
        least: the smallest p that as many clusters can give: with 5 topics 0.06, so that nothing is significant.
        test: its name.
        n: values behind it.
        clusters: topics behind it.
    """

    p: float | None
    least: float | None
    test: str
    n: int
    clusters: int

    def __str__(self) -> str:
        if self.p is None:
            return f"p withheld ({self.test}), n = {self.n} on {self.clusters} topics"
        shown = "< 0.001" if self.p < 0.001 else f"= {self.p:.3f}"
        return f"p {shown} ({self.test}), n = {self.n} on {self.clusters} topics"


def mcnemar(before: Sequence[Number], after: Sequence[Number]) -> Evidence:
    """The exact McNemar test: of the items that changed, were as many gained as lost?

    Args:
        before: yes or no, one an item; the items are independent (one question a topic).
        after: of the same items, in the same order.

    Returns:
        The evidence; p is 1 where nothing changed.

    Raises:
        RequestError: a value is not 0 or 1, or the lengths differ.

    Source: McNemar 1947, doi:10.1007/BF02295996, with binomial probabilities in place of chi-squared.
    """
    first, second, _ = paired(before, after, None)
    if not is_binary(first, second):
        message = "McNemar's test needs yes and no: for other values take paired_test."
        raise RequestError(message)
    if not first.size:
        return Evidence(None, None, "exact McNemar", 0, 0)
    return Evidence(exact_flip_p(second - first), 2.0 ** (1 - first.size), "exact McNemar", first.size, first.size)


def paired_test(
    before: Sequence[Number],
    after: Sequence[Number],
    clusters: Sequence[str] | None = None,
    seed: int = 0,
) -> Evidence:
    """Whether the same items answer differently after than before, with topics as what is observed.

    If before and after were the same, the change of a whole topic would as likely be its opposite: the test flips the
    signs of topics, in all ways up to 14 topics and always for whole numbers such as yes and no, in 9,999 random ways
    otherwise. For yes and no with one question a topic this is the exact McNemar test, and is called so.

    Args:
        before: one value an item.
        after: of the same items, in the same order.
        clusters: the topic of each item; None where the items are independent.
        seed: of the random flips.

    Returns:
        The evidence; p is 1 where nothing changed, and withheld with fewer than two clusters.

    Raises:
        RequestError: a value is not finite, or the lengths differ.

    Source: Fisher 1935, The Design of Experiments, section 21; Winkler et al. 2015,
    doi:10.1016/j.neuroimage.2015.05.092 (flips of whole blocks); Phipson and Smyth 2010, doi:10.2202/1544-6115.1585
    (p of random flips is never 0).
    """
    first, second, codes = paired(before, after, clusters)
    count = int(codes.max()) + 1 if codes.size else 0
    has_names = count == first.size and is_binary(first, second)
    name = "exact McNemar" if has_names else "sign flips of topics"
    if count < 2:
        return Evidence(None, None, name, first.size, count)
    sums = summed(second - first, codes)
    if (sums == np.round(sums)).all():
        return Evidence(exact_flip_p(sums), 2.0 ** (1 - count), name, first.size, count)
    least = max(2.0 ** (1 - count), 0.0 if count <= _EXACT_CLUSTERS else 1 / (DRAWS + 1))
    return Evidence(float(flip_p(sums, seed)), least, name, first.size, count)


def flip_p(sums: Numbers, seed: int = 0) -> Figures:
    """How surprising sums by cluster, [..., cluster], are under flips of their signs, [...]."""
    signs = _signs(sums.shape[-1], seed)
    seen = np.abs(sums.sum(axis=-1, keepdims=True)) * _SAME
    reached = (np.abs(sums @ signs.T) >= seen).sum(axis=-1)
    if sums.shape[-1] <= _EXACT_CLUSTERS:
        return reached / len(signs)
    return (reached + 1) / (len(signs) + 1)


def exact_flip_p(sums: Numbers) -> float:
    """How surprising whole numbers by cluster, [cluster], are under all flips of their signs, counted sum by sum."""
    steps = np.abs(sums[sums != 0]).astype(np.int64)
    total = int(steps.sum())
    chances = np.zeros(total + 1)  # of the sum of those that come out positive
    chances[0] = 1.0
    for step in steps:
        chances *= 0.5
        chances[step:] += chances[: total + 1 - step].copy()
    reached = np.abs(2 * np.arange(total + 1) - total) >= abs(float(sums.sum()))
    return min(1.0, float(chances[reached].sum()))


def unpaired_test(
    first: Sequence[Number],
    second: Sequence[Number],
    first_clusters: Sequence[str] | None = None,
    second_clusters: Sequence[str] | None = None,
    seed: int = 0,
) -> Evidence:
    """Whether two groups without a topic in common have different means.

    Topics are dealt to the groups anew, in all ways where there are at most 10,000, in 9,999 random ways otherwise, and
    the difference over its standard error is compared. That is exact for groups of equal spread; where spreads differ
    few topics give too small a p, so Welch's p is given where it is the larger.

    Args:
        first: values of one group.
        second: values of the other.
        first_clusters: the topic of each value of the first; None where they are independent.
        second_clusters: of the second.
        seed: of the random deals.

    Returns:
        The evidence; withheld where a group has fewer than two clusters.

    Raises:
        RequestError: a value is not finite, the lengths differ, or a topic is in both groups.

    Source: Janssen 1997, doi:10.1016/S0167-7152(97)00043-6; Chung and Romano 2013, doi:10.1214/13-AOS1090 (the
    standard error makes the test right for unequal spreads and many topics); Welch 1947, doi:10.1093/biomet/34.1-2.28.
    Departs: the larger of two p is ours: with 6 topics a group and spreads of 1 to 3, dealing alone is wrong in 7 %.
    """
    name = "topics dealt anew"
    before, after, codes, others = unpaired(first, second, first_clusters, second_clusters)
    one = int(codes.max()) + 1 if codes.size else 0
    other = int(others.max()) + 1 if others.size else 0
    n = before.size + after.size
    if one < 2 or other < 2:
        return Evidence(None, None, name, n, one + other)
    sums = np.concatenate([summed(before, codes), summed(after, others)])
    sizes = np.concatenate([summed(np.ones_like(before), codes), summed(np.ones_like(after), others)])
    ways = math.comb(one + other, one)
    least = max((1 + (one == other)) / ways, 0.0 if ways <= _EXACT_GROUPS else 1 / (DRAWS + 1))
    return Evidence(float(deal_p(sums, sizes, one, seed)), least, name, n, one + other)


def deal_p(sums: Numbers, sizes: Numbers, one: int, seed: int = 0) -> Figures:
    """How surprising sums by cluster, [..., cluster], the first ``one`` of them a group, are among deals, [...]."""
    from scipy.special import stdtr

    count = sums.shape[-1]
    deals = _deals(count, one, seed)
    found, _ = _studentised(sums, sizes, deals)
    seen, degrees = _studentised(sums, sizes, np.arange(count)[None] < one)
    reached = (found >= seen * _SAME).sum(axis=-1)
    is_all = math.comb(count, one) <= _EXACT_GROUPS
    dealt = reached / len(deals) if is_all else (reached + 1) / (len(deals) + 1)
    return np.maximum(dealt, 2 * stdtr(degrees[..., 0], -seen[..., 0]))


def _studentised(sums: Numbers, sizes: Numbers, deals: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """The difference of two groups over its standard error, without its sign, and Welch's degrees of freedom."""
    means: list[Numbers] = []
    variance, shares = np.zeros(()), np.zeros(())
    for group in (deals.astype(np.float64), (~deals).astype(np.float64)):
        base, count = group @ sizes, group.sum(axis=1)
        mean = (sums @ group.T) / base
        squares = (sums**2) @ group.T - 2 * mean * ((sums * sizes) @ group.T) + mean**2 * (group @ sizes**2)
        mine = np.maximum(squares, 0.0) * count / (count - 1) / base**2
        # Topics of uneven size are worth fewer of even size.
        degrees = np.maximum(base**2 / (group @ sizes**2) - 1, 1.0)
        variance, shares = variance + mine, shares + mine**2 / degrees
        means.append(mean)
    difference = np.abs(means[1] - means[0])
    scale = np.abs(sums).max(axis=-1, keepdims=True) / sizes.min()
    error = np.maximum(np.sqrt(variance), 1e-9 * scale)
    found = np.where(difference > 1e-12 * scale, difference / np.where(error > 0, error, 1.0), 0.0)
    return found, np.where(shares > 0, variance**2 / np.where(shares > 0, shares, 1.0), 1.0)


def _signs(count: int, seed: int) -> Numbers:
    """Signs by which clusters are flipped, [flip, cluster]; all ways where there are few.

    The opposite of each way gives the same size, so one cluster keeps its sign.
    """
    if count > _EXACT_CLUSTERS:
        return np.random.default_rng(seed).integers(0, 2, (DRAWS, count)).astype(np.float64) * 2 - 1
    ways = np.arange(2 ** (count - 1))[:, None] >> np.arange(count) & 1
    return 1 - 2 * ways[:, ::-1].astype(np.float64)


def _deals(count: int, one: int, seed: int) -> NDArray[np.bool_]:
    """Which clusters are in the first group, [deal, cluster]."""
    if math.comb(count, one) <= _EXACT_GROUPS:
        chosen = np.array(list(combinations(range(count), one)))
        deals = np.zeros((len(chosen), count), dtype=bool)
        np.put_along_axis(deals, chosen, values=True, axis=1)
        return deals
    start = np.broadcast_to(np.arange(count) < one, (DRAWS, count))
    return np.random.default_rng(seed).permuted(start, axis=1)
