"""Training: QLoRA beside TRL's SFTTrainer with PEFT, and five adapters at once beside five in turn.

All train on the same rows with the same rank, maps, rate and steps, each in a process of its own, in turns. The trainer
is tuned as an expert would (nothing computed twice, rows of like length together), and as it comes. Afterwards the mean
loss of each adapter on the same held-out answers is read by one function: a figure counts only where these agree.

    python -m benchmarks.training                        # the built-in model, a few minutes on two idle cores
    python -m benchmarks.training --rows 200 --rank 64   # longer
    python -m benchmarks.training --device cuda          # the shape of a 7B model, random weights, speed alone
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.environment import python_of
from benchmarks.model import SHAPES, export, load
from benchmarks.row import Row, Spent, arguments, compared, peak_memory, row_of, spent, take_turns, write
from temperament.edit.store import load_edit
from temperament.opinion.row import Opinions, load_opinions
from temperament.shape.lora import adapted_paths
from temperament.shape.loss import padded_losses
from temperament.shape.qlora import QLora
from temperament.subject.base import as_conversation
from temperament.subject.open import OpenSubject
from temperament.trait import BIG_FIVE, Target

TARGET = Target("extraversion", "high")
PEER = ("trl==1.16.*", "peft==0.21.*")
# Held-out losses that differ by no more than this, in nats a token, count as the same.
SAME = 0.05
ROOT = Path(__file__).parent.parent
Told = dict[str, float | None]


@dataclass(frozen=True)
class Bench:
    """What is trained, where.

    Attributes:
        name: of the model.
        device: cpu or cuda.
        folder: for the model and what arms tell each other.
        method: its settings are those of all arms.
        rows: of the comparison with the peer.
        each: rows of each of five adapters.
    """

    name: str
    device: str
    folder: Path
    method: QLora
    rows: int
    each: int

    @property
    def is_random(self) -> bool:
        """Weights that were never trained: their losses say nothing."""
        return self.name in SHAPES


class Arm:
    """A way to train, run in a process of its own; keeps what each run told."""

    def __init__(self, bench: Bench, arm: str, python: Path, module: str, **job: Any) -> None:
        self.bench, self.name, self.program = bench, arm, [str(python), "-m", f"benchmarks.{module}"]
        self.place = bench.folder / arm.replace(" ", "-")
        self.place.mkdir()
        self.job = {"arm": arm, "device": bench.device, "name": bench.name, "model": str(bench.folder / "model"), **job}
        self.told: list[Told] = []

    def run(self) -> Spent:
        """Train once."""
        job, told = self.place / "job.json", self.place / "told.json"
        job.write_text(json.dumps({**self.job, "adapter": str(self.place / "adapter"), "told": str(told)}))
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "TOKENIZERS_PARALLELISM": "false"}
        done = subprocess.run(
            [*self.program, str(job)], check=False, cwd=ROOT, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            message = f"{self.name} failed:\n{done.stderr[-4000:]}"
            raise RuntimeError(message)
        self.told.append(json.loads(told.read_text()))
        return Spent(self.told[-1]["seconds"] or 0.0, self.told[-1]["computed"] or 0.0)

    @property
    def memory(self) -> list[float]:
        """The most memory in MB that each training took beyond the loaded model."""
        return [found for told in self.told if (found := told["memory"]) is not None]

    def held_loss(self, subject: OpenSubject) -> float:
        """The mean loss of held-out answers under the adapter that was trained last."""
        with load_edit(self.place / "adapter").applied(subject):
            return loss_of(subject)


def opinions_of(rows: int, targets: Sequence[Target]) -> Opinions:
    """As many rows of each target, one a topic."""
    shaping = load_opinions().split("shape")
    return Opinions([row for target in targets for row in list(shaping.showing(target))[:: 800 // max(rows, 1)][:rows]])


def loss_of(subject: OpenSubject) -> float:
    """The mean loss, in nats a token, of 32 answers on topics that no arm trained on."""
    held = list(load_opinions().split("test").showing(TARGET))[::2][:32]
    rows = [subject.encode(as_conversation(row.question), row.answer) for row in held]
    with torch.inference_mode():
        return float(padded_losses(subject, rows, groups=1, has_sequence_loss=False).mean())


def against_trainer(bench: Bench, subject: OpenSubject, repetitions: int) -> list[Row]:
    """Tokens of data a second and memory, beside the trainer tuned and as it comes."""
    method, opinions = bench.method, opinions_of(bench.rows, [TARGET])
    rows = [subject.encode(as_conversation(row.question), row.answer) for row in opinions]
    steps = -(-len(rows) // method.batch) * method.epochs
    # The build of torch that is here, whatever it was made for.
    pins = [f"{name}=={version(name).partition('+')[0]}" for name in ("torch", "transformers")]
    python = python_of("trl", (*pins, *PEER))
    job = {
        **{name: getattr(method, name) for name in ("rank", "alpha", "dropout", "epochs", "batch", "learning_rate")},
        "weight_decay": method.weight_decay,
        "clip": method.clip,
        "warmup_steps": -int(-method.warmup * steps // 1),
        "rows": [{"prompt": row.prompt, "answer": row.answer} for row in rows],
    }
    ours = ours_of(bench, "ours", [TARGET], bench.rows)
    peers = [Arm(bench, name, python, "trainer", **job) for name in ("tuned", "default")]
    found = take_turns({arm.name: arm.run for arm in (ours, *peers)}, repetitions)
    tokens = method.epochs * sum(len(row) for row in rows)
    about = f"{len(rows)} rows, {steps} steps of {method.batch}, rank {method.rank}, {subject.precision}"
    result: list[Row] = []
    for arm, goal in zip(peers, ("at least 2", "at least 4"), strict=True):
        note = f"{about}. {'' if bench.is_random else agreement(subject, ours, arm)}"
        name = f"training: beside TRL, {arm.name}"
        times = (found["ours"], found[arm.name])
        result.append(compared(name, "tokens/s", times, tokens, goal=goal, note=note))
        if ours.memory and arm.memory:
            note = "beyond the loaded model"
            result.append(row_of(f"training: memory beside TRL, {arm.name}", "MB", ours.memory, arm.memory, note=note))
    return [*result, floor(bench, subject, rows, [tokens / each.seconds for each in found["ours"]])]


def ours_of(bench: Bench, name: str, targets: Sequence[Target], rows: int, **job: Any) -> Arm:
    """An arm of ours; ``settings`` in a job change those of the bench."""
    taken = ("rank", "alpha", "dropout", "epochs", "batch", "learning_rate")
    settings = {**{each: getattr(bench.method, each) for each in taken}, **job.pop("settings", {})}
    wanted = [str(target) for target in targets]
    job = {"is_joint": True, **job, "targets": wanted, "rows": rows, "settings": settings}
    return Arm(bench, name, Path(sys.executable), "training", **job)


def agreement(subject: OpenSubject, ours: Arm, peer: Arm) -> str:
    """The held-out losses of two arms, in words."""
    before, mine, other = loss_of(subject), ours.held_loss(subject), peer.held_loss(subject)
    verdict = "the same loss" if abs(mine - other) <= SAME else "LOSSES DIFFER"
    return f"Held-out loss {before:.3f} before, {mine:.3f} ours, {other:.3f} theirs: {verdict}."


def floor(bench: Bench, subject: OpenSubject, rows: Sequence[Any], speeds: Sequence[float]) -> Row:
    """Beside what the machine could do if it did nothing but the matrix products of every token of the data."""
    frozen, adapted = 0, 0
    for path in adapted_paths(subject, ()):
        shape = subject.shape(path)
        frozen += shape.inputs * shape.outputs
        adapted += bench.method.rank * (shape.inputs + shape.outputs)
    config: Any = subject.model.config
    tokens, learned = sum(len(row) for row in rows), sum(len(row.answer) for row in rows)
    # Forward and the gradient of the input; of the adapters also that of the weights.
    operations = tokens * (4 * frozen + 6 * adapted) + learned * 4 * config.vocab_size * config.hidden_size
    rate = matrix_rate(bench.device, config.hidden_size, config.intermediate_size)
    note = (
        f"{operations / tokens / 1e9:.3f} GFLOP a token of data at a measured {rate / 1e9:.0f} GFLOP/s; what rows "
        f"begin with is computed once, so that the ratio can exceed 1"
    )
    bound = tokens / (operations / rate)
    return row_of("training: beside the floor", "tokens/s", speeds, [bound] * len(speeds), note=note)


def matrix_rate(device: str, inputs: int, outputs: int) -> float:
    """Operations a second of a product of the model's size, the best of twenty."""
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    left, right = (torch.randn(*size, device=device).to(dtype) for size in ((1024, inputs), (inputs, outputs)))
    times = [spent(lambda: left @ right).seconds for _ in range(20)]
    return 2 * 1024 * inputs * outputs / min(times)


def at_once(bench: Bench, precision: str, repetitions: int) -> list[Row]:
    """Five adapters at once beside five in turn, one row of each at a time."""
    targets = [Target(trait.name, "high") for trait in BIG_FIVE]
    shared = {"precision": precision, "settings": {"micro_tokens": 1, "batch": bench.each}}
    arms = [
        ours_of(bench, f"{name} {precision}", targets, bench.each, **shared, is_joint=name == "together")
        for name in ("together", "turns")
    ]
    found = take_turns({arm.name: arm.run for arm in arms}, repetitions)
    tokens = median([told["tokens"] or 0.0 for told in arms[0].told])
    note = f"five of {bench.each} rows, micro-batch 1, one step"
    times = (found[arms[0].name], found[arms[1].name])
    goal = "at least 1.3" if precision == "nf4" else ""
    name = f"training: five adapters at once beside in turn, {precision}"
    rows = [compared(name, "tokens/s", times, tokens, goal=goal, note=note)]
    if arms[0].memory and arms[1].memory:
        rows.append(row_of(f"{name}, memory", "MB", arms[0].memory, arms[1].memory, note="beyond the loaded model"))
    return rows


def work(path: Path) -> None:
    """An arm of ours: do a job, save the last adapter, and write what it took."""
    job = json.loads(path.read_text())
    if job.get("precision") == "nf4":
        subject = OpenSubject.from_folder(Path(job["model"]), job["name"], "nf4")
    else:
        subject = load(job["name"], job["device"])
    targets = [Target(*name.split(":")) for name in job["targets"]]
    opinions = opinions_of(job["rows"], targets)
    method = QLora(**job["settings"])
    fitted: list[Any] = []

    def fit() -> None:
        if job["is_joint"]:
            fitted.extend(method.fit_each(subject, targets, opinions))
        else:
            fitted.extend(method.fit(subject, target, opinions) for target in targets)

    with peak_memory(job["device"]) as memory:
        took = spent(fit)
    fitted[-1].save(Path(job["adapter"]))
    tokens = sum(edit.origin.tokens for edit in fitted)
    told = {"seconds": took.seconds, "computed": took.computed, "memory": next(iter(memory), None), "tokens": tokens}
    Path(job["told"]).write_text(json.dumps(told))


def asked() -> argparse.Namespace:
    """The arguments."""
    parser = arguments(__doc__)
    parser.add_argument("job", nargs="?", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=24, help="of the comparison with TRL")
    parser.add_argument("--each", type=int, default=3, help="rows of each of five adapters; 0 leaves that out")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--epochs", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Compare, or do one arm's job."""
    given = asked()
    if given.job:
        work(given.job)
        return
    name = given.model or ("smollm2" if given.device == "cpu" else "7b")
    method = QLora(
        rank=given.rank,
        dropout=given.dropout,
        batch=given.batch,
        learning_rate=given.learning_rate,
        epochs=given.epochs,
    )
    with TemporaryDirectory() as folder:
        bench = Bench(name, given.device, Path(folder), method, given.rows, given.each)
        subject = load(name, given.device)
        export(subject, bench.folder / "model")
        rows = against_trainer(bench, subject, given.repetitions)
        del subject
        # Without files there is nothing to load in 4 bits.
        precisions = ["float32" if given.device == "cpu" else "bfloat16", *([] if bench.is_random else ["nf4"])]
        for precision in precisions if given.each else []:
            rows += at_once(bench, precision, given.repetitions)
    write(rows, given.out)


if __name__ == "__main__":
    main()
