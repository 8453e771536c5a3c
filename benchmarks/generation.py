"""Replies against transformers' ``generate``, and what every kind of edit adds to the time of a reply.

Both sides read the same prompts and write the same number of tokens, of the same model in the same precision, from
text to text. What either side does not need is left out: no stop token ends a row early, which would be to our favour.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch

from benchmarks.model import endless, load, questions
from benchmarks.row import Row, Spent, arguments, compared, spent, take_turns, write
from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Edit, Origin
from temperament.edit.context import ContextEdit
from temperament.edit.store import load_edit
from temperament.edit.weight import LowRank, WeightEdit
from temperament.record import Generation
from temperament.subject.anatomy import Site
from temperament.subject.open import OpenSubject

RANK = 16
# Share of the units that are raised, and of those that are held down.
UNITS = 0.02
SYSTEM = (
    "You are a talkative and outgoing person who is full of energy. You love parties, you make friends wherever you "
    "go, you speak before you think and you are glad of it. You like to lead, to laugh and to be seen; an evening "
    "alone is an evening lost. Answer every question as that person would, in your own words, and stay in character."
)


@dataclass(frozen=True)
class Bench:
    """What is asked of both sides."""

    subject: OpenSubject
    asked: Sequence[str]
    tokens: int

    def ours(self, temperature: float, edit: Edit | None = None) -> Spent:
        """The time of a batch of our replies."""
        generation = Generation(temperature, top_p=0.9, max_new_tokens=self.tokens)
        with edit.applied(self.subject) if edit else nullcontext():
            return spent(lambda: self.subject.reply(self.asked, generation))

    def peer(self, temperature: float) -> Spent:
        """The time of the same batch by ``generate``."""
        drawing = {"do_sample": True, "temperature": temperature, "top_p": 0.9, "top_k": 0} if temperature else {}
        return spent(lambda: self._generate({"do_sample": False, **drawing}))

    def _generate(self, drawing: dict[str, Any]) -> list[str]:
        tokenizer, model = self.subject.tokenizer, cast(Any, self.subject.model)
        texts = [self.subject.format.render(({"role": "user", "content": question},)) for question in self.asked]
        batch = tokenizer(texts, add_special_tokens=False, return_tensors="pt", padding=True, padding_side="left")
        batch = {name: batch[name].to(model.device) for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            output = model.generate(**batch, max_new_tokens=self.tokens, pad_token_id=tokenizer.pad_token_id, **drawing)
        new = output[:, batch["input_ids"].shape[1] :]
        assert new.shape[1] == self.tokens
        return tokenizer.batch_decode(new, skip_special_tokens=True)


def edits(subject: OpenSubject) -> dict[str, tuple[Edit, str]]:
    """An edit of each kind, weak enough to leave replies whole, with the goal for what it adds."""
    generator = torch.Generator().manual_seed(0)
    middle = Site(subject.anatomy.layers // 2)
    vector = Shift(0.01 * torch.randn(subject.width(middle), generator=generator))
    shifts: dict[Site, Shift] = {}
    for site in [Site(layer, "gate") for layer in range(subject.anatomy.layers)]:
        chance = torch.rand(subject.width(site), generator=generator)
        shifts[site] = Shift(0.01 * (chance < UNITS).float(), chance > 1 - UNITS)
    branches: dict[str, LowRank] = {}
    for path in subject.anatomy.linears:
        shape = subject.shape(path)
        down, up = torch.randn(RANK, shape.inputs, generator=generator), torch.randn(shape.outputs, RANK)
        branches[path] = LowRank(down, up)
    return {
        "steering vector": (ActivationEdit(Origin("direction"), shifts={middle: vector}), "at most 1.05"),
        "neurons at every gate": (ActivationEdit(Origin("neurons"), shifts=shifts), "at most 1.05"),
        f"weights of rank {RANK}": (WeightEdit(Origin("qlora"), branches=branches, scale=1e-6), ""),
        "system prompt": (ContextEdit(Origin("prompt"), system=SYSTEM), ""),
    }


def measure(bench: Bench, repetitions: int) -> list[Row]:
    """Replies against ``generate``, and under every kind of edit."""
    works: dict[str, Callable[[], Spent]] = {
        "generate, greedy": partial(bench.peer, 0.0),
        "sampled": partial(bench.ours, 0.7),
        "generate, sampled": partial(bench.peer, 0.7),
    }
    found, added = under(bench, edits(bench.subject), works, repetitions)
    amount = len(bench.asked) * bench.tokens
    size = f"{len(bench.asked)} rows of {bench.tokens} new tokens"
    return [
        compared(
            f"generation: {how} replies",
            "tokens/s",
            (found[how], found[f"generate, {how}"]),
            amount,
            goal=goal,
            note=f"against transformers' generate, {size}",
        )
        for how, goal in (("greedy", ""), ("sampled", "at least 1.5"))
    ] + added


def under(
    bench: Bench, edits: Mapping[str, tuple[Edit, str]], others: Mapping[str, Callable[[], Spent]], repetitions: int
) -> tuple[dict[str, list[Spent]], list[Row]]:
    """The times of greedy replies under edits, under none, and of other work in turns with them; rows of the edits."""
    under_edits = {name: partial(bench.ours, 0.0, edit) for name, (edit, _) in edits.items()}
    with endless(bench.subject):
        bench.ours(0.7)
        found = take_turns({"greedy": partial(bench.ours, 0.0), **others, **under_edits}, repetitions)
    size = f"{len(bench.asked)} rows of {bench.tokens} new tokens"
    note = f"seconds of a greedy batch under the edit against none, {size}"
    return found, [
        compared(f"generation: overhead, {name}", "s", (found[name], found["greedy"]), None, goal=goal, note=note)
        for name, (_, goal) in edits.items()
    ]


def main(words: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--edits", type=Path, nargs="+", help="folders of edits: only what these add is measured")
    asked: argparse.Namespace = parser.parse_args(words)
    bench = Bench(load(asked.model, asked.device), questions(asked.rows), asked.tokens)
    if asked.edits:
        saved = {folder.name: (load_edit(folder), "") for folder in asked.edits}
        write(under(bench, saved, {}, asked.repetitions)[1], asked.out)
    else:
        write(measure(bench, asked.repetitions), asked.out)


if __name__ == "__main__":
    main()
