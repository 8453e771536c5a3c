"""Whether what a witness names matters: the trait score of answers without the tokens that were named."""

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from temperament.errors import WorkError
from temperament.explain.testimony_token import Token, key_of, symbols_in, tidied, tokens_in, without
from temperament.measure.alignment import PoleReader
from temperament.measure.classifier import check_learned
from temperament.stats import Estimate, average, share
from temperament.trait import Target

# The trait score of each text: higher is more of the target.
Score = Callable[[list[str]], Sequence[float]]
# A model of texts reads a text without an emoji otherwise than one without a word, whatever either says.
Kind = Literal["emoji", "symbol", "content word", "function word"]


@dataclass(frozen=True)
class Naming:
    """What a witness named in one answer.

    Attributes:
        topic: of the answer.
        answer: as it was given, not as a witness may have seen it.
        named: as the witness wrote it.
    """

    topic: str
    answer: str
    named: tuple[str, ...]


@dataclass(frozen=True)
class Removal:
    """What becomes of the trait score without tokens.

    Attributes:
        fall: by how much it falls when a named token goes.
        fall_other: the same of other tokens of the same answers, as many of each kind.
        agreement: the chance that it falls further for a named token than for another one of the same answer and kind;
            0.5 is what a witness reaches who does not know. 0, always less, to 1, always further.
    """

    fall: Estimate
    fall_other: Estimate
    agreement: Estimate


@dataclass(frozen=True)
class _Comparison:
    """Keys of an answer that are taken away, one at a time: named ones and as many others, by what they are like."""

    naming: Naming
    by_kind: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]

    @property
    def keys(self) -> list[str]:
        return [key for both in self.by_kind for keys in both for key in keys]


def target_probability(reader: PoleReader, target: Target) -> Score:
    """The probability that a classifier gives to the target's pole, from 0 to 1.

    Raises:
        RequestError: the classifier does not know the target.
    """
    check_learned(target, reader.labels)
    place = list(reader.labels).index(str(target))

    def score(texts: list[str]) -> list[float]:
        return [float(row[place]) for row in reader.probabilities(texts)]

    return score


def removals(namings: Sequence[Sequence[Naming]], score: Score, seed: int = 0) -> list[Removal]:
    """Take tokens out of answers one at a time, all places of a token at once, and score what is left.

    To every named token another one of the same answer and kind is drawn that the witness did not name: to an emoji an
    emoji, or else a symbol that is none; to a function word a function word; to a word that says something another such
    word. One that stands there about as often is taken, because what is repeated weighs more. A named token that has no
    such other is left out. The area under the curve of an answer, over its pairs of one kind, is one observation of the
    agreement, with topics as clusters.

    Args:
        namings: of each witness; tokens that the answer does not have are passed over.
        score: of texts; asked once for all of them.
        seed: of the draws.

    Returns:
        Of each witness, in order; figures without a value where nothing could be removed.

    Raises:
        WorkError: the score gives a number that is not finite, or not one a text.
    """
    plans = [[_comparison(naming, seed) for naming in each] for each in namings]
    texts: dict[str, float] = {}
    for plan in plans:
        for each in plan:
            for key in each.keys:
                texts.setdefault(tidied(each.naming.answer), 0.0)
                texts.setdefault(without(each.naming.answer, key), 0.0)
    scores = dict(zip(texts, _scored(list(texts), score), strict=True))
    return [_removal(plan, scores, seed) for plan in plans]


def _scored(texts: list[str], score: Score) -> Sequence[float]:
    found = score(texts) if texts else []
    if len(found) != len(texts) or not all(math.isfinite(value) for value in found):
        message = (
            f"the score of {len(texts)} texts came back as {len(found)} numbers, and all have to be there and finite: "
            f"mend the score that the lens was given."
        )
        raise WorkError(message)
    return found


def _comparison(naming: Naming, seed: int) -> _Comparison:
    counts = Counter(token.key for token in (*tokens_in(naming.answer), *symbols_in(naming.answer)))
    kinds = _kinds(naming.answer)
    keys = {key_of(token) for token in naming.named}
    named = [key for key in kinds if key in keys]
    free = [key for key in kinds if key not in keys]
    # Where there are too few others, chance says which named ones have one.
    chance = random.Random(f"{seed} {naming.answer}")
    chance.shuffle(named)
    chance.shuffle(free)
    pairs: list[tuple[str, str]] = []
    for key in named:
        like = [other for other in free if kinds[other] == kinds[key]]
        if not like and kinds[key] == "emoji":
            like = [other for other in free if kinds[other] == "symbol"]
        if like:
            nearest = min(like, key=lambda other: abs(counts[other] - counts[key]))
            free.remove(nearest)
            pairs.append((key, nearest))
    by_kind = [[pair for pair in pairs if kinds[pair[0]] == kind] for kind in dict.fromkeys(kinds.values())]
    return _Comparison(
        naming, tuple((tuple(key for key, _ in some), tuple(other for _, other in some)) for some in by_kind if some)
    )


def _kinds(answer: str) -> dict[str, Kind]:
    """What each token of an answer is, by key; none where an answer without it would be no answer."""
    tokens = {token.key: token for token in tokens_in(answer)}
    if len(tokens) < 2:
        return {}
    found: dict[str, Kind] = {token.key: "symbol" for token in symbols_in(answer)}
    found.update((key, _kind(token)) for key, token in tokens.items())
    return found


def _kind(token: Token) -> Kind:
    if token.is_emoji:
        return "emoji"
    return "content word" if token.is_content else "function word"


def _removal(plan: Sequence[_Comparison], scores: Mapping[str, float], seed: int) -> Removal:
    named: list[tuple[float, str]] = []
    other: list[tuple[float, str]] = []
    areas: list[tuple[float, str]] = []
    for each in plan:
        topic, answer = each.naming.topic, each.naming.answer
        whole = scores[tidied(answer)] if each.by_kind else 0.0
        wins, pairs = 0.0, 0
        for both in each.by_kind:
            falls, rest = ([whole - scores[without(answer, key)] for key in keys] for keys in both)
            named += [(fall, topic) for fall in falls]
            other += [(fall, topic) for fall in rest]
            wins += area_under_curve(falls, rest) * len(falls) * len(rest)
            pairs += len(falls) * len(rest)
        if pairs:
            areas.append((wins / pairs, topic))
    return Removal(_average(named, seed), _average(other, seed), _bounded(areas, seed))


def area_under_curve(higher: Sequence[float], lower: Sequence[float]) -> float:
    """The share of pairs in which the first is larger; a tie is half. The area under the curve of ranks."""
    wins = sum((one > other) + 0.5 * (one == other) for one in higher for other in lower)
    return wins / (len(higher) * len(lower))


def _average(values: Sequence[tuple[float, str]], seed: int) -> Estimate:
    return average([value for value, _ in values], [topic for _, topic in values], seed)


def _bounded(values: Sequence[tuple[float, str]], seed: int) -> Estimate:
    """The mean of numbers from 0 to 1; where all are equal the spread is that of a share."""
    found = _average(values, seed)
    if found.lower is None or found.upper is None:
        return share([value for value, _ in values], [topic for _, topic in values])
    return Estimate(found.value, max(0.0, found.lower), min(1.0, found.upper), found.n)
