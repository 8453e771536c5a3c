"""The probability that a reply begins with each of some options, for many questions at once.

Every question goes through the model once. Options of several tokens need the model's word on what follows their first
ones as well: these tokens go through behind the question's keys and values, which are kept.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache

from temperament.errors import RequestError
from temperament.record import NOT_A_NUMBER
from temperament.subject.base import Progress, as_conversation
from temperament.subject.cache import Prefix, memory_for_replies, read_prefix, reply_cache, row_bytes
from temperament.subject.decode import left_padded
from temperament.subject.open import OpenSubject

# Rows of a batch, what follows the beginnings of options included, and logits in memory at a time.
ROWS, LOGITS = 96, 32_000_000

Tokens = tuple[int, ...]


class Choice(NamedTuple):
    """What a subject would answer a question.

    Attributes:
        probabilities: of each option; None where there are none, and then ``error`` says why.
        error: None where there are probabilities.
    """

    probabilities: tuple[float, ...] | None
    error: str | None = None


@dataclass(frozen=True)
class Options:
    """Options as tokens.

    Attributes:
        spellings: of each option the ways to write it; none begins with another.
        heads: the beginnings of options that have to be read, none of which another begins with.
    """

    spellings: tuple[tuple[Tokens, ...], ...]
    heads: tuple[Tokens, ...]

    @property
    def longest(self) -> int:
        """Tokens of the longest option."""
        return max(len(path) for option in self.spellings for path in option)

    @property
    def steps(self) -> tuple[tuple[Tokens, int], ...]:
        """Every token of every option, with the tokens that stand before it."""
        found = ((path[:at], path[at]) for option in self.spellings for path in option for at in range(len(path)))
        return tuple(dict.fromkeys(found))


def choices(
    subject: OpenSubject,
    questions: Sequence[str],
    spellings: Sequence[Sequence[str]],
    progress: Progress | None = None,
) -> list[Choice]:
    """What a subject would answer.

    The probability of an option is that of a reply that begins with it, summed over its spellings; how a tokenizer
    would not itself write a spelling is left out, so that it is a lower bound.

    Args:
        subject: under whatever is applied to it; only the position that the reply is read off, and the tokens of an
            option, count as a reply.
        questions: as the subject would be asked.
        spellings: of each option.
        progress: told how many questions are read, of how many.

    Returns:
        In the order of the questions; without probabilities where a question does not fit into the model's window, or
        the logits are no finite numbers.

    Raises:
        RequestError: the tokenizer cannot tell two options apart.
    """
    found: dict[int, Choice] = {}
    with torch.inference_mode():
        prompts = [subject.encode(as_conversation(question), "").prompt for question in questions]
        options = options_of(subject, questions[0], spellings)
        fitting = [row for row, prompt in enumerate(prompts) if len(prompt) + options.longest <= subject.window]
        prefix = read_prefix(subject.model, [prompts[row] for row in fitting], subject.marking) if fitting else None
        reason = f"the question does not fit into the {subject.window} tokens that {subject.name} reads."
        found.update({row: Choice(None, reason) for row in range(len(prompts)) if row not in set(fitting)})
        for batch in _batches(subject, {row: len(prompts[row]) for row in fitting}, options, prefix):
            found.update(zip(batch, _read(subject, [prompts[row] for row in batch], options, prefix), strict=True))
            if progress:
                progress(len(found), len(prompts))
    return [found[row] for row in range(len(prompts))]


def options_of(subject: OpenSubject, question: str, spellings: Sequence[Sequence[str]]) -> Options:
    """Options as the tokens that a subject would write behind a question.

    Raises:
        RequestError: one option begins with the tokens of another, so that a reply could be both.
    """
    endings = len(subject.format.ending)
    found: list[tuple[Tokens, ...]] = []
    for option in spellings:
        written = (subject.encode(as_conversation(question), spelling).answer for spelling in option)
        found.append(_shortest([tokens[: len(tokens) - endings] for tokens in written]))
    every = [(place, path) for place, option in enumerate(found) for path in option]
    for place, path in every:
        for other, longer in every:
            if place != other and longer[: len(path)] == path:
                message = (
                    f"the options '{spellings[place][0]}' and '{spellings[other][0]}' begin alike for the tokenizer of "
                    f"{subject.name}: take other labels."
                )
                raise RequestError(message)
    starts = {path[:-1] for _, path in every if len(path) > 1}
    heads = [head for head in sorted(starts) if not any(_extends(other, head) for other in starts)]
    return Options(tuple(found), tuple(heads))


def _extends(longer: Tokens, path: Tokens) -> bool:
    return len(longer) > len(path) and longer[: len(path)] == path


def _shortest(option: Sequence[Tokens]) -> tuple[Tokens, ...]:
    """The spellings that begin with no other one, each once: what begins with a longer one is counted already."""
    return tuple(path for path in dict.fromkeys(option) if not any(_extends(path, other) for other in option))


def _batches(
    subject: OpenSubject, lengths: dict[int, int], options: Options, prefix: Prefix | None
) -> Iterator[list[int]]:
    """Numbers of questions of like length that go through together."""
    config: Any = subject.model.config
    rows, depth = max(1, len(options.heads)), options.longest
    shared, memory = prefix.length if prefix else 0, memory_for_replies(subject.device) // 2
    most = max(1, min(ROWS // rows, LOGITS // (int(config.get_text_config().vocab_size) * rows * depth)))
    batch: list[int] = []
    for row in sorted(lengths, key=lambda row: (lengths[row], row)):
        size = row_bytes(subject.model, lengths[row] + depth, lengths[row] - shared) * rows
        if batch and (len(batch) == most or (len(batch) + 1) * size > memory):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _read(subject: OpenSubject, prompts: Sequence[Tokens], options: Options, prefix: Prefix | None) -> list[Choice]:
    """The choices of one batch."""
    ids, mask = left_padded(prompts, subject.format.pad_token, subject.device)
    cache, shared = reply_cache(subject.model, prefix, (mask == 0).sum(dim=1)), prefix.length if prefix else 0
    is_reply = torch.zeros_like(ids, dtype=torch.bool)
    is_reply[:, -1] = True
    # [row, 1, vocab]: behind no token of an option.
    first = _forward(subject, ids[:, shared:], mask, is_reply[:, shared:], cache, 1)
    table = {step: _taken(first[:, 0], step[1]) for step in options.steps if not step[0]}
    if options.heads:
        table |= _behind(subject, mask, cache, options)
    return [_choice({step: values[row] for step, values in table.items()}, options) for row in range(len(prompts))]


def _behind(
    subject: OpenSubject, mask: Int[Tensor, "row token"], cache: DynamicCache, options: Options
) -> dict[tuple[Tokens, int], list[float]]:
    """The log-probabilities of the tokens of options behind their first ones, [row] of each step."""
    count, depth = len(options.heads), max(map(len, options.heads))
    heads = torch.full((count, depth), subject.format.pad_token)
    is_head = torch.zeros((count, depth), dtype=torch.long)
    for place, head in enumerate(options.heads):
        # Padded on the right: what stands behind a token does not change what is read off it.
        heads[place, : len(head)] = torch.tensor(head)
        is_head[place, : len(head)] = 1
    rows = len(mask)
    cache.batch_select_indices(torch.arange(rows, device=subject.device).repeat_interleave(count))
    ids = heads.repeat(rows, 1).to(subject.device)
    is_option = is_head.repeat(rows, 1).to(subject.device)
    whole = torch.cat([mask.repeat_interleave(count, dim=0), is_option], dim=1)
    logits = _forward(subject, ids, whole, is_option.bool(), cache, depth).unflatten(0, (rows, count))
    found: dict[tuple[Tokens, int], list[float]] = {}
    for start, token in options.steps:
        if start:
            place = next(number for number, head in enumerate(options.heads) if head[: len(start)] == start)
            found[start, token] = _taken(logits[:, place, len(start) - 1], token)
    return found


def _forward(
    subject: OpenSubject,
    ids: Int[Tensor, "row new"],
    mask: Int[Tensor, "row token"],
    is_reply: Tensor,
    cache: DynamicCache,
    kept: int,
) -> Float[Tensor, "row kept vocab"]:
    """The last logits of tokens that come behind what the cache holds."""
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    model: Any = subject.model
    with subject.marking(is_reply):
        return model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=kept,
        ).logits


def _taken(logits: Float[Tensor, "row vocab"], token: int) -> list[float]:
    """The log-probability of a token in each row; what is no number stays none."""
    values = logits.float()
    return (values[:, token] - values.logsumexp(dim=-1)).double().tolist()


def _choice(steps: dict[tuple[Tokens, int], float], options: Options) -> Choice:
    """Options by the log-probabilities of their tokens."""
    if not all(math.isfinite(value) for value in steps.values()):
        return Choice(None, NOT_A_NUMBER)
    masses = (
        sum(math.exp(sum(steps[path[:at], path[at]] for at in range(len(path)))) for path in option)
        for option in options.spellings
    )
    # Six figures are what float32 knows.
    return Choice(tuple(float(f"{mass:.6g}") for mass in masses))
