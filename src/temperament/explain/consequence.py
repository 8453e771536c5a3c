"""How large the consequences of a condition are, text by text, and how they stand beside those of random ones."""

import math
from collections.abc import Sequence

from temperament.stats import Estimate, average, paired_difference
from temperament.stats.cluster import checked, summed
from temperament.stats.estimate import TAIL
from temperament.stats.resample import resampled_bounds


def level(values: Sequence[float], topics: Sequence[str], seed: int = 0) -> Estimate:
    """The mean over texts, with topics as clusters; texts without a number are left out."""
    known = [(value, topic) for value, topic in zip(values, topics, strict=True) if math.isfinite(value)]
    return average([value for value, _ in known], [topic for _, topic in known], seed)


def change(before: Sequence[float], after: Sequence[float], topics: Sequence[str], seed: int = 0) -> Estimate:
    """The mean of after - before over the texts that have both, with topics as clusters.

    It is withheld where the condition left a text without a number that had one before: it broke the model.
    """
    known = _known(before, after, topics)
    if len(known) < sum(map(math.isfinite, before)):
        return Estimate(None, None, None, len(known))
    return paired_difference(
        [first for first, _, _ in known], [second for _, second, _ in known], [topic for _, _, topic in known], seed
    )


def mean_change(before: Sequence[float], after: Sequence[float]) -> float | None:
    """The value of `change` alone."""
    known = _known(before, after, [""] * len(before))
    if not known or len(known) < sum(map(math.isfinite, before)):
        return None
    return math.fsum(second - first for first, second, _ in known) / len(known)


def share_of(parts: Sequence[float], wholes: Sequence[float], topics: Sequence[str], seed: int = 0) -> Estimate:
    """What share of a change another change is: sum over sum, with a bootstrap over topics.

    Args:
        parts: change of each text by the one.
        wholes: change of each text by the other.
        topics: of the texts.
        seed: of the resamples.

    Returns:
        The estimate, 1 where both are as large, over the texts that have both changes; without a value where a text
        has only one of them, as with `change`, and where the interval of the whole holds 0, because a share of nothing
        says nothing.
    """
    known = _known(parts, wholes, topics)
    if len(known) < max(sum(map(math.isfinite, parts)), sum(map(math.isfinite, wholes))):
        return Estimate(None, None, None, len(known))
    topics = [topic for _, _, topic in known]
    whole = average([one for _, one, _ in known], topics, seed)
    if direction(whole) is None or whole.value is None:
        return Estimate(None, None, None, whole.n)
    sign = math.copysign(1.0, whole.value)
    above, codes = checked([sign * part for part, _, _ in known], topics, "changes")
    below, _ = checked([sign * one for _, one, _ in known], topics, "changes")
    lower, upper = resampled_bounds(summed(above, codes), summed(below, codes), seed)
    bounds = (None, None) if math.isnan(float(lower)) else (float(lower), float(upper))
    return Estimate(float(above.sum() / below.sum()), *bounds, whole.n)


def direction(estimate: Estimate) -> int | None:
    """1 where an interval lies above 0, -1 where it lies below, None where it holds 0 or is withheld."""
    if estimate.value is None or estimate.value == 0:
        return None
    if estimate.lower is None or estimate.upper is None:
        return None
    return 1 if estimate.lower > 0 else -1 if estimate.upper < 0 else None


def widened(estimate: Estimate, tried: int, topics: Sequence[str]) -> Estimate:
    """The same with an interval that holds for as many estimates together: Bonferroni over all that were tried.

    Args:
        estimate: with a 95 % interval.
        tried: estimates, this one among them.
        topics: clusters behind it.

    Departs: the bounds are not resampled at the stricter level, which 4000 resamples would not carry, but moved away
    from the value by the ratio of Student's quantiles.
    """
    from scipy.special import stdtrit

    if estimate.value is None or estimate.lower is None or estimate.upper is None or tried < 2:
        return estimate
    degrees = max(len(set(topics)) - 1, 1)
    factor = float(stdtrit(degrees, 1 - TAIL / tried) / stdtrit(degrees, 1 - TAIL))
    value = estimate.value
    return Estimate(
        value, value - (value - estimate.lower) * factor, value + (estimate.upper - value) * factor, estimate.n
    )


def rank_p(effect: float | None, drawn: Sequence[float], toward: float) -> float | None:
    """The share of random effects, this one counted among them, that are at least as large in a direction.

    Args:
        effect: of what was chosen.
        drawn: effects of random sets.
        toward: its sign is the direction.
    """
    if effect is None or not drawn or toward == 0:
        return None
    sign = math.copysign(1.0, toward)
    return (1 + sum(sign * one >= sign * effect for one in drawn)) / (1 + len(drawn))


def _known(before: Sequence[float], after: Sequence[float], topics: Sequence[str]) -> list[tuple[float, float, str]]:
    return [
        (first, second, topic)
        for first, second, topic in zip(before, after, topics, strict=True)
        if math.isfinite(first) and math.isfinite(second)
    ]
