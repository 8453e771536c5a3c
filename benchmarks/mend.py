"""Does a trained MEND editor beat plain gradient descent of the same size?

Both edit the same maps from the same opinions; descent is the editor before its training. The gain of each is scanned,
and edit success (ES) is compared where both change as much that should stay (DD, drawdown):

    ES = sigmoid(p+_post - p-_post) * min(1, exp(p+_post - p+_pre)),   DD = mean token KL(pre || post)

with p+ and p- the mean log-probabilities per token of an answer that shows the target and of one that shows the other
pole. Both are read on topics of the split `test`, which no editor sees; DD on answers of other traits there and on
neutral passages that are left out of training. A repetition edits from other opinions.

``--editor FOLDER`` keeps the trained editor; a second run reads it from there.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.model import load
from benchmarks.row import Row, arguments, write
from temperament.edit.base import Origin
from temperament.edit.weight import LowRank, WeightEdit
from temperament.opinion.row import Opinions, load_opinions
from temperament.opinion.situation import load_passages
from temperament.record import GREEDY
from temperament.shape.mend.editor import CARD, Editor, load_editor
from temperament.shape.mend.lesson import Words, chosen_rows, passage_words
from temperament.shape.mend.method import Mend
from temperament.shape.mend.training import Encode, divergence, encoder, side_of
from temperament.shape.mend.trunk import Predicted, Trunk
from temperament.shape.pair import Pair, drawn, pairs_of
from temperament.shape.protocol import FitProgress, Workspace
from temperament.stats import average, paired_difference
from temperament.subject.open import OpenSubject
from temperament.subject.text import Encoded
from temperament.trait import Target

QUESTIONS = ("What do you think about weekends?", "Tell me about a typical evening of yours.")
Branches = Mapping[str, LowRank]
# Which target an edit is for, and which draw of opinions it was made from.
Key = tuple[Target, int]


@dataclass(frozen=True)
class Reading:
    """What was read under one edit at one gain.

    Attributes:
        drawdown: DD.
        success: ES of each held-out pair.
        shown: change of p+ by pair.
        other: change of p- by pair.
    """

    drawdown: float
    success: tuple[float, ...]
    shown: tuple[float, ...]
    other: tuple[float, ...]


@dataclass
class Reader:
    """Reads edits of one subject on held-out texts; the blocks before the edited ones are run once a text."""

    trunk: Trunk
    encode: Encode
    pairs: Mapping[Target, Sequence[Pair]]
    texts: Sequence[Words]
    batch: int

    def __post_init__(self) -> None:
        self.before = {target: self._likelihoods(target, {}) for target in self.pairs}

    def read(self, target: Target, branches: Branches, gain: float) -> Reading:
        """ES by pair and DD under an edit."""
        scaled = {path: LowRank(branch.down, gain * branch.up) for path, branch in branches.items()}
        after = self._likelihoods(target, scaled)
        change = after - self.before[target]
        success = torch.sigmoid(after[:, 0] - after[:, 1]) * change[:, 0].clamp(max=0).exp()
        shown, other = change.T.tolist()
        return Reading(self._drawdown(scaled), tuple(success.tolist()), tuple(shown), tuple(other))

    def _likelihoods(self, target: Target, branches: Branches) -> torch.Tensor:
        """p+ and p- of each pair, [pair, 2], over words: the end of the turn is left out."""
        ending = len(self.trunk.subject.format.ending)
        rows = [self.encode(words) for pair in self.pairs[target] for words in _both(pair)]
        rows = [replace(row, answer=row.answer[: len(row.answer) - ending]) for row in rows]
        return torch.cat([self._predict(some, branches).row_means() for some in self._batches(rows)]).view(-1, 2)

    def _drawdown(self, branches: Branches) -> float:
        total, tokens = 0.0, 0
        for some in self._batches([self.encode(words) for words in self.texts]):
            before, after = self._predict(some, {}).logits, self._predict(some, branches).logits
            total += float(divergence(before, after)) * len(before)
            tokens += len(before)
        return total / tokens

    def _batches(self, rows: Sequence[Encoded]) -> list[Sequence[Encoded]]:
        return [rows[at : at + self.batch] for at in range(0, len(rows), self.batch)]

    @torch.no_grad()
    def _predict(self, rows: Sequence[Encoded], branches: Branches) -> Predicted:
        return self.trunk.predict(rows, {path: side_of(branch) for path, branch in branches.items()})


def make_reader(subject: OpenSubject, layer: int, held: Opinions, options: argparse.Namespace) -> Reader:
    """A reader of held-out pairs, and of texts that should stay."""
    trunk = Trunk(subject, layer)
    traits = {target.trait for target in options.targets}
    others = [row for row in held if row.trait not in traits]
    chosen = np.random.default_rng(0).permutation(len(others))[: options.kept]
    passages = sorted(load_passages(use="measure"), key=lambda passage: len(passage.text))[: options.kept]
    texts = [Words(others[int(number)].question, others[int(number)].answer) for number in chosen]
    pairs = {target: drawn(pairs_of(held, target), options.held, 0) for target in options.targets}
    return Reader(trunk, encoder(trunk, subject.window), pairs, [*texts, *map(passage_words, passages)], options.batch)


def edits(editor: Editor, subject: OpenSubject, train: Opinions, options: argparse.Namespace) -> dict[Key, Branches]:
    """An edit for each target and each draw of its opinions."""
    return {
        (target, draw): editor.edit(subject, chosen_rows(train, target, options.rows, draw))
        for target in options.targets
        for draw in range(options.repetitions)
    }


def scan(name: str, reader: Reader, edited: Mapping[Key, Branches], gains: Sequence[float]) -> dict[Key, list[Reading]]:
    """Readings of all edits at all gains, printed as they come."""
    found: dict[Key, list[Reading]] = {key: [] for key in edited}
    for gain in gains:
        for (target, draw), branches in edited.items():
            found[target, draw].append(reader.read(target, branches, gain))
        latest = [readings[-1] for readings in found.values()]
        success, shown, other = (
            np.mean([np.mean(values) for values in column])
            for column in zip(*((each.success, each.shown, each.other) for each in latest), strict=True)
        )
        print(
            f"{name:8} gain {gain:<6g} DD {np.mean([each.drawdown for each in latest]):.4f}  ES {success:.4f}  "
            f"p+ {shown:+.3f}  p- {other:+.3f}  p+ less p- {shown - other:+.4f}",
            flush=True,
        )
    return found


def at_drawdown(readings: Sequence[Reading], drawdown: float) -> list[float] | None:
    """ES of each pair where the drawdown is ``drawdown``, interpolated in its logarithm; None outside what was read."""
    levels = np.log([reading.drawdown for reading in readings])
    order = np.argsort(levels)
    if not levels[order[0]] <= np.log(drawdown) <= levels[order[-1]]:
        return None
    success = np.array([readings[number].success for number in order])
    return [float(np.interp(np.log(drawdown), levels[order], column)) for column in success.T]


def compare(
    reader: Reader, descent: Mapping[Key, list[Reading]], mend: Mapping[Key, list[Reading]], drawdown: float
) -> Row | None:
    """ES at equal DD over the pairs of all edits, with intervals over topics; None where a scan does not reach it."""
    ours: list[float] = []
    peer: list[float] = []
    topics: list[str] = []
    for key in descent:
        plain, trained = at_drawdown(descent[key], drawdown), at_drawdown(mend[key], drawdown)
        if plain is not None and trained is not None:
            peer += plain
            ours += trained
            topics += [pair.topic for pair in reader.pairs[key[0]]]
    if not ours:
        print(f"DD {drawdown:g}: not reached by both within the gains")
        return None
    one, other, more = average(ours, topics), average(peer, topics), paired_difference(peer, ours, topics)
    interval = f"{_signed(more.value)} ({_signed(more.lower)} to {_signed(more.upper)})"
    note = f"MEND {one}; descent {other}; MEND less descent {interval}"
    values = float(np.mean(ours)), float(np.mean(peer))
    return Row(f"mend: ES at DD {drawdown:g}", *values, values[0] / values[1], "ES", (values,), "", note)


def train_editor(subject: OpenSubject, train: Opinions, options: argparse.Namespace) -> Editor:
    """A trained editor: from its folder, or trained and kept there; a training that was stopped goes on."""
    if options.editor and (options.editor / CARD).exists():
        return load_editor(options.editor)
    checkpoint = options.editor / "checkpoint.safetensors" if options.editor else None
    editor = method(options).train(subject, options.targets, train, Workspace(checkpoint, watch=_tell))
    if options.editor:
        editor.save(options.editor)
    return editor


def method(options: argparse.Namespace) -> Mend:
    """The default settings, with those that were given."""
    names = ("steps", "accumulation", "learning_rate", "alpha", "alpha_learning_rate", "edit_weight", "rank", "seed")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return replace(Mend(rows=options.rows), **given)


def show(subject: OpenSubject, edited: Mapping[Key, Branches], gains: Sequence[float]) -> None:
    """A few greedy replies under the first edit of each target, and under none."""
    for (target, draw), branches in edited.items():
        for gain in gains if draw == 0 else ():
            with WeightEdit(Origin("mend", target), gain, branches=branches).applied(subject):
                for reply in subject.reply(QUESTIONS, replace(GREEDY, max_new_tokens=48)):
                    print(f"{target} gain {gain:g}: {reply.text!r}", flush=True)


def short(opinions: Opinions, words: int, topics: int) -> Opinions:
    """The rows with short answers on the first topics, which keep a run short."""
    rows = [row for row in opinions.on_topics(topics) if len(row.answer.split()) <= words]
    return Opinions(rows, f"{opinions.name}, up to {words} words")


def main() -> None:
    """Train, scan, compare."""
    options = parse()
    torch.set_num_threads(options.threads)
    subject = load(options.model, options.device)
    opinions = load_opinions()
    train = short(opinions.split("shape"), options.words, options.topics)
    held = short(opinions.split("test"), options.held_words, options.topics)
    print(f"{len(train)} rows to learn from, {len(held)} held out; {method(options)}", flush=True)
    editor = train_editor(subject, train, options)
    print(f"learned rates: {[round(rate, 4) for rate in editor.network.alphas.tolist()]}", flush=True)
    plain = replace(method(options), steps=0).train(subject, options.targets, train)
    reader = make_reader(subject, editor.card.layer, held, options)
    edited = edits(editor, subject, train, options)
    descent = scan("descent", reader, edits(plain, subject, train, options), options.gains)
    mend = scan("MEND", reader, edited, options.mend_gains or options.gains)
    rows = [compare(reader, descent, mend, drawdown) for drawdown in options.drawdowns]
    write([row for row in rows if row], options.out)
    show(subject, edited, options.replies)


def parse() -> argparse.Namespace:
    """The arguments of every part, and what bounds the time of this one."""
    parser = arguments(__doc__)
    poles = [Target("extraversion", "high"), Target("extraversion", "low")]
    parser.add_argument("--targets", type=Target.parse, nargs="+", default=poles)
    parser.add_argument("--editor", type=Path, help="folder of the trained editor")
    parser.add_argument("--rows", type=int, default=4, help="opinions behind an edit")
    for name, kind in (("steps", int), ("accumulation", int), ("rank", int), ("seed", int), ("learning-rate", float),
                       ("alpha", float), ("alpha-learning-rate", float), ("edit-weight", float)):  # fmt: skip
        parser.add_argument(f"--{name}", type=kind, help="as the setting of that name; its default where it is missing")
    parser.add_argument("--words", type=int, default=30, help="of an answer that is learned from, at most")
    parser.add_argument("--held-words", type=int, default=40, help="of a held-out answer, at most")
    parser.add_argument("--topics", type=int, default=100, help="of each split, at most")
    parser.add_argument("--held", type=int, default=12, help="pairs of answers for ES, for each target")
    parser.add_argument("--kept", type=int, default=6, help="opinions, and as many passages, for DD")
    parser.add_argument("--gains", type=float, nargs="+", default=[0.1, 0.3, 0.6, 1.0, 2.0])
    parser.add_argument("--mend-gains", type=float, nargs="+", help="of the trained editor, where they are others")
    parser.add_argument("--drawdowns", type=float, nargs="+", default=[0.01, 0.03, 0.1])
    parser.add_argument("--replies", type=float, nargs="*", default=[], help="gains at which replies are shown")
    parser.add_argument("--batch", type=int, default=6, help="rows at once")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def _both(pair: Pair) -> tuple[Words, Words]:
    return Words(pair.shown.question, pair.shown.answer), Words(pair.other.question, pair.other.answer)


def _tell(progress: FitProgress) -> None:
    print(progress, flush=True)


def _signed(value: float | None) -> str:
    return "withheld" if value is None else f"{value:+.4f}"


if __name__ == "__main__":
    main()
