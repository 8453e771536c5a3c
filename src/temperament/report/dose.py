"""Dose and response: effect and gibberish by strength, as pictures and in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from temperament.record import Figure
from temperament.report.board import Arm, Goal, Way
from temperament.report.evidence import Evidence
from temperament.report.family import probability
from temperament.report.finding import finding, number_of, rows_of, text_of, words_of
from temperament.report.strip import share
from temperament.run import Row

# What is drawn: metric, and its name in the key.
CURVES = (("trait_alignment", "effect"), ("gibberish_share", "gibberish"), ("emoji_share", "emoji"))
METRICS = {
    "trait_alignment": "trait alignment",
    "trait_reading": "probability of the target\u2019s pole less that of the opposite",
    "emoji_share": "share of replies with emojis",
}


@dataclass(frozen=True)
class Dot:
    """One figure in a picture, in percent of its width and height from the upper left."""

    x: float
    y: float
    top: float | None
    bottom: float | None
    is_untouched: bool
    is_void: bool


@dataclass(frozen=True)
class Curve:
    """One metric under one seed: dots, and lines between those that follow one another."""

    kind: str
    dots: list[Dot]

    @property
    def lines(self) -> list[tuple[Dot, Dot]]:
        """From dot to dot."""
        return list(pairwise(self.dots))


@dataclass(frozen=True)
class Fact:
    """What one metric of one goal does with strength, in words."""

    metric: str
    goal: Goal
    slope: str
    monotone: str
    saturation: str
    collapse: str


@dataclass(frozen=True)
class Picture:
    """One goal.

    Attributes:
        ticks: strengths, with their place in percent.
        summary: the picture in words, for those who cannot see it.
        collapse: place of the strength at which it falls apart, in percent.
    """

    goal: Goal
    curves: list[Curve]
    ticks: list[tuple[str, float]]
    summary: str
    collapse: float | None


@dataclass(frozen=True)
class Dose:
    """One way, a picture for each goal, and the facts of ``findings/dose.json`` by metric."""

    name: str
    pictures: list[Picture]
    facts: list[tuple[str, list[Fact]]]


def doses(evidence: Evidence) -> list[Dose]:
    """The ways that were measured at several strengths."""
    found = [(way, arms) for way, arms in evidence.board.ways.items() if len(arms) > 1]
    return [Dose(way.name, _pictures(evidence, way, arms), _facts(evidence, way, arms)) for way, arms in found]


def _facts(evidence: Evidence, way: Way, arms: Sequence[Arm]) -> list[tuple[str, list[Fact]]]:
    goals = list(dict.fromkeys(goal for arm in arms for goal in evidence.board.goals(arm)))
    rows = rows_of(finding(evidence.run, "dose").get("doses"))
    facts = [_fact(row, goal) for goal in goals for row in rows if _is_of(row, way, goal)]
    names = [*METRICS.values(), *(fact.metric for fact in facts)]
    by_metric = {name: [fact for fact in facts if fact.metric == name] for name in names}
    return [(name, some) for name, some in by_metric.items() if some]


def limits(evidence: Evidence) -> Row:
    """What counts as collapse and as no further gain; empty where the run does not say."""
    found = finding(evidence.run, "dose").get("limits")
    return found if isinstance(found, dict) else {}


def _pictures(evidence: Evidence, way: Way, arms: Sequence[Arm]) -> list[Picture]:
    goals = list(dict.fromkeys(goal for arm in arms for goal in evidence.board.goals(arm)))
    return [_picture(evidence, way, [arm for arm in arms if goal in evidence.board.goals(arm)], goal) for goal in goals]


def _picture(evidence: Evidence, way: Way, arms: Sequence[Arm], goal: Goal) -> Picture:
    strengths = [arm.strength for arm in arms]
    start, end = min(0.0, *strengths), max(0.0, *strengths)

    def place(strength: float) -> float:
        return round(100 * (strength - start) / (end - start), 2)

    curves: list[Curve] = []
    said: list[str] = []
    for metric, kind in CURVES:
        for seed in sorted({seed for arm in arms for seed in evidence.board.seeds(arm)}):
            points = _points(evidence, arms, goal, metric, seed)
            dots = [
                _dot(place(strength), figure, is_void=strength != 0 and metric == "trait_alignment" and is_void)
                for strength, figure, is_void in points
            ]
            curves += [Curve(kind, dots)] if dots else []
            values = ", ".join(f"{figure.value:.2f} at {strength:g}" for strength, figure, _ in points)
            said += [f"{metric.replace('_', ' ')} {values}"] if points else []
    rows = [row for row in rows_of(finding(evidence.run, "dose").get("doses")) if _is_of(row, way, goal)]
    collapses = [number_of(_part(row, "collapse"), "strength") for row in rows]
    worst = min((strength for strength in collapses if strength is not None), default=None)
    ticks = [(f"{strength:g}", place(strength)) for strength in (0.0, *strengths)]
    return Picture(goal, curves, ticks, "; ".join(said), None if worst is None else place(worst))


def _points(
    evidence: Evidence, arms: Sequence[Arm], goal: Goal, metric: str, seed: int
) -> list[tuple[float, Figure, bool]]:
    found: list[tuple[float, Figure, bool]] = []
    for arm in arms:
        for pair in evidence.board.pairs(arm, metric):
            if (pair.goal, pair.seed) != (goal, seed):
                continue
            if not any(strength == 0 for strength, _, _ in found) and pair.before and pair.before.value is not None:
                found.append((0.0, pair.before, False))
            if pair.after and pair.after.value is not None:
                found.append((arm.strength, pair.after, evidence.sound(arm, goal).level == "void"))
    return sorted(found, key=lambda point: point[0])


def _dot(x: float, figure: Figure, *, is_void: bool) -> Dot:
    # The picture's y runs downwards.
    top, middle, bottom = (
        None if place is None else round(100 - place, 2)
        for place in map(share, (figure.upper, figure.value, figure.lower))
    )
    return Dot(x, 100.0 if middle is None else middle, top, bottom, figure.method == "base", is_void)


def _fact(row: Row, goal: Goal) -> Fact:
    slope = _part(row, "slope")
    chance, reason = number_of(slope, "chance"), text_of(slope, "reason")
    words = words_of(slope.get("estimate"), signed=True)
    words += "" if chance is None else f", chance {probability(chance)}"
    places = [_place(_part(row, name)) for name in ("monotone", "saturation", "collapse")]
    metric = text_of(row, "metric")
    return Fact(METRICS.get(metric, metric), goal, f"withheld: {reason}" if reason else words, *places)


def _place(row: Row) -> str:
    strength, reason = number_of(row, "strength"), text_of(row, "reason")
    return reason if strength is None else f"{strength:g}" + (f": {reason}" if reason else "")


def _part(row: Row, name: str) -> Row:
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def _is_of(row: Row, way: Way, goal: Goal) -> bool:
    own = tuple(text_of(row, name) for name in ("subject", "method", "condition", "trait", "pole"))
    return own == (way.subject, way.method, way.condition, goal.trait, goal.pole)
