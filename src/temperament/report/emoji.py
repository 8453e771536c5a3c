"""Emojis: how many, where and which, and how probable they were where none was written."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from temperament.record import Figure
from temperament.report.board import Arm
from temperament.report.evidence import Evidence
from temperament.report.grid import Column, Grid, grid
from temperament.report.sample import base_cells, cells_of
from temperament.report.wording import estimate, number
from temperament.run import Run
from temperament.stats import Estimate

COLUMNS = (
    Column("emoji_sentence_ratio", "emojis a sentence"),
    Column("emoji_per_100_words", "emojis in 100 words"),
    Column("emoji_after_share", "of the emojis, those after the last sentence"),
    Column("emoji_entropy", "entropy of the emojis, bits"),
    Column("emoticon_share", "replies with emoticons such as :)"),
)
MOST = 12
FLOOR = 1e-6  # left end of the axis of probabilities
LOWER, UPPER = "latent_emoji_mass", "latent_emoji_mass_upper"


@dataclass(frozen=True)
class Use:
    """Which emojis and emoticons the replies of one goal and strength have; None where they were not scored."""

    name: str
    emojis: list[tuple[str, int]] | None
    emoticons: list[tuple[str, int]] | None
    more: int


@dataclass(frozen=True)
class Mass:
    """Latent emoji mass of one condition: both bounds, and where they lie on an axis of powers of ten, in percent."""

    name: str
    kind: str
    lower: str
    upper: str
    change: str
    left: float | None
    right: float | None
    n: int
    anchor: str


def emoji_grid(evidence: Evidence, arms: Sequence[Arm]) -> Grid | None:
    """How many emojis and where, of one way."""
    return grid(evidence, arms, "How many emojis, and where they stand", COLUMNS)


def uses(evidence: Evidence, arms: Sequence[Arm]) -> list[Use]:
    """Which emojis, by goal and strength, the untouched model first."""
    run = evidence.run
    found = [_use(run, "untouched", base_cells(run, arms[0]))]
    for goal in dict.fromkeys(goal for arm in arms for goal in evidence.board.goals(arm)):
        for arm in (arm for arm in arms if goal in evidence.board.goals(arm)):
            name = f"{goal.name}, {arm.strength:g}" if len(arms) > 1 else goal.name
            found.append(_use(run, name, cells_of(run, arm, goal)))
    return found


def masses(evidence: Evidence, arms: Sequence[Arm]) -> list[Mass]:
    """Latent emoji mass of one way, the untouched model first; nothing where it was not measured."""
    before: dict[str, Mass] = {}
    found: list[tuple[int, Mass]] = []
    goals = list(dict.fromkeys(goal for arm in arms for goal in evidence.board.goals(arm)))
    for arm in arms:
        uppers = {(pair.goal, pair.seed): pair for pair in evidence.board.pairs(arm, UPPER)}
        for pair in evidence.board.pairs(arm, LOWER):
            other = uppers.get((pair.goal, pair.seed))
            seed = f", seed {pair.seed}" if len(evidence.board.seeds(arm)) > 1 else ""
            if pair.before:
                bounds = (pair.before, other.before if other else None)
                before[seed] = _mass(evidence, f"untouched{seed}", "untouched", bounds)
            name = (f"{pair.goal.name}, {arm.strength:g}" if len(arms) > 1 else pair.goal.name) + seed
            kind = "void" if evidence.sound(arm, pair.goal).level == "void" else "shaped"
            change = scientific(pair.change, signed=True) if pair.change else ""
            mass = _mass(evidence, name, kind, (pair.after, other.after if other else None), change)
            found.append((goals.index(pair.goal), mass))
    return [*before.values(), *(mass for _, mass in sorted(found, key=lambda one: one[0]))]


def scientific(figure: Figure | Estimate | None, *, signed: bool = False) -> str:
    """A probability that may be tiny, with its interval, such as '3.1e-05 (1.0e-05 to 6.2e-05)'."""
    if figure is None or figure.value is None or abs(figure.value) >= 0.01:
        return estimate(figure, 3, signed=signed)
    if figure.lower is None or figure.upper is None:
        return f"{small(figure.value, signed=signed)} (interval withheld)"
    bounds = " to ".join(small(bound, signed=signed) for bound in (figure.lower, figure.upper))
    return f"{small(figure.value, signed=signed)} ({bounds})"


def small(value: float, *, signed: bool = False) -> str:
    """A number that may be tiny, such as '3.1e-05'."""
    if value == 0 or abs(value) >= 0.01:
        return number(value, 3, signed=signed)
    sign = "\u2212" if value < 0 else "+" if signed else ""
    return f"{sign}{abs(value):.1e}"


def _mass(
    evidence: Evidence, name: str, kind: str, bounds: tuple[Figure | None, Figure | None], change: str = ""
) -> Mass:
    lower, upper = bounds
    left, right = _place(lower), _place(upper or lower)
    n = lower.n if lower else 0
    anchor = evidence.sources.anchor(lower)
    return Mass(name, kind, scientific(lower), scientific(upper), change, left, right, n, anchor)


def _place(figure: Figure | None) -> float | None:
    """On an axis of powers of ten from the floor to 1, in percent."""
    if figure is None or figure.value is None:
        return None
    decades = -math.log10(FLOOR)
    return round(100 * (math.log10(min(max(figure.value, FLOOR), 1.0)) + decades) / decades, 2)


def _use(run: Run, name: str, cells: Sequence[str]) -> Use:
    scores = [part for cell in cells for row in run.scores.get(cell, []) for part in [row.get("emoji")]]
    rows: list[dict[str, Any]] = [part for part in scores if isinstance(part, dict)]
    if not rows:
        return Use(name, None, None, 0)
    emojis = _counted(rows, "emojis")
    is_known = any("emoticons" in row for row in rows)
    return Use(
        name, emojis[:MOST], _counted(rows, "emoticons")[:MOST] if is_known else None, max(0, len(emojis) - MOST)
    )


def _counted(rows: Sequence[dict[str, Any]], name: str) -> list[tuple[str, int]]:
    found = Counter(str(one) for row in rows for one in row.get(name) or [])
    return sorted(found.items(), key=lambda one: (-one[1], one[0]))
