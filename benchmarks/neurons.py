"""Statistics of every unit, streaming, against keeping every activation and against a forward pass without either.

The same texts, batches and pass on all sides; what differs is what is done with the units of the gates. Memory is the
most that was taken beyond what was there before the pass.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.model import load
from benchmarks.row import Row, Spent, arguments, compared, peak_memory, row_of, spent, take_turns, write
from temperament.activation.statistic import Collector
from temperament.activation.text import TOKENS, read_texts
from temperament.opinion.row import load_opinions
from temperament.subject.anatomy import Site
from temperament.subject.open import OpenSubject, Rewrite
from temperament.subject.text import Encoded


@dataclass(frozen=True)
class Bench:
    """What is read, and where."""

    subject: OpenSubject
    texts: Sequence[Encoded]
    device: str

    @property
    def sites(self) -> list[Site]:
        """The gates of all layers."""
        return [Site(layer, "gate") for layer in range(self.subject.anatomy.layers)]

    def bare(self) -> None:
        """A forward pass and nothing else."""
        read_texts(self.subject, self.texts, [], "all")

    def streaming(self) -> dict[Site, Tensor]:
        """Counts, means, squares and ranges while the texts are read."""
        collector = Collector(self.subject, self.sites)
        read_texts(self.subject, self.texts, [collector], "all")
        return {site: collector.statistics(site).mean for site in self.sites}

    def storing(self) -> dict[Site, Tensor]:
        """Every activation is kept, then counted: the straightforward way."""
        kept: dict[Site, list[Tensor]] = {site: [] for site in self.sites}
        with ExitStack() as stack:
            for site in self.sites:
                stack.enter_context(self.subject.rewrite(site, _keeping(kept[site])))
            read_texts(self.subject, self.texts, [], "all")
        means: dict[Site, Tensor] = {}
        for site, pieces in kept.items():
            every = torch.cat(pieces)
            (every > 0).float().mean(dim=0)
            every.var(dim=0)
            every.aminmax(dim=0)
            means[site] = every.mean(dim=0)
        return means


def _keeping(kept: list[Tensor]) -> Rewrite:
    def see(activation: Tensor, is_reply: Tensor) -> Tensor:
        del is_reply
        kept.append(activation.flatten(0, 1).float().clone())
        return activation

    return see


def texts(subject: OpenSubject, count: int) -> list[Encoded]:
    """Opinions as they are trained on: questions and answers."""
    rows = load_opinions().split("shape")
    step = max(1, len(rows) // count)
    return [
        subject.encode(({"role": "user", "content": row.question},), row.answer) for row in list(rows)[::step][:count]
    ]


def measure(bench: Bench, repetitions: int) -> list[Row]:
    """All rows."""
    tokens = sum(len(text) for text in bench.texts)
    peaks: dict[str, list[float]] = {"streaming": [], "storing": []}

    def watched(name: str) -> Spent:
        with peak_memory(bench.device) as peak:
            time = spent(getattr(bench, name))
        peaks.get(name, []).extend(peak)
        return time

    bench.bare()
    names = ("bare", "streaming", "storing")
    found = take_turns({name: (lambda name=name: watched(name)) for name in names}, repetitions)
    size = f"{tokens} tokens, {sum(map(bench.subject.width, bench.sites))} units"
    rows: list[Row] = []
    for name, goal, what in (
        ("streaming", "at most 1.3", "counts, means, squares and ranges of every unit"),
        ("storing", "", "every activation kept, then counted"),
    ):
        times = (found[name], found["bare"])
        title = f"neurons: {name} against a bare pass"
        rows.append(compared(title, "s", times, None, goal=goal, note=f"{what}, {size}"))
    if peaks["streaming"] and peaks["storing"]:
        note = f"the most that was taken beyond what was there before, {size}"
        rows.append(row_of("neurons: memory against storing", "MB", peaks["streaming"], peaks["storing"], note=note))
        # Fewer tokens than fill a batch take the memory of a smaller batch.
        if tokens >= TOKENS:
            rows.append(_growth(bench))
    return rows


def _growth(bench: Bench) -> Row:
    """Memory for the texts twice against memory for them once: the texts fill a batch once already."""
    found: dict[int, list[float]] = {}
    for times in (1, 2):
        with peak_memory(bench.device) as found[times]:
            Bench(bench.subject, [*bench.texts] * times, bench.device).streaming()
    note = "the most that was taken for twice the texts against once: flat where it does not grow with them"
    return row_of("neurons: memory as texts double", "MB", found[2], found[1], goal="at most 1.1", note=note)


def main(words: Sequence[str] | None = None) -> None:
    """Measure and write."""
    parser = arguments(__doc__)
    parser.add_argument("--texts", type=int, default=64)
    asked = parser.parse_args(words)
    subject = load(asked.model, asked.device)
    write(measure(Bench(subject, texts(subject, asked.texts), asked.device), asked.repetitions), asked.out)


if __name__ == "__main__":
    main()
