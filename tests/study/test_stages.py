"""A study with everything on: what is measured beside the interview, kept, tested and shown."""

import json
import re
import shutil

import pytest
from test_execution import figures

from temperament.record import read_json
from temperament.run import Run
from temperament.study.execution import run_study
from temperament.study.plan import load_study

STATEMENTS = [
    {"text": "Talk to strangers on the bus", "keyed": "plus", "domain": "E"},
    {"text": "Leave parties early", "keyed": "minus", "domain": "E"},
    {"text": "Lend things gladly", "keyed": "plus", "domain": "A"},
    {"text": "Suspect hidden motives", "keyed": "minus", "domain": "A"},
]
SETTINGS = ("interview.topics=2", "strengths=[1,2,4]", "judge.calibration=2", "judge.replies=2", "judge.adjectives=1")


@pytest.fixture(scope="module")
def everything(place, tmp_path_factory):
    """A run of the tiny study with an inventory and a judge; look, do not touch."""
    folder = tmp_path_factory.mktemp("everything")
    (folder / "statements.json").write_text(json.dumps(STATEMENTS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("temperament.measure.judge.load.default_cache", lambda: folder / "judge.sqlite")
        plan = load_study(
            place / "tiny.toml",
            (*SETTINGS, f"inventory.inventory={folder / 'statements.json'}", f"judge.model={place / 'model'}"),
        )
        run_study(plan, folder / "run")
        yield plan, folder / "run"


def costless(text):
    return re.sub(rb'("is_cached":|"(prompt_tokens|cached_calls|calls)": )[^,}]*', rb"", text)


def test_every_cell_has_figures_of_every_stage(everything):
    _, folder = everything
    wanted = {"latent_emoji_mass", "latent_emoji_mass_upper", "inventory_acquiescence", "refusal_share"}
    names = {(row["method"], row["metric"]) for row in figures(folder)}
    assert {(method, metric) for method in ("base", "qlora") for metric in wanted} <= names
    assert {row["measured_trait"] for row in figures(folder, metric="inventory_score")} >= {"extraversion"}
    # A random model picks no option, so that its judge has nothing to say, and says that.
    scores = [row for row in figures(folder, metric="judge_score") if row["method"] == "qlora"]
    assert len(scores) == 6
    assert {row["measured_trait"] for row in scores} == {"extraversion", "agreeableness"}
    for metric in ("latent_emoji_mass_change", "tpei", "trait_alignment_change"):
        assert len(figures(folder, metric=metric)) == 6


def test_what_is_compared_over_cells_lies_in_findings(everything):
    _, folder = everything
    family = read_json(folder / "findings" / "family.json", dict)
    aligned = [row for row in family["rows"] if row["metric"] == "trait_alignment"]
    assert len(aligned) == 6
    assert all(row["p_adjusted"] >= row["p"] for row in aligned)
    for name in ("crosstalk", "dose", "inventory", "judge", "refusal", "fluency", "classifier"):
        assert read_json(folder / "findings" / f"{name}.json", dict)
    dose = read_json(folder / "findings" / "dose.json", dict)
    assert {point["strength"] for point in dose["doses"][0]["points"]} == {1.0, 2.0, 4.0}


def test_a_stage_that_lost_a_cell_does_that_cell_again_and_ends_as_before(everything, outcome, tmp_path):
    plan, folder = everything
    copy = shutil.copytree(folder, tmp_path / "run")
    (copy / "results.json").unlink()
    for stage in ("latent", "inventory", "judge"):
        lost = sorted((copy / stage).glob("qlora*.jsonl"))[0]
        lost.unlink()
    run_study(plan, copy)
    # What was asked before costs nothing the second time, and a rating says so.
    found, expected = ({path: costless(text) for path, text in outcome(run).items()} for run in (copy, folder))
    assert found == expected


def test_the_report_shows_all_of_it(everything):
    _, folder = everything
    page = (folder / "report.html").read_text()
    for word in ("latent", "inventory", "judge", "specificity", "strength", "Benjamini"):
        assert word in page, word
    assert "unsure_share" in set(Run.load(folder).frame()["metric"])
