"""Which pole a text shows, and whether it shows one: a classifier on embeddings and words, and its card.

It learns from the split ``measure``, whose topics shape no model, and is assessed on topics that it has not seen. The
poles that it knows are those of its data: ten for the Big Five, two for one trait of a user's own, twelve for both.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from temperament.errors import RequestError
from temperament.measure.card import (
    Assessment,
    Behaviour,
    Card,
    EmojiEffect,
    Flags,
    assess,
    behaviours,
    emoji_effect,
    emoji_variants,
)
from temperament.measure.doubt import Doubt, Material, fit_doubt, unsure_of_new
from temperament.measure.embedder import Embedder, load_embedder
from temperament.measure.linear import PoleModel, fit_pole_model, grouped_folds
from temperament.measure.pole import Probabilities, shown_codes, trait_probabilities, traits_of
from temperament.measure.traitless import carriers, spread, traitless
from temperament.opinion.row import Opinion, Opinions, Split
from temperament.stats import Estimate, share
from temperament.trait import Target, every_target

__all__ = [
    "Assessment",
    "Card",
    "Probabilities",
    "TraitClassifier",
    "check_learned",
    "fit_classifier",
    "learnable",
    "learned_from",
    "trait_probabilities",
    "traits_of",
    "unique_answers",
]
DEFAULT_EMBEDDER = "builtin:smollm2"
OUTER_FOLDS = 5
FEWEST_TOPICS = 4
# Answers that are read with and without an emoji for the card.
EMOJI_ANSWERS = 200


@runtime_checkable
class Head(Protocol):
    """Turns texts and what an embedder makes of them into probabilities."""

    @property
    def temperature(self) -> float:
        """By which log-probabilities are divided."""
        ...

    def probabilities(self, texts: Sequence[str], hidden: NDArray[np.float32]) -> Probabilities:
        """The probability of each pole, [text, pole]; rows sum to 1."""
        ...


@dataclass(frozen=True)
class TraitClassifier:
    """Gives the probability of each pole that its data show, and says of which texts it is unsure.

    Attributes:
        embedder_name: of the embedder.
        learned: the unique answers that it was fitted on.
        labels: the poles that they show, such as 'openness:low': the Big Five first, low before high.
        splits: that they are from.
        seed: of the folds.
        model: turns embeddings into probabilities.
        doubt: says of which texts it is unsure; None where it never is.
        material: that the doubt was learned from; None where it was not learned just now.
    """

    embedder_name: str
    learned: tuple[Opinion, ...]
    labels: tuple[str, ...]
    splits: tuple[Split, ...]
    seed: int
    _embed: Embedder = field(repr=False, compare=False)
    model: Head = field(repr=False, compare=False)
    _known: dict[str, NDArray[np.float32]] = field(repr=False, compare=False, default_factory=dict)
    doubt: Doubt | None = field(repr=False, compare=False, default=None)
    material: Material | None = field(repr=False, compare=False, default=None)

    @property
    def traits(self) -> tuple[str, ...]:
        """The traits of the poles that were learned, in their order."""
        return traits_of(self.labels)

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """The probability of each pole, [text, pole] in the order of ``labels``; each row sums to 1.

        A text is embedded once, however often it is asked for.
        """
        return self.model.probabilities(texts, _embedded(texts, self._embed, self._known))

    def unsure(self, texts: Sequence[str]) -> Flags | None:
        """Whether each text carries no trait that could be read, [text]; None where it is never unsure."""
        if self.doubt is None:
            return None
        if not texts:
            return np.zeros(0, np.bool_)
        return self.doubt.scores(_embedded(texts, self._embed, self._known)) < self.doubt.bound

    def card(self, held_out: Opinions | None = None) -> Card:
        """Assess on each split of ``held_out``; without one, by cross-validation on what was learned.

        Of the held-out rows, those of the splits that it learned from, those on topics that were learned and those of
        poles that were not are left out. The cross-validation is nested: design, penalty and temperature are chosen
        anew without the topics that are left out. It takes as long as five fits, which is why it is left out where
        other answers can tell as much; a tuned encoder is never tuned again for it. Where it can be unsure, what it
        makes of texts without a trait, of emojis, and of texts that carry a trait and are no answers is tried with the
        split ``test``, or else the last that is held out.
        """
        unseen = list(self._unseen(held_out or ()))
        assessments = [
            assess(split, rows, self.labels, *self._read([row.answer for row in rows])) for split, rows in unseen
        ]
        design = self.model.design if isinstance(self.model, PoleModel) else None
        if not assessments and design:
            name = f"{' and '.join(self.splits)}, by cross-validation"
            assessments = [assess(name, self.learned, self.labels, self._crossed)]
        names = " and ".join(f"'{split}'" for split in self.splits)
        tried = dict(unseen).get("test", unseen[-1][1] if unseen else ()) if self.doubt else ()
        for name, rows in carriers(tried, self.labels, "measure").items() if tried else ():
            if rows:
                assessments.append(assess(name, rows, self.labels, *self._read([row.answer for row in rows])))
        bound = self.doubt.bound if self.doubt else -np.inf
        return Card(
            embedder=self.embedder_name,
            learned_from=f"unique answers of the {'split' if len(self.splits) == 1 else 'splits'} {names}",
            poles=self.labels,
            answers=len(self.learned),
            topics=len({row.topic for row in self.learned}),
            chance_poles=1 / len(self.labels),
            chance_traits=1 / len(self.traits),
            word_weight=design.word_weight if design else None,
            inverse_penalty=design.inverse_penalty if design else None,
            temperature=self.model.temperature,
            seed=self.seed,
            assessments=tuple(assessments),
            coverage=self.doubt.coverage if self.doubt else None,
            bound=float(bound) if np.isfinite(bound) else None,
            traitless=self._behaviours(tried) if tried else (),
            emoji=self._emoji_effects(tried) if tried else (),
        )

    def _read(self, texts: Sequence[str]) -> tuple[Probabilities, Flags | None]:
        return self.probabilities(texts), self.unsure(texts)

    def _surely(self, texts: Sequence[str]) -> tuple[Probabilities, Flags]:
        found, unsure = self._read(texts)
        return found, np.zeros(len(texts), np.bool_) if unsure is None else unsure

    def _behaviours(self, rows: Sequence[Opinion]) -> tuple[Behaviour, ...]:
        """Where the doubt was learned just now, also how it would fare without each kind of text that it learned."""
        texts = traitless(rows, "measure")
        learned = list(dict.fromkeys(text.kind for text in traitless(self.learned, "shape")))
        of_new: dict[str, Estimate] = {}
        if self.material and self.doubt:
            for kind in learned:
                topics = [text.topic for text in self.material.traitless if text.kind == kind]
                of_new[kind] = share(unsure_of_new(self.material, kind, self.doubt.coverage), topics)
        return behaviours(texts, self.labels, *self._surely([one.text for one in texts]), of_new, learned)

    def _emoji_effects(self, rows: Sequence[Opinion]) -> tuple[EmojiEffect, ...]:
        found: list[EmojiEffect] = []
        for name, pairs in emoji_variants(rows).items():
            some = spread(pairs, EMOJI_ANSWERS)
            before, after = self._surely([row.answer for row, _ in some]), self._surely([text for _, text in some])
            found.append(emoji_effect(name, [row.topic for row, _ in some], before, after))
        return tuple(found)

    @cached_property
    def _crossed(self) -> Probabilities:
        """The probabilities of each learned answer under models that have not seen its topic."""
        texts = [row.answer for row in self.learned]
        hidden = _embedded(texts, self._embed, self._known)
        shown, topics = shown_codes(self.learned, self.labels), [row.topic for row in self.learned]
        poles = len(self.labels)
        found = np.zeros((len(texts), poles))
        for rest, left_out in grouped_folds(topics, OUTER_FOLDS, self.seed):
            inside = [texts[row] for row in rest]
            model = fit_pole_model(
                inside, hidden[rest], shown[rest], [topics[row] for row in rest], self.seed, poles=poles
            )
            found[left_out] = model.probabilities([texts[row] for row in left_out], hidden[left_out])
        return found

    def _unseen(self, held_out: Sequence[Opinion]) -> Iterator[tuple[str, tuple[Opinion, ...]]]:
        topics = {row.topic for row in self.learned}
        for split in dict.fromkeys(row.split for row in held_out):
            rows = unique_answers(
                [
                    row
                    for row in held_out
                    if row.split == split and row.topic not in topics and str(row.target) in self.labels
                ]
            )
            if rows and split not in self.splits:
                yield split, rows


def fit_classifier(
    opinions: Opinions,
    embedder: str | Embedder = DEFAULT_EMBEDDER,
    seed: int = 0,
    splits: tuple[Split, ...] = ("measure",),
    coverage: float | None = None,
) -> TraitClassifier:
    """Fit a classifier of the poles that some splits of the opinions show.

    Multinomial logistic regression on an embedding, with or without word frequencies beside it, calibrated by
    a temperature; the choices are made by cross-validation over topics (see `fit_pole_model`). With a coverage it also
    learns what carries no trait (see `LinearDoubt`), from some 1,500 texts beside the answers.

    Args:
        opinions: whose rows of ``splits`` are learned from; others are ignored.
        embedder: see `load_embedder`; or a function from texts to an array [text, hidden].
        seed: of the folds.
        splits: to learn from; more than ``measure`` where no model is measured with it.
        coverage: the share of answers on new topics that it is meant to be sure of; None is never unsure.

    Raises:
        RequestError: the splits have fewer than four topics or two poles, or the coverage is no share.
        InstallError: the embedder is not installed.

    Source: Jain et al., arXiv 2409.10245 (trait alignment by a classifier of five classes).
    Departs: poles, of which the traits are sums; the hidden states of a small decoder instead of a tuned RoBERTa,
    because a laptop reads them in minutes (`temperament.measure.tuning` tunes an encoder); texts that carry no trait,
    which the published classifier reads as one. The topics that it learns from must not shape a model.
    """
    labels = learnable(opinions, splits)
    learned = learned_from(opinions, splits)
    topics = tuple(row.topic for row in learned)
    name = embedder if isinstance(embedder, str) else getattr(embedder, "__name__", type(embedder).__name__)
    embed: Embedder = load_embedder(embedder) if isinstance(embedder, str) else embedder
    known: dict[str, NDArray[np.float32]] = {}
    texts = [row.answer for row in learned]
    hidden = _embedded(texts, embed, known)
    model = fit_pole_model(texts, hidden, shown_codes(learned, labels), topics, seed, poles=len(labels))
    if coverage is None:
        return TraitClassifier(name, learned, labels, splits, seed, embed, model, known)
    others = traitless(learned, "shape")
    beside = [row for rows in carriers(learned, labels, "shape").values() for row in rows]
    material = Material(
        hidden,
        topics,
        _embedded([row.answer for row in beside], embed, known),
        tuple(row.topic for row in beside),
        _embedded([text.text for text in others], embed, known),
        others,
        seed,
    )
    doubt = fit_doubt(material, coverage)
    return TraitClassifier(name, learned, labels, splits, seed, embed, model, known, doubt, material)


def learnable(opinions: Opinions, splits: tuple[Split, ...] = ("measure",)) -> tuple[str, ...]:
    """The labels that a classifier of these opinions has; quick, so that it can be asked before long work.

    Raises:
        RequestError: the splits have fewer than four topics or two poles.
    """
    learned = learned_from(opinions, splits)
    topics = {row.topic for row in learned}
    poles = {row.target for row in learned}
    if len(topics) < FEWEST_TOPICS or len(poles) < 2:
        names = " and ".join(f"'{split}'" for split in splits)
        message = (
            f"a classifier needs at least {FEWEST_TOPICS} topics and 2 poles in the split {names}: {opinions!r} "
            f"have {len(topics)} and {len(poles)}. Add opinions, or move topics to that split."
        )
        raise RequestError(message)
    return tuple(str(target) for target in every_target() if target in poles)


def check_learned(target: Target, labels: Sequence[str]) -> None:
    """Raises RequestError where a classifier with these labels cannot see a target."""
    if str(target) in labels:
        return
    message = (
        f"{target} was to be measured, and the classifier has no answer to learn it from, only of {', '.join(labels)}: "
        f"add answers that show {target} to the split 'measure' of the opinions, on at least {FEWEST_TOPICS} topics."
    )
    raise RequestError(message)


def learned_from(opinions: Opinions, splits: tuple[Split, ...]) -> tuple[Opinion, ...]:
    """The answers that a classifier of some splits learns from, each once."""
    return unique_answers([row for split in splits for row in opinions.split(split)])


def unique_answers(rows: Sequence[Opinion]) -> tuple[Opinion, ...]:
    """One row per topic, answer and pole; the same answer under several questions counts once."""
    first: dict[tuple[str, str, str], Opinion] = {}
    for row in rows:
        first.setdefault((row.topic, row.answer, str(row.target)), row)
    return tuple(first.values())


def _embedded(
    texts: Sequence[str], embed: Callable[[list[str]], NDArray[np.float32]], known: dict[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """The embeddings of the texts, [text, hidden]; new ones are computed in one call and kept."""
    new = [text for text in dict.fromkeys(texts) if text not in known]
    if new:
        known.update(zip(new, np.asarray(embed(new), dtype=np.float32), strict=True))
    return np.stack([known[text] for text in texts]) if texts else np.zeros((0, 0), np.float32)
