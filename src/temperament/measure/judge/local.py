"""A judge whose weights are at hand: it writes nothing, its next token is read."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from temperament.errors import RequestError
from temperament.measure.judge.base import Judge
from temperament.measure.judge.cache import Cache
from temperament.measure.judge.scale import HIGHEST, LOWEST, Prompt
from temperament.measure.judge.verdict import REASONS, Verdict
from temperament.record import Label
from temperament.subject.base import as_conversation
from temperament.subject.cache import Prefix, memory_for_replies, read_prefix, reply_cache, row_bytes
from temperament.subject.decode import left_padded
from temperament.subject.open import BATCH, OpenSubject

STEPS = tuple(range(LOWEST, HIGHEST + 1))
# Longer tokens than a digit with a space around it are no digits.
LONGEST_TOKEN = 4
PLACES = 6  # of probabilities that are kept


class LocalJudge(Judge):
    """Reads a rating as the expected value over the probabilities of "1" to "5" as the next token.

    These are made to sum to 1, and what all other tokens have is kept beside: where it is nearly all, the model was not
    about to give a number, and its rating is worth little.

    Args:
        subject: untouched.
        cache: of verdicts.

    Raises:
        RequestError: the tokenizer has no token for a digit.

    Source: Liu et al. 2023 (G-Eval), arXiv 2303.16634, section 2 (weighing scores by their probabilities).
    """

    kind = "local"

    def __init__(self, subject: OpenSubject, cache: Cache | None = None) -> None:
        super().__init__(subject.name, subject.fingerprint, cache)
        self._subject = subject

    @property
    def _settings(self) -> Mapping[str, object]:
        return {"precision": self._subject.precision, "template": str(self._subject.tokenizer.chat_template)}

    def _asked(self, prompts: Sequence[Prompt]) -> Iterator[Mapping[int, Verdict]]:
        if self._subject.label != Label():
            message = (
                f"{self.name} was asked to judge under the edit '{self._subject.label.method}': a judge has to be the "
                f"same for all. Let it judge after the edit's block."
            )
            raise RequestError(message)
        tokens = [self._tokens(prompt) for prompt in prompts]
        heads: dict[str, list[int]] = {}
        for place, prompt in enumerate(prompts):
            heads.setdefault(prompt.head, []).append(place)
        for places in heads.values():
            fitting = [place for place in places if len(tokens[place]) < self._subject.window]
            lengths = {place: len(tokens[place]) for place in places}
            if len(fitting) < len(places):
                yield {place: _too_long(lengths[place]) for place in set(places).difference(fitting)}
            # What the prompts of a scale begin with is read once.
            rows = [tokens[place] for place in fitting]
            prefix = read_prefix(self._subject.model, rows, self._subject.marking) if rows else None
            for batch in self._batches(fitting, lengths, prefix):
                yield dict(zip(batch, self._read([tokens[place] for place in batch], prefix), strict=True))

    @cached_property
    def _digits(self) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
        """The tokens that open every answer, and for each step the tokens that are its digit."""
        subject = self._subject
        asked = as_conversation("1 to 5?")
        endings = len(subject.format.ending)
        answers = [subject.encode(asked, str(step)).answer for step in STEPS]
        bare = [answer[: len(answer) - endings] for answer in answers]
        length = len(bare[0]) - 1
        if len({answer[:length] for answer in bare}) > 1 or len({answer[length:] for answer in bare}) < len(STEPS):
            message = f"{self.name} has no token of its own for each of the digits 1 to 5: take another judge."
            raise RequestError(message)
        others = self._spelled()
        each = (tuple(sorted({*others[step], answer[-1]})) for step, answer in zip(STEPS, bare, strict=True))
        return bare[0][:length], tuple(each)

    def _spelled(self) -> dict[int, set[int]]:
        """All tokens that are a digit, with or without space around it."""
        tokenizer: Any = self._subject.tokenizer
        found: dict[int, set[int]] = {step: set() for step in STEPS}
        for token, number in tokenizer.get_vocab().items():
            if len(token) > LONGEST_TOKEN or not any(character.isdigit() for character in token):
                continue
            text = tokenizer.decode([number]).strip()
            if text in {str(step) for step in STEPS}:
                found[int(text)].add(int(number))
        return found

    def _tokens(self, prompt: Prompt) -> list[int]:
        opening, _ = self._digits
        text = self._subject.format.render(as_conversation(prompt.text))
        return [*self._subject.format.tokens(text), *opening]

    def _batches(self, places: Sequence[int], lengths: Mapping[int, int], prefix: Prefix | None) -> Iterator[list[int]]:
        """Prompts of like length together, as many as fit into memory."""
        subject, shared = self._subject, prefix.length if prefix else 0
        memory, batch = memory_for_replies(subject.device), list[int]()
        for place in sorted(places, key=lambda place: lengths[place]):
            size = row_bytes(subject.model, lengths[place], lengths[place] - shared)
            if batch and (len(batch) == BATCH or (len(batch) + 1) * size > memory):
                yield batch
                batch = []
            batch.append(place)
        if batch:
            yield batch

    def _read(self, rows: Sequence[Sequence[int]], prefix: Prefix | None) -> list[Verdict]:
        _, digits = self._digits
        with torch.inference_mode():
            logits = self._next(rows, prefix).double()
            each = torch.stack([logits[:, list(tokens)].logsumexp(dim=1) for tokens in digits], dim=1)
            inside = (each.logsumexp(dim=1) - logits.logsumexp(dim=1)).exp()
            shares = each.softmax(dim=1)
        found = zip(shares.tolist(), inside.tolist(), rows, strict=True)
        return [_verdict(chances, mass, len(tokens)) for chances, mass, tokens in found]

    def _next(self, rows: Sequence[Sequence[int]], prefix: Prefix | None) -> Float[Tensor, "row vocab"]:
        """The logits of the token after each row."""
        subject = self._subject
        ids, mask = left_padded(rows, subject.format.pad_token, subject.device)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        cache, shared = None, 0
        if prefix is not None:
            cache, shared = reply_cache(subject.model, prefix, (mask == 0).sum(dim=1)), prefix.length
        model: Any = subject.model
        return model(
            input_ids=ids[:, shared:],
            attention_mask=mask,
            position_ids=positions[:, shared:],
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=1,
        ).logits[:, -1]


def _verdict(shares: Sequence[float], inside: float, tokens: int) -> Verdict:
    """The expected value over the probabilities of the steps, which sum to 1, of a mass that they have together."""
    value = sum(step * share for step, share in zip(STEPS, shares, strict=True))
    if not math.isfinite(value + inside):
        return Verdict(None, reason="broken", detail=REASONS["broken"], prompt_tokens=tokens)
    return Verdict(
        value=round(value, PLACES),
        probabilities=tuple(round(share, PLACES) for share in shares),
        outside=round(max(0.0, 1 - inside), PLACES),
        prompt_tokens=tokens,
    )


def _too_long(tokens: int) -> Verdict:
    return Verdict(None, reason="too_long", detail=f"{REASONS['too_long']}: {tokens} tokens")
