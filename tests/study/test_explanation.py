"""A study that is looked into: a finding a cell, arms beyond seeds, and a cell that is lost is done again."""

import shutil
from dataclasses import replace

import pytest

from temperament.edit.store import load_edit
from temperament.errors import RequestError
from temperament.explain.arm import load_effects
from temperament.explain.look import Material, look_into
from temperament.record import NOT_A_NUMBER, read_json
from temperament.study.execution import run_study, study_opinions
from temperament.study.explanation import Explanations
from temperament.study.plan import load_study
from temperament.subject.base import Subject

SETTINGS = (
    'targets=["extraversion"]',
    "seeds=[0,1,2]",
    "strengths=[2]",
    "interview.topics=4",
    "interview.questions_per_topic=2",
    "measure.latent=false",
    "measure.answers=0",
    'explain.lenses=["units","projection","attribution","cause","testimony","overlap"]',
    "explain.strength=2",
    "explain.texts=4",
    "explain.counts=[1,4]",
    "explain.sets=2",
    "explain.generated=0",
)
OTHER = """
[[method]]
name = "qlora"
preset = "shuffled"
settings = { condition = "shuffled", rank = 2, epochs = 1, batch = 2, max_length = 200 }
"""
CELL = "qlora-quick-extraversion-high-x2-s0"


@pytest.fixture(scope="module")
def looked(place, tmp_path_factory):
    """A run of the tiny study with two arms of three seeds, looked into; look, do not touch."""
    folder = tmp_path_factory.mktemp("looked")
    text = (place / "tiny.toml").read_text().replace("[interview]", f"{OTHER}\n[interview]")
    (folder / "looked.toml").write_text(text)
    plan = load_study(folder / "looked.toml", SETTINGS)
    run_study(plan, folder / "run")
    return plan, folder / "run"


def test_every_edit_at_the_strength_of_the_plan_has_a_finding_and_effects(looked):
    _, folder = looked
    names = {f"qlora-{arm}-extraversion-high-x2-s{seed}" for arm in ("quick", "shuffled") for seed in range(3)}
    assert {path.stem for path in (folder / "findings" / "explain").iterdir()} == names
    assert {path.stem for path in (folder / "explain").iterdir()} == names
    assert load_effects(folder / "explain" / f"{CELL}.safetensors").topics == 4


def test_the_first_seed_is_looked_into_with_every_lens_and_the_others_with_units(looked):
    _, folder = looked
    deep, shallow = (read_json(folder / "findings" / "explain" / f"{CELL[:-1]}{seed}.json", dict) for seed in range(2))
    assert deep["edit"] == CELL
    assert deep["units"]["source"] == "own"
    assert deep["given"]["source"] == "given"
    told = {reason["name"] for reason in deep["missing"]}
    assert "overlap" in told
    for lens in ("projection", "cause", "testimony"):
        assert deep[lens] or lens in told
        assert shallow[lens] is None
    assert shallow["units"]["sites"]
    assert shallow["missing"] == []


def test_arms_are_compared_where_both_have_three_seeds(looked):
    _, folder = looked
    (arms,) = read_json(folder / "findings" / "arms.json", dict)["rows"]
    assert {arms["first"], arms["second"]} == {"qlora quick, extraversion:high", "qlora shuffled, extraversion:high"}
    assert arms["seeds"] == [3, 3]
    assert len(arms["relabelled"]) == 9


def test_the_report_shows_what_was_seen(looked):
    _, folder = looked
    page = (folder / "report.html").read_text()
    assert 'id="inside"' in page
    assert "Which units changed?" in page


def test_a_cell_that_is_lost_is_looked_into_again_with_the_same_finding(looked, tmp_path):
    plan, folder = looked
    again = tmp_path / "run"
    shutil.copytree(folder, again)
    lost = again / "findings" / "explain" / f"{CELL}.json"
    lost.unlink()
    (again / "results.json").unlink()
    run_study(plan, again)
    before, after = (read_json(run / "findings" / "explain" / f"{CELL}.json", dict) for run in (folder, again))
    assert before == after


def test_given_replies_that_are_gone_take_all_that_was_seen_on_them(looked, tmp_path):
    plan, folder = looked
    again = tmp_path / "run"
    shutil.copytree(folder, again)
    stage = Explanations(plan, again, study_opinions(plan))
    stage.forget(next(cell for cell in plan.cells() if cell.name == "base-s1"))
    assert stage.missing(plan.cells()) == []
    stage.forget(next(cell for cell in plan.cells() if cell.name == "base-s0"))
    assert len(stage.missing(plan.cells())) == 6
    assert not (again / "findings" / "arms.json").exists()


def test_an_edit_that_broke_the_model_is_said_to_be_unseen_and_stops_nothing(looked):
    plan, folder = looked
    stage = Explanations(plan, folder, study_opinions(plan))
    cell = next(cell for cell in plan.cells() if cell.name == CELL)
    broken = [replace(record, reply=None, error=NOT_A_NUMBER) for record in stage.records(cell)]
    untouched = stage.records(plan.cells()[0])
    subject = Subject.load(plan.subject.model, "float32")
    edit = load_edit(folder / "edits" / cell.edit)
    seen = look_into(subject, edit, Material(broken, untouched, cell.target), plan.explain)
    assert seen.finding.units is None
    assert "topics" in {reason.name: reason.reason for reason in seen.finding.missing}["units"]


def test_a_strength_that_no_edit_has_is_refused_before_any_work(place):
    with pytest.raises(RequestError, match=r"explain.strength is 3, and study 'tiny' has edits at \[1.0, 2.0\]"):
        load_study(place / "tiny.toml", ('explain.lenses=["units"]', "explain.strength=3")).cells()


def test_an_edit_beside_that_is_not_there_is_refused_before_any_work(place, tmp_path):
    plan = load_study(place / "tiny.toml", ('explain.lenses=["units"]', f'explain.others=["{tmp_path / "none"}"]'))
    with pytest.raises(RequestError, match="none"):
        run_study(plan, tmp_path / "run")
    assert not (tmp_path / "run" / "edits").exists()


def test_what_was_seen_goes_with_the_replies_that_it_was_seen_on(looked, tmp_path):
    plan, folder = looked
    again = tmp_path / "run"
    shutil.copytree(folder, again)
    stage = Explanations(plan, again, study_opinions(plan))
    cell = next(cell for cell in plan.cells() if cell.name == CELL)
    stage.forget(cell)
    assert stage.missing(plan.cells()) == [CELL]
    assert not stage.effects_path(cell).exists()
    assert not (again / "testimony" / f"{CELL}.jsonl").exists()
