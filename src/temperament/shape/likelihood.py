"""How likely answers are, under whatever edits are applied: teacher-forced, batched, logits only where they are read.

``p+`` and ``p-`` of SCIENCE.md are means of `log_probabilities`; `divergence` is its drawdown.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache

from temperament.edit.base import Edit
from temperament.errors import RequestError
from temperament.opinion.situation import Passage
from temperament.shape.pair import Pair
from temperament.subject.base import as_conversation
from temperament.subject.open import OpenSubject

# Tokens that go through the model at once: bounds memory, and changes no figure beyond rounding.
BATCH_TOKENS = 2048
# Two sets of log-probabilities over the whole vocabulary are held for these: 50 MB each for 50,000 entries.
DIVERGENCE_TOKENS = 256


class Exchange(NamedTuple):
    """A question and an answer to it."""

    question: str
    answer: str


class Forced(NamedTuple):
    """A row that the model is made to read: tokens, of which the last ``words`` are those of the answer."""

    tokens: tuple[int, ...]
    words: int


def exchanges_of(pairs: Sequence[Pair]) -> list[Exchange]:
    """Two of each pair: the answer that shows the target, then the other."""
    return [Exchange(row.question, row.answer) for pair in pairs for row in (pair.shown, pair.other)]


def neutral_exchanges(passages: Sequence[Passage]) -> list[Exchange]:
    """Neutral passages as answers, because an edit of replies is in force in replies only."""
    return [Exchange(f"What can you tell me about {passage.topic}?", passage.text) for passage in passages]


def forced(subject: OpenSubject, exchanges: Sequence[Exchange]) -> list[Forced]:
    """Rows of a question, as the subject reads it at this moment, and its answer without the end of the turn.

    Raises:
        RequestError: a row is longer than the model's window.
    """
    ending = len(subject.format.ending)
    rows: list[Forced] = []
    for exchange in exchanges:
        encoded = subject.encode(as_conversation(exchange.question), exchange.answer)
        words = encoded.answer[: len(encoded.answer) - ending]
        row = Forced((*encoded.prompt, *words), len(words))
        if len(row.tokens) > subject.window:
            message = (
                f"the answer that begins '{exchange.answer[:40]}' makes a row of {len(row.tokens)} tokens: "
                f"{subject.name} reads at most {subject.window}. Shorten it."
            )
            raise RequestError(message)
        rows.append(row)
    return rows


def tokens_read(subject: OpenSubject, exchanges: Sequence[Exchange]) -> int:
    """What one pass over the exchanges costs: what they all begin with counts once."""
    rows = forced(subject, exchanges)
    shared = _shared_length([row.tokens for row in rows], [row.words + 1 for row in rows])
    return shared + sum(len(row.tokens) - shared for row in rows)


def log_probabilities(subject: OpenSubject, exchanges: Sequence[Exchange]) -> list[float]:
    """The mean log-probability (natural, 0 or less) per token of each answer, in the order of the exchanges."""
    rows = forced(subject, exchanges)
    found: dict[int, float] = {}
    for batch in batches([len(row.tokens) for row in rows], BATCH_TOKENS):
        some = [rows[number] for number in batch]
        with torch.inference_mode():
            logits, labels = _scored(subject, some)
            losses = torch.nn.functional.cross_entropy(
                logits.transpose(1, 2).float(), labels, ignore_index=-100, reduction="none"
            )
            means = -losses.sum(dim=1) / (labels != -100).sum(dim=1)
        found.update(zip(batch, means.tolist(), strict=True))
    return [found[number] for number in range(len(rows))]


def pole_likelihoods(subject: OpenSubject, pairs: Sequence[Pair]) -> list[tuple[float, float]]:
    """``p+`` and ``p-`` of each pair: of the answer that shows the target, and of the other."""
    found = log_probabilities(subject, exchanges_of(pairs))
    return list(zip(found[::2], found[1::2], strict=True))


def perplexity(subject: OpenSubject, exchanges: Sequence[Exchange]) -> float:
    """Of the answers' tokens, every token alike; infinite where a token has no probability."""
    found = log_probabilities(subject, exchanges)
    words = [row.words for row in forced(subject, exchanges)]
    mean = sum(value * count for value, count in zip(found, words, strict=True)) / sum(words)
    return math.exp(-mean) if mean > -700 else math.inf


def divergence(subject: OpenSubject, edit: Edit, exchanges: Sequence[Exchange]) -> float:
    """The mean over the answers' tokens of KL(subject || subject under the edit), in nats, 0 or more.

    Both distributions are computed for a few rows at a time, so that memory does not grow with the number of rows.
    """
    lengths = [len(row.tokens) for row in forced(subject, exchanges)]
    total, tokens = 0.0, 0
    for batch in batches(lengths, DIVERGENCE_TOKENS):
        some = [exchanges[number] for number in batch]
        before, counted = _distribution(subject, some, None)
        after, _ = _distribution(subject, some, edit)
        each = (before.exp() * (before - after)).sum(dim=-1)
        # What rounding leaves of equal distributions may be less than nothing.
        total += float(each[counted].clamp(min=0).sum())
        tokens += int(counted.sum())
    return total / tokens


def batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Numbers of rows of like length, as many as have at most that many tokens together; a longer row goes alone."""
    some: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda number: (lengths[number], number)):
        if some and (len(some) + 1) * lengths[number] > most:
            yield some
            some = []
        some.append(number)
    if some:
        yield some


def forward(
    subject: OpenSubject, rows: Sequence[Sequence[int]], marked: Sequence[int], kept: int
) -> Float[Tensor, "row kept vocab"]:
    """The logits of the last ``kept`` positions, of which the last ``marked`` of each row belong to a reply.

    The tokens with which all rows begin are computed once and their keys and values serve all rows, which causal
    attention makes exact. What follows is padded on the left, so that all rows end at one column.
    """
    shared = _shared_length(rows, marked)
    rest = [list(tokens[shared:]) for tokens in rows]
    length = max(len(tokens) for tokens in rest)
    ids = torch.full((len(rows), length), subject.format.pad_token)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    is_reply = torch.zeros((len(rows), length), dtype=torch.bool)
    for number, (tokens, count) in enumerate(zip(rest, marked, strict=True)):
        ids[number, length - len(tokens) :] = torch.tensor(tokens)
        mask[number, length - len(tokens) :] = 1
        is_reply[number, length - count :] = True
    ids, mask, is_reply = (tensor.to(subject.device) for tensor in (ids, mask, is_reply))
    cache = _prefix_cache(subject, rows[0][:shared], len(rows)) if shared else None
    with subject.marking(is_reply):
        output = subject.model(
            input_ids=ids,
            attention_mask=torch.cat([mask.new_ones(len(rows), shared), mask], dim=1),
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0) + shared,
            past_key_values=cache,
            logits_to_keep=kept,
            use_cache=cache is not None,
        )
    return output.logits


def _scored(
    subject: OpenSubject, rows: Sequence[Forced]
) -> tuple[Float[Tensor, "row kept vocab"], Int[Tensor, "row kept"]]:
    """Logits, and the token that each is to predict; -100 where that is no answer's."""
    kept = max(row.words for row in rows)
    labels = torch.full((len(rows), kept), -100)
    for number, row in enumerate(rows):
        labels[number, kept - row.words :] = torch.tensor(row.tokens[-row.words :])
    # The last token predicts the end of the turn, which is not asked for.
    logits = forward(subject, [row.tokens[:-1] for row in rows], [row.words for row in rows], kept)
    return logits, labels.to(subject.device)


def _distribution(
    subject: OpenSubject, exchanges: Sequence[Exchange], edit: Edit | None
) -> tuple[Float[Tensor, "row kept vocab"], Tensor]:
    """Log-probabilities before each token, and which of them are of an answer."""
    with edit.applied(subject) if edit else nullcontext(), torch.inference_mode():
        logits, labels = _scored(subject, forced(subject, exchanges))
        return logits.float().log_softmax(dim=-1), labels != -100


def _shared_length(rows: Sequence[Sequence[int]], marked: Sequence[int]) -> int:
    """How many tokens all rows begin with, before any that belongs to a reply."""
    most = min(len(tokens) - count for tokens, count in zip(rows, marked, strict=True))
    for place, column in enumerate(zip(*(tokens[:most] for tokens in rows), strict=True)):
        if len(set(column)) > 1:
            return place
    return most


def _prefix_cache(subject: OpenSubject, prefix: Sequence[int], rows: int) -> DynamicCache:
    cache = DynamicCache(config=cast(Any, subject.model.config))
    ids = torch.tensor([list(prefix)], device=subject.device)
    with subject.marking(torch.zeros_like(ids, dtype=torch.bool)):
        subject.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    cache.batch_repeat_interleave(rows)
    return cache
