"""Poles as numbers: labels such as 'openness:low', their places, and the traits that they sum to."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from temperament.opinion.row import Opinion

Probabilities = NDArray[np.float64]
Codes = NDArray[np.int64]


def traits_of(labels: Sequence[str]) -> tuple[str, ...]:
    """The traits of some poles, such as 'openness:low', in their order."""
    return tuple(dict.fromkeys(label.partition(":")[0] for label in labels))


def trait_probabilities(probabilities: Probabilities, labels: Sequence[str]) -> Probabilities:
    """The probability of each trait, [text, trait] in the order of `traits_of`, as the sum of its poles."""
    trait_of = trait_codes(labels)
    found = np.zeros((len(probabilities), len(traits_of(labels))))
    for place, trait in enumerate(trait_of):
        found[:, trait] += probabilities[:, place]
    return found


def trait_codes(labels: Sequence[str]) -> Codes:
    """For each pole the place of its trait in `traits_of`."""
    names = traits_of(labels)
    return np.array([names.index(label.partition(":")[0]) for label in labels], dtype=np.int64)


def shown_codes(rows: Sequence[Opinion], labels: Sequence[str]) -> Codes:
    """For each row the place of the pole that it shows."""
    return np.array([labels.index(str(row.target)) for row in rows], dtype=np.int64)
