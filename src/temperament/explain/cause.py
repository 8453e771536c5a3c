"""The lens that asks whether the units that an edit changed are the cause of the emojis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from torch import Tensor

from temperament.edit.base import Edit, refuse_closed
from temperament.errors import RequestError
from temperament.explain.ablation import Levels
from temperament.explain.confirmation import EMOJI_SHARE, Score, Trial, askable, confirmed
from temperament.explain.consequence import change, mean_change, share_of, widened
from temperament.explain.curve import FEWEST, Plan, Planner, Way, curves
from temperament.explain.finding import Alone, CauseFinding, Curve, Reason, Unit
from temperament.explain.knockout import Lacking, conditions_of, knockouts, lacking
from temperament.explain.matched import activity
from temperament.explain.outcome import LATENT_MASS, LOG_LIKELIHOOD
from temperament.explain.probe import Condition, Probe, Values
from temperament.explain.text import Text
from temperament.explain.verdict import Evidence, cannot_be_measured, leading_one, nothing_to_trace, verdict
from temperament.record import Generation
from temperament.stats import Estimate
from temperament.subject.anatomy import Site
from temperament.subject.base import Progress, Subject
from temperament.subject.open import OpenSubject

# Percent of the time that reading under conditions takes; the rest is for replies that are written.
READING = 80


@dataclass(frozen=True, eq=False)
class Others:
    """What a caller may add.

    Attributes:
        apart: units that are in no random set, such as outlier dimensions.
        scores: of replies that are written, by the name of the outcome.
        expected: what a gradient says that setting each unit back would do, by site, as other texts say than those that
            are read (`expected_effects`); the changed units are tried in this order, too, where its first ones differ.
    """

    apart: tuple[Unit, ...] = ()
    scores: Mapping[str, Score] = field(default_factory=dict[str, Score])
    expected: Levels = field(default_factory=dict[Site, Tensor])


@dataclass(frozen=True)
class CauseLens:
    """Sets changed units back, carries them over to the untouched model, and compares with random units.

    Ablation gives units of the edited model the values that they have at the same token of the same text in the
    untouched one; transplant is the reverse. Units are taken in the order that is given, those first that changed most;
    and, where it is known, in the order of their expected effects: a unit may change much and write no emoji.

    Random sets have as many units at every site, of the same activity in the untouched model. They changed less than
    the units that changed most, so 19 sets of other changed units stand beside them, at the count that the verdict
    rests on. There the units are also set to 0 and to their mean in the untouched model, without sets.

    Attributes:
        counts: of units, fewest first; those beyond the number of units there is become that number.
        sets: of random units at the count that the verdict rests on, for ablation of the gate units (of all units,
            where no gate unit changed), in either order; for transplant 99 of these, in the order of expected effects
            where there is one; elsewhere 19, 9 or none show how far chance goes.
        main: the count that the verdict rests on; the nearest there is.
        generated: random sets beside the top one while replies are written, in the order of expected effects where
            there is one; 0 writes none.
        alone: single units that are ablated, the first ones of each order. They are put in order by the same texts that
            their effects are reported on, so that the first are overstated; the intervals hold for all of them together
            (Bonferroni).
        generation: how replies are written.
        seed: of random sets and resamples.

    Raises:
        RequestError: a number makes no sense.
    """

    counts: tuple[int, ...] = (10, 30, 100, 300, 1000)
    sets: int = 199
    main: int = 100
    generated: int = 20
    alone: int = 20
    generation: Generation = Generation(max_new_tokens=40)
    seed: int = 0

    def __post_init__(self) -> None:
        is_counted = bool(self.counts) and min(self.counts) >= 1 and list(self.counts) == sorted(set(self.counts))
        if not is_counted or self.sets < 1 or min(self.main, self.generated, self.alone) < 0:
            message = (
                f"counts {list(self.counts)}, sets {self.sets}, main {self.main}, generated {self.generated} and alone "
                f"{self.alone} were asked for: name counts of at least 1, each once, fewest first, and at least 1 set."
            )
            raise RequestError(message)

    def look(
        self,
        subject: Subject,
        edit: Edit,
        ranked: Sequence[Unit],
        texts: Sequence[Text],
        others: Others | None = None,
        progress: Progress | None = None,
    ) -> CauseFinding:
        """Whether the changed units are the cause.

        Args:
            subject: untouched.
            edit: of any kind.
            ranked: units that the edit changed, those first that changed most, as other texts say than these.
            texts: that are read in every condition, best with emojis likely in them: replies of the edited model.
            others: what else may be said: units that are no match for any, and further scores of replies.
            progress: is told how many texts were read under a condition, of how many.

        Raises:
            SeamError: the subject is closed.
            RequestError: no text fits into the model's window.
        """
        if not isinstance(subject, OpenSubject):
            raise refuse_closed(subject, "thinks")
        units = list(dict.fromkeys(ranked))
        if not units:
            return _nothing("No unit was shown to change beyond the stated rate, so there is none to try.")
        probe = Probe(subject, edit, texts)
        unseen = probe.unseen
        if unseen and probe.is_blind:
            return _nothing(cannot_be_measured(unseen))
        edited, untouched = probe.values([Condition(edit), Condition(None)])
        if (reason := nothing_to_trace(_rise(probe, edited, untouched, self.seed))) is not None:
            return _nothing(cannot_be_measured(unseen) if unseen else reason)
        work = _Work(self, subject, edit, probe, (edited, untouched))
        if unseen:
            work.missing.append(Reason(LATENT_MASS, f"some of it is not seen: {unseen}."))
        if len(probe.texts) < len(texts):
            work.missing.append(
                Reason("texts", f"{len(texts) - len(probe.texts)} of {len(texts)} do not fit into the model's window.")
            )
        return work.finding(units, others or Others(), progress)


class _Work:
    """What is done once there is something to trace."""

    def __init__(
        self, lens: CauseLens, subject: OpenSubject, edit: Edit, probe: Probe, ends: tuple[Values, Values]
    ) -> None:
        self.lens, self.subject, self.edit, self.probe, self.ends = lens, subject, edit, probe, ends
        # From the edited model to the untouched one, the sign of it.
        self.toward = mean_change(*(values[LATENT_MASS] for values in ends)) or 0.0
        self.missing: list[Reason] = []

    def finding(self, units: Sequence[Unit], others: Others, progress: Progress | None) -> CauseFinding:
        lens, probe = self.lens, self.probe
        plans, levels = self._plans(units, others)
        leading = [plan for plan in plans if plan.place == plans[0].place]
        ablation, transplant = Way("ablation", self.edit, None), Way("transplant", None, self.edit)
        held = (Way("ablation", self.edit, None, "zero"), Way("ablation", self.edit, None, "mean", levels))
        # The verdict rests on ablation, of the leading plans.
        trials = [(ablation, plan) for plan in plans]
        trials += [(transplant, plan.thinned(FEWEST if plan is leading[-1] else 0)) for plan in plans]
        trials += [(way, plan.bare) for plan in leading for way in held]
        parts = self._parts()
        # Of the orders the last one has the word on units that are among the first of several.
        single = {unit: plan.order for plan in leading for unit in plan.units[: lens.alone]}
        conditions = [way.conditions(plan) for way, plan in trials]
        conditions += [conditions_of(parts), [Condition(self.edit, (unit,)) for unit in single]]
        found = probe.values([one for some in conditions for one in some], _part_of(progress, 0, READING))
        split = _split(found, [len(some) for some in conditions])
        made = [self._curves(way, plan, values) for (way, plan), values in zip(trials, split, strict=False)]
        evidence = [self._evidence(*one) for one in zip(leading, made, split, strict=False)]
        generated = self._generated(leading[-1], levels, others, _part_of(progress, READING, 100 - READING))
        lead = leading_one(evidence)
        return CauseFinding(
            tuple(curve for some in made for curve in some),
            knockouts(probe, parts, self.ends[0], split[-2], lens.seed),
            generated,
            verdict(evidence, next((curve for curve in generated if curve.outcome == EMOJI_SHARE), None)),
            lead.step.p,
            tuple(self.missing),
            self._alone(single, split[-1], others.expected),
            lead.mass.order,
            plans[0].main,
        )

    def _alone(self, orders: Mapping[Unit, str], found: Sequence[Values], expected: Levels) -> tuple[Alone, ...]:
        before, topics = self.ends[0][LATENT_MASS], self.probe.topics
        effects = [
            Alone(
                unit,
                widened(change(before, values[LATENT_MASS], topics, self.lens.seed), len(orders), topics),
                order,
                float(expected[unit.site][unit.number]) if unit.site in expected else None,
            )
            for (unit, order), values in zip(orders.items(), found, strict=True)
        ]
        return tuple(sorted(effects, key=lambda one: -(one.effect.value or 0.0) * self.toward))

    def _curves(self, way: Way, plan: Plan, values: Sequence[Values]) -> tuple[Curve, ...]:
        edited, untouched = self.ends
        ends = (edited, untouched) if way.other is None else (untouched, edited)
        return curves(self.probe, way, plan, ends, values, self.lens.seed)

    def _plans(self, units: Sequence[Unit], others: Others) -> tuple[list[Plan], Levels]:
        """What is tried, the leading place first in either order, and the mean of every unit of the sites."""
        lens = self.lens
        gates = [unit for unit in units if unit.place == "gate"]
        groups = [(gates or units, "gate" if gates else "all", "change")]
        if expected := self._expected(gates or units, others.expected):
            groups.append((expected, groups[0][1], "effect"))
        if gates and len(gates) < len(units):
            groups.append((units, "all", "change"))
        tried = [unit for some, _, _ in groups for unit in some[: lens.counts[-1]]]
        sites = sorted({unit.site for unit in tried})
        found = activity(self.subject, self.probe.texts, sites)
        planner = Planner(lens.counts, lens.sets, lens.main, lens.seed)
        plans = [
            planner.plan(place, some, found.magnitude, others.apart, order, is_leading=place == groups[0][1])
            for some, place, order in groups
        ]
        if len(groups) > 1 and groups[1][2] == "effect" and set(plans[1].tried.top) == set(plans[0].tried.top):
            # The same units in another order are no second chance, and no second finding.
            del plans[1]
        remarks = dict.fromkeys(remark for plan in plans for remark in plan.remarks)
        self.missing += [Reason("random sets", remark) for remark in remarks]
        return plans, found.mean

    def _expected(self, units: Sequence[Unit], expected: Levels) -> list[Unit]:
        """Changed units, those first that are expected to be most of what the edit does; none where nobody said."""
        known = {unit: float(expected[unit.site][unit.number]) for unit in units if unit.site in expected}
        return sorted(known, key=lambda unit: -known[unit] * self.toward)

    def _parts(self) -> list[Lacking]:
        parts = lacking(self.subject, self.edit)
        if isinstance(parts, Reason):
            self.missing.append(parts)
            return []
        return parts

    def _evidence(self, plan: Plan, made: Sequence[Curve], found: Sequence[Values]) -> Evidence:
        """Of an ablation with all its random sets.

        Args:
            plan: what was tried.
            made: the curves of it.
            found: under its conditions.
        """
        mass, fluency = (
            next(curve for curve in made if curve.outcome == name) for name in (LATENT_MASS, LOG_LIKELIHOOD)
        )
        number = [step.count for step in mass.steps].index(plan.main)
        # The step's own condition stands before those of its sets.
        place = sum(len(step.sets) for step in plan.steps[:number])
        before, after, end = (values[LATENT_MASS] for values in (self.ends[0], found[place], self.ends[1]))
        parts = [second - first for first, second in zip(before, after, strict=True)]
        wholes = [last - first for first, last in zip(before, end, strict=True)]
        share = share_of(parts, wholes, self.probe.topics, self.lens.seed)
        return Evidence(mass, mass.steps[number], share, fluency.steps[number])

    def _generated(self, plan: Plan, levels: Levels, others: Others, progress: Progress | None) -> tuple[Curve, ...]:
        lens, tried = self.lens, plan.tried
        if not lens.generated:
            self.missing.append(Reason("generated", "no replies were asked for."))
            return ()
        trial = Trial(plan.place, tried.top, tried.random[: lens.generated], levels, plan.order)
        generation = replace(lens.generation, seed=lens.seed)
        texts, reason = askable(self.subject, self.edit, self.probe.texts, generation)
        if reason is not None:
            self.missing.append(reason)
        if not texts:
            return ()
        return confirmed(self.subject, self.edit, texts, trial, generation, others.scores, progress)


def _nothing(verdict: str) -> CauseFinding:
    return CauseFinding((), (), (), verdict, None, (Reason("curves", verdict),))


def _rise(probe: Probe, edited: Values, untouched: Values, seed: int) -> Estimate:
    """From the untouched model to the edited one; withheld where one of them has no number for a text."""
    ends = untouched[LATENT_MASS], edited[LATENT_MASS]
    broken = mean_change(*ends) is None or mean_change(*reversed(ends)) is None
    return Estimate(None, None, None, 0) if broken else change(*ends, probe.topics, seed)


def _part_of(progress: Progress | None, before: int, percent: int) -> Progress | None:
    """A stretch of all there is to do, in percent of it."""
    if progress is None:
        return None
    return lambda done, of: progress(before * of + percent * done, 100 * of)


def _split(found: Sequence[Values], sizes: Sequence[int]) -> list[list[Values]]:
    left = iter(found)
    return [list(islice(left, size)) for size in sizes]
