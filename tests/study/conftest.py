"""A tiny study that takes seconds: a random model in a folder, a few opinions, a scripted embedder."""

import json
import shutil

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
def _scripted_embedder():
    """Scoring needs no model: words have directions."""
    from embedder import bag_of_words

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("temperament.measure.classifier.load_embedder", lambda _name: bag_of_words)
        yield


@pytest.fixture(scope="session")
def finished(place, tmp_path_factory):
    """An undisturbed run of the tiny study; look, do not touch."""
    from temperament.study.execution import run_study
    from temperament.study.plan import load_study

    folder = tmp_path_factory.mktemp("runs") / "finished"
    run_study(load_study(place / "tiny.toml"), folder)
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the undisturbed run, to be damaged."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture(scope="session")
def outcome():
    """What has to be equal between equal runs: the bytes of every file but durations and report, by path."""

    def read(folder):
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name not in ("timing.json", "report.html", ".lock")
        }

    return read
