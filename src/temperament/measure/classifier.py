"""Which pole a text shows: a classifier on sentence embeddings and words, and a card that says how far to trust it.

It learns from the split ``measure``, whose topics shape no model, and is assessed on topics that it has not seen.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from temperament.errors import RequestError
from temperament.measure.embedder import Embedder, load_embedder
from temperament.measure.linear import PoleModel, fit_pole_model, grouped_folds
from temperament.opinion.row import Opinion, Opinions
from temperament.stats import Estimate, share
from temperament.trait import BIG_FIVE, EVERY_TARGET

LABELS: tuple[str, ...] = tuple(str(target) for target in EVERY_TARGET)
TRAIT_NAMES: tuple[str, ...] = tuple(trait.name for trait in BIG_FIVE)
OUTER_FOLDS = 5
FEWEST_TOPICS = 4
_BINS = 10

Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Assessment:
    """How often the classifier is right on topics that it has not seen.

    Attributes:
        rows: where the answers come from: a split, and whether by cross-validation.
        answers: how many.
        topics: on how many topics; they are the clusters of the intervals.
        poles: accuracy among ten poles.
        traits: accuracy among five traits, both poles of a trait summed.
        by_pole: of the answers that show a pole, the share that is recognised among ten.
        by_trait: of the answers that show a trait, the share that is recognised among five.
        confusion: counts of answers, by shown and by recognised pole.
        calibration_error: mean distance between the probability of the recognised pole and how often it is right, over
            ten bins of equal width; 0 is best.
        log_loss: mean of -log(probability of the shown pole); log(10) = 2.30 is a guess.
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


@dataclass(frozen=True)
class Card:
    """What a classifier is and how far it can be trusted; findings/classifier.json.

    Attributes:
        learned_from: the opinions, in words.
        chance_poles: accuracy of a guess among the poles that were learned.
        chance_traits: accuracy of a guess among the traits that were learned.
        word_weight: 1 where words stand beside the embedding, 0 where cross-validation did better without them.
        inverse_penalty: C of the logistic regression.
        temperature: by which log-probabilities are divided.
    """

    embedder: str
    learned_from: str
    poles: tuple[str, ...]
    answers: int
    topics: int
    chance_poles: float
    chance_traits: float
    word_weight: float
    inverse_penalty: float
    temperature: float
    seed: int
    assessments: tuple[Assessment, ...]


@dataclass(frozen=True)
class TraitClassifier:
    """Gives the probability of each pole of each trait.

    Attributes:
        embedder_name: of the sentence embedder.
        learned: the unique answers that it was fitted on.
        seed: of the folds.
    """

    embedder_name: str
    learned: tuple[Opinion, ...]
    seed: int
    _embed: Embedder = field(repr=False, compare=False)
    _model: PoleModel = field(repr=False, compare=False)
    _known: dict[str, NDArray[np.float32]] = field(repr=False, compare=False, default_factory=dict)

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """The probability of each pole, [text, pole] in the order of `LABELS`; each row sums to 1.

        Poles of which no answer was learned have probability 0. A text is embedded once, however often it is asked for.
        """
        return self._model.probabilities(texts, _embedded(texts, self._embed, self._known))

    def card(self, held_out: Opinions | None = None) -> Card:
        """Assess on each split of ``held_out``; without one, by cross-validation on what was learned.

        Of the held-out rows, those of the split ``measure`` and those on topics that were learned are left out. The
        cross-validation is nested: design, penalty and temperature are chosen anew without the topics that are left
        out. It takes as long as five fits, which is why it is left out where other answers can tell as much.
        """
        names = [str(row.target) for row in self.learned]
        assessments = [
            _assessment(split, rows, self.probabilities([row.answer for row in rows]))
            for split, rows in _unseen(held_out or (), {row.topic for row in self.learned})
        ] or [_assessment("measure, by cross-validation", self.learned, self._crossed)]
        return Card(
            embedder=self.embedder_name,
            learned_from="unique answers of the split 'measure'",
            poles=tuple(label for label in LABELS if label in names),
            answers=len(self.learned),
            topics=len({row.topic for row in self.learned}),
            chance_poles=1 / len(set(names)),
            chance_traits=1 / len({row.trait for row in self.learned}),
            word_weight=self._model.design.word_weight,
            inverse_penalty=self._model.design.inverse_penalty,
            temperature=self._model.temperature,
            seed=self.seed,
            assessments=tuple(assessments),
        )

    @cached_property
    def _crossed(self) -> Probabilities:
        """The probabilities of each learned answer under models that have not seen its topic."""
        texts = [row.answer for row in self.learned]
        hidden = _embedded(texts, self._embed, self._known)
        shown, topics = _shown(self.learned), [row.topic for row in self.learned]
        found = np.zeros((len(texts), len(LABELS)))
        for rest, left_out in grouped_folds(topics, OUTER_FOLDS, self.seed):
            model = fit_pole_model(
                [texts[row] for row in rest], hidden[rest], shown[rest], [topics[row] for row in rest], self.seed
            )
            found[left_out] = model.probabilities([texts[row] for row in left_out], hidden[left_out])
        return found


def fit_classifier(opinions: Opinions, embedder: str | Embedder = "builtin:minilm", seed: int = 0) -> TraitClassifier:
    """Fit a trait classifier on the split ``measure``.

    Multinomial logistic regression on a sentence embedding, with or without word frequencies beside it, calibrated by
    a temperature; the choices are made by cross-validation over topics (see `fit_pole_model`).

    Args:
        opinions: whose rows of the split ``measure`` are learned from; others are ignored.
        embedder: ``builtin:minilm``, an id or folder of sentence-transformers, or a function from texts to an array
            [text, hidden].
        seed: of the folds.

    Raises:
        RequestError: the split has fewer than four topics or two poles.
        InstallError: the embedder is not installed.

    Source: Jain et al., arXiv 2409.10245 (trait alignment by a classifier of five classes).
    Departs: ten poles, of which the five traits are sums; embeddings instead of a tuned RoBERTa, because a few hundred
    answers are too few to tune one and the topics that it learns from must not shape the model.
    """
    learned = unique_answers(opinions.split("measure"))
    topics = [row.topic for row in learned]
    poles = {row.target for row in learned}
    if len(set(topics)) < FEWEST_TOPICS or len(poles) < 2:
        message = (
            f"a classifier needs at least {FEWEST_TOPICS} topics and 2 poles in the split 'measure': {opinions!r} "
            f"have {len(set(topics))} and {len(poles)}. Add opinions, or move topics to that split."
        )
        raise RequestError(message)
    name = embedder if isinstance(embedder, str) else getattr(embedder, "__name__", type(embedder).__name__)
    embed: Embedder = load_embedder(embedder) if isinstance(embedder, str) else embedder
    known: dict[str, NDArray[np.float32]] = {}
    texts = [row.answer for row in learned]
    model = fit_pole_model(texts, _embedded(texts, embed, known), _shown(learned), topics, seed)
    return TraitClassifier(name, learned, seed, embed, model, known)


def unique_answers(rows: Sequence[Opinion]) -> tuple[Opinion, ...]:
    """One row per answer and pole; the same answer under several questions counts once."""
    first: dict[tuple[str, str, str], Opinion] = {}
    for row in rows:
        first.setdefault((row.topic, row.answer, str(row.target)), row)
    return tuple(first.values())


def trait_probabilities(probabilities: Probabilities) -> Probabilities:
    """The probability of each trait, [text, trait], as the sum of its poles."""
    return probabilities.reshape(len(probabilities), len(TRAIT_NAMES), -1).sum(axis=2)


def _shown(rows: Sequence[Opinion]) -> NDArray[np.int64]:
    return np.array([LABELS.index(str(row.target)) for row in rows], dtype=np.int64)


def _embedded(
    texts: Sequence[str], embed: Callable[[list[str]], NDArray[np.float32]], known: dict[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """The embeddings of the texts, [text, hidden]; new ones are computed in one call and kept."""
    new = [text for text in dict.fromkeys(texts) if text not in known]
    if new:
        known.update(zip(new, np.asarray(embed(new), dtype=np.float32), strict=True))
    return np.stack([known[text] for text in texts]) if texts else np.zeros((0, 0), np.float32)


def _unseen(held_out: Sequence[Opinion], topics: set[str]) -> Iterator[tuple[str, tuple[Opinion, ...]]]:
    for split in dict.fromkeys(row.split for row in held_out):
        rows = unique_answers([row for row in held_out if row.split == split and row.topic not in topics])
        if rows and split != "measure":
            yield split, rows


def _assessment(name: str, rows: Sequence[Opinion], found: Probabilities) -> Assessment:
    shown, topics = _shown(rows), [row.topic for row in rows]
    best, best_trait = found.argmax(axis=1), trait_probabilities(found).argmax(axis=1)
    hits, trait_hits = best == shown, best_trait == shown // 2
    confusion = {label: dict.fromkeys(LABELS, 0) for label in LABELS}
    for one, other in zip(shown, best, strict=True):
        confusion[LABELS[one]][LABELS[other]] += 1
    return Assessment(
        rows=name,
        answers=len(rows),
        topics=len(set(topics)),
        poles=share(hits.tolist(), topics),
        traits=share(trait_hits.tolist(), topics),
        by_pole={label: _within(hits, topics, shown == place) for place, label in enumerate(LABELS)},
        by_trait={trait: _within(trait_hits, topics, shown // 2 == place) for place, trait in enumerate(TRAIT_NAMES)},
        confusion=confusion,
        calibration_error=_calibration_error(found.max(axis=1), hits),
        log_loss=float(-np.log(np.maximum(found[np.arange(len(shown)), shown], 1e-12)).mean()),
    )


def _within(hits: NDArray[np.bool_], topics: Sequence[str], chosen: NDArray[np.bool_]) -> Estimate:
    return share(hits[chosen].tolist(), [topic for topic, is_chosen in zip(topics, chosen, strict=True) if is_chosen])


def _calibration_error(confidence: Probabilities, hits: NDArray[np.bool_]) -> float:
    """Expected calibration error: Naeini et al. 2015, AAAI 29, equal-width bins."""
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    apart = np.bincount(bins, hits - confidence, minlength=_BINS)
    return float(np.abs(apart).sum() / len(hits))
