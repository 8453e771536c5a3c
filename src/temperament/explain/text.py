"""The texts that a model is looked into on: the same ones before and after."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from temperament.activation.forcing import Exchange
from temperament.errors import RequestError
from temperament.record import Record


@dataclass(frozen=True)
class Text:
    """A question and an answer that a model reads.

    Attributes:
        topic: the texts of one topic are no independent observations.
        question: as the subject would be asked it.
        answer: its words, without the end of a turn.
        is_finished: the answer is a reply that the model ended itself, so that its end is a position, too.
    """

    topic: str
    question: str
    answer: str
    is_finished: bool = False

    @property
    def exchange(self) -> Exchange:
        """As teacher forcing takes it."""
        return Exchange(self.question, self.answer)


def replies_of(records: Sequence[Record]) -> list[Text]:
    """The replies of a cell; those without any text are left out."""
    return [
        Text(record.topic, record.question, record.reply, bool(record.is_finished))
        for record in records
        if record.reply is not None and record.reply.strip()
    ]


def halves(texts: Sequence[Text], seed: int = 0) -> tuple[list[Text], list[Text]]:
    """Texts dealt into two by topic, at random: what is found on one half is reported on the other.

    Raises:
        RequestError: there are fewer than four topics, so that a half would have no spread.
    """
    topics = sorted({text.topic for text in texts})
    if len(topics) < 4:
        message = (
            f"units were to be selected on one half of the texts and reported on the other, and the texts have "
            f"{len(topics)} topics: give texts on at least four."
        )
        raise RequestError(message)
    random.Random(seed).shuffle(topics)
    first = set(topics[: len(topics) // 2])
    return [text for text in texts if text.topic in first], [text for text in texts if text.topic not in first]
