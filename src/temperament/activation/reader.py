"""Readers: they see the units of some sites while a subject reads or writes, and keep sums, never the activations."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from temperament.subject.anatomy import Site
from temperament.subject.open import OpenSubject

# Numbers that are looked at together: what bounds the memory beside the sums. On a CPU 2 MB stay in the cache while
# they are summed, compared and squared; a GPU wants few and large operations.
PIECE = {"cpu": 1 << 19}
LARGE_PIECE = 1 << 24


class Reader(ABC):
    """Looks at the positions that count, at some sites, in every forward pass while it is reading.

    What counts are the positions that the seam marks as a reply, or those that ``counting`` names. The order in which
    seams are opened decides what is read: an edit that is applied before the reading begins is seen.

    Attributes:
        subject: whose units are read.
        sites: where.

    Raises:
        SeamError: a site does not exist.
    """

    def __init__(self, subject: OpenSubject, sites: Sequence[Site]) -> None:
        for site in sites:
            subject.anatomy.check(site)
        self.subject = subject
        self.sites = tuple(dict.fromkeys(sites))
        self._counted: Tensor | None = None
        # The marks of a forward pass are one tensor for all sites: they are searched once.
        self._marks: Tensor | None = None
        self._rows: Tensor | None = None
        self._scratch: dict[tuple[torch.device, int], Tensor] = {}

    @contextmanager
    def reading(self) -> Generator[None]:
        """Look at the forward passes of the subject until the block ends; nothing of them is changed."""
        with ExitStack() as stack:
            for site in self.sites:
                stack.enter_context(self.subject.rewrite(site, partial(self._read, site)))
            yield
        self._marks = self._rows = None

    @contextmanager
    def counting(self, counted: Bool[Tensor, "batch token"]) -> Generator[None]:
        """Count these positions of the forward passes in the block, whatever is marked as a reply."""
        before, self._counted = self._counted, counted
        try:
            yield
        finally:
            self._counted = before

    @abstractmethod
    def _take(self, site: Site, piece: Float[Tensor, "token unit"]) -> None:
        """Add the activations of some tokens, in float32."""

    def _scratch_like(self, piece: Float[Tensor, "token unit"]) -> Float[Tensor, "token unit"]:
        """Memory of the shape of a piece, the same every time: fresh memory costs as much as a pass over it."""
        key = (piece.device, piece.shape[1])
        kept = self._scratch.get(key)
        if kept is None or len(kept) < len(piece):
            with torch.inference_mode(mode=False):
                kept = torch.empty(piece.shape, dtype=torch.float32, device=piece.device)
            self._scratch[key] = kept
        return kept[: len(piece)]

    def _read(self, site: Site, activation: Tensor, is_reply: Tensor) -> Tensor:
        rows = self._counted_rows(is_reply if self._counted is None else self._counted)
        with torch.no_grad():
            for piece in _pieces(activation.detach().flatten(0, 1), rows):
                self._take(site, piece.float())
        return activation

    def _counted_rows(self, marks: Bool[Tensor, "batch token"]) -> Int[Tensor, " row"] | None:
        """The places of marked positions in the flat batch; None where all are marked."""
        if marks is not self._marks:
            flat = marks.flatten()
            self._marks = marks
            self._rows = None if bool(flat.all()) else flat.nonzero().squeeze(1)
        return self._rows


def _pieces(flat: Tensor, rows: Tensor | None) -> Iterator[Tensor]:
    count = len(flat) if rows is None else len(rows)
    step = max(1, PIECE.get(flat.device.type, LARGE_PIECE) // flat.shape[1])
    for start in range(0, count, step):
        if rows is None:
            yield flat[start : start + step]
        else:
            yield flat.index_select(0, rows[start : start + step].to(flat.device))
