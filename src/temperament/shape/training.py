"""The training loop of weight edits: a plain loop, resumable to the bit.

Every random choice is a function of the seed and the step, so a training that goes on from a checkpoint ends with the
same adapter as one that was never stopped.
"""

import hashlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from temperament.edit.base import Step
from temperament.errors import TrainingError
from temperament.shape.lora import Adapters
from temperament.shape.loss import padded_losses
from temperament.shape.packed import is_packable, packed_losses
from temperament.shape.protocol import FitProgress, Workspace
from temperament.subject.open import OpenSubject
from temperament.subject.text import Encoded


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        epochs: passes over the rows.
        batch: rows of a target behind one step of the optimiser.
        micro_tokens: tokens that go through the model at once, at most, unless one row of each target has more; it
            bounds memory, and changes nothing else but which units dropout draws.
        learning_rate: at its peak; it rises linearly over the share ``warmup`` of the steps and falls as a cosine.
        weight_decay: of AdamW.
        clip: norm of a target's gradient, at most.
        has_sequence_loss: learn the prompt too, not the answer alone.
        unlearned: tokens that are read and never learned, wherever they stand.
        seed: of order and dropout.
    """

    epochs: int
    batch: int
    micro_tokens: int
    learning_rate: float
    warmup: float
    weight_decay: float
    clip: float
    has_sequence_loss: bool
    unlearned: tuple[int, ...]
    seed: int

    def steps(self, rows: int) -> int:
        """Steps of the optimiser over all epochs."""
        return self.epochs * math.ceil(rows / self.batch)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate at a step (0-based): linear warm-up, then half a cosine to zero."""
        rising = math.ceil(self.warmup * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


class _State(msgspec.Struct):
    """What a checkpoint says beside its tensors."""

    identity: str
    step: int
    history: list[list[Step]]
    tensors: str


@dataclass
class Training:
    """A training in progress.

    Attributes:
        data: rows of each target; every target has the same number.
        history: steps of each target.
    """

    subject: OpenSubject
    adapters: Adapters
    data: Sequence[Sequence[Encoded]]
    schedule: Schedule
    workspace: Workspace
    history: list[list[Step]] = field(init=False)
    step: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.history = [[] for _ in self.data]
        self.optimizer = torch.optim.AdamW(
            self.adapters.parameters(),
            lr=self.schedule.learning_rate,
            weight_decay=self.schedule.weight_decay,
            fused=True,
        )
        self.is_packed = is_packable(self.subject, [row for data in self.data for row in data])

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.schedule.steps(len(self.data[0]))

    def run(self) -> None:
        """Train to the end, from the checkpoint where there is one.

        Raises:
            TrainingError: the loss or its gradient is not finite.
        """
        self._resume()
        began, saved, tokens = time.monotonic(), time.monotonic(), 0
        self.adapters.train()
        with self.adapters.attached(self.subject):
            while self.step < self.steps:
                rows = self._rows_of_step(self.step)
                losses = self._accumulate(rows)
                self._update(losses)
                tokens += sum(len(data[row]) for data in self.data for row in rows)
                if self.workspace.watch:
                    speed = tokens / (time.monotonic() - began)
                    note = f"loss {sum(losses) / len(losses):.3f}, {speed:.0f} tokens/s"
                    self.workspace.watch(FitProgress(self.step, self.steps, note))
                if time.monotonic() - saved > self.workspace.seconds or self.step == self.steps:
                    self._save()
                    saved = time.monotonic()
        self.adapters.eval()

    def _rows_of_step(self, step: int) -> list[int]:
        """The same rows, by number, for every target."""
        each = math.ceil(len(self.data[0]) / self.schedule.batch)
        epoch, place = divmod(step, each)
        order = np.random.default_rng([self.schedule.seed, epoch]).permutation(len(self.data[0]))
        return [int(row) for row in order[place * self.schedule.batch : (place + 1) * self.schedule.batch]]

    def _accumulate(self, rows: Sequence[int]) -> list[float]:
        """Gradients of one step; returns the loss of each target.

        Every row weighs the same, as with a micro-batch of one row and accumulation, the setting of the paper.
        """
        self.optimizer.zero_grad()
        losses = torch.zeros(len(self.data))
        for number, some in enumerate(self._micro_batches(rows)):
            encoded = [data[row] for data in self.data for row in some]
            with torch.random.fork_rng(devices=_generators(self.subject.device)):
                torch.manual_seed(_mixed(self.schedule.seed, self.step, number))
                schedule = self.schedule
                each = (packed_losses if self.is_packed else padded_losses)(
                    self.subject,
                    encoded,
                    groups=len(self.data),
                    has_sequence_loss=schedule.has_sequence_loss,
                    unlearned=schedule.unlearned,
                )
                each = each.reshape(len(self.data), len(some)).sum(dim=1) / len(rows)
                each.sum().backward()
            losses += each.detach().cpu()
        return losses.tolist()

    def _micro_batches(self, rows: Sequence[int]) -> Iterator[list[int]]:
        """Rows of like length together, as many as fit."""
        longest = {row: max(len(data[row]) for data in self.data) for row in rows}
        some: list[int] = []
        for row in sorted(rows, key=lambda row: (longest[row], row)):
            longer = [*some, row]
            # Rows come shortest first: padded, all are as long as this one.
            tokens = sum(longest[each] for each in longer) if self.is_packed else len(longer) * longest[row]
            if some and tokens * len(self.data) > self.schedule.micro_tokens:
                yield some
                longer = [row]
            some = longer
        yield some

    def _update(self, losses: Sequence[float]) -> None:
        self._check("loss", losses)
        self._check("gradient", self.adapters.clip(self.schedule.clip))
        rate = self.schedule.rate(self.step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.step += 1
        for steps, loss in zip(self.history, losses, strict=True):
            steps.append(Step(self.step, round(loss, 6), rate))

    def _check(self, what: str, values: Sequence[float]) -> None:
        for number, value in enumerate(values):
            if not math.isfinite(value):
                message = (
                    f"the {what} of adapter {number} is {value} at step {self.step + 1} of {self.steps}: nothing was "
                    f"saved for this step. Lower the learning rate ({self.schedule.learning_rate:g}), or load the "
                    f"model in float32."
                )
                raise TrainingError(message)

    def _identity(self) -> str:
        """What must be equal for a checkpoint to be of this training."""
        rows = [[list(row.prompt), list(row.answer)] for data in self.data for row in data]
        shape = self.adapters.shape
        parts = [self.subject.fingerprint, self.subject.precision, self.schedule, shape, self.adapters.paths, rows]
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()

    def _save(self) -> None:
        from safetensors.torch import save_file

        path = self.workspace.checkpoint
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = self._tensors()
        state = _State(self._identity(), self.step, self.history, _digest(tensors))
        aside = path.with_suffix(".aside")
        save_file(tensors, aside, metadata={"state": msgspec.json.encode(state).decode()})
        aside.replace(path)

    def _resume(self) -> None:
        """Go on from the checkpoint; one of another training, or a damaged one, is left aside."""
        path = self.workspace.checkpoint
        loaded = _read_checkpoint(path) if path else None
        if loaded is None or loaded[0].identity != self._identity():
            return
        state, tensors = loaded
        for name, parameter in self.adapters.named_parameters():
            with torch.no_grad():
                parameter.copy_(tensors[name])
            self.optimizer.state[parameter] = {
                # Where the moments are: the fused optimiser counts on the device.
                "step": torch.tensor(float(state.step), device=parameter.device),
                "exp_avg": tensors[f"mean {name}"].to(parameter.device),
                "exp_avg_sq": tensors[f"square {name}"].to(parameter.device),
            }
        self.step, self.history = state.step, state.history

    def _tensors(self) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        for name, parameter in self.adapters.named_parameters():
            moments: dict[str, Any] = self.optimizer.state[parameter]
            tensors[name] = parameter.detach().cpu()
            tensors[f"mean {name}"] = moments["exp_avg"].cpu()
            tensors[f"square {name}"] = moments["exp_avg_sq"].cpu()
        return tensors


def _generators(device: torch.device) -> list[torch.device]:
    """The devices beside the CPU whose random numbers dropout draws."""
    return [] if device.type == "cpu" else [device]


def _mixed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _read_checkpoint(path: Path) -> tuple[_State, dict[str, Tensor]] | None:
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            state = msgspec.json.decode((file.metadata() or {})["state"], type=_State)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, msgspec.MsgspecError, KeyError):
        return None
    return (state, tensors) if _digest(tensors) == state.tensors else None


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
