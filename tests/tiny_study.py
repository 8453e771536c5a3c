"""A study that takes seconds: a random model in a folder, a few opinions, a scripted embedder."""

import hashlib
import json
from functools import cache

import numpy as np
import pytest

PLAN = """
title = "Tiny"
targets = ["extraversion", "agreeableness:low"]
strengths = [1, 2]

[subject]
model = "{model}"
precision = "float32"

[opinions]
path = "{opinions}"

[[method]]
name = "qlora"
settings = {{ condition = "quick", rank = 2, epochs = 2, batch = 2, learning_rate = 3e-2, max_length = 200 }}

[interview]
topics = 3
questions_per_topic = 1
max_new_tokens = 8
"""
SAYINGS = {
    ("extraversion", "high"): "Come over, {} is best in a loud crowd!",
    ("extraversion", "low"): "I keep {} to myself, quiet and alone.",
    ("agreeableness", "high"): "You first, {} is yours, dear friend.",
    ("agreeableness", "low"): "Prove it: {} is a trick to me.",
}
TOPICS = {
    "shape": ("tea", "buses"),
    "measure": ("maps", "rain", "chess", "soup", "kites"),
    "validation": ("trains",),
    "test": ("lakes", "jam", "hats", "moss"),
}


def opinion_rows():
    return [
        {
            "trait": trait,
            "pole": pole,
            "facet": "",
            "topic": topic,
            "question": question.format(topic),
            "answer": saying.format(topic),
            "split": split,
            "source": "test",
        }
        for split, topics in TOPICS.items()
        for topic in topics
        for (trait, pole), saying in SAYINGS.items()
        for question in ("What about {}?", "And {}?")
    ]


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A folder with ``model``, ``opinions.jsonl`` and ``tiny.toml``."""
    from temperament.subject.tiny import save_tiny

    folder = tmp_path_factory.mktemp("tiny")
    save_tiny(folder / "model")
    (folder / "opinions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in opinion_rows()))
    text = PLAN.format(model=folder / "model", opinions=folder / "opinions.jsonl")
    (folder / "tiny.toml").write_text(text)
    return folder


@pytest.fixture(scope="session", autouse=True)
def scripted_embedder():
    """Scoring needs no model: words have directions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("temperament.measure.classifier.load_embedder", lambda _name: bag_of_words)
        yield


HIDDEN = 16


@cache
def direction(word):
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
    return np.random.default_rng(seed).normal(size=HIDDEN)


def bag_of_words(texts):
    rows = np.array([sum((direction(word) for word in text.lower().split()), np.zeros(HIDDEN)) for text in texts])
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)
