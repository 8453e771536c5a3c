"""Teaching an editor: edits that make the target likely, the other pole unlikely, and change little else.

Source: Mitchell et al. 2022, arXiv 2110.11309, algorithm 1; the loss on both poles: Mao et al. 2024, arXiv 2310.02168.
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from temperament.edit.base import Step
from temperament.edit.weight import LowRank
from temperament.errors import RequestError, TrainingError
from temperament.record import write_bytes
from temperament.shape.mend.gradient import Gradients
from temperament.shape.mend.lesson import Episode, Lessons, Words
from temperament.shape.mend.network import Network
from temperament.shape.mend.trunk import Predicted, Trunk
from temperament.shape.protocol import FitProgress, Workspace
from temperament.subject.base import as_conversation
from temperament.subject.open import Side
from temperament.subject.text import Encoded

Encode = Callable[[Words], Encoded]
# A probability this close to 1 costs 14 nats and no more.
CERTAIN = -1e-6


@dataclass(frozen=True)
class Course:
    """How long and how fast to learn.

    Attributes:
        steps: of the optimiser.
        accumulation: episodes behind one step.
        learning_rate: of the networks.
        alpha: rate of each map, at first.
        alpha_learning_rate: of these rates.
        edit_weight: of the loss of what should follow.
        locality_weight: of the loss of what should stay.
        clip: norm of the gradient, at most.
        is_mean: an edit is the mean over its rows, not their sum.
    """

    steps: int
    accumulation: int
    learning_rate: float
    alpha: float
    alpha_learning_rate: float
    edit_weight: float
    locality_weight: float
    clip: float
    is_mean: bool


class _State(msgspec.Struct):
    identity: str
    step: int
    history: list[Step]
    tokens: int


@dataclass
class Training:
    """A training in progress.

    Attributes:
        history: of the steps so far.
        tokens: read so far.
    """

    trunk: Trunk
    network: Network
    lessons: Lessons
    course: Course
    encode: Encode
    workspace: Workspace
    history: list[Step] = field(default_factory=list[Step])
    tokens: int = 0

    def __post_init__(self) -> None:
        course = self.course
        self.gradients = Gradients(self.trunk, self.network.paths)
        rates = [self.network.alphas]
        networks = [parameter for parameter in self.network.parameters() if parameter is not self.network.alphas]
        self.optimizer = torch.optim.Adam(
            [{"params": networks, "lr": course.learning_rate}, {"params": rates, "lr": course.alpha_learning_rate}]
        )

    def run(self) -> None:
        """Learn to the end, from the checkpoint where there is one: to the same network, to the bit, on one machine.

        Raises:
            TrainingError: a loss or a gradient is not finite.
        """
        began = saved = time.monotonic()
        first = self._resume()
        self.network.train()
        for step in range(first, self.course.steps):
            loss = self._accumulate(step)
            self._update(step, loss)
            if self.workspace.watch:
                speed = (step + 1 - first) * self.course.accumulation / (time.monotonic() - began)
                note = f"loss {loss:.4f}, {speed:.2f} episodes/s"
                self.workspace.watch(FitProgress(step + 1, self.course.steps, note))
            if time.monotonic() - saved > self.workspace.seconds or step + 1 == self.course.steps:
                self._save(step + 1)
                saved = time.monotonic()
        self.network.eval()

    def _accumulate(self, step: int) -> float:
        self.optimizer.zero_grad()
        losses: list[float] = []
        for number in range(self.course.accumulation):
            loss = self._episode(self.lessons.draw(step, number))
            (loss / self.course.accumulation).backward()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    def _episode(self, episode: Episode) -> Tensor:
        edited = [self.encode(row) for row in episode.edited]
        factors = self.gradients.of(edited, is_mean=self.course.is_mean)
        sides = {path: side_of(branch) for path, branch in self.network(factors).items()}
        followed = [self.encode(words) for words in (episode.shown, episode.other) if words]
        kept = [self.encode(episode.kept)]
        with torch.no_grad():
            before = self.trunk.predict(kept, {})
        after = self.trunk.predict([*followed, *kept], sides)
        edit_loss = followed_loss(after, len(self.trunk.subject.format.ending), has_other=episode.other is not None)
        self.tokens += sum(map(len, (*edited, *followed, *kept)))
        is_kept = after.row == len(followed)
        locality = divergence(before.logits, after.logits[is_kept])
        return self.course.edit_weight * edit_loss + self.course.locality_weight * locality

    def _update(self, step: int, loss: float) -> None:
        norm = float(torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.course.clip))
        for what, value in (("loss", loss), ("gradient", norm)):
            if not math.isfinite(value):
                message = (
                    f"the {what} of the editor is {value} at step {step + 1} of {self.course.steps}: nothing was saved "
                    f"for this step. Lower learning_rate ({self.course.learning_rate:g}), alpha_learning_rate "
                    f"({self.course.alpha_learning_rate:g}) or alpha, or load the model in float32."
                )
                raise TrainingError(message)
        self.optimizer.step()
        self.history.append(Step(step + 1, round(loss, 6), self.course.learning_rate))

    def _identity(self) -> str:
        """What must be equal for a checkpoint to be of this training."""
        lessons = self.lessons
        parts = [
            self.trunk.subject.fingerprint,
            self.trunk.subject.precision,
            self.course,
            {path: list(tensor.shape) for path, tensor in self.network.state_dict().items()},
            self.network.paths,
            [str(target) for target in lessons.pairs],
            list(lessons.pairs.values()),
            [lessons.rows, lessons.passages, lessons.scope, lessons.count, lessons.seed],
        ]
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()

    def _save(self, step: int) -> None:
        from safetensors.torch import save

        if self.workspace.checkpoint is None:
            return
        state = _State(self._identity(), step, self.history, self.tokens)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self._tensors()}
        content = save(tensors, metadata={"state": msgspec.json.encode(state).decode()})
        write_bytes(self.workspace.checkpoint, content)

    def _resume(self) -> int:
        """The step to go on with; a checkpoint of another training, or a damaged one, is left aside."""
        loaded = _read(self.workspace.checkpoint) if self.workspace.checkpoint else None
        if loaded is None or loaded[0].identity != self._identity():
            return 0
        state, tensors = loaded
        self.network.load_state_dict({name: tensors[name] for name in self.network.state_dict()})
        for name, parameter in self.network.named_parameters():
            self.optimizer.state[parameter] = {
                "step": torch.tensor(float(state.step)),
                "exp_avg": tensors[f"mean {name}"].to(parameter.device),
                "exp_avg_sq": tensors[f"square {name}"].to(parameter.device),
            }
        self.history, self.tokens = state.history, state.tokens
        return state.step

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        yield from self.network.state_dict().items()
        for name, parameter in self.network.named_parameters():
            moments: dict[str, Any] = self.optimizer.state[parameter]
            yield f"mean {name}", moments["exp_avg"]
            yield f"square {name}", moments["exp_avg_sq"]


def side_of(branch: LowRank) -> Side:
    """What a branch adds, by whichever product is cheaper."""
    outputs, inputs = branch.up.shape[0], branch.down.shape[1]
    if branch.rank * (inputs + outputs) > inputs * outputs:
        change = branch.up @ branch.down
        return lambda given: torch.nn.functional.linear(given, change.to(given.dtype))
    return lambda given: torch.nn.functional.linear(
        torch.nn.functional.linear(given, branch.down.to(given.dtype)), branch.up.to(given.dtype)
    )


def followed_loss(predicted: Predicted, ending: int, *, has_other: bool) -> Tensor:
    """-mean log p over the tokens of row 0, and -mean log(1 - p) over those of row 1, where that is the other pole.

    The ``ending`` tokens of the other pole's answer count for nothing, or the model would learn not to stop.
    """
    found = predicted.log_probabilities()
    loss = -found[predicted.row == 0].mean()
    if not has_other:
        return loss
    other = found[predicted.row == 1]
    other = other[: len(other) - ending].clamp(max=CERTAIN)
    return loss - torch.log(-torch.expm1(other)).mean()


def divergence(before: Tensor, after: Tensor) -> Tensor:
    """The mean over tokens of KL(before || after) from logits [token, vocab], in nats."""
    return torch.nn.functional.kl_div(
        after.log_softmax(dim=-1), before.log_softmax(dim=-1), reduction="batchmean", log_target=True
    )


def _read(path: Path) -> tuple[_State, Mapping[str, Tensor]] | None:
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            state = msgspec.json.decode((file.metadata() or {})["state"], type=_State)
            return state, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, msgspec.MsgspecError, KeyError):
        return None


def encoder(trunk: Trunk, limit: int) -> Encode:
    """Turns words into tokens, each once; raises RequestError for a row of more than ``limit`` tokens."""
    known: dict[Words, Encoded] = {}

    def encode(words: Words) -> Encoded:
        if words not in known:
            row = _encoded(trunk, words)
            if len(row) > limit:
                message = (
                    f"the answer that begins '{words.answer[:40]}' makes a row of {len(row)} tokens: at most {limit} "
                    f"are read. Shorten it, or raise max_length up to the model's window of {trunk.subject.window}."
                )
                raise RequestError(message)
            known[words] = row
        return known[words]

    return encode


def is_short(trunk: Trunk, words: Words, limit: int) -> bool:
    """Whether they make a row of at most ``limit`` tokens."""
    return len(_encoded(trunk, words)) <= limit


def _encoded(trunk: Trunk, words: Words) -> Encoded:
    return trunk.subject.encode(as_conversation(words.question), words.answer)
