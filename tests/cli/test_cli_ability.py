"""``temperament ability``: what it needs, what it shows, what it keeps."""

import json
import sys

import pytest

from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.measure.ability.comparison import Comparison
from temperament.measure.ability.evaluation import Evaluation
from temperament.record import read_json
from temperament.trait import Target

TASK = """
task: colours
dataset_path: json
dataset_kwargs:
  data_files: {file}
  cache_dir: {cache}
test_split: train
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: ["red", "blue"]
doc_to_target: label
metric_list:
  - metric: acc
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    rows = [{"question": f"What colour has thing {number}?", "label": number % 2} for number in range(6)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "colours.yaml").write_text(TASK.format(file=folder / "rows.jsonl", cache=folder / "cache"))
    return folder


@pytest.fixture(scope="module")
def edit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edits") / "warm"
    ContextEdit(Origin("prompt", Target("agreeableness")), system="You are warm.").save(folder)
    return folder


def test_without_the_harness_it_says_what_to_install_before_it_loads_anything(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval.evaluator", None)
    line = refused("ability", "--subject", "nowhere", "--tasks", "arc_easy", code=1)
    assert line.endswith("pip install 'temperament[ability]'.")


def test_both_sides_are_shown_and_kept(call, refused, place, tasks, edit, tmp_path):
    pytest.importorskip("lm_eval")
    common = (
        "ability",
        "--subject",
        place / "model",
        "--tasks",
        "colours",
        "--include",
        tasks,
        "--out",
        tmp_path / "run",
    )
    code, out, err = call(*common, "--edit", edit)
    assert code == 0, err
    assert all(word in out for word in ("untouched", "edited", "change", "colours", "acc +", "n = 6", "ability.json"))
    found = read_json(tmp_path / "run" / "ability.json", Comparison)
    (figure,) = found.figures
    sides = [read_json(tmp_path / "run" / f"{side}.json", Evaluation) for side in ("untouched", "edited")]
    hits = [sum(row.values["acc"] for row in one.rows) / 6 for one in sides]
    assert (figure.untouched.value, figure.edited.value) == pytest.approx(tuple(hits))
    assert figure.change.value == pytest.approx(hits[1] - hits[0])
    assert found.label.trait == "agreeableness"
    again = call(*common, "--edit", edit)
    assert again[0] == 0
    assert "requests" not in again[2]
    assert "another evaluation" in refused(*common, "--edit", edit, "--limit", 2)
    assert "form chat" in refused(*common[:-1], tmp_path / "raw", "--edit", edit, "--form", "raw")
