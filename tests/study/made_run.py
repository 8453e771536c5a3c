"""Run folders made up for tests: replies are numbers that the classifier is said to have read."""

import random

from temperament.record import Generation, Label, Record, write_lines, write_records
from temperament.trait import BIG_FIVE, POLES

TRAITS = tuple(trait.name for trait in BIG_FIVE)
POLE_LABELS = tuple(f"{trait}:{pole}" for trait in TRAITS for pole in POLES)
TOPICS = tuple(f"topic {number}" for number in range(12))


def probabilities(moved):
    """Of ten poles, so that each trait has the signed reading that is asked for, or 0."""
    found = dict.fromkeys(POLE_LABELS, 0.1)
    for trait, value in moved.items():
        found[f"{trait}:high"] += value / 2
        found[f"{trait}:low"] -= value / 2
    return found


def score(moved, label="unsure", gibberish=None, emojis=()):
    """What scorers say of one reply; ``moved`` is None where the classifier could not read it."""
    read = {"label": label, "probabilities": probabilities(moved)} if moved is not None else None
    return {"alignment": read, "fluency": {"gibberish": gibberish}, "emoji": {"emojis": list(emojis)}}


def noisy(means, spread=0.02, draw=None):
    """A reply's readings around means by trait: the topic moves all its replies, and each reply moves by itself."""
    draw = draw or random.Random(0)
    topics = {topic: {trait: draw.gauss(0, spread / 2) for trait in TRAITS} for topic in TOPICS}

    def read(topic, _number):
        return score({trait: means.get(trait, 0) + topics[topic][trait] + draw.gauss(0, spread) for trait in TRAITS})

    return read


def write_cell(folder, label, read, seed=0, each=3, subject="made", topics=TOPICS):
    """Records and scores of a cell; ``read`` gives what is said of a topic's reply of a number, None for no reply."""
    name = f"{subject}-{label.method}-{label.condition}-{label.trait}-{label.pole}-x{label.strength:g}-s{seed}"
    records, rows = [], []
    for topic in topics:
        for number in range(each):
            found = read(topic, number)
            item = f"{topic}-{number}"
            records.append(_record(subject, label, seed, item, topic, "Yes." if found else None))
            rows.append({"item": item, **(found or {"alignment": None, "fluency": None, "emoji": None})})
    write_records(folder / "records" / f"{name}.jsonl", records)
    write_lines(folder / "scores" / f"{name}.jsonl", rows)
    return name


def write_passages(folder, name, values):
    """What was made of neutral text: mean log-probabilities by topic, None where there is no finite one."""
    rows = [
        {"kind": "passage", "id": topic, "topic": topic, "pole": "", "tokens": 9, "log_probability": value}
        for topic, value in values.items()
    ]
    write_lines(folder / "readings" / f"{name}.jsonl", rows)


def edited(strength=1.0, trait="extraversion", pole="high", method="qlora", condition=""):
    """The label of an edit."""
    return Label(method, condition, trait, pole, strength, "fingerprint")


def _record(subject, label, seed, item, topic, reply):
    return Record(
        subject=subject,
        fingerprint="f",
        precision="float32",
        label=label,
        generation=Generation(seed=seed),
        item=item,
        topic=topic,
        question=f"What about {topic}?",
        prompt="",
        reply=reply,
        error=None if reply else "the endpoint was away",
    )
