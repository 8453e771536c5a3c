"""Answers by topic: what intervals need to know about them, and how many independent answers they are worth.

Arrays end in an axis of clusters. Axes before it are data sets that are looked at together: a caller has one, a
simulation has thousands, and both run the same code.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temperament.errors import RequestError
from temperament.stats.estimate import TAIL, Number

Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]
# One figure for each data set, [...]: a plain one where there is one data set.
Figures = Numbers | np.float64


@dataclass(frozen=True)
class Tally:
    """Sums by cluster.

    Attributes:
        sizes: values in each cluster, [cluster].
        sums: of the values, [..., cluster].
        squares: sums of the squared values, [..., cluster].
    """

    sizes: Numbers
    sums: Numbers
    squares: Numbers

    @property
    def n(self) -> int:
        """How many values there are."""
        return int(self.sizes.sum())

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return self.sizes.size

    @property
    def total(self) -> Figures:
        """Sums over all clusters, [...]."""
        return self.sums.sum(axis=-1)


def tally(numbers: Numbers, codes: Codes) -> Tally:
    """The sums of one data set."""
    return Tally(summed(np.ones_like(numbers), codes), summed(numbers, codes), summed(numbers**2, codes))


def checked(values: Iterable[Number], clusters: Sequence[str] | None, what: str) -> tuple[Numbers, Codes]:
    """The values as numbers, and the number of each one's cluster.

    Raises:
        RequestError: a value is not finite, or there are not as many clusters as values.
    """
    numbers = np.array(list(values), dtype=np.float64)
    if not np.isfinite(numbers).all():
        message = f"the {what} hold a number that is missing or not finite: leave missing answers out."
        raise RequestError(message)
    if clusters is None:
        return numbers, np.arange(numbers.size)
    if len(clusters) != numbers.size:
        message = f"each of the {numbers.size} {what} needs a cluster: got {len(clusters)} clusters."
        raise RequestError(message)
    order = {name: code for code, name in enumerate(dict.fromkeys(clusters))}
    return numbers, np.array([order[name] for name in clusters], dtype=np.int64)


def paired(
    before: Iterable[Number], after: Iterable[Number], clusters: Sequence[str] | None
) -> tuple[Numbers, Numbers, Codes]:
    """Values before and after of the same items, and the number of each item's cluster.

    Raises:
        RequestError: a value is not finite, or the lengths differ.
    """
    first, codes = checked(before, clusters, "values before")
    second, _ = checked(after, clusters, "values after")
    if first.size != second.size:
        message = f"a paired difference needs the same items: got {first.size} before and {second.size} after."
        raise RequestError(message)
    return first, second, codes


def is_binary(*arrays: Numbers) -> bool:
    """Whether all values are 0 or 1."""
    return all(bool(np.isin(array, (0, 1)).all()) for array in arrays)


def summed(numbers: Numbers, codes: Codes) -> Numbers:
    """The sum of each cluster, [cluster]."""
    return np.bincount(codes, numbers).astype(np.float64)


def student(degrees: Figures | float | int) -> Figures:
    """The quantile of Student's t for the upper end of the interval."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(degrees, 1 - TAIL), dtype=np.float64)


def effective_number(values: Tally, events: Figures) -> Figures:
    """How many independent answers know as much as these, [...]; n where every cluster is one answer.

    n is divided by the design effect 1 + (m - 1) * icc, with Kish's mean cluster size m, and by the square of the ratio
    of Student's quantiles with (clusters - 1) and (n - 1) degrees of freedom, because the design effect is itself
    estimated. A correlation below 0 counts (taking it for 0 would overstate it on average: intervals of 20 topics would
    cover 98 %), but the design effect is not let below 1 / (1 + 2 / sqrt(clusters - 1)), about what chance can do.

    Few events say little about how they cluster: icc is moved towards 1 by 1 / (1 + pairs), for the pairs that the
    events form. One event, or none, leaves the clusters as what was observed: 0 hits of 40 in 8 topics are 0 of 8.

    Args:
        values: what was observed.
        events: of the rarer kind, [...].

    Source: Kish 1965, Survey Sampling, section 5.4; Korn and Graubard 1998, Survey Methodology 24:193.
    Departs: the move by pairs of events and the floor are ours, set by the simulations of ``benchmarks.coverage``.
    """
    n, count = values.n, values.clusters
    if n == count:
        return np.full(values.sums.shape[:-1], float(n))
    pairs = np.maximum(events * (events - 1) / 2, 0.0)
    known = correlation_within(values)
    effect = 1 + (kish_size(values.sizes) - 1) * (known + (1 - known) / (1 + pairs))
    effect = np.maximum(effect, 1 / (1 + 2 / math.sqrt(count - 1)))
    return n / effect * (student(n - 1) / student(count - 1)) ** 2


def kish_size(sizes: Numbers) -> float:
    """The mean cluster size that design effects need: large clusters weigh by their size."""
    return float((sizes**2).sum() / sizes.sum())


def correlation_within(values: Tally) -> Figures:
    """The intra-class correlation from one-way analysis of variance, [...]; 1 where nothing varies.

    Source: Donner 1986, doi:10.2307/1403259, equation for the analysis-of-variance estimator, for unequal clusters.
    """
    sizes, n, count = values.sizes, values.n, values.clusters
    overall = np.expand_dims(values.total / n, -1)
    between = (sizes * (values.sums / sizes - overall) ** 2).sum(axis=-1) / (count - 1)
    within = np.maximum(values.squares - values.sums**2 / sizes, 0.0).sum(axis=-1) / (n - count)
    size = (n - (sizes**2).sum() / n) / (count - 1)
    spread = between + (size - 1) * within
    varies = spread > 1e-12 * np.maximum(values.squares.sum(axis=-1) / n, 1e-300)
    return np.where(varies, (between - within) / np.where(varies, spread, 1.0), 1.0)
