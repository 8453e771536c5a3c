"""What a study of a given size can see."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from temperament.errors import RequestError
from temperament.stats.cluster import Numbers, correlation_within, is_binary, kish_size, paired, tally
from temperament.stats.estimate import NORMAL, Number

POWER = 0.8
ALPHA = 0.05


@dataclass(frozen=True)
class Visible:
    """The smallest difference that a comparison of this size would find.

    Attributes:
        difference: in the units of what is compared; None where none is large enough.
        n: items.
        clusters: topics.
        power: the chance to find it.
        alpha: the p at which it counts as found.
    """

    difference: float | None
    n: int
    clusters: int
    power: float = POWER
    alpha: float = ALPHA

    def __str__(self) -> str:
        where = f"with n = {self.n} on {self.clusters} topics you can see"
        alpha = f"{self.alpha:g}".removeprefix("0")
        terms = f"({100 * self.power:.0f} % power, alpha {alpha})"
        if self.difference is None:
            return f"{where} no difference {terms}"
        # Rounded up: a difference of what is printed can be seen.
        digits = 2 if self.difference >= 0.1 else 1 - math.floor(math.log10(self.difference))
        shown = math.ceil(self.difference * 10**digits - 1e-9) / 10**digits
        return f"{where} differences of {shown:.{digits}f} or more {terms}"


def visible_change(n: int, spread: float, clusters: int | None = None, icc: float = 0.0) -> Visible:
    """The smallest mean change of the same items that a paired test sees; none with fewer than six topics.

    Args:
        n: items.
        spread: the standard deviation of the items' changes, above 0.
        clusters: topics, of equal size; None for as many as items.
        icc: how far changes on one topic are alike, 0 to 1.

    Raises:
        RequestError: there are fewer than two items or clusters, more clusters than items, or a number out of range.

    Source: Cohen 1988, Statistical Power Analysis, section 2.3 (with the exact non-central t); the design effect is
    Kish's.
    """
    count, effect = _design(n, clusters, icc)
    if not spread > 0:
        message = f"a spread lies above 0: got {spread:g}."
        raise RequestError(message)
    error = spread * math.sqrt(effect / n)
    found = _least(lambda size: student_power(size, count - 1), 100.0) if _can_show(count) else None
    return Visible(None if found is None else found * error, n, count)


def visible_share_change(n: int, discordance: float, clusters: int | None = None, icc: float = 0.0) -> Visible:
    """The smallest change of a share over the same items that a paired test sees; none with fewer than six topics.

    Args:
        n: items.
        discordance: the share of items whose answer changes, either way, above 0 and at most 1. A difference that is
            larger needs as many changes as it is large, all one way.
        clusters: topics, of equal size; None for as many as items.
        icc: how far changes on one topic are alike, 0 to 1.

    Returns:
        The difference of gained less lost; None where not even a change of every item would be seen.

    Raises:
        RequestError: as `visible_change`, or the discordance is out of range.

    Source: Duffy 1984, doi:10.2307/2530913 (the exact power of McNemar's test).
    Departs: topics with several items count as the effective number of items, rounded down, and Student's t has to see
    the difference too, with as many degrees of freedom as there are topics, less one.
    """
    count, effect = _design(n, clusters, icc)
    if not 0 < discordance <= 1:
        message = f"a discordance lies above 0 and is at most 1: got {discordance:g}."
        raise RequestError(message)
    items = max(1, math.floor(n / effect + 1e-9))

    def power(size: float) -> float:
        changed = max(discordance, size)
        exact = mcnemar_power(size, changed, items)
        if count == n:
            return exact
        error = math.sqrt(max(changed - size**2, 1e-12) * effect / n)
        return min(exact, student_power(min(size / error, 100.0), count - 1))

    found = _least(power, 1.0) if _can_show(count) else None
    return Visible(found, n, count)


def visible_share_difference(n: int, share: float, clusters: int | None = None, icc: float = 0.0) -> Visible:
    """The smallest rise from a share to that of another group of the same size, compared unpaired.

    Args:
        n: items in each group.
        share: of the first group, 0 to 1.
        clusters: topics in each group, of equal size; None for as many as items.
        icc: how far answers on one topic are alike, 0 to 1.

    Returns:
        The difference of the shares; None where not even a rise to 1 would be seen.

    Raises:
        RequestError: as `visible_change`, or the share is out of range.

    Source: Cohen 1988, Statistical Power Analysis, section 6.3.
    """
    count, effect = _design(n, clusters, icc)
    if not 0 <= share <= 1:
        message = f"a share lies between 0 and 1: got {share:g}."
        raise RequestError(message)
    start = 2 * math.asin(math.sqrt(share))
    found = _least(lambda size: normal_power(size * math.sqrt(n / effect / 2)), math.pi - start)
    return Visible(None if found is None else math.sin((start + found) / 2) ** 2 - share, n, count)


def power_note(before: Sequence[Number], after: Sequence[Number], clusters: Sequence[str] | None = None) -> Visible:
    """What a comparison of these items could have seen, given how much they vary and how alike topics are.

    Says nothing about the difference that was found: only its spread (for yes and no, how many items changed) is used.
    No change in 40 items is not taken for a discordance of 0, but for the centre of Wilson's interval.

    Args:
        before: one value an item.
        after: of the same items, in the same order.
        clusters: the topic of each item; None where the items are independent.

    Returns:
        The smallest visible difference; None where the changes do not vary, or there are fewer than two clusters.

    Raises:
        RequestError: a value is not finite, or the lengths differ.
    """
    first, second, codes = paired(before, after, clusters)
    n, count = first.size, int(codes.max()) + 1 if codes.size else 0
    change = second - first
    spread = float(change.std(ddof=1)) if n > 1 else 0.0
    if count < 2 or (not is_binary(first, second) and not spread):
        return Visible(None, n, count)
    changes = tally(change, codes)
    icc = min(max(float(correlation_within(changes)), 0.0), 1.0) if n > count and spread else 0.0
    # Topics of unequal size count as fewer items on topics of equal size.
    effect = 1 + (kish_size(changes.sizes) - 1) * icc
    icc = (effect - 1) / (n / count - 1) if n > count else 0.0
    if not is_binary(first, second):
        return visible_change(n, spread, count, min(icc, 1.0))
    discordance = (float((change != 0).sum()) + NORMAL**2 / 2) / (n + NORMAL**2)
    return visible_share_change(n, discordance, count, min(icc, 1.0))


def student_power(size: float, degrees: int) -> float:
    """The chance that a two-sided t-test finds a difference of ``size`` standard errors.

    With few topics it is held to the largest p up to 0.05 that flips of their signs can give.
    """
    from scipy.special import nctdtr, stdtrit

    limit = float(stdtrit(degrees, 1 - _attained(degrees + 1) / 2))
    # Too far out in the tail to be computed is as good as never.
    opposite, missed = (np.nan_to_num(nctdtr(degrees, size, bound), nan=0.0) for bound in (-limit, limit))
    return float(1 - missed + opposite)


def mcnemar_power(difference: float, discordance: float, n: int) -> float:
    """The chance that the exact McNemar test of n items finds a difference of gained less lost."""
    from scipy.special import bdtr

    changed = np.arange(n + 1)
    towards = min((1 + difference / discordance) / 2, 1.0)
    limit = _rejected(n)
    is_some = limit >= 0
    low = np.where(is_some, bdtr(np.maximum(limit, 0), changed, towards), 0.0)
    high = np.where(is_some, bdtr(np.maximum(limit, 0), changed, 1 - towards), 0.0)
    return float((_binomial(n, discordance) * (low + high)).sum())


def normal_power(size: float) -> float:
    """The chance that a two-sided test of a normal value finds a difference of ``size`` standard errors."""
    from scipy.special import ndtr

    limit = NORMAL
    return float(ndtr(size - limit) + ndtr(-size - limit))


def _design(n: int, clusters: int | None, icc: float) -> tuple[int, float]:
    """The number of clusters, and how many items count as one."""
    count = n if clusters is None else clusters
    if not 2 <= count <= n:
        message = f"a comparison needs 2 topics or more, and an item on each: got {n} items on {count} topics."
        raise RequestError(message)
    if not 0 <= icc <= 1:
        message = f"a correlation within topics lies between 0 and 1: got {icc:g}."
        raise RequestError(message)
    return count, 1 + (n / count - 1) * icc


def _can_show(clusters: int) -> bool:
    """Whether flips of so few topics can give a p that counts at all."""
    return _attained(clusters) > 0


def _attained(clusters: int) -> float:
    """The largest p that flips of so many topics can give and that counts."""
    ways = 2.0 ** (min(clusters, 40) - 1)
    return math.floor(ALPHA * ways) / ways


def _least(power: Callable[[float], float], most: float) -> float | None:
    """The smallest size with enough power, found by halving; None where even the largest has too little."""
    if power(most) < POWER:
        return None
    low, high = 0.0, most
    while high - low > 1e-7 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high


def _rejected(n: int) -> Numbers:
    """For each number of changed items up to n, the most of the rarer kind with which McNemar's p is 0.05 at most.

    -1 where there is none.
    """
    from scipy.special import bdtr

    changed = np.arange(n + 1)
    rarer = np.arange(n // 2 + 1.0)
    p = 2 * bdtr(np.minimum(rarer[:, None], changed.astype(np.float64)), changed, 0.5)
    return (p <= ALPHA * (1 + 1e-9)).cumprod(axis=0).sum(axis=0) - 1.0


def _binomial(n: int, chance: float) -> Numbers:
    """Binomial probabilities of 0 to n."""
    from scipy.special import gammaln, xlog1py, xlogy

    count = np.arange(n + 1.0)
    ways = gammaln(n + 1) - gammaln(count + 1) - gammaln(n - count + 1)
    return np.exp(ways + xlogy(count, chance) + xlog1py(n - count, -chance))
