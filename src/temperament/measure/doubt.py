"""Whether a text carries a trait at all: what a classifier of poles cannot say, because it has to choose one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from temperament.errors import RequestError
from temperament.measure.linear import INNER_FOLDS, grouped_folds, regress
from temperament.measure.pole import Probabilities
from temperament.measure.traitless import Traitless

# What a reply that shows no pole is called where poles are named.
UNSURE = "unsure"
# Of answers on topics that were not learned, so many are to be sure.
COVERAGE = 0.9
# Of 1, 3 and 10 about as good; see docs/decisions/0012-doubt.md.
INVERSE_PENALTY = 3.0

Hidden = NDArray[np.float32]


@runtime_checkable
class Doubt(Protocol):
    """Says of which texts it is unsure, from what a classifier's embedder makes of them."""

    @property
    def coverage(self) -> float:
        """The share of answers on topics that were not learned, of which it is meant to be sure."""
        ...

    @property
    def bound(self) -> float:
        """A text that scores less is unsure."""
        ...

    def scores(self, hidden: Hidden) -> Probabilities:
        """How much each text looks like one that carries a trait, [text]; in any unit."""
        ...


@dataclass(frozen=True)
class LinearDoubt:
    """A logistic regression of texts that carry a trait against texts that do not, with the bound of the coverage.

    Those that do are answers, first sentences of answers, and portraits: with answers alone, what is shorter or in
    another person looked traitless.

    The bound is conformal: of the scores that answers get from models which have not seen their topic, so many lie
    below it that an answer on a new topic is unsure in at most 1 - coverage of all cases, if topics are alike. No text
    without a trait plays a part in the bound, so that it does not depend on how many of them there were.

    Attributes:
        weights: of the embedding, [hidden].
        bias: of the embedding.
        bound: in log-odds.
        coverage: between 0 and 1.

    Source: Vovk, Gammerman and Shafer 2005, Algorithmic Learning in a Random World, section 2.2 (the rank); Hendrycks
    et al. 2019, arXiv 1812.04606 (learning from outliers).
    Departs: scores are cross-validated instead of those of a split set apart, so that no answer is lost to learning;
    the guarantee is then not exact, and the card says what coverage is on splits that were not learned from.
    """

    weights: Probabilities
    bias: float
    bound: float
    coverage: float

    def scores(self, hidden: Hidden) -> Probabilities:
        """The log-odds that a text is an answer, by the mixture that was learned, [text]."""
        return hidden.astype(np.float64) @ self.weights + self.bias


@dataclass(frozen=True)
class Material:
    """Embeddings that a doubt is learned from.

    Attributes:
        answers: [row, hidden].
        topics: of the answers.
        carriers: of texts that carry a trait and are no whole answers, [row, hidden]; no part of the bound.
        carrier_topics: of these.
        others: of the texts without a trait, [row, hidden].
        traitless: those texts.
        seed: of the folds.
    """

    answers: Hidden
    topics: tuple[str, ...]
    carriers: Hidden
    carrier_topics: tuple[str, ...]
    others: Hidden
    traitless: tuple[Traitless, ...]
    seed: int

    def without(self, kind: str) -> "Material":
        """All but the texts of one kind."""
        kept = [row for row, text in enumerate(self.traitless) if text.kind != kind]
        return replace(self, others=self.others[kept], traitless=tuple(self.traitless[row] for row in kept))


def fit_doubt(material: Material, coverage: float = COVERAGE) -> LinearDoubt:
    """Learn what an answer looks like, and where doubt begins.

    Raises:
        RequestError: coverage is not between 0 and 1.
    """
    if not 0 < coverage < 1:
        message = f"coverage is {coverage:g}: it needs to be a share, above 0 and below 1."
        raise RequestError(message)
    bound = conformal_bound(_crossed(material)[: len(material.answers)], coverage)
    return LinearDoubt(*_fit(material.answers, material.carriers, material.others), bound, coverage)


def unsure_of_new(material: Material, kind: str, coverage: float = COVERAGE) -> list[bool]:
    """For each text of a kind whether it would be unsure if no such text were learned, nor any of its topic."""
    known = material.without(kind)
    places = [row for row, text in enumerate(material.traitless) if text.kind == kind]
    new, topics = material.others[places], [material.traitless[row].topic for row in places]
    scores = _crossed(known, (new, topics))
    count = len(known.answers)
    bound = conformal_bound(scores[:count], coverage)
    return (scores[count:] < bound).tolist()


def conformal_bound(scores: Probabilities, coverage: float) -> float:
    """The highest bound below which a new score falls in at most 1 - coverage of all cases.

    With so few scores that no bound can promise that, it is minus infinity, and nothing is unsure.
    """
    rank = math.floor((1 - coverage) * (len(scores) + 1) + 1e-9)
    return float(np.sort(scores)[rank - 1]) if rank else -math.inf


def _crossed(material: Material, new: tuple[Hidden, Sequence[str]] | None = None) -> Probabilities:
    """Scores of the answers, and then of new texts, by models that have not seen their topics."""
    extra, extra_topics = new or (material.others[:0], ())
    parts = (material.answers, material.carriers, material.others, extra)
    topics = [*material.topics, *material.carrier_topics, *(text.topic for text in material.traitless), *extra_topics]
    part_of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    hidden = np.vstack(parts)
    found = np.zeros(len(hidden))
    for rest, left_out in grouped_folds(topics, INNER_FOLDS, material.seed):
        weights, bias = _fit(*(hidden[rest[part_of[rest] == part]] for part in range(3)))
        found[left_out] = hidden[left_out] @ weights + bias
    return np.concatenate([found[part_of == 0], found[part_of == 3]])


def _fit(answers: Hidden, carriers: Hidden, others: Hidden) -> tuple[Probabilities, float]:
    """Weights and bias for embeddings as they come; they are standardised by the answers within."""
    mean, deviation = answers.mean(axis=0), answers.std(axis=0)
    scale = (np.where(deviation > 0, deviation, 1) * np.sqrt(mean.size)).astype(np.float64)
    features = ((np.vstack([answers, carriers, others]) - mean) / scale).astype(np.float64)
    shown = np.repeat([1, 0], [len(answers) + len(carriers), len(others)])
    ((_, weights, bias),) = regress(features, shown, (INVERSE_PENALTY,))
    plain = (weights[:, 1] - weights[:, 0]) / scale
    return plain, float(bias[1] - bias[0] - mean.astype(np.float64) @ plain)
