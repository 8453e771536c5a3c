"""Percentiles of selected units from a second pass over the same texts: histograms between known ends."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from temperament.activation.reader import Reader
from temperament.errors import RequestError
from temperament.subject.anatomy import Site
from temperament.subject.open import OpenSubject

BINS = 512


@dataclass(frozen=True, eq=False)
class Range:
    """Units of a site, and the ends between which their activations lie.

    Attributes:
        units: their numbers.
        least: the lowest activation of each.
        greatest: the highest of each.
    """

    units: Int[Tensor, " unit"]
    least: Float[Tensor, " unit"]
    greatest: Float[Tensor, " unit"]


class Histograms(Reader):
    """Counts the activations of selected units in equal bins: 4 bytes a unit and bin, whatever is read.

    What lies outside a unit's range by rounding counts in the outermost bin.
    """

    def __init__(self, subject: OpenSubject, ranges: Mapping[Site, Range], bins: int = BINS) -> None:
        super().__init__(subject, tuple(ranges))
        if bins < 1:
            message = f"bins is {bins}: it needs to be at least 1."
            raise RequestError(message)
        self.bins = bins
        self._counts = {site: _Counts(found, bins) for site, found in ranges.items()}

    def counts(self, site: Site) -> Int[Tensor, "unit bin"]:
        """Tokens in each bin so far."""
        return self._counts[site].value

    def percentile(self, site: Site, share: float) -> Float[Tensor, " unit"]:
        """The activation that this share of the tokens does not exceed, of each selected unit; float64, on the CPU.

        It is off by at most the width of a bin from the percentile of all the activations, with linear interpolation
        between neighbours in rank: each of the two lies in a known bin.

        Args:
            site: one of those that are read.
            share: 0 to 1.

        Raises:
            RequestError: no token was counted, or the share is none.
        """
        if not 0 <= share <= 1:
            message = f"the percentile at {share:g} was asked for: give a share, 0 to 1."
            raise RequestError(message)
        return self._counts[site].percentile(share)

    def _take(self, site: Site, piece: Float[Tensor, "token unit"]) -> None:
        self._counts[site].add(piece)


class _Counts:
    def __init__(self, found: Range, bins: int) -> None:
        with torch.inference_mode(mode=False):
            self.units = found.units.clone()
            self.least, greatest = found.least.double().clone(), found.greatest.double().clone()
            self.width = (greatest - self.least) / bins
            self.value = torch.zeros(len(self.units), bins, dtype=torch.int32)
            self._first = torch.arange(len(self.units)) * bins
            self._ends = (self.least.float(), torch.where(self.width > 0, 1 / self.width, 0.0).float())

    def add(self, piece: Float[Tensor, "token unit"]) -> None:
        if self.value.device != piece.device:
            self._move(piece.device)
        least, scale = self._ends
        places = ((piece.index_select(1, self.units) - least) * scale).clamp(0, self.value.shape[1] - 1).long()
        flat = (places + self._first).flatten()
        self.value.view(-1).index_add_(0, flat, torch.ones_like(flat, dtype=torch.int32))

    def percentile(self, share: float) -> Float[Tensor, " unit"]:
        counts = self.value.cpu().long()
        below = torch.cat([torch.zeros(len(counts), 1, dtype=torch.long), counts.cumsum(dim=1)], dim=1)
        if not len(counts):
            return torch.zeros(0, dtype=torch.float64)
        tokens = int(below[0, -1])
        if tokens < 1:
            message = "percentiles of units were asked for, and no token was counted: read some texts first."
            raise RequestError(message)
        position = share * (tokens - 1)
        lower = int(position)
        first, second = (self._of_rank(counts, below, rank) for rank in (lower, min(lower + 1, tokens - 1)))
        return first + (position - lower) * (second - first)

    def _of_rank(self, counts: Tensor, below: Tensor, rank: int) -> Float[Tensor, " unit"]:
        """About where the activation of a rank lies: those of a bin are taken to be spread evenly over it."""
        ranks = torch.full((len(counts), 1), rank)
        place = torch.searchsorted(below[:, 1:].contiguous(), ranks, right=True)
        inside = (ranks - below.gather(1, place) + 0.5) / counts.gather(1, place)
        return self.least.cpu() + (place + inside).squeeze(1) * self.width.cpu()

    def _move(self, device: torch.device) -> None:
        with torch.inference_mode(mode=False):
            self.value, self.units, self._first = (part.to(device) for part in (self.value, self.units, self._first))
            self._ends = (self._ends[0].to(device), self._ends[1].to(device))
