"""The stage after asking: complete or absent, made once, and nothing where the model cannot be opened."""

import json
import math
import shutil

import pytest
import served
from served import good
from test_execution import CELLS, EDITS, figures, rerun

from temperament.edit.store import load_edit
from temperament.errors import RequestError
from temperament.measure.reading import Likelihood, Reading
from temperament.record import read_lines, read_records
from temperament.run import Run
from temperament.study.execution import study_items, study_opinions
from temperament.study.plan import load_study
from temperament.study.reading import Readings
from temperament.subject.base import Subject

no_key, serve = served.no_key, served.serve
METRICS = ("edit_success", "neutral_perplexity", "gibberish_share", "distinct_2", "repetition", "perplexity")


def rows(folder, name):
    return read_lines(folder / "readings" / f"{name}.jsonl", Likelihood)


def value(folder, metric, **wanted):
    (row,) = figures(folder, metric=metric, **wanted)
    return row["value"]


def test_the_untouched_model_reads_the_answers_of_all_targets_and_a_cell_those_of_its_own(finished):
    untouched = rows(finished, "untouched")
    answers = [(row.pole, row.topic) for row in untouched if row.kind == "answer"]
    topics = ("lakes", "jam", "hats", "moss")
    poles = [f"{trait}:{pole}" for trait in ("extraversion", "agreeableness") for pole in ("high", "low")]
    assert sorted(answers) == sorted((pole, topic) for pole in poles for topic in topics)
    assert sum(row.kind == "passage" for row in untouched) == 16
    assert {row.pole for row in untouched if row.kind == "probe"} == {
        f"{split} {what}" for split in ("learned", "tried") for what in ("clean", "shuffled")
    }
    shaped = rows(finished, CELLS[1])
    assert {row.pole for row in shaped if row.kind == "answer"} == {"extraversion:high", "extraversion:low"}
    assert {row.kind for row in rows(finished, "base-s0")} == {"reply"}
    assert not [row for row in shaped if row.kind == "passage" and not row.divergence > 0]
    assert not [row for row in untouched if row.divergence is not None]


def test_replies_are_read_by_the_untouched_model(place, finished):
    subject = Subject.load(str(place / "model"), "float32")
    from temperament.activation.forcing import Exchange, log_probabilities

    records = [record for record in read_records(finished / "records" / f"{CELLS[2]}.jsonl") if record.reply.strip()]
    found = log_probabilities(subject, [Exchange(record.question, record.reply) for record in records])
    read = {row.id: row.log_probability for row in rows(finished, CELLS[2]) if row.kind == "reply"}
    assert read == {
        record.item: pytest.approx(float(one.mean()), abs=1e-4) for record, one in zip(records, found, strict=True)
    }
    wanted = {"method": "qlora", "trait": "extraversion", "strength": 2.0}
    mean = sum(read.values()) / len(read)
    assert value(finished, "log_perplexity", **wanted) == pytest.approx(-mean, abs=1e-4)


def test_every_cell_has_its_figures_and_edits_have_changes_and_a_drawdown(finished):
    for metric in METRICS:
        assert len(figures(finished, method="base", metric=metric)) == 2, metric
        assert len(figures(finished, method="qlora", metric=metric)) == 4, metric
    assert not figures(finished, method="base", metric="drawdown")
    assert len(figures(finished, metric="drawdown")) == 4
    for metric in ("edit_success", "gibberish_share", "distinct_2", "repetition", "log_perplexity"):
        changes = figures(finished, metric=f"{metric}_change")
        assert {row["method"] for row in changes} == {"qlora"}
        assert len(changes) == 4, metric
    assert {row["scorer"] for row in figures(finished, metric="edit_success")} == {"reading"}


def test_what_was_trained_succeeds_and_draws_down(finished):
    for trait in ("extraversion", "agreeableness"):
        before = value(finished, "edit_success", method="base", trait=trait)
        after = value(finished, "edit_success", method="qlora", trait=trait, strength=1.0)
        assert after > before, trait
        assert value(finished, "edit_success_change", trait=trait, strength=1.0) == pytest.approx(after - before)
        assert value(finished, "drawdown", method="qlora", trait=trait, strength=1.0) > 0


def test_the_neutral_perplexity_is_that_of_the_rows(finished):
    read = [row.log_probability for row in rows(finished, CELLS[1]) if row.kind == "passage"]
    found = value(finished, "neutral_perplexity", method="qlora", trait="extraversion", strength=1.0)
    assert found == pytest.approx(math.exp(-sum(read) / 16))


def test_the_card_of_the_rule_lies_in_the_findings_and_a_random_model_gives_no_bound_of_surprise(finished):
    card = Run.load(finished).findings["fluency"]
    assert card["rule"]["most_surprise"] is None
    assert card["unread"] == ""
    assert {row["texts"] for row in card["known"]} >= {"answers of the split 'test'", "loops", "empty replies"}
    scores = [json.loads(line) for line in (finished / "scores" / f"{CELLS[0]}.jsonl").read_text().splitlines()]
    assert all(score["fluency"]["surprise"] > 0 for score in scores)


@pytest.mark.parametrize("lost", ["untouched", "base-s0", CELLS[3]])
def test_a_reading_that_is_missing_is_made_again_as_it_was_and_no_other(
    lost, place, copied, finished, outcome, monkeypatch
):
    (copied / "results.json").unlink()
    (copied / "readings" / f"{lost}.jsonl").unlink()
    made = []
    write = Readings.path
    monkeypatch.setattr(Readings, "path", lambda library, name: made.append(name) or write(library, name))
    administered = []
    administer = Reading.administer
    monkeypatch.setattr(
        Reading, "administer", lambda one, *rest, **more: administered.append(one) or administer(one, *rest, **more)
    )
    rerun(place, copied)
    assert outcome(copied) == outcome(finished)
    assert len(administered) == (1 if lost == "untouched" else 2)
    assert f"reading {lost}" in json.loads((copied / "timing.json").read_text())


def test_a_run_whose_readings_were_never_begun_goes_on_without_asking_again(place, copied, finished, outcome):
    (copied / "results.json").unlink()
    shutil.rmtree(copied / "readings")
    asked = json.loads((copied / "timing.json").read_text())["asking base-s0"]
    rerun(place, copied)
    assert outcome(copied) == outcome(finished)
    assert json.loads((copied / "timing.json").read_text())["asking base-s0"] == asked


def test_an_endpoint_has_no_readings_and_the_run_says_why(place, serve, tmp_path):
    server = serve(lambda question, _: good("I like it well enough, thank you."))
    plan = [f'subject.model="{server.base}#some"', 'subject.precision="auto"', "method=[]", "strengths=[1.0]"]
    folder = tmp_path / "run"
    rerun(place, folder, *plan)
    assert not (folder / "readings").exists()
    reason = Run.load(folder).findings["readings"]["unread"]
    assert "gives replies and no probabilities" in reason
    assert Run.load(folder).findings["fluency"]["unread"] == reason
    assert {"gibberish_share", "distinct_2"} <= {row["metric"] for row in figures(folder)}
    lacking = {"edit_success", "drawdown", "neutral_perplexity", "perplexity", "log_perplexity_change"}
    assert not lacking & {row["metric"] for row in figures(folder)}
    asked = len(server.bodies)
    (folder / "results.json").unlink()
    rerun(place, folder, *plan)
    assert len(server.bodies) == asked


def test_an_edit_that_was_saved_at_a_strength_is_used_as_saved(place, finished, tmp_path):
    edit = load_edit(finished / "edits" / EDITS[0])
    runs = {}
    for name, saved, strength in (("saved", 0.05, 1.0), ("asked", 1.0, 0.05)):
        (saved * edit).save(tmp_path / name)
        method = f'method=[{{name="adapter", path="{tmp_path / name}"}}]'
        folder = tmp_path / f"run-{name}"
        rerun(place, folder, method, f"strengths=[{strength}]", 'targets=["extraversion"]')
        runs[name] = folder
    cells = [f"adapter-extraversion-high-x{strength:g}-s0" for strength in (1.0, 0.05)]
    replies = [
        [record.reply for record in read_records(folder / "records" / f"{cell}.jsonl")]
        for folder, cell in zip(runs.values(), cells, strict=True)
    ]
    assert replies[0] == replies[1]
    drawdowns = [value(folder, "drawdown") for folder in runs.values()]
    assert drawdowns[0] == pytest.approx(drawdowns[1], rel=1e-3)
    whole = value(finished, "drawdown", trait="extraversion", strength=1.0)
    assert 0 < drawdowns[0] < 0.8 * whole
    strengths = [
        {record.label.strength for record in read_records(folder / "records" / f"{cell}.jsonl")}
        for folder, cell in zip(runs.values(), cells, strict=True)
    ]
    assert strengths == [{1.0}, {0.05}]


def test_how_much_is_read_is_a_part_of_the_plan(place, tmp_path):
    plan = ["measure.answers=2", "measure.passages=1", 'targets=["extraversion"]', "method=[]"]
    rerun(place, tmp_path / "run", *plan)
    read = [row for row in rows(tmp_path / "run", "untouched") if row.kind != "probe"]
    assert [row.topic for row in read if row.kind == "answer"] == ["lakes", "lakes", "jam", "jam"]
    assert sum(row.kind == "passage" for row in read) == 1
    with pytest.raises(RequestError, match=r"measure\.answers is -1: it needs to be at least 0, which reads none"):
        load_study(place / "tiny.toml", ["measure.answers=-1"])


def test_the_forecast_counts_what_is_left_to_read(place, finished, tmp_path):
    study = load_study(place / "tiny.toml")
    opinions = study_opinions(study)
    cells = study.cells()
    assert len(study_items(study, opinions)) == 3
    empty = Readings(study, tmp_path, opinions)
    assert empty.tokens(cells, 10.0) > empty.tokens(cells[:1], 10.0) > empty.tokens(cells[:1], 0.0) > 0
    assert Readings(study, finished, opinions).tokens(cells, 10.0) == 0


def test_a_cell_that_is_asked_again_is_read_again(place, copied, finished, outcome):
    (copied / "results.json").unlink()
    (copied / "records" / f"{CELLS[1]}.jsonl").unlink()
    store = copied / "readings" / f"{CELLS[1]}.jsonl"
    store.write_text(store.read_text().replace('"log_probability":-', '"log_probability":-9'))
    rerun(place, copied)
    assert outcome(copied) == outcome(finished)
