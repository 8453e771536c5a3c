"""How far two things go together."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from temperament.errors import RequestError
from temperament.stats.cluster import Codes, Numbers, checked, student
from temperament.stats.estimate import Estimate, Number
from temperament.stats.resample import draws, widened

Kind = Literal["pearson", "spearman"]


def correlation(
    first: Sequence[Number],
    second: Sequence[Number],
    clusters: Sequence[str] | None = None,
    kind: Kind = "spearman",
    seed: int = 0,
) -> Estimate:
    """The correlation of two values of the same items, with a bootstrap over clusters.

    Clusters are drawn with replacement and ranks are given anew in each resample; the bounds are made on Fisher's
    scale, where they do not crowd at -1 and 1, and widened as those of `average` are.

    Args:
        first: one value an item.
        second: of the same items, in the same order.
        clusters: the topic of each item; None where the items are independent.
        kind: ``spearman`` (of ranks, ties sharing theirs) or ``pearson`` (of the values).
        seed: of the resamples.

    Returns:
        The estimate, from -1 to 1. Without a value where one of the two does not vary; without an interval with fewer
        than four clusters, or where the correlation is -1 or 1.

    Raises:
        RequestError: a value is not finite, or the lengths differ.

    Source: Fisher 1921, Metron 1:3 (the scale); Davison and Hinkley 1997, Bootstrap Methods, section 3.8.
    """
    one, codes = checked(first, clusters, "first values")
    other, _ = checked(second, clusters, "second values")
    if one.size != other.size:
        message = f"a correlation needs two values of each item: got {one.size} and {other.size}."
        raise RequestError(message)
    value = float(_correlations(one, other, np.ones((1, one.size)), kind)[0]) if one.size > 1 else math.nan
    if math.isnan(value):
        return Estimate(None, None, None, one.size)
    count = int(codes.max()) + 1
    if count < 4 or abs(value) > 1 - 1e-12:
        return Estimate(value, None, None, one.size)
    lower, upper = _bounds(one, other, codes, kind, seed)
    return Estimate(value, min(math.tanh(lower), value), max(math.tanh(upper), value), one.size)


def _bounds(one: Numbers, other: Numbers, codes: Codes, kind: Kind, seed: int) -> tuple[float, float]:
    """On Fisher's scale."""
    count = int(codes.max()) + 1
    found = [_correlations(one, other, drawn[:, codes], kind) for drawn in draws(count, seed)]
    # A resample of a few clusters that repeat can be exactly straight: as far out as one can be.
    scaled = np.arctanh(np.clip(np.concatenate(found), -1 + 1e-9, 1 - 1e-9))
    middle = np.arctanh(_correlations(one, other, np.ones((1, one.size)), kind)[0])
    lower, upper = widened(middle, scaled, student(count - 1), count)
    return float(lower), float(upper)


def _correlations(one: Numbers, other: Numbers, weights: Numbers, kind: Kind) -> Numbers:
    """The correlation under each row of weights, [resample, item]; NaN where one of the two does not vary."""
    total = weights.sum(axis=1, keepdims=True)
    left, right = (_ranks(each, weights) if kind == "spearman" else each[None] for each in (one, other))
    left = left - (weights * left).sum(axis=1, keepdims=True) / total
    right = right - (weights * right).sum(axis=1, keepdims=True) / total
    spread = (weights * left**2).sum(axis=1), (weights * right**2).sum(axis=1)
    scales = (np.abs(each).max() ** 2 if each.size and kind == "pearson" else 1.0 for each in (one, other))
    varies = np.logical_and.reduce(
        [each > 1e-12 * scale * total[:, 0] for each, scale in zip(spread, scales, strict=True)]
    )
    together = (weights * left * right).sum(axis=1)
    scale = np.sqrt(np.where(varies, spread[0] * spread[1], 1.0))
    return np.where(varies, np.clip(together / scale, -1.0, 1.0), np.nan)


def _ranks(values: Numbers, weights: Numbers) -> Numbers:
    """Mean ranks of items that are each there as often as their weight says, [resample, item]."""
    _, place = np.unique(values, return_inverse=True)
    ties = np.zeros((values.size, int(place.max()) + 1))
    ties[np.arange(values.size), place] = 1.0
    counts = weights @ ties
    return (counts.cumsum(axis=1) - (counts - 1) / 2)[:, place]
