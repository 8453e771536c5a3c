"""Which units changed: chosen on one half of the topics, tested on the other, with the kind and size of the change."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temperament.activation.statistic import UnitStatistics
from temperament.explain.moment import Moments, Seen, TokenMoments
from temperament.stats.cluster import Numbers

Flags = NDArray[np.bool_]

KINDS = ("newly activated", "amplified", "suppressed", "sign-flipped")
# A gate unit that fires on so few tokens is off. NPTI calls a neuron a trait's where it fires on 0.10 more of the
# tokens; one that was off and fires on so many more was activated anew (Deng et al. 2025, ICLR, section 3.2).
OFF = 0.05
MORE = 0.10
# Sums of float32 are exact to about 1e-6: a spread below that share of a unit's size cannot be told from none.
ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Differences:
    """How every unit differs, by a test of each.

    Attributes:
        t: above 0 is higher after.
        p: two-sided, 0 to 1; 1 where nothing differs.
    """

    t: Numbers
    p: Numbers


@dataclass(frozen=True, eq=False)
class Confirmed:
    """Units that were selected on one half, and those that the other half bears out.

    Attributes:
        is_selected: [unit].
        is_confirmed: [unit].
        p: of the half that reports.
        q: the same after Benjamini-Hochberg over what was selected; NaN for the others.
    """

    is_selected: Flags
    is_confirmed: Flags
    p: Numbers
    q: Numbers


def paired_t(seen: Seen) -> Differences:
    """Student's paired t-test of every unit over topics, with one degree of freedom less than topics.

    Each topic is one difference, the mean of its texts, however many texts and tokens it has.

    Args:
        seen: at least two topics.

    Source: Student 1908, doi:10.1093/biomet/6.1.1.
    Departs: a spread that is no more than rounding counts as `ROUNDING` of the unit's size.
    """
    return _compared(seen.change.mean, spread(seen) / np.sqrt(seen.topics), np.float64(seen.topics - 1))


def welch_t(first: Moments, second: Moments) -> Differences:
    """Welch's t-test of every unit between groups of topics; t is above 0 where the second group is higher.

    Source: Welch 1947, doi:10.1093/biomet/34.1-2.28.
    """
    one, other = (moments.deviation**2 / moments.topics for moments in (first, second))
    least = ROUNDING * np.sqrt((first.size**2 + second.size**2) / 2)
    shares = one**2 / (first.topics - 1) + other**2 / (second.topics - 1)
    fewest = min(first.topics, second.topics) - 1
    degrees = np.divide((one + other) ** 2, shares, out=np.full_like(shares, fewest), where=shares > 0)
    return _compared(second.mean - first.mean, np.maximum(np.sqrt(one + other), least), degrees)


def signed_t(seen: Seen, signed: Numbers) -> Differences:
    """The paired t-test of every unit as it would be had some topics changed the other way.

    Squares do not know signs, so the sums of signed changes are all that it takes.

    Args:
        seen: at least two topics.
        signed: the sum of the changes of topics, each with the sign that it was given, [unit].
    """
    mean = signed / seen.topics
    squares = seen.change.squares + seen.topics * (seen.change.mean**2 - mean**2)
    deviation = np.sqrt(np.maximum(0.0, squares) / (seen.topics - 1))
    return _compared(mean, np.maximum(deviation, _least(seen)) / np.sqrt(seen.topics), np.float64(seen.topics - 1))


def spread(seen: Seen) -> Numbers:
    """The standard deviation of the changes of topics, or what rounding makes of none."""
    return np.maximum(seen.change.deviation, _least(seen))


def _least(seen: Seen) -> Numbers:
    return ROUNDING * np.sqrt((seen.before.size**2 + seen.after.size**2) / 2)


def effect(change: Moments, tokens: tuple[TokenMoments, TokenMoments]) -> Numbers:
    """Cohen's d: the mean change in pooled standard deviations over tokens, before and after.

    It says how far a unit moved beside how much it varies from token to token, and nothing of how alike topics are,
    which the paired test knows: a shift that is the same everywhere is certain, and may be small.

    Args:
        change: over topics.
        tokens: before and after, of what changed.

    Returns:
        [unit]; above 0 is higher after, 0 where nothing changed.

    Source: Cohen 1988, Statistical Power Analysis, section 2.2, equation 2.5.2.
    Departs: the mean is over topics, the deviation over tokens. Where a unit varies by less than rounding, the
    deviation counts as the least that sums of squares can tell, which is the root of `ROUNDING` of the unit's size.
    """
    first, second = tokens
    freedom = max(1, first.tokens + second.tokens - 2)
    pooled = np.sqrt((first.deviations + second.deviations) / freedom)
    size = np.sqrt((first.squares + second.squares) / (first.tokens + second.tokens))
    return _ratio(change.mean, np.maximum(pooled, np.sqrt(ROUNDING) * size))


def adjusted(p_values: Numbers) -> Numbers:
    """Benjamini and Hochberg's q of each p: `stats.discoveries` for hundreds of thousands.

    Source: Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * p_values.size / np.arange(1, p_values.size + 1)
    found = np.empty_like(scaled)
    found[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return found


def confirm(selecting: Differences, reporting: Differences, level: float) -> Confirmed:
    """Units that one half finds among all, and the other half among these, in the same direction."""
    is_selected = adjusted(selecting.p) <= level
    q = np.full_like(reporting.p, np.nan)
    q[is_selected] = adjusted(reporting.p[is_selected])
    return Confirmed(is_selected, (q <= level) & (selecting.t * reporting.t > 0), reporting.p, q)


def kinds(seen: Seen, firing: tuple[Numbers, Numbers], is_gate: Flags, level: float) -> NDArray[np.int64]:
    """The kind of each unit's change, as its place in `KINDS`; for a unit that was found to change.

    * newly activated: a gate unit that fires on at most `OFF` of the tokens before, and on `MORE` more of them after.
      Only gates are ever off: a dimension of the stream has a sign and no rest.
    * sign-flipped: the means before and after have opposite signs, and neither interval of them has 0 in it.
    * amplified: the mean is further from 0 after than before.
    * suppressed: it is nearer to 0.

    Args:
        seen: topics of the half that reports, at least two.
        firing: share of tokens with an activation above 0, before and after, [unit].
        is_gate: [unit].
        level: the intervals of the means are at one less this.
    """
    from scipy.special import stdtrit

    limit = float(stdtrit(seen.topics - 1, 1 - level / 2)) / np.sqrt(seen.topics)
    is_clear = [np.abs(each.mean) > limit * each.deviation for each in (seen.before, seen.after)]
    is_flipped = is_clear[0] & is_clear[1] & (seen.before.mean * seen.after.mean < 0)
    is_new = is_gate & (firing[0] <= OFF) & (firing[1] - firing[0] >= MORE)
    is_larger = np.abs(seen.after.mean) > np.abs(seen.before.mean)
    return np.select([is_new, is_flipped, is_larger], [0, 3, 1], 2)


def firing(statistics: Sequence[UnitStatistics]) -> tuple[Numbers, ...]:
    """The share of tokens on which each unit is above 0, [unit]."""
    return tuple(each.firing.numpy() for each in statistics)


def _compared(difference: Numbers, error: Numbers, degrees: Numbers | np.float64) -> Differences:
    from scipy.special import stdtr

    t = _ratio(difference, error)
    return Differences(t, np.minimum(1.0, 2 * stdtr(degrees, -np.abs(t))))


def _ratio(above: Numbers, below: Numbers) -> Numbers:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
