"""Teacher-forced passes through the last blocks only: what is before them is the same under every edit of these."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from temperament.subject.open import OpenSubject, Side
from temperament.subject.text import Encoded

# States that are kept for rows that come again; rows beyond that are read anew.
STATE_BYTES = 1 << 29


class Predicted(NamedTuple):
    """What the model expects at each token of the answers, all rows in one line.

    Attributes:
        logits: [token, vocab].
        expected: the token that stands there.
        row: number of the row that it belongs to.
    """

    logits: Float[Tensor, "token vocab"]
    expected: Int[Tensor, " token"]
    row: Int[Tensor, " token"]

    def log_probabilities(self) -> Float[Tensor, " token"]:
        """Of the tokens that stand there."""
        return -torch.nn.functional.cross_entropy(self.logits, self.expected, reduction="none")

    def row_means(self) -> Float[Tensor, " row"]:
        """The mean log-probability of each row's answer."""
        counts = torch.bincount(self.row)
        sums = self.logits.new_zeros(len(counts)).index_add(0, self.row, self.log_probabilities())
        return sums / counts


class _Batch(NamedTuple):
    ids: Int[Tensor, "row token"]
    mask: Int[Tensor, "row token"]
    answer: int


@dataclass
class Trunk:
    """A subject whose first blocks need to be run but once a row.

    Attributes:
        layer: the first block that edits change.
        states: what that block is given, by row.
    """

    subject: OpenSubject
    layer: int
    states: dict[Encoded, Float[Tensor, "token hidden"]] = field(default_factory=dict[Encoded, Tensor])

    def predict(self, rows: Sequence[Encoded], sides: Mapping[str, Side]) -> Predicted:
        """Expectations over the answers, with side branches beside the maps at their paths.

        Rows are padded on the left, so that all answers end at one column and logits are computed for no other.
        """
        batch = self._batch(rows)
        with ExitStack() as stack:
            for path, side in sides.items():
                stack.enter_context(self.subject.branch(path, side))
            stack.enter_context(self._resumed(rows, batch))
            logits = self._forward(batch, batch.answer + 1)
        is_answer = torch.zeros((len(rows), batch.answer), dtype=torch.bool, device=logits.device)
        for number, row in enumerate(rows):
            is_answer[number, batch.answer - len(row.answer) :] = True
        number, column = is_answer.nonzero(as_tuple=True)
        return Predicted(logits[number, column].float(), batch.ids[:, -batch.answer :][number, column], number)

    def _batch(self, rows: Sequence[Encoded]) -> _Batch:
        length = max(len(row) for row in rows)
        ids = torch.full((len(rows), length), self.subject.format.pad_token)
        mask = torch.zeros((len(rows), length), dtype=torch.long)
        for number, row in enumerate(rows):
            ids[number, length - len(row) :] = torch.tensor(row.prompt + row.answer)
            mask[number, length - len(row) :] = 1
        device = self.subject.device
        return _Batch(ids.to(device), mask.to(device), max(len(row.answer) for row in rows))

    def _resumed(self, rows: Sequence[Encoded], batch: _Batch) -> AbstractContextManager[None]:
        if self.layer == 0:
            return nullcontext()
        read = {row: self._read(row) for row in dict.fromkeys(rows) if row not in self.states}
        found = [read[row] if row in read else self.states[row] for row in rows]
        kept = sum(state.nbytes for state in self.states.values())
        for row, state in read.items():
            if kept + state.nbytes <= STATE_BYTES:
                self.states[row] = state
                kept += state.nbytes
        length = batch.ids.shape[1]
        padded = [torch.nn.functional.pad(state, (0, 0, length - len(state), 0)) for state in found]
        return self.subject.anatomy.resumed(self.layer, torch.stack(padded))

    def _read(self, row: Encoded) -> Float[Tensor, "token hidden"]:
        """By itself: what else is in a batch moves the last bits, and with them all that is learned after."""
        with torch.no_grad(), self.subject.anatomy.watched(self.layer - 1) as found:
            self._forward(self._batch([row]), 1)
        return found[0][0].clone()

    def _forward(self, batch: _Batch, kept: int) -> Float[Tensor, "row kept vocab"]:
        return self.subject.model(
            input_ids=batch.ids,
            attention_mask=batch.mask,
            position_ids=(batch.mask.cumsum(dim=1) - 1).clamp(min=0),
            logits_to_keep=kept,
            use_cache=False,
        ).logits
