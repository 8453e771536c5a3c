"""Synthetic runs for the report's tests; `python tests/report/synthetic_run.py FOLDER` writes some to look at."""

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tomli_w
from synthetic_finding import write_derived, write_findings
from synthetic_world import DEMO, HIGH, STILL, SUBJECT, World, questions, record_of, score_of

from temperament.record import Figure, Label, Record, Results, to_json, write_lines, write_records, write_text
from temperament.stats import Estimate, average, paired_difference, ratio, share
from temperament.trait import BIG_FIVE, Target, table_of_trait

__all__ = ["HIGH", "STILL", "World", "write_run"]
Rows = list[dict[str, Any]]
Metric = tuple[str, Estimate, str | None]


def write_run(folder: Path, world: World = DEMO) -> Path:
    """A run's folder with all its files."""
    figures: list[Figure] = []
    for seed in world.seeds:
        base, base_scores = _cell(folder, world, Label(), seed, None)
        for target in world.targets:
            figures += _figures(Label(trait=target.trait, pole=target.pole), seed, base, base_scores, target, world)
        for method in world.methods:
            for strength in world.strengths:
                for target in world.targets:
                    label = Label(method, "", target.trait, target.pole, strength, "fingerprint")
                    records, scores = _cell(folder, world, label, seed, target)
                    figures += _figures(label, seed, records, scores, target, world)
                    figures += list(_changes(label, seed, base_scores, scores, target, world))
    write_text(folder / "results.json", to_json(Results(figures)))
    write_text(folder / "study.toml", _settings(world))
    write_findings(folder, world)
    if world.has_all:
        write_derived(folder, world, figures)
    return folder


def _cell(folder: Path, world: World, label: Label, seed: int, target: Target | None) -> tuple[list[Record], Rows]:
    draw = random.Random(f"{label.method} {target} {label.strength} {seed}")
    records = [record_of(label, seed, item, world, draw) for item in questions()]
    scores = [score_of(one, target, world, draw) for one in records]
    name = f"{label.method}-{label.trait}-{label.pole}-x{label.strength:g}-s{seed}" if target else f"base-s{seed}"
    write_records(folder / "records" / f"{name}.jsonl", records)
    rows = [{"item": one.item, **score} for one, score in zip(records, scores, strict=True)]
    write_lines(folder / "scores" / f"{name}.jsonl", rows)
    if world.has_all:
        for stage, count in (("latent", len(records)), ("inventory", 50), ("judge", 80), ("readings", 77)):
            write_lines(folder / stage / f"{name}.jsonl", [{"id": number, "kind": "reply"} for number in range(count)])
    return records, scores


def _figures(
    label: Label, seed: int, records: list[Record], scores: Rows, target: Target, world: World
) -> list[Figure]:
    read = [(one.topic, score["alignment"]) for one, score in zip(records, scores, strict=True) if score["alignment"]]
    read = [(topic, alignment) for topic, alignment in read if alignment["label"]]
    topics = [topic for topic, _ in read]
    labels = [alignment["label"] for _, alignment in read]
    traits = [alignment["trait"] for _, alignment in read]
    own = share([one == str(target) for one in labels], topics)
    five = share([one == target.trait for one in traits], topics)
    metrics: list[Metric] = [
        ("trait_alignment", own, None),
        ("trait_alignment_5", five, None),
        ("trait_alignment_without_emoji", own, None),
        ("trait_alignment_5_without_emoji", five, None),
        *_written(records, scores),
        *_fluent(label, seed, records, scores),
        *(("pole_share", share([one == pole for one in labels], topics), pole) for pole in world.labels),
        *(_told(label, seed, target) if world.has_all else ()),
    ]
    return [_figure(label, seed, name, estimate, measured) for name, estimate, measured in metrics]


def _written(records: list[Record], scores: Rows) -> Iterator[Metric]:
    """Emojis and length."""
    kept = [(one.topic, one, score) for one, score in zip(records, scores, strict=True) if score["emoji"]]
    topics = [topic for topic, _, _ in kept]
    emojis = [float(len(score["emoji"]["emojis"])) for _, _, score in kept]
    words = [float(score["length"]["words"]) for _, _, score in kept]
    yield "emoji_share", share([count > 0 for count in emojis], topics), None
    yield (
        "emoji_sentence_ratio",
        ratio(emojis, [float(score["emoji"]["sentences"]) for *_, score in kept], topics),
        None,
    )
    yield "emoji_per_100_words", ratio(emojis, [count / 100 for count in words], topics), None
    yield "emoticon_share", share([bool(score["emoji"]["emoticons"]) for *_, score in kept], topics), None
    yield "words", average(words, topics), None
    yield "finished_share", share([bool(one.is_finished) for _, one, _ in kept], topics), None


def _fluent(label: Label, seed: int, records: list[Record], scores: Rows) -> list[Metric]:
    """Fluency of replies, and what became of texts that the model was given to read."""
    kept = [(one.topic, score["fluency"]) for one, score in zip(records, scores, strict=True) if score["fluency"]]
    topics = sorted({one.topic for one in records})
    draw = random.Random(f"fluent {label} {seed}")
    much = label.strength if label.method != "base" else 0.0

    def mean(name: str) -> Estimate:
        known = [(topic, score[name]) for topic, score in kept if score[name] is not None]
        return average([value for _, value in known], [topic for topic, _ in known])

    def drawn(lowest: float, highest: float) -> Estimate:
        return average([draw.uniform(lowest, highest) for _ in topics], topics)

    metrics = {
        "gibberish_share": share([score["gibberish"] is not None for _, score in kept], [topic for topic, _ in kept]),
        "distinct_2": mean("distinct_2"),
        "repetition": mean("repetition"),
        "perplexity": drawn(3.0 * (1 + much), 5.0 * (1 + much)),
        "log_perplexity": mean("surprise"),
        "edit_success": drawn(0.4 + 0.2 * much, 0.6 + 0.2 * much),
        "neutral_perplexity": drawn(40 * (1 + 0.2 * much), 60 * (1 + 0.2 * much)),
    }
    if much:
        metrics["drawdown"] = drawn(0.2 * much, 0.9 * much)
    return [(name, found, None) for name, found in metrics.items()]


def _told(label: Label, seed: int, target: Target) -> list[Metric]:
    """Inventory, judge and latent emoji mass."""
    draw = random.Random(f"told {label.method} {label.trait} {label.strength} {seed}" if label.strength else "told")
    much = label.strength
    found: list[Metric] = []
    for trait in BIG_FIVE:
        centre = 3.1 + (0.4 * much if trait.name == label.trait and much else 0)
        found.append(("inventory_score", around(draw, centre, 0.4, 50), f"{trait.name}:"))
    for name, centre in (("acquiescence", 3.4), ("position_bias", -0.3), ("label_bias", 0.5), ("refusal", 0.02)):
        found.append((f"inventory_{name}", around(draw, centre, 0.1 if centre > 1 else 0.02, 50), None))
    found.append(("judge_score", around(draw, 3.0 + 0.5 * much, 0.4, 40), f"{target.trait}:high"))
    found.append(("adjective_evaluation_reference", around(draw, -0.8 + 0.3 * much, 0.3, 40), str(target)))
    if much:
        found.append(("adjective_evaluation", around(draw, 0.4 * much, 0.3, 40), str(target)))
    lower = around(draw, 3e-5 * (1 + 9 * much), 1e-5, 40)
    upper = Estimate((lower.value or 0) * 1.6, (lower.lower or 0) * 1.6, (lower.upper or 0) * 1.6, 40)
    return [*found, ("latent_emoji_mass", lower, None), ("latent_emoji_mass_upper", upper, None)]


def around(draw: random.Random, centre: float, half: float, n: int) -> Estimate:
    """An estimate near a value."""
    value = centre + draw.uniform(-half, half) / 3
    return Estimate(value, value - half, value + half, n)


def _changes(label: Label, seed: int, before: Rows, after: Rows, target: Target, world: World) -> Iterator[Figure]:
    reads: dict[str, tuple[str, Callable[[Any], float | None]]] = {
        "trait_alignment": ("alignment", lambda score: score["label"] and float(score["label"] == str(target))),
        "trait_alignment_5": ("alignment", lambda score: score["trait"] and float(score["trait"] == target.trait)),
        "emoji_share": ("emoji", lambda score: float(bool(score["emojis"]))),
        "words": ("length", lambda score: float(score["words"])),
        "gibberish_share": ("fluency", lambda score: float(score["gibberish"] is not None)),
    }
    for name, (scorer, read) in reads.items():
        sides = [[row[scorer] and read(row[scorer]) for row in rows] for rows in (before, after)]
        both = [
            (topic, one, other)
            for (_, topic, _), one, other in zip(questions(), *sides, strict=True)
            if one is not None and other is not None
        ]
        estimate = paired_difference(
            [one for _, one, _ in both], [other for *_, other in both], [one[0] for one in both]
        )
        yield _figure(label, seed, f"{name}_change", estimate, None)
    if world.has_all:
        moved = around(random.Random(f"{label}{seed}"), 0.4 * label.strength, 0.3, 50)
        yield _figure(label, seed, "inventory_score_change", moved, f"{target.trait}:")


def _figure(label: Label, seed: int, metric: str, estimate: Estimate, measured: str | None) -> Figure:
    trait, _, pole = (measured or "").partition(":")
    scorers = {"trait": "alignment", "pole": "alignment", "latent": "latent", "emoji": "emoji", "emoticon": "emoji"}
    scorers |= {"inventory": "inventory", "judge": "judge", "adjective": "judge", "words": "length"}
    scorers |= {"finished": "length", "edit": "reading", "drawdown": "reading", "neutral": "reading"}
    return Figure(
        subject=SUBJECT,
        method=label.method,
        condition=label.condition,
        trait=label.trait,
        pole=label.pole,
        strength=label.strength,
        seed=seed,
        metric=metric,
        measured_trait=trait or None,
        measured_pole=pole or None,
        scorer=scorers.get(metric.partition("_")[0], "fluency"),
        value=estimate.value,
        lower=estimate.lower,
        upper=estimate.upper,
        n=estimate.n,
    )


def _settings(world: World) -> str:
    return f"""# As run, with the defaults filled in.
title = "SmolLM2-135M-Instruct, towards high poles"
subject = "{SUBJECT}"
targets = {[str(target) for target in world.targets]}
methods = {list(world.methods)}
strengths = {list(world.strengths)}
seeds = {list(world.seeds)}

[generation]
temperature = 0.7
top_p = 0.9
max_new_tokens = 150
{_definitions(world)}"""


def _definitions(world: World) -> str:
    tables = [table_of_trait(trait) for trait in world.traits if trait not in BIG_FIVE]
    return f"\n{tomli_w.dumps({'traits': tables})}" if tables else ""


if __name__ == "__main__":
    from temperament.report import render

    out = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/synthetic")
    doses = (0.5, 1.0, 2.0)
    worlds = {
        "demo": World(),
        "still": STILL,
        "many": World(methods=("qlora", "mend"), strengths=(0.5, 1.0), seeds=(0, 1)),
        "one": World(targets=HIGH[2:3]),
        "broken": World(
            methods=("qlora", "mend", "prompt", "ike"), breaks={"mend": "word", "prompt": "silence", "ike": "shout"}
        ),
        "all": World(methods=("qlora", "direction", "mend"), strengths=doses, breaks={"mend": "word"}, has_all=True),
    }
    for name, world in worlds.items():
        print(render(write_run(out / name, world)))
