"""Texts as a subject reads them untouched and under an edit, batch by batch, at the same positions on both sides."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from temperament.activation.forcing import TOKENS, GivenAnswers, Row, applied, encoded
from temperament.activation.reader import Reader
from temperament.edit.base import Edit
from temperament.explain.text import Text
from temperament.measure.written import ended
from temperament.subject.open import OpenSubject

Side = Literal["before", "after"]


@dataclass(frozen=True)
class Batch:
    """Texts that go through together.

    Attributes:
        numbers: of the texts, those of a topic side by side.
        topics: in the same order, each once.
        is_open: there is one topic, and more of it comes in the next batch.
    """

    numbers: tuple[int, ...]
    topics: tuple[str, ...]
    is_open: bool = False


class Pair:
    """Texts as a subject reads them untouched and under an edit.

    Positions are those that the tokens of an answer are read off, so an edit acts as it does on replies: the same
    number on both sides, whatever a context edit puts before them.

    Attributes:
        subject: reads.
        texts: without those that have no token, or do not fit into the window on one side.
        counts: positions of each.
    """

    def __init__(self, subject: OpenSubject, edit: Edit | None, texts: Sequence[Text]) -> None:
        self.subject = subject
        self._edit = edit
        before = rows_of(subject, texts)
        with applied(edit, subject):
            after = rows_of(subject, texts)
        both = [(text, *rows) for text, *rows in zip(texts, before, after, strict=True)]
        kept = [(text, first, second) for text, first, second in both if first and second]
        self.texts = [text for text, _, _ in kept]
        self.counts = [len(row.answer) for _, row, _ in kept]
        with torch.inference_mode():
            self._before = GivenAnswers.of_rows(subject, [row for _, row, _ in kept])
            self._after = self._before
            if edit is not None:
                with edit.applied(subject):
                    self._after = GivenAnswers.of_rows(subject, [row for _, _, row in kept])

    @property
    def is_same(self) -> bool:
        """There is no edit: after is before."""
        return self._edit is None

    @cached_property
    def sizes(self) -> Counter[str]:
        """Texts of each topic."""
        return Counter(text.topic for text in self.texts)

    def read(self, side: Side, batch: Batch, readers: Sequence[Reader] = ()) -> None:
        """Run a batch through the subject while readers look."""
        edit, given = (None, self._before) if side == "before" else (self._edit, self._after)
        with torch.inference_mode(), applied(edit, self.subject), ExitStack() as stack:
            for reader in readers:
                stack.enter_context(reader.reading())
            given.read(batch.numbers)

    def batches(self, topics: Collection[str]) -> Iterator[Batch]:
        """Batches of whole topics of like length; a topic that is too large for one has some of its own."""
        lengths = [max(len(side.row(n).read) for side in (self._before, self._after)) for n in range(len(self.texts))]
        groups: dict[str, list[int]] = defaultdict(list)
        for number in sorted(range(len(self.texts)), key=lambda number: (lengths[number], number)):
            if self.texts[number].topic in topics:
                groups[self.texts[number].topic].append(number)
        numbers: list[int] = []
        names: list[str] = []
        for topic, group in sorted(groups.items(), key=lambda item: (lengths[item[1][-1]], item[0])):
            longest = lengths[group[-1]]
            if numbers and (len(numbers) + len(group)) * longest > TOKENS:
                yield Batch(tuple(numbers), tuple(names))
                numbers, names = [], []
            step = max(1, TOKENS // longest)
            while len(group) > step:
                yield Batch(tuple(group[:step]), (topic,), is_open=True)
                group = group[step:]  # noqa: PLW2901 - what is left of it
            numbers += group
            names.append(topic)
        if numbers:
            yield Batch(tuple(numbers), tuple(names))

    def weights(self, batch: Batch) -> Float[Tensor, "topic token"]:
        """What each position counts in the mean of its topic."""
        found = torch.zeros(len(batch.topics), sum(self.counts[number] for number in batch.numbers))
        start = 0
        for number in batch.numbers:
            topic, end = self.texts[number].topic, start + self.counts[number]
            found[batch.topics.index(topic), start:end] = 1 / (self.counts[number] * self.sizes[topic])
            start = end
        return found


def rows_of(subject: OpenSubject, texts: Sequence[Text]) -> list[Row | None]:
    """The texts as tokens, with the end of replies that the model ended."""
    rows = encoded(subject, [text.exchange for text in texts])
    return [ended(row, subject) if row and text.is_finished else row for row, text in zip(rows, texts, strict=True)]
