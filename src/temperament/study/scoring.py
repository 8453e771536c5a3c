"""From records to figures: scorers read, statistics estimate, and every figure says what it is of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

from temperament.measure.protocol import Measurement, Score, Scorer
from temperament.opinion.row import Opinions
from temperament.record import Figure, Record, Results, read_records, to_json, write_lines, write_text
from temperament.study.explanation import Explanations
from temperament.study.family import Change, Replies, changes, write_family
from temperament.study.inventory import Inventories
from temperament.study.judge import Judgements
from temperament.study.order import stages_of
from temperament.study.plan import Cell, Study
from temperament.study.reading import UNTOUCHED, Readings
from temperament.study.scored import signed_probability, traits_read
from temperament.study.stage import Stage, figure_of
from temperament.trait import Target


def score_run(study: Study, opinions: Opinions, folder: Path) -> None:
    """Score all records of a run.

    Writes ``scores/``, the cards and comparisons of ``findings/``, and ``results.json``.
    """
    from temperament.study.crosstalk import write_crosstalk
    from temperament.study.dose import write_dose

    scoring = _Scoring(study, opinions, folder)
    figures = list(scoring.figures())
    scoring.write_findings()
    write_crosstalk(folder)
    write_dose(folder)
    # Last, because a run that has it is complete.
    write_text(folder / "results.json", to_json(Results(figures)))


class _Scoring:
    """What is scored with what."""

    def __init__(self, study: Study, opinions: Opinions, folder: Path) -> None:
        from temperament.measure.stock import classifier_card, trait_classifier

        self.study, self.opinions, self.folder = study, opinions, folder
        self.stages = stages_of(study, folder, opinions)
        classifier = trait_classifier(opinions, study.measure.embedder)
        write_text(folder / "findings" / "classifier.json", to_json(classifier_card(classifier, opinions)))
        self.classifier = classifier
        # Where there is no target, everything but alignment to it is measured: any pole that is known serves to ask.
        self.stand_in = Target.parse(classifier.labels[0])
        self.cells = study.cells()
        self.records = {cell: read_records(folder / "records" / f"{cell.name}.jsonl") for cell in self.cells}
        self.scorers = self._scorers()
        self.scores = {
            cell: {scorer.name: scorer.read(self.records[cell]) for scorer in self.scorers[cell]} for cell in self.cells
        }
        self.changed: list[tuple[Cell, Change]] = []

    def figures(self) -> Iterator[Figure]:
        """All figures; the scores of each reply are written on the way."""
        for cell in self.cells:
            _write_scores(self.folder / "scores" / f"{cell.name}.jsonl", self.records[cell], self.scores[cell])
            for target in _targets_of(cell, self.study):
                yield from self._of_replies(cell, target)
                for stage in self.stages:
                    yield from self._of_stage(cell, target, stage)
                if cell.method != "base":
                    yield from self._of_change(cell, target)
        yield from self._of_both_poles()

    def write_findings(self) -> None:
        """The cards of what measures, and the family of tests."""
        from temperament.measure.emoji_inventory import inventory_of
        from temperament.measure.refusal import refusal_card

        emojis = {cell.name: inventory_of(self.records[cell]) for cell in self.cells}
        write_text(self.folder / "findings" / "emoji.json", to_json(emojis))
        card = refusal_card(self.opinions, self.study.interview.split)
        write_text(self.folder / "findings" / "refusal.json", to_json(card))
        write_family(self.folder, self.changed)
        for stage in self.stages:
            if isinstance(stage, Inventories):
                stage.write_card(self.cells, self._behaviour())
            if isinstance(stage, Judgements):
                stage.bench.write_finding([cell.name for cell in self.cells])
            if isinstance(stage, Explanations):
                stage.write_finding(self.cells)

    def _scorers(self) -> dict[Cell, list[Scorer]]:
        from temperament.measure.alignment import TraitAlignment
        from temperament.measure.emoji import EmojiUse
        from temperament.measure.fluency import Fluency
        from temperament.measure.gibberish import base_vocabulary, card_of, rule_of
        from temperament.measure.length import Length
        from temperament.measure.refusal import Refusal

        readings, asked = self._readings(), self.study.interview.split
        untouched, words = readings.rows(UNTOUCHED), base_vocabulary(self.opinions, asked)
        rule = rule_of(untouched)
        card = card_of(rule, words, self.opinions, asked, untouched, readings.reason)
        write_text(self.folder / "findings" / "fluency.json", to_json(card))
        alignment = TraitAlignment(self.classifier, is_forced=self.study.measure.is_forced)
        common: list[Scorer] = [alignment, EmojiUse(), Length(), Refusal()]
        return {cell: [*common, Fluency(rule, words, readings.surprises(cell))] for cell in self.cells}

    def _readings(self) -> Readings:
        return next(stage for stage in self.stages if isinstance(stage, Readings))

    def _of_replies(self, cell: Cell, target: Target | None) -> Iterator[Figure]:
        for scorer in self.scorers[cell]:
            for found in scorer.measure(self.records[cell], target or self.stand_in):
                if target or not found.metric.startswith("trait_alignment"):
                    yield self._figure(cell, target, scorer.name, found)

    def _of_stage(self, cell: Cell, target: Target | None, stage: Stage) -> Iterator[Figure]:
        for found in stage.measure(cell, Cell("base", seed=cell.seed), target):
            yield self._figure(cell, target, stage.scorer, found)

    def _of_change(self, cell: Cell, target: Target | None) -> Iterator[Figure]:
        base = Cell("base", seed=cell.seed)
        before, after = (Replies(self.records[one], self.scores[one]) for one in (base, cell))
        for found in changes(before, after, target, self.stand_in):
            self.changed.append((cell, found))
            yield self._figure(cell, target, found.scorer, Measurement(f"{found.metric}_change", found.estimate))
        if target:
            from temperament.measure.alignment import tpei

            topics = [record.topic for record in after.records]
            index = tpei(before.scores["alignment"], after.scores["alignment"], target, topics)
            yield self._figure(cell, target, "alignment", Measurement("tpei", index))

    def _of_both_poles(self) -> Iterator[Figure]:
        """PersonalityBench asks for both poles of a trait under one method; its figures stand with the high pole."""
        judged = [stage for stage in self.stages if isinstance(stage, Judgements)]
        for stage, high in product(judged, self.cells):
            low = replace(high, target=Target(high.target.trait, "low")) if high.target else None
            if high.target and high.target.pole == "high" and low in self.cells:
                for one in stage.of_both_poles(high, low):
                    yield self._figure(high, high.target, stage.scorer, one)

    def _behaviour(self) -> dict[str, dict[str, float]]:
        """By trait and cell, how replies read: the mean of P(high) - P(low)."""
        found: dict[str, dict[str, float]] = {}
        for trait in traits_read(self.classifier.labels):
            for cell in self.cells:
                read = [signed_probability(score, trait) for score in self.scores[cell]["alignment"]]
                known = [one for one in read if one is not None]
                if known:
                    found.setdefault(trait, {})[cell.name] = fmean(known)
        return found

    def _figure(self, cell: Cell, target: Target | None, scorer: str, found: Measurement) -> Figure:
        return figure_of(cell, target, self.records[cell][0].subject, scorer, found)


def _targets_of(cell: Cell, study: Study) -> Sequence[Target | None]:
    """The untouched model is measured against every target, an edit against its own."""
    if cell.method == "base":
        return study.wanted or (None,)
    return (cell.target,)


def _write_scores(path: Path, records: Sequence[Record], scores: Mapping[str, Sequence[Score | None]]) -> None:
    rows: list[dict[str, Any]] = [
        {"item": record.item, **{name: found[number] for name, found in scores.items()}}
        for number, record in enumerate(records)
    ]
    write_lines(path, rows)
