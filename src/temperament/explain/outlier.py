"""Outlier dimensions: those that stand out in the untouched model, so that a rise there is what any fine-tune shows."""

import numpy as np

from temperament.activation.statistic import UnitStatistics
from temperament.explain.contrast import Layout
from temperament.explain.finding import Outlier
from temperament.stats.cluster import Numbers

# How many times the median unit of its site a dimension is when it stands out. LLM.int8() calls features of magnitude
# 6 and more outliers, where others stay below 3.5; measured against the median, the rule holds for any scale of the
# stream, which differs between models and grows with depth.
RATIO = 6.0


def magnitudes(layout: Layout, before: UnitStatistics) -> Numbers:
    """The root mean square activation of each unit over tokens, by the median one of its site, [unit].

    It is 0 where the median unit never moves: there is nothing to stand out from.

    Args:
        layout: what the units are.
        before: of the untouched model, in the same order.
    """
    sizes = (before.squares / before.tokens).sqrt().numpy()
    found = np.zeros_like(sizes)
    for span in layout.spans.values():
        median = np.median(sizes[span])
        if median > 0:
            found[span] = sizes[span] / median
    return found


def outliers(layout: Layout, before: UnitStatistics) -> dict[int, Outlier]:
    """Dimensions that stand out, by their place in the row; never a gate unit, which is no dimension of the stream.

    Source: Dettmers et al. 2022, arXiv 2208.07339, section 4.1 (magnitude 6); Puccetti et al. 2022, arXiv 2205.11380
    (few dimensions of the stream, which fine-tuning leans on).
    Departs: relative to the median of the site, on the texts that are looked at.
    """
    ratios = magnitudes(layout, before)
    found: dict[int, Outlier] = {}
    for index in np.flatnonzero(ratios > RATIO).tolist():
        unit = layout.unit(index)
        if unit.place != "gate":
            found[index] = Outlier(unit, float(ratios[index]))
    return found
