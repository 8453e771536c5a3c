"""The lens that looks at units before and after an edit, on the same texts."""

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from temperament.activation.histogram import Range
from temperament.edit.base import Edit, refuse_closed
from temperament.errors import RequestError
from temperament.explain.arm import Effects
from temperament.explain.contrast import Contrast, HalfContrast, Layout, Told, contrast, histograms
from temperament.explain.finding import Change, Dot, Outlier, SiteCount, UnitFinding
from temperament.explain.outlier import outliers
from temperament.explain.pair import Pair, Side
from temperament.explain.selection import (
    KINDS,
    Confirmed,
    confirm,
    effect,
    firing,
    kinds,
    normalised_effect,
    paired_t,
    welch_t,
)
from temperament.explain.text import Text, halves
from temperament.stats.cluster import Numbers
from temperament.stats.family import LEVEL
from temperament.subject.anatomy import Place, Site
from temperament.subject.base import Progress, Subject
from temperament.subject.open import OpenSubject

PLACES: tuple[Place, ...] = ("gate", "mlp", "attention", "residual")
CHANGES = 400  # of a place, with all that is known of them
DOTS = 1000  # of a place, with their effect
HIGH = 0.95

Quarters = tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True, eq=False)
class Look:
    """What the lens saw.

    Attributes:
        finding: to be kept and shown.
        effects: of every unit, over both halves.
    """

    finding: UnitFinding
    effects: Effects


@dataclass(frozen=True)
class UnitLens:
    """Which units an edit changes: selected on one half of the topics, confirmed and measured on the other.

    The observation is the topic: the mean of its texts, each the mean over the positions of its answer. Selection is a
    paired t-test with Benjamini-Hochberg over all units of all sites at once; what it selects is tested again on the
    other half, corrected over what was selected, and has to point the same way.

    Attributes:
        level: of the false discovery rate, between 0 and 1.
        seed: of the division of topics.
        places: of the units; those that a model does not have are left out.
        source: of the texts: ``own`` replies of the edited model, or ``given`` answers.
        is_timed: compare the time with that of bare passes, which reads all texts twice more.

    Raises:
        RequestError: the level is none.
    """

    level: float = LEVEL
    seed: int = 0
    places: tuple[Place, ...] = PLACES
    source: Literal["own", "given"] = "given"
    is_timed: bool = False

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
        """The finding, and the effects on every unit, which `compare_arms` takes.

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
        found = (contrast(pair, layout, dealt[0], told.more), contrast(pair, layout, dealt[1], told.more))
        seen = found[0].seen + found[1].seen
        effects = Effects.of(layout, seen.topics, effect(seen), normalised_effect(seen))
        result = _Result(self, pair, layout, found)
        changes = result.changes(dealt[1], told.more)
        told.end()
        ratio = _seconds_ratio(pair, layout, dealt) if self.is_timed else None
        return Look(result.finding(changes, ratio), effects)

    def null(self, subject: Subject, texts: Sequence[Text], progress: Progress | None = None) -> float | None:
        """The share of units that the procedure confirms between texts on the untouched model, where nothing changed.

        Each half of the topics is dealt into two; what differs between the two of the first half is selected, and
        tested on the two of the second: Welch's test in place of the paired one, all else as in `look`.

        Returns:
            0 to 1, to be at most the level; None where a quarter has fewer than two topics.

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
    """The share of units confirmed between the quarters of two halves; None where one has fewer than two topics."""
    if min(quarter.topics for half in (first, second) for quarter in half.quarters) < 2:
        return None
    tests = [welch_t(*(quarter.before for quarter in half.quarters)) for half in (first, second)]
    return float(confirm(tests[0], tests[1], level).is_confirmed.mean())


class _Result:
    """What both halves say of the units, in the words of the finding."""

    def __init__(self, lens: UnitLens, pair: Pair, layout: Layout, found: tuple[HalfContrast, HalfContrast]) -> None:
        self.lens = lens
        self.pair = pair
        self.layout = layout
        self.halves = found
        selecting, reporting = (half.seen for half in found)
        self.confirmed: Confirmed = confirm(paired_t(selecting), paired_t(reporting), lens.level)
        self.effect = effect(reporting)
        self.selected = effect(selecting)
        self.normalised = normalised_effect(reporting)
        self.firing = firing((found[1].before, found[1].after))
        is_gate = np.repeat([site.place == "gate" for site in layout.sites], layout.widths)
        self.kinds = kinds(reporting, (self.firing[0], self.firing[1]), is_gate, lens.level)
        self.outliers: Mapping[int, Outlier] = outliers(layout, found[0].before + found[1].before)

    def ranked(self, most: int) -> list[int]:
        """The confirmed units with the largest effects, that many of a place at most, largest first."""
        order = np.argsort(-np.abs(self.effect), kind="stable")
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

    def finding(self, changes: tuple[Change, ...], ratio: float | None) -> UnitFinding:
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
            seconds_ratio=ratio,
        )

    def _high(self, side: Side, chosen: Sequence[int], topics: Collection[str], told: Told) -> dict[int, float]:
        statistics = self.halves[1].before if side == "before" else self.halves[1].after
        places: dict[Site, list[int]] = {}
        for index in sorted(chosen):
            unit = self.layout.unit(index)
            places.setdefault(Site(unit.layer, unit.place), []).append(index)
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
        is_confirmed = self.confirmed.is_confirmed[span]
        counts = np.bincount(self.kinds[span][is_confirmed], minlength=len(KINDS)).tolist()
        return SiteCount(
            site.layer,
            site.place,
            units=len(is_confirmed),
            selected=int(self.confirmed.is_selected[span].sum()),
            confirmed=int(is_confirmed.sum()),
            kinds=dict(zip(KINDS, counts, strict=True)),
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


def _seconds_ratio(pair: Pair, layout: Layout, dealt: Sequence[Quarters]) -> float:
    """The time of looking by that of the same forward passes without, batch by batch, so that both meet one load."""
    bare = looked = 0.0
    for quarters in dealt:
        taking = Contrast(pair, layout, quarters)
        for batch in pair.batches(quarters[0] | quarters[1]):
            for side in ("before", "after"):
                bare += _seconds(pair, lambda side=side, batch=batch: pair.read(side, batch))
            looked += _seconds(pair, lambda batch=batch, taking=taking: taking.take(batch))
    return looked / bare


def _seconds(pair: Pair, work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    if pair.subject.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start
