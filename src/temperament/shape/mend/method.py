"""MEND: an editor network turns the gradient of examples into an edit of a few weights.

Source: Mitchell et al. 2022, arXiv 2110.11309; for personality Mao et al. 2024, arXiv 2310.02168 (SCIENCE.md 2.3).
Departs: see ``network.py``. By default the loss of what should follow weighs 1 rather than 0.1: on SmolLM2-135M, after
260 edits, edits of equal drawdown made held-out answers likelier so (+0.49 nats a token against +0.36 at a drawdown of
0.2). The gain stays 1, where that drawdown is 0.22 nats a token on held-out topics of the split ``shape``.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from temperament.edit.base import Edit
from temperament.edit.weight import WeightEdit
from temperament.errors import RequestError, UnknownNameError
from temperament.opinion.row import Opinion, Opinions
from temperament.opinion.situation import load_passages
from temperament.opinion.topic import topic_key
from temperament.shape.mend.editor import Card, Editor, load_editor, make_network
from temperament.shape.mend.lesson import Lessons, Scope, Words, chosen_rows, lessons_of, passage_words
from temperament.shape.mend.training import Course, Training, encoder, is_short
from temperament.shape.mend.trunk import Trunk
from temperament.shape.protocol import Effort, Workspace, opened, origin_of, rows_showing
from temperament.subject.base import Subject
from temperament.subject.open import OpenSubject
from temperament.trait import Target

# Settings that a trained editor has already: it learned with them, and an edit is made by them.
FIXED = (
    "scope",
    "combine",
    "steps",
    "accumulation",
    "learning_rate",
    "alpha",
    "alpha_learning_rate",
    "rank",
    "blocks",
    "edit_weight",
    "locality_weight",
    "clip",
    "max_length",
)


@dataclass(frozen=True)
class Mend:
    """Train an editor on opinions, and let it edit.

    Attributes:
        scope: ``global``: one edit for the target, from ``rows`` opinions; ``topic``: from one opinion on ``topic``.
        topic: of an edit of scope ``topic``.
        rows: opinions behind an edit of scope ``global``, on different topics.
        combine: an edit is the ``mean`` over its opinions or, as published, their ``sum``.
        gain: factor of the edit.
        editor: folder of a trained editor; empty trains one, for all targets of a fitting together. What it learned
            with (``FIXED``) takes the place of the settings here, and one that asks for something else is refused.
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
    rows: int = 4
    combine: Literal["mean", "sum"] = "mean"
    gain: float = 1.0
    editor: str = ""
    steps: int = 40
    accumulation: int = 10
    learning_rate: float = 1e-4
    alpha: float = 0.05
    alpha_learning_rate: float = 1e-3
    rank: int = 64
    blocks: int = 3
    edit_weight: float = 1.0
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
        """``default``, whose rates suit small models, or ``paper``: the published rank, rates, sum and length.

        The length is that of the configurations that EasyEdit releases for LLaMA: 100,000 edits, ten behind each step.
        They end early where 30,000 bring no gain on held-out edits; this training never does, and is 250 times as long
        as the default's. ``steps`` shortens it, but Adam moves a parameter by about the rate a step: with few steps at
        1e-6 the editor is undertrained, and says little of the published method.

        Raises:
            UnknownNameError: there is no such preset.
        """
        if name == "default":
            return cls()
        if name == "paper":
            return cls(
                combine="sum",
                steps=10_000,
                rank=1920,
                learning_rate=1e-6,
                alpha=1e-4,
                alpha_learning_rate=1e-4,
                edit_weight=0.1,
                condition="paper",
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
            RequestError: no opinion shows a target, none is on the topic, a row is longer than ``max_length``, or a
                setting is not that of ``editor``.
            BadFileError: the folder of ``editor`` holds none.
            MismatchError: that editor is for another model.
            TrainingError: a loss or its gradient is not finite.
        """
        subject = opened(subject, self.name)
        chosen = {target: self._chosen(target, opinions) for target in targets}
        if not self.editor:
            editor = self.train(subject, targets, opinions, workspace)
            return [self._edit(subject, editor, target, chosen[target]) for target in targets]
        editor = load_editor(self.editor)
        editor.check(subject)
        method = self._as_learned(editor.card)
        return [method._edit(subject, editor, target, chosen[target]) for target in targets]

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
        limit = min(self.max_length, subject.window)
        encode = encoder(trunk, limit)
        lessons = self._lessons(targets, opinions)
        # Of the shipped passages those that fit; an opinion that does not is an error, before any work is done.
        passages = [passage for passage in lessons.passages if is_short(trunk, passage_words(passage), limit)]
        lessons = replace(lessons, passages=passages)
        for words in lessons.words() if self.steps else ():
            encode(words)
        training = Training(trunk, network, lessons, self._course(), encode, workspace)
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
            parameters=0 if self.editor else sum(one.numel() for one in make_network(card, 0.0, 0).parameters()),
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

    def _as_learned(self, card: Card) -> "Mend":
        """These settings with those of a trained editor in their place.

        Raises:
            RequestError: one of them was asked for otherwise. The scope has to be named, because it decides how many
                opinions are behind an edit.
        """
        usual = {field.name: field.default for field in fields(self)}
        learned: dict[str, Any] = {name: card.settings[name] for name in FIXED if name in card.settings}
        for name, there in learned.items():
            here = getattr(self, name)
            if here != there and (here != usual[name] or name == "scope"):
                message = (
                    f"{name} {here!r} was asked for, and the editor in {self.editor} learned with {name} {there!r}: it "
                    f"edits as it learned. Name {name} {there!r}, or train another editor."
                )
                raise RequestError(message)
        return replace(self, **learned)

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
                **(_learned(editor.card, target) if self.editor else {}),
            },
        )
        return WeightEdit(origin, branches=branches, scale=self.gain)


def _learned(card: Card, target: Target) -> dict[str, Any]:
    """What an edit says of an editor that was loaded.

    A target that it did not learn is no error, because what it turns into an edit is any gradient, and how far that
    carries is a question that can be measured; but the edit says so.
    """
    return {
        "trained": card.settings,
        "trained_targets": list(card.targets),
        "is_target_trained": str(target) in card.targets,
    }
