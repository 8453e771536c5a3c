"""The comparisons run on a tiny model; what they find there says nothing about speed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)


def test_replies_and_edits_are_compared_on_a_tiny_model(tmp_path, capsys):
    from benchmarks import generation
    from benchmarks.row import COLUMNS

    words = ["--model", "tiny", "--rows", "2", "--tokens", "3", "--repetitions", "2", "--out", str(tmp_path / "a.json")]
    generation.main(words)
    rows = json.loads((tmp_path / "a.json").read_text())
    assert [row["name"].removeprefix("generation: ") for row in rows] == [
        "greedy replies",
        "sampled replies",
        "overhead, steering vector",
        "overhead, neurons at every gate",
        "overhead, weights of rank 16",
        "overhead, system prompt",
    ]
    assert all(tuple(row) == COLUMNS and len(row["repetitions"]) == 2 and row["ratio"] > 0 for row in rows)
    assert "generation: sampled replies" in capsys.readouterr().out


def test_every_edit_of_the_comparison_acts_on_the_model():
    from benchmarks.generation import edits
    from benchmarks.model import load

    subject = load("tiny", "cpu")

    def logits():
        prompt = subject.encode(({"role": "user", "content": "hi"},), "yes").prompt
        return subject.model(torch.tensor([prompt])).logits[:, -1]

    before = logits()
    for name, (edit, _) in edits(subject).items():
        with edit.applied(subject):
            assert not before.equal(logits()), name
        assert before.equal(logits())


def test_streaming_and_storing_find_the_same_means():
    from benchmarks.model import load
    from benchmarks.neurons import Bench, measure, texts

    subject = load("tiny", "cpu")
    bench = Bench(subject, texts(subject, 3), "cpu")
    for text in bench.texts:
        # One at a time: what is stored holds the padding of a batch too.
        alone = Bench(subject, [text], "cpu")
        streamed, stored = alone.streaming(), alone.storing()
        assert all(stored[site].double().allclose(mean, atol=1e-6) for site, mean in streamed.items())
    names = [row.name for row in measure(bench, 1)]
    assert names[:2] == ["neurons: streaming against a bare pass", "neurons: storing against a bare pass"]


def test_peers_are_given_whole_texts_and_the_same_weights(tmp_path):
    from benchmarks import peer
    from benchmarks.model import export, load
    from benchmarks.steering import Bench
    from temperament.opinion.row import load_opinions
    from temperament.shape.pair import pairs_of
    from temperament.trait import Target

    subject = load("tiny", "cpu")
    pairs = pairs_of(load_opinions().split("shape"), Target("extraversion", "high"))[:2]
    request = Bench(subject, pairs, ["hi"], 3).fit_request()
    assert [len(pair) for pair in request["pairs"]] == [2, 2]
    assert request["pairs"][0][0].endswith(f"<|assistant|>{pairs[0].shown.answer}")
    model, tokenizer = peer.load(export(subject, tmp_path), "cpu")
    ids = tokenizer("hi", return_tensors="pt")["input_ids"]
    assert model(ids).logits.equal(subject.model(ids).logits)


def test_a_model_of_a_shape_is_drawn_by_either_side(tmp_path, monkeypatch):
    from benchmarks import generation, peer
    from benchmarks.model import SHAPES, export, load

    small = {"vocab_size": 320, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    monkeypatch.setitem(SHAPES, "7b", {**SHAPES["7b"], **small, "num_attention_heads": 4})
    subject = load("7b", "cpu")
    assert len(generation.measure(generation.Bench(subject, ["hi", "why?"], 2), 1)) == 6
    model, _ = peer.load(export(subject, tmp_path), "cpu")
    assert not list(tmp_path.glob("*.safetensors"))
    assert model.config.to_dict() == subject.model.config.to_dict() | {"_name_or_path": model.config._name_or_path}


@pytest.mark.parametrize(
    ("goal", "ratio", "verdict"),
    [
        ("at least 1.5", 1.5, True),
        ("at least 1.5", 1.4, False),
        ("at most 1.05", 1.05, True),
        ("at most 1.05", 1.2, False),
        ("", 3.0, None),
        (2, 1.9, False),
    ],
)
def test_a_goal_is_about_the_ratio(goal, ratio, verdict):
    from benchmarks.row import is_met

    assert is_met({"goal": goal, "ratio": ratio}) is verdict


def test_ratios_are_taken_within_repetitions():
    from benchmarks.row import Spent, compared

    # The machine was slow throughout the second repetition: the ratios do not know it.
    ours = [Spent(1.0, 1.0), Spent(10.0, 1.0), Spent(1.2, 1.0)]
    peer = [Spent(2.0, 2.0), Spent(20.0, 2.0), Spent(2.4, 2.0)]
    row = compared("replies", "tokens/s", (ours, peer), 60.0)
    assert (row.ours, row.peer, row.ratio) == (50.0, 25.0, 2.0)
    assert row.note == "(by time of the cores 2.00)"
    assert compared("overhead", "s", (ours, peer), None).ratio == 0.5


def test_the_harness_refuses_parts_that_it_does_not_know():
    command = [sys.executable, "-m", "benchmarks", "--only", "generation,sleep"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "'sleep' is no part: take generation, steering" in done.stderr
