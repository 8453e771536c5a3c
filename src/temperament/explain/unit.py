"""The lens that looks at units before and after an edit, on the same texts."""

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from temperament.activation.histogram import Range
from temperament.edit.base import Edit, refuse_closed
from temperament.errors import RequestError
from temperament.explain.arm import Effects
from temperament.explain.contrast import HalfContrast, Layout, Told, contrast, histograms
from temperament.explain.finding import Change, Dot, Outlier, SiteCount, Unit, UnitFinding
from temperament.explain.outlier import outliers
from temperament.explain.pair import Pair, Side
from temperament.explain.selection import (
    KINDS,
    Confirmed,
    confirm,
    effect,
    firing,
    kinds,
    paired_t,
    signed_t,
    welch_t,
)
from temperament.explain.text import Text, halves
from temperament.stats.cluster import Numbers
from temperament.stats.family import LEVEL
from temperament.subject.anatomy import Place, Site
from temperament.subject.base import Progress, Subject
from temperament.subject.open import OpenSubject

PLACES: tuple[Place, ...] = ("gate", "mlp", "attention", "residual")
CHANGES = 100  # of a place, with all that is known of them
DOTS = 1000  # of a place, with their effect
HIGH = 0.95
# Topics of a quarter: Welch's test of fewer cannot be significant after a correction over all units.
FEWEST = 4
# Topics of a half: of fewer, random signs are all alike too often, and then find again what is there.
FEWEST_SIGNED = 6

Quarters = tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True, eq=False)
class Look:
    """What the lens saw.

    Attributes:
        finding: to be kept and shown.
        effects: of every unit, over both halves.
        ranked: all confirmed units but outlier dimensions, those with the largest effects on the half that selects
            first: what an intervention takes, to be measured on topics that had no part in it.
        reporting: these topics, the half that reports.
    """

    finding: UnitFinding
    effects: Effects
    ranked: tuple[Unit, ...]
    reporting: frozenset[str]


@dataclass(frozen=True)
class UnitLens:
    """Which units an edit changes: selected on one half of the topics, confirmed and measured on the other.

    The observation is the topic: the mean of its texts, each the mean over the positions of its answer. Selection is a
    paired t-test with Benjamini-Hochberg over all units of all sites at once; what it selects is tested again on the
    other half, corrected over what was selected, and has to point the same way. What the same procedure finds where
    there is nothing is told beside: ``flipped`` is its paired test on changes whose signs are random, ``null`` compares
    texts with other texts on the untouched model, where no test can be paired.

    Attributes:
        level: of the false discovery rate, between 0 and 1.
        seed: of the division of topics, and of random signs.
        places: of the units; those that a model does not have are left out.
        source: of the texts: ``own`` replies of the edited model, or ``given`` answers.

    Raises:
        RequestError: the level is none.
    """

    level: float = LEVEL
    seed: int = 0
    places: tuple[Place, ...] = PLACES
    source: Literal["own", "given"] = "given"

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            message = f"a level lies between 0 and 1: got {self.level:g}."
            raise RequestError(message)

    def look(
        self, subject: Subject, edit: Edit, texts: Sequence[Text], progress: Progress | None = None
    ) -> UnitFinding:
        """What the edit does to the units of a subject while it reads texts; arguments and errors as of `closely`."""
        return self.closely(subject, edit, texts, progress).finding

    def closely(self, subject: Subject, edit: Edit, texts: Sequence[Text], progress: Progress | None = None) -> Look:
        """The finding; the effects on every unit, which `compare_arms` takes; and all units that were confirmed.

        Args:
            subject: untouched.
            edit: of any kind.
            texts: read untouched, then edited; those that are too long for the window are left out.
            progress: is told texts that were read, on both sides and, for percentiles, once more.

        Raises:
            RequestError: a half has fewer than two topics.
            SeamError: the subject is closed, or has none of the places.
            MismatchError: the edit does not fit the subject.
        """
        opened = _opened(subject)
        layout = Layout.of(opened, self.places)
        pair = Pair(opened, edit, texts)
        dealt = _dealt(pair.texts, self.seed)
        reporting = sum(text.topic in quarter for text in pair.texts for quarter in dealt[1])
        told = _Told(progress, 2 * (len(pair.texts) + reporting))
        first, second = (contrast(pair, layout, quarters, told.more, self.seed) for quarters in dealt)
        result = _Result(self, pair, layout, (first, second))
        finding = result.finding(result.changes(dealt[1], told.more))
        told.end()
        ranked = tuple(layout.unit(index) for index in result.ranked(layout.units))
        return Look(finding, result.effects(), ranked, dealt[1][0] | dealt[1][1])

    def null(self, subject: Subject, texts: Sequence[Text], progress: Progress | None = None) -> float | None:
        """The share of units that the procedure confirms between texts on the untouched model, where nothing changed.

        Each half of the topics is dealt into two; what differs between the two of the first half is selected, and
        tested on the two of the second: Welch's test in place of the paired one, all else as in `look`.

        Returns:
            0 to 1, to be at most the level; None where a quarter has fewer than four topics, of which nothing can be
            selected.

        Raises:
            RequestError: a half has fewer than two topics.
            SeamError: the subject is closed, or has none of the places.
        """
        opened = _opened(subject)
        layout = Layout.of(opened, self.places)
        pair = Pair(opened, None, texts)
        told = _Told(progress, len(pair.texts))
        first, second = (contrast(pair, layout, quarters, told.more) for quarters in _dealt(pair.texts, self.seed))
        return null_share(first, second, self.level)


def null_share(first: HalfContrast, second: HalfContrast, level: float) -> float | None:
    """The share of units confirmed between the quarters of two halves; None where one has fewer than four topics."""
    if min(quarter.topics for half in (first, second) for quarter in half.quarters) < FEWEST:
        return None
    tests = [welch_t(*(quarter.before for quarter in half.quarters)) for half in (first, second)]
    return float(confirm(tests[0], tests[1], level).is_confirmed.mean())


def flipped_share(first: HalfContrast, second: HalfContrast, level: float) -> float | None:
    """The share of units confirmed where each topic's change has a random sign: the mean of some draws.

    All else is as in the finding: the same topics, the same pairs, the same dependence of units on each other.

    Returns:
        0 to 1, to be at most the level; None where a half has fewer than six topics.
    """
    if min(half.seen.topics for half in (first, second)) < FEWEST_SIGNED:
        return None
    shares = [
        confirm(signed_t(first.seen, one), signed_t(second.seen, other), level).is_confirmed.mean()
        for one, other in zip(first.signed, second.signed, strict=True)
    ]
    return float(np.mean(shares))


class _Result:
    """What both halves say of the units, in the words of the finding."""

    def __init__(self, lens: UnitLens, pair: Pair, layout: Layout, found: tuple[HalfContrast, HalfContrast]) -> None:
        self.lens = lens
        self.pair = pair
        self.layout = layout
        self.halves = found
        selecting, reporting = (half.seen for half in found)
        self.confirmed: Confirmed = confirm(paired_t(selecting), paired_t(reporting), lens.level)
        self.effect = effect(reporting.change, found[1].raw)
        self.selected = effect(selecting.change, found[0].raw)
        self.normalised = effect(reporting.normalised, found[1].normal)
        self.firing = firing((found[1].before, found[1].after))
        is_gate = np.repeat([site.place == "gate" for site in layout.sites], layout.widths)
        self.kinds = kinds(reporting, (self.firing[0], self.firing[1]), is_gate, lens.level)
        self.outliers: Mapping[int, Outlier] = outliers(layout, found[0].before + found[1].before)
        self.is_outlier = np.isin(np.arange(layout.units), list(self.outliers))

    def effects(self) -> Effects:
        """Of every unit, over the topics and tokens of both halves."""
        first, second = self.halves
        seen = first.seen + second.seen
        raw, normal = (
            (one[0] + other[0], one[1] + other[1])
            for one, other in ((first.raw, second.raw), (first.normal, second.normal))
        )
        return Effects.of(self.layout, seen.topics, effect(seen.change, raw), effect(seen.normalised, normal))

    def ranked(self, most: int) -> list[int]:
        """The confirmed units with the largest effects on the half that selects, that many of a place, largest first.

        The half that reports has no say in the order, or the effects that it reports would be picked for their size.
        """
        order = np.argsort(-np.abs(self.selected), kind="stable")
        kept: Counter[Place] = Counter()
        chosen: list[int] = []
        for index in order[self.confirmed.is_confirmed[order]].tolist():
            place = self.layout.unit(index).place
            if index not in self.outliers and kept[place] < most:
                kept[place] += 1
                chosen.append(index)
        return chosen

    def changes(self, quarters: Quarters, told: Told) -> tuple[Change, ...]:
        """The first of them in full; their percentiles take a second pass over the half that reports."""
        chosen = self.ranked(CHANGES)
        if not chosen:
            return ()
        topics = quarters[0] | quarters[1]
        before, after = (self._high(side, chosen, topics, told) for side in ("before", "after"))
        return tuple(self._change(index, (before[index], after[index])) for index in chosen)

    def finding(self, changes: tuple[Change, ...]) -> UnitFinding:
        """All of it."""
        first, second = self.halves
        return UnitFinding(
            source=self.lens.source,
            texts=(first.texts, second.texts),
            topics=(first.seen.topics, second.seen.topics),
            tokens=first.before.tokens + second.before.tokens,
            level=self.lens.level,
            sites=tuple(self._count(site) for site in self.layout.sites),
            changes=changes,
            dots=tuple(Dot(self.layout.unit(index), float(self.effect[index])) for index in self.ranked(DOTS)),
            outliers=tuple(self.outliers.values()),
            null=null_share(first, second, self.lens.level),
            flipped=flipped_share(first, second, self.lens.level),
        )

    def _high(self, side: Side, chosen: Sequence[int], topics: Collection[str], told: Told) -> dict[int, float]:
        statistics = self.halves[1].before if side == "before" else self.halves[1].after
        places: dict[Site, list[int]] = {}
        for index in sorted(chosen):
            unit = self.layout.unit(index)
            places.setdefault(unit.site, []).append(index)
        ranges = {
            site: Range(
                torch.tensor(some) - self.layout.spans[site].start, statistics.least[some], statistics.greatest[some]
            )
            for site, some in places.items()
        }
        found = histograms(self.pair, side, topics, ranges, told)
        highs = {site: found.percentile(site, HIGH).tolist() for site in ranges}
        return {index: high for site, some in places.items() for index, high in zip(some, highs[site], strict=True)}

    def _change(self, index: int, high: tuple[float, float]) -> Change:
        seen = self.halves[1].seen
        return Change(
            unit=self.layout.unit(index),
            kind=KINDS[self.kinds[index]],
            firing=_both(self.firing[0], self.firing[1], index),
            mean=_both(seen.before.mean, seen.after.mean, index),
            high=high,
            effect=float(self.effect[index]),
            normalised=float(self.normalised[index]),
            selected=float(self.selected[index]),
            p=float(self.confirmed.p[index]),
            q=float(self.confirmed.q[index]),
        )

    def _count(self, site: Site) -> SiteCount:
        span = self.layout.spans[site]
        is_apart = self.is_outlier[span]
        is_confirmed = self.confirmed.is_confirmed[span] & ~is_apart
        counts = np.bincount(self.kinds[span][is_confirmed], minlength=len(KINDS)).tolist()
        return SiteCount(
            site.layer,
            site.place,
            units=len(is_confirmed),
            selected=int((self.confirmed.is_selected[span] & ~is_apart).sum()),
            confirmed=int(is_confirmed.sum()),
            kinds=dict(zip(KINDS, counts, strict=True)),
            outliers=int((self.confirmed.is_confirmed[span] & is_apart).sum()),
        )


class _Told:
    """Adds up the texts that were read."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._done, self._total = 0, total

    def more(self, texts: int) -> None:
        self._done += texts
        if self._progress:
            self._progress(self._done, self._total)

    def end(self) -> None:
        """What there was to read has been read."""
        if self._done < self._total:
            self.more(self._total - self._done)


def _opened(subject: Subject) -> OpenSubject:
    if not isinstance(subject, OpenSubject):
        raise refuse_closed(subject, "thinks")
    return subject


def _dealt(texts: Sequence[Text], seed: int) -> tuple[Quarters, Quarters]:
    """The topics of both halves, each in two."""
    first, second = (_quarters(half, seed) for half in halves(texts, seed))
    return first, second


def _quarters(half: Sequence[Text], seed: int) -> Quarters:
    topics = sorted({text.topic for text in half})
    random.Random(seed).shuffle(topics)
    return frozenset(topics[::2]), frozenset(topics[1::2])


def _both(before: Numbers, after: Numbers, index: int) -> tuple[float, float]:
    return float(before[index]), float(after[index])
