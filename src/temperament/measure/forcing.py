"""Teacher forcing: how likely a model finds answers that are given to it, token by token, under an edit or not.

Only forward passes, batches of like length, the beginning that all prompts share computed once a batch, and logits for
the tokens of the answers alone, so that memory depends on the batch and not on how much is read.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import DynamicCache

from temperament.edit.base import Edit
from temperament.subject.base import as_conversation
from temperament.subject.open import OpenSubject

# Logits in memory at a time: 128 MB of float32, a batch of 650 tokens at SmolLM2's vocabulary.
LOGITS = 32_000_000
# Tokens of a batch, prompts included.
TOKENS = 4096
# A shorter beginning is not worth a pass of its own.
LEAST_SHARED = 4

Pair = tuple[str, str]
PerToken = Float[Tensor, " token"]


@dataclass(frozen=True)
class _Row:
    """A prompt and an answer as tokens; nothing of the end of a turn."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def read(self) -> tuple[int, ...]:
        """What the model is given: the last token of the answer is predicted and never read."""
        return self.prompt + self.answer[:-1]


def log_probabilities(
    subject: OpenSubject, pairs: Sequence[Pair], edit: Edit | None = None, longest: int | None = None
) -> list[PerToken | None]:
    """The log-probability of each token of each answer, in nats.

    The end of a turn is not read, so that a model that learned to stop early is not charged for the words. Which
    position a token is read off is that of a decoder: the token before it; the first one is read off the prompt.

    Args:
        subject: untouched.
        pairs: question and answer; the question is read as the subject would read it when asked.
        edit: that is applied while they are read; None for the subject as it is.
        longest: tokens of an answer that are read, from its first; None reads all.

    Returns:
        [token] of each answer, in the order of the pairs; None where an answer has no token, or does not fit into the
        model's window behind what is read before it.
    """
    found: dict[int, PerToken | None] = dict.fromkeys(range(len(pairs)))
    with torch.inference_mode(), _applied(edit, subject):
        rows = _encoded(subject, pairs, longest)
        for batch in _batches(subject, [rows]):
            logits = _logits(subject, [rows[number] for number in batch])
            for place, number in enumerate(batch):
                found[number] = _taken(_of_answer(logits[place], rows[number]), rows[number])
    return list(found.values())


def divergences(
    subject: OpenSubject, pairs: Sequence[Pair], edit: Edit, longest: int | None = None
) -> list[tuple[PerToken, PerToken] | None]:
    """How far an edit moves the distribution of each token, and the token's log-probability under it.

    The distributions of the untouched model are computed anew beside those of the edited one, a batch at a time, and
    never kept.

    Args:
        subject: untouched.
        pairs: question and answer, as in `log_probabilities`.
        edit: to be compared with the untouched subject.
        longest: tokens of an answer that are read.

    Returns:
        KL(untouched || edited) and log p(edited) of each token, in nats; None as in `log_probabilities`.
    """
    found: dict[int, tuple[PerToken, PerToken] | None] = dict.fromkeys(range(len(pairs)))
    before = _encoded(subject, pairs, longest)
    with _applied(edit, subject):
        after = _encoded(subject, pairs, longest)
    for batch in _batches(subject, [before, after]):
        with torch.inference_mode():
            untouched = _logits(subject, [before[number] for number in batch])
            with _applied(edit, subject):
                edited = _logits(subject, [after[number] for number in batch])
            for place, number in enumerate(batch):
                first = _of_answer(untouched[place], before[number]).log_softmax(dim=-1)
                logits = _of_answer(edited[place], after[number])
                second = logits.log_softmax(dim=-1)
                divergence = (first.exp() * (first - second)).sum(dim=-1).clamp(min=0)
                found[number] = (divergence.cpu(), _taken(logits, after[number]))
    return list(found.values())


def _applied(edit: Edit | None, subject: OpenSubject) -> AbstractContextManager[Any]:
    return nullcontext() if edit is None else edit.applied(subject)


def _encoded(subject: OpenSubject, pairs: Sequence[Pair], longest: int | None) -> list[_Row]:
    """The pairs as the subject reads them at this moment."""
    rows: list[_Row] = []
    endings = len(subject.format.ending)
    for question, answer in pairs:
        encoded = subject.encode(as_conversation(question), answer)
        words = encoded.answer[: len(encoded.answer) - endings] if answer.strip() else ()
        rows.append(_Row(encoded.prompt, words[:longest]))
    return rows


def _batches(subject: OpenSubject, sides: Sequence[Sequence[_Row]]) -> Iterator[list[int]]:
    """Numbers of rows of like length that go through together; those that cannot be read on every side are left out."""
    rows = range(len(sides[0]))
    lengths = {row: max(len(side[row].read) for side in sides) for row in rows}
    kept = [row for row in rows if sides[0][row].answer and lengths[row] < subject.window]
    config: Any = subject.model.config
    most = max(1, LOGITS // int(config.get_text_config().vocab_size))
    some: list[int] = []
    answer = length = 0
    for row in sorted(kept, key=lambda row: (len(sides[0][row].answer), lengths[row], row)):
        answer, length = max(answer, len(sides[0][row].answer)), max(length, lengths[row])
        if some and ((len(some) + 1) * answer > most or (len(some) + 1) * length > TOKENS):
            yield some
            some, answer, length = [], len(sides[0][row].answer), lengths[row]
        some.append(row)
    if some:
        yield some


def _logits(subject: OpenSubject, rows: Sequence[_Row]) -> Float[Tensor, "row token vocab"]:
    """The logits that the answers are read off, padded on the left to the longest answer."""
    shared = _shared_length(rows)
    rest = [row.read[shared:] for row in rows]
    length = max(map(len, rest))
    ids = torch.full((len(rows), length), subject.format.pad_token)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    is_reply = torch.zeros((len(rows), length), dtype=torch.bool)
    for number, (row, tokens) in enumerate(zip(rows, rest, strict=True)):
        ids[number, length - len(tokens) :] = torch.tensor(tokens)
        mask[number, length - len(tokens) :] = 1
        is_reply[number, length - len(row.answer) :] = True
    ids, mask, is_reply = (tensor.to(subject.device) for tensor in (ids, mask, is_reply))
    cache = _prefix_cache(subject, rows[0].prompt[:shared], len(rows)) if shared else None
    with subject.marking(is_reply):
        return subject.model(
            input_ids=ids,
            attention_mask=torch.cat([mask.new_ones(len(rows), shared), mask], dim=1),
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0) + shared,
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=max(len(row.answer) for row in rows),
        ).logits


def _shared_length(rows: Sequence[_Row]) -> int:
    """How many tokens all prompts begin with, less the last one of a prompt, which an answer is read off."""
    length = min(len(row.prompt) for row in rows) - 1
    first = rows[0].prompt
    same = next((at for at in range(length) if any(row.prompt[at] != first[at] for row in rows)), length)
    return same if len(rows) > 1 and same >= LEAST_SHARED else 0


def _prefix_cache(subject: OpenSubject, prefix: Sequence[int], rows: int) -> DynamicCache:
    cache = DynamicCache(config=cast(Any, subject.model.config))
    ids = torch.tensor([list(prefix)], device=subject.device)
    with subject.marking(torch.zeros_like(ids, dtype=torch.bool)):
        subject.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    cache.batch_repeat_interleave(rows)
    return cache


def _of_answer(logits: Float[Tensor, "longest vocab"], row: _Row) -> Float[Tensor, "token vocab"]:
    return logits[len(logits) - len(row.answer) :].float()


def _taken(logits: Float[Tensor, "token vocab"], row: _Row) -> PerToken:
    """The log-probability of the tokens that the answer has."""
    chosen = torch.tensor(row.answer, device=logits.device)[:, None]
    return (logits.gather(1, chosen).squeeze(1) - logits.logsumexp(dim=-1)).cpu()
