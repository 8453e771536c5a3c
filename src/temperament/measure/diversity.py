"""How varied what was written is: the entropy of an inventory, with the bias of small samples taken out."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from temperament.stats import Estimate, average


def bits(counts: Mapping[str, int]) -> float:
    """Shannon entropy of shares as they were counted: 0 where all are the same, log2(k) where k kinds are as frequent.

    From few it is too low, by about (k - 1) / (2 n ln 2) bits for n independent counts of k kinds (Miller 1955).
    """
    total = sum(counts.values())
    return -sum(count / total * math.log2(count / total) for count in counts.values() if count) + 0.0


def entropy(items: Sequence[Sequence[str]], clusters: Sequence[str]) -> Estimate:
    """Shannon entropy in bits of all items together, with the bias of small samples taken out.

    The jackknife over clusters: with k clusters, H of all and H(j) of all but cluster j, the estimate is the mean of
    k H - (k - 1) H(j), and its interval the bootstrap of these. It knows that items of one topic resemble each other,
    as the correction by Miller and Madow does not. In simulations (150 draws of each of nine cases: 3 to 100 kinds, 8
    to 40 topics of 5 replies, 0.5 to 5 emojis a reply, most with topics that have tastes of their own) its bias was
    -0.08 to 0 bits in eight cases, with coverage 93 to 97 %, against -0.33 to -0.01 with theirs, and its
    root-mean-square error was never the larger. In the ninth, 100 kinds from 200 emojis, it was 0.2 bits too low
    (theirs 0.55), with coverage 81 %: where most kinds were seen once, read it as a lower bound.

    Args:
        items: of each answer, such as its emojis.
        clusters: the topic of each answer.

    Returns:
        The estimate, 0 or more, and how many items it is from; withheld where there are no items, and where only one
        topic has any, because that says nothing about the bias.

    Source: Zahl 1977, doi:10.2307/1936227 (jackknife of diversity); Miller 1955, Note on the bias of information
    estimates.
    Departs: Zahl leaves out single items.
    """
    by_cluster: dict[str, Counter[str]] = defaultdict(Counter)
    for some, cluster in zip(items, clusters, strict=True):
        if some:
            by_cluster[cluster].update(some)
    together = sum(by_cluster.values(), Counter[str]())
    count, k = together.total(), len(by_cluster)
    if k < 2:
        return Estimate(None, None, None, count)
    whole = bits(together)
    found = average([k * whole - (k - 1) * bits(together - one) for one in by_cluster.values()], list(by_cluster))
    floored = (None if each is None else max(each, 0.0) for each in (found.value, found.lower, found.upper))
    value, lower, upper = floored
    return replace(found, value=value, lower=lower, upper=upper, n=count)
