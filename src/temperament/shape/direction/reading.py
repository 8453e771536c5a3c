"""Reading directions: one pass over answers of both poles, all layers at once."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from temperament.activation.forcing import GivenAnswers, batches
from temperament.shape.likelihood import exchanges_of, whole
from temperament.shape.pair import Pair
from temperament.subject.anatomy import Site
from temperament.subject.open import OpenSubject

Kind = Literal["difference", "component", "random"]


@dataclass(frozen=True, eq=False)
class Reading:
    """What one site holds over the tokens of answers.

    Attributes:
        differences: of each pair, the mean over the tokens of the answer that shows the target less that of the other.
        norm: the mean length of the activation, over the tokens of all answers.
    """

    differences: Float[Tensor, "pair unit"]
    norm: float

    def direction(self, kind: Kind, seed: int) -> Float[Tensor, " unit"]:
        """A vector of length 1 that points to the target.

        ``difference`` is the difference of means; ``component`` the first principal component of the paired
        differences, with the sign that agrees with the difference; ``random`` a control with nothing of either in it.

        Source: Rimsky et al. 2023, arXiv 2312.06681; Chen et al. 2025, arXiv 2507.21509 (means over answer tokens);
        Zou et al. 2023, arXiv 2310.01405, and repeng (component).
        Departs: repeng reads the last token of each text, here all tokens of the answer. Its ``pca_diff`` centres the
        paired differences, which takes the mean difference, what the poles differ by, out of them; they are not
        centred here, which is its ``pca_center``.
        """
        mean = self.differences.mean(dim=0)
        match kind:
            case "difference":
                found = mean
            case "component":
                _, _, rows = torch.linalg.svd(self.differences, full_matrices=False)
                found = rows[0] if float(rows[0] @ mean) >= 0 else -rows[0]
            case "random":
                found = torch.randn(len(mean), generator=torch.Generator().manual_seed(seed))
        length = float(found.norm())
        return found / length if length > 0 else found


class _Sums:
    """Sums over the marked tokens of each row at one site, filled in by the forward passes."""

    def __init__(self, rows: int, width: int) -> None:
        self.sums = torch.zeros(rows, width)
        self.counts = torch.zeros(rows)
        self.length = 0.0
        self.batch: Sequence[int] = ()

    def see(
        self, activation: Float[Tensor, "batch token unit"], is_reply: Bool[Tensor, "batch token"]
    ) -> Float[Tensor, "batch token unit"]:
        """Add what is marked; the activation goes on as it came."""
        if bool(is_reply.any()):
            # Selected rather than multiplied by zero: padding may hold anything, NaN included.
            values = activation[is_reply].float()
            places = is_reply.nonzero()[:, 0]
            sums = values.new_zeros(len(activation), values.shape[1]).index_add_(0, places, values)
            self.sums[list(self.batch)] = sums.cpu()
            self.counts[list(self.batch)] = is_reply.sum(dim=1).float().cpu()
            self.length += float(values.norm(dim=1).sum())
        return activation


def read(subject: OpenSubject, sites: Sequence[Site], pairs: Sequence[Pair]) -> dict[Site, Reading]:
    """What the sites hold over the answers of pairs, read in one pass.

    An answer counts as one, however long it is. Memory is in the number of pairs, units and sites, not of tokens.
    """
    exchanges = exchanges_of(pairs)
    sums = {site: _Sums(len(exchanges), subject.width(site)) for site in sites}
    given = GivenAnswers(subject, exchanges)
    whole(subject, exchanges, given.rows)
    with torch.inference_mode(), ExitStack() as stack:
        for site, kept in sums.items():
            stack.enter_context(subject.rewrite(site, kept.see))
        for batch in batches([given]):
            for kept in sums.values():
                kept.batch = batch
            given.show(batch)
    return {site: _reading(kept) for site, kept in sums.items()}


def _reading(kept: _Sums) -> Reading:
    means = kept.sums / kept.counts[:, None]
    return Reading(means[::2] - means[1::2], kept.length / float(kept.counts.sum()))
