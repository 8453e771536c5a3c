"""Branches: what a model would write after other words than those of an answer that it was given.

An answer is read once and its keys and values are kept; a branch off any of its positions then costs its own tokens.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import DynamicCache

from temperament.activation.forcing import LOGITS, TOKENS, GivenAnswers
from temperament.subject.cache import has_window, is_shareable
from temperament.subject.decode import left_padded

# Kernels that take a mask of whoever attends to whom.
_KERNELS = ("sdpa", "eager")
# Models that tell how far words are apart by the mask alone, which does not say it of branches.
_DISTANT = ("bloom", "mpt")

Numbered = Iterator[tuple[int, Float[Tensor, " vocab"]]]


@dataclass(frozen=True)
class Branch:
    """Other tokens after a part of an answer.

    Attributes:
        row: place in the batch of answers.
        kept: tokens of the answer that come before the branch; 0 branches off the prompt.
        path: the tokens that come then, one or more.
    """

    row: int
    kept: int
    path: tuple[int, ...]


class BranchReader:
    """A batch of answers that a model reads, and may be asked to branch off.

    To be used while the same edits are applied, and without gradients.

    Attributes:
        logits: [row, token, vocab], of the answers as in `GivenAnswers.logits`.
    """

    def __init__(self, given: GivenAnswers, numbers: Sequence[int]) -> None:
        self._subject = given.subject
        self._rows = [given.row(number) for number in numbers]
        config: Any = given.subject.model.config
        self._most = max(1, LOGITS // int(config.get_text_config().vocab_size))
        self.logits: Float[Tensor, "row token vocab"]
        self._kept: list[tuple[Tensor, Tensor]] | None = None
        if is_packable(given.subject.model):
            self.logits, cache = given.logits_and_cache(numbers)
            self._kept = _whole(cache, max(len(row.read) for row in self._rows))
        else:
            self.logits = given.logits(numbers)

    def fits(self, branch: Branch) -> bool:
        """Whether the model can read so long a text."""
        return self._length(branch) <= self._subject.window

    def after(self, branches: Sequence[Branch]) -> Numbered:
        """The logits at the end of each branch with its number, in float32, as many at a time as fit into memory.

        All branches of an answer are read as one text, in which each sees the answer up to where it begins and itself.
        Where the model cannot do that, or has forgotten some of the answer, whole texts are read anew.
        """
        if self._kept is not None and not self._is_beyond_window(branches):
            for numbers in self._packs(branches):
                yield from self._read_packed(branches, numbers)
        else:
            for numbers in self._batches(branches):
                yield from zip(numbers, self._read_whole([branches[number] for number in numbers]), strict=True)

    def _length(self, branch: Branch) -> int:
        return len(self._rows[branch.row].prompt) + branch.kept + len(branch.path)

    def _before(self, branch: Branch) -> tuple[int, ...]:
        row = self._rows[branch.row]
        return (*row.prompt, *row.answer[: branch.kept])

    def _is_beyond_window(self, branches: Sequence[Branch]) -> bool:
        """Whether a window slides over these texts, so that not all of an answer is in sight."""
        config: Any = self._subject.model.config
        if not has_window(self._subject.model):
            return False
        window = getattr(config.get_text_config(), "sliding_window", None) or 0
        return max(map(self._length, branches), default=0) > window

    def _packs(self, branches: Sequence[Branch]) -> Iterator[list[list[int]]]:
        """Numbers of branches by row: rows of like length that go through together."""
        by_row: dict[int, list[int]] = defaultdict(list)
        for number, branch in enumerate(branches):
            by_row[branch.row].append(number)
        parts = [part for numbers in by_row.values() for part in self._parts(branches, numbers)]
        parts.sort(key=lambda part: part[0])
        pack: list[list[int]] = []
        shortest = 0
        for length, numbers in parts:
            # Rows are padded to the longest, which comes last.
            if pack and ((len(pack) + 1) * length > self._most or length > 2 * shortest):
                yield pack
                pack = []
            shortest = shortest if pack else length
            pack.append(numbers)
        if pack:
            yield pack

    def _parts(self, branches: Sequence[Branch], numbers: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """Branches of one row, as many as fit, and how many tokens they are."""
        part: list[int] = []
        length = 0
        for number in numbers:
            size = len(branches[number].path)
            if part and length + size > self._most:
                yield length, part
                part, length = [], 0
            part.append(number)
            length += size
        yield length, part

    def _read_packed(self, branches: Sequence[Branch], pack: Sequence[Sequence[int]]) -> Numbered:
        kept, subject = self._kept or [], self._subject
        columns = kept[0][0].shape[-2]
        width = max(sum(len(branches[number].path) for number in numbers) for numbers in pack)
        ids = torch.full((len(pack), width), subject.format.pad_token)
        positions = torch.zeros_like(ids)
        # A token that only pads sees itself, because one that sees nothing makes numbers that are none.
        sees = torch.cat([torch.zeros(width, columns, dtype=torch.bool), torch.eye(width, dtype=torch.bool)], dim=1)
        sees = sees.repeat(len(pack), 1, 1)
        ends: list[tuple[int, int, int]] = []
        for place, numbers in enumerate(pack):
            start = 0
            for number in numbers:
                branch, length = branches[number], len(self._before(branches[number]))
                end = start + len(branch.path)
                ids[place, start:end] = torch.tensor(branch.path)
                positions[place, start:end] = torch.arange(length, length + end - start)
                first = columns - len(self._rows[branch.row].read)
                sees[place, start:end, first : first + length] = True
                sees[place, start:end, columns + start : columns + end] |= (
                    torch.ones(end - start, end - start).tril() > 0
                )
                ends.append((number, place, end - 1))
                start = end
        rows = torch.tensor([branches[numbers[0]].row for numbers in pack])
        logits = self._forward(rows, ids, positions, sees)
        yield from ((number, logits[place, end].float()) for number, place, end in ends)

    def _forward(
        self, rows: Tensor, ids: Tensor, positions: Tensor, sees: Bool[Tensor, "row token column"]
    ) -> Float[Tensor, "row token vocab"]:
        subject = self._subject
        model: Any = subject.model
        rows, ids, positions = rows.to(subject.device), ids.to(subject.device), positions.to(subject.device)
        cache = DynamicCache()
        for number, (keys, values) in enumerate(self._kept or []):
            cache.update(keys[rows], values[rows], number)
        mask = torch.zeros(sees.shape, dtype=subject.compute_dtype).masked_fill(
            ~sees, torch.finfo(subject.compute_dtype).min
        )
        with subject.marking(torch.ones_like(ids, dtype=torch.bool)):
            return model(
                input_ids=ids,
                attention_mask=mask[:, None].to(subject.device),
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
            ).logits

    def _batches(self, branches: Sequence[Branch]) -> Iterator[list[int]]:
        """Numbers of branches that are read as whole texts together, shortest first."""
        some: list[int] = []
        for number in sorted(range(len(branches)), key=lambda number: self._length(branches[number])):
            size = (len(some) + 1) * self._length(branches[number])
            if some and (len(some) == self._most or size > TOKENS):
                yield some
                some = []
            some.append(number)
        if some:
            yield some

    def _read_whole(self, branches: Sequence[Branch]) -> Float[Tensor, "branch vocab"]:
        subject = self._subject
        texts = [(*self._before(branch), *branch.path) for branch in branches]
        ids, mask = left_padded(texts, subject.format.pad_token, subject.device)
        is_reply = torch.zeros_like(ids, dtype=torch.bool)
        for place, branch in enumerate(branches):
            # The first token of an answer is read off the last one of the prompt.
            is_reply[place, -(1 + branch.kept + len(branch.path)) :] = True
        with subject.marking(is_reply):
            model: Any = subject.model
            return (
                model(
                    input_ids=ids,
                    attention_mask=mask,
                    position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
                    use_cache=False,
                    logits_to_keep=1,
                )
                .logits[:, -1]
                .float()
            )


def is_packable(model: Any) -> bool:
    """Whether branches can share the keys and values of an answer."""
    config = model.config.get_text_config()
    is_distant = config.model_type in _DISTANT or bool(getattr(config, "alibi", False))
    is_masked = getattr(config, "_attn_implementation", None) in _KERNELS
    return is_masked and not is_distant and is_shareable(model)


def _whole(cache: Any, columns: int) -> list[tuple[Tensor, Tensor]] | None:
    """Keys and values of each layer; None where a layer has forgotten some, as one with a sliding window does."""
    layers = [(layer.keys, layer.values) for layer in cache.layers]
    return layers if all(keys.shape[-2] == columns for keys, _ in layers) else None
