"""A tiny study from beginning to end: what it leaves, what it refuses, and how it goes on where it was stopped."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from temperament.edit.store import load_edit
from temperament.errors import BadFileError, MismatchError, RequestError, UnknownNameError, WorkError
from temperament.measure.emoji import emojis
from temperament.measure.length import words
from temperament.record import read_records
from temperament.run import Run
from temperament.shape.qlora import QLora
from temperament.study.execution import run_study, study_items, study_opinions
from temperament.study.plan import load_study
from temperament.subject.base import Subject
from temperament.subject.tiny import save_tiny

EDITS = ("qlora-quick-extraversion-high-s0", "qlora-quick-agreeableness-low-s0")
CELLS = (
    "base-s0",
    "qlora-quick-extraversion-high-x1-s0",
    "qlora-quick-extraversion-high-x2-s0",
    "qlora-quick-agreeableness-low-x1-s0",
    "qlora-quick-agreeableness-low-x2-s0",
)


class StoppedError(Exception):
    pass


def figures(folder, **wanted):
    rows = json.loads((folder / "results.json").read_text())["figures"]
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def rerun(place, folder, *assignments):
    return run_study(load_study(place / "tiny.toml", assignments), folder)


def test_a_run_leaves_what_the_design_promises(finished):
    assert sorted(path.name for path in finished.iterdir() if path.name != ".lock") == [
        "edits",
        "findings",
        "latent",
        "provenance.json",
        "readings",
        "records",
        "report.html",
        "results.json",
        "scores",
        "study.toml",
        "timing.json",
    ]
    assert {path.name for path in (finished / "edits").iterdir()} == set(EDITS)
    for folder in ("records", "scores", "latent"):
        assert {path.name for path in (finished / folder).iterdir()} == {f"{cell}.jsonl" for cell in CELLS}
    assert {path.name for path in (finished / "readings").iterdir()} == {
        f"{name}.jsonl" for name in ("untouched", *CELLS)
    }
    assert {path.name for path in (finished / "findings").iterdir()} == {
        *(f"{name}.json" for name in ("classifier", "crosstalk", "dose", "emoji", "family", "fluency", "refusal")),
        *(f"training-{edit}.json" for edit in EDITS),
    }
    for edit in EDITS:
        assert {"adapter_model.safetensors", "adapter_config.json", "edit.json"} == {
            path.name for path in (finished / "edits" / edit).iterdir()
        }


def test_provenance_timing_and_training_say_what_happened(finished):
    provenance = json.loads((finished / "provenance.json").read_text())
    assert provenance["subject"]["precision"] == "float32"
    assert provenance["opinions"]["rows"] == 96
    assert len(provenance["opinions"]["sha256"]) == 64
    assert {"torch", "transformers", "python"} <= provenance["versions"].keys()
    timing = json.loads((finished / "timing.json").read_text())
    assert {"loading", "scoring", "asking base-s0", "fitting qlora quick s0", "peak_memory_gb"} <= timing.keys()
    training = json.loads((finished / "findings" / f"training-{EDITS[1]}.json").read_text())
    assert training["target"] == {"trait": "agreeableness", "pole": "low"}
    assert training["rows"] == 4
    assert [step["step"] for step in training["steps"]] == [1, 2, 3, 4]


def test_every_cell_answers_the_same_questions_of_the_test_split_under_its_own_edit(finished):
    run = Run.load(finished)
    items = [record.item for record in run.cells["base-s0"]]
    assert len(set(items)) == 3
    for cell in CELLS:
        records = run.cells[cell]
        assert [record.item for record in records] == items
        assert {record.topic for record in records} == {"lakes", "jam", "hats"}
        assert all(record.reply is not None and record.tokens <= 8 for record in records)
    label = run.cells[CELLS[2]][0].label
    assert (label.method, label.condition, label.trait, label.pole) == ("qlora", "quick", "extraversion", "high")
    assert label.strength == 2.0
    assert label.edit == load_edit(finished / "edits" / EDITS[0]).fingerprint[:16]
    assert {record.label.method for record in run.cells["base-s0"]} == {"base"}
    replies = {cell: [record.reply for record in run.cells[cell]] for cell in CELLS}
    assert replies[CELLS[0]] != replies[CELLS[2]]


def test_the_untouched_model_has_one_row_a_target_and_edits_have_one_a_cell(finished):
    base = figures(finished, method="base", metric="trait_alignment")
    assert [(row["trait"], row["pole"], row["strength"]) for row in base] == [
        ("extraversion", "high", 0.0),
        ("agreeableness", "low", 0.0),
    ]
    shaped = figures(finished, method="qlora", metric="trait_alignment", condition="quick")
    assert [(row["trait"], row["strength"]) for row in shaped] == [
        ("extraversion", 1.0),
        ("extraversion", 2.0),
        ("agreeableness", 1.0),
        ("agreeableness", 2.0),
    ]
    assert len(figures(finished, method="base", trait="extraversion", metric="pole_share")) == 4
    assert len(figures(finished, method="base", trait="extraversion", metric="trait_share")) == 2
    assert {row["n"] for row in base} == {3}


def test_changes_are_of_edits_only_and_for_every_metric_that_has_one(finished):
    changes = [row for row in figures(finished) if row["metric"].endswith("_change")]
    assert {row["method"] for row in changes} == {"qlora"}
    metrics = {row["metric"] for row in changes}
    assert {"trait_alignment_change", "trait_alignment_5_change", "emoji_share_change", "words_change"} <= metrics
    assert len(changes) == 4 * len(metrics)


@pytest.mark.parametrize("cell", CELLS)
def test_figures_can_be_computed_again_from_the_records(cell, finished):
    base, records = (read_records(finished / "records" / f"{name}.jsonl") for name in ("base-s0", cell))
    scores = [json.loads(line) for line in (finished / "scores" / f"{cell}.jsonl").read_text().splitlines()]
    assert [score["item"] for score in scores] == [record.item for record in records]
    label = records[0].label
    wanted = {"method": label.method, "strength": label.strength}
    trait = label.trait or "extraversion"

    def value(metric):
        (row,) = figures(finished, metric=metric, trait=trait, measured_trait=None, **wanted)
        return row["value"]

    counts = [words(record.reply) for record in records]
    assert value("words") == pytest.approx(sum(counts) / 3)
    assert value("emoji_share") == pytest.approx(sum(bool(emojis(record.reply)) for record in records) / 3)
    target = f"{trait}:{'low' if trait == 'agreeableness' else 'high'}"
    known = [score["alignment"]["label"] for score in scores if score["alignment"]["label"]]
    assert value("trait_alignment") == pytest.approx(sum(found == target for found in known) / len(known))
    if label.method != "base":
        change = [after - words(before.reply) for after, before in zip(counts, base, strict=True)]
        assert value("words_change") == pytest.approx(sum(change) / 3)


def test_only_the_split_shape_reaches_the_method(place, tmp_path, monkeypatch):
    seen = []

    def keep(_method, _subject, _targets, opinions, _workspace):
        seen.extend(opinions)
        raise StoppedError

    monkeypatch.setattr(QLora, "fit_each", keep)
    with pytest.raises(StoppedError):
        rerun(place, tmp_path / "run")
    assert {row.split for row in seen} == {"shape"}
    assert {row.topic for row in seen} == {"tea", "buses"}
    asked = study_items(load_study(place / "tiny.toml"), study_opinions(load_study(place / "tiny.toml")))
    assert not {item.topic for item in asked} & {row.topic for row in seen}


def test_questions_are_thinned_by_topic_and_their_forms_take_turns(place):
    study = load_study(place / "tiny.toml", ["interview.topics=4"])
    assert [item.question for item in study_items(study, study_opinions(study))] == [
        "What about lakes?",
        "And jam?",
        "What about hats?",
        "And moss?",
    ]
    study = load_study(place / "tiny.toml", ["opinions.questions_per_answer=1"])
    rows = study_opinions(study)
    assert (len(rows.split("shape")), len(rows.split("test"))) == (8, 32)


def test_a_second_run_does_nothing_and_takes_no_model(place, copied, outcome, monkeypatch):
    def refuse(*_arguments, **_settings):
        raise AssertionError

    before = outcome(copied)
    monkeypatch.setattr(Subject, "load", refuse)
    monkeypatch.setattr("temperament.study.scoring.score_run", refuse)
    (copied / "report.html").unlink()
    assert rerun(place, copied) == copied / "report.html"
    assert (copied / "report.html").exists()
    assert outcome(copied) == before


@pytest.mark.parametrize(
    "lost",
    [
        ("results.json",),
        ("results.json", "scores", "findings/classifier.json"),
        ("results.json", "records/qlora-quick-agreeableness-low-x2-s0.jsonl"),
        ("results.json", f"edits/{EDITS[1]}", "records/qlora-quick-agreeableness-low-x1-s0.jsonl"),
        ("results.json", f"edits/{EDITS[0]}", f"findings/training-{EDITS[0]}.json", f"records/{CELLS[2]}.jsonl"),
    ],
    ids=["figures", "scores", "a cell", "the last edit", "the first edit"],
)
def test_what_is_missing_is_made_again_as_it_was(lost, place, copied, finished, outcome):
    """Also one edit of two that were fitted together, as after a kill between their savings."""
    for name in lost:
        path = copied / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    rerun(place, copied)
    assert outcome(copied) == outcome(finished)


def test_a_torn_last_line_is_asked_again(place, copied, finished, outcome):
    (copied / "results.json").unlink()
    store = copied / "records" / f"{CELLS[1]}.jsonl"
    partial = store.rename(store.with_name(f"{store.name}.partial"))
    partial.write_bytes(partial.read_bytes()[:-20])
    rerun(place, copied)
    assert outcome(copied) == outcome(finished)


def test_what_a_killed_process_was_writing_aside_is_swept_up(place, copied, finished, outcome):
    (copied / "results.json").unlink()
    (copied / ".results.json.99.aside").write_text("{")
    (copied / "edits" / f".{EDITS[0]}.feed.aside").mkdir()
    rerun(place, copied)
    assert outcome(copied) == outcome(finished)


def test_a_folder_with_another_study_is_refused_and_the_key_is_named(place, copied, outcome):
    before = outcome(copied)
    with pytest.raises(MismatchError, match=r"another study: interview\.max_new_tokens is 8 there and 9 here"):
        rerun(place, copied, "interview.max_new_tokens=9")
    with pytest.raises(MismatchError, match=r"method\.0\.settings\.rank is 2 there and 4 here"):
        rerun(place, copied, "method.0.settings.rank=4")
    with pytest.raises(MismatchError, match=r"interview\.topics is 3 there and 4 here; .*seeds is \[0\] there|seeds"):
        rerun(place, copied, "interview.topics=4", "seeds=[1]")
    assert outcome(copied) == before


def test_a_folder_that_is_no_run_is_refused_and_left_unharmed(place, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "chapter.txt").write_text("Years of work.")
    with pytest.raises(BadFileError, match="holds files and no run: give another folder"):
        rerun(place, folder)
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("chapter.txt", "Years of work.")]
    with pytest.raises(BadFileError, match="is a file"):
        rerun(place, folder / "chapter.txt")
    with pytest.raises(WorkError, match="Not a directory"):
        rerun(place, folder / "chapter.txt" / "run")


def test_a_study_file_of_somebody_is_never_overwritten(place, tmp_path):
    text = (place / "tiny.toml").read_text()
    (tmp_path / "study.toml").write_text(text)
    with pytest.raises(MismatchError, match="holds a run of another study"):
        rerun(place, tmp_path)
    assert (tmp_path / "study.toml").read_text() == text


def test_a_folder_in_use_is_refused_at_once(place, copied):
    code = "import sys, filelock\nwith filelock.FileLock(sys.argv[1]):\n print('held', flush=True)\n sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(copied / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(MismatchError, match="is in use by another process"):
            rerun(place, copied)
        holder.stdin.close()
    rerun(place, copied)


@pytest.mark.parametrize("is_asked", [True, False])
def test_data_other_than_a_run_was_begun_with_are_refused(is_asked, place, copied, tmp_path, monkeypatch):
    lost = ["results.json"] if is_asked else ["results.json", f"records/{CELLS[-1]}.jsonl"]
    for name in lost:
        (copied / name).unlink()
    before = (place / "opinions.jsonl").read_text()
    (place / "opinions.jsonl").write_text(before.replace("dear friend", "my friend"))
    try:
        with pytest.raises(MismatchError, match="was begun with other opinions than are here now"):
            rerun(place, copied)
    finally:
        (place / "opinions.jsonl").write_text(before)
    assert not (copied / "results.json").exists()


def test_a_model_other_than_a_run_was_begun_with_is_refused(place, copied):
    for name in ("results.json", f"records/{CELLS[-1]}.jsonl"):
        (copied / name).unlink()
    shutil.move(place / "model", place / "kept")
    save_tiny(place / "model", seed=1)
    try:
        with pytest.raises(MismatchError, match="was begun with other subject than are here now"):
            rerun(place, copied)
    finally:
        shutil.rmtree(place / "model")
        shutil.move(place / "kept", place / "model")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ('subject.model="nowhere"', RequestError),
        ("method.0.settings.rnak=3", UnknownNameError),
        ('interview.split="validation"', StoppedError),
    ],
)
def test_a_study_that_could_not_begin_leaves_its_folder_to_the_mended_one(wrong, error, place, tmp_path, monkeypatch):
    def stop(*_arguments):
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr("temperament.study.execution._write_provenance", stop)
        with pytest.raises(error):
            rerun(place, tmp_path / "run", wrong)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"] == []


def test_a_full_disk_is_a_clear_error_and_the_run_goes_on_when_there_is_room(
    place, finished, outcome, tmp_path, monkeypatch
):
    """The last bytes of a chunk of records do not fit."""
    flush = os.fsync
    folder = tmp_path / "run"

    def full(descriptor):
        if f"{CELLS[1]}.jsonl.partial" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            os.ftruncate(descriptor, os.fstat(descriptor).st_size - 30)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(
            WorkError, match=r"No space left on device. Make room .* what is complete is kept"
        ) as caught:
            rerun(place, folder)
    assert caught.value.exit_code == 1
    assert (folder / "records" / "base-s0.jsonl").exists()
    assert (folder / "edits" / EDITS[1] / "edit.json").exists()
    assert not (folder / "records" / f"{CELLS[1]}.jsonl").exists()
    rerun(place, folder)
    assert outcome(folder) == outcome(finished)


def test_a_topic_in_two_splits_is_refused(place, tmp_path):
    rows = (place / "opinions.jsonl").read_text().splitlines()
    shaped = next(json.loads(row) for row in rows if json.loads(row)["split"] == "shape")
    leaked = {**shaped, "split": "test", "topic": shaped["topic"].upper()}
    (tmp_path / "leaky.jsonl").write_text("\n".join([*rows, json.dumps(leaked)]) + "\n")
    plan = load_study(place / "tiny.toml", [f'opinions.path="{tmp_path / "leaky.jsonl"}"'])
    with pytest.raises(BadFileError, match="is in the splits"):
        run_study(plan, tmp_path / "run")
