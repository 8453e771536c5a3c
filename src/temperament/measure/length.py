"""How long replies are, and whether the model ended them itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from temperament.measure.protocol import Measurement, Score, answered
from temperament.record import Record
from temperament.stats import average, share
from temperament.trait import Target


def words(text: str) -> int:
    """Stretches without white space that hold a letter or a digit; "well-being" is one, a dash or an emoji none."""
    return sum(any(character.isalnum() for character in stretch) for stretch in text.split())


@dataclass(frozen=True)
class Length:
    """Scorer of length: ``words`` a reply, and ``finished_share``, the share that the model ended itself.

    A reply is finished where it ended before ``max_new_tokens``; replies of which that is not known are left out of
    the share.
    """

    name: str = "length"

    def read(self, records: Sequence[Record]) -> list[Score | None]:
        """``words``, ``tokens`` and ``is_finished`` of each record; None for a record without a reply."""
        return [
            None
            if record.reply is None
            else {"words": words(record.reply), "tokens": record.tokens, "is_finished": record.is_finished}
            for record in records
        ]

    def measure(self, records: Sequence[Record], target: Target) -> list[Measurement]:  # noqa: ARG002 - the protocol's
        """``words`` and ``finished_share``, with topics as clusters; the target plays no part."""
        replies = answered(records)
        ends = [(record.topic, record.is_finished) for record, _ in replies if record.is_finished is not None]
        length = average([float(words(reply)) for _, reply in replies], [record.topic for record, _ in replies])
        finished = share([is_finished for _, is_finished in ends], [topic for topic, _ in ends])
        return [Measurement("words", length), Measurement("finished_share", finished)]
