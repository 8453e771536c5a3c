"""Does a trained MEND editor beat plain gradient descent of the same size?

Both edit the same maps from the same opinions; descent is the editor before its training. The gain of each is scanned,
and edit success (ES) is compared where both change as much that should stay (DD, drawdown):

    ES = sigmoid(p+_post - p-_post) * min(1, exp(p+_post - p+_pre)),   DD = mean token KL(pre || post)

with p+ and p- the mean log-probabilities per token of an answer that shows the target and of one that shows the other
pole. Both are read on topics of the split `test`, which no editor sees; DD on answers of other traits there and on
neutral passages that are left out of training.

    python benchmarks/mend.py --steps 60 --accumulation 4 --words 25 --held 12
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from temperament.edit.base import Origin
from temperament.edit.weight import LowRank, WeightEdit
from temperament.opinion.row import Opinion, Opinions, load_opinions
from temperament.opinion.situation import load_passages
from temperament.opinion.topic import topic_key
from temperament.record import Generation
from temperament.shape.mend.editor import Editor, load_editor
from temperament.shape.mend.lesson import Words, chosen_rows, passage_words
from temperament.shape.mend.method import TRAINING_PASSAGES, Mend
from temperament.shape.mend.training import divergence, encoder, side_of
from temperament.shape.mend.trunk import Trunk
from temperament.shape.pair import Pair, drawn, pairs_of
from temperament.shape.protocol import FitProgress, Workspace, opened
from temperament.stats import average, paired_difference
from temperament.subject.base import Subject
from temperament.subject.open import OpenSubject
from temperament.subject.text import Encoded
from temperament.trait import Target, parse_target

QUESTIONS = ("What do you think about weekends?", "Tell me about a typical evening of yours.")


@dataclass(frozen=True)
class Reading:
    """What was read under one edit at one gain.

    Attributes:
        gain: factor of the edit.
        drawdown: DD.
        success: ES of each held-out pair.
        shown: change of p+ by pair.
        other: change of p- by pair.
    """

    gain: float
    drawdown: float
    success: tuple[float, ...]
    shown: tuple[float, ...]
    other: tuple[float, ...]


class Reader:
    """Reads edits of one subject on held-out texts; the blocks before the edited ones are run once a text."""

    def __init__(self, subject: OpenSubject, layer: int, held: Opinions, options: argparse.Namespace) -> None:
        self.trunk = Trunk(subject, layer)
        self.encode = encoder(self.trunk, subject.window)
        self.batch = options.batch
        traits = {target.trait for target in options.targets}
        others = [row for row in held if row.trait not in traits]
        chance = np.random.default_rng(0)
        some = [others[int(number)] for number in chance.permutation(len(others))[: options.kept]]
        passages = sorted(load_passages()[TRAINING_PASSAGES:], key=lambda passage: len(passage.text))[: options.kept]
        texts = [*(Words(row.question, row.answer) for row in some), *map(passage_words, passages)]
        self.kept = [self.encode(words) for words in texts]
        self.pairs = {target: drawn(pairs_of(held, target), options.held, 0) for target in options.targets}
        self.before = {target: self._likelihoods(target, {}) for target in options.targets}

    def read(self, target: Target, branches: dict[str, LowRank], gain: float) -> Reading:
        """ES by pair and DD under an edit."""
        scaled = {path: LowRank(branch.down, gain * branch.up) for path, branch in branches.items()}
        before, after = self.before[target], self._likelihoods(target, scaled)
        grown = (after - before).clamp(max=0)[:, 0].exp()
        success = torch.sigmoid(after[:, 0] - after[:, 1]) * grown
        change = after - before
        return Reading(
            gain,
            self._drawdown(scaled),
            tuple(success.tolist()),
            tuple(change[:, 0].tolist()),
            tuple(change[:, 1].tolist()),
        )

    def _likelihoods(self, target: Target, branches: dict[str, LowRank]) -> torch.Tensor:
        """p+ and p- of each pair, [pair, 2], over words: the end of the turn is left out."""
        ending = len(self.trunk.subject.format.ending)
        rows = [self.encode(words) for pair in self.pairs[target] for words in _both(pair)]
        rows = [replace(row, answer=row.answer[: len(row.answer) - ending]) for row in rows]
        return torch.cat([self._means(rows[at : at + self.batch], branches) for at in range(0, len(rows), self.batch)]).view(
            -1, 2
        )

    @torch.no_grad()
    def _means(self, rows: Sequence[Encoded], branches: dict[str, LowRank]) -> torch.Tensor:
        return self.trunk.predict(rows, {path: side_of(branch) for path, branch in branches.items()}).row_means()

    @torch.no_grad()
    def _drawdown(self, branches: dict[str, LowRank]) -> float:
        sides = {path: side_of(branch) for path, branch in branches.items()}
        total, tokens = 0.0, 0
        for at in range(0, len(self.kept), self.batch):
            rows = self.kept[at : at + self.batch]
            before, after = self.trunk.predict(rows, {}).logits, self.trunk.predict(rows, sides).logits
            total += float(divergence(before, after)) * len(before)
            tokens += len(before)
        return total / tokens


def _both(pair: Pair) -> tuple[Words, Words]:
    return Words(pair.shown.question, pair.shown.answer), Words(pair.other.question, pair.other.answer)


def short(opinions: Opinions, words: int) -> Opinions:
    """The rows with short answers, which keep a run short."""
    return Opinions((row for row in opinions if len(row.answer.split()) <= words), opinions.name)


def edits(
    editor: Editor, subject: OpenSubject, train: Opinions, options: argparse.Namespace
) -> dict[tuple[Target, int], dict[str, LowRank]]:
    """An edit for each target and each draw of its opinions."""
    return {
        (target, draw): editor.edit(subject, chosen_rows(train, target, options.rows, draw))
        for target in options.targets
        for draw in range(options.draws)
    }


def at_drawdown(readings: Sequence[Reading], drawdown: float) -> list[float] | None:
    """ES of each pair where the drawdown is ``drawdown``, interpolated in its logarithm; None outside what was read."""
    levels = np.log([reading.drawdown for reading in readings])
    order = np.argsort(levels)
    if not levels[order[0]] <= np.log(drawdown) <= levels[order[-1]]:
        return None
    success = np.array([readings[number].success for number in order])
    return [float(np.interp(np.log(drawdown), levels[order], column)) for column in success.T]


def scan(name: str, reader: Reader, edited: dict[tuple[Target, int], dict[str, LowRank]], gains: Sequence[float]):  # noqa: ANN201 - below
    """Readings of all edits at all gains, printed as they come."""
    found: dict[tuple[Target, int], list[Reading]] = {key: [] for key in edited}
    for gain in gains:
        for (target, draw), branches in edited.items():
            found[target, draw].append(reader.read(target, branches, gain))
        latest = [readings[-1] for readings in found.values()]
        means = [
            float(np.mean([np.mean(getattr(reading, what)) for reading in latest]))
            for what in ("drawdown", "success", "shown", "other")
        ]
        print(
            f"{name:8} gain {gain:<6g} DD {means[0]:.4f}  ES {means[1]:.4f}  p+ {means[2]:+.3f}  p- {means[3]:+.3f}  "
            f"p+ less p- {means[2] - means[3]:+.4f}",
            flush=True,
        )
    return found


def compare(reader: Reader, descent: dict, mend: dict, drawdowns: Sequence[float]) -> None:  # type: ignore[type-arg]
    """ES at equal DD, pairs of all edits together, clustered by topic."""
    print("\nES at equal DD (95 % intervals over topics)")
    for drawdown in drawdowns:
        one: list[float] = []
        other: list[float] = []
        topics: list[str] = []
        for key in descent:
            found = at_drawdown(descent[key], drawdown), at_drawdown(mend[key], drawdown)
            if found[0] is None or found[1] is None:
                continue
            one += found[0]
            other += found[1]
            topics += [pair.topic for pair in reader.pairs[key[0]]]
        if not one:
            print(f"DD {drawdown:g}: not reached by both within the gains")
            continue
        difference = paired_difference(one, other, topics)
        print(f"DD {drawdown:g}: descent {average(one, topics)}")
        print(f"{'':9} MEND    {average(other, topics)}")
        print(f"{'':9} MEND less descent {difference.value:+.4f} ({difference.lower:+.4f} to {difference.upper:+.4f})")


def show(subject: OpenSubject, mend: dict, gains: Sequence[float]) -> None:  # type: ignore[type-arg]
    """A few greedy replies under the first edit."""
    (target, _), branches = next(iter(mend.items()))
    for gain in (0.0, *gains):
        edit = WeightEdit(Origin("mend", target), gain, branches=branches)
        with edit.applied(subject):
            for reply in subject.reply(QUESTIONS, Generation(temperature=0.0, max_new_tokens=40)):
                print(f"gain {gain:g}: {reply.text!r}")


def train_editor(subject: OpenSubject, train: Opinions, options: argparse.Namespace) -> Editor:
    """A trained editor: from its folder, or trained and kept there."""
    if options.editor and (options.editor / "editor.json").exists():
        return load_editor(options.editor)

    def watch(progress: FitProgress) -> None:
        if progress.step % 5 == 0:
            print(progress, flush=True)

    editor = method(options).train(subject, options.targets, train, Workspace(watch=watch))
    if options.editor:
        editor.save(options.editor)
    return editor


def method(options: argparse.Namespace) -> Mend:
    """The settings, and those that the command line has other values for."""
    names = ("steps", "accumulation", "rows", "learning_rate", "alpha", "alpha_learning_rate", "rank", "seed")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return replace(Mend(), **given)


def main() -> None:
    """Train, scan, compare."""
    options = parse()
    torch.set_num_threads(options.threads)
    began = time.monotonic()
    subject = opened(Subject.load(options.subject, "float32"), "mend")
    opinions = load_opinions()
    train, held = short(opinions.split("shape"), options.words), short(opinions.split("test"), options.words)
    print(f"{options}\n{len(train)} rows to learn from, {len(held)} held out", flush=True)
    editor = train_editor(subject, train, options)
    trained = time.monotonic()
    plain = replace(method(options), steps=0).train(subject, options.targets, train)
    reader = Reader(subject, editor.card.layer, held, options)
    found = {
        name: scan(name, reader, edits(one, subject, train, options), options.gains)
        for name, one in (("descent", plain), ("MEND", editor))
    }
    compare(reader, found["descent"], found["MEND"], options.drawdowns)
    print(f"\ntraining {trained - began:.0f} s, reading {time.monotonic() - trained:.0f} s")
    if options.replies:
        show(subject, edits(editor, subject, train, replace_namespace(options, draws=1)), options.replies)
