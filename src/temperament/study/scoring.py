"""From records to figures: scorers read, statistics estimate, and every figure says what it is of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from temperament.measure.protocol import Score, Scorer
from temperament.opinion.row import Opinions
from temperament.record import Figure, Record, Results, read_records, to_json, write_lines, write_text
from temperament.stats import Estimate, paired_difference
from temperament.study.plan import Cell, Study
from temperament.study.reading import UNTOUCHED, Readings
from temperament.trait import Target

# What a change is measured in: the value of one reply, from the scores of the scorer of that name; None is missing.
ReplyValue = Callable[[Score, Target], float | None]
CHANGES: Mapping[str, tuple[str, ReplyValue]] = {
    "trait_alignment": ("alignment", lambda score, target: _hit(score["label"], str(target))),
    "trait_alignment_5": ("alignment", lambda score, target: _hit(score["trait"], target.trait)),
    "trait_alignment_without_emoji": (
        "alignment",
        lambda score, target: _hit(score["label_without_emoji"], str(target)),
    ),
    "emoji_share": ("emoji", lambda score, _target: float(bool(score["emojis"]))),
    "words": ("length", lambda score, _target: float(score["words"])),
    "gibberish_share": ("fluency", lambda score, _target: float(score["gibberish"] is not None)),
    "distinct_2": ("fluency", lambda score, _target: score["distinct_2"]),
    "repetition": ("fluency", lambda score, _target: score["repetition"]),
    "log_perplexity": ("fluency", lambda score, _target: score["surprise"]),
    "finished_share": ("length", lambda score, _target: None if score["is_finished"] is None else score["is_finished"]),
}


def score_run(study: Study, opinions: Opinions, folder: Path) -> None:
    """Score all records of a run.

    Writes ``scores/``, ``findings/classifier.json``, ``findings/fluency.json`` and ``results.json``.
    """
    from temperament.measure.alignment import TraitAlignment
    from temperament.measure.emoji import EmojiUse
    from temperament.measure.length import Length
    from temperament.measure.stock import classifier_card, trait_classifier

    classifier = trait_classifier(opinions, study.measure.embedder)
    card = classifier_card(classifier, opinions)
    write_text(folder / "findings" / "classifier.json", to_json(card))
    fluency = _Fluencies(study, opinions, folder)
    write_text(folder / "findings" / "fluency.json", to_json(fluency.card()))
    common: list[Scorer] = [TraitAlignment(classifier), EmojiUse(), Length()]
    # Where there is no target, everything but alignment to it is measured: any pole that is known serves to ask.
    stand_in = Target.parse(classifier.labels[0])
    cells = study.cells()
    records = {cell: read_records(folder / "records" / f"{cell.name}.jsonl") for cell in cells}
    scorers = {cell: [*common, fluency.scorer(cell)] for cell in cells}
    scores = {cell: {scorer.name: scorer.read(records[cell]) for scorer in scorers[cell]} for cell in cells}
    figures: list[Figure] = []
    for cell in cells:
        _write_scores(folder / "scores" / f"{cell.name}.jsonl", records[cell], scores[cell])
        for target in _targets_of(cell, study):
            figures += _figures(cell, target, records[cell], scorers[cell], stand_in)
            figures += fluency.figures(cell, target, records[cell])
            if cell.method != "base":
                base = Cell("base", seed=cell.seed)
                before, after = (records[base], scores[base]), (records[cell], scores[cell])
                figures += _changes(cell, target, before, after, stand_in)
    write_text(folder / "results.json", to_json(Results(figures)))


class _Fluencies:
    """What the readings of a run give: the rule for gibberish, and what edits do to texts that they did not write."""

    def __init__(self, study: Study, opinions: Opinions, folder: Path) -> None:
        from temperament.measure.gibberish import base_vocabulary, rule_of

        self.opinions, self.asked = opinions, study.interview.split
        self.library = Readings(study, folder, opinions)
        self.untouched = self.library.rows(UNTOUCHED)
        self.vocabulary = base_vocabulary(opinions, self.asked)
        self.rule = rule_of(self.untouched)

    def card(self) -> Any:
        """What the rule calls texts of which it is known what they are."""
        from temperament.measure.gibberish import card_of

        return card_of(self.rule, self.vocabulary, self.opinions, self.asked, self.untouched, self.library.reason)

    def scorer(self, cell: Cell) -> Scorer:
        """The scorer of a cell's replies."""
        from temperament.measure.fluency import Fluency

        replies = [row for row in self.library.rows(cell.name) if row.kind == "reply"]
        surprises = {row.id: -row.log_probability for row in replies if row.log_probability is not None}
        return Fluency(self.rule, self.vocabulary, surprises)

    def figures(self, cell: Cell, target: Target | None, records: Sequence[Record]) -> list[Figure]:
        """Edit success and its change, drawdown, and the perplexity of neutral text."""
        from temperament.measure.effect import effects, success_change

        read = self.untouched if cell.method == "base" else self.library.rows(cell.name)
        found = [(one.metric, one.estimate) for one in effects(read, self.untouched, target)]
        if cell.method != "base" and target and any(metric == "edit_success" for metric, _ in found):
            found.append(("edit_success_change", success_change(read, self.untouched, target)))
        return [_figure(cell, target, records, metric, estimate, "reading", (None, None)) for metric, estimate in found]


def _targets_of(cell: Cell, study: Study) -> Sequence[Target | None]:
    """The untouched model is measured against every target, an edit against its own."""
    if cell.method == "base":
        return study.wanted or (None,)
    return (cell.target,)


def _figures(
    cell: Cell, target: Target | None, records: Sequence[Record], scorers: Sequence[Scorer], stand_in: Target
) -> list[Figure]:
    return [
        _figure(
            cell,
            target,
            records,
            found.metric,
            found.estimate,
            scorer.name,
            (found.measured_trait, found.measured_pole),
        )
        for scorer in scorers
        for found in scorer.measure(records, target or stand_in)
        if target or not found.metric.startswith("trait_alignment")
    ]


def _changes(
    cell: Cell,
    target: Target | None,
    before: tuple[Sequence[Record], Mapping[str, list[Score | None]]],
    after: tuple[Sequence[Record], Mapping[str, list[Score | None]]],
    stand_in: Target,
) -> list[Figure]:
    """Paired differences to the untouched model, on the items that both answered."""
    found: list[Figure] = []
    for metric, (scorer, value_of) in CHANGES.items():
        if target is None and metric.startswith("trait_alignment"):
            continue
        earlier = _by_item(before[0], before[1][scorer], value_of, target or stand_in)
        later = _by_item(after[0], after[1][scorer], value_of, target or stand_in)
        items = [item for item in later if item in earlier]
        if scorer == "fluency" and not items:
            # Replies that nobody could read have no surprise.
            continue
        topics = {record.item: record.topic for record in after[0]}
        estimate = paired_difference(
            [earlier[item] for item in items], [later[item] for item in items], [topics[item] for item in items]
        )
        found.append(_figure(cell, target, after[0], f"{metric}_change", estimate, scorer, (None, None)))
    return found


def _by_item(
    records: Sequence[Record], scores: Sequence[Score | None], value_of: ReplyValue, target: Target
) -> dict[str, float]:
    values = {
        record.item: value_of(score, target) for record, score in zip(records, scores, strict=True) if score is not None
    }
    return {item: float(value) for item, value in values.items() if value is not None}


def _figure(
    cell: Cell,
    target: Target | None,
    records: Sequence[Record],
    metric: str,
    estimate: Estimate,
    scorer: str,
    measured: tuple[str | None, str | None],
) -> Figure:
    return Figure(
        subject=records[0].subject,
        method=cell.method,
        condition=cell.condition,
        trait=target.trait if target else None,
        pole=target.pole if target else None,
        strength=cell.strength,
        seed=cell.seed,
        metric=metric,
        measured_trait=measured[0],
        measured_pole=measured[1],
        scorer=scorer,
        **asdict(estimate),
    )


def _write_scores(path: Path, records: Sequence[Record], scores: Mapping[str, Sequence[Score | None]]) -> None:
    rows = [
        {"item": record.item, **{name: found[number] for name, found in scores.items()}}
        for number, record in enumerate(records)
    ]
    write_lines(path, rows)


def _hit(found: str | None, wanted: str) -> float | None:
    return None if found is None else float(found == wanted)
