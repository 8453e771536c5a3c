"""The instrument: texts on scales, rated by a judge and kept row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal, TypeVar

from temperament.errors import MismatchError
from temperament.measure.judge.base import Judge
from temperament.measure.judge.scale import DIRECTIONS, Direction, Prompt, Scale, Wording, along
from temperament.measure.judge.verdict import REASONS, Reason, Verdict
from temperament.measure.length import words
from temperament.opinion.row import Opinions
from temperament.record import Record, read_lines, write_lines
from temperament.subject.base import Progress
from temperament.subject.cost import Cost
from temperament.trait import Pole, Target

Kind = Literal["reply", "reference", "labelled"]
Entry = TypeVar("Entry")
View = tuple[Scale, Direction, Wording]
NOTHING = Verdict(None, reason="nothing_to_judge", detail=REASONS["nothing_to_judge"])


@dataclass(frozen=True)
class JudgedText:
    """A text to be rated.

    Attributes:
        kind: a cell's reply, the answer that Opinion QA has, or a labelled answer that tries the judge.
        id: of its own within its kind; of a reply and a reference the item.
        topic: what texts cluster by.
        question: that it answers.
        text: None where there is none.
        shows: the pole that it is known to show, as 'openness:high'; else empty. The judge is not told.
    """

    kind: Kind
    id: str
    topic: str
    question: str
    text: str | None
    shows: str = ""


@dataclass(frozen=True)
class Rating:
    """One rating: a text on a scale in one direction.

    Attributes:
        kind: as of its text; so are ``id``, ``topic`` and ``shows``.
        words: of the text.
        trait: as of its scale; so are ``pole`` and ``adjective``.
        direction: in which the scale was shown.
        wording: of the request.
        rating: 1, low pole or not at all, to 5, whatever the direction; None where there is none, see ``reason``.
        said: as of its verdict, raw; so are all others.
        judge: name of the model.
    """

    kind: Kind
    id: str
    topic: str
    shows: str
    words: int
    trait: str
    pole: Pole | None
    adjective: str
    direction: Direction
    wording: Wording
    rating: float | None
    said: str | None
    probabilities: tuple[float, ...] | None
    outside: float | None
    reason: Reason
    detail: str
    prompt_tokens: int
    completion_tokens: int
    is_estimated: bool
    is_cached: bool
    judge: str

    @property
    def scale(self) -> Scale:
        """What was asked."""
        return Scale(self.trait, self.pole, self.adjective)


@dataclass(frozen=True)
class Judging:
    """Instrument that has every text rated on every scale that it goes with.

    A reply goes with all scales, a reference answer with the adjectives of the pole that it shows, and a labelled
    answer with the scales of its trait.

    Attributes:
        texts: in order.
        scales: in order.
        directions: in which each scale is shown.
        wordings: in which each is asked.
    """

    texts: tuple[JudgedText, ...]
    scales: tuple[Scale, ...]
    directions: tuple[Direction, ...] = DIRECTIONS
    wordings: tuple[Wording, ...] = ("first",)

    def administer(self, judge: Judge, store: Path | None = None, progress: Progress | None = None) -> list[Rating]:
        """Have all texts rated; one without a reply, or with a blank one, gets rows that say so.

        Args:
            judge: rates; what it said before costs nothing.
            store: file of JSON lines that keeps the ratings, whole or not at all; one that exists is read instead.
            progress: told how many ratings there are, of how many.

        Raises:
            MismatchError: the store holds other texts or scales, or another judge's ratings.
            EndpointError: a server stays unavailable; what it said until then is in the judge's cache.
        """
        if store is not None and store.exists():
            rows = read_lines(store, Rating)
            self._check(rows, judge, store)
            return rows
        asked = self._asked()
        prompts = [_prompt(text, view) for text, view in asked if _has_words(text)]
        verdicts = iter(judge.verdicts(prompts, progress))
        rows = [_row(text, view, next(verdicts) if _has_words(text) else NOTHING, judge) for text, view in asked]
        if store is not None:
            write_lines(store, rows)
        return rows

    def _asked(self) -> list[tuple[JudgedText, View]]:
        """Every text under every view, by view, so that prompts that begin alike stand together."""
        views = product(self.scales, self.directions, self.wordings)
        return [(text, view) for view in views for text in self.texts if _goes_with(text, view[0])]

    def _check(self, rows: Sequence[Rating], judge: Judge, store: Path) -> None:
        wanted = [(text.kind, text.id, text.shows, *view, judge.name) for text, view in self._asked()]
        found = [(row.kind, row.id, row.shows, row.scale, row.direction, row.wording, row.judge) for row in rows]
        if wanted != found:
            message = (
                f"{store} holds ratings of other texts, on other scales or by another judge than {judge.name}: use "
                f"another store, or remove the file to ask again."
            )
            raise MismatchError(message)


def reply_texts(records: Sequence[Record], count: int | None = None) -> tuple[JudgedText, ...]:
    """Replies of a cell, spread evenly over its records: the same items in every cell of a study.

    Args:
        records: of all items, in order.
        count: how many; None is all.
    """
    return tuple(
        JudgedText("reply", record.item, record.topic, record.question, record.reply)
        for record in spread(records, count)
    )


def reference_texts(
    opinions: Opinions, records: Sequence[Record], target: Target, count: int | None = None
) -> tuple[JudgedText, ...]:
    """For the items of `reply_texts` the answers of Opinion QA that show a target.

    To the same question where there is one, else the first one on the topic; items on whose topic there is none are
    left out.

    Args:
        opinions: of the split that was asked.
        records: of all items, in order.
        target: that the answers show.
        count: as for `reply_texts`.
    """
    mine = opinions.showing(target)
    exact: dict[tuple[str, str], str] = {}
    near: dict[str, str] = {}
    for row in mine:
        exact.setdefault((row.topic, row.question), row.answer)
        near.setdefault(row.topic, row.answer)
    found = [
        (record, exact.get((record.topic, record.question)) or near.get(record.topic))
        for record in spread(records, count)
    ]
    return tuple(
        JudgedText("reference", record.item, record.topic, record.question, answer, str(target))
        for record, answer in found
        if answer is not None
    )


def spread(entries: Sequence[Entry], count: int | None) -> list[Entry]:
    """So many entries at even distances; all where there are no more."""
    if count is None or count >= len(entries):
        return list(entries)
    return [entries[number * len(entries) // count] for number in range(count)]


def cost_of(rows: Sequence[Rating]) -> Cost:
    """What ratings have cost, where nobody had given them before."""
    asked = [row for row in rows if row.reason not in ("nothing_to_judge", "too_long")]
    fresh = [row for row in asked if not row.is_cached]
    return Cost(
        calls=len(fresh),
        prompt_tokens=sum(row.prompt_tokens for row in fresh),
        completion_tokens=sum(row.completion_tokens for row in fresh),
        estimated_calls=sum(row.is_estimated for row in fresh),
        cached_calls=len(asked) - len(fresh),
    )


def _goes_with(text: JudgedText, scale: Scale) -> bool:
    if text.kind == "reply":
        return True
    trait, _, pole = text.shows.partition(":")
    return scale.trait == trait and (text.kind == "labelled" or scale.pole == pole)


def _has_words(text: JudgedText) -> bool:
    return bool((text.text or "").strip())


def _prompt(text: JudgedText, view: View) -> Prompt:
    scale, direction, wording = view
    return scale.prompt(text.question, text.text or "", direction, wording)


def _row(text: JudgedText, view: View, verdict: Verdict, judge: Judge) -> Rating:
    scale, direction, wording = view
    return Rating(
        kind=text.kind,
        id=text.id,
        topic=text.topic,
        shows=text.shows,
        words=words(text.text or ""),
        trait=scale.trait,
        pole=scale.pole,
        adjective=scale.adjective,
        direction=direction,
        wording=wording,
        rating=None if verdict.value is None else round(along(verdict.value, direction), 6),
        said=verdict.said,
        probabilities=verdict.probabilities,
        outside=verdict.outside,
        reason=verdict.reason,
        detail=verdict.detail,
        prompt_tokens=verdict.prompt_tokens,
        completion_tokens=verdict.completion_tokens,
        is_estimated=verdict.is_estimated,
        is_cached=verdict.is_cached,
        judge=judge.name,
    )
