"""Which tokens of replies are worth an attribution: emojis that were written, or might have been."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from temperament.activation.forcing import GivenAnswers, Row, batches
from temperament.explain.emoji_token import EmojiTokens
from temperament.subject.open import OpenSubject


@dataclass(frozen=True)
class Occasion:
    """A token at a position.

    Attributes:
        text: number of the reply.
        position: in its answer.
        token: that was written there, or might have been.
    """

    text: int
    position: int
    token: int


def occasions(subject: OpenSubject, rows: Sequence[Row | None], tokens: EmojiTokens, limit: int) -> list[Occasion]:
    """The first tokens of emojis that answers have, or the likeliest beginnings of one where no answer has any.

    Args:
        subject: under the edit.
        rows: of the answers; None where one cannot be read.
        tokens: of its vocabulary.
        limit: occasions at most; one of each answer before a second of any, or one of each answer, the likeliest first.
    """
    written = [
        [Occasion(number, position, row.answer[position]) for position in tokens.written(row.answer)] if row else []
        for number, row in enumerate(rows)
    ]
    most = max(map(len, written), default=0)
    found = [own[turn] for turn in range(most) for own in written if turn < len(own)]
    if not found:
        found = [occasion for _, occasion in sorted(_likeliest(subject, rows, tokens), key=lambda one: -one[0])]
    return found[:limit]


def _likeliest(
    subject: OpenSubject, rows: Sequence[Row | None], tokens: EmojiTokens
) -> Iterator[tuple[float, Occasion]]:
    """The position of each answer at which the beginning of an emoji is likeliest, and how likely it is."""
    numbers = [number for number, row in enumerate(rows) if row]
    if not numbers:
        return
    given = GivenAnswers.of_rows(subject, [row for row in rows if row])
    for batch in batches([given]):
        for place, logits in zip(batch, given.logits(batch), strict=True):
            chances = given.of_answer(logits, place).log_softmax(dim=-1)[:, tokens.beginnings]
            outside = torch.tensor(tokens.is_outside(given.row(place).answer), device=chances.device)
            mass = chances.logsumexp(dim=-1).masked_fill(~outside, -torch.inf)
            position = int(mass.argmax())
            token = int(tokens.beginnings[int(chances[position].argmax())])
            yield float(mass[position]), Occasion(numbers[place], position, token)
