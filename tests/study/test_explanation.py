"""A study that is looked into: a finding a cell, arms beyond seeds, and a cell that is lost is done again."""

import shutil

import pytest

from temperament.explain.arm import load_effects
from temperament.record import read_json
from temperament.study.execution import run_study, study_opinions
from temperament.study.explanation import Explanations
from temperament.study.plan import load_study

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
    "explain.texts=8",
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
