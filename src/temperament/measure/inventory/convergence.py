"""Convergence: whether what a subject says of itself goes with how it writes, over cells of a study."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from temperament.errors import RequestError
from temperament.stats import Estimate, correlation

LEAST_CELLS = 4


@dataclass(frozen=True)
class Convergence:
    """Two scores of the same trait, over the same cells.

    Attributes:
        trait: by name; empty where it was not said.
        cells: by name, in order.
        inventory: score of each cell.
        behaviour: score of the texts of each cell.
        pearson: correlation of the two; n is the number of cells.
        spearman: rank correlation of the two.
        note: why the figures are withheld, or the intervals; empty where neither is.
    """

    trait: str
    cells: tuple[str, ...]
    inventory: tuple[float, ...]
    behaviour: tuple[float, ...]
    pearson: Estimate
    spearman: Estimate
    note: str = ""


def convergence(
    inventory: Sequence[float],
    behaviour: Sequence[float],
    names: Sequence[str],
    trait: str = "",
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> Convergence:
    """Correlations over cells, with the bootstrap of `temperament.stats.correlation`.

    Cells of one edit at several strengths are no observations of their own: with ``groups`` they are drawn together.
    Both figures are withheld with fewer than four cells, or where a score does not vary; intervals also with fewer than
    four groups, or where all cells lie on one line.

    Args:
        inventory: one score a cell.
        behaviour: of the same cells, in the same order.
        names: of the cells.
        trait: that both are about.
        groups: the edit of each cell; None where every cell is an observation of its own.
        seed: of the resamples.

    Raises:
        RequestError: the lengths differ, a name occurs twice, or a score is not finite.
    """
    _check(inventory, behaviour, names, groups)
    count, independent = len(names), len(set(names if groups is None else groups))
    note = ""
    if count < LEAST_CELLS:
        note = f"withheld: there are {count} cells, and {LEAST_CELLS} are needed."
    elif any(max(scores) - min(scores) < 1e-9 for scores in (inventory, behaviour)):
        note = f"withheld: over {count} cells one of the scores does not vary."
    if note:
        withheld = Estimate(None, None, None, count)
        pearson, spearman = withheld, withheld
    else:
        pearson = correlation(inventory, behaviour, groups, "pearson", seed)
        spearman = correlation(inventory, behaviour, groups, "spearman", seed)
        if independent < LEAST_CELLS:
            note = f"intervals are withheld: the cells come from {independent} edits, and {LEAST_CELLS} are needed."
    return Convergence(trait, tuple(names), tuple(inventory), tuple(behaviour), pearson, spearman, note)


def _check(
    inventory: Sequence[float], behaviour: Sequence[float], names: Sequence[str], groups: Sequence[str] | None
) -> None:
    lengths = {len(names), len(inventory), len(behaviour), len(names if groups is None else groups)}
    if len(lengths) > 1:
        message = (
            f"a correlation needs two scores, a name and a group of every cell: got {len(inventory)}, "
            f"{len(behaviour)} and {len(names)} of them, and {'none' if groups is None else len(groups)}."
        )
        raise RequestError(message)
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        message = f"cell '{twice}' occurs twice: a correlation counts every cell once."
        raise RequestError(message)
    for name, one, other in zip(names, inventory, behaviour, strict=True):
        if not (math.isfinite(one) and math.isfinite(other)):
            message = f"cell '{name}' has a score that is missing or not finite: leave it out."
            raise RequestError(message)
