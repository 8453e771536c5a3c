"""The decoding loop: batched, each row drawing from its own seed.

Why not ``generate``: its top-p sorts the whole vocabulary for every token, one generator serves all rows (what a row
draws then depends on who shares its batch), finished rows go on costing, every token copies the keys and values of all
before it, a prefix that rows share is read once a row, and nothing tells a hook which positions belong to the reply.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from temperament.record import Generation
from temperament.subject.cache import Marking, Prefix, reply_cache

# How many of the most probable tokens are looked at before the whole vocabulary is sorted.
TOP = 256
# Finished rows are dropped from the batch once they are this share of it.
DROP = 0.2


# The tokens of a reply without the stop token, None where the model's logits broke down; and whether it ended by
# itself.
Decoded = tuple[list[int] | None, bool]


def decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    generation: Generation,
    ends: tuple[Sequence[int], int],
    marking: Marking,
    prefix: Prefix | None = None,
) -> list[Decoded]:
    """Continue prompts.

    Args:
        model: a decoder of transformers.
        prompts: tokens of each row, of any lengths.
        seeds: row i draws from ``seeds[i]`` alone.
        generation: how to draw.
        ends: the stop tokens, and the token to pad with.
        marking: tells the rewrite seam which positions [batch, token] belong to the reply; the last position of
            the prompt is one of them, because the first token of the reply is read off it. Rows that are finished and
            still in the batch have none.
        prefix: what all prompts begin with, where the model has read that already.
    """
    stops, pad = ends
    device = model.device
    rows = _Rows(prompts, seeds, generation, stops)
    ids, mask = left_padded(prompts, pad, device)
    cache = reply_cache(model, prefix, (mask == 0).sum(dim=1))
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    if prefix is not None:
        ids, positions = ids[:, prefix.length :], positions[:, prefix.length :]
    is_reply = torch.zeros_like(ids, dtype=torch.bool)
    is_reply[:, -1] = True
    for step in range(generation.max_new_tokens):
        with marking(is_reply):
            output = model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        drawn = rows.take(output.logits[:, -1].float(), step)
        if not rows.active:
            break
        keep = rows.drop_finished()
        if keep is not None:
            index = torch.tensor(keep, device=device)
            cache.batch_select_indices(index)
            mask, positions, drawn = mask[index], positions[index], drawn[index]
        ids = drawn[:, None]
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        positions = positions[:, -1:] + 1
        is_reply = torch.tensor(rows.is_writing, device=device)[:, None]
    return rows.decoded()


def choose(
    logits: Float[Tensor, "batch vocab"],
    uniform: Float[Tensor, " batch"],
    temperature: float,
    top_p: float,
) -> Int[Tensor, " batch"]:
    """One token a row: greedy at temperature 0, else by inverse transform in the nucleus.

    The nucleus is the smallest set of most probable tokens whose mass reaches ``top_p``. It nearly always lies in the
    ``TOP`` most probable tokens, so only those are sorted; for a row where it does not, the whole vocabulary is.
    Source: Holtzman et al. 2020, arXiv 1904.09751, section 3.1.
    """
    if temperature == 0.0:
        return logits.argmax(dim=-1)
    scaled = logits / temperature
    total = scaled.logsumexp(dim=-1, keepdim=True)
    count = min(TOP, scaled.shape[-1])
    best, tokens = scaled.topk(count, dim=-1)
    mass = (best - total).exp().cumsum(dim=-1)
    drawn = _inverse(mass, tokens, uniform, top_p)
    if count < scaled.shape[-1]:
        flat = (mass[:, -1] < top_p).nonzero().squeeze(1)
        if len(flat):
            best, tokens = scaled[flat].sort(dim=-1, descending=True)
            drawn[flat] = _inverse((best - total[flat]).exp().cumsum(dim=-1), tokens, uniform[flat], top_p)
    return drawn


def _inverse(
    mass: Float[Tensor, "batch rank"], tokens: Int[Tensor, "batch rank"], uniform: Float[Tensor, " batch"], top_p: float
) -> Int[Tensor, " batch"]:
    """One of the most probable tokens, given the probability of each and all before it."""
    # The token that reaches top_p belongs to the nucleus.
    size = (mass < top_p).sum(dim=-1).clamp(max=mass.shape[-1] - 1)
    kept = mass.gather(1, size[:, None]).squeeze(1)
    position = torch.searchsorted(mass, (uniform * kept)[:, None], right=True).squeeze(1)
    return tokens.gather(1, torch.minimum(position, size)[:, None]).squeeze(1)


class _Rows:
    """What each row has drawn so far, and which rows are still in the batch."""

    def __init__(
        self, prompts: Sequence[Sequence[int]], seeds: Sequence[int], generation: Generation, stops: Sequence[int]
    ) -> None:
        self.generation = generation
        self.stops = frozenset(stops)
        self.prompts = prompts
        self.tokens: list[list[int]] = [[] for _ in prompts]
        self.is_finished = [False] * len(prompts)
        self.is_broken = [False] * len(prompts)
        self.batch = list(range(len(prompts)))
        draws = [np.random.Generator(np.random.Philox(seed)).random(generation.max_new_tokens) for seed in seeds]
        self.uniform = torch.tensor(np.stack(draws), dtype=torch.float32)

    @property
    def active(self) -> bool:
        return not all(self.is_finished)

    @property
    def is_writing(self) -> list[bool]:
        """Of each row in the batch, whether it goes on."""
        return [not self.is_finished[row] for row in self.batch]

    def take(self, logits: Float[Tensor, "batch vocab"], step: int) -> Int[Tensor, " batch"]:
        """Draw the next token of every row in the batch."""
        if self.generation.repetition_penalty != 1.0:
            logits = self._penalised(logits)
        uniform = self.uniform[self.batch, step].to(logits.device)
        drawn = choose(logits, uniform, self.generation.temperature, self.generation.top_p)
        # NaN and infinity sort first: where there are any, one of them is what was drawn.
        is_number = logits.gather(1, drawn[:, None]).isfinite().squeeze(1)
        for row, token, is_sound in zip(self.batch, drawn.tolist(), is_number.tolist(), strict=True):
            if self.is_finished[row]:
                continue
            if not is_sound:
                self.is_finished[row] = self.is_broken[row] = True
            elif token in self.stops:
                self.is_finished[row] = True
            else:
                self.tokens[row].append(token)
        return drawn

    def drop_finished(self) -> list[int] | None:
        """Positions in the batch to keep, or None while too few rows are finished to be worth the copy."""
        keep = [position for position, row in enumerate(self.batch) if not self.is_finished[row]]
        if len(self.batch) - len(keep) < DROP * len(self.batch) or len(keep) == len(self.batch):
            return None
        self.batch = [self.batch[position] for position in keep]
        return keep

    def decoded(self) -> list[Decoded]:
        """What came of every row, in the order of the prompts."""
        return [
            (None, False) if is_broken else (tokens, is_finished)
            for tokens, is_finished, is_broken in zip(self.tokens, self.is_finished, self.is_broken, strict=True)
        ]

    def _penalised(self, logits: Float[Tensor, "batch vocab"]) -> Float[Tensor, "batch vocab"]:
        """Source: Keskar et al. 2019, arXiv 1909.05858, section 4.1, over prompt and reply as in transformers."""
        penalty = self.generation.repetition_penalty
        seen = torch.zeros_like(logits, dtype=torch.bool)
        for position, row in enumerate(self.batch):
            seen[position, torch.tensor([*self.prompts[row], *self.tokens[row]], device=logits.device)] = True
        return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def left_padded(
    prompts: Sequence[Sequence[int]], pad: int, device: torch.device
) -> tuple[Int[Tensor, "batch token"], Int[Tensor, "batch token"]]:
    """Tokens of rows that end at one column, and a mask that is 1 where they are no padding."""
    length = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), length), pad)
    mask = torch.zeros((len(prompts), length), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, length - len(prompt) :] = torch.tensor(prompt)
        mask[row, length - len(prompt) :] = 1
    return ids.to(device), mask.to(device)
