"""Many tests at once: which differences to believe when some would look striking by chance."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from temperament.errors import RequestError

LEVEL = 0.05


@dataclass(frozen=True)
class Discovery:
    """One test within its family.

    Attributes:
        p: as the test gave it; None where it was withheld.
        adjusted: the share of false discoveries to accept for this one to count; None where p is.
        is_found: whether it counts at the level of the family.
    """

    p: float | None
    adjusted: float | None
    is_found: bool


def discoveries(p_values: Mapping[str, float | None], level: float = LEVEL) -> dict[str, Discovery]:
    """Benjamini and Hochberg's procedure over a family of tests: of what is found, at most ``level`` is chance.

    Args:
        p_values: by name. Those that were withheld are kept, and do not count in the size of the family.
        level: the share of false discoveries to accept, between 0 and 1.

    Returns:
        Each test under its name, in the order given.

    Raises:
        RequestError: a p or the level is not between 0 and 1.

    Source: Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    if not 0 < level < 1:
        message = f"a level lies between 0 and 1: got {level:g}."
        raise RequestError(message)
    for name, p in p_values.items():
        if p is not None and not 0 <= p <= 1:
            message = f"a p lies between 0 and 1: '{name}' has {p:g}."
            raise RequestError(message)
    known = {name: p for name, p in p_values.items() if p is not None}
    order = sorted(known, key=lambda name: known[name])
    scaled = np.array([known[name] for name in order]) * len(order) / np.arange(1, len(order) + 1)
    # No test may look better than one with a smaller p.
    lowest = np.minimum.accumulate(scaled[::-1])[::-1] if order else scaled
    adjusted = {name: min(1.0, float(value)) for name, value in zip(order, lowest, strict=True)}
    return {
        name: Discovery(p, adjusted.get(name), p is not None and adjusted[name] <= level)
        for name, p in p_values.items()
    }
