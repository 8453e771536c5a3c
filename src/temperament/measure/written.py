"""What replies wrote, position by position, for who reads them again."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, replace

from temperament.activation.forcing import Exchange, GivenAnswers, Row
from temperament.measure.beginning import is_inside
from temperament.measure.spelling import Spelling
from temperament.subject.open import OpenSubject

# Characters of a reply that are looked at to know whether a position lies inside an emoji.
_TAIL = 32


@dataclass(frozen=True)
class Written:
    """What the tokens of a reply write, and which positions, the end included, lie inside an emoji or a character."""

    pieces: tuple[str, ...]
    is_inside: tuple[bool, ...]


def given_replies(
    subject: OpenSubject, exchanges: Sequence[Exchange], is_finished: Sequence[bool], spelled: Spelling
) -> tuple[GivenAnswers, dict[int, Written]]:
    """Replies to be read with the position at which the model ended, where it did, and what their tokens write.

    Args:
        subject: reads, under whatever is applied to it.
        exchanges: questions and replies.
        is_finished: the model ended this reply by itself.
        spelled: bytes of each token.

    Returns:
        The replies as rows; and by their numbers, where they can be read, what was written.
    """
    given = GivenAnswers(subject, exchanges)
    written = {number: written_by(row.answer, spelled) for number, row in enumerate(given.rows) if row}
    given.rows = [
        row and ended(row, subject) if is_ended else row for row, is_ended in zip(given.rows, is_finished, strict=True)
    ]
    return given, written


def ended(row: Row, subject: OpenSubject) -> Row:
    """The row with the position at which the model ended; what stands there is predicted and never read.

    Where the window has no room for that position the row comes back as it is.
    """
    longer = replace(row, answer=(*row.answer, subject.format.pad_token))
    return longer if len(longer.read) <= subject.window else row


def written_by(tokens: Sequence[int], spelled: Spelling) -> Written:
    """What tokens write, read one after another as bytes; the end writes nothing."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    text = ""
    pieces: list[str] = []
    inside: list[bool] = []
    for token in tokens:
        inside.append(bool(decoder.getstate()[0]) or is_inside(text))
        pieces.append(decoder.decode(spelled[token] or b""))
        text = (text + pieces[-1])[-_TAIL:]
    inside.append(bool(decoder.getstate()[0]) or is_inside(text))
    return Written((*pieces, ""), tuple(inside))
