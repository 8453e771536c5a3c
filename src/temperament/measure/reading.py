"""Reading: what a subject makes of texts that are given to it, untouched and under an edit.

Three kinds of text: reference answers of Opinion QA, which an edit should make likely where they show its target;
neutral passages, which it should leave alone; and a cell's own replies, which the untouched model reads.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from temperament.activation.forcing import Exchange, divergences, log_probabilities
from temperament.edit.base import Edit
from temperament.errors import SeamError
from temperament.opinion.row import Opinions
from temperament.opinion.situation import Passage, load_passages
from temperament.record import Record, read_lines, write_lines
from temperament.subject.base import Progress, Subject
from temperament.subject.open import OpenSubject
from temperament.trait import Target, other_pole

Kind = Literal["answer", "passage", "reply", "probe"]
# Of a passage: what an edit does to a text shows in its first sentence as in the rest.
PASSAGE_TOKENS = 32
# What passages are answers to. No method trains or chooses with these words (`shape.wording`, `Passage.question`), or
# an edit that learned to stay quiet behind its own question would look harmless.
PASSAGE_QUESTION = "Tell me about {topic}."
# Texts that are read before progress is told.
CHUNK = 32


@dataclass(frozen=True)
class Text:
    """A text to be read as the answer to a question.

    Attributes:
        kind: what it is for.
        id: of its own within its kind, pole and cell.
        topic: what texts cluster by.
        question: that it answers.
        text: the answer.
        pole: that a reference answer shows, such as 'openness:low', or the name of what a probe is; else empty.
    """

    kind: Kind
    id: str
    topic: str
    question: str
    text: str
    pole: str = ""


@dataclass(frozen=True)
class Likelihood:
    """How likely one text was.

    Attributes:
        kind: as of its text; so are ``id``, ``topic`` and ``pole``.
        tokens: of the text that were read; 0 where there is none, or it does not fit into the model's window.
        log_probability: mean over these tokens, in nats; None where there is none, or it is no finite number.
        divergence: mean KL(untouched || edited) over these tokens, in nats, of passages under an edit; else None, and
            where it is no finite number.
    """

    kind: Kind
    id: str
    topic: str
    pole: str
    tokens: int
    log_probability: float | None
    divergence: float | None = None

    @property
    def is_broken(self) -> bool:
        """The text was read, and what the model made of it is no finite number."""
        return self.tokens > 0 and self.log_probability is None


@dataclass(frozen=True)
class Reading:
    """Instrument that gives texts to a subject and keeps how likely it finds them.

    Attributes:
        texts: in order.

    Source: Mitchell et al. 2022, arXiv 2110.11309, section 4 (drawdown as divergence on unrelated text).
    Departs: the mean is over the words of an answer without the end of its turn, so that an edit that learned to end
    early is not charged for them; of a passage the first 32 tokens are read.
    """

    texts: tuple[Text, ...]

    def administer(
        self,
        subject: Subject,
        store: Path | None = None,
        progress: Progress | None = None,
        edit: Edit | None = None,
    ) -> list[Likelihood]:
        """Read all texts.

        Args:
            subject: untouched; the edit is applied and taken away here, because passages are compared with and without.
            store: file of JSON lines that keeps what was found, whole or not at all; one that exists is read instead.
            progress: told how many texts are read, of how many.
            edit: that the texts are read under; None reads with the untouched subject.

        Raises:
            SeamError: the subject's weights are not at hand, so it cannot say how likely a text is.
        """
        if store is not None and store.exists():
            return read_lines(store, Likelihood)
        if not isinstance(subject, OpenSubject):
            raise SeamError(closed_reason(subject))
        found: dict[int, Likelihood] = {}
        order = sorted(range(len(self.texts)), key=lambda at: (self.texts[at].kind, len(self.texts[at].text), at))
        for start in range(0, len(order), CHUNK):
            places = order[start : start + CHUNK]
            some = [self.texts[place] for place in places]
            found.update(zip(places, _read(subject, some, edit), strict=True))
            if progress:
                progress(len(found), len(order))
        rows = [found[place] for place in range(len(self.texts))]
        if store is not None:
            write_lines(store, rows)
        return rows


def closed_reason(subject: Subject) -> str:
    """Why there are no readings of a subject."""
    return (
        f"{subject.name} gives replies and no probabilities: edit success, drawdown and perplexity need a model whose "
        f"weights are at hand."
    )


def answers_of(opinions: Opinions, targets: Iterable[Target], topics: int | None = None) -> tuple[Text, ...]:
    """Reference answers of targets and of their opposite poles: of each pole the first answer on each topic.

    Args:
        opinions: of the split that is asked; an edit is not fitted to these.
        targets: whose poles, and the other poles of their traits, are wanted.
        topics: how many, in order; None is all.
    """
    poles = dict.fromkeys(pole for target in targets for pole in (target, other_pole(target)))
    chosen = set(opinions.topics[:topics])
    first: dict[tuple[str, str], Text] = {}
    for row in opinions:
        if row.topic in chosen and row.target in poles:
            pole = str(row.target)
            first.setdefault((pole, row.topic), Text("answer", row.topic, row.topic, row.question, row.answer, pole))
    return tuple(first.values())


def passages(count: int | None = None, source: Sequence[Passage] | None = None) -> tuple[Text, ...]:
    """Neutral passages as answers to ``PASSAGE_QUESTION``; of those that ship only such as no method reads.

    Args:
        count: how many, in order; None is all.
        source: instead of those that ship.
    """
    rows = load_passages(use="measure") if source is None else tuple(source)
    return tuple(
        Text("passage", row.topic, row.topic, PASSAGE_QUESTION.format(topic=row.topic), row.text)
        for row in rows[:count]
    )


def replies_of(records: Iterable[Record]) -> tuple[Text, ...]:
    """The replies of a cell that have any text, for the untouched model to read."""
    return tuple(
        Text("reply", record.item, record.topic, record.question, record.reply)
        for record in records
        if record.reply is not None and record.reply.strip()
    )


def _read(subject: OpenSubject, texts: Sequence[Text], edit: Edit | None) -> list[Likelihood]:
    """Passages under an edit are compared with the untouched subject, everything else is read once."""
    compared = [place for place, text in enumerate(texts) if text.kind == "passage" and edit is not None]
    rest = [place for place in range(len(texts)) if place not in compared]
    found: dict[int, Likelihood] = {}
    if edit is not None and compared:
        both = divergences(subject, _exchanges(texts, compared), edit, PASSAGE_TOKENS)
        for place, one in zip(compared, both, strict=True):
            found[place] = _likelihood(texts[place], one[1] if one else None, one[0] if one else None)
    for longest in (None, PASSAGE_TOKENS):
        mine = [place for place in rest if (texts[place].kind == "passage") == (longest is not None)]
        read = log_probabilities(subject, _exchanges(texts, mine), edit, longest)
        for place, one in zip(mine, read, strict=True):
            found[place] = _likelihood(texts[place], one)
    return [found[place] for place in range(len(texts))]


def _exchanges(texts: Sequence[Text], places: Iterable[int]) -> list[Exchange]:
    return [Exchange(texts[place].question, texts[place].text) for place in places]


def _likelihood(text: Text, tokens: Tensor | None, divergence: Tensor | None = None) -> Likelihood:
    return Likelihood(
        kind=text.kind,
        id=text.id,
        topic=text.topic,
        pole=text.pole,
        tokens=0 if tokens is None else len(tokens),
        log_probability=_mean(tokens),
        divergence=_mean(divergence),
    )


def _mean(values: Tensor | None) -> float | None:
    """A mean that JSON can hold; of what an edit broke there is none, and `Likelihood.is_broken` says so."""
    mean = math.nan if values is None else float(values.double().mean())
    return round(mean, 6) if math.isfinite(mean) else None
