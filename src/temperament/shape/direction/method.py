"""Steering vectors: a direction in activation space that tells the poles of a trait apart, added while it replies.

Source: Rimsky et al. 2023, arXiv 2312.06681 (CAA); Chen et al. 2025, arXiv 2507.21509 (persona vectors).
Departs: the length is in units of the activation's own mean length at the layer, not of the raw difference, whose
length varies with layer, model, data and kind: so one grid of gains serves them all, and a gain says how much of what
the model thinks is written over. Layer and gain are chosen by likelihood under a floor on fluency, not by a judge.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from temperament.activation.forcing import Exchange, neutral_exchanges
from temperament.edit.activation import ActivationEdit, Shift, Tokens
from temperament.edit.base import Edit, Origin
from temperament.errors import RequestError, TrainingError, UnknownNameError
from temperament.opinion.row import Opinions
from temperament.opinion.situation import load_passages
from temperament.shape.direction.choice import Bench, Choice, Grid, Parts, Score, Trial, parted
from temperament.shape.direction.reading import Kind, Reading, read
from temperament.shape.likelihood import exchanges_of, tokens_read
from temperament.shape.pair import drawn, pairs_of
from temperament.shape.protocol import Effort, FitProgress, Workspace, opened, origin_of
from temperament.subject.anatomy import Place, Site
from temperament.subject.base import Subject
from temperament.subject.open import OpenSubject
from temperament.trait import Target

# Depths at which layers are tried. On SmolLM2 the first-order effect of extraversion, d(p+ - p-) / d(gain) on 50
# held-out pairs, is nothing below a depth of 0.2, 0.56 (standard error 0.14) at 0.65, and 0.16 at the last layer.
DEPTHS = (0.4, 0.5, 0.6, 0.7, 0.8)
PRESETS: dict[str, Kind] = {"default": "difference", "component": "component", "random": "random"}


@dataclass(frozen=True)
class Direction:
    """Fit a steering vector to answers of both poles.

    Half of the topics make the vector; layer and gain are chosen on a quarter, and reported on the last quarter.
    What was tried and found is in the edit's ``origin.settings["choice"]``.

    Attributes:
        kind: ``difference`` of means; first principal ``component`` of paired differences; or ``random``, a control of
            the same length at the layer and gain that the difference gets.
        place: ``residual``, the stream after a block, or ``gate``, the units of a gated MLP.
        layers: that are tried, 0-based; none is five in the middle of the model.
        gains: that are tried: length of the vector at strength 1, in mean lengths of the activation over answer tokens.
            One layer and one gain are taken as they are.
        tokens: ``reply`` steers the positions that a reply is read off; ``all`` steers the prompt too.
        perplexity_limit: the floor on fluency: neutral passages, as replies, may become at most this many times as
            perplexing as to the untouched model.
        vector_pairs: pairs of answers behind the vector, at most.
        choice_pairs: pairs behind the choice, at most.
        report_pairs: pairs behind the report, at most.
        passages: neutral ones behind the choice, and as many others behind the report.
        seed: of who is drawn, and of the random vector.
        condition: name of these settings in records.
    """

    kind: Kind = "difference"
    place: Place = "residual"
    layers: tuple[int, ...] = ()
    gains: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.4)
    tokens: Tokens = "reply"
    perplexity_limit: float = 1.25
    vector_pairs: int = 96
    choice_pairs: int = 24
    report_pairs: int = 24
    passages: int = 4
    seed: int = 0
    condition: str = "default"

    def __post_init__(self) -> None:
        for name in ("vector_pairs", "choice_pairs", "report_pairs", "passages"):
            if getattr(self, name) < 1:
                message = f"{name} is {getattr(self, name)}: it needs to be at least 1."
                raise RequestError(message)
        for layer in self.layers:
            if layer < 0:
                message = f"layers has {layer}: layers count from 0, the first block; give none to try several."
                raise RequestError(message)
        if not self.gains or min(self.gains) <= 0:
            message = f"gains is {list(self.gains)}: it needs numbers above 0, such as [0.1, 0.2]."
            raise RequestError(message)
        if self.perplexity_limit <= 1:
            message = f"perplexity_limit is {self.perplexity_limit:g}: it needs to be above 1, the untouched model's."
            raise RequestError(message)

    @classmethod
    def preset(cls, name: str) -> "Direction":
        """``default``, ``component``, or the control ``random``.

        Raises:
            UnknownNameError: there is no such preset.
        """
        if name not in PRESETS:
            raise UnknownNameError(kind="preset", asked=name, known=PRESETS)
        return cls(kind=PRESETS[name], condition=name)

    @property
    def name(self) -> str:
        """As on the command line and in records."""
        return "direction"

    def fit(self, subject: Subject, target: Target, opinions: Opinions, workspace: Workspace = Workspace()) -> Edit:
        """A steering vector for one target; see ``fit_each``."""
        return self.fit_each(subject, [target], opinions, workspace)[0]

    def fit_each(
        self,
        subject: Subject,
        targets: Sequence[Target],
        opinions: Opinions,
        workspace: Workspace = Workspace(),
    ) -> list[Edit]:
        """A steering vector for each target, both poles of a trait from one reading.

        Raises:
            SeamError: the subject's weights are not at hand, or it has no such layer or place.
            RequestError: a pole of a target's trait is shown by no opinion, there are too few topics to choose and to
                report on, or a row is longer than the model's window.
            TrainingError: every candidate breaks the floor, or the poles do not differ at any of them.
        """
        return self._fit_each(subject, targets, opinions, workspace, None)

    def choose(
        self,
        subject: Subject,
        target: Target,
        opinions: Opinions,
        score: Score,
        workspace: Workspace = Workspace(),
    ) -> Edit:
        """A steering vector whose layer and gain are chosen by a score of one's own, such as a classifier's of replies.

        Args:
            subject: to be steered.
            target: as in ``fit``.
            opinions: as in ``fit``.
            score: of the subject under a candidate, given opinions of both poles on topics that the vector has not
                seen; higher is better. The floor on fluency holds as well.
            workspace: as in ``fit``.

        Raises:
            SeamError: see ``fit_each``.
            RequestError: see ``fit_each``.
            TrainingError: see ``fit_each``.
        """
        return self._fit_each(subject, [target], opinions, workspace, score)[0]

    def effort(self, subject: Subject, targets: Sequence[Target], opinions: Opinions) -> Effort:
        """Tokens read where no candidate breaks the floor: at most."""
        subject = opened(subject, self.name)
        grid = self._grid(subject, None)
        choosing, reporting = self._neutral()
        tokens, read_traits = 0, set[str]()
        for target in dict.fromkeys(targets):
            parts = self._parts(opinions, target, grid)
            if target.trait not in read_traits:
                tokens += tokens_read(subject, exchanges_of(parts.vector))
                read_traits.add(target.trait)
            # Beside the candidates: the untouched model, the edit, and for the divergence of passages both once more.
            if parts.choice:
                tokens += (grid.scorings + 2) * tokens_read(subject, exchanges_of(parts.choice))
                tokens += (grid.size + 4) * tokens_read(subject, choosing)
            if parts.report:
                tokens += 2 * tokens_read(subject, exchanges_of(parts.report)) + 4 * tokens_read(subject, reporting)
        return Effort(read=tokens)

    def _fit_each(
        self, subject: Subject, targets: Sequence[Target], opinions: Opinions, workspace: Workspace, score: Score | None
    ) -> list[Edit]:
        subject = opened(subject, self.name)
        grid = self._grid(subject, score)
        readings: dict[str, Mapping[Site, Reading]] = {}
        edits: dict[Target, Edit] = {}
        for number, target in enumerate(dict.fromkeys(targets)):
            parts = self._parts(opinions, target, grid)
            if target.trait not in readings:
                # Towards the high pole, whichever is asked for: the vectors of the poles are each other's negative.
                high = parts.vector if target.pole == "high" else [pair.turned() for pair in parts.vector]
                readings[target.trait] = read(subject, [Site(layer, self.place) for layer in grid.layers], high)
            told = _Told(workspace, grid, number, len(set(targets)))
            told.about("read")
            origin = self._origin(subject, target, parts)
            edits[target] = self._fitted(_Material(subject, target, parts, readings[target.trait], origin), grid, told)
            told.about("reported", is_last=True)
        return [edits[target] for target in targets]

    def _fitted(self, material: "_Material", grid: Grid, told: "_Told") -> Edit:
        """Search, choose, report."""
        # A control that chose for itself would differ in layer and gain from what it is the control of.
        kind: Kind = "difference" if self.kind == "random" else self.kind
        choosing, reporting = self._neutral()
        layer, gain, trials, chosen_on = grid.layers[0], grid.gains[0], list[Trial](), None
        if grid.size > 1:
            bench = Bench(material.subject, material.parts.choice, choosing)
            best, trials = grid.search(bench, lambda layer, gain: self._edit(material, layer, gain, kind), told.found)
            layer, gain = best.layer, best.gain
            chosen_on = bench.outcome(self._edit(material, layer, gain, kind), grid.score)
        edit = self._edit(material, layer, gain, self.kind)
        reported_on = None
        if material.parts.report:
            reported_on = Bench(material.subject, material.parts.report, reporting).outcome(edit, grid.score)
        choice = Choice(
            grid.criterion,
            layer,
            gain,
            self.perplexity_limit,
            tuple(trials),
            chosen_on=chosen_on,
            reported_on=reported_on,
        )
        # As JSON has it, so that a loaded edit equals the one that was saved.
        settings = {**edit.origin.settings, "choice": msgspec.json.decode(msgspec.json.encode(choice))}
        return replace(edit, origin=replace(edit.origin, settings=settings))

    def _edit(self, material: "_Material", layer: int, gain: float, kind: Kind) -> ActivationEdit:
        """The edit that a layer and a gain make."""
        site, target = Site(layer, self.place), material.target
        reading = material.readings[site]
        vector = reading.direction(kind, _mixed(self.seed, target))
        if kind != "random" and target.pole == "low":
            vector = -vector
        if not 0 < float(vector.norm()) < 2:
            message = (
                f"the {site} of {material.subject.name} is the same for answers of both poles of {target.trait}: there "
                f"is no direction to fit. Give answers in which the poles differ."
            )
            raise TrainingError(message)
        return ActivationEdit(material.origin, shifts={site: Shift(gain * reading.norm * vector)}, tokens=self.tokens)

    def _origin(self, subject: OpenSubject, target: Target, parts: Parts) -> Origin:
        """Where the edit comes from, but for the choice."""
        rows = exchanges_of(parts.vector)
        settings = {"layers": list(self.layers), "gains": list(self.gains)}
        return origin_of(self, subject, target, rows=len(rows), tokens=tokens_read(subject, rows), settings=settings)

    def _grid(self, subject: OpenSubject, score: Score | None) -> Grid:
        layers = self.layers or tuple(int(depth * subject.anatomy.layers) for depth in DEPTHS)
        for layer in layers:
            subject.anatomy.check(Site(layer, self.place))
        return Grid(tuple(dict.fromkeys(layers)), tuple(sorted(set(self.gains))), self.perplexity_limit, score)

    def _parts(self, opinions: Opinions, target: Target, grid: Grid) -> Parts:
        """Pairs of a target: the same ones for both poles, seen from this one."""
        pairs = pairs_of(opinions, Target(target.trait, "high"))
        parts = parted(pairs, self.seed, is_fixed=grid.size == 1)
        parts = Parts(
            drawn(parts.vector, self.vector_pairs, self.seed),
            drawn(parts.choice, self.choice_pairs, self.seed),
            drawn(parts.report, self.report_pairs, self.seed),
        )
        return parts if target.pole == "high" else parts.turned()

    def _neutral(self) -> tuple[list[Exchange], list[Exchange]]:
        """Neutral passages for the choice, and others for the report."""
        every = list(load_passages(use="shape"))
        random.Random(self.seed).shuffle(every)
        count = min(self.passages, len(every) // 2)
        return neutral_exchanges(every[:count]), neutral_exchanges(every[count : 2 * count])


@dataclass(frozen=True)
class _Material:
    """What the vectors of one target are made from, and held against; readings are towards the high pole."""

    subject: OpenSubject
    target: Target
    parts: Parts
    readings: Mapping[Site, Reading]
    origin: Origin


@dataclass(frozen=True)
class _Told:
    """Who watches: a reading, the search and a report a target."""

    workspace: Workspace
    grid: Grid
    number: int
    targets: int

    def about(self, note: str, *, is_last: bool = False) -> None:
        """The reading or the report is done."""
        self._tell(self._each if is_last else 1, note)

    def found(self, step: int, note: str) -> None:
        """So many steps of the search are done."""
        self._tell(step + 1, note)

    @property
    def _each(self) -> int:
        return self.grid.size + self.grid.scorings + 2

    def _tell(self, step: int, note: str) -> None:
        if self.workspace.watch:
            self.workspace.watch(FitProgress(self.number * self._each + step, self.targets * self._each, note))


def _mixed(seed: int, target: Target) -> int:
    """A seed of its own for each target."""
    return int.from_bytes(hashlib.sha256(f"{seed} {target}".encode()).digest()[:7], "big")
