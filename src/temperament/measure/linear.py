"""The model inside the trait classifier: logistic regression, its design and its certainty settled over topics."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from temperament.errors import RequestError

INNER_FOLDS = 3
WORD_WEIGHTS = (0.0, 1.0)
INVERSE_PENALTIES = (1.0, 3.0, 10.0, 30.0)
MOST_WORDS = 4000
SMALL = 5_000_000  # numbers in a matrix
_SMALLEST = 1e-12

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
Hidden = NDArray[np.float32]
Codes = NDArray[np.int64]
Probabilities = NDArray[np.float64]
# Classes, weights [feature, class] and bias [class].
Regression = tuple[Codes, Probabilities, Probabilities]


@runtime_checkable
class Words(Protocol):
    """Turns texts into a sparse matrix [text, word]."""

    def transform(self, raw_documents: list[str], /) -> Any:
        """Word frequencies of the texts, in their order."""
        ...


@dataclass(frozen=True, order=True)
class Design:
    """What cross-validation chooses.

    Attributes:
        word_weight: length of the vector of word frequencies beside an embedding of length near 1; 0 is without.
        inverse_penalty: C of the logistic regression; less is simpler.
    """

    word_weight: float
    inverse_penalty: float


@dataclass(frozen=True)
class Features:
    """How texts become numbers: a standardised embedding, and words beside it.

    The embedding's dimensions are brought to mean 0 and deviation 1 over the texts that were learned, and divided by
    the root of their number, so that a text has a length near 1: a decoder has dimensions hundreds of times larger than
    the others, which would be all that a penalty lets through.

    Attributes:
        mean: of the embeddings, [hidden].
        deviation: of the embeddings, [hidden]; 1 where a dimension does not vary.
        words: None where the weight is 0.
        word_weight: see `Design`.
    """

    mean: Hidden
    deviation: Hidden
    words: Words | None
    word_weight: float

    def __call__(self, texts: Sequence[str], hidden: Hidden) -> Probabilities:
        """Features, [text, feature]."""
        dense = ((hidden - self.mean) / (self.deviation * np.sqrt(self.mean.size))).astype(np.float64)
        if self.words is None:
            return dense
        return np.hstack([dense, self.word_weight * self.words.transform(list(texts)).toarray()])


@dataclass(frozen=True)
class PoleModel:
    """A fitted model of poles.

    Attributes:
        design: as chosen.
        temperature: above 1 where the regression was too certain.
        poles: how many there are, those of which no answer was seen included.
        features: of texts.
        classes: the poles that were seen, [class].
        weights: of the logistic regression, [feature, class].
        bias: of the logistic regression, [class].
    """

    design: Design
    temperature: float
    poles: int
    features: Features
    classes: Codes
    weights: Probabilities
    bias: Probabilities

    def probabilities(self, texts: Sequence[str], hidden: Hidden) -> Probabilities:
        """The probability of each pole, [text, pole]; rows sum to 1."""
        if not len(texts):
            return np.zeros((0, self.poles))
        features = self.features(texts, hidden)
        with few_threads(features):
            logits = (features @ self.weights + self.bias) / self.temperature
        return _over_all_poles(_softmax(logits), self.classes, self.poles)


def grouped_folds(groups: Sequence[str], count: int, seed: int) -> Iterator[Fold]:
    """Rows to learn from and rows left out, so that no group is on both sides."""
    from sklearn.model_selection import GroupKFold

    folds = GroupKFold(min(count, len(set(groups))), shuffle=True, random_state=seed)
    yield from folds.split(np.zeros(len(groups)), groups=groups)


def fit_pole_model(
    texts: Sequence[str], hidden: Hidden, shown: Codes, topics: Sequence[str], seed: int, poles: int | None = None
) -> PoleModel:
    """Choose the design, find the temperature, and fit on all rows.

    The design with the least log-loss in cross-validation over topics is chosen; of equal ones the simplest. The
    temperature is the one that makes the left-out probabilities of that design most likely.

    Args:
        texts: one a row.
        hidden: embeddings, [row, hidden].
        shown: the number of the pole, from 0, one a row.
        topics: one a row; at least two.
        seed: of the folds.
        poles: how many there are; None is one more than the highest number.

    Raises:
        RequestError: without the topics of a fold only one pole is left.

    Source: Guo et al. 2017, arXiv 1706.04599, section 4.2 (temperature). Words are term frequencies on a logarithmic
    scale by inverse document frequency.
    """
    width = int(shown.max()) + 1 if poles is None else poles
    designs = [Design(weight, penalty) for weight in WORD_WEIGHTS for penalty in INVERSE_PENALTIES]
    found = {design: np.zeros((len(texts), width)) for design in designs}
    for rest, left_out in grouped_folds(topics, INNER_FOLDS, seed):
        inside, outside = [texts[int(row)] for row in rest], [texts[int(row)] for row in left_out]
        for weight in WORD_WEIGHTS:
            features = _fit_features(inside, hidden[rest], weight)
            seen, unseen = features(inside, hidden[rest]), features(outside, hidden[left_out])
            path = regress(seen, shown[rest], INVERSE_PENALTIES)
            for penalty, (classes, weights, bias) in zip(INVERSE_PENALTIES, path, strict=True):
                guess = _over_all_poles(_softmax(unseen @ weights + bias), classes, width)
                found[Design(weight, penalty)][left_out] = guess
    design = min(sorted(found), key=lambda each: _log_loss(found[each], shown))
    features = _fit_features(texts, hidden, design.word_weight)
    ((classes, weights, bias),) = regress(features(texts, hidden), shown, (design.inverse_penalty,))
    return PoleModel(design, best_temperature(found[design], shown), width, features, classes, weights, bias)


def word_frequencies(vocabulary: Sequence[str] | None = None) -> Any:
    """What counts words: log frequency by inverse document frequency, of a vocabulary or of one to be learned."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True, max_features=MOST_WORDS, vocabulary=vocabulary)


def _fit_features(texts: Sequence[str], hidden: Hidden, word_weight: float) -> Features:
    words = word_frequencies().fit(list(texts)) if word_weight else None
    deviation = hidden.std(axis=0)
    return Features(hidden.mean(axis=0), np.where(deviation > 0, deviation, 1).astype(np.float32), words, word_weight)


def regress(features: Probabilities, shown: Codes, inverse_penalties: Sequence[float]) -> list[Regression]:
    """Multinomial logistic regressions, one a penalty; each starts where the one before it ended.

    Raises:
        RequestError: only one class is shown.
    """
    from sklearn.linear_model import LogisticRegression

    if len(set(shown.tolist())) < 2:
        message = (
            "a classifier is tried on topics that it has not seen, and without some of these only one pole is left: "
            "give opinions that show several poles on each topic."
        )
        raise RequestError(message)
    found: list[Regression] = []
    with few_threads(features):
        basis = _row_space(features)
        rotated = features @ basis
        regression: Any = LogisticRegression(max_iter=5000, warm_start=True)
        for inverse_penalty in inverse_penalties:
            regression.set_params(C=inverse_penalty).fit(rotated, shown)
            weights, bias = basis @ regression.coef_.T, regression.intercept_
            if len(regression.classes_) == 2:
                # Of two classes only the second has weights; the first has none.
                weights, bias = np.hstack([np.zeros_like(weights), weights]), np.array([0.0, float(bias[0])])
            found.append((regression.classes_, weights, bias))
    return found


def _row_space(features: Probabilities) -> Probabilities:
    """An orthonormal basis [feature, direction] of what the rows span.

    With a ridge penalty the weights lie in the span of the rows, so a fit in these coordinates is the same fit, and
    with thousands of words and hundreds of answers it takes a fraction of the time.
    """
    if features.shape[1] <= features.shape[0]:
        return np.eye(features.shape[1])
    return np.linalg.qr(features.T)[0]


def few_threads(features: Probabilities) -> AbstractContextManager[object]:
    """One thread for small matrices, where several wait for one another: a tenth of the speed on two cores."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1 if features.size < SMALL else None)


def _softmax(logits: Probabilities) -> Probabilities:
    from scipy.special import softmax

    return softmax(logits, axis=1)


def _over_all_poles(found: Probabilities, classes: Codes, poles: int) -> Probabilities:
    whole = np.zeros((len(found), poles))
    whole[:, classes] = found
    return whole


def _log_loss(found: Probabilities, shown: Codes) -> float:
    return float(-np.log(np.maximum(found[np.arange(len(shown)), shown], _SMALLEST)).mean())


def best_temperature(found: Probabilities, shown: Codes) -> float:
    """By which to divide log-probabilities, [text, pole], so that the poles which are shown become most likely."""
    from scipy.optimize import minimize_scalar

    logits = np.log(np.maximum(found, _SMALLEST))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(shown)), shown]).mean())

    found_at: Any = minimize_scalar(loss, bounds=(np.log(0.2), np.log(5.0)), method="bounded")
    return float(np.exp(found_at.x))
