"""Shares of yes among yes and no, and what was gained less what was lost."""

from collections.abc import Sequence

import numpy as np

from temperament.errors import RequestError
from temperament.stats.cluster import Figures, Tally, checked, effective_number, tally
from temperament.stats.estimate import NORMAL, NOTHING, Estimate, Number


def share(hits: Sequence[Number], clusters: Sequence[str] | None = None) -> Estimate:
    """The share of hits, with Wilson's score interval at the effective number of answers.

    Answers on one topic resemble each other, so n is replaced by the number of independent answers that would know as
    much (`effective_number`). From 20 effective answers with 6 hits and 6 misses on, the interval is Wilson's own.
    Below, that is too short (8 answers cover a share of 0.02 in 84 of 100 cases), and each bound moves, wholly at 3
    hits or 6 answers, to the exact one-sided bound at 5 % (2.5 % for up to 6 answers) where that lies further out.

    Args:
        hits: yes or no, or shares between 0 and 1.
        clusters: the topic of each hit; None where the hits are independent.

    Returns:
        The estimate; its interval is withheld with fewer than two clusters.

    Raises:
        RequestError: a hit is not between 0 and 1, or the lengths differ.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953; Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404;
    Brown, Cai and DasGupta 2001, doi:10.1214/ss/1009213286, section 4.1 (why Wilson's bounds are lowered near 0).
    Departs: Brown, Cai and DasGupta lower the bound of 1 to 3 hits by a Poisson bound; here the binomial one is used,
    moved to gradually, and also for few answers. ``benchmarks.coverage`` measures what is covered.
    """
    values, codes = checked(hits, clusters, "hits")
    if values.size and (values.min() < 0 or values.max() > 1):
        message = f"a share needs hits between 0 and 1: these go from {values.min():g} to {values.max():g}."
        raise RequestError(message)
    if not values.size:
        return NOTHING
    value = float(values.mean())
    if not codes.max():
        return Estimate(value, None, None, values.size)
    lower, upper = share_bounds(tally(values, codes))
    # Rounding must not leave the value outside its own interval.
    return Estimate(value, min(float(lower), value), max(float(upper), value), values.size)


def share_bounds(hits: Tally) -> tuple[Figures, Figures]:
    """The bounds of shares, [...] each."""
    rarer = np.minimum(hits.total, hits.n - hits.total)
    return score_bounds(hits.total / hits.n, effective_number(hits, rarer))


def score_bounds(value: Figures, n: Figures) -> tuple[Figures, Figures]:
    """Wilson's bounds of a share of n answers, moved out to the exact ones where hits, misses or answers are few."""
    from scipy.special import betaincinv

    lower, upper = wilson_bounds(value, n)
    hits, misses, tail = value * n, (1 - value) * n, 0.05 - 0.15 / np.maximum(n, 6.0)
    least = np.where(hits > 0, betaincinv(np.where(hits > 0, hits, 1.0), misses + 1, tail), 0.0)
    most = np.where(misses > 0, betaincinv(hits + 1, np.where(misses > 0, misses, 1.0), 1 - tail), 1.0)
    few = (20 - n) / 14
    below, above = (np.clip(np.maximum((6 - events) / 3, few), 0.0, 1.0) for events in (hits, misses))
    return lower - below * np.maximum(lower - least, 0.0), upper + above * np.maximum(most - upper, 0.0)


def wilson_bounds(value: Figures, n: Figures) -> tuple[Figures, Figures]:
    """Wilson's bounds of a share of n answers."""
    scale = 1 + NORMAL**2 / n
    centre = (value + NORMAL**2 / (2 * n)) / scale
    half = NORMAL / scale * np.sqrt(value * (1 - value) / n + NORMAL**2 / (4 * n**2))
    return np.maximum(0.0, np.minimum(centre - half, value)), np.minimum(1.0, np.maximum(centre + half, value))


def change_bounds(changes: Tally) -> tuple[Figures, Figures]:
    """The bounds of mean changes of -1, 0 and 1: the share gained less the share lost, which exclude one another.

    Source: Zou and Donner 2008, doi:10.1002/sim.3095, equation 6 (recovery of variance estimates).
    """
    n, changed = changes.n, changes.squares.sum(axis=-1)
    gained, lost = (changed + changes.total) / 2, (changed - changes.total) / 2
    commonest = np.maximum(np.maximum(gained, lost), n - changed)
    known = effective_number(changes, n - commonest)
    gained, lost = gained / n, lost / n
    least_gained, most_gained = score_bounds(gained, known)
    least_lost, most_lost = score_bounds(lost, known)
    # What is gained cannot be lost: the two shares are negatively correlated, fully so where every item changed.
    rest = (1 - gained) * (1 - lost)
    together = np.where(rest > 0, -np.sqrt(gained * lost / np.where(rest > 0, rest, 1.0)), -1.0)
    below = recovered(gained - least_gained, most_lost - lost, together)
    above = recovered(most_gained - gained, lost - least_lost, together)
    return np.maximum(gained - lost - below, -1.0), np.minimum(gained - lost + above, 1.0)


def recovered(one: Figures, other: Figures, together: Figures | float = 0.0) -> Figures:
    """The distance from a difference to its bound, from the distances of its two parts to theirs.

    Args:
        one: distance of what is subtracted from.
        other: distance of what is subtracted, on the other side.
        together: the correlation of the two.
    """
    return np.sqrt(np.maximum(one**2 + other**2 - 2 * together * one * other, 0.0))
