"""The logit lens: what vectors of the stream write towards, in standard deviations of the vocabulary."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from temperament.explain.norm import NormMap
from temperament.subject.anatomy import Site
from temperament.subject.open import OpenSubject

# Rows of the unembedding in memory at a time, in float32; units whose vectors are.
ROWS, UNITS = 8192, 512

PerUnit = Float[Tensor, " unit"]
Vectors = Float[Tensor, "unit hidden"]


class LogitLens:
    """From the stream through the final norm and the unembedding.

    A vector goes through the norm with its weight and, in LayerNorm, less its mean. The scale of the norm is a
    positive number that the whole state decides: it cancels when logits are standardised over the vocabulary (less
    their mean, by their standard deviation), as do the norm's bias and that of the unembedding, which no unit writes.

    The mean logit of some tokens is a product with one direction, and the variance of logits over the vocabulary is
    w' C w with C the covariance of the rows of the unembedding. So units are scored without any logits.

    Attributes:
        subject: whose lens it is.
        norm: the final one.

    Source: nostalgebraist 2020, interpreting GPT: the logit lens; Geva et al. 2022, arXiv 2203.14680 (what single units
    of an MLP write).
    Departs: standardised over the vocabulary, so that long vectors and short ones can be compared.
    """

    def __init__(self, subject: OpenSubject) -> None:
        self.subject = subject
        self._weight = cast(Tensor, subject.anatomy.unembedding.weight)
        like = torch.empty(self._weight.shape[1], dtype=subject.compute_dtype, device=subject.device)
        self.norm = NormMap.of(subject.anatomy.final_norm, like)

    @cached_property
    def mean(self) -> Float[Tensor, " hidden"]:
        """The mean row of the unembedding, in float64."""
        total = torch.zeros(self._weight.shape[1], dtype=torch.float64, device=self._weight.device)
        for rows in self._rows():
            total += rows.sum(dim=0, dtype=torch.float64)
        return total / len(self._weight)

    @cached_property
    def covariance(self) -> Float[Tensor, "hidden hidden"]:
        """Of the rows of the unembedding, in float64; a chunk of rows is multiplied in float32."""
        width = self._weight.shape[1]
        total = torch.zeros(width, width, dtype=torch.float64, device=self._weight.device)
        for rows in self._rows():
            centred = rows - self.mean.float()
            total += centred.T @ centred
        return total / len(self._weight)

    def direction(self, tokens: Int[Tensor, " token"]) -> Float[Tensor, " hidden"]:
        """The mean row of some tokens, less that of the vocabulary."""
        return self._weight[tokens].double().mean(dim=0) - self.mean

    def scores(self, vectors: Vectors, tokens: Int[Tensor, " token"]) -> PerUnit:
        """The mean standardised logit that each vector gives to some tokens, in float64; 0 for one that writes nothing.

        Args:
            vectors: of the stream.
            tokens: one or more.
        """
        pushed = self.norm.push(vectors)
        spread = ((pushed @ self.covariance) * pushed).sum(dim=-1).clamp(min=0).sqrt()
        return torch.where(spread > 0, (pushed @ self.direction(tokens)) / spread, 0.0)

    def logits(self, vector: Float[Tensor, " hidden"]) -> Float[Tensor, " vocab"]:
        """The standardised logits of one vector, in float32; all 0 for one that writes nothing."""
        pushed = self.norm.push(vector).float()
        found = torch.cat([rows @ pushed for rows in self._rows()])
        found = found - found.mean()
        spread = found.std(correction=0)
        return found / spread if float(spread) > 0 else torch.zeros_like(found)

    def _rows(self) -> Iterator[Float[Tensor, "row hidden"]]:
        for start in range(0, len(self._weight), ROWS):
            yield self._weight[start : start + ROWS].float()


def output_vectors(subject: OpenSubject, site: Site, units: Sequence[int]) -> Vectors:
    """What some units of a site add to the stream for each 1 that they hold, in float64.

    Of a gate it is a column of the map that ends the MLP, read off the map itself, given one unit at a time: so it is
    the same for every kind of weight, and includes what an edit that is applied has beside it. Where a norm stands
    behind the MLP, what the norm makes of it but for a positive factor. Of another site it is the dimension.

    Raises:
        SeamError: the site does not exist.
    """
    inputs = subject.width(site)
    hot = torch.zeros(len(units), inputs, dtype=subject.compute_dtype, device=subject.device)
    hot[torch.arange(len(units)), torch.tensor(list(units), dtype=torch.long)] = 1.0
    if site.place != "gate":
        return hot.double()
    mlp = Site(site.layer, "mlp")
    written = subject.anatomy.linear(subject.anatomy.output_path(mlp))
    with torch.no_grad():
        vectors = written(hot).double() - written(torch.zeros_like(hot[:1])).double()
    behind = subject.anatomy.norm_behind(mlp)
    if behind is None:
        return vectors
    like = torch.empty(vectors.shape[1], dtype=subject.compute_dtype, device=subject.device)
    return NormMap.of(behind, like).push(vectors)


def site_scores(lens: LogitLens, site: Site, tokens: Int[Tensor, " token"]) -> PerUnit:
    """`LogitLens.scores` of every unit of a site, a chunk of units at a time."""
    width = lens.subject.width(site)
    chunks = [range(start, min(start + UNITS, width)) for start in range(0, width, UNITS)]
    return torch.cat([lens.scores(output_vectors(lens.subject, site, chunk), tokens) for chunk in chunks])
