"""Counts, moments and ranges of units over tokens, in memory that grows with the units and not with the tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from temperament.activation.reader import Reader
from temperament.errors import RequestError
from temperament.subject.anatomy import Site
from temperament.subject.open import OpenSubject

PerUnit = Float[Tensor, " unit"]


@dataclass(frozen=True, eq=False)
class UnitStatistics:
    """What the units of a site did over some tokens; float64.

    Attributes:
        tokens: that were counted.
        positive: tokens with an activation above 0.
        total: sum of the activations.
        squares: sum of their squares.
        least: the lowest activation.
        greatest: the highest.

    Raises:
        RequestError: no token was counted.
    """

    tokens: int
    positive: PerUnit
    total: PerUnit
    squares: PerUnit
    least: PerUnit
    greatest: PerUnit

    def __post_init__(self) -> None:
        if self.tokens < 1:
            message = "the statistics of units were asked for, and no token was counted: read some texts first."
            raise RequestError(message)

    @property
    def firing(self) -> PerUnit:
        """The share of tokens with an activation above 0."""
        return self.positive / self.tokens

    @property
    def mean(self) -> PerUnit:
        """The mean activation."""
        return self.total / self.tokens

    @property
    def variance(self) -> PerUnit:
        """The variance over tokens, as an estimate from a sample; NaN for a single token."""
        spread = (self.squares - self.total.square() / self.tokens).clamp(min=0)
        return spread / (self.tokens - 1) if self.tokens > 1 else torch.full_like(spread, torch.nan)

    def __add__(self, other: "UnitStatistics") -> "UnitStatistics":
        return UnitStatistics(
            self.tokens + other.tokens,
            self.positive + other.positive,
            self.total + other.total,
            self.squares + other.squares,
            torch.minimum(self.least, other.least),
            torch.maximum(self.greatest, other.greatest),
        )


def cohens_d(first: UnitStatistics, second: UnitStatistics) -> PerUnit:
    """By how many pooled standard deviations the first mean is above the second; 0 where nothing varies."""
    weights = (first.tokens - 1) * first.variance + (second.tokens - 1) * second.variance
    deviation = (weights / (first.tokens + second.tokens - 2)).sqrt()
    return torch.where(deviation > 0, (first.mean - second.mean) / deviation, 0.0)


class Collector(Reader):
    """Keeps the statistics of every unit of some sites. One collector is for one condition, such as a pole.

    A piece of a batch is summed in float32 and added to totals in float64, so a sum of many tokens loses nothing that
    a sum of few keeps. Same passes in the same order, same figures.
    """

    def __init__(self, subject: OpenSubject, sites: Sequence[Site]) -> None:
        super().__init__(subject, sites)
        self._kept: dict[Site, UnitTotals] = {}

    def statistics(self, site: Site) -> UnitStatistics:
        """What was counted so far, on the CPU; raises RequestError where that is nothing."""
        totals = self._kept.get(site)
        if totals is None:
            totals = UnitTotals(self.subject.width(site), torch.device("cpu"))
        return totals.value()

    def _take(self, site: Site, piece: Float[Tensor, "token unit"]) -> None:
        if site not in self._kept:
            self._kept[site] = UnitTotals(piece.shape[1], piece.device)
        self._kept[site].add(piece, self._scratch_like(piece))


class UnitTotals:
    """The sums behind statistics, on the device of the activations."""

    def __init__(self, width: int, device: torch.device) -> None:
        # Outside inference mode, so that they can be added to in and out of it.
        with torch.inference_mode(mode=False):
            self.tokens = 0
            self.positive, self.total, self.squares = torch.zeros(3, width, dtype=torch.float64, device=device)
            self.least = torch.full((width,), torch.inf, device=device)
            self.greatest = torch.full((width,), -torch.inf, device=device)

    def add(self, piece: Float[Tensor, "token unit"], scratch: Float[Tensor, "token unit"]) -> None:
        """Add tokens, a piece that fits into the cache at a time.

        Measured on a CPU, 512 tokens of 46,080 units: comparing into a float buffer and summing that takes a quarter of
        the time of summing booleans, two sums a ninth of ``var_mean``, ``amin`` and ``amax`` a sixth of ``aminmax``.
        """
        self.tokens += len(piece)
        self.total += piece.sum(dim=0)
        self.squares += torch.mul(piece, piece, out=scratch).sum(dim=0)
        self.positive += torch.gt(piece, 0, out=scratch).sum(dim=0)
        torch.minimum(self.least, piece.amin(dim=0), out=self.least)
        torch.maximum(self.greatest, piece.amax(dim=0), out=self.greatest)

    def value(self) -> UnitStatistics:
        """The sums so far, as values that stay."""
        parts = (self.positive, self.total, self.squares, self.least, self.greatest)
        return UnitStatistics(self.tokens, *(part.double().cpu().clone() for part in parts))
