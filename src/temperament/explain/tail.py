"""Answers that a model reads again and again under conditions, with everything before them kept.

A condition acts on replies only, so what a model keeps of a prompt is the same under all of them. One pass over the
answers then costs their own tokens, and tokens that are tried beside them go through in the same pass.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import DynamicCache

from temperament.activation.branch import is_packable
from temperament.activation.forcing import GivenAnswers, Row
from temperament.subject.cache import has_window

States = Float[Tensor, "row column hidden"]


@dataclass(frozen=True)
class Node:
    """A token that is tried in place of what an answer goes on with.

    Attributes:
        kept: tokens of the answer that come before the first one that is tried.
        parent: the node of the same answer that comes just before; None where it is the answer.
        token: that is tried.
        depth: tokens that are tried up to this one, this one among them.
    """

    kept: int
    parent: int | None
    token: int
    depth: int


def can_branch(sides: Sequence[GivenAnswers], more: int) -> bool:
    """Whether tokens can be tried beside kept answers.

    Args:
        sides: answers as they are read under this and that.
        more: tokens that are tried beside an answer at most.
    """
    model: Any = sides[0].subject.model
    if not is_packable(model):
        return False
    if not has_window(model):
        return True
    window = getattr(model.config.get_text_config(), "sliding_window", None) or 0
    longest = max((len(row.read) for side in sides for row in side.rows if row), default=0)
    return longest + more < window


class Tails:
    """Some answers whose beginnings a model has read.

    To be made and used while the same edits are applied, and without gradients; settings of units come and go.

    Attributes:
        width: columns that the answers are read off: the last ones of the batch, padded on the left.
        columns: these, and then those of the nodes.
    """

    def __init__(self, given: GivenAnswers, numbers: Sequence[int], nodes: Sequence[Sequence[Node]] | None) -> None:
        """Read what comes before the answers.

        Args:
            given: the answers.
            numbers: of those that are read together.
            nodes: beside each of them; None where the model cannot keep what it read, and reads whole texts anew.
        """
        self._given, self._numbers = given, list(numbers)
        rows = [given.row(number) for number in numbers]
        self.width = max(len(row.answer) for row in rows)
        self.columns = self.width
        self._kept: list[tuple[Tensor, Tensor]] | None = None
        if nodes is None:
            return
        _, cache = given.logits_and_cache(numbers)
        before = max(len(row.read) for row in rows) - self.width
        self._kept = [
            (layer.keys[:, :, :before].clone(), layer.values[:, :, :before].clone()) for layer in cache.layers
        ]
        layout = _Layout(rows, nodes, before, self.width, given.subject.format.pad_token)
        self.columns = layout.ids.shape[1]
        device = given.subject.device
        self._ids, self._positions = layout.ids.to(device), layout.positions.to(device)
        self._is_reply = layout.is_reply.to(device)
        kind = given.subject.compute_dtype
        mask = torch.zeros(layout.sees.shape, dtype=kind).masked_fill(~layout.sees, torch.finfo(kind).min)
        self._mask = mask[:, None].to(device)

    def streams(self, layers: Collection[int]) -> Mapping[int, States]:
        """What some blocks after the first are given, under what is applied at this moment; a pass of its own.

        Of a model that cannot keep what it reads there are none.
        """
        if self._kept is None or not layers:
            return {}
        anatomy = self._given.subject.anatomy
        with ExitStack() as stack:
            found = {layer: stack.enter_context(anatomy.watched(layer - 1)) for layer in layers}
            self.logits()
        return {layer: states for layer, (states,) in found.items()}

    def logits(self, layer: int = 0, stream: States | None = None) -> Float[Tensor, "row column vocab"]:
        """What the model would write next at each column, under what is applied at this moment.

        Args:
            layer: the first block that is run, where it is not the first of all.
            stream: what that block is given, as `streams` has it.
        """
        if self._kept is None:
            return self._given.logits(self._numbers)
        subject = self._given.subject
        model: Any = subject.model
        cache = DynamicCache()
        for number, (keys, values) in enumerate(self._kept):
            cache.update(keys, values, number)
        with ExitStack() as stack:
            stack.enter_context(subject.marking(self._is_reply))
            if stream is not None:
                stack.enter_context(subject.anatomy.resumed(layer, stream))
            return model(
                input_ids=self._ids,
                attention_mask=self._mask,
                position_ids=self._positions,
                past_key_values=cache,
                use_cache=True,
            ).logits


class _Layout:
    """Where everything stands in a pass over tails."""

    def __init__(
        self, rows: Sequence[Row], nodes: Sequence[Sequence[Node]], before: int, width: int, pad_token: int
    ) -> None:
        more = max((len(some) for some in nodes), default=0)
        shape = (len(rows), width + more)
        self.ids: Int[Tensor, "row column"] = torch.full(shape, pad_token)
        self.positions: Int[Tensor, "row column"] = torch.zeros(shape, dtype=torch.long)
        self.is_reply: Bool[Tensor, "row column"] = torch.zeros(shape, dtype=torch.bool)
        # A token that only pads sees itself, because one that sees nothing makes numbers that are none.
        own = torch.cat([torch.zeros(shape[1], before, dtype=torch.bool), torch.eye(shape[1], dtype=torch.bool)], dim=1)
        self.sees: Bool[Tensor, "row column seen"] = own.repeat(len(rows), 1, 1)
        for place, row in enumerate(rows):
            self._lay(place, row, before, width)
            self._lay_nodes(place, row, nodes[place], (before, width))

    def _lay(self, place: int, row: Row, before: int, width: int) -> None:
        first = before + width - len(row.read)
        start = max(0, first - before)
        self.ids[place, start:width] = torch.tensor(row.read[len(row.read) - (width - start) :])
        self.positions[place, start:width] = torch.arange(len(row.read) - (width - start), len(row.read))
        self.is_reply[place, width - len(row.answer) : width] = True
        seen = torch.ones(width - start, before + width, dtype=torch.bool).tril(before + start)
        seen[:, :first] = False
        self.sees[place, start:width, : before + width] |= seen

    def _lay_nodes(self, place: int, row: Row, nodes: Sequence[Node], sizes: tuple[int, int]) -> None:
        before, width = sizes
        first, end = before + width - len(row.read), before + width
        for number, node in enumerate(nodes):
            column, length = width + number, len(row.prompt) + node.kept
            self.ids[place, column] = node.token
            self.positions[place, column] = length + node.depth - 1
            self.is_reply[place, column] = True
            self.sees[place, column, first : first + length] = True
            if node.parent is not None:
                # What the parent sees of the tokens that are tried is itself and those before it.
                self.sees[place, column, end:] |= self.sees[place, width + node.parent, end:]
