"""Methods side by side: what stands in the table can be computed from the figures by hand."""

import json
import re
from dataclasses import replace

import pytest
from synthetic_run import World, write_run

from temperament.report import render
from temperament.report.evidence import Evidence
from temperament.report.lineup import NOTHING, lineup
from temperament.report.wording import number
from temperament.run import Run
from temperament.trait import Target

TARGETS = (Target("openness", "high"), Target("extraversion", "high"))
TWO = World(targets=TARGETS, methods=("qlora", "prompt"), hit=(0.6, 0.1), emoji=(0.0, 0.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "two", TWO)


METRICS = ("trait_alignment", "emoji_share", "edit_success", "drawdown", "gibberish_share", "perplexity", "words")


def table_of(folder):
    return lineup(Evidence(Run.load(folder)))


def figures(folder, **wanted):
    found = [vars(figure) for figure in Run.load(folder).results.figures]
    return [row for row in found if all(row[key] == value for key, value in wanted.items())]


def at(entry, metric):
    return entry.values[METRICS.index(metric)]


def test_the_untouched_model_comes_first_and_every_method_has_its_targets_below_it(folder):
    table = table_of(folder)
    assert [(entry.name, entry.is_method) for entry in table.entries] == [
        ("Untouched", True),
        ("QLoRA", True),
        ("openness, high", False),
        ("extraversion, high", False),
        ("The prompt", True),
        ("openness, high", False),
        ("extraversion, high", False),
    ]
    assert tuple(column.metric for column in table.columns) == METRICS
    assert all(len(entry.values) == len(table.columns) == len(entry.is_void) for entry in table.entries)


@pytest.mark.parametrize("metric", METRICS)
def test_a_target_has_its_figure_and_a_method_the_mean_of_its_targets_bounds_included(metric, folder):
    table = table_of(folder)
    column = next(column for column in table.columns if column.metric == metric)
    places, is_change = column.places, column.is_change
    rows = figures(folder, method="qlora", metric=f"{metric}_change" if is_change else metric, measured_trait=None)
    assert [row["trait"] for row in rows] == ["openness", "extraversion"]
    for row, entry in zip(rows, table.entries[2:4], strict=True):
        assert at(entry, metric).startswith(number(row["value"], places, signed=is_change))
    means = [sum(row[key] for row in rows) / 2 for key in ("value", "lower", "upper")]
    middle, lower, upper = (number(mean, places, signed=is_change) for mean in means)
    assert at(table.entries[1], metric) == f"{middle} ({lower} to {upper})"


def test_the_untouched_model_has_no_change_and_no_drawdown(folder):
    untouched = table_of(folder).entries[0]
    assert at(untouched, "trait_alignment") == at(untouched, "drawdown") == NOTHING
    assert at(untouched, "edit_success").startswith("0.")
    (words,) = {row["value"] for row in figures(folder, method="base", metric="words")}
    assert at(untouched, "words").startswith(number(words, 0))


def test_fitting_is_of_all_targets_and_the_duration_of_asking_is_no_figure_of_a_method(folder):
    entries = table_of(folder).entries
    assert [entry.fitting for entry in entries] == [NOTHING, "61.5", "", "", "73.8", "", ""]
    run = Run.load(folder)
    lacking = {key: value for key, value in run.timing.items() if not key.startswith("fitting prompt")}
    table = lineup(Evidence(replace(run, timing=lacking)))
    assert [entry.fitting for entry in table.entries] == [NOTHING, "61.5", "", "", NOTHING, "", ""]
    page = render(folder).read_text(encoding="utf-8")
    assert "fitting, seconds" in page
    assert "time a token" not in page.lower()


def test_seeds_are_averaged_and_strengths_are_rows_of_their_own(tmp_path):
    world = World(targets=TARGETS[:1], methods=("qlora", "mend"), strengths=(0.5, 1.0), seeds=(0, 1))
    folder = write_run(tmp_path / "many", world)
    entries = table_of(folder).entries
    assert [entry.name for entry in entries] == [
        "Untouched",
        *(f"{name} at strength {strength}" for name in ("QLoRA", "MEND") for strength in ("0.5", "1")),
    ]
    rows = figures(folder, method="mend", strength=1.0, metric="drawdown")
    assert len(rows) == 2
    assert at(entries[4], "drawdown").startswith(number(sum(row["value"] for row in rows) / 2))


def test_a_mean_of_fewer_than_all_targets_says_of_how_many(tmp_path):
    folder = write_run(tmp_path / "two", TWO)
    results = json.loads((folder / "results.json").read_text())
    for row in results["figures"]:
        if (row["method"], row["metric"], row["trait"]) == ("qlora", "drawdown", "openness"):
            row["value"] = row["lower"] = row["upper"] = None
    (folder / "results.json").write_text(json.dumps(results))
    entries = table_of(folder).entries
    (row,) = figures(folder, method="qlora", metric="drawdown", trait="extraversion")
    assert at(entries[1], "drawdown").startswith(number(row["value"]))
    assert at(entries[1], "drawdown").endswith(", 1 of 2")
    assert at(entries[2], "drawdown") == NOTHING
    assert not at(entries[4], "drawdown").endswith("of 2")
    assert ", 1 of 2</small>" in render(folder).read_text(encoding="utf-8")


def test_one_method_alone_has_no_table(tmp_path):
    folder = write_run(tmp_path / "one", World(targets=TARGETS, hit=(0.6, 0.1), emoji=(0.0, 0.0)))
    assert table_of(folder) is None
    assert "Methods side by side" not in render(folder).read_text(encoding="utf-8")


def test_the_page_has_the_table_and_the_figures_of_each_method(folder):
    page = re.sub(r"\s+", " ", render(folder).read_text(encoding="utf-8"))
    assert '<h2 id="methods">Methods side by side</h2>' in page
    assert '<a href="#methods">Methods</a>' in page
    for title in (">gibberish</th>", ">drawdown, nats a token</th>", ">edit success, 0 to 1</th>"):
        assert title in page
    assert "0 by definition" in page
    assert "What the rule calls gibberish" in page
    assert "loops</th><td>yes</td><td>1.00" in page
    assert "Other figures" not in page


def test_a_run_that_could_not_be_read_says_why_and_shows_what_it_has(folder, tmp_path):
    world = World(targets=TARGETS, methods=("prompt", "ike"), hit=(0.6, 0.1), emoji=(0.0, 0.0))
    folder = write_run(tmp_path / "remote", world)
    results = json.loads((folder / "results.json").read_text())
    read = ("edit_success", "drawdown", "perplexity", "log_perplexity", "neutral_perplexity")
    kept = [row for row in results["figures"] if row["metric"] not in read]
    (folder / "results.json").write_text(json.dumps({"figures": kept}))
    (folder / "findings" / "readings.json").write_text('{"unread": "some endpoint gives no probabilities."}')
    assert not {"drawdown", "perplexity"} & {column.metric for column in table_of(folder).columns}
    page = render(folder).read_text(encoding="utf-8")
    assert "some endpoint gives no probabilities." in page
    assert "perplexity under the untouched model" not in page
