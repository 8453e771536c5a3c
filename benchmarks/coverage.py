"""Do the intervals of `temperament.stats` cover the truth, and do its tests stay silent where there is nothing?

Data are drawn with known answers, many sets at once, and go through the functions that the package uses:

- shares: beta-binomial answers by topic; the share of hits is known.
- changes: gained, lost and unchanged by topic from a Dirichlet distribution.
- means: normal, even, rounded to five points, and skewed values, with topics that differ and without.
- ratios: gamma-Poisson counts over one to four sentences an answer; `spread` is the topics' coefficient of variation.
- tests: the share of p at 5 % or less where nothing differs.

For one answer a topic shares and McNemar's test are not drawn but counted exactly over all outcomes.

``python -m benchmarks.coverage --repeats 2000`` prints a table by kind and number of topics, and each setting outside
of what is asked for: at least 93 %, and for shares from .1 to .9 on 20 topics at most 97 %. The tests run a part of it.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from temperament.stats.cluster import Tally
from temperament.stats.evidence import deal_p, exact_flip_p, flip_p
from temperament.stats.mean import ratio_bounds
from temperament.stats.power import mcnemar_power
from temperament.stats.proportion import change_bounds, score_bounds, share_bounds
from temperament.stats.resample import resampled_bounds

Numbers = NDArray[np.float64]
Draw = np.random.Generator
UNEVEN = (1.0, 3.0, 5.0, 7.0, 9.0)
TOPICS = (4, 6, 10, 20, 40)
SIZES = (1, 5, "uneven")
SHARES = (0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
# Shares gained and lost.
CHANGES = (
    (0.005, 0.0), (0.02, 0.0), (0.05, 0.0), (0.1, 0.0), (0.1, 0.02), (0.1, 0.1), (0.3, 0.0), (0.3, 0.1), (0.5, 0.1),
    (0.45, 0.45), (0.95, 0.0),
)  # fmt: skip
VALUES = ("normal", "even", "rounded", "skewed", "log-normal")
AT_ONCE = 250  # data sets that are resampled together


@dataclass(frozen=True)
class Case:
    """One setting and what was found in it.

    Attributes:
        kind: of figure.
        topics: how many there are.
        size: answers a topic.
        setting: what else is known of the data.
        found: the share of data sets whose interval covers the truth; for tests, of those with p at 5 % or less.
        is_central: whether 97 % counts as too much: a share from .1 to .9.
    """

    kind: str
    topics: int
    size: int | str
    setting: str
    found: float
    is_central: bool = True


def sizes_of(topics: int, size: int | str) -> Numbers:
    """Answers in each topic, [topic]."""
    return np.resize(UNEVEN, topics) if size == "uneven" else np.full(topics, float(size))


def draw_hits(random: Draw, share: float, icc: float, sizes: Numbers, repeats: int) -> Tally:
    """Yes and no with a known share; ``icc`` is how far answers on one topic are alike."""
    rates = np.full((repeats, sizes.size), share)
    if icc:
        strength = (1 - icc) / icc
        rates = random.beta(share * strength, (1 - share) * strength, rates.shape)
    hits = random.binomial(sizes.astype(int), rates).astype(np.float64)
    return Tally(sizes, hits, hits)


def draw_changes(random: Draw, gained: float, lost: float, icc: float, sizes: Numbers, repeats: int) -> Tally:
    """Changes of -1, 0 and 1 with known shares gained and lost."""
    shape = (repeats, sizes.size)
    chances = np.array([gained, lost, 1 - gained - lost])
    rates = np.broadcast_to(chances, (*shape, 3))
    if icc:
        drawn = random.gamma(chances * (1 - icc) / icc, size=(*shape, 3))
        total = drawn.sum(axis=-1, keepdims=True)
        certain = np.eye(3)[random.choice(3, shape, p=chances)]  # a topic of strength 0 goes one way altogether
        rates = np.where(total > 0, drawn / np.where(total > 0, total, 1), certain)
    ups = random.binomial(sizes.astype(int), rates[..., 0])
    left = np.where(rates[..., 0] < 1, rates[..., 1] / np.maximum(1 - rates[..., 0], 1e-12), 0.0)
    downs = random.binomial(sizes.astype(int) - ups, np.clip(left, 0, 1))
    return Tally(sizes, (ups - downs).astype(np.float64), (ups + downs).astype(np.float64))


def draw_values(random: Draw, kind: str, icc: float, sizes: Numbers, repeats: int) -> tuple[Numbers, float]:
    """Sums of values by topic, [repeat, topic], and their true mean."""
    topic = np.repeat(np.arange(sizes.size), sizes.astype(int))
    shared = random.normal(size=(repeats, sizes.size))[:, topic]
    own = random.normal(size=(repeats, topic.size))
    values, mean = _transformed(kind, np.sqrt(icc) * shared + np.sqrt(1 - icc) * own)
    return _by_topic(values, sizes), mean


def _transformed(kind: str, normal: Numbers) -> tuple[Numbers, float]:
    """Values of a kind from normal ones, and their mean."""
    from scipy.special import ndtr

    if kind == "even":
        return ndtr(normal), 0.5
    if kind == "rounded":  # scores from 1 to 5, near the top
        limits = np.array([1.5, 2.5, 3.5, 4.5])
        return 1 + (4.2 + 0.95 * normal[..., None] > limits).sum(-1), 1 + float(ndtr((4.2 - limits) / 0.95).sum())
    if kind in ("skewed", "log-normal"):
        spread = 0.5 if kind == "skewed" else 0.95
        return np.exp(spread * normal), float(np.exp(spread**2 / 2))
    return normal, 0.0


def draw_counts(random: Draw, rate: float, spread: float, sizes: Numbers, repeats: int) -> tuple[Numbers, Numbers]:
    """Events and sentences by topic, [repeat, topic] each; topics' rates vary with a known coefficient of variation."""
    topic = np.repeat(np.arange(sizes.size), sizes.astype(int))
    rates = np.full((repeats, sizes.size), rate)
    if spread:
        rates = random.gamma(1 / spread**2, rate * spread**2, rates.shape)
    sentences = random.integers(1, 5, (repeats, topic.size)).astype(np.float64)
    events = random.poisson(rates[:, topic] * sentences).astype(np.float64)
    return _by_topic(events, sizes), _by_topic(sentences, sizes)


def _by_topic(values: Numbers, sizes: Numbers) -> Numbers:
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)
    return np.add.reduceat(values.astype(np.float64), starts, axis=1)


def covered(bounds: tuple[Numbers, Numbers], truth: float) -> float:
    """The share of intervals with the truth; one that is withheld claims nothing and is left out."""
    lower, upper = bounds
    is_given = ~np.isnan(lower)
    return float(((lower <= truth + 1e-9) & (truth <= upper + 1e-9))[is_given].mean())


def by_parts(bounds: Callable[[slice], tuple[Numbers, Numbers]], repeats: int) -> tuple[Numbers, Numbers]:
    """Bounds of many data sets, some at a time, for what is held in memory."""
    parts = [bounds(slice(start, start + AT_ONCE)) for start in range(0, repeats, AT_ONCE)]
    lower, upper = (np.concatenate(each) for each in zip(*parts, strict=True))
    return lower, upper


def exact_coverage(n: int, shares: Numbers) -> Numbers:
    """The chance that the interval of n independent answers covers each share, counted over all outcomes."""
    from scipy.special import bdtr

    hits = np.arange(n + 1.0)
    lower, upper = score_bounds(hits / n, np.full(n + 1, float(n)))
    chances = np.diff(bdtr(hits[:, None], n, shares), axis=0, prepend=0.0)
    is_in = (lower[:, None] <= shares + 1e-12) & (shares <= upper[:, None] + 1e-12)
    return (chances * is_in).sum(axis=0)


def shares(random: Draw, repeats: int, topics: Sequence[int] = TOPICS) -> Iterator[Case]:
    """Coverage of shares."""
    for count, size, share in product(topics, SIZES, SHARES):
        if size == 1:
            found = float(exact_coverage(count, np.array([share]))[0])
            yield Case("share", count, size, f"share {share:g}, counted", found, share >= 0.1)
            continue
        for icc in (0.0, 0.1, 0.3, 0.6):
            hits = draw_hits(random, share, icc, sizes_of(count, size), repeats)
            found = covered(share_bounds(hits), share)
            yield Case("share", count, size, f"share {share:g}, icc {icc:g}", found, share >= 0.1)


def changes(random: Draw, repeats: int, topics: Sequence[int] = TOPICS) -> Iterator[Case]:
    """Coverage of what was gained less what was lost."""
    for count, size, (gained, lost) in product(topics, SIZES, CHANGES):
        for icc in (0.0,) if size == 1 else (0.0, 0.1, 0.3, 0.6):
            drawn = draw_changes(random, gained, lost, icc, sizes_of(count, size), repeats)
            setting = f"gained {gained:g}, lost {lost:g}, icc {icc:g}"
            found = covered(change_bounds(drawn), gained - lost)
            yield Case("change of a share", count, size, setting, found, 0.1 <= gained + lost <= 0.9)


def means(random: Draw, repeats: int, topics: Sequence[int] = TOPICS) -> Iterator[Case]:
    """Coverage of means, and so of paired differences of values that are not yes and no."""
    for count, size, kind in product(topics, SIZES, VALUES):
        sizes = sizes_of(count, size)
        for icc in (0.0,) if size == 1 else (0.0, 0.4):
            sums, mean = draw_values(random, kind, icc, sizes, repeats)
            bounds = by_parts(lambda part, sums=sums, sizes=sizes: resampled_bounds(sums[part], sizes), repeats)
            yield Case("mean", count, size, f"{kind}, icc {icc:g}", covered(bounds, mean))


def ratios(random: Draw, repeats: int, topics: Sequence[int] = TOPICS) -> Iterator[Case]:
    """Coverage of ratios of counts."""
    for count, size, rate, spread in product(topics, SIZES, (0.01, 0.05, 0.3, 2.0), (0.0, 0.7, 1.4)):
        sizes = sizes_of(count, size)
        above, below = draw_counts(random, rate, spread, sizes, repeats)

        def bounds(
            part: slice, above: Numbers = above, below: Numbers = below, sizes: Numbers = sizes
        ) -> tuple[Numbers, Numbers]:
            return ratio_bounds(above[part], below[part], sizes)

        yield Case("ratio", count, size, f"rate {rate:g}, spread {spread:g}", covered(by_parts(bounds, repeats), rate))


def false_positives(random: Draw, repeats: int, topics: Sequence[int] = TOPICS) -> Iterator[Case]:
    """False positives."""
    for count, discordance in product((6, 10, 20, 40, 100), (0.05, 0.2, 0.5, 1.0)):
        found = mcnemar_power(0.0, discordance, count)
        yield Case("McNemar", count, 1, f"discordance {discordance:g}, counted", found)
    for count, size in product(topics, (5, "uneven")):
        sizes = sizes_of(count, size)
        yes = draw_changes(random, 0.15, 0.15, 0.3, sizes, repeats).sums
        found = float(np.mean([exact_flip_p(row) <= 0.05 for row in yes]))
        yield Case("flips, yes and no", count, size, "gained .15, lost .15, icc .3", found)
        for kind, skewed in (("normal", 0), ("log-normal", 1)):
            before, _ = draw_values(random, kind, 0.4, sizes, repeats)
            after, _ = draw_values(random, kind, 0.4, sizes, repeats)
            found = silent(lambda part, sums=after - before: flip_p(sums[part]), repeats)
            yield Case("flips, values", count, size, kind if skewed else "normal", found)
        both = np.concatenate([sizes, sizes])
        for spread in (1, 3):
            sums, _ = draw_values(random, "normal", 0.4, both, repeats)
            sums[:, count:] *= spread
            found = silent(lambda part, sums=sums, both=both, count=count: deal_p(sums[part], both, count), repeats)
            yield Case("deals", count, size, f"normal, spreads 1 and {spread}", found)


def silent(p: Callable[[slice], Numbers], repeats: int) -> float:
    """The share of p at 5 % or less."""
    parts = [np.asarray(p(slice(start, start + AT_ONCE))) for start in range(0, repeats, AT_ONCE)]
    return float((np.concatenate(parts) <= 0.05).mean())


PARTS = {"shares": shares, "changes": changes, "means": means, "ratios": ratios, "tests": false_positives}


def table(cases: Sequence[Case], part: str) -> str:
    """What was found, by kind and number of topics."""
    verdicts = (
        "above .05" if part == "tests" else "below .93 | shares .1 to .9 above .97" if part == "shares" else "below .93"
    )
    header = f"kind | topics | settings | least | mean | most | {verdicts}"
    lines = [header, "|".join(["---"] * (header.count("|") + 1))]
    for kind, count in dict.fromkeys((case.kind, case.topics) for case in cases):
        mine = [case for case in cases if (case.kind, case.topics) == (kind, count)]
        found = np.array([case.found for case in mine])
        missed = f"{(found > 0.05).sum() if part == 'tests' else (found < 0.93).sum()}"
        if part == "shares":
            middle = np.array([case.found for case in mine if case.is_central])
            missed += f" | {(middle > 0.97).sum()} of {middle.size}"
        figures = f"{found.min():.3f} | {found.mean():.3f} | {found.max():.3f}"
        lines.append(f"{kind} | {count} | {found.size} | {figures} | {missed}")
    return "\n".join(lines)


def is_outside(case: Case, part: str) -> bool:
    """Whether an interval covers less than 93 %, or a share of .1 to .9 on 20 topics more than 97 %."""
    if part == "tests":
        return case.found > 0.05
    return case.found < 0.93 or (case.found > 0.97 and case.is_central and case.topics >= 20 and part == "shares")


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2000, help="data sets in each setting")
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    parser.add_argument("--topics", type=int, nargs="+", default=list(TOPICS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--all", action="store_true", help="print every setting, not only those outside of what is asked for"
    )
    asked = parser.parse_args()
    for number, part in enumerate(asked.only):
        cases = list(PARTS[part](np.random.default_rng((asked.seed, number)), asked.repeats, asked.topics))
        print(f"\n== {part}, {asked.repeats} data sets in each setting\n{table(cases, part)}", flush=True)
        for case in cases:
            if asked.all or is_outside(case, part):
                print(f"  {case.kind}, {case.topics} topics of {case.size}, {case.setting}: {case.found:.3f}")


if __name__ == "__main__":
    main()
