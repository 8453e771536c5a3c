"""Curves of ablation and transplant over the number of units, beside random sets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from temperament.edit.base import Edit
from temperament.errors import RequestError
from temperament.explain.ablation import Levels
from temperament.explain.consequence import change, level, mean_change, rank_p
from temperament.explain.finding import Curve, Step, Unit
from temperament.explain.matched import MatchedUnits, others_of
from temperament.explain.probe import Condition, From, Probe, Values

# Random sets where they only show how far chance goes: at a count that the verdict rests on, and at others.
BAND, NARROW = 19, 9
# How many a p-value needs.
FEWEST = 99


@dataclass(frozen=True)
class Tried:
    """The first k units, and as many random ones, and other changed ones, set after set."""

    top: tuple[Unit, ...]
    random: tuple[tuple[Unit, ...], ...] = ()
    changed: tuple[tuple[Unit, ...], ...] = ()

    @property
    def sets(self) -> tuple[tuple[Unit, ...], ...]:
        """All of them, in order."""
        return (self.top, *self.random, *self.changed)


@dataclass(frozen=True)
class Plan:
    """Units of a place that are tried, fewest first.

    Attributes:
        place: of the units, or ``all``.
        main: how many of them the verdict rests on.
        steps: what is tried.
        remarks: what is to be said of the random sets.
        order: of the units, as in `Curve`.
        units: all of them, in order.
    """

    place: str
    main: int
    steps: tuple[Tried, ...]
    remarks: tuple[str, ...] = ()
    order: str = "change"
    units: tuple[Unit, ...] = ()

    @property
    def tried(self) -> Tried:
        """What the verdict rests on."""
        return next(step for step in self.steps if len(step.top) == self.main)

    def thinned(self, sets: int) -> "Plan":
        """The same with as many random sets at most, at the count that the verdict rests on alone."""
        main = self.tried
        return replace(
            self, steps=tuple(Tried(step.top, step.random[:sets] if step is main else ()) for step in self.steps)
        )

    @property
    def bare(self) -> "Plan":
        """What the verdict rests on alone, without sets beside it."""
        return replace(self, steps=(Tried(self.tried.top),))


@dataclass(frozen=True, eq=False)
class Way:
    """A model that is changed, and one that the values are from.

    Attributes:
        name: ``ablation`` or ``transplant``.
        host: edit of the model that is changed; None is the untouched one.
        other: edit of the model that the values are from.
        values: as in `Curve`.
        levels: of every unit, where the values are ``mean``.
    """

    name: str
    host: Edit | None
    other: Edit | None
    values: str = "base"
    levels: Levels | None = None

    def conditions(self, plan: Plan) -> list[Condition]:
        """Of every step the units, then its sets."""
        values = From(self.other) if self.values == "base" else self.levels
        return [Condition(self.host, units, values) for step in plan.steps for units in step.sets]


@dataclass(frozen=True)
class Planner:
    """Chooses what is tried.

    Attributes:
        counts: of units.
        sets: random ones at the count that the verdict rests on.
        main: that count, or the nearest there is.
        seed: of the random sets.
    """

    counts: tuple[int, ...]
    sets: int
    main: int
    seed: int

    def counts_of(self, units: int) -> list[int]:
        """The counts that there are units for; all units stand for every larger count."""
        return sorted({min(count, units) for count in self.counts})

    def plan(
        self,
        place: str,
        units: Sequence[Unit],
        magnitude: Levels,
        apart: Sequence[Unit],
        order: str = "change",
        *,
        is_leading: bool,
    ) -> Plan:
        """Draw the random sets of a place.

        Args:
            place: name of it.
            units: that changed, in the order in which they are tried; those beyond the largest count are drawn from.
            magnitude: mean absolute activation of every unit of the sites of those that are tried.
            apart: units that are in no set.
            order: of the units, as in `Curve`.
            is_leading: all sets are drawn at the count that the verdict rests on, with 19 of other changed units, and 9
                at the other counts of the units that changed most; else 19 at the former alone.
        """
        counts = self.counts_of(len(units))
        main = min(counts, key=lambda count: (abs(count - self.main), count))
        steps: list[Tried] = []
        remarks: list[str] = []
        for count in counts:
            top = tuple(units[:count])
            sets = min(self.sets, NARROW if count != main else self.sets if is_leading else BAND)
            if count != main and not (is_leading and order == "change"):
                steps.append(Tried(top))
                continue
            changed: tuple[tuple[Unit, ...], ...] = ()
            if is_leading and count == main:
                changed, remark = self._changed(place, units, count, apart)
                remarks += remark
            try:
                matched = MatchedUnits(top, magnitude, apart).draw(sets, self.seed + count)
            except RequestError as error:
                remarks.append(str(error))
                steps.append(Tried(top, changed=changed))
                continue
            steps.append(Tried(top, matched.sets, changed))
            if matched.borrowed and count == main:
                remarks.append(
                    f"{100 * matched.borrowed:.0f} % of the random units beside {count} ({place}) come from a "
                    "neighbouring decile of activity, because theirs has no others left."
                )
        return Plan(place, main, tuple(steps), tuple(remarks), order, tuple(units))

    def _changed(
        self, place: str, units: Sequence[Unit], count: int, apart: Sequence[Unit]
    ) -> tuple[tuple[tuple[Unit, ...], ...], list[str]]:
        """Sets of changed units beside the first ones, and what is to be said of them."""
        out = set(apart)
        pool = [unit for unit in units[count:] if unit not in out]
        found = others_of(units[:count], pool, min(BAND, self.sets), self.seed + count)
        if found:
            return found, []
        remark = (
            f"beside {count} ({place}) the edit changed {len(pool)} other units, too few to tell whether other changed "
            "units do as much."
        )
        return (), [remark]


def curves(
    probe: Probe, way: Way, plan: Plan, ends: tuple[Values, Values], found: Sequence[Values], seed: int
) -> tuple[Curve, ...]:
    """The curve of each outcome.

    Args:
        probe: that read the texts.
        way: what was done.
        plan: to which units.
        ends: what is read of the model that is changed, and of the other one.
        found: under `Way.conditions`.
        seed: of the resamples.
    """
    start, end = ends
    made: list[Curve] = []
    for name in probe.names:
        whole = change(start[name], end[name], probe.topics, seed)
        left = iter(found)
        steps: list[Step] = []
        for tried in plan.steps:
            effect = change(start[name], next(left)[name], probe.topics, seed)
            random, changed = (
                tuple(one for _ in some if (one := mean_change(start[name], next(left)[name])) is not None)
                for some in (tried.random, tried.changed)
            )
            p = rank_p(effect.value, random, whole.value or 0.0) if len(random) >= FEWEST else None
            steps.append(Step(len(tried.top), effect, random, p, changed))
        before = level(start[name], probe.topics, seed)
        made.append(Curve(way.name, way.values, plan.place, name, before, whole, tuple(steps), plan.order))
    return tuple(made)
