"""Whether the effects of edits add up: predicted against observed, paired by question."""

import json
from dataclasses import replace

import pytest

from temperament.edit.base import Stack
from temperament.edit.store import load_edit
from temperament.errors import RequestError
from temperament.record import read_json, read_records, write_lines
from temperament.study.execution import run_study
from temperament.study.mix import FINDING, MIX, Additivity, mix_study, mixed, parts_of, write_additivity
from temperament.study.plan import load_study


@pytest.fixture(scope="module")
def edits(finished):
    return sorted(str(path) for path in (finished / "edits").iterdir())


@pytest.fixture(scope="module")
def mixing(edits, place, tmp_path_factory):
    """A finished run of two edits and their stack; gives folder, study, parts."""
    tiny = load_study(place / "tiny.toml")
    parts = parts_of(edits, [3.0, 3.0])
    study = mix_study(parts, tiny.subject, tiny.opinions, replace(tiny.interview, max_new_tokens=12), "both")
    folder = tmp_path_factory.mktemp("mix") / "run"
    run_study(study, folder)
    return folder, study, parts


def scripted(folder, study, labels):
    """Replace what the classifier said: for each cell a list of poles."""
    for cell, found in zip(study.cells(), labels, strict=True):
        records = read_records(folder / "records" / f"{cell.name}.jsonl")
        rows = [
            {
                "item": record.item,
                "alignment": None
                if pole is None
                else {
                    "label": pole,
                    "probabilities": {one: float(one == pole) for one in ("openness:high", "openness:low")},
                },
            }
            for record, pole in zip(records, found, strict=False)
        ]
        write_lines(folder / "scores" / f"{cell.name}.jsonl", rows)


def test_a_run_asks_the_untouched_model_each_part_and_all_together(mixing, edits):
    folder, study, parts = mixing
    assert [cell.condition for cell in study.cells()] == ["", parts[0].name, parts[1].name, MIX]
    kept = {path.name: load_edit(path) for path in (folder / "edits").iterdir()}
    stack = kept["adapter-mix-s0"]
    assert stack.fingerprint == mixed(parts).fingerprint
    assert [part.strength for part in stack.parts] == [3.0, 3.0]
    assert [part.fingerprint for part in stack.parts] == [load_edit(path).fingerprint for path in edits]


def test_every_pole_has_a_row_by_each_measure_and_the_finding_lies_in_the_run(mixing):
    folder, study, parts = mixing
    found = write_additivity(folder, study, parts)
    kept = read_json(folder / FINDING, Additivity)
    assert kept == found
    assert (found.questions, [part.strength for part in found.parts]) == (3, [3.0, 3.0])
    poles = {(row.measured_trait, row.measured_pole) for row in found.rows}
    assert poles == {(trait, pole) for trait in ("extraversion", "agreeableness") for pole in ("low", "high")}
    for measure in ("share", "probability"):
        rows = [row for row in found.rows if row.measure == measure]
        assert len(rows) == 4
        whole = sum(row.untouched.value for row in rows)
        # A reply of which the classifier is unsure has a probability for every pole and reads as none.
        assert whole == pytest.approx(1.0) if measure == "probability" else 0 <= whole <= 1
        if measure == "probability":
            assert sum(row.observed.value for row in rows) == pytest.approx(0.0, abs=1e-9)
    for row in found.rows:
        assert row.predicted.value == pytest.approx(sum(part.value for part in row.parts))
        assert row.beyond.value == pytest.approx(row.observed.value - row.predicted.value)


def test_predicted_is_the_sum_of_changes_and_beyond_is_what_is_left(mixing, tmp_path):
    import shutil

    folder, study, parts = mixing
    folder = shutil.copytree(folder, tmp_path / "run")
    up, down = "openness:high", "openness:low"
    # Untouched none of three, one under each part (different questions), all three under both.
    scripted(folder, study, [[down, down, down], [up, down, down], [down, up, down], [up, up, up]])
    row = next(row for row in write_additivity(folder, study, parts).rows if row.measured_pole == "high")
    assert row.untouched.value == 0.0
    assert [part.value for part in row.parts] == pytest.approx([1 / 3, 1 / 3])
    assert row.predicted.value == pytest.approx(2 / 3)
    assert row.observed.value == pytest.approx(1.0)
    assert row.beyond.value == pytest.approx(1 / 3)
    assert row.beyond.lower < row.beyond.value < row.beyond.upper
    low = next(row for row in write_additivity(folder, study, parts).rows if row.measured_pole == "low")
    assert low.beyond.value == pytest.approx(-1 / 3)


def test_a_question_that_one_condition_left_unanswered_counts_nowhere(mixing, tmp_path):
    import shutil

    folder, study, parts = mixing
    folder = shutil.copytree(folder, tmp_path / "run")
    up, down = "openness:high", "openness:low"
    scripted(folder, study, [[down, down, up], [up, down, up], [down, down, None], [up, up, up]])
    found = write_additivity(folder, study, parts)
    assert found.questions == 2
    assert next(row for row in found.rows if row.measured_pole == "high").untouched.value == 0.0


def test_a_saved_stack_is_taken_apart_at_its_own_strengths(edits, tmp_path):
    first, second = (load_edit(path) for path in edits)
    (2.0 * Stack(first.origin, parts=(0.5 * first, second))).save(tmp_path / "both")
    parts = parts_of([str(tmp_path / "both")], [3.0])
    assert [(part.name, part.factor) for part in parts] == [("both-part-0", 6.0), ("both-part-1", 6.0)]
    assert [part.strength for part in parts] == [3.0, 6.0]
    assert [part.strength for part in mixed(parts).parts] == [3.0, 6.0]
    assert [part.fingerprint for part in mixed(parts).parts] == [first.fingerprint, second.fingerprint]


def test_strengths_are_one_for_all_or_one_for_each(edits):
    assert [part.strength for part in parts_of(edits)] == [1.0, 1.0]
    assert [part.strength for part in parts_of(edits, [0.5])] == [0.5, 0.5]
    assert [part.strength for part in parts_of(edits, [0.5, -1.0])] == [0.5, -1.0]
    with pytest.raises(RequestError, match="3 strengths were given for 2 edits: give one for each, or one for all"):
        parts_of(edits, [1.0, 2.0, 3.0])


def test_the_strength_that_is_told_is_the_one_that_the_edit_has_in_the_mix(edits, place, tmp_path):
    (0.25 * load_edit(edits[0])).save(tmp_path / "quarter")
    parts = parts_of([str(tmp_path / "quarter"), edits[1]], [2.0])
    assert [(part.factor, part.strength) for part in parts] == [(2.0, 0.5), (2.0, 2.0)]
    assert [part.strength for part in mixed(parts).parts] == [0.5, 2.0]
    tiny = load_study(place / "tiny.toml")
    study = mix_study(parts, tiny.subject, tiny.opinions, tiny.interview, "both")
    assert study.title.startswith("0.5 quarter + 2 ")


def test_equal_names_are_told_apart_and_one_edit_is_no_mix(edits):
    assert len({part.name for part in parts_of([edits[0], edits[0]])}) == 2
    with pytest.raises(RequestError, match="one edit was to be mixed: give --edit at least twice, or a saved stack"):
        parts_of(edits[:1])


def test_the_finding_is_plain_json(mixing):
    folder, study, parts = mixing
    write_additivity(folder, study, parts)
    found = json.loads((folder / FINDING).read_text())
    assert list(found) == ["parts", "questions", "rows"]
    assert list(found["rows"][0]["beyond"]) == ["value", "lower", "upper", "n"]
