"""Fitting steering vectors and replying under one, against repeng and steering-vectors.

All sides read the same texts of both poles with the same weights and make a vector for every layer but the first; then
all write greedy replies of the same length with one layer steered. The peers read the last token of a text, ours all
tokens of its answer. repeng needs NumPy below 2; each peer runs in an environment of its own with our versions of torch
and transformers, in turns with ours.
"""

import json
import os
import subprocess
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch

from benchmarks.environment import python_of
from benchmarks.model import endless, export, load, questions
from benchmarks.row import Row, Spent, arguments, compared, spent, take_turns, write
from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.opinion.row import load_opinions
from temperament.record import GREEDY, Generation
from temperament.shape.direction.reading import read
from temperament.shape.pair import Pair, pairs_of
from temperament.subject.anatomy import Site
from temperament.subject.open import OpenSubject
from temperament.trait import Target

SHARED = ("torch==2.13.0", "transformers==5.23.0", "tqdm", "scikit-learn==1.7.2")
# steering-vectors asks for transformers below 5 and works with 5: without its dependencies, beside ours.
PEERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "repeng": ((*SHARED, "repeng==0.4.0", "numpy==1.26.4"),),
    "steering-vectors": (SHARED, ("--no-deps", "steering-vectors==0.12.2")),
}
# What each peer makes of the pairs.
KINDS: dict[str, Literal["component", "difference"]] = {"repeng": "component", "steering-vectors": "difference"}


@dataclass(frozen=True)
class Bench:
    """What is fitted and asked."""

    subject: OpenSubject
    pairs: Sequence[Pair]
    asked: Sequence[str]
    tokens: int

    @property
    def layer(self) -> int:
        """The middle of the model."""
        return self.subject.anatomy.layers // 2

    def fit(self, kind: Literal["component", "difference"]) -> Spent:
        """The time of our fit."""
        sites = [Site(layer) for layer in range(1, self.subject.anatomy.layers)]

        def fitted() -> list[torch.Tensor]:
            readings = read(self.subject, sites, self.pairs)
            return [reading.direction(kind, 0) for reading in readings.values()]

        return spent(fitted)

    def reply(self) -> Spent:
        """The time of our steered replies."""
        generation = Generation(GREEDY.temperature, max_new_tokens=self.tokens)
        width = self.subject.width(Site(self.layer))
        vector = 0.01 * torch.randn(width, generator=torch.Generator().manual_seed(0))
        edit = ActivationEdit(Origin("direction"), shifts={Site(self.layer): Shift(vector)}, tokens="all")
        with edit.applied(self.subject):
            return spent(lambda: self.subject.reply(self.asked, generation))

    def fit_request(self) -> dict[str, Any]:
        """What a peer is told to fit: texts, template and all."""
        texts = [tuple(map(self._text, (pair.shown, pair.other))) for pair in self.pairs]
        return {"do": "fit", "pairs": texts}

    def reply_request(self) -> dict[str, Any]:
        """What a peer is told to answer."""
        texts = [self.subject.format.render(({"role": "user", "content": question},)) for question in self.asked]
        return {"do": "reply", "texts": texts, "tokens": self.tokens, "layer": self.layer}

    def _text(self, row: Any) -> str:
        return self.subject.format.render(({"role": "user", "content": row.question},)) + row.answer


@contextmanager
def running(name: str, folder: Path, device: str) -> Generator[subprocess.Popen[str]]:
    """A peer that waits for work, until the block ends."""
    python = python_of(name, *PEERS[name])
    program = [str(python), str(Path(__file__).with_name("peer.py")), name, str(folder), device]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    process = subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, text=True, env=environment
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def ask(process: subprocess.Popen[str], request: dict[str, Any]) -> Spent:
    """Let a peer do something; raises RuntimeError where it ended instead."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        message = f"the peer ended with {process.wait()}: see its error above."
        raise RuntimeError(message)
    return Spent(**json.loads(line))


def measure(bench: Bench, device: str, repetitions: int) -> list[Row]:
    """All rows."""
    works = {"reply": bench.reply, **{f"fit {kind}": partial(bench.fit, kind) for kind in KINDS.values()}}
    with ExitStack() as stack, TemporaryDirectory() as folder:
        stack.enter_context(endless(bench.subject))
        model = export(bench.subject, Path(folder))
        for name in PEERS:
            peer = stack.enter_context(running(name, model, device))
            # Once before it counts, and before replies a vector has to be there.
            ask(peer, bench.fit_request())
            works[f"{name} fit"] = partial(ask, peer, bench.fit_request())
            works[f"{name} reply"] = partial(ask, peer, bench.reply_request())
        bench.fit("difference")
        found = take_turns(works, repetitions)
    rows: list[Row] = []
    for name, kind in KINDS.items():
        note = f"{len(bench.pairs)} pairs of texts, {kind}, every layer but the first"
        times = (found[f"fit {kind}"], found[f"{name} fit"])
        rows.append(compared(f"steering: fit, {name}", "pairs/s", times, len(bench.pairs), note=note))
        note = f"{len(bench.asked)} rows of {bench.tokens} new tokens, greedy, one layer"
        times = (found["reply"], found[f"{name} reply"])
        amount = len(bench.asked) * bench.tokens
        rows.append(compared(f"steering: steered replies, {name}", "tokens/s", times, amount, note=note))
    return rows


def main(words: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=32)
    asked = parser.parse_args(words)
    subject = load(asked.model, asked.device)
    pairs = pairs_of(load_opinions().split("shape"), Target("extraversion", "high"))[: asked.pairs]
    bench = Bench(subject, pairs, questions(asked.rows), asked.tokens)
    write(measure(bench, asked.device, asked.repetitions), asked.out)


if __name__ == "__main__":
    main()
