"""Teacher forcing: how likely a model finds answers that are given to it, token by token, under an edit or not.

Only forward passes, batches of like length, the beginning that all prompts share computed once, and logits for the
tokens of the answers alone, so that memory depends on the batch and not on how much is read.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import DynamicCache

from temperament.edit.base import Edit
from temperament.opinion.situation import Passage
from temperament.subject.base import Question, as_conversation
from temperament.subject.cache import Prefix, read_prefix, reply_cache
from temperament.subject.decode import left_padded
from temperament.subject.open import OpenSubject

# Logits in memory at a time: 128 MB of float32, a batch of 650 tokens at SmolLM2's vocabulary.
LOGITS = 32_000_000
# Tokens of a batch, prompts included.
TOKENS = 4096

PerToken = Float[Tensor, " token"]


class Exchange(NamedTuple):
    """A question, in words or as a conversation, and an answer to it."""

    question: Question
    answer: str


@dataclass(frozen=True)
class Row:
    """A prompt and an answer as tokens; nothing of the end of a turn."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def read(self) -> tuple[int, ...]:
        """What the model is given: the last token of the answer is predicted and never read."""
        return self.prompt + self.answer[:-1]


def neutral_exchanges(passages: Sequence[Passage]) -> list[Exchange]:
    """Neutral passages as answers, because an edit of replies is in force in replies only."""
    return [Exchange(passage.question, passage.text) for passage in passages]


def log_probabilities(
    subject: OpenSubject, exchanges: Sequence[Exchange], edit: Edit | None = None, longest: int | None = None
) -> list[PerToken | None]:
    """The log-probability of each token of each answer, in nats.

    The end of a turn is not read, so that a model that learned to stop early is not charged for the words. Which
    position a token is read off is that of a decoder: the token before it; the first one is read off the prompt.

    Args:
        subject: reads, under whatever is applied to it.
        exchanges: the question is read as the subject would read it when asked.
        edit: that is applied as well while they are read.
        longest: tokens of an answer that are read, from its first; None reads all.

    Returns:
        [token] of each answer, in the order of the exchanges; None where an answer has no token, or does not fit into
        the model's window behind what is read before it.
    """
    found: dict[int, PerToken | None] = dict.fromkeys(range(len(exchanges)))
    with torch.inference_mode(), applied(edit, subject):
        given = GivenAnswers(subject, exchanges, longest)
        for batch in batches([given]):
            for number, logits in zip(batch, given.logits(batch), strict=True):
                found[number] = _taken(given.of_answer(logits, number), given.row(number))
    return list(found.values())


def divergences(
    subject: OpenSubject, exchanges: Sequence[Exchange], edit: Edit, longest: int | None = None
) -> list[tuple[PerToken, PerToken] | None]:
    """How far an edit moves the distribution of each token, and the token's log-probability under it.

    The distributions of the untouched model are computed anew beside those of the edited one, a batch at a time, and
    never kept.

    Args:
        subject: as in `log_probabilities`; what is applied to it counts as untouched.
        exchanges: as in `log_probabilities`.
        edit: to be compared with the untouched subject.
        longest: tokens of an answer that are read.

    Returns:
        KL(untouched || edited), 0 or more, and log p(edited) of each token, in nats; None as in `log_probabilities`.
    """
    found: dict[int, tuple[PerToken, PerToken] | None] = dict.fromkeys(range(len(exchanges)))
    with torch.inference_mode():
        before = GivenAnswers(subject, exchanges, longest)
        with edit.applied(subject):
            after = GivenAnswers(subject, exchanges, longest)
        for batch in batches([before, after]):
            untouched = before.logits(batch)
            with edit.applied(subject):
                edited = after.logits(batch)
            for place, number in enumerate(batch):
                first = before.of_answer(untouched[place], number).log_softmax(dim=-1)
                logits = after.of_answer(edited[place], number)
                # What rounding leaves of equal distributions may be less than nothing.
                moved = (first.exp() * (first - logits.log_softmax(dim=-1))).sum(dim=-1).clamp(min=0)
                found[number] = (moved.cpu(), _taken(logits, after.row(number)))
    return list(found.values())


class GivenAnswers:
    """Exchanges as a subject reads them at this moment, what all prompts begin with read already.

    Attributes:
        subject: to be read with while the same edits are applied, and without gradients.
        rows: in the order of the exchanges; None where an answer has no token, or does not fit into the window.
        prefix: None where there is none worth a pass of its own.
    """

    def __init__(self, subject: OpenSubject, exchanges: Sequence[Exchange], longest: int | None = None) -> None:
        self.subject = subject
        self.rows = encoded(subject, exchanges, longest)
        prompts = [row.prompt for row in self.rows if row]
        self.prefix: Prefix | None = read_prefix(subject.model, prompts, subject.marking)

    @classmethod
    def of_rows(cls, subject: OpenSubject, rows: Sequence[Row]) -> "GivenAnswers":
        """Rows that are tokens already, for who reads other things than the answers to questions."""
        given = cls(subject, ())
        given.rows = list(rows)
        given.prefix = read_prefix(subject.model, [row.prompt for row in rows], subject.marking)
        return given

    def row(self, number: int) -> Row:
        """A row that can be read."""
        return cast(Row, self.rows[number])

    def logits(self, numbers: Sequence[int]) -> Float[Tensor, "row token vocab"]:
        """The logits that the answers of some rows are read off, padded on the left to the longest answer."""
        rows = [self.row(number) for number in numbers]
        counts = [len(row.answer) for row in rows]
        return self._forward([row.read for row in rows], counts, max(counts)).logits

    def logits_and_cache(self, numbers: Sequence[int]) -> tuple[Float[Tensor, "row token vocab"], Any]:
        """`logits`, and the keys and values of all that was read, in columns that end with the rows."""
        rows = [self.row(number) for number in numbers]
        counts = [len(row.answer) for row in rows]
        output = self._forward([row.read for row in rows], counts, max(counts), DynamicCache())
        return output.logits, output.past_key_values

    def read(self, numbers: Sequence[int]) -> None:
        """Let the model read some answers as for `logits`, without computing these, for who looks at a site.

        Marked as a reply are the positions that the answers are read off.
        """
        rows = [self.row(number) for number in numbers]
        self._forward([row.read for row in rows], [len(row.answer) for row in rows], 1)

    def show(self, numbers: Sequence[int]) -> None:
        """Let the model read some answers to their last token, for who looks at a site.

        Marked as a reply are the tokens of the answers themselves, not the positions that they are read off.
        """
        rows = [self.row(number) for number in numbers]
        self._forward([row.prompt + row.answer for row in rows], [len(row.answer) for row in rows], 1)

    def _forward(self, texts: Sequence[tuple[int, ...]], marked: Sequence[int], kept: int, cache: Any = None) -> Any:
        """What the model makes of texts that begin with the prefix, of which the last tokens are marked as a reply."""
        ids, mask = left_padded(texts, self.subject.format.pad_token, self.subject.device)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        is_reply = torch.zeros_like(ids, dtype=torch.bool)
        for place, count in enumerate(marked):
            is_reply[place, -count:] = True
        shared = 0
        if self.prefix is not None:
            cache = reply_cache(self.subject.model, self.prefix, (mask == 0).sum(dim=1))
            shared = self.prefix.length
        with self.subject.marking(is_reply[:, shared:]):
            model: Any = self.subject.model
            return model(
                input_ids=ids[:, shared:],
                attention_mask=mask,
                position_ids=positions[:, shared:],
                past_key_values=cache,
                use_cache=cache is not None,
                logits_to_keep=kept,
            )

    def of_answer(self, logits: Float[Tensor, "longest vocab"], number: int) -> Float[Tensor, "token vocab"]:
        """Those of a row without its padding, in float32."""
        return logits[len(logits) - len(self.row(number).answer) :].float()


def encoded(subject: OpenSubject, exchanges: Sequence[Exchange], longest: int | None = None) -> list[Row | None]:
    """The exchanges as tokens, as the subject reads them at this moment; None as in `log_probabilities`."""
    rows: list[Row | None] = []
    endings = len(subject.format.ending)
    for question, answer in exchanges:
        tokens = subject.encode(as_conversation(question), answer)
        words = tokens.answer[: len(tokens.answer) - endings] if answer.strip() else ()
        row = Row(tokens.prompt, words[:longest])
        rows.append(row if row.answer and len(row.read) < subject.window else None)
    return rows


def batches(sides: Sequence[GivenAnswers]) -> Iterator[list[int]]:
    """Numbers of rows of like length that go through together; those that cannot be read on every side are left out.

    Args:
        sides: the same exchanges, as a subject reads them under this and that.
    """
    kept = [number for number in range(len(sides[0].rows)) if all(side.rows[number] for side in sides)]
    answers = {number: len(sides[0].row(number).answer) for number in kept}
    lengths = {number: max(len(side.row(number).read) for side in sides) for number in kept}
    config: Any = sides[0].subject.model.config
    most = max(1, LOGITS // int(config.get_text_config().vocab_size))
    some: list[int] = []
    answer = length = 0
    for number in sorted(kept, key=lambda number: (answers[number], lengths[number], number)):
        answer, length = max(answer, answers[number]), max(length, lengths[number])
        if some and ((len(some) + 1) * answer > most or (len(some) + 1) * length > TOKENS):
            yield some
            some, answer, length = [], answers[number], lengths[number]
        some.append(number)
    if some:
        yield some


def applied(edit: Edit | None, subject: OpenSubject) -> AbstractContextManager[Any]:
    """The edit on the subject until the block ends; without one the subject as it is."""
    return nullcontext() if edit is None else edit.applied(subject)


def _taken(logits: Float[Tensor, "token vocab"], row: Row) -> PerToken:
    """The log-probability of the tokens that the answer has."""
    chosen = torch.tensor(row.answer, device=logits.device)[:, None]
    return (logits.gather(1, chosen).squeeze(1) - logits.logsumexp(dim=-1)).cpu()
