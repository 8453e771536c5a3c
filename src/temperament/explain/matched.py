"""Random units that resemble chosen ones: as active in the untouched model, or changed by the edit as they are."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from temperament.activation.forcing import encoded
from temperament.activation.reader import Reader
from temperament.activation.text import read_texts
from temperament.errors import RequestError
from temperament.explain.ablation import Levels
from temperament.explain.finding import Unit
from temperament.explain.text import Text
from temperament.subject.anatomy import Place, Site
from temperament.subject.open import OpenSubject
from temperament.subject.text import Encoded

DECILES = 10


@dataclass(frozen=True, eq=False)
class Activity:
    """What the units of some sites do on answers, on average over tokens; float64.

    Attributes:
        mean: of the activation.
        magnitude: of its absolute value.
    """

    mean: Levels = field(default_factory=dict[Site, Tensor])
    magnitude: Levels = field(default_factory=dict[Site, Tensor])


@dataclass(frozen=True)
class Matched:
    """Random sets of units.

    Attributes:
        sets: of as many units each.
        borrowed: share of the units that come from another decile of activity than the chosen ones, because theirs had
            none left.
    """

    sets: tuple[tuple[Unit, ...], ...]
    borrowed: float


def activity(subject: OpenSubject, texts: Sequence[Text], sites: Sequence[Site]) -> Activity:
    """What units do on the answers of texts that the subject reads, under what is applied to it.

    Texts that do not fit into the model's window are left out.

    Raises:
        SeamError: a site does not exist.
    """
    if not sites:
        return Activity()
    reader = _Activities(subject, sites)
    rows = [row for row in encoded(subject, [text.exchange for text in texts]) if row]
    read_texts(subject, [Encoded(row.prompt, row.answer) for row in rows], [reader])
    return reader.value()


class MatchedUnits:
    """Draws units of the same sites and of the same decile of mean magnitude within their site.

    Units are drawn without replacement from those that are not chosen. Where a decile has too few, the nearest ones
    give the rest.
    """

    def __init__(self, chosen: Sequence[Unit], magnitude: Levels, apart: Sequence[Unit] = ()) -> None:
        """Sort the units of each site into deciles.

        Args:
            chosen: units that are to be matched, each once.
            magnitude: mean absolute activation of every unit of their sites.
            apart: units that are never drawn, such as outlier dimensions.

        Raises:
            RequestError: a site has fewer other units than are to be matched.
        """
        self._chosen = tuple(chosen)
        wanted: dict[tuple[int, Place], list[int]] = defaultdict(list)
        for unit in chosen:
            wanted[unit.layer, unit.place].append(unit.number)
        self._wanted: list[tuple[Site, dict[int, int], dict[int, list[int]]]] = []
        for (layer, place), numbers in sorted(wanted.items()):
            site = Site(layer, place)
            taken = {unit.number for unit in (*chosen, *apart) if (unit.layer, unit.place) == (layer, place)}
            deciles = _deciles(magnitude[site])
            if len(deciles) - len(taken) < len(numbers):
                message = (
                    f"random sets were asked for beside {len(numbers)} units of the {site}: it has only "
                    f"{len(deciles) - len(taken)} others. Choose fewer."
                )
                raise RequestError(message)
            pools: dict[int, list[int]] = defaultdict(list)
            for number, decile in enumerate(deciles):
                if number not in taken:
                    pools[decile].append(number)
            counts: dict[int, int] = defaultdict(int)
            for number in numbers:
                counts[deciles[number]] += 1
            self._wanted.append((site, counts, pools))

    def draw(self, sets: int, seed: int = 0) -> Matched:
        """Sets of units, each as large as what was chosen; equal seeds give equal sets."""
        source = random.Random(seed)
        found = [self._one(source) for _ in range(sets)]
        units = sum(len(some) for some, _ in found)
        return Matched(tuple(some for some, _ in found), sum(far for _, far in found) / units if units else 0.0)

    def _one(self, source: random.Random) -> tuple[tuple[Unit, ...], int]:
        drawn: list[Unit] = []
        far = 0
        for site, counts, pools in self._wanted:
            left = {decile: source.sample(pool, len(pool)) for decile, pool in pools.items()}
            missing: list[int] = []
            for decile, count in sorted(counts.items()):
                own = left.get(decile, [])
                drawn += [Unit(site.layer, site.place, own.pop()) for _ in range(min(count, len(own)))]
                missing += [decile] * (count - min(count, len(pools.get(decile, []))))
            for decile in missing:
                near = min((other for other in left if left[other]), key=lambda other: (abs(other - decile), other))
                drawn.append(Unit(site.layer, site.place, left[near].pop()))
            far += len(missing)
        return tuple(drawn), far


def others_of(chosen: Sequence[Unit], pool: Sequence[Unit], sets: int, seed: int = 0) -> tuple[tuple[Unit, ...], ...]:
    """Random sets of as many units of a pool at each place: of the same site as far as it goes, then of other layers.

    Args:
        chosen: units that are to be matched, each once.
        pool: units that may be drawn; chosen ones are not.
        sets: that are drawn; equal ones count once.
        seed: equal seeds give equal sets.

    Returns:
        None at all where the pool has too few units of a place.
    """
    taken = set(chosen)
    left = [unit for unit in dict.fromkeys(pool) if unit not in taken]
    wanted, there = (Counter(unit.place for unit in some) for some in (chosen, left))
    if not chosen or any(there[place] < count for place, count in wanted.items()):
        return ()
    source = random.Random(seed)
    return tuple(dict.fromkeys(tuple(sorted(_one_of(chosen, left, source))) for _ in range(sets)))


def _one_of(chosen: Sequence[Unit], pool: Sequence[Unit], source: random.Random) -> list[Unit]:
    mixed = source.sample(pool, len(pool))
    missing: Counter[tuple[int, Place]] = Counter((unit.layer, unit.place) for unit in chosen)
    drawn: list[Unit] = []
    for unit in mixed:
        if missing[unit.layer, unit.place]:
            missing[unit.layer, unit.place] -= 1
            drawn.append(unit)
    used = set(drawn)
    lacking: Counter[Place] = Counter()
    lacking.update([place for (_, place), count in missing.items() for _ in range(count)])
    for unit in mixed:
        if unit not in used and lacking[unit.place]:
            lacking[unit.place] -= 1
            drawn.append(unit)
    return drawn


class _Activities(Reader):
    """Keeps two sums of every unit."""

    def __init__(self, subject: OpenSubject, sites: Sequence[Site]) -> None:
        super().__init__(subject, sites)
        self._tokens: dict[Site, int] = defaultdict(int)
        self._sums: dict[Site, Tensor] = {}

    def value(self) -> Activity:
        """The means so far, on the CPU."""
        means = {site: (sums / self._tokens[site]).cpu() for site, sums in self._sums.items()}
        return Activity({site: one[0] for site, one in means.items()}, {site: one[1] for site, one in means.items()})

    def _take(self, site: Site, piece: Float[Tensor, "token unit"]) -> None:
        if site not in self._sums:
            with torch.inference_mode(mode=False):
                self._sums[site] = torch.zeros(2, piece.shape[1], dtype=torch.float64, device=piece.device)
        self._tokens[site] += len(piece)
        self._sums[site][0] += piece.sum(dim=0)
        self._sums[site][1] += torch.abs(piece, out=self._scratch_like(piece)).sum(dim=0)


def _deciles(magnitude: Float[Tensor, " unit"]) -> list[int]:
    """The decile of each unit by its rank; 0 is the least active."""
    ranks = magnitude.argsort(stable=True).argsort()
    return [int(rank) * DECILES // len(ranks) for rank in ranks]
