import subprocess
import sys
from pathlib import Path

import pytest

from temperament.errors import BadFileError, UnknownNameError
from temperament.record import Figure, Generation, Label, Record, Results, to_json, write_records, write_text
from temperament.run import Run

RECORD = Record("m", "f", "float32", Label(), Generation(seed=3), "tea-1", "tea", "Tea?", "Tea?", None, error="torn")
FIGURE = Figure("m", "base", "", None, None, 0.0, 3, "words", None, None, "length", 5.0, None, None, 1)


@pytest.fixture
def folder(tmp_path) -> Path:
    write_text(tmp_path / "study.toml", "name = 'tea'\n")
    write_text(tmp_path / "results.json", to_json(Results([FIGURE])))
    write_records(tmp_path / "records" / "base-s3.jsonl", [RECORD])
    return tmp_path


def test_a_run_reads_back_what_was_written(folder):
    run = Run.load(folder)
    assert run.results.figures == [FIGURE]
    assert run.cells == {"base-s3": [RECORD]}
    assert run.records == [RECORD]
    assert (run.scores, run.findings, run.provenance, run.timing) == ({}, {}, {}, {})


def test_a_run_gives_frames(folder):
    run = Run.load(folder)
    assert run.frame().iloc[0]["metric"] == "words"
    row = run.frame("records").iloc[0]
    assert (row["cell"], row["method"], row["seed"], row["item"], row["error"]) == (
        "base-s3",
        "base",
        3,
        "tea-1",
        "torn",
    )
    assert "label" not in row.index


def test_a_frame_without_rows_has_its_columns(folder):
    write_text(folder / "results.json", to_json(Results()))
    assert list(Run.load(folder).frame("figures").columns)[:3] == ["subject", "method", "condition"]


def test_a_frame_that_does_not_exist_is_refused_by_name(folder):
    with pytest.raises(UnknownNameError, match="did you mean 'records'"):
        Run.load(folder).frame("record")  # pyright: ignore[reportArgumentType]


def test_a_partial_store_is_no_cell(folder):
    write_text(folder / "records" / "qlora.jsonl.partial", "{")
    assert list(Run.load(folder).cells) == ["base-s3"]


def test_a_malformed_line_is_named_with_its_number(folder):
    write_text(folder / "scores" / "base-s3.jsonl", '{"item": "tea-1"}\n[1]\n')
    with pytest.raises(BadFileError, match=r"base-s3\.jsonl:2"):
        Run.load(folder)


def test_reading_and_reporting_import_no_torch_and_no_room_that_does():
    lines = "import sys, temperament.report, temperament.run; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True).stdout.split()
    rooms = ("subject", "edit", "activation", "shape", "measure", "explain", "study", "opinion")
    assert not {"torch", "pandas", "jinja2"} & set(found)
    assert not [name for name in found if name.startswith(tuple(f"temperament.{room}" for room in rooms))]
