"""All lenses on one edit, in the order in which one needs another."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from temperament.edit.activation import ActivationEdit
from temperament.edit.base import Edit
from temperament.errors import BadFileError, MismatchError, RequestError, SeamError
from temperament.explain.ablation import Levels, Setting, by_site
from temperament.explain.arm import Effects
from temperament.explain.attribution import AttributionLens
from temperament.explain.cause import CauseLens, Others
from temperament.explain.confirmation import Score as ReplyScore
from temperament.explain.finding import CauseFinding, Change, Dot, Explanation, Glow, ProjectionFinding, Reason, Unit
from temperament.explain.matched import activity
from temperament.explain.overlap import changed_set, overlaps, sets_of_edit
from temperament.explain.patching import expected_effects
from temperament.explain.plan import LENSES, ExplainPlan
from temperament.explain.projection import ProjectionLens
from temperament.explain.removal import Score
from temperament.explain.testimony import TestimonyLens
from temperament.explain.text import Text, replies_of
from temperament.explain.unit import UnitLens
from temperament.measure.latent import LatentEmoji, LatentMass
from temperament.record import Record
from temperament.subject.anatomy import Site
from temperament.subject.base import Progress
from temperament.subject.open import OpenSubject
from temperament.trait import Target

# Replies over which the probability of an emoji is shown token by token, and gate units that are ablated for that.
GLOWS = 3
ABLATED = 100
# Units that were expected to do most, whose writing is followed.
WRITERS = 12
# About how long each lens takes, of the whole.
WEIGHTS = {"units": 2, "projection": 1, "attribution": 1, "cause": 12, "testimony": 2, "glows": 2}


@dataclass(frozen=True)
class Material:
    """What is read beside the model.

    Attributes:
        replies: of the edited model.
        untouched: of the untouched one, to the same questions.
        target: of the edit; None where nobody said.
        score: the trait score of texts.
        other: an edit for another trait.
        neurons: edits of method ``neurons``, by name.
        store: file for testimonies.
    """

    replies: Sequence[Record]
    untouched: Sequence[Record]
    target: Target | None = None
    score: Score | None = None
    other: Edit | None = None
    neurons: Mapping[str, ActivationEdit] = field(default_factory=dict[str, ActivationEdit])
    store: Path | None = None


@dataclass(frozen=True, eq=False)
class Seen:
    """What the lenses saw.

    Attributes:
        finding: to be kept and shown.
        effects: on every unit, on the replies of the untouched model, which are the same for all edits; None where
            units could not be looked at, and the finding says why.
    """

    finding: Explanation
    effects: Effects | None


def look_into(
    subject: OpenSubject,
    edit: Edit,
    material: Material,
    plan: ExplainPlan,
    progress: Progress | None = None,
    *,
    is_deep: bool = True,
) -> Seen:
    """Look into an edit with every lens of a plan.

    Args:
        subject: untouched.
        edit: at its strength.
        material: what is read.
        plan: which lenses, how closely.
        progress: is told how far it is, of 1000.
        is_deep: every lens; else units alone.

    Raises:
        BadFileError: the file of testimonies is malformed.
        MismatchError: an edit does not fit the subject, or the testimonies are others'.
        WorkError: a file cannot be written, or a model's numbers are none.
    """
    found = _Looking(subject, edit, material, plan, progress)
    found.attempt("units")
    if is_deep:
        for lens in (lens for lens in LENSES if lens in plan.lenses and lens != "units"):
            found.attempt(lens)
        found.attempt("glows")
    return Seen(found.finding, found.effects)


class _Looking:
    def __init__(
        self, subject: OpenSubject, edit: Edit, material: Material, plan: ExplainPlan, progress: Progress | None
    ) -> None:
        self.subject, self.edit, self.material, self.plan = subject, edit, material, plan
        self.texts = replies_of(material.replies)
        self.effects: Effects | None = None
        # Units in the order of the half that selects, and texts of the other half, on which their effect is measured.
        self.ranked: Sequence[Unit] = ()
        self.selecting: Sequence[Text] = ()
        self.own: Effects | None = None
        self.expected: Levels = {}
        self.held: Sequence[Text] = ()
        self._progress = progress
        self._done = 0
        self.finding = Explanation(subject.name, edit.label.edit or "", _settings(plan, len(self.texts)))

    def attempt(self, lens: str) -> None:
        """Use a lens; where it cannot be used, the finding says why."""
        parts: Mapping[str, Callable[[Progress | None], Explanation]] = {
            "units": self._units,
            "projection": self._project,
            "attribution": self._attribute,
            "cause": self._cause,
            "testimony": self._testify,
            "overlap": self._overlap,
            "glows": self._glow,
        }
        try:
            self.finding = parts[lens](self._told(WEIGHTS.get(lens, 0)))
        except (BadFileError, MismatchError):
            raise
        except (RequestError, SeamError) as error:
            self.finding = self._without_lens(lens, str(error))

    def _without_lens(self, lens: str, reason: str) -> Explanation:
        return replace(self.finding, missing=(*self.finding.missing, Reason(lens, reason)))

    def _units(self, progress: Progress | None) -> Explanation:
        """Which units changed, on own replies and on given ones."""
        lens = UnitLens(level=self.plan.level)
        given = lens.closely(self.subject, self.edit, replies_of(self.material.untouched))
        self.effects = given.effects
        self.finding = replace(self.finding, given=given.finding)
        own = replace(lens, source="own").closely(self.subject, self.edit, self.texts, progress)
        self.ranked, self.own = own.ranked, own.effects
        self.selecting = [text for text in self.texts if text.topic not in own.reporting]
        self.held = spread([text for text in self.texts if text.topic in own.reporting], self.plan.texts)
        return replace(self.finding, units=own.finding)

    @property
    def _changes(self) -> Sequence[Change]:
        return self.finding.units.changes if self.finding.units else ()

    def _project(self, progress: Progress | None) -> Explanation:
        gates = [change for change in self._changes if change.unit.place == "gate"]
        # Of models without gates, dimensions of what the MLPs add.
        shown = gates or [change for change in self._changes if change.unit.place == "mlp"]
        found = ProjectionLens().look(self.subject, self.edit, shown, self.held or self.texts, progress=progress)
        return replace(self.finding, projection=found)

    def _attribute(self, progress: Progress | None) -> Explanation:
        found = AttributionLens().look(self.subject, self.edit, self.texts)
        if progress:
            progress(1, 1)
        return replace(self.finding, attributions=tuple(found))

    def _cause(self, progress: Progress | None) -> Explanation:
        lens = CauseLens(counts=self.plan.counts, sets=self.plan.sets, generated=self.plan.generated)
        outliers = self.finding.units.outliers if self.finding.units else ()
        apart = tuple(outlier.unit for outlier in outliers)
        self.expected = self._expected()
        others = Others(apart, _scores(self.material.score), self.expected)
        if self.ranked and not self.expected:
            reason = "no gradient could be taken on the topics that select, so units are tried in one order."
            self.finding = self._without_lens("expected effects", reason)
        found = lens.look(self.subject, self.edit, self.ranked, self.held, others, progress)
        return replace(self.finding, cause=found, projection=self._with_writers(found))

    def _expected(self) -> Levels:
        """What a gradient says on the half that selects; nothing of a vocabulary that cannot write emojis."""
        sites = sorted({unit.site for unit in self.ranked})
        try:
            return expected_effects(self.subject, self.edit, sites, spread(self.selecting, self.plan.texts))
        except RequestError:
            return {}

    def _with_writers(self, cause: CauseFinding) -> ProjectionFinding | None:
        """What is known of writing, with the units that were expected to do most."""
        projection, effects = self.finding.projection, self.own
        if projection is None or effects is None:
            return projection
        known = {writing.unit for writing in projection.writings}
        dots = [
            Dot(one.unit, float(effects.raw[one.unit.site][one.unit.number]))
            for one in cause.alone
            if one.order == "effect" and one.unit not in known
        ]
        if not dots:
            return projection
        written = ProjectionLens().writings_of(self.subject, self.edit, dots[:WRITERS], self.held)
        return replace(projection, writings=(*projection.writings, *written))

    def _testify(self, progress: Progress | None) -> Explanation:
        if self.material.target is None:
            return self._without_lens("testimony", "the edit is for no target that anybody named: name one (--target).")
        lens = TestimonyLens(self.material.score, self.material.other, answers=self.plan.texts)
        found = lens.look(
            self.subject, self.edit, self.material.replies, self.material.target, self.material.store, progress
        )
        return replace(self.finding, testimony=found)

    def _overlap(self, _progress: Progress | None) -> Explanation:
        if not self.material.neurons:
            reason = "no neurons of a trait were found beside: fit method neurons, too (or --other)."
            return self._without_lens("overlap", reason)
        sets = {
            f"{name}, {kind}": of
            for name, neurons in self.material.neurons.items()
            for kind, of in sets_of_edit(neurons).items()
        }
        sets = {"changed by the edit": changed_set(self.ranked), **sets}
        widths = {layer: self.subject.width(Site(layer, "gate")) for layer in range(self.subject.anatomy.layers)}
        return replace(self.finding, overlaps=tuple(overlaps(sets, widths)))

    def _glow(self, progress: Progress | None) -> Explanation:
        """The replies with the likeliest emojis: untouched, edited, and edited without the units that changed most."""
        wanted = {(text.question, text.answer) for text in self.held or spread(self.texts, self.plan.texts)}
        records = [one for one in self.material.replies if (one.question, one.reply) in wanted]
        rows = LatentEmoji().administer(self.subject, records, progress=progress, edit=self.edit)
        order = sorted(range(len(rows)), key=lambda place: -(rows[place].highest or 0.0))[:GLOWS]
        chosen = [record for place in order for record in records if record.item == rows[place].item]
        before = {row.item: row for row in LatentEmoji().administer(self.subject, chosen)}
        without = {row.item: row for row in self._without(chosen)}
        glows = [_glow_of(rows[place], before, without) for place in order if rows[place].positions]
        return replace(self.finding, glows=tuple(glows))

    def _without(self, records: Sequence[Record]) -> list[LatentMass]:
        """The latent mass where the gate units that the verdict begins with have the mean of the untouched model."""
        units = [unit for unit in self.ranked if unit.place == "gate"]
        cause = self.finding.cause
        if cause is not None and cause.verdict_order == "effect" and cause.curves:
            toward = cause.curves[0].whole.value or 0.0
            units.sort(key=lambda unit: -toward * float(self.expected[Site(unit.layer, "gate")][unit.number]))
        units = units[:ABLATED]
        if not units:
            return []
        levels = activity(self.subject, self.held, list(by_site(units))).mean
        with ExitStack() as stack:
            stack.enter_context(self.edit.applied(self.subject))
            stack.enter_context(Setting.to_levels(units, levels).applied(self.subject))
            return LatentEmoji().administer(self.subject, records)

    def _told(self, weight: int) -> Progress | None:
        """The part of the progress that a lens has."""
        total, start = sum(WEIGHTS.values()), self._done
        self._done += weight
        whole = self._progress
        if whole is None:
            return None
        return lambda done, of: whole(round(1000 * (start + weight * done / max(of, 1)) / total), 1000)


def spread(texts: Sequence[Text], most: int) -> list[Text]:
    """As many of the texts, evenly over their order; of few texts all."""
    count = min(most, len(texts))
    return [texts[place * len(texts) // count] for place in range(count)]


def _scores(score: Score | None) -> dict[str, ReplyScore]:
    """The trait score of replies that are written; of an empty one there is none."""
    if score is None:
        return {}

    def scored(replies: Sequence[str]) -> list[float | None]:
        written = [reply for reply in replies if reply.strip()]
        found = iter(score(written) if written else ())
        return [next(found) if reply.strip() else None for reply in replies]

    return {"target_probability": scored}


def _settings(plan: ExplainPlan, texts: int) -> dict[str, str]:
    return {
        "texts": str(texts),
        "level": f"{plan.level:g}",
        "counts": ", ".join(map(str, plan.counts)),
        "random sets": str(plan.sets),
        "random sets by generation": str(plan.generated),
    }


def _glow_of(row: LatentMass, before: Mapping[str, LatentMass], without: Mapping[str, LatentMass]) -> Glow:
    earlier, ablated = before.get(row.item), without.get(row.item)
    return Glow(
        topic=row.topic,
        pieces=row.pieces,
        before=earlier.lowers if earlier else (),
        after=row.lowers,
        without=ablated.lowers if ablated else (),
    )
