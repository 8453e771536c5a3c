from dataclasses import replace

import pytest
from synthetic_run import HIGH, World, write_run

from temperament.errors import BadFileError, MismatchError
from temperament.record import Results, read_json, to_json, write_text
from temperament.report import compare

ONE = World(targets=HIGH[2:3])


def test_a_run_compared_with_itself_differs_nowhere(tmp_path):
    folder = write_run(tmp_path / "one", ONE)
    rows = compare(folder, folder)
    assert len(rows) == len(read_json(folder / "results.json", Results).figures)
    assert all(row.difference in {0, None} and row.has_overlap in {True, None} for row in rows)


def test_the_difference_is_the_second_less_the_first(tmp_path):
    first = write_run(tmp_path / "first", ONE)
    second = write_run(tmp_path / "second", ONE)
    figures = read_json(second / "results.json", Results).figures
    moved = [replace(figure, subject="other", value=9.0, lower=8.0, upper=10.0) for figure in figures]
    write_text(second / "results.json", to_json(Results(moved)))
    row = next(row for row in compare(first, second) if row.first.metric == "trait_alignment")
    assert row.first.value is not None
    assert row.difference == 9.0 - row.first.value
    assert row.has_overlap is False
    assert row.second.subject == "other"


def test_runs_that_share_nothing_are_refused(tmp_path):
    first, second = write_run(tmp_path / "a", ONE), write_run(tmp_path / "b", World(targets=HIGH[:1]))
    with pytest.raises(MismatchError, match="share no figure"):
        compare(first, second)


def test_a_folder_that_is_no_run_is_not_compared(tmp_path):
    with pytest.raises(BadFileError):
        compare(tmp_path / "a", tmp_path / "b")
