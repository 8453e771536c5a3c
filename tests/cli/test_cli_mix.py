"""``temperament mix``: the table, the finding, and the exact sum as an adapter."""

import pytest
import torch

from temperament.edit.store import load_edit
from temperament.edit.weight import WeightEdit
from temperament.record import read_json
from temperament.study.mix import Additivity
from temperament.subject.base import Subject


@pytest.fixture(scope="module")
def edits(place, tmp_path_factory):
    """Two fitted edits."""
    from temperament.cli import main

    folder = tmp_path_factory.mktemp("mixed")
    for name, target in (("warm", "extraversion"), ("harsh", "agreeableness:low")):
        asked = ["fit", "qlora", "--subject", str(place / "model"), "--opinions", str(place / "opinions.jsonl")]
        settings = ["--set", "rank=2", "--set", "learning_rate=0.1", "--set", "batch=2"]
        with pytest.raises(SystemExit) as ended:
            main([*asked, *settings, "--target", target, "--out", str(folder / name)])
        assert not ended.value.code
    return [str(folder / "warm"), str(folder / "harsh")]


def asking(place, *rest):
    return (
        *("mix", "--subject", place / "model", "--precision", "float32"),
        *("--opinions", place / "opinions.jsonl", "--max-new-tokens", "6", *rest),
    )


def test_a_mix_is_measured_beside_its_parts(call, place, edits, tmp_path):
    parts = ("--edit", edits[0], "--edit", edits[1], "--strength", "0.5", "--strength", "2")
    code, out, err = call(*asking(place, *parts, "--out", tmp_path / "run"))
    assert code == 0, err
    for words in (
        "untouched",
        "change: 0.5 warm",
        "change: 2 harsh",
        "beyond the sum",
        "extraversion:high",
        "agreeableness:low",
    ):
        assert words in " ".join(out.split())
    assert "extraversion:low" not in out
    assert str(tmp_path / "run" / "report.html") in out
    found = read_json(tmp_path / "run" / "findings" / "additivity.json", Additivity)
    assert [(part.name, part.strength) for part in found.parts] == [("warm", 0.5), ("harsh", 2.0)]
    assert found.questions == 4
    assert call(*asking(place, *parts, "--out", tmp_path / "run"))[0] == 0
    assert "Whether the edits add up" in (tmp_path / "run" / "report.html").read_text()


def test_the_exact_sum_is_saved_as_one_adapter_and_nothing_is_asked(call, edits, place, tmp_path, logits_of):
    code, out, err = call(
        *("mix", "--edit", edits[0], "--edit", edits[1], "--strength", "0.5", "--adapter", tmp_path / "sum"),
        "--no-asking",
    )
    assert code == 0, err
    assert out == f"adapter: {tmp_path / 'sum'}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["sum"]
    one = load_edit(tmp_path / "sum")
    assert isinstance(one, WeightEdit)
    subject = Subject.load(str(place / "model"), "float32")
    with (0.5 * load_edit(edits[0]) + 0.5 * load_edit(edits[1])).applied(subject):
        expected = logits_of(subject)
    with one.applied(subject):
        torch.testing.assert_close(logits_of(subject), expected, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_mixed_is_refused(refused, call, place, edits, tmp_path):
    assert "give --edit at least twice, or a saved stack" in refused("mix", "--edit", edits[0])
    assert "is no folder with an edit" in refused(
        "mix", "--edit", edits[0], "--edit", tmp_path / "none", "--out", tmp_path / "r"
    )
    line = refused("mix", *(part for edit in edits for part in ("--edit", edit)), *("--strength", "1") * 3)
    assert "3 strengths were given for 2 edits" in line
    prompt = ("fit", "prompt", "--subject", place / "model", "--preset", "simple", "--target", "openness")
    assert call(*prompt, "--out", tmp_path / "told")[0] == 0
    line = refused("mix", "--edit", edits[0], "--edit", tmp_path / "told", "--adapter", tmp_path / "sum")
    assert "prompt changes no weights, so it cannot be part of one adapter" in line
    assert not (tmp_path / "sum").exists()
    both = ("--edit", edits[0], "--edit", tmp_path / "told", "--strength", "0.5")
    assert "prompt has no dial" in refused(*asking(place, *both, "--out", tmp_path / "r"))
    assert "needs --adapter" in refused("mix", "--edit", edits[0], "--edit", edits[1], "--no-asking")
