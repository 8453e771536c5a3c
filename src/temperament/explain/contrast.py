"""The same texts through a model untouched and edited: units by topic and by token, while the texts stream by.

Kept are moments over topics and sums over tokens and over topics with random signs, so memory grows with the units and
with what one batch holds, and not with the texts. Each batch is read untouched, then edited. No logits are computed.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from temperament.activation.histogram import Histograms, Range
from temperament.activation.reader import Reader
from temperament.activation.statistic import UnitStatistics, UnitTotals
from temperament.errors import SeamError
from temperament.explain.finding import Unit
from temperament.explain.moment import Moments, Seen, TokenMoments
from temperament.explain.pair import Batch, Pair, Side
from temperament.stats.cluster import Numbers
from temperament.subject.anatomy import Place, Site
from temperament.subject.open import OpenSubject

# What is followed over topics: a unit before and after, the difference, and the difference of what is normalised.
QUANTITIES = 4
# Times that every topic's change is given a random sign, to know what is found where topics do not agree.
DRAWS = 20
Told = Callable[[int], None]


@dataclass(frozen=True)
class Layout:
    """All units of some sites in one row.

    Attributes:
        sites: in order.
        widths: units of each.
    """

    sites: tuple[Site, ...]
    widths: tuple[int, ...]

    @classmethod
    def of(cls, subject: OpenSubject, places: Sequence[Place]) -> "Layout":
        """The sites of a subject at some places; places that its blocks do not have are left out.

        Raises:
            SeamError: the subject has none of them.
        """
        sites = [Site(layer, place) for layer in range(subject.anatomy.layers) for place in places]
        sites = [site for site in sites if _has(subject, site)]
        if not sites:
            message = f"units at {', '.join(places) or 'no place'} were asked for: {subject.name} has none of these."
            raise SeamError(message)
        return cls(tuple(sites), tuple(subject.width(site) for site in sites))

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where each site begins, and where the last one ends."""
        return (0, *accumulate(self.widths))

    @property
    def units(self) -> int:
        """How many there are."""
        return self.starts[-1]

    @cached_property
    def spans(self) -> Mapping[Site, slice]:
        """The part of the row that is a site's."""
        return {site: slice(*ends) for site, ends in zip(self.sites, self._ends(), strict=True)}

    def unit(self, index: int) -> Unit:
        """The unit at a place in the row."""
        site = int(np.searchsorted(self.starts, index, side="right")) - 1
        found = self.sites[site]
        return Unit(found.layer, found.place, index - self.starts[site])

    def _ends(self) -> Iterator[tuple[int, int]]:
        return zip(self.starts[:-1], self.starts[1:], strict=True)


@dataclass(frozen=True, eq=False)
class HalfContrast:
    """What one half of the texts shows.

    Attributes:
        texts: that were read.
        quarters: its topics, in two.
        before: over tokens, all units in one row.
        after: the same under the edit.
        normal: of activations divided, at each token, by the root mean square of their site, before and after.
        signed: sums over topics of the changes, each topic's with a random sign, [draw, unit]; without an edit no draw.
    """

    texts: int
    quarters: tuple[Seen, Seen]
    before: UnitStatistics
    after: UnitStatistics
    normal: tuple[TokenMoments, TokenMoments]
    signed: Numbers

    @cached_property
    def seen(self) -> Seen:
        """All its topics."""
        return self.quarters[0] + self.quarters[1]

    @cached_property
    def raw(self) -> tuple[TokenMoments, TokenMoments]:
        """Of activations as they are, before and after."""
        return TokenMoments.of(self.before), TokenMoments.of(self.after)


class TopicSums(Reader):
    """Weighted sums by topic of one batch, raw and normalised, and sums over all tokens of all batches."""

    def __init__(self, subject: OpenSubject, sites: Sequence[Site]) -> None:
        super().__init__(subject, sites)
        self.totals: dict[Site, UnitTotals] = {}
        self.normal: dict[Site, Float[Tensor, "sum unit"]] = {}
        self.sums: dict[Site, Float[Tensor, "kind topic unit"]] = {}
        self._weights = torch.zeros(0, 0)
        self._topics: list[int] = []
        self._next: dict[Site, int] = {}

    def expect(self, weights: Float[Tensor, "topic token"]) -> None:
        """Begin a batch: what each position that is going to be seen counts for which topic."""
        self._topics = weights.argmax(dim=0).tolist()
        self._weights = weights.to(self.subject.device)
        self.sums, self._next = {}, dict.fromkeys(self.sites, 0)

    def _take(self, site: Site, piece: Float[Tensor, "token unit"]) -> None:
        if site not in self.totals:
            self.totals[site] = UnitTotals(piece.shape[1], piece.device)
            self.normal[site] = torch.zeros(2, piece.shape[1], dtype=torch.float64, device=piece.device)
        scratch = self._scratch_like(piece)
        self.totals[site].add(piece, scratch)
        if site not in self.sums:
            self.sums[site] = torch.zeros(2, len(self._weights), piece.shape[1], device=piece.device)
        start = self._next[site]
        self._next[site] = end = start + len(piece)
        # Texts of a topic stand side by side, so a piece is of few topics.
        part = slice(self._topics[start], self._topics[end - 1] + 1)
        weights = self._weights[part, start:end]
        size = torch.linalg.vector_norm(piece, dim=1) / math.sqrt(piece.shape[1])
        inverse = torch.where(size > 0, 1 / size, 0.0)
        # One product is one pass over the activations, for both kinds and all topics.
        found = torch.cat([weights, weights * inverse, inverse[None]]) @ piece
        self.sums[site][:, part] += found[:-1].unflatten(0, (2, -1))
        squares = torch.mul(piece, inverse[:, None], out=scratch).square_().sum(dim=0)
        self.normal[site] += torch.stack([found[-1], squares])


class Contrast:
    """Takes batches of one half of the topics, and keeps what they show; the seed is that of random signs."""

    def __init__(
        self, pair: Pair, layout: Layout, quarters: tuple[Collection[str], Collection[str]], seed: int = 0
    ) -> None:
        self._pair = pair
        self._layout = layout
        self._quarters = quarters
        self._before = TopicSums(pair.subject, layout.sites)
        # Without an edit all is read once, and after is before.
        self._after = self._before if pair.is_same else TopicSums(pair.subject, layout.sites)
        self._spreads = [{site: _Spread() for site in layout.sites} for _ in quarters]
        self._rest: dict[Site, Tensor] = {}
        self._signs = _signs(pair, seed)
        self._signed: dict[Site, Float[Tensor, "draw unit"]] = {}

    def take(self, batch: Batch) -> None:
        """Read a batch untouched, then edited."""
        weights = self._pair.weights(batch)
        self._read("before", batch, weights, self._before)
        if not self._pair.is_same:
            self._read("after", batch, weights, self._after)
        first = [place for place, topic in enumerate(batch.topics) if topic in self._quarters[0]]
        second = [place for place in range(len(batch.topics)) if place not in first]
        signs = torch.stack([self._signs[topic] for topic in batch.topics], dim=1).to(self._pair.subject.device)
        for site in self._layout.sites:
            before, after = (sums.sums[site].double() for sums in (self._before, self._after))
            found = torch.stack([before[0], after[0], after[0] - before[0], after[1] - before[1]])
            if site in self._rest:
                found[:, 0] += self._rest.pop(site)
            if batch.is_open:
                self._rest[site] = found[:, 0]
                continue
            if not self._pair.is_same:
                signed = signs @ found[2]
                self._signed[site] = self._signed[site] + signed if site in self._signed else signed
            for quarter, places in enumerate((first, second)):
                if places:
                    self._spreads[quarter][site].add(found[:, places])

    def value(self) -> HalfContrast:
        """What was seen so far."""
        texts = sum(text.topic in half for text in self._pair.texts for half in self._quarters)
        first, second = (self._seen(spreads) for spreads in self._spreads)
        before, after = self._before, self._after
        normal = (self._normal(before), self._normal(after))
        return HalfContrast(texts, (first, second), self._tokens(before), self._tokens(after), normal, self._signs_of())

    def _read(self, side: Side, batch: Batch, weights: Float[Tensor, "topic token"], sums: TopicSums) -> None:
        sums.expect(weights)
        self._pair.read(side, batch, [sums])

    def _seen(self, spreads: Mapping[Site, "_Spread"]) -> Seen:
        parts = [spreads[site] for site in self._layout.sites]
        widths = self._layout.widths
        means, squares = (
            np.concatenate([part.value(kind, width) for part, width in zip(parts, widths, strict=True)], axis=1)
            for kind in ("mean", "squares")
        )
        return Seen(*(Moments(parts[0].topics, *pair) for pair in zip(means, squares, strict=True)))

    def _tokens(self, sums: TopicSums) -> UnitStatistics:
        found = [sums.totals[site].value() for site in self._layout.sites]
        names = ("positive", "total", "squares", "least", "greatest")
        return UnitStatistics(found[0].tokens, *(torch.cat([getattr(part, name) for part in found]) for name in names))

    def _normal(self, sums: TopicSums) -> TokenMoments:
        total, squares = torch.cat([sums.normal[site].cpu() for site in self._layout.sites], dim=1).numpy()
        return TokenMoments(sums.totals[self._layout.sites[0]].tokens, total, squares)

    def _signs_of(self) -> Numbers:
        if self._pair.is_same:
            return np.zeros((0, self._layout.units))
        return torch.cat([self._signed[site].cpu() for site in self._layout.sites], dim=1).numpy()


class _Spread:
    """Mean and squared deviations over topics, which come some at a time; float64.

    Source: Chan, Golub and LeVeque 1983, doi:10.1080/00031305.1983.10483115, equation 2.1.
    """

    def __init__(self) -> None:
        self.topics = 0
        self._kept: dict[str, Tensor] = {}

    def add(self, found: Float[Tensor, "quantity topic unit"]) -> None:
        count, mean = found.shape[1], found.mean(dim=1)
        squares = (found - mean[:, None]).square().sum(dim=1)
        if self.topics:
            apart = mean - self._kept["mean"]
            share = count / (self.topics + count)
            squares = self._kept["squares"] + squares + apart.square() * (self.topics * share)
            mean = self._kept["mean"] + apart * share
        self._kept = {"mean": mean, "squares": squares}
        self.topics += count

    def value(self, kind: str, width: int) -> Numbers:
        """[quantity, unit], on the CPU."""
        return self._kept[kind].cpu().numpy() if self.topics else np.zeros((QUANTITIES, width))


def _signs(pair: Pair, seed: int) -> dict[str, Float[Tensor, " draw"]]:
    """Random signs of each topic of both halves: 1 or -1, whatever order the topics are read in."""
    topics = sorted(pair.sizes)
    drawn = np.random.default_rng(seed).choice([-1.0, 1.0], size=(len(topics), DRAWS))
    return dict(zip(topics, torch.from_numpy(drawn), strict=True))


def contrast(
    pair: Pair,
    layout: Layout,
    quarters: tuple[Collection[str], Collection[str]],
    told: Told | None = None,
    seed: int = 0,
) -> HalfContrast:
    """Read one half of the topics, dealt into two quarters, untouched and edited.

    Args:
        pair: texts.
        layout: units to look at.
        quarters: the topics of each, together at least two that the pair has.
        told: is told how many more texts were read on one side.
        seed: of random signs, one for both halves.
    """
    topics = {topic for quarter in quarters for topic in quarter}
    taking = Contrast(pair, layout, quarters, seed)
    for batch in pair.batches(topics):
        taking.take(batch)
        if told:
            told(len(batch.numbers) * (1 if pair.is_same else 2))
    return taking.value()


def histograms(
    pair: Pair, side: Side, topics: Collection[str], ranges: Mapping[Site, Range], told: Told | None = None
) -> Histograms:
    """Read topics again for the percentiles of some units."""
    reader = Histograms(pair.subject, ranges)
    for batch in pair.batches(topics):
        pair.read(side, batch, [reader])
        if told:
            told(len(batch.numbers))
    return reader


def _has(subject: OpenSubject, site: Site) -> bool:
    try:
        subject.anatomy.check(site)
    except SeamError:
        return False
    return True
