"""Whether edits add up: the page shows what the finding of a mix says."""

import json
import re

import pytest
from synthetic_run import World, write_run

from temperament.errors import BadFileError
from temperament.report import render
from temperament.report.addition import addition
from temperament.run import Run
from temperament.trait import Target


def at(value, half=0.1):
    return {"value": value, "lower": value - half, "upper": value + half, "n": 40}


ROW = {
    "measured_trait": "openness",
    "measured_pole": "high",
    "measure": "share",
    "untouched": at(0.1),
    "parts": [at(0.4), at(-0.05)],
    "predicted": at(0.35),
    "observed": at(0.25),
    "beyond": {"value": -0.1, "lower": None, "upper": None, "n": 40},
}
FINDING = {
    "parts": [
        {"name": "warm", "path": "edits/warm", "factor": 0.5, "strength": 0.25},
        {"name": "bold", "path": "edits/bold", "factor": 1.0, "strength": 1.0},
    ],
    "questions": 40,
    "rows": [ROW, {**ROW, "measure": "probability", "observed": at(0.77)}],
}


@pytest.fixture
def folder(tmp_path):
    folder = write_run(tmp_path / "mix", World(targets=(Target("openness"),), hit=(0.6,), emoji=(0.0,)))
    (folder / "findings" / "additivity.json").write_text(json.dumps(FINDING))
    return folder


def test_the_table_has_the_change_of_each_part_their_sum_and_what_is_beyond(folder):
    table = addition(Run.load(folder))
    changes = ["change: 0.25 warm", "change: 1 bold", "sum of these", "change: all together", "beyond the sum"]
    assert table.titles == ["untouched", *changes]
    ((name, values),) = table.rows
    assert name == "openness, high"
    assert values == [
        "0.10 (0.00 to 0.20)",
        "+0.40 (+0.30 to +0.50)",
        "\u22120.05 (\u22120.15 to +0.05)",
        "+0.35 (+0.25 to +0.45)",
        "+0.25 (+0.15 to +0.35)",
        "\u22120.10 (interval withheld)",
    ]


def test_the_page_of_a_mix_shows_it_and_other_pages_do_not(folder):
    page = re.sub(r"\s+", " ", render(folder).read_text(encoding="utf-8"))
    assert "<h3>Whether the edits add up</h3>" in page
    assert "<td>+0.25 (+0.15 to +0.35)</td>" in page
    assert "Of 40 questions" in page
    (folder / "findings" / "additivity.json").unlink()
    assert "add up" not in render(folder).read_text(encoding="utf-8")


@pytest.mark.parametrize("lacking", ["parts", "rows", "questions"])
def test_a_finding_that_is_none_is_an_error_that_names_the_file(lacking, folder):
    kept = {key: value for key, value in FINDING.items() if key != lacking}
    (folder / "findings" / "additivity.json").write_text(json.dumps(kept))
    with pytest.raises(BadFileError, match=r"additivity\.json is no finding of a mix"):
        render(folder)
