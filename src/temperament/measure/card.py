"""How far a trait classifier can be trusted: on answers that it has not seen, and on texts that show no trait."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from temperament.measure.emoji import emojis, without_emoji
from temperament.measure.pole import (
    Codes,
    Probabilities,
    shown_codes,
    trait_codes,
    trait_probabilities,
    traits_of,
)
from temperament.measure.traitless import Traitless
from temperament.opinion.row import Opinion
from temperament.stats import Estimate, average, share

BINS = 10
# Put at the end of answers, one drawn for each: faces glad, sad, cross and thinking, hearts, hands and things.
ADDED = (
    *("\U0001f600", "\U0001f60a", "\U0001f602", "\U0001f622", "\U0001f621", "\U0001f914"),
    *("\u2764\ufe0f", "\U0001f44d", "\U0001f389", "\U0001f31f"),
)
ADDED_TO, REMOVED_FROM = "answers, an emoji added at the end", "answers with emojis, all removed"

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Bin:
    """Answers of which the classifier was about equally certain.

    Attributes:
        lower: probability of the recognised pole, from here.
        upper: to here; the last bin has its end, the others do not.
        answers: how many.
        certainty: mean probability of the recognised pole; None without an answer.
        right: how often it was right; calibrated is as often as it is certain.
    """

    lower: float
    upper: float
    answers: int
    certainty: float | None
    right: Estimate


@dataclass(frozen=True)
class Assessment:
    """How often the classifier is right on topics that it has not seen.

    Attributes:
        rows: where the answers come from: a split, and whether by cross-validation.
        answers: how many.
        topics: on how many topics; they are the clusters of the intervals.
        poles: accuracy among the poles that were learned, the most probable one taken of every answer.
        traits: accuracy among their traits, the poles of a trait summed.
        by_pole: of the answers that show a pole, the share that is recognised among all poles.
        by_trait: of the answers that show a trait, the share that is recognised among all traits.
        confusion: counts of answers, by shown and by recognised pole.
        calibration_error: mean distance between the probability of the recognised pole and how often it is right, over
            ten bins of equal width; 0 is best.
        log_loss: mean of -log(probability of the shown pole); a guess among ten poles has log(10) = 2.30.
        calibration: these bins, from the lowest.
        sure: the share of answers of which it is sure, as it should be of all; None where it cannot be unsure.
        sure_by_pole: the same of the answers that show a pole.
        poles_sure: accuracy among the poles where it is sure; None where it cannot be unsure.
        traits_sure: accuracy among the traits where it is sure; None where it cannot be unsure.
    """

    rows: str
    answers: int
    topics: int
    poles: Estimate
    traits: Estimate
    by_pole: dict[str, Estimate]
    by_trait: dict[str, Estimate]
    confusion: dict[str, dict[str, int]]
    calibration_error: float
    log_loss: float
    calibration: tuple[Bin, ...] = ()
    sure: Estimate | None = None
    sure_by_pole: dict[str, Estimate] = field(default_factory=dict[str, Estimate])
    poles_sure: Estimate | None = None
    traits_sure: Estimate | None = None


@dataclass(frozen=True)
class Behaviour:
    """What the classifier makes of texts that show no trait.

    Attributes:
        texts: what they are.
        is_learned: others of this kind were learned from as texts without a trait.
        unsure: the share that it is unsure of, as it should be of all.
        unsure_of_new: of the texts of this kind that were learned from, the share that it would be unsure of if none of
            the kind had been; None where that is not known.
        certainty: mean probability of the most probable pole, whether it is unsure or not.
        read_as: how often each pole is seen in a text that it is sure of, the most frequent first; poles never seen are
            left out.
    """

    texts: str
    is_learned: bool
    unsure: Estimate
    unsure_of_new: Estimate | None
    certainty: Estimate
    read_as: dict[str, int]


@dataclass(frozen=True)
class EmojiEffect:
    """What emojis alone do to readings: the same answers, with and without.

    Attributes:
        texts: what was done to them.
        changed: the share whose reading changes, to or from being unsure included.
        changed_pole: the share whose most probable pole changes.
        unsure_before: the share that it is unsure of, as written.
        unsure_after: and afterwards.
    """

    texts: str
    changed: Estimate
    changed_pole: Estimate
    unsure_before: Estimate
    unsure_after: Estimate


@dataclass(frozen=True)
class Card:
    """What a classifier is and how far it can be trusted; findings/classifier.json.

    Attributes:
        learned_from: the opinions, in words.
        poles: that were learned, in the order of their probabilities.
        chance_poles: accuracy of a guess among the poles that were learned.
        chance_traits: accuracy of a guess among the traits that were learned.
        word_weight: 1 where words stand beside the embedding, 0 where cross-validation did better without them; None
            where an encoder was tuned.
        inverse_penalty: C of the logistic regression; None where an encoder was tuned.
        temperature: by which log-probabilities are divided.
        coverage: the share of answers on new topics that it is meant to be sure of; None where it cannot be unsure.
        bound: the score below which it is unsure; None where it cannot be, or where there were too few answers.
        traitless: what it makes of texts that show no trait; empty where it cannot be unsure.
        emoji: what emojis alone do to readings; empty where it cannot be unsure.
    """

    embedder: str
    learned_from: str
    poles: tuple[str, ...]
    answers: int
    topics: int
    chance_poles: float
    chance_traits: float
    word_weight: float | None
    inverse_penalty: float | None
    temperature: float
    seed: int
    assessments: tuple[Assessment, ...]
    coverage: float | None = None
    bound: float | None = None
    traitless: tuple[Behaviour, ...] = ()
    emoji: tuple[EmojiEffect, ...] = ()


def assess(
    name: str, rows: Sequence[Opinion], labels: Sequence[str], found: Probabilities, unsure: Flags | None = None
) -> Assessment:
    """An assessment from the probabilities of rows, [row, pole], and whether the classifier is unsure of each."""
    shown, topics = shown_codes(rows, labels), [row.topic for row in rows]
    trait_of = trait_codes(labels)
    best, best_trait = found.argmax(axis=1), trait_probabilities(found, labels).argmax(axis=1)
    hits, trait_hits = best == shown, best_trait == trait_of[shown]
    confusion: dict[str, dict[str, int]] = {label: dict.fromkeys(labels, 0) for label in labels}
    for one, other in zip(shown, best, strict=True):
        confusion[labels[int(one)]][labels[int(other)]] += 1
    bins = calibration(found.max(axis=1), hits, topics)
    sure = None if unsure is None else ~unsure
    return Assessment(
        rows=name,
        answers=len(rows),
        topics=len(set(topics)),
        poles=share(hits.tolist(), topics),
        traits=share(trait_hits.tolist(), topics),
        by_pole=_by(hits, topics, shown, labels),
        by_trait=_by(trait_hits, topics, trait_of[shown], traits_of(labels)),
        confusion=confusion,
        calibration_error=calibration_error(bins),
        log_loss=float(-np.log(np.maximum(found[np.arange(len(shown)), shown], 1e-12)).mean()),
        calibration=bins,
        sure=None if sure is None else share(sure.tolist(), topics),
        sure_by_pole={} if sure is None else _by(sure, topics, shown, labels),
        poles_sure=None if sure is None else _within(hits, topics, sure),
        traits_sure=None if sure is None else _within(trait_hits, topics, sure),
    )


def calibration(certainty: Probabilities, hits: Flags, topics: Sequence[str]) -> tuple[Bin, ...]:
    """Ten bins of equal width over the probability of the recognised pole."""
    place = np.minimum((certainty * BINS).astype(np.int64), BINS - 1)
    return tuple(
        Bin(
            lower=number / BINS,
            upper=(number + 1) / BINS,
            answers=int((place == number).sum()),
            certainty=float(certainty[place == number].mean()) if (place == number).any() else None,
            right=_within(hits, topics, place == number),
        )
        for number in range(BINS)
    )


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: Naeini et al. 2015, AAAI 29, equal-width bins."""
    apart = [
        one.answers * abs(one.right.value - one.certainty)
        for one in bins
        if one.certainty is not None and one.right.value is not None
    ]
    return sum(apart) / sum(one.answers for one in bins)


def behaviours(
    texts: Sequence[Traitless],
    labels: Sequence[str],
    found: Probabilities,
    unsure: Flags,
    of_new: Mapping[str, Estimate] | None = None,
    learned: Sequence[str] = (),
) -> tuple[Behaviour, ...]:
    """What a classifier makes of texts without a trait, kind by kind.

    Args:
        texts: that were read.
        labels: of the poles.
        found: probabilities, [text, pole].
        unsure: of each text.
        of_new: by kind, the share unsure if the kind had not been learned.
        learned: kinds that were learned.
    """
    rows: list[Behaviour] = []
    for kind in dict.fromkeys(text.kind for text in texts):
        mine = np.array([text.kind == kind for text in texts])
        topics = [text.topic for text in texts if text.kind == kind]
        counts = np.bincount(found[mine & ~unsure].argmax(axis=1), minlength=len(labels))
        often = sorted(range(len(labels)), key=lambda place: -counts[place])
        rows.append(
            Behaviour(
                texts=kind,
                is_learned=kind in learned,
                unsure=share(unsure[mine].tolist(), topics),
                unsure_of_new=(of_new or {}).get(kind),
                certainty=average(found[mine].max(axis=1).tolist(), topics),
                read_as={labels[place]: int(counts[place]) for place in often if counts[place]},
            )
        )
    return tuple(rows)


def emoji_variants(rows: Sequence[Opinion]) -> dict[str, list[tuple[Opinion, str]]]:
    """Answers as they are without and with emojis: those that get one, and those that lose theirs."""
    added = [(row, f"{row.answer} {random.Random(row.answer).choice(ADDED)}") for row in rows]
    removed = [(row, without_emoji(row.answer)) for row in rows if emojis(row.answer)]
    return {ADDED_TO: added, REMOVED_FROM: [(row, text) for row, text in removed if text]}


def emoji_effect(
    name: str,
    topics: Sequence[str],
    before: tuple[Probabilities, Flags],
    after: tuple[Probabilities, Flags],
) -> EmojiEffect:
    """What changes between two readings of the same answers, each of probabilities and whether it is unsure."""
    other_pole = before[0].argmax(axis=1) != after[0].argmax(axis=1)
    both_unsure = before[1] & after[1]
    changed = (before[1] != after[1]) | (other_pole & ~both_unsure)
    return EmojiEffect(
        texts=name,
        changed=share(changed.tolist(), topics),
        changed_pole=share(other_pole.tolist(), topics),
        unsure_before=share(before[1].tolist(), topics),
        unsure_after=share(after[1].tolist(), topics),
    )


def _by(hits: Flags, topics: Sequence[str], codes: Codes, names: Sequence[str]) -> dict[str, Estimate]:
    return {name: _within(hits, topics, codes == place) for place, name in enumerate(names)}


def _within(hits: Flags, topics: Sequence[str], chosen: Flags) -> Estimate:
    return share(hits[chosen].tolist(), [topic for topic, is_chosen in zip(topics, chosen, strict=True) if is_chosen])
