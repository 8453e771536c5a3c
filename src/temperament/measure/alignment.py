"""Trait alignment: the share of replies in which a classifier sees the target, and how far an edit moved them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, runtime_checkable

import numpy as np

from temperament.errors import RequestError
from temperament.measure.card import Flags
from temperament.measure.classifier import TraitClassifier, check_learned
from temperament.measure.doubt import UNSURE
from temperament.measure.emoji import without_emoji
from temperament.measure.pole import Probabilities, trait_probabilities, traits_of
from temperament.measure.protocol import Measurement, Score
from temperament.opinion.row import load_opinions
from temperament.record import Record
from temperament.stats import Estimate, paired_difference, share
from temperament.subject.base import Reply
from temperament.trait import Target

# Below it a probability says only that the pole is far away.
LEAST_PROBABILITY = 1e-6


@runtime_checkable
class PoleReader(Protocol):
    """Reads poles from texts, as `TraitClassifier` does; a user's own classifier fits."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The poles that it tells apart, such as 'openness:low', those of a trait side by side."""
        ...

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """The probability of each pole, [text, pole] in the order of ``labels``; each row sums to 1."""
        ...


@runtime_checkable
class DoubtfulReader(PoleReader, Protocol):
    """A reader that can be unsure."""

    def unsure(self, texts: Sequence[str]) -> Flags | None:
        """Whether each text carries no trait that could be read, [text]; None where it is never unsure."""
        ...


@dataclass(frozen=True)
class TraitAlignment:
    """Scorer of traits, on replies as written and with emojis removed.

    ``trait_alignment`` is the share of replies that read as the target, their most probable pole: chance is one by
    the number of poles that the classifier knows, 10 % for the Big Five, or less, because a reply of which the
    classifier is unsure reads as no pole and is not aligned. ``trait_alignment_5`` is the share whose most probable
    trait is the target's: 20 % for the Big Five, hence the name. Both come with ``_without_emoji``.
    ``unsure_share`` is the share of which it is unsure, where it can be, and ``trait_alignment_forced`` counts
    these by their most probable pole. ``pole_share`` and ``trait_share`` are the shares of every pole and every
    trait, the row of the confusion matrix, of all replies: with ``unsure_share`` they sum to 1. A reply that is
    blank, or blank without its emojis, is left unscored.

    Attributes:
        classifier: reads the replies; a text is embedded once.
        is_forced: every reply reads as its most probable pole, as in the paper, whose classifier is never unsure.

    Source: Jain et al., arXiv 2409.10245 (trait alignment among five traits).
    Departs: replies without a trait count as not aligned, instead of as what they resemble most.
    """

    classifier: PoleReader
    name: str = "alignment"
    is_forced: bool = False

    def read(self, records: Sequence[Record]) -> list[Score | None]:
        """Scores of each record; None for a record without a reply.

        ``label`` is what it reads as: the most probable pole, or 'unsure', and ``trait`` the most probable trait, or
        'unsure'. ``most_probable`` is that pole in either case, ``probability`` its probability, and ``probabilities``
        those of all poles; ``label_without_emoji`` and ``trait_without_emoji`` leave emojis out. A blank text has None
        for each.
        """
        written = [record.reply for record in records if record.reply is not None]
        bare = [without_emoji(text) for text in written]
        judged = self._judged([*written, *bare])
        scores = iter(zip(judged[: len(written)], judged[len(written) :], strict=True))
        return [None if record.reply is None else _score(*next(scores)) for record in records]

    def measure(self, records: Sequence[Record], target: Target) -> list[Measurement]:
        """All metrics, with topics as clusters; the target decides what counts as aligned.

        Raises:
            RequestError: the classifier does not know the target.
        """
        check_learned(target, self.classifier.labels)
        scored = [
            (record.topic, score)
            for record, score in zip(records, self.read(records), strict=True)
            if score is not None
        ]
        found = [
            Measurement("trait_alignment", _share(scored, "label", str(target))),
            Measurement("trait_alignment_5", _share(scored, "trait", target.trait)),
            Measurement("trait_alignment_without_emoji", _share(scored, "label_without_emoji", str(target))),
            Measurement("trait_alignment_5_without_emoji", _share(scored, "trait_without_emoji", target.trait)),
        ]
        if _doubts(self.classifier, [], is_forced=self.is_forced) is not None:
            found.append(Measurement("unsure_share", _share(scored, "label", UNSURE)))
            found.append(Measurement("trait_alignment_forced", _share(scored, "most_probable", str(target))))
        found += [
            Measurement("pole_share", _share(scored, "label", str(each)), each.trait, each.pole)
            for each in map(Target.parse, self.classifier.labels)
        ]
        found += [
            Measurement("trait_share", _share(scored, "trait", trait), trait)
            for trait in traits_of(self.classifier.labels)
        ]
        return found

    def _judged(self, texts: Sequence[str]) -> list[Score | None]:
        """Label, trait and probabilities of each text; None for a blank one."""
        filled = [text for text in texts if text.strip()]
        judged = iter(_judgements(self.classifier, filled, is_forced=self.is_forced))
        return [next(judged) if text.strip() else None for text in texts]


def alignment(
    replies: Sequence[Reply | str],
    target: Target,
    classifier: PoleReader | None = None,
    topics: Sequence[str] | None = None,
    *,
    is_forced: bool = False,
) -> Estimate:
    """The share of replies that read as the target; chance among the ten poles of the Big Five is 10 % or less.

    A reply of which the classifier is unsure is not aligned. Missing and blank replies are left out.

    Args:
        replies: of a subject, or texts.
        target: the trait and pole that were meant.
        classifier: without one, a classifier of the shipped opinions is fitted, once a process.
        topics: of the replies; without them each reply stands for itself, which makes the interval too narrow where
            several replies are on one topic.
        is_forced: every reply reads as its most probable pole.

    Raises:
        RequestError: there are not as many topics as replies, or the classifier does not know the target.
        InstallError: the default classifier's embedder is not installed.
    """
    if topics is not None and len(topics) != len(replies):
        message = f"each of the {len(replies)} replies needs a topic: got {len(topics)} topics."
        raise RequestError(message)
    texts = [reply if isinstance(reply, str) else reply.text for reply in replies]
    kept = [(place, text) for place, text in enumerate(texts) if text is not None and text.strip()]
    if not kept:
        return share([])
    reader = classifier or default_classifier()
    check_learned(target, reader.labels)
    found = _judgements(reader, [text for _, text in kept], is_forced=is_forced)
    hits = [score["label"] == str(target) for score in found]
    return share(hits, None if topics is None else [topics[place] for place, _ in kept])


def tpei(
    before: Sequence[Score | None], after: Sequence[Score | None], target: Target, topics: Sequence[str] | None = None
) -> Estimate:
    """How far an edit moved replies towards the target: by how much less they surprise a classifier that expects it.

    The mean over items of CE(classifier(before), target) - CE(classifier(after), target), where the cross-entropy is
    -log of the probability of the target's pole, in nats: above 0 the replies moved towards the target. A probability
    below one in a million counts as that, so that no single reply decides. Whether the classifier is unsure plays no
    part: the probabilities are those of the poles. Items without a scored reply on either side are left out.

    Args:
        before: scores of `TraitAlignment` for the untouched model, one an item.
        after: those for the shaped model, of the same items in the same order.
        target: that was meant.
        topics: of the items; None where each stands for itself.

    Raises:
        RequestError: the scores are not of equally many items, or the classifier does not know the target.

    Source: Mao et al., arXiv 2310.02168 (target personality edit index).
    Departs: among the poles that the classifier knows, ten for the Big Five, instead of among three traits.
    """
    if len(before) != len(after) or (topics is not None and len(topics) != len(before)):
        message = f"the index is of pairs: got scores of {len(before)} items before and of {len(after)} after."
        raise RequestError(message)
    pairs = [
        (log_probability(one, target), log_probability(other, target)) for one, other in zip(before, after, strict=True)
    ]
    kept = [(place, one, other) for place, (one, other) in enumerate(pairs) if one is not None and other is not None]
    clusters = None if topics is None else [topics[place] for place, _, _ in kept]
    return paired_difference([one for _, one, _ in kept], [other for _, _, other in kept], clusters)


def log_probability(score: Score | None, target: Target) -> float | None:
    """The logarithm of the probability of a target's pole, in nats; None for a reply that was not scored.

    Raises:
        RequestError: the classifier does not know the target.
    """
    if score is None or score["probabilities"] is None:
        return None
    check_learned(target, tuple(score["probabilities"]))
    return math.log(max(score["probabilities"][str(target)], LEAST_PROBABILITY))


@cache
def default_classifier() -> TraitClassifier:
    """The classifier that ships, loaded once a process."""
    from temperament.measure.stock import trait_classifier

    return trait_classifier(load_opinions())


def _judgements(classifier: PoleReader, texts: Sequence[str], *, is_forced: bool) -> list[Score]:
    if not texts:
        return []
    found, labels = classifier.probabilities(texts), classifier.labels
    traits = trait_probabilities(found, labels).argmax(axis=1)
    unsure = _doubts(classifier, texts, is_forced=is_forced)
    scores: list[Score] = []
    for place, (row, trait) in enumerate(zip(found, traits, strict=True)):
        best = labels[int(np.argmax(row))]
        is_unsure = unsure is not None and bool(unsure[place])
        scores.append(
            {
                "label": UNSURE if is_unsure else best,
                "most_probable": best,
                "probability": float(row.max()),
                "trait": UNSURE if is_unsure else traits_of(labels)[trait],
                "probabilities": dict(zip(labels, row.tolist(), strict=True)),
            }
        )
    return scores


def _doubts(classifier: PoleReader, texts: Sequence[str], *, is_forced: bool) -> Flags | None:
    """Of which texts a classifier is unsure; None where it cannot be, or must not."""
    if is_forced or not isinstance(classifier, DoubtfulReader):
        return None
    return classifier.unsure(texts)


_UNSCORED: dict[str, Any] = {
    "label": None,
    "most_probable": None,
    "probability": None,
    "trait": None,
    "probabilities": None,
}


def _score(written: Score | None, bare: Score | None) -> Score:
    blind = bare or _UNSCORED
    return {**(written or _UNSCORED), "label_without_emoji": blind["label"], "trait_without_emoji": blind["trait"]}


def _share(scored: Sequence[tuple[str, Score]], key: str, wanted: str) -> Estimate:
    known = [(topic, score[key]) for topic, score in scored if score[key] is not None]
    return share([found == wanted for _, found in known], [topic for topic, _ in known])
