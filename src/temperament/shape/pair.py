"""Answers of both poles to the same question."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from temperament.opinion.row import Opinion, Opinions
from temperament.opinion.topic import answer_key, topic_key
from temperament.shape.protocol import rows_showing
from temperament.trait import Target, other_pole


@dataclass(frozen=True)
class Pair:
    """Two answers on a topic, to the same question where the opinions have that.

    Attributes:
        shown: shows the target.
        other: shows the other pole of its trait.
    """

    shown: Opinion
    other: Opinion

    @property
    def topic(self) -> str:
        """What pairs cluster by."""
        return topic_key(self.shown.topic)

    def turned(self) -> "Pair":
        """The pair seen from the other pole."""
        return Pair(self.other, self.shown)


def pairs_of(opinions: Opinions, target: Target) -> list[Pair]:
    """Pairs in the order of the opinions, each pair of answers once.

    Answers meet by their question; on a topic whose poles share no question they meet in their order.

    Raises:
        RequestError: no opinion shows the target, or none the other pole.
    """
    others: defaultdict[str, list[Opinion]] = defaultdict(list)
    for row in rows_showing(opinions, other_pole(target)):
        others[topic_key(row.topic)].append(row)
    shown: defaultdict[str, list[Opinion]] = defaultdict(list)
    for row in rows_showing(opinions, target):
        shown[topic_key(row.topic)].append(row)
    found: dict[tuple[str, str, str], Pair] = {}
    for topic, rows in shown.items():
        for pair in _matched(rows, others[topic]):
            found.setdefault((topic, answer_key(pair.shown.answer), answer_key(pair.other.answer)), pair)
    return list(found.values())


def drawn(pairs: Sequence[Pair], count: int, seed: int) -> list[Pair]:
    """At most ``count`` pairs, on as many topics as there are: no topic has a second one before all have a first."""
    by_topic: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_topic[pair.topic].append(pair)
    chance = random.Random(seed)
    turns: list[tuple[int, float, Pair]] = []
    for topic in sorted(by_topic):
        place = chance.random()
        rows = by_topic[topic]
        chance.shuffle(rows)
        turns += [(turn, place, row) for turn, row in enumerate(rows)]
    turns.sort(key=lambda entry: entry[:2])
    return [pair for _, _, pair in turns[:count]]


def _matched(shown: Sequence[Opinion], others: Sequence[Opinion]) -> list[Pair]:
    left: defaultdict[str, list[Opinion]] = defaultdict(list)
    for row in others:
        left[row.question].append(row)
    pairs = [Pair(row, left[row.question].pop(0)) for row in shown if left[row.question]]
    return pairs or [Pair(row, other) for row, other in zip(shown, others, strict=False)]
