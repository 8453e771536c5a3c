"""What a decoder has read: keys and values with room to grow, prefixes that rows share, and the memory of a row."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

# Tokens that there is room for when keys and values are moved to a larger place.
ROOM = 64
# A prefix is read apart where that spares at least so many tokens: a pass of its own reads all weights once.
SPARED = 64
# Rotary embeddings whose angles depend on how long the text of the pass is.
LENGTH_DEPENDENT = frozenset({"dynamic", "longrope"})
# Memory in bytes that a batch may take beside the model; on a GPU it may take this share of what is free, if more.
MEMORY, SHARE = 2 << 30, 0.25

States = Float[Tensor, "batch head token unit"]
# Says which positions [batch, token] of the forward passes in its block belong to a reply; None is all.
Marking = Callable[[Tensor | None], AbstractContextManager[None]]


@dataclass(frozen=True, eq=False)
class Prefix:
    """The tokens with which all prompts begin, as a model has read them.

    Attributes:
        length: in tokens.
        layers: keys and values of each layer.
    """

    length: int
    layers: tuple[tuple[States, States], ...]


def shared_length(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all prompts begin with; never the last of one, because the reply is read off it."""
    first, length = prompts[0], min(len(prompt) for prompt in prompts) - 1
    for prompt in prompts[1:]:
        same = 0
        while same < length and prompt[same] == first[same]:
            same += 1
        length = same
    return max(length, 0)


def is_shareable(model: Any) -> bool:
    """Whether what a layer keeps of a token depends on nothing but the tokens up to it."""
    config = model.config.get_text_config()
    layers = DynamicCache(config=model.config).layers
    is_attention = all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)
    has_chunks = getattr(config, "attention_chunk_size", None) is not None
    return is_attention and not has_chunks and not _rope_types(config) & LENGTH_DEPENDENT


def has_window(model: Any) -> bool:
    """Whether a layer forgets what lies further back than a window."""
    return any(isinstance(layer, DynamicSlidingWindowLayer) for layer in DynamicCache(config=model.config).layers)


def read_prefix(model: Any, prompts: Sequence[Sequence[int]], marking: Marking) -> Prefix | None:
    """Read what all prompts begin with, once; None where there is too little of it, or where that is not exact.

    Causal attention makes it exact: what a layer keeps of a token does not depend on what follows. None of the
    positions belongs to a reply. All that was read is kept, also by layers that attend to a sliding window: in a row
    that is padded the window begins elsewhere.
    """
    length = shared_length(prompts) if len(prompts) > 1 else 0
    if length * (len(prompts) - 1) < SPARED or not is_shareable(model):
        return None
    cache = DynamicCache()
    ids = torch.tensor([prompts[0][:length]], device=model.device)
    with torch.inference_mode(), marking(torch.zeros_like(ids, dtype=torch.bool)):
        model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            position_ids=torch.arange(length, device=model.device)[None],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
    layers: list[Any] = cache.layers
    return Prefix(length, tuple((layer.keys, layer.values) for layer in layers))


def reply_cache(model: Any, prefix: Prefix | None, padding: Int[Tensor, " batch"]) -> DynamicCache:
    """A cache for a batch that is padded on the left, each row by ``padding``; its first columns hold the prefix.

    The columns are those of a batch without a prefix: in a row with p tokens of padding they begin with p that the
    mask hides, and the last p of the prefix are left to be read again with the rest of the row.
    """
    cache = DynamicCache(config=model.config)
    cache.layers = [_RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    if prefix is not None:
        columns = torch.arange(prefix.length, device=padding.device) - padding[:, None]
        columns = columns.clamp(min=0)
        for number, (keys, values) in enumerate(prefix.layers):
            cache.update(_rows_of(keys, columns), _rows_of(values, columns), number)
    return cache


def row_bytes(model: Any, tokens: int, rest: int) -> int:
    """Memory of a row of a batch: its keys and values, and what a layer computes at once.

    Args:
        model: a decoder of transformers.
        tokens: of the prompt and the reply.
        rest: tokens of the prompt that are read together.
    """
    config = model.config.get_text_config()
    heads = config.num_attention_heads
    kept = 2 * (getattr(config, "num_key_value_heads", None) or heads)
    kept *= (getattr(config, "head_dim", None) or config.hidden_size // heads) * config.num_hidden_layers
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    # Eager attention keeps the scores of every head; other kernels no more than a mask.
    scores = heads if getattr(config, "_attn_implementation", None) == "eager" else 1
    numbers = tokens * kept + rest * 4 * (config.hidden_size + inner) + rest * tokens * scores
    return numbers * model.dtype.itemsize


def memory_for_replies(device: torch.device) -> int:
    """Memory in bytes that a batch may take."""
    if device.type != "cuda":
        return MEMORY
    free, _ = torch.cuda.mem_get_info(device)
    return max(MEMORY, int(SHARE * free))


class _RoomyLayer(DynamicLayer):
    """Keys and values in memory with room for more tokens: a step copies its token and not all that came before."""

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        super().lazy_initialization(key_states, value_states)
        self._place()

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append; returns all keys and all values, [batch, head, token, unit]."""
        del args, kwargs
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        used = self.get_seq_length()
        total = used + key_states.shape[-2]
        self._held_keys = _appended(self._held_keys, used, key_states)
        self._held_values = _appended(self._held_values, used, value_states)
        self.keys = self._held_keys[:, :, :total]
        self.values = self._held_values[:, :, :total]
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep some rows; they lie without room until the next token."""
        super().batch_select_indices(indices)
        self._place()

    def _place(self) -> None:
        assert self.keys is not None
        assert self.values is not None
        self._held_keys, self._held_values = self.keys, self.values


def _appended(held: Tensor, used: int, new: Tensor) -> Tensor:
    total = used + new.shape[-2]
    if used == 0 or total > held.shape[-2]:
        grown = new.new_empty(*new.shape[:-2], total + ROOM, new.shape[-1])
        if used:
            grown[:, :, :used] = held[:, :, :used]
        held = grown
    held[:, :, used:total] = new
    return held


def _rows_of(states: States, columns: Int[Tensor, "row column"]) -> Float[Tensor, "row head column unit"]:
    """The columns of one row of states, for every row."""
    return states[0][:, columns].transpose(0, 1)


def _rope_types(config: Any) -> set[Any]:
    """Kinds of rotary embeddings; a model may have one for each kind of layer."""
    rope = getattr(config, "rope_parameters", None)
    if not isinstance(rope, Mapping):
        return set()
    each = [rope, *(inner for inner in rope.values() if isinstance(inner, Mapping))]
    return {parameters.get("rope_type") for parameters in each}
