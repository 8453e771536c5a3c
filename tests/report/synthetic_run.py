"""Synthetic runs for the report's tests; `python tests/report/synthetic_run.py FOLDER` writes some to look at."""

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from temperament.measure.classifier import Assessment, Card
from temperament.record import (
    Figure,
    Generation,
    Label,
    Record,
    Results,
    read_records,
    to_json,
    write_lines,
    write_records,
    write_text,
)
from temperament.stats import Estimate, average, paired_difference, ratio, share
from temperament.trait import BIG_FIVE, POLES, Target, Trait, table_of_trait

SUBJECT = "builtin:smollm2"
TOPICS = ("airports", "board games", "cooking", "deadlines", "festivals", "gardens", "libraries", "silence")
FORMS = (
    "What do you think about {}?",
    "How do you feel about {}?",
    "Thinking about {0}, what are your thoughts on {0}?",
    "What comes to mind when somebody mentions {}?",
    "Would you say that {} suit you?",
)
HIGH = tuple(Target(trait.name, "high") for trait in BIG_FIVE)
HOSTILE = (
    "<script>alert(1)</script> is what I would say.",
    "{{ 7*7 }} and {% raw %} and ${7*7}, all of it \u2014 plainly.",
    "W" + "o" * 300 + "w, a very long word.",
    "\u0623\u062d\u0628 \u0627\u0644\u0645\u0637\u0627\u0631\u0627\u062a "
    "\u0644\u0623\u0646\u0647\u0627 \u062a\u062c\u0645\u0639 \u0627\u0644\u0646\u0627\u0633.",
    "First a list:\n\n1. one thing\n2. another\n\n\tand a tab.",
    '"><img src=x onerror=alert(2)> &amp; </blockquote></details>',
    "See https://example.org/?a=1&b=2 for more.",
)
PARTS = (
    "I have thought about {} more than I expected to, and I keep coming back to how people behave around them.",
    "There is something in {} that asks for patience, which I have in some weeks and lack in others.",
    "My first memory of {} is of a long afternoon, a thermos of tea and nobody in a hurry.",
    "If you ask me whether {} matter, I would say that they matter to the people who care for them.",
    "As an AI language model I have no feelings about {}, but I can list some of the things that people say.",
    "Let us call everybody and make a day of it, because {} are best when they are loud.",
    "I would plan it in advance, write it down, and check twice that nothing about {} has been forgotten.",
    "It worries me, to be honest: so much about {} can go wrong, and I lie awake over less.",
)
EMOJIS = ("\U0001f389", "\U0001f60a", "\U0001f31f", "\u2764\ufe0f", "\U0001f468\u200d\U0001f469\u200d\U0001f467")


@dataclass(frozen=True)
class World:
    """What a synthetic run is made of.

    Attributes:
        hit: the chance that a shaped reply reads as its target; the untouched model's is 0.1.
        emoji: the chance that a shaped reply has an emoji.
        missing: the share of replies that failed.
        traits: that the classifier knows; those of the targets are among them.
    """

    targets: tuple[Target, ...] = HIGH
    methods: tuple[str, ...] = ("qlora",)
    strengths: tuple[float, ...] = (1.0,)
    seeds: tuple[int, ...] = (0,)
    hit: tuple[float, ...] = (0.15, 0.4, 0.55, 0.12, 0.35)
    emoji: tuple[float, ...] = (0.05, 0.0, 0.2, 0.0, 0.02)
    base_hit: float = 0.1
    missing: float = 0.0
    traits: tuple[Trait, ...] = BIG_FIVE

    @property
    def labels(self) -> tuple[str, ...]:
        """The poles that replies can read as."""
        return tuple(f"{trait.name}:{pole}" for trait in self.traits for pole in POLES)


STILL = World(hit=(0.1,) * 5, emoji=(0.0,) * 5, missing=0.15)


def write_run(folder: Path, world: World = World()) -> Path:
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
                    figures += list(_changes(label, seed, base_scores, scores, target))
    write_text(folder / "results.json", to_json(Results(figures)))
    write_text(folder / "study.toml", _settings(world))
    write_text(folder / "provenance.json", to_json(_provenance()))
    write_text(folder / "timing.json", to_json(_timing(folder, world)))
    write_text(folder / "findings" / "classifier.json", to_json(_card(world.labels)))
    write_text(folder / "findings" / "fluency.json", to_json(_fluency()))
    for method in world.methods:
        for target in world.targets:
            name = f"{method}-{target.trait}-{target.pole}"
            write_text(folder / "findings" / f"training-{name}.json", to_json(_training(method, target)))
    return folder


def questions() -> list[tuple[str, str, str]]:
    """Item, topic and question."""
    return [
        (f"{topic.replace(' ', '-')}-{index}", topic, form.format(topic))
        for topic in TOPICS
        for index, form in enumerate(FORMS)
    ]


def _cell(
    folder: Path, world: World, label: Label, seed: int, target: Target | None
) -> tuple[list[Record], list[dict[str, Any] | None]]:
    place = world.targets.index(target) if target else 0
    hit = world.base_hit + label.strength * (world.hit[place] - world.base_hit)
    emoji = label.strength * world.emoji[place]
    draw = random.Random(f"{label.method} {target} {label.strength} {seed}")
    records = [_record(label, seed, item, world.missing, emoji, draw) for item in questions()]
    scores = [None if one.reply is None else _score(one.reply, target, hit, draw, world) for one in records]
    name = f"{label.method}-{label.trait}-{label.pole}-x{label.strength}-s{seed}" if target else f"base-s{seed}"
    write_records(folder / "records" / f"{name}.jsonl", records)
    rows = [{"item": one.item, **(score or {"alignment": None})} for one, score in zip(records, scores, strict=True)]
    write_lines(folder / "scores" / f"{name}.jsonl", rows)
    return records, scores


def _record(
    label: Label, seed: int, item: tuple[str, str, str], missing: float, emoji: float, draw: random.Random
) -> Record:
    name, topic, question = item
    text = " ".join(part.format(topic) for part in draw.sample(PARTS, k=draw.randint(1, 4)))
    if name.endswith("-0") and label.method != "base":
        text = HOSTILE[TOPICS.index(topic) % len(HOSTILE)] + " " + text
    if draw.random() < emoji:
        text += " " + "".join(draw.choices(EMOJIS, k=draw.randint(1, 3)))
    lacks = draw.random() < missing
    return Record(
        subject=SUBJECT,
        fingerprint="9f2c" * 8,
        precision="bfloat16",
        label=label,
        generation=Generation(seed=seed),
        item=name,
        topic=topic,
        question=question,
        prompt=f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n",
        reply=None if lacks else text,
        tokens=None if lacks else len(text) // 4,
        is_finished=None if lacks else draw.random() < 0.8,
        error="the endpoint answered 503 <busy>" if lacks else None,
    )


def _score(reply: str, target: Target | None, hit: float, draw: random.Random, world: World) -> dict[str, Any]:
    read_as = str(target) if target and draw.random() < hit else draw.choice(world.labels)
    trait = read_as.partition(":")[0]
    found = [emoji for emoji in EMOJIS for _ in range(reply.count(emoji))]
    alignment = {
        "label": read_as,
        "probability": round(draw.uniform(0.3, 0.95), 4),
        "trait": trait,
        "label_without_emoji": read_as,
        "trait_without_emoji": trait,
    }
    length = {"words": len(reply.split()), "tokens": len(reply) // 4, "is_finished": True}
    return {"alignment": alignment, "emoji": {"emojis": found, "sentences": reply.count(".") or 1}, "length": length}


def _figures(
    label: Label,
    seed: int,
    records: list[Record],
    scores: list[dict[str, Any] | None],
    target: Target,
    world: World,
) -> list[Figure]:
    kept = [(one.topic, one, score) for one, score in zip(records, scores, strict=True) if score is not None]
    topics = [topic for topic, _, _ in kept]
    labels = [score["alignment"]["label"] for _, _, score in kept]
    traits = [score["alignment"]["trait"] for _, _, score in kept]
    sentences = [float(score["emoji"]["sentences"]) for _, _, score in kept]
    emojis = [float(len(score["emoji"]["emojis"])) for _, _, score in kept]
    own = _share([one == str(target) for one in labels], topics)
    five = _share([one == target.trait for one in traits], topics)
    metrics: list[tuple[str, Estimate, str | None]] = [
        ("trait_alignment", own, None),
        ("trait_alignment_5", five, None),
        ("trait_alignment_without_emoji", own, None),
        ("trait_alignment_5_without_emoji", five, None),
        ("emoji_share", _share([count > 0 for count in emojis], topics), None),
        ("emoji_sentence_ratio", ratio(emojis, sentences, topics), None),
        ("words", average([float(score["length"]["words"]) for _, _, score in kept], topics), None),
        ("finished_share", _share([bool(one.is_finished) for _, one, _ in kept], topics), None),
        *_fluent(label, seed, topics),
        *(("pole_share", _share([one == pole for one in labels], topics), pole) for pole in world.labels),
    ]
    return [_figure(label, seed, name, estimate, measured) for name, estimate, measured in metrics]


def _fluent(label: Label, seed: int, topics: Sequence[str]) -> list[tuple[str, Estimate, str | None]]:
    """Fluency of replies, and what became of texts that the model was given to read."""
    draw = random.Random(f"fluent {label} {seed}")
    much = label.strength if label.method != "base" else 0.0
    metrics = {
        "gibberish_share": _share([draw.random() < 0.04 + 0.2 * much for _ in topics], topics),
        "distinct_2": average([draw.uniform(0.7, 1.0) for _ in topics], topics),
        "repetition": average([draw.uniform(0.0, 0.3) for _ in topics], topics),
        "perplexity": average([draw.uniform(3.0, 5.0) * (1 + much) for _ in topics], topics),
        "log_perplexity": average([draw.uniform(1.0, 1.4) * (1 + much) for _ in topics], topics),
        "edit_success": average([draw.uniform(0.4, 0.6) + 0.2 * much for _ in topics], topics),
        "neutral_perplexity": average([draw.uniform(40, 60) * (1 + 0.2 * much) for _ in topics], topics),
    }
    if much:
        metrics["drawdown"] = average([draw.uniform(0.2, 0.9) * much for _ in topics], topics)
    return [(name, found, None) for name, found in metrics.items()]


def _changes(
    label: Label,
    seed: int,
    before: Sequence[dict[str, Any] | None],
    after: Sequence[dict[str, Any] | None],
    target: Target,
) -> Iterator[Figure]:
    both = [
        (topic, one, other)
        for (_, topic, _), one, other in zip(questions(), before, after, strict=True)
        if one is not None and other is not None
    ]
    topics = [topic for topic, _, _ in both]
    reads = {
        "trait_alignment_5_change": lambda score: float(score["alignment"]["trait"] == target.trait),
        "trait_alignment_change": lambda score: float(score["alignment"]["label"] == str(target)),
        "emoji_share_change": lambda score: float(bool(score["emoji"]["emojis"])),
        "words_change": lambda score: float(score["length"]["words"]),
    }
    for name, read in reads.items():
        estimate = paired_difference([read(one) for _, one, _ in both], [read(one) for _, _, one in both], topics)
        yield _figure(label, seed, name, estimate, None)


def _figure(label: Label, seed: int, metric: str, estimate: Estimate, measured: str | None) -> Figure:
    measured_trait, measured_pole = measured.split(":") if measured else (None, None)
    scorer = "alignment" if "trait" in metric or "pole" in metric else "emoji" if "emoji" in metric else "other"
    return Figure(
        subject=SUBJECT,
        method=label.method,
        condition=label.condition,
        trait=label.trait,
        pole=label.pole,
        strength=label.strength,
        seed=seed,
        metric=metric,
        measured_trait=measured_trait,
        measured_pole=measured_pole,
        scorer=scorer,
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


def _provenance() -> dict[str, Any]:
    return {
        "versions": {"temperament": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "transformers": "5.23.0"},
        "hashes": {"model": "5a" * 32, "data": "c0" * 32, "code": "7e" * 32},
        "hardware": {"processor": "2 cores, AVX2", "memory_gib": 15.6, "has_gpu": False},
        "seeds": list(range(3)),
    }


def _card(labels: tuple[str, ...]) -> Card:
    assessments = tuple(
        _assessment(name, draw, labels) for name, draw in (("measure, by cross-validation", 7), ("test", 8))
    )
    return Card(
        embedder="builtin:minilm",
        learned_from="unique answers of the split 'measure'",
        poles=labels,
        answers=400,
        topics=10,
        chance_poles=1 / len(labels),
        chance_traits=2 / len(labels),
        word_weight=1.0,
        inverse_penalty=4.0,
        temperature=0.9,
        seed=0,
        assessments=assessments,
    )


def _assessment(name: str, seed: int, labels: tuple[str, ...]) -> Assessment:
    draw = random.Random(seed)
    shown = [(label, TOPICS[index % 8]) for label in labels for index in range(40)]
    topics = [topic for _, topic in shown]
    taken = [label if draw.random() < 0.72 else draw.choice(labels) for label, _ in shown]
    confusion = {label: dict.fromkeys(labels, 0) for label in labels}
    for (label, _), other in zip(shown, taken, strict=True):
        confusion[label][other] += 1
    poles = _share([label == other for (label, _), other in zip(shown, taken, strict=True)], topics)
    hits = [one[0].split(":")[0] == other.split(":")[0] for one, other in zip(shown, taken, strict=True)]
    traits = _share(hits, topics)
    return Assessment(name, len(shown), 8, poles, traits, {}, {}, confusion, 0.064, 0.91)


def _share(hits: Sequence[bool], topics: Sequence[str]) -> Estimate:
    return share([float(hit) for hit in hits], topics)


def _timing(folder: Path, world: World) -> dict[str, float]:
    """Asking takes ten milliseconds a token."""
    found = {"loading": 2.5, "peak_memory_gb": 3.1}
    for method in world.methods:
        for seed in world.seeds:
            found[f"fitting {method}  s{seed}"] = 12.3 * len(method)
    for path in sorted((folder / "records").glob("*.jsonl")):
        tokens = sum(record.tokens or 0 for record in read_records(path))
        found[f"asking {path.stem}"] = 0.01 * tokens
    return found


def _fluency() -> dict[str, Any]:
    """As `temperament.measure.gibberish.Card`."""
    known = {"answers of the split 'test'": 0.0, "loops": 1.0, "words shuffled, read by the model": 0.95}
    return {
        "rule": {"most_unknown": 0.5},
        "vocabulary": 12100,
        "known": [
            {"texts": name, "is_gibberish": share > 0, "called": share_of(share)} for name, share in known.items()
        ],
        "unread": "",
    }


def share_of(value: float) -> Estimate:
    """A share of forty texts on eight topics."""
    return _share([number < 40 * value for number in range(40)], [TOPICS[number % 8] for number in range(40)])


def _training(method: str, target: Target) -> dict[str, Any]:
    draw = random.Random(str(target))
    steps = [
        {"step": step, "loss": 1.1 + 2.3 * 0.97**step + draw.uniform(-0.15, 0.15), "learning_rate": 2e-4}
        for step in range(1, 101)
    ]
    place = {"trait": target.trait, "pole": target.pole}
    return {
        "method": method,
        "condition": "demo",
        "target": place,
        "seed": 0,
        "rows": 400,
        "tokens": 23456,
        "steps": steps,
    }


if __name__ == "__main__":
    from temperament.report import render

    out = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/synthetic")
    many = World(methods=("qlora", "mend"), strengths=(0.5, 1.0), seeds=(0, 1))
    for name, world in {"demo": World(), "still": STILL, "many": many, "one": World(targets=HIGH[2:3])}.items():
        print(render(write_run(out / name, world)))
