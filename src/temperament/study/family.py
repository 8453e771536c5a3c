"""How replies changed, tested: paired differences to the untouched model as one family for each metric.

A study makes many comparisons, some of which would look striking by chance, so p-values are adjusted together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from temperament.measure.protocol import Score
from temperament.record import Record, to_json, write_text
from temperament.stats import (
    Estimate,
    Evidence,
    Visible,
    cohens_d_paired,
    cohens_h_paired,
    discoveries,
    paired_difference,
    paired_test,
    power_note,
)
from temperament.study.plan import Cell
from temperament.trait import Target

FINDING = Path("findings") / "family.json"
# The metric of which it is said how small a change could be seen.
MAIN = "trait_alignment"
# What a change is measured in: the value of one reply, from the scores of the scorer of that name; None is missing.
ReplyValue = Callable[[Score, Target], float | None]
CHANGES: Mapping[str, tuple[str, ReplyValue]] = {
    "trait_alignment": ("alignment", lambda score, target: _hit(score["label"], str(target))),
    "trait_alignment_5": ("alignment", lambda score, target: _hit(score["trait"], target.trait)),
    "trait_alignment_without_emoji": (
        "alignment",
        lambda score, target: _hit(score["label_without_emoji"], str(target)),
    ),
    "trait_alignment_forced": ("alignment", lambda score, target: _hit(score["most_probable"], str(target))),
    "unsure_share": ("alignment", lambda score, _target: _hit(score["label"], "unsure")),
    "emoji_share": ("emoji", lambda score, _target: float(bool(score["emojis"]))),
    "words": ("length", lambda score, _target: float(score["words"])),
    "refusal_share": ("refusal", lambda score, _target: float(score["refusal"] is not None)),
    "gibberish_share": ("fluency", lambda score, _target: float(score["gibberish"] is not None)),
    "distinct_2": ("fluency", lambda score, _target: score["distinct_2"]),
    "repetition": ("fluency", lambda score, _target: score["repetition"]),
    "log_perplexity": ("fluency", lambda score, _target: score["surprise"]),
    "finished_share": ("length", lambda score, _target: None if score["is_finished"] is None else score["is_finished"]),
}


@dataclass(frozen=True)
class Replies:
    """The replies of a cell with what scorers said of them."""

    records: Sequence[Record]
    scores: Mapping[str, Sequence[Score | None]]

    def values(self, scorer: str, value_of: ReplyValue, target: Target) -> dict[str, float]:
        """By item, of the replies that have one."""
        rows = zip(self.records, self.scores[scorer], strict=True)
        found = {record.item: value_of(score, target) for record, score in rows if score is not None}
        return {item: float(value) for item, value in found.items() if value is not None}


@dataclass(frozen=True)
class Change:
    """The change of one metric under one cell.

    Attributes:
        estimate: paired difference to the untouched model, on the items that both answered.
        evidence: that it is not chance.
        effect: its size, on the scale that ``effect_name`` says.
        visible: the smallest change that so many replies could show.
    """

    metric: str
    scorer: str
    estimate: Estimate
    evidence: Evidence
    effect: Estimate
    effect_name: str
    visible: Visible


@dataclass(frozen=True)
class Row:
    """A line of ``findings/family.json``: one test, and its place among all of the same metric.

    Attributes:
        p: None where there is nothing to test with.
        p_adjusted: by Benjamini and Hochberg over the cells of the study that have this metric.
        effect_size: Cohen's h of shares, d_z of other values.
    """

    method: str
    condition: str
    strength: float
    trait: str | None
    pole: str | None
    seed: int
    metric: str
    test: str
    n: int
    topics: int
    p: float | None
    p_adjusted: float | None
    effect_size: float | None
    effect_name: str


def changes(before: Replies, after: Replies, target: Target | None, stand_in: Target) -> Iterator[Change]:
    """How a cell's replies differ from those of the untouched model to the same questions.

    Args:
        before: of the untouched model.
        after: of the cell.
        target: of the cell; without one alignment to it does not change.
        stand_in: any pole that is known, where there is no target.
    """
    topics = {record.item: record.topic for record in after.records}
    for metric, (scorer, value_of) in CHANGES.items():
        if target is None and metric.startswith("trait_alignment"):
            continue
        earlier, later = (side.values(scorer, value_of, target or stand_in) for side in (before, after))
        items = [item for item in later if item in earlier]
        if scorer == "fluency" and not items:
            # Replies that nobody could read have no surprise.
            continue
        clusters = [topics[item] for item in items]
        yield _change(metric, scorer, [earlier[item] for item in items], [later[item] for item in items], clusters)


def write_family(folder: Path, found: Sequence[tuple[Cell, Change]]) -> None:
    """Keep the tests of a study, adjusted metric by metric, and how small a change could be seen."""
    rows = [row for metric in CHANGES for row in _adjusted([pair for pair in found if pair[1].metric == metric])]
    visible = [change.visible for _, change in found if change.metric == MAIN and change.visible.difference]
    worst = max(visible, key=lambda one: one.difference or 0.0, default=None)
    power = "" if worst is None else f"of {MAIN.replace('_', ' ')}, {worst}"
    write_text(folder / FINDING, to_json({"rows": rows, "power": power}))


def _adjusted(found: Sequence[tuple[Cell, Change]]) -> list[Row]:
    named = {cell.name: change.evidence.p for cell, change in found}
    adjusted = discoveries(named)
    return [
        Row(
            method=cell.method,
            condition=cell.condition,
            strength=cell.strength,
            trait=cell.target.trait if cell.target else None,
            pole=cell.target.pole if cell.target else None,
            seed=cell.seed,
            metric=change.metric,
            test=change.evidence.test,
            n=change.evidence.n,
            topics=change.evidence.clusters,
            p=change.evidence.p,
            p_adjusted=adjusted[cell.name].adjusted,
            effect_size=change.effect.value,
            effect_name=change.effect_name,
        )
        for cell, change in found
    ]


def _change(metric: str, scorer: str, before: list[float], after: list[float], topics: list[str]) -> Change:
    is_share = {*before, *after} <= {0.0, 1.0}
    return Change(
        metric,
        scorer,
        paired_difference(before, after, topics),
        paired_test(before, after, topics),
        (cohens_h_paired if is_share else cohens_d_paired)(before, after, topics),
        "Cohen's h" if is_share else "Cohen's d_z",
        power_note(before, after, topics),
    )


def _hit(found: str | None, wanted: str) -> float | None:
    return None if found is None else float(found == wanted)
