"""The lens that asks whether the units that an edit changed are the cause of the emojis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

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
from temperament.explain.verdict import Evidence, cannot_be_measured, nothing_to_trace, verdict
from temperament.record import Generation
from temperament.stats import Estimate
from temperament.subject.anatomy import Site
from temperament.subject.base import Progress, Subject
from temperament.subject.open import OpenSubject


@dataclass(frozen=True, eq=False)
class Others:
    """What a caller may add.

    Attributes:
        apart: units that are in no random set, such as outlier dimensions.
        scores: of replies that are written, by the name of the outcome.
    """

    apart: tuple[Unit, ...] = ()
    scores: Mapping[str, Score] = field(default_factory=dict[str, Score])


@dataclass(frozen=True)
class CauseLens:
    """Sets changed units back, carries them over to the untouched model, and compares with random units.

    Ablation gives units of the edited model the values that they have at the same token of the same text in the
    untouched one; transplant is the reverse. Units are taken in the order that is given.

    Random sets have as many units at every site, of the same activity in the untouched model. They changed less than
    the units that changed most, so 19 sets of other changed units stand beside them, at the count that the verdict
    rests on. There the units are also set to 0 and to their mean in the untouched model, without sets.

    Attributes:
        counts: of units, fewest first; those beyond the number of units there is become that number.
        sets: of random units at the count that the verdict rests on, for ablation of the gate units (of all units,
            where no gate unit changed); for transplant 99 of these; elsewhere 19, or none, show how far chance goes.
        main: the count that the verdict rests on; the nearest there is.
        generated: random sets beside the top one while replies are written; 0 writes none.
        alone: single units that are ablated. They are put in order by the same texts that their effects are reported
            on, so that the first are overstated; the intervals hold for all of them together (Bonferroni).
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
        self.missing: list[Reason] = []

    def finding(self, units: Sequence[Unit], others: Others, progress: Progress | None) -> CauseFinding:
        lens, probe = self.lens, self.probe
        plans, levels = self._plans(units, others.apart)
        ways = (Way("ablation", self.edit, None), Way("transplant", None, self.edit))
        # The verdict rests on ablation; for the other way as many sets as a p-value needs.
        trials = [(way, plan if way is ways[0] else plan.thinned(FEWEST)) for plan in plans for way in ways]
        held = (Way("ablation", self.edit, None, "zero"), Way("ablation", self.edit, None, "mean", levels))
        trials += [(way, plans[0].bare) for way in held]
        parts = self._parts()
        single = [unit for unit in units if plans[0].place in (unit.place, "all")][: lens.alone]
        conditions = [way.conditions(plan) for way, plan in trials]
        conditions += [conditions_of(parts), [Condition(self.edit, (unit,)) for unit in single]]
        found = probe.values([one for some in conditions for one in some], progress)
        split = _split(found, [len(some) for some in conditions])
        made: list[Curve] = []
        for (way, plan), values in zip(trials, split, strict=False):
            edited, untouched = self.ends
            ends = (edited, untouched) if way.other is None else (untouched, edited)
            made += curves(probe, way, plan, ends, values, lens.seed)
        generated = self._generated(plans[0], levels, others, progress)
        evidence = self._evidence(made, split[0], plans[0], generated)
        return CauseFinding(
            tuple(made),
            knockouts(probe, parts, self.ends[0], split[-2], lens.seed),
            generated,
            verdict(evidence),
            evidence.step.p,
            tuple(self.missing),
            _ranked(probe, single, self.ends, split[-1], lens.seed),
        )

    def _plans(self, units: Sequence[Unit], apart: Sequence[Unit]) -> tuple[list[Plan], Levels]:
        """What is tried, the leading place first, and the mean of every unit of the sites."""
        lens = self.lens
        gates = [unit for unit in units if unit.place == "gate"]
        groups = {"gate": gates} if gates else {}
        if len(gates) < len(units):
            groups["all"] = list(units)
        tried = [unit for some in groups.values() for unit in some[: lens.counts[-1]]]
        sites = sorted({Site(unit.layer, unit.place) for unit in tried})
        found = activity(self.subject, self.probe.texts, sites)
        planner = Planner(lens.counts, lens.sets, lens.main, lens.seed)
        plans = [
            planner.plan(place, some, found.magnitude, apart, is_leading=number == 0)
            for number, (place, some) in enumerate(groups.items())
        ]
        self.missing += [Reason("random sets", remark) for plan in plans for remark in plan.remarks]
        return plans, found.mean

    def _parts(self) -> list[Lacking]:
        parts = lacking(self.subject, self.edit)
        if isinstance(parts, Reason):
            self.missing.append(parts)
            return []
        return parts

    def _evidence(
        self, made: Sequence[Curve], found: Sequence[Values], plan: Plan, generated: Sequence[Curve]
    ) -> Evidence:
        """The curve of ablation of the leading place, where all random sets are; it is made first."""
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
        written = next((curve for curve in generated if curve.outcome == EMOJI_SHARE), None)
        return Evidence(mass, mass.steps[number], share, fluency.steps[number], written)

    def _generated(self, plan: Plan, levels: Levels, others: Others, progress: Progress | None) -> tuple[Curve, ...]:
        lens, tried = self.lens, plan.tried
        if not lens.generated:
            self.missing.append(Reason("generated", "no replies were asked for."))
            return ()
        trial = Trial(plan.place, tried.top, tried.random[: lens.generated], levels)
        generation = replace(lens.generation, seed=lens.seed)
        texts, reason = askable(self.subject, self.edit, self.probe.texts, generation)
        if reason is not None:
            self.missing.append(reason)
        if not texts:
            return ()
        return confirmed(self.subject, self.edit, texts, trial, generation, others.scores, progress)


def _ranked(
    probe: Probe, units: Sequence[Unit], ends: tuple[Values, Values], found: Sequence[Values], seed: int
) -> tuple[Alone, ...]:
    before, after = (values[LATENT_MASS] for values in ends)
    toward = mean_change(before, after) or 0.0
    effects = [
        Alone(unit, widened(change(before, values[LATENT_MASS], probe.topics, seed), len(units), probe.topics))
        for unit, values in zip(units, found, strict=True)
    ]
    return tuple(sorted(effects, key=lambda one: -(one.effect.value or 0.0) * toward))


def _nothing(verdict: str) -> CauseFinding:
    return CauseFinding((), (), (), verdict, None, (Reason("curves", verdict),))


def _rise(probe: Probe, edited: Values, untouched: Values, seed: int) -> Estimate:
    """From the untouched model to the edited one; withheld where one of them has no number for a text."""
    ends = untouched[LATENT_MASS], edited[LATENT_MASS]
    broken = mean_change(*ends) is None or mean_change(*reversed(ends)) is None
    return Estimate(None, None, None, 0) if broken else change(*ends, probe.topics, seed)


def _split(found: Sequence[Values], sizes: Sequence[int]) -> list[list[Values]]:
    left = iter(found)
    return [list(islice(left, size)) for size in sizes]
