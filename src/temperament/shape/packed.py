"""Rows read without padding: all tokens of a batch as one sequence, and attention that keeps the rows apart.

The tokens with which all rows begin stand once before the rows of a group, and all of these attend to them. Every
linear map then runs on no more tokens than there are; only attention, a small part of the work, sees rows padded.
"""

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import AttentionInterface

from temperament.shape.loss import padded_losses, row_means, token_losses
from temperament.subject.cache import shared_length
from temperament.subject.open import OpenSubject
from temperament.subject.text import Encoded

NAME = "temperament_packed"
# Implementations of attention that take any mask; they go on doing the work, row by row.
MASKED = ("sdpa", "eager")


@dataclass(frozen=True)
class _Moves:
    """How tokens of the sequence go to slots, the prefixes and then the padded rows, and back.

    Attributes:
        slots: the token of each slot; any for a slot of padding.
        tokens: the slot of each token; any for a token of padding.
        empty_slots: those of padding.
        empty_tokens: those of padding, which make groups equally long.
    """

    slots: Int[Tensor, " slot"]
    tokens: Int[Tensor, " token"]
    empty_slots: Int[Tensor, " empty_slot"]
    empty_tokens: Int[Tensor, " empty_token"]


@dataclass(frozen=True)
class Packing:
    """A batch as one sequence.

    Attributes:
        ids: [1, token], group after group.
        positions: [1, token], of each token in its own row.
        groups: of rows; each begins with the shared tokens, and all are equally long.
        rows: of a group.
        shared: tokens that every row begins with.
        longest: tokens of the longest row after those.
        ends: where each row ends.
        moves: of tokens to where attention wants them.
        masks: what is added to the scores [query, key] of the shared tokens, and of what follows them.
        attention: the model's own implementation, which is given the rows.
    """

    ids: Int[Tensor, "1 token"]
    positions: Int[Tensor, "1 token"]
    groups: int
    rows: int
    shared: int
    longest: int
    ends: tuple[int, ...]
    moves: _Moves
    masks: tuple[Tensor, Tensor]
    attention: str

    def learned(
        self, rows: Sequence[Encoded], counts: Sequence[int], unlearned: Sequence[int]
    ) -> tuple[Int[Tensor, " learned"], Int[Tensor, " learned"], Int[Tensor, " learned"]]:
        """Where the last tokens of each row are predicted, which they are, and their rows; without those unlearned."""
        found: list[tuple[int, int, int]] = []
        for number, (row, count, end) in enumerate(zip(rows, counts, self.ends, strict=True)):
            for back, token in enumerate(reversed((row.prompt + row.answer)[-count:]), start=2):
                if token not in unlearned:
                    found.append((end - back, token, number))
        places, labels, row_of = torch.tensor(found, device=self.ids.device).reshape(-1, 3).unbind(dim=1)
        return places, labels, row_of


_current: ContextVar[Packing] = ContextVar("packing")


def packed_losses(
    subject: OpenSubject,
    rows: Sequence[Encoded],
    *,
    groups: int,
    has_sequence_loss: bool,
    unlearned: tuple[int, ...] = (),
) -> Float[Tensor, " row"]:
    """What ``padded_losses`` gives, for decoders of which ``is_packable`` holds."""
    learned = [len(row) - 1 if has_sequence_loss else len(row.answer) for row in rows]
    packing = pack(subject, rows, groups, 0 if has_sequence_loss else shared_length([row.prompt for row in rows]))
    asked, labels, row_of = packing.learned(rows, learned, unlearned)
    with _attending(subject, packing):
        output = subject.model(
            input_ids=packing.ids, position_ids=packing.positions, logits_to_keep=asked, use_cache=False
        )
    # A view: the gradient of a selected batch would be a second copy of the logits.
    return row_means(token_losses(output.logits.squeeze(0), labels), row_of, len(rows))


def is_packable(subject: OpenSubject, rows: Sequence[Encoded]) -> bool:
    """Whether a decoder gives the same losses packed as padded: it is asked to, on the two shortest rows.

    Not so are decoders that carry a state from token to token, that bias attention by distance, or that attend within a
    window that a row exceeds.
    """
    config: Any = cast(Any, subject.model.config).get_text_config()
    windows = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    if any(window and window < max(len(row) for row in rows) for window in windows):
        return False
    if not getattr(subject.model, "_supports_attention_backend", False) or config._attn_implementation not in MASKED:
        return False
    some = sorted(rows, key=len)[:2]
    with torch.no_grad():
        padded, packed = (
            losses(subject, some, groups=1, has_sequence_loss=False) for losses in (padded_losses, packed_losses)
        )
    tolerance = 1e-3 if subject.compute_dtype == torch.float32 else 5e-2
    return bool(torch.allclose(padded, packed, rtol=tolerance, atol=tolerance))


def pack(subject: OpenSubject, rows: Sequence[Encoded], groups: int, shared: int) -> Packing:
    """Lay out rows that begin with ``shared`` equal tokens, group after group."""
    each = len(rows) // groups
    rest = [(row.prompt + row.answer)[shared:] for row in rows]
    length = shared + max(sum(map(len, rest[start : start + each])) for start in range(0, len(rows), each))
    longest = max(map(len, rest))
    ids, positions, tokens, ends = [], [], [], []
    for group in range(groups):
        ids += rows[group * each].prompt[:shared]
        positions += range(shared)
        tokens += range(group * shared, (group + 1) * shared)
        for number in range(group * each, (group + 1) * each):
            slot = groups * shared + number * longest
            ids += rest[number]
            positions += range(shared, shared + len(rest[number]))
            tokens += range(slot, slot + len(rest[number]))
            ends.append(len(ids))
        missing = (group + 1) * length - len(ids)
        ids += [subject.format.pad_token] * missing
        positions += [0] * missing
        tokens += [-1] * missing
    moves = _moves(torch.tensor(tokens), groups * shared + len(rows) * longest, subject.device)
    return Packing(
        ids=torch.tensor([ids], device=subject.device),
        positions=torch.tensor([positions], device=subject.device),
        groups=groups,
        rows=each,
        shared=shared,
        longest=longest,
        ends=tuple(ends),
        moves=moves,
        masks=(_mask(subject, shared, 0), _mask(subject, longest, shared)),
        attention=cast(Any, subject.model.config).get_text_config()._attn_implementation,
    )


def _moves(tokens: Int[Tensor, " token"], slots: int, device: torch.device) -> _Moves:
    filled = (tokens >= 0).nonzero()[:, 0]
    back = torch.full((slots,), -1)
    back[tokens[filled]] = filled
    parts = (back.clamp(min=0), tokens.clamp(min=0), (back < 0).nonzero()[:, 0], (tokens < 0).nonzero()[:, 0])
    return _Moves(*(part.to(device) for part in parts))


def _mask(subject: OpenSubject, queries: int, before: int) -> Float[Tensor, "query key"]:
    """Every query sees what is before all of them, and no query sees a later one.

    Rows are padded at their end, so that this keeps them from padding too.
    """
    later = torch.full((queries, queries), torch.finfo(subject.compute_dtype).min).triu(diagonal=1)
    return torch.cat([torch.zeros(queries, before), later], dim=1).to(subject.device, subject.compute_dtype)


class _Move(torch.autograd.Function):
    """Take rows of a matrix by number, each but padding once, so that the gradient moves back by number too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, there: Tensor, back: Tensor, empty: Tensor) -> Tensor:
        ctx.save_for_backward(back, empty)
        return values.index_select(0, there)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        back, empty = ctx.saved_tensors
        return gradients[0].index_select(0, back).index_fill_(0, empty, 0), None, None, None


def _attend(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, _mask: Any = None, **settings: Any
) -> tuple[Tensor, None]:
    """Attention over a packed sequence: [1, head, token, unit] to [1, token, head, unit]."""
    packing = _current.get()
    moves = packing.moves
    own = _own_attention(module, packing.attention)
    first = packing.groups * packing.shared

    def spread(states: Tensor) -> tuple[Tensor, Tensor]:
        """Shared tokens [group, token, head, unit] and rows [row, token, head, unit]."""
        _, heads, tokens, units = states.shape
        flat = states.transpose(1, 2).reshape(tokens, heads * units)
        slots = cast(Tensor, _Move.apply(flat, moves.slots, moves.tokens, moves.empty_tokens))
        shared, rows = slots.split([first, len(slots) - first])
        return (
            shared.view(packing.groups, -1, heads, units) if first else shared,
            rows.view(-1, packing.longest, heads, units),
        )

    queries, keys, values = spread(query), spread(key), spread(value)
    found: list[Tensor] = []
    if first:
        found.append(_attended(own, module, (queries[0], keys[0], values[0]), packing.masks[0], settings))
        keys, values = (
            (shared, torch.cat([shared.repeat_interleave(packing.rows, dim=0), rows], dim=1))
            for shared, rows in (keys, values)
        )
    found.append(_attended(own, module, (queries[1], keys[1], values[1]), packing.masks[1], settings))
    output = _Move.apply(torch.cat(found), moves.tokens, moves.slots, moves.empty_slots)
    return cast(Tensor, output).view(1, query.shape[2], query.shape[1], -1), None


def _attended(
    own: Callable[..., Any],
    module: torch.nn.Module,
    states: tuple[Tensor, Tensor, Tensor],
    mask: Tensor,
    settings: dict[str, Any],
) -> Float[Tensor, "slot hidden"]:
    query, key, value = (state.transpose(1, 2) for state in states)
    output, _ = own(module, query, key, value, mask[None, None], **settings)
    return output.flatten(0, 1).flatten(1)


def _own_attention(module: torch.nn.Module, name: str) -> Callable[..., Any]:
    if name == "eager":
        return sys.modules[type(module).__module__].eager_attention_forward
    return AttentionInterface()[name]


@contextmanager
def _attending(subject: OpenSubject, packing: Packing) -> Generator[None]:
    """Attention keeps the rows of a packing apart, until the block ends."""
    config: Any = cast(Any, subject.model.config).get_text_config()
    before, token = config._attn_implementation, _current.set(packing)
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before
        _current.reset(token)


AttentionInterface.register(NAME, _attend)
