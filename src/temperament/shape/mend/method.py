"""MEND: an editor network turns the gradient of examples into an edit of a few weights.

Source: Mitchell et al. 2022, arXiv 2110.11309; for personality Mao et al. 2024, arXiv 2310.02168 (SCIENCE.md 2.3).
Departs: see ``network.py``.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from temperament.edit.base import Edit
from temperament.edit.weight import WeightEdit
from temperament.errors import RequestError, UnknownNameError
from temperament.opinion.row import Opinion, Opinions
from temperament.opinion.situation import load_passages
from temperament.opinion.topic import topic_key
from temperament.shape.mend.editor import Card, Editor, load_editor, make_network
from temperament.shape.mend.lesson import Lessons, Scope, Words, chosen_rows, lessons_of
from temperament.shape.mend.training import Course, Training, encoder
from temperament.shape.mend.trunk import Trunk
from temperament.shape.protocol import Effort, Workspace, opened, origin_of, rows_showing
from temperament.subject.base import Subject
from temperament.subject.open import OpenSubject
from temperament.trait import Target


@dataclass(frozen=True)
class Mend:
    """Train an editor on opinions, and let it edit.

    Attributes:
        scope: ``global``: one edit for the target, from ``rows`` opinions; ``topic``: from one opinion on ``topic``.
        topic: of an edit of scope ``topic``.
        rows: opinions behind an edit of scope ``global``, on different topics.
        combine: an edit is the ``mean`` over its opinions or, as published, their ``sum``.
        gain: factor of the edit.
        editor: folder of a trained editor; empty trains one, for all targets of a fitting together.
        steps: of the optimiser in training; 0 leaves gradients as they are, and an edit is a step of plain descent.
        accumulation: edits behind one step.
        learning_rate: of the networks (Adam).
        alpha: learned rate of each edited map, at first.
        alpha_learning_rate: of these rates.
        rank: of the two blocks of each network.
        blocks: how many are edited, the last ones.
        edit_weight: of the loss of what should follow from an edit.
        locality_weight: of the loss of what should stay.
        clip: norm of the gradient, at most.
        max_length: of a row, in tokens; a longer row is an error.
        seed: of the networks, the lessons and the opinions behind an edit.
        condition: name of these settings in records.
    """

    scope: Scope = "global"
    topic: str = ""
    rows: int = 8
    combine: Literal["mean", "sum"] = "mean"
    gain: float = 1.0
    editor: str = ""
    steps: int = 40
    accumulation: int = 10
    learning_rate: float = 1e-5
    alpha: float = 0.1
    alpha_learning_rate: float = 1e-2
    rank: int = 64
    blocks: int = 3
    edit_weight: float = 0.1
    locality_weight: float = 1.0
    clip: float = 100.0
    max_length: int = 512
    seed: int = 0
    condition: str = "default"

    def __post_init__(self) -> None:
        for name in ("rows", "accumulation", "rank", "blocks", "max_length"):
            if getattr(self, name) < 1:
                message = f"{name} is {getattr(self, name)}: it needs to be at least 1."
                raise RequestError(message)
        for name in ("steps", "learning_rate", "alpha_learning_rate", "edit_weight", "locality_weight"):
            if getattr(self, name) < 0:
                message = f"{name} is {getattr(self, name)}: it needs to be at least 0."
                raise RequestError(message)
        for name in ("alpha", "clip", "gain"):
            if getattr(self, name) <= 0:
                message = f"{name} is {getattr(self, name)}: it needs to be above 0."
                raise RequestError(message)
        if bool(self.topic) != (self.scope == "topic"):
            message = (
                f"scope is '{self.scope}' and topic is '{self.topic}': name a topic with scope 'topic', and none with "
                f"'global'."
            )
            raise RequestError(message)

    @classmethod
    def preset(cls, name: str) -> "Mend":
        """``default``, whose rates suit small models, or ``paper``: the published rank, rates and sum.

        Raises:
            UnknownNameError: there is no such preset.
        """
        if name == "default":
            return cls()
        if name == "paper":
            return cls(
                combine="sum", rank=1920, learning_rate=1e-6, alpha=1e-4, alpha_learning_rate=1e-4, condition="paper"
            )
        raise UnknownNameError(kind="preset", asked=name, known=("default", "paper"))

    @property
    def name(self) -> str:
        """As on the command line and in records."""
        return "mend"

    def fit(self, subject: Subject, target: Target, opinions: Opinions, workspace: Workspace = Workspace()) -> Edit:
        """An edit for one target; see ``fit_each``."""
        return self.fit_each(subject, [target], opinions, workspace)[0]

    def fit_each(
        self,
        subject: Subject,
        targets: Sequence[Target],
        opinions: Opinions,
        workspace: Workspace = Workspace(),
    ) -> list[Edit]:
        """An edit for each target, by one editor that is trained for all of them or loaded.

        An editor that learned from other targets too is another one: what an edit becomes depends on ``targets``.

        Raises:
            SeamError: the subject's weights are not at hand.
            RequestError: no opinion shows a target, none is on the topic, or a row is longer than ``max_length``.
            BadFileError: the folder of ``editor`` holds none.
            MismatchError: that editor is for another model.
            TrainingError: a loss or its gradient is not finite.
        """
        subject = opened(subject, self.name)
        chosen = {target: self._chosen(target, opinions) for target in targets}
        editor = load_editor(self.editor) if self.editor else self.train(subject, targets, opinions, workspace)
        editor.check(subject)
        return [self._edit(subject, editor, target, chosen[target]) for target in targets]

    def train(
        self,
        subject: Subject,
        targets: Sequence[Target],
        opinions: Opinions,
        workspace: Workspace = Workspace(),
    ) -> Editor:
        """An editor for some targets; raises what ``fit_each`` does."""
        subject = opened(subject, self.name)
        card = self._card(subject, targets)
        network = make_network(card, self.alpha, self.seed).to(subject.device)
        trunk = Trunk(subject, card.layer)
        encode = encoder(trunk, min(self.max_length, subject.window))
        training = Training(trunk, network, self._lessons(targets, opinions), self._course(), encode, workspace)
        training.run()
        return Editor(network.cpu().eval(), replace(card, history=tuple(training.history), tokens=training.tokens))

    def effort(self, subject: Subject, targets: Sequence[Target], opinions: Opinions) -> Effort:
        """Tokens of all episodes, weighed by the share of the model that they go through; the parameters of the editor.

        What is before the edited blocks is read once a row.
        """
        subject = opened(subject, self.name)
        card = self._card(subject, targets)
        encode = encoder(Trunk(subject, card.layer), min(self.max_length, subject.window))
        rows = [encode(Words(row.question, row.answer)) for target in targets for row in rows_showing(opinions, target)]
        length = sum(map(len, rows)) / len(rows)
        each = (1 if self.scope == "topic" else self.rows) + 3
        episodes = 0 if self.editor else self.steps * self.accumulation
        share = 1 - subject.anatomy.share_before(card.layer)
        return Effort(
            trained=round(episodes * each * length * share),
            read=round(min(episodes * each, len(rows)) * length),
            parameters=sum(parameter.numel() for parameter in make_network(card, 0.0, 0).parameters()),
        )

    def _card(self, subject: OpenSubject, targets: Sequence[Target]) -> Card:
        anatomy = subject.anatomy
        layer = max(0, anatomy.layers - self.blocks)
        paths = [path for number in range(layer, anatomy.layers) for path in anatomy.mlp_paths(number)]
        shapes = {path: (subject.shape(path).inputs, subject.shape(path).outputs) for path in paths}
        return Card(
            subject=subject.name,
            subject_fingerprint=subject.fingerprint,
            layer=layer,
            shapes=shapes,
            rank=self.rank,
            is_mean=self.combine == "mean",
            max_length=self.max_length,
            targets=tuple(map(str, targets)),
            settings=asdict(self),
        )

    def _lessons(self, targets: Sequence[Target], opinions: Opinions) -> Lessons:
        return lessons_of(opinions, targets, load_passages(use="shape"), self.scope, self.rows, self.seed)

    def _course(self) -> Course:
        return Course(
            steps=self.steps,
            accumulation=self.accumulation,
            learning_rate=self.learning_rate,
            alpha=self.alpha,
            alpha_learning_rate=self.alpha_learning_rate,
            edit_weight=self.edit_weight,
            locality_weight=self.locality_weight,
            clip=self.clip,
            is_mean=self.combine == "mean",
        )

    def _chosen(self, target: Target, opinions: Opinions) -> list[Opinion]:
        """The opinions behind the edit."""
        if self.scope == "global":
            return chosen_rows(opinions, target, self.rows, self.seed)
        rows = [row for row in rows_showing(opinions, target) if topic_key(row.topic) == topic_key(self.topic)]
        if not rows:
            message = (
                f"an edit for {target} on '{self.topic}' was asked for: no row of {opinions.name} that shows {target} "
                f"is on it. Name a topic of the opinions, or add a row."
            )
            raise RequestError(message)
        return chosen_rows(Opinions(rows, opinions.name), target, 1, self.seed)

    def _edit(self, subject: OpenSubject, editor: Editor, target: Target, rows: Sequence[Opinion]) -> Edit:
        branches = editor.edit(subject, rows)
        origin = origin_of(
            self,
            subject,
            target,
            rows=len(rows),
            tokens=editor.card.tokens,
            history=editor.card.history,
            settings={
                "edited": [f"{row.question} {row.answer}" for row in rows],
                "fan_in_fan_out": subject.anatomy.is_transposed(next(iter(branches))),
                **({"trained": editor.card.settings} if self.editor else {}),
            },
        )
        return WeightEdit(origin, branches=branches, scale=self.gain)
