"""The search: statistics while the model writes under each pole, a choice, then percentiles from the same texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from temperament.activation.histogram import Histograms, Range
from temperament.activation.reader import Reader
from temperament.activation.statistic import Collector, UnitStatistics
from temperament.activation.text import Part, read_texts, write_texts
from temperament.record import Generation
from temperament.shape.neurons.finding import LayerNeurons, TraitNeurons, gates_of
from temperament.shape.neurons.scene import Scenes
from temperament.shape.neurons.selection import Chosen, Selection, delta
from temperament.subject.anatomy import Site
from temperament.subject.base import Progress
from temperament.subject.open import OpenSubject
from temperament.subject.text import Encoded
from temperament.trait import POLES, Pole

# ``generated``: the positions that written tokens are read off; ``prompt``: what comes before them; ``all``: both;
# ``answer``: as ``generated``, of answers that are given.
Counted = Literal["generated", "prompt", "answer", "all"]
PARTS: dict[Counted, Part] = {"generated": "answer", "prompt": "prompt", "answer": "answer", "all": "all"}
PERCENTILE = 0.95
# Both poles are written or read, and read again.
PHASES = 4
# Is told how far a search is, 0 to 1, and what is done.
SearchWatch = Callable[[float, str], None]


@dataclass(frozen=True)
class Search:
    """What is asked of the model.

    Attributes:
        counted: positions that statistics are taken over.
        generation: how the model writes.
        selection: which neurons are taken.
    """

    counted: Counted = "generated"
    generation: Generation = Generation(temperature=0.0, max_new_tokens=100, repetition_penalty=1.1)
    selection: Selection = field(default_factory=Selection)


def find_neurons(
    subject: OpenSubject,
    trait: str,
    scenes: Scenes,
    search: Search | None = None,
    watch: SearchWatch | None = None,
) -> TraitNeurons:
    """The neurons of both poles of a trait.

    Memory grows with the units of the model and the texts' tokens as numbers, not with activations.

    Args:
        subject: untouched, or under an edit that is looked into.
        trait: by name.
        scenes: what the model reads under each pole.
        search: what is counted, and how neurons are chosen.
        watch: is told how far it is.

    Raises:
        SeamError: the model has no gated MLPs.
        RequestError: a prompt leaves no room for the reply, or no position is counted.
        TrainingError: the logits are no finite numbers.
    """
    search = search or Search()
    gates = gates_of(subject)
    statistics: dict[Pole, list[UnitStatistics]] = {}
    texts: dict[Pole, Sequence[Encoded]] = {}
    for phase, pole in enumerate(POLES):
        collector = Collector(subject, gates)
        texts[pole] = _gather(subject, scenes[pole], search, collector, _told(watch, phase, f"{trait}, {pole} pole"))
        statistics[pole] = [collector.statistics(site) for site in gates]
    chosen = search.selection.choose(statistics["high"], statistics["low"])
    percentiles: dict[Pole, dict[Site, Tensor]] = {}
    for phase, pole in enumerate(POLES, start=len(POLES)):
        ranges = {
            site: Range(is_own.nonzero().squeeze(1), own.least[is_own], own.greatest[is_own])
            for site, own, is_own in zip(gates, statistics[pole], chosen[pole], strict=True)
            if bool(is_own.any())
        }
        told = _told(watch, phase, f"{trait}, {pole} pole, percentiles")
        percentiles[pole] = _percentiles(subject, texts[pole], ranges, PARTS[search.counted], told)
    return _finding(subject, trait, statistics, chosen, percentiles)


def _gather(
    subject: OpenSubject, scenes: Sequence[Encoded], search: Search, collector: Reader, progress: Progress
) -> Sequence[Encoded]:
    """Take the statistics of a pole; the texts that they were taken over, as they are to be read again."""
    if search.counted in ("generated", "all"):
        readers = [collector] if search.counted == "generated" else []
        scenes = write_texts(subject, [scene.prompt for scene in scenes], search.generation, readers, progress)
    if search.counted != "generated":
        read_texts(subject, scenes, [collector], PARTS[search.counted], progress)
    return scenes


def _percentiles(
    subject: OpenSubject, texts: Sequence[Encoded], ranges: Mapping[Site, Range], part: Part, progress: Progress
) -> dict[Site, Tensor]:
    if not ranges:
        return {}
    histograms = Histograms(subject, ranges)
    read_texts(subject, texts, [histograms], part, progress)
    return {site: histograms.percentile(site, PERCENTILE) for site in ranges}


def _finding(
    subject: OpenSubject,
    trait: str,
    statistics: Mapping[Pole, Sequence[UnitStatistics]],
    chosen: Mapping[Pole, Sequence[Chosen]],
    percentiles: Mapping[Pole, Mapping[Site, Tensor]],
) -> TraitNeurons:
    layers: list[LayerNeurons] = []
    for number, site in enumerate(gates_of(subject)):
        difference = delta(statistics["high"][number], statistics["low"][number])
        a95 = torch.full_like(difference, torch.nan)
        for pole in POLES:
            if site in percentiles[pole]:
                a95[chosen[pole][number]] = percentiles[pole][site]
        layers.append(LayerNeurons(difference.float(), a95.float(), chosen["high"][number], chosen["low"][number]))
    return TraitNeurons(
        trait,
        subject.name,
        subject.fingerprint,
        tuple(layers),
        {pole: statistics[pole][0].tokens for pole in POLES},
        {pole: smallest for pole in POLES if (smallest := _smallest(layers, pole)) is not None},
    )


def _smallest(layers: Sequence[LayerNeurons], pole: Pole) -> float | None:
    sign = 1 if pole == "high" else -1
    taken = torch.cat([sign * layer.delta[layer.of(pole)] for layer in layers])
    return float(taken.min()) if len(taken) else None


def _told(watch: SearchWatch | None, phase: int, note: str) -> Progress:
    def progress(done: int, total: int) -> None:
        if watch:
            watch((phase + done / total) / PHASES, note)

    return progress
