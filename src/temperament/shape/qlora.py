"""QLoRA: a low-rank adapter on a frozen, possibly 4-bit, model.

Source: Dettmers et al. 2023, arXiv 2305.14314; settings of Jain et al. 2025, arXiv 2409.10245 (SCIENCE.md 1.2).
Departs: AdamW keeps its state in 32 bits, paged nowhere, because the state of an adapter is small. Maps that read the
same tensor, such as q, k and v, share one draw of dropout, where PEFT draws one for each.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from temperament.edit.base import Edit
from temperament.edit.weight import WeightEdit
from temperament.errors import RequestError, UnknownNameError
from temperament.opinion.row import Opinions
from temperament.shape.control import Control, exchanges_for
from temperament.shape.lora import Adapters, LoraShape, adapted_paths
from temperament.shape.protocol import Effort, Workspace, opened, origin_of, rows_showing
from temperament.shape.training import Schedule, Training
from temperament.subject.base import Subject, as_conversation
from temperament.subject.open import OpenSubject
from temperament.subject.text import Encoded
from temperament.trait import Target


@dataclass(frozen=True)
class QLora:
    """Fit an adapter to opinions that show a target.

    The 4-bit part is the subject's: load it with precision ``nf4`` for QLoRA proper; on any other this is LoRA.

    Attributes:
        rank: of each branch.
        alpha: the branch is scaled by alpha / rank, or by alpha / sqrt(rank) if stabilised.
        is_stabilised: so that the size of a change depends less on the rank (Kalajdzievski 2023, arXiv 2312.03732).
        dropout: on the input of each branch.
        modules: names of the adapted maps; none is every linear map inside the blocks, which on LLaMA are the q, k,
            v, o, gate, up and down projections of the paper.
        epochs: passes over the rows.
        batch: rows behind one step (the paper: micro-batch 1, accumulation 8).
        learning_rate: at its peak; cosine.
        warmup: share of the steps over which the rate rises.
        weight_decay: of AdamW.
        clip: norm of the gradient, at most.
        max_length: of a row, in tokens; a longer row is an error.
        loss: over the ``answer`` and its end of turn, or the whole ``sequence``.
        has_stop_token: the end of turn is learned; without it no stop token is, wherever it stands, and the model never
            learns to stop (SCIENCE.md 1.2).
        control: learn as many rows of something else than the target, to compare with: ``neutral`` passages, or
            opinions with their labels ``shuffled`` (all traits and poles). The edit is still named after its target.
        micro_tokens: tokens that go through the model at once; bounds memory.
        seed: of initial factors, order and dropout.
        condition: name of these settings in records.
    """

    rank: int = 64
    alpha: float = 16.0
    is_stabilised: bool = False
    dropout: float = 0.1
    modules: tuple[str, ...] = ()
    epochs: int = 2
    batch: int = 8
    learning_rate: float = 2e-4
    warmup: float = 0.03
    weight_decay: float = 0.001
    clip: float = 0.3
    max_length: int = 512
    loss: Literal["answer", "sequence"] = "answer"
    has_stop_token: bool = True
    control: Control = "none"
    micro_tokens: int = 2048
    seed: int = 0
    condition: str = "default"

    def __post_init__(self) -> None:
        for name in ("rank", "epochs", "batch", "max_length", "micro_tokens"):
            if getattr(self, name) < 1:
                message = f"{name} is {getattr(self, name)}: it needs to be at least 1."
                raise RequestError(message)
        for name, is_right, range_ in (
            ("dropout", 0 <= self.dropout < 1, "at least 0 and below 1"),
            ("warmup", 0 <= self.warmup <= 1, "a share, 0 to 1"),
            ("learning_rate", self.learning_rate > 0, "above 0"),
            ("weight_decay", self.weight_decay >= 0, "at least 0"),
            ("clip", self.clip > 0, "above 0"),
        ):
            if not is_right:
                message = f"{name} is {getattr(self, name)}: it needs to be {range_}."
                raise RequestError(message)

    @classmethod
    def preset(cls, name: str) -> "QLora":
        """Settings by name.

        Args:
            name: ``default``; ``paper``, loss over the whole sequence and no end of turn learned, as in the public
                recipe; ``unstopped``, no end of turn learned and nothing else changed; ``stabilised``; or one of the
                controls, ``neutral`` and ``shuffled``.

        Raises:
            UnknownNameError: there is no such preset.
        """
        presets = {
            "default": cls(),
            "paper": cls(loss="sequence", has_stop_token=False),
            "unstopped": cls(has_stop_token=False),
            "stabilised": cls(is_stabilised=True),
            "neutral": cls(control="neutral"),
            "shuffled": cls(control="shuffled"),
        }
        if name not in presets:
            raise UnknownNameError(kind="preset", asked=name, known=tuple(presets))
        return replace(presets[name], condition=name)

    @property
    def name(self) -> str:
        """As on the command line and in records."""
        return "qlora"

    def fit(self, subject: Subject, target: Target, opinions: Opinions, workspace: Workspace = Workspace()) -> Edit:
        """An adapter for one target; see ``fit_each``."""
        return self.fit_each(subject, [target], opinions, workspace)[0]

    def fit_each(
        self,
        subject: Subject,
        targets: Sequence[Target],
        opinions: Opinions,
        workspace: Workspace = Workspace(),
    ) -> list[Edit]:
        """An adapter for each target, in one pass over the shared frozen model.

        Raises:
            SeamError: the subject's weights are not at hand.
            RequestError: no opinion shows a target, or a row is longer than ``max_length``.
            TrainingError: the loss or its gradient is not finite.
        """
        subject = opened(subject, self.name)
        rows = {target: self._rows(subject, target, opinions) for target in targets}
        edits: dict[Target, Edit] = {}
        # Targets with as many rows take the same steps and share them.
        for size, group in groupby(sorted(rows, key=lambda target: len(rows[target])), lambda t: len(rows[t])):
            together = list(group)
            place = _own(workspace, size, is_shared=len({len(found) for found in rows.values()}) > 1)
            trained = self._train(subject, {target: rows[target] for target in together}, place)
            edits.update(zip(together, trained, strict=True))
        return [edits[target] for target in targets]

    def effort(self, subject: Subject, targets: Sequence[Target], opinions: Opinions) -> Effort:
        """Tokens over all epochs and targets, and the parameters of all adapters."""
        subject = opened(subject, self.name)
        rows = [len(row) for target in targets for row in self._rows(subject, target, opinions)]
        shapes = [subject.shape(path) for path in adapted_paths(subject, self.modules)]
        each = sum(self.rank * (shape.inputs + shape.outputs) for shape in shapes)
        return Effort(trained=self.epochs * sum(rows), parameters=len(targets) * each)

    def _train(self, subject: OpenSubject, rows: dict[Target, list[Encoded]], workspace: Workspace) -> list[Edit]:
        scale = self.alpha / (math.sqrt(self.rank) if self.is_stabilised else self.rank)
        shape = LoraShape(self.rank, scale, self.dropout, self.modules)
        adapters = Adapters(subject, shape, len(rows), self.seed)
        training = Training(
            subject, adapters, list(rows.values()), self._schedule(subject.format.stop_tokens), workspace
        )
        training.run()
        edits: list[Edit] = []
        for number, (target, data) in enumerate(rows.items()):
            origin = origin_of(
                self,
                subject,
                target,
                rows=len(data),
                tokens=self.epochs * sum(len(row) for row in data),
                history=training.history[number],
                settings={
                    "modules": list(self.modules),
                    "fan_in_fan_out": subject.anatomy.is_transposed(adapters.paths[0]),
                },
            )
            edits.append(WeightEdit(origin, branches=adapters.branches(number), scale=shape.scale))
        return edits

    def _rows(self, subject: OpenSubject, target: Target, opinions: Opinions) -> list[Encoded]:
        rows: list[Encoded] = []
        limit = min(self.max_length, subject.window)
        for question, answer in exchanges_for(rows_showing(opinions, target), opinions, self.control, self.seed):
            row = subject.encode(as_conversation(question), answer)
            if not self.has_stop_token:
                row = replace(row, answer=row.answer[: -len(subject.format.ending) or None])
            if len(row) > limit:
                message = (
                    f"the answer that begins '{answer[:40]}' makes a row of {len(row)} tokens: at most {limit} "
                    f"are read. Shorten it, or raise max_length up to the model's window of {subject.window}."
                )
                raise RequestError(message)
            rows.append(row)
        return rows

    def _schedule(self, stop_tokens: tuple[int, ...]) -> Schedule:
        return Schedule(
            epochs=self.epochs,
            batch=self.batch,
            micro_tokens=self.micro_tokens,
            learning_rate=self.learning_rate,
            warmup=self.warmup,
            weight_decay=self.weight_decay,
            clip=self.clip,
            has_sequence_loss=self.loss == "sequence",
            # As in the public recipe, where the pad token is the stop token and is masked wherever it stands.
            unlearned=() if self.has_stop_token else stop_tokens,
            seed=self.seed,
        )


def _own(workspace: Workspace, size: int, *, is_shared: bool) -> Workspace:
    """Groups that train one after the other keep checkpoints of their own."""
    if not is_shared or workspace.checkpoint is None:
        return workspace
    path = workspace.checkpoint
    return replace(workspace, checkpoint=path.with_name(f"{path.stem}-{size}{path.suffix}"))
