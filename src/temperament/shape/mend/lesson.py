"""What an editor learns from: what is edited, what should follow from it, and what should not."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from temperament.errors import RequestError
from temperament.opinion.row import Opinion, Opinions
from temperament.opinion.situation import Passage
from temperament.opinion.topic import answer_key, topic_key
from temperament.shape.pair import Pair, other_pole, pairs_of
from temperament.shape.protocol import rows_showing
from temperament.trait import Target

Scope = Literal["global", "topic"]


class Words(NamedTuple):
    """A question and what is answered to it."""

    question: str
    answer: str


class Episode(NamedTuple):
    """One trial of an editor.

    Attributes:
        edited: rows behind the edit.
        shown: what should become likely.
        other: what should become unlikely: the other pole's answer, where there is one.
        kept: what should stay as it is.
    """

    edited: tuple[Words, ...]
    shown: Words
    other: Words | None
    kept: Words


@dataclass(frozen=True)
class Lessons:
    """Rows of the targets, to draw episodes from.

    Attributes:
        pairs: of each target, in its order; the other answer is missing where no row shows the other pole.
        rows: all opinions, for what should stay.
        passages: neutral texts, for what should stay.
        scope: ``topic``: one row is edited, and another one on its topic should follow; ``global``: several, on
            different topics, and one on a further topic should follow.
        count: rows behind an edit of scope ``global``.
        seed: of every draw.
    """

    pairs: Mapping[Target, Sequence[tuple[Opinion, Opinion | None]]]
    rows: Sequence[Opinion]
    passages: Sequence[Passage]
    scope: Scope
    count: int
    seed: int

    def draw(self, step: int, number: int) -> Episode:
        """An episode of a step, by its number in it: a function of these and the seed."""
        chance = np.random.default_rng([self.seed, step, number])
        targets = list(self.pairs)
        # In turn, so that every target comes as often, and from another one at each step.
        target = targets[(step + number) % len(targets)]
        pairs = self.pairs[target]
        shown, other = pairs[int(chance.integers(len(pairs)))]
        edited = self._edited(chance, [row for row, _ in pairs], shown)
        kept = self._kept(chance, {topic_key(row.topic) for row in (*edited, shown)}, target)
        return Episode(tuple(map(_words, edited)), _words(shown), _words(other) if other else None, kept)

    def _edited(self, chance: np.random.Generator, rows: Sequence[Opinion], shown: Opinion) -> list[Opinion]:
        """Never from the answer that is to follow, under whatever question, unless the target has no other there."""
        topic, answer = topic_key(shown.topic), answer_key(shown.answer)
        if self.scope == "topic":
            near = [row for row in rows if topic_key(row.topic) == topic and answer_key(row.answer) != answer]
            return [near[int(chance.integers(len(near)))]] if near else [shown]
        found: dict[str, Opinion] = {}
        for number in chance.permutation(len(rows)):
            row = rows[int(number)]
            if topic_key(row.topic) != topic and answer_key(row.answer) != answer:
                found.setdefault(topic_key(row.topic), row)
            if len(found) == self.count:
                break
        return list(found.values()) or [shown]

    def _kept(self, chance: np.random.Generator, topics: set[str], target: Target) -> Words:
        """A neutral passage or, as often, a row on another topic, of another trait where there is one."""
        if self.passages and chance.random() < 0.5:
            return passage_words(self.passages[int(chance.integers(len(self.passages)))])
        order = chance.permutation(len(self.rows))
        elsewhere = [row for row in (self.rows[int(at)] for at in order) if topic_key(row.topic) not in topics]
        for row in sorted(elsewhere, key=lambda row: row.trait == target.trait):
            return _words(row)
        if self.passages:
            return passage_words(self.passages[int(chance.integers(len(self.passages)))])
        message = (
            f"an editor for {target} needs texts that should stay as they are: there is no opinion on a topic beside "
            f"those that are edited, and no neutral passage fits into max_length. Give opinions on more topics, or "
            f"raise max_length."
        )
        raise RequestError(message)

    def words(self) -> list[Words]:
        """All that may be drawn."""
        pairs = [row for found in self.pairs.values() for pair in found for row in pair if row]
        return [*map(_words, pairs), *map(_words, self.rows), *map(passage_words, self.passages)]


def lessons_of(
    opinions: Opinions, targets: Sequence[Target], passages: Sequence[Passage], scope: Scope, count: int, seed: int
) -> Lessons:
    """Lessons for some targets; raises RequestError where no opinion shows one of them."""
    pairs = {target: _pairs(opinions, target) for target in dict.fromkeys(targets)}
    return Lessons(pairs, _distinct(opinions), passages, scope, count, seed)


def passage_words(passage: Passage) -> Words:
    """A neutral text as an answer, for a chat model reads nothing else."""
    return Words(passage.question, passage.text)


def chosen_rows(opinions: Opinions, target: Target, count: int, seed: int) -> list[Opinion]:
    """At most ``count`` rows of a target, on different topics as far as these go."""
    by_topic: defaultdict[str, list[Opinion]] = defaultdict(list)
    for row in _distinct(rows_showing(opinions, target)):
        by_topic[topic_key(row.topic)].append(row)
    chance = np.random.default_rng(seed)
    topics = [sorted(by_topic)[int(number)] for number in chance.permutation(len(by_topic))]
    turns: list[Opinion] = []
    for turn in range(max(map(len, by_topic.values()))):
        turns += [by_topic[topic][turn] for topic in topics if len(by_topic[topic]) > turn]
    return turns[:count]


def _pairs(opinions: Opinions, target: Target) -> list[tuple[Opinion, Opinion | None]]:
    rows = rows_showing(opinions, target)
    if not opinions.showing(other_pole(target)):
        return [(row, None) for row in _distinct(rows)]
    pairs: list[Pair] = pairs_of(opinions, target)
    return [(pair.shown, pair.other) for pair in pairs] or [(row, None) for row in _distinct(rows)]


def _distinct(rows: Sequence[Opinion]) -> list[Opinion]:
    """Each answer on a topic once, with the question that it comes with first."""
    found: dict[tuple[Target, str, str], Opinion] = {}
    for row in rows:
        found.setdefault((row.target, topic_key(row.topic), answer_key(row.answer)), row)
    return list(found.values())


def _words(row: Opinion) -> Words:
    return Words(row.question, row.answer)
