"""All there is to say about one change: how large, how sure, how surprising, and what could have been seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from temperament.stats.change import paired_difference
from temperament.stats.cluster import is_binary, paired
from temperament.stats.effect import cohens_d_paired, cohens_h_paired
from temperament.stats.estimate import Estimate, Number
from temperament.stats.evidence import Evidence, paired_test
from temperament.stats.power import Visible, power_note


@dataclass(frozen=True)
class Comparison:
    """One change of the same items.

    Attributes:
        difference: after less before.
        evidence: against no change.
        effect: its size, in the measure named.
        measure: ``h`` for yes and no, ``d_z`` for other values.
        visible: the smallest difference that would probably have been found.
    """

    difference: Estimate
    evidence: Evidence
    effect: Estimate
    measure: Literal["h", "d_z"]
    visible: Visible

    def __str__(self) -> str:
        return f"{self.difference}; {self.evidence}; {self.measure} = {self.effect}; {self.visible}"


def compared(
    before: Sequence[Number],
    after: Sequence[Number],
    clusters: Sequence[str] | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare the same items before and after.

    Args:
        before: one value an item.
        after: of the same items, in the same order.
        clusters: the topic of each item; None where the items are independent.
        seed: of resamples and random flips.

    Raises:
        RequestError: a value is not finite, or the lengths differ.
    """
    first, second, _ = paired(before, after, clusters)
    binary = is_binary(first, second)
    return Comparison(
        paired_difference(before, after, clusters, seed),
        paired_test(before, after, clusters, seed),
        (cohens_h_paired if binary else cohens_d_paired)(before, after, clusters),
        "h" if binary else "d_z",
        power_note(before, after, clusters),
    )
