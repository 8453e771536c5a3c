"""Figures arranged for reading: which arms a study has, and each metric before, after and changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from temperament.record import Figure, Label
from temperament.trait import BIG_FIVE, Trait, parse_pole

BASE = "base"
NAMES = {
    "base": "Untouched",
    "prompt": "The prompt",
    "ike": "IKE",
    "mend": "MEND",
    "qlora": "QLoRA",
    "neurons": "NPTI neurons",
    "direction": "The steering vector",
}
Verdict = Literal["towards", "away", "unclear", "unknown"]


@dataclass(frozen=True)
class Arm:
    """One way in which a subject was shaped, for any target and seed."""

    subject: str
    method: str
    condition: str
    strength: float

    @property
    def name(self) -> str:
        """The method as people write it, and its condition."""
        name = "+".join(NAMES.get(part, part) for part in self.method.split("+"))
        return f"{name} ({self.condition})" if self.condition else name


@dataclass(frozen=True)
class Way:
    """A method under one condition: arms that differ in strength alone are of one way."""

    subject: str
    method: str
    condition: str

    @property
    def name(self) -> str:
        """The method as people write it, and its condition."""
        return Arm(self.subject, self.method, self.condition, 1.0).name


@dataclass(frozen=True)
class Goal:
    """What an arm was shaped towards: a target, or several where edits are stacked."""

    trait: str
    pole: str

    @property
    def name(self) -> str:
        """Trait and pole, such as 'extraversion, high'; 'no target' for an edit without one, such as a control."""
        return ", ".join(filter(None, (self.trait, self.pole))) or "no target"


@dataclass(frozen=True)
class Pair:
    """One metric of one arm, goal and seed: of the untouched model, of the shaped one, and their difference."""

    goal: Goal
    seed: int
    before: Figure | None
    after: Figure | None
    change: Figure | None

    @property
    def verdict(self) -> Verdict:
        """Which way it moved, where the interval of the paired difference excludes 0."""
        if self.change is None or self.change.lower is None or self.change.upper is None:
            return "unknown"
        if self.change.lower > 0:
            return "towards"
        return "away" if self.change.upper < 0 else "unclear"


class Board:
    """The figures of a run, found by what they are of.

    Attributes:
        subjects: in order of appearance.
        traits: by name, in the order in which they are shown.
    """

    def __init__(self, figures: list[Figure], traits: Sequence[Trait] = BIG_FIVE) -> None:
        self.traits = {trait.name: trait for trait in traits}
        self._found = {_key(figure): figure for figure in figures}
        self.subjects = list(dict.fromkeys(figure.subject for figure in figures))
        self._seeds: dict[Arm, dict[Goal, set[int]]] = {}
        self._measured: dict[tuple[Arm, str], set[Goal]] = {}
        self._origins: dict[Goal, None] = {}
        self._pairs: dict[tuple[Arm, str, Goal | None], list[Pair]] = {}
        for figure in figures:
            goal = Goal(figure.trait or "", figure.pole or "")
            if figure.method == BASE:
                self._origins[goal] = None
            else:
                arm = Arm(figure.subject, figure.method, figure.condition, figure.strength)
                self._seeds.setdefault(arm, {}).setdefault(goal, set()).add(figure.seed)
                measured = Goal(figure.measured_trait or "", figure.measured_pole or "")
                self._measured.setdefault((arm, figure.metric), set()).add(measured)

    @property
    def arms(self) -> list[Arm]:
        """The arms that were shaped, in order of appearance."""
        return list(self._seeds)

    @property
    def ways(self) -> dict[Way, list[Arm]]:
        """The arms of each way, weakest first; ways in order of appearance."""
        found: dict[Way, list[Arm]] = {}
        for arm in self.arms:
            found.setdefault(Way(arm.subject, arm.method, arm.condition), []).append(arm)
        return {way: sorted(arms, key=lambda arm: arm.strength) for way, arms in found.items()}

    def name(self, arm: Arm) -> str:
        """What an arm is called on the page: with its strength where that is not 1, or where there are several."""
        strengths = {other.strength for other in self.arms if other.name == arm.name}
        return arm.name if strengths == {1.0} else f"{arm.name} at strength {arm.strength:g}"

    def adjective(self, goal: Goal) -> str:
        """What the pole is called, such as 'introverted'; empty where edits are stacked or the trait is unknown."""
        trait = self.traits.get(goal.trait)
        return trait.adjective(parse_pole(goal.pole)) if trait else ""

    def goals(self, arm: Arm) -> list[Goal]:
        """What an arm was shaped towards, in order of appearance."""
        return list(self._seeds[arm])

    def seeds(self, arm: Arm) -> list[int]:
        """The seeds of an arm, lowest first."""
        return sorted({seed for seeds in self._seeds[arm].values() for seed in seeds})

    def cells(self, arm: Arm, goals: Sequence[Goal] | None = None) -> int:
        """How many goals and seeds an arm has, of all goals or of some."""
        return sum(len(seeds) for goal, seeds in self._seeds[arm].items() if goals is None or goal in goals)

    def pairs(self, arm: Arm, metric: str, measured: Goal | None = None) -> list[Pair]:
        """One metric of an arm, a pair for each goal and seed; none where it was not measured."""
        key = (arm, metric, measured)
        if key not in self._pairs:
            self._pairs[key] = self._paired(arm, metric, measured)
        return self._pairs[key]

    def _paired(self, arm: Arm, metric: str, measured: Goal | None) -> list[Pair]:
        places = [
            (goal, seed, self._at(arm, goal, seed, metric, measured))
            for goal in self.goals(arm)
            for seed in sorted(self._seeds[arm][goal])
        ]
        return [
            Pair(goal, seed, self._before(arm, goal, seed, metric, measured), after, change)
            for goal, seed, after in places
            for change in [self._at(arm, goal, seed, f"{metric}_change", measured)]
            if after is not None or change is not None
        ]

    def measured(self, arm: Arm, metric: str) -> list[Goal]:
        """Which traits and poles a metric was measured for, in the order of the traits, low before high."""
        found = self._measured.get((arm, metric), set())
        order = [*self.traits, *sorted({goal.trait for goal in found} - set(self.traits))]
        return sorted(found, key=lambda goal: (order.index(goal.trait), goal.pole != "low", goal.pole))

    def _at(self, arm: Arm, goal: Goal, seed: int, metric: str, measured: Goal | None) -> Figure | None:
        what = (measured.trait, measured.pole) if measured else ("", "")
        place = (arm.subject, arm.method, arm.condition, arm.strength, goal.trait, goal.pole, seed, metric)
        found = self._found.get((*place, *what))
        if found is None and measured is None:
            # What is measured of every trait stands for the target's own; scales from low to high are named by 'high'.
            own = (self._found.get((*place, goal.trait, pole)) for pole in (goal.pole, "", "high"))
            found = next((figure for figure in own if figure is not None), None)
        return found

    def _before(self, arm: Arm, goal: Goal, seed: int, metric: str, measured: Goal | None) -> Figure | None:
        base = replace(arm, method=BASE, strength=0.0)
        # The untouched model has a row for each target; for an edit without one, any of them gives emojis and words.
        origins = (goal, Goal("", "")) if goal.trait else (goal, *self._origins)
        for place in (base, replace(base, condition="")):
            for origin in origins:
                found = self._at(place, origin, seed, metric, measured)
                if found is not None:
                    return found
        return None


def verdict_of(pairs: list[Pair]) -> Verdict:
    """The verdict that holds in every seed; 'unclear' where seeds differ."""
    verdicts: set[Verdict] = {pair.verdict for pair in pairs}
    if not verdicts:
        return "unknown"
    return verdicts.pop() if len(verdicts) == 1 else "unclear"


def by_goal(pairs: list[Pair]) -> dict[Goal, list[Pair]]:
    """Pairs under their goal, a pair for each seed."""
    found: dict[Goal, list[Pair]] = {}
    for pair in pairs:
        found.setdefault(pair.goal, []).append(pair)
    return found


def values_of(figures: Iterable[Figure | None]) -> list[float]:
    """The values that are there and not withheld."""
    return [figure.value for figure in figures if figure is not None and figure.value is not None]


def mean_value(figures: Iterable[Figure | None]) -> float | None:
    """The mean of the values that are there; None where there is none. Say beside it of how many it is."""
    values = values_of(figures)
    return fmean(values) if values else None


def is_of_arm(label: Label, arm: Arm, goal: Goal) -> bool:
    """Whether a record with this label comes from an arm and goal."""
    own = (label.method, label.condition, label.strength, label.trait or "", label.pole or "")
    return own == (arm.method, arm.condition, arm.strength, goal.trait, goal.pole)


def _key(figure: Figure) -> tuple[object, ...]:
    return (
        figure.subject,
        figure.method,
        figure.condition,
        figure.strength,
        figure.trait or "",
        figure.pole or "",
        figure.seed,
        figure.metric,
        figure.measured_trait or "",
        figure.measured_pole or "",
    )
