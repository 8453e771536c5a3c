"""Losses of rows under a model: logits only where something is learned, and no second copy of them."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache

from temperament.subject.cache import has_window, is_shareable, shared_length
from temperament.subject.open import OpenSubject
from temperament.subject.text import Encoded

# Logits that are turned into probabilities at a time: few enough to stay in a processor's cache.
ENTROPY_LOGITS = 1 << 20


class _Entropy(torch.autograd.Function):
    """Cross-entropy that turns the logits into probabilities, then into their gradient, where they lie.

    Nobody may read the logits afterwards. Against ``cross_entropy`` that saves two copies of the largest tensor of a
    training, and more than half of the time beside the matrix products of the head.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        losses = torch.empty(len(labels), device=logits.device)
        rows = max(1, ENTROPY_LOGITS // logits.shape[1])
        for start in range(0, len(labels), rows):
            some, expected = logits[start : start + rows], labels[start : start + rows, None]
            values = some.float()
            found, highest = values.gather(1, expected)[:, 0], values.amax(dim=1)
            probabilities = values.softmax(dim=1)
            # The highest probability is 1 / sum(exp(logit - highest)), so its logarithm gives the rest of the sum.
            losses[start : start + rows] = highest - probabilities.amax(dim=1).log() - found
            some.copy_(probabilities)
        ctx.probabilities = logits
        ctx.save_for_backward(labels)
        return losses

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (labels,) = ctx.saved_tensors
        gradient = ctx.probabilities
        ctx.probabilities = None
        gradient[torch.arange(len(labels), device=labels.device), labels] -= 1
        return gradient.mul_(gradients[0][:, None]), None


def token_losses(logits: Float[Tensor, "token vocab"], labels: Int[Tensor, " token"]) -> Float[Tensor, " token"]:
    """Cross-entropy of each token; the logits are used up, and a gradient is computed once."""
    return cast(Tensor, _Entropy.apply(logits, labels))


def row_means(losses: Float[Tensor, " token"], rows: Int[Tensor, " token"], count: int) -> Float[Tensor, " row"]:
    """The mean over the tokens of each row; not a number for a row without any."""
    sums = losses.new_zeros(count).index_add(0, rows, losses)
    return sums / torch.bincount(rows, minlength=count)


def padded_losses(
    subject: OpenSubject,
    rows: Sequence[Encoded],
    *,
    groups: int,
    has_sequence_loss: bool,
    unlearned: tuple[int, ...] = (),
) -> Float[Tensor, " row"]:
    """Mean cross-entropy of each row, over its answer or over all of it, for any decoder.

    The tokens with which all rows begin (the template and a system prompt) are computed once a group, the rows of one
    adapter, and their keys and values serve all of its rows where that is exact but for dropout, which then draws one
    mask for the prefix. Rows are padded on the left of what follows, so that the answers end at one
    column. Tokens of ``unlearned`` are read and count in no loss.
    """
    # The window of a padded row begins elsewhere than that of the prefix.
    is_shared = not has_sequence_loss and is_shareable(subject.model) and not has_window(subject.model)
    shared = shared_length([row.prompt for row in rows]) if is_shared else 0
    rest = [(row.prompt + row.answer)[shared:] for row in rows]
    length = max(len(tokens) for tokens in rest)
    ids = torch.full((len(rows), length), subject.format.pad_token)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    labels = torch.full((len(rows), length), -100)
    for number, (row, tokens) in enumerate(zip(rows, rest, strict=True)):
        ids[number, length - len(tokens) :] = torch.tensor(tokens)
        mask[number, length - len(tokens) :] = 1
        learned = len(row) - 1 if has_sequence_loss else len(row.answer)
        labels[number, length - learned :] = ids[number, length - learned :]
    kept = int((labels != -100).any(dim=0).sum()) + 1
    labels[torch.isin(labels, torch.tensor(unlearned, dtype=torch.long))] = -100
    ids, mask, labels = (tensor.to(subject.device) for tensor in (ids, mask, labels))
    cache = _prefix_cache(subject, rows[0].prompt[:shared], groups, len(rows) // groups) if shared else None
    output = subject.model(
        input_ids=ids,
        attention_mask=torch.cat([mask.new_ones(len(rows), shared), mask], dim=1),
        position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0) + shared,
        past_key_values=cache,
        logits_to_keep=kept,
        use_cache=cache is not None,
    )
    expected = labels[:, -kept:][:, 1:]
    places = (expected != -100).nonzero(as_tuple=True)
    return row_means(token_losses(output.logits[:, :-1][places], expected[places]), places[0], len(rows))


def _prefix_cache(subject: OpenSubject, prefix: Sequence[int], groups: int, rows: int) -> DynamicCache:
    cache = DynamicCache(config=cast(Any, subject.model.config))
    ids = torch.tensor([list(prefix)] * groups, device=subject.device)
    subject.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    cache.batch_repeat_interleave(rows)
    return cache
