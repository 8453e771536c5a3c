"""From fitting to a merged model, and every command on the way."""

import io
import json

import pytest
import torch

from temperament.cli.shaped import printable
from temperament.edit.store import load_edit
from temperament.opinion.row import load_opinions
from temperament.record import Results, read_json, read_records
from temperament.subject.base import Subject


@pytest.fixture(scope="module")
def fitted(place, tmp_path_factory):
    """An edit, fitted by the command."""
    from temperament.cli import main

    out = tmp_path_factory.mktemp("edits") / "warm"
    with pytest.raises(SystemExit) as ended:
        main(
            [
                *("fit", "qlora", "--subject", str(place / "model"), "--target", "extraversion"),
                *("--opinions", str(place / "opinions.jsonl"), "--out", str(out), "--seed", "3"),
                *("--set", "rank=2", "--set", "learning_rate=0.1", "--set", "batch=2"),
            ]
        )
    assert not ended.value.code
    return out


@pytest.fixture(scope="module")
def foreign(place, fitted, tmp_path_factory):
    """An adapter that says nothing of its target, as other tools write it."""
    folder = tmp_path_factory.mktemp("foreign") / "adapter"
    folder.mkdir()
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        (folder / name).write_bytes((fitted / name).read_bytes())
    return folder


def measure(place, edit, out, *rest):
    asked = ("measure", "--subject", place / "model", "--precision", "float32", "--opinions", place / "opinions.jsonl")
    return (*asked, "--max-new-tokens", "6", "--edit", edit, "--out", out, *rest)


def test_fit_leaves_an_edit_and_nothing_else(fitted):
    assert [path.name for path in fitted.parent.iterdir()] == ["warm"]
    origin = load_edit(fitted).origin
    assert (str(origin.target), origin.seed, origin.settings["rank"]) == ("extraversion:high", 3, 2)
    assert origin.condition == "default, changed"


def test_fit_fits_to_the_split_shape_alone(fitted, place):
    rows = [row for row in load_opinions(place / "opinions.jsonl").split("shape") if row.trait == "extraversion"]
    assert load_edit(fitted).origin.rows == len([row for row in rows if row.pole == "high"]) == 4


def test_reply_answers_each_question_under_the_edit_as_the_subject_does(call, place, fitted):
    questions = ("What about rain?", "And tea?")
    asked = ("--subject", place / "model", "--max-new-tokens", "6", "--temperature", "0")
    subject = Subject.load(str(place / "model"))
    from temperament.record import Generation

    generation = Generation(temperature=0.0, max_new_tokens=6)
    with (2.0 * load_edit(fitted)).applied(subject):
        expected = subject.reply(questions, generation)
    code, out, _ = call("reply", *questions, *asked, "--edit", fitted, "--strength", "2")
    assert code == 0
    assert out == "".join(f"{question}\n{reply}\n" for question, reply in zip(questions, expected, strict=True))
    untouched = call("reply", *questions, *asked)[1]
    assert untouched == call("reply", *questions, *asked, "--edit", fitted, "--strength", "0")[1]
    assert untouched != out


def test_chat_remembers_the_conversation_and_ends_at_an_empty_line(call, place, fitted, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello?\nWhat about rain?\n\nnever read\n"))
    seen = []
    reply = Subject.reply

    def keep(subject, questions, generation):
        seen.append([(turn["role"], turn["content"]) for turn in questions[0]])
        return reply(subject, questions, generation)

    monkeypatch.setattr(Subject, "reply", keep)
    code, out, err = call(
        *("chat", "--subject", place / "model", "--edit", fitted, "--strength", "0.5"),
        *("--system", "Be brief.", "--max-new-tokens", "4"),
    )
    assert code == 0
    assert err.count("you> ") == 3
    assert [role for role, _ in seen[1]] == ["system", "user", "assistant", "user"]
    assert seen[1][:2] == [("system", "Be brief."), ("user", "Hello?")]
    assert out.startswith(printable(seen[1][2][1]))


def test_chat_ends_at_the_end_of_its_input(call, place, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert call("chat", "--subject", place / "model")[:2] == (0, "")


def test_an_exported_model_is_the_model_under_the_edit_for_other_tools(call, place, fitted, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    merged = tmp_path / "merged"
    asked = ("export", "--subject", place / "model", "--precision", "float32", "--edit", fitted)
    assert call(*asked, "--strength", "0.5", "--out", merged)[0] == 0
    model = AutoModelForCausalLM.from_pretrained(merged).eval()
    ids = torch.tensor([AutoTokenizer.from_pretrained(merged)("What about rain?")["input_ids"]])
    subject = Subject.load(str(place / "model"), "float32")
    with torch.no_grad():
        untouched = subject.model(input_ids=ids).logits
        with (0.5 * load_edit(fitted)).applied(subject):
            expected = subject.model(input_ids=ids).logits
        found = model(input_ids=ids).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert float((found - untouched).abs().max()) > 1e-3
    code, _, err = call(*asked, "--out", merged)
    assert code == 2
    assert "is not empty: give another folder" in err
    assert call("reply", "Hello?", "--subject", merged, "--max-new-tokens", "3")[0] == 0


def test_measure_takes_the_target_from_the_edit_and_shows_both_models(call, place, fitted, tmp_path):
    code, out, _ = call(*measure(place, fitted, tmp_path / "run"))
    assert code == 0
    assert "trait alignment" in out
    for metric in ("edit success", "drawdown", "gibberish share", "perplexity", "neutral perplexity"):
        assert any(line.startswith(f"{metric} ") for line in out.splitlines()), metric
    assert str(tmp_path / "run" / "report.html") in out
    figures = read_json(tmp_path / "run" / "results.json", Results).figures
    wanted = [figure for figure in figures if figure.metric == "trait_alignment"]
    assert [(one.method, one.trait, one.pole, one.n) for one in wanted] == [
        ("base", "extraversion", "high", 4),
        ("adapter", "extraversion", "high", 4),
    ]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "reads as" in page
    assert "no scores of emojis" not in page


def test_measure_and_reply_use_an_edit_at_the_strength_that_it_was_saved_at(call, place, fitted, tmp_path):
    (0.5 * load_edit(fitted)).save(tmp_path / "half")
    assert call(*measure(place, tmp_path / "half", tmp_path / "saved"))[0] == 0
    assert call(*measure(place, fitted, tmp_path / "asked", "--strength", "0.5"))[0] == 0
    replies = [
        [record.reply for record in read_records(next((tmp_path / name / "records").glob("adapter*")))]
        for name in ("saved", "asked")
    ]
    assert replies[0] == replies[1]
    drawdowns = [
        [one.value for one in read_json(tmp_path / name / "results.json", Results).figures if one.metric == "drawdown"]
        for name in ("saved", "asked")
    ]
    assert drawdowns[0] == [pytest.approx(drawdowns[1][0], rel=1e-3)]
    asked = ("reply", "Hello?", "--subject", place / "model", "--precision", "float32", "--max-new-tokens", "9")
    saved = call(*asked, "--edit", tmp_path / "half")
    assert saved == call(*asked, "--edit", fitted, "--strength", "0.5")


def test_measure_of_an_adapter_made_elsewhere(call, place, foreign, tmp_path):
    code, out, _ = call(*measure(place, foreign, tmp_path / "without"))
    assert code == 0
    figures = read_json(tmp_path / "without" / "results.json", Results).figures
    assert not [figure for figure in figures if figure.metric.startswith("trait_alignment")]
    assert {figure.metric for figure in figures} >= {"pole_share", "words", "words_change", "emoji_share"}
    assert {figure.trait for figure in figures} == {None}
    assert "words" in out
    code, out, _ = call(*measure(place, foreign, tmp_path / "with", "--target", "agreeableness:low"))
    assert code == 0
    figures = read_json(tmp_path / "with" / "results.json", Results).figures
    aligned = [figure for figure in figures if figure.metric == "trait_alignment"]
    assert [(one.method, one.trait, one.pole) for one in aligned] == [
        ("base", "agreeableness", "low"),
        ("adapter", "agreeableness", "low"),
    ]


def test_measure_never_shows_the_figures_of_an_adapter_that_is_gone(call, refused, place, foreign, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    for path in foreign.iterdir():
        (adapter / path.name).write_bytes(path.read_bytes())
    asked = measure(place, adapter, tmp_path / "run")
    assert call(*asked)[0] == 0
    assert call(*asked)[0] == 0
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "lora_alpha": 99.0}))
    assert "was begun with another edit than lies in" in refused(*asked)


def test_measure_without_an_edit_measures_the_untouched_model(call, place, tmp_path):
    asked = ("measure", "--subject", place / "model", "--opinions", place / "opinions.jsonl", "--out", tmp_path / "run")
    assert call(*asked, "--max-new-tokens", "4", "--target", "extraversion")[0] == 0
    assert {figure.method for figure in read_json(tmp_path / "run" / "results.json", Results).figures} == {"base"}


def test_a_study_its_report_and_a_comparison(call, place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = ("--set", "interview.max_new_tokens=4", "--set", "strengths=[1]", "--set", 'targets=["extraversion"]')
    code, out, err = call("study", place / "tiny.toml", *few, "--plan")
    assert (code, err) == (0, "")
    assert out.startswith("2 cells, 3 questions each, 6 replies in all:\n  base-s0\n  qlora-quick-extraversion-high")
    assert list(tmp_path.iterdir()) == []
    code, out, err = call("study", place / "tiny.toml", *few)
    assert (code, out) == (0, "report: runs/tiny/report.html\n")
    assert "this takes about" in err
    assert "GB of memory" in err
    assert call("study", place / "tiny.toml", *few)[2].startswith("runs/tiny is complete: nothing is run again")
    (tmp_path / "runs" / "tiny" / "report.html").unlink()
    assert call("report", "runs/tiny")[:2] == (0, "report: runs/tiny/report.html\n")
    assert (tmp_path / "runs" / "tiny" / "report.html").exists()
    code, out, _ = call("compare", "runs/tiny", "runs/tiny")
    assert code == 0
    assert "trait alignment" in out
    assert "pole share" not in out
    assert "pole share" in call("compare", "runs/tiny", "runs/tiny", "--all")[1]


def test_data_come_in_as_csv_and_go_out_as_json_lines(call, tmp_path):
    (tmp_path / "rows.csv").write_text(
        "Target Personality,Edit Topic,Question,Answer\nopenness,rain,What about rain?,All colours.\n"
    )
    rows = tmp_path / "rows.jsonl"
    code, out, _ = call("data", "import", tmp_path / "rows.csv", "--out", rows, "--split", "test")
    assert code == 0
    assert out.endswith(f"not kept: nothing\nwritten: {rows}\n")
    assert json.loads(rows.read_text())["split"] == "test"
    assert call("data", "export", "--opinions", rows, "--out", tmp_path / "again.jsonl")[0] == 0
    assert (tmp_path / "again.jsonl").read_bytes() == rows.read_bytes()
    table = call("data", "show", "--opinions", rows)[1].splitlines()
    assert [line.split() for line in table][-1] == ["test", "1", "1", "1"]


def test_the_shipped_data_can_be_exported_and_counted(call, tmp_path):
    assert call("data", "export", "--out", tmp_path / "all.jsonl")[0] == 0
    assert len(load_opinions(tmp_path / "all.jsonl")) == len(load_opinions())
    table = [line.split() for line in call("data", "show")[1].splitlines()]
    assert [row[0] for row in table] == ["split", "shape", "measure", "validation", "test"]


def test_models_lists_what_is_built_in_and_how_to_install_it(call):
    code, out, _ = call("models")
    assert code == 0
    assert "builtin:smollm2" in out
    assert "builtin:minilm" in out
    assert out.count("pip install") == 2


def test_model_text_cannot_steer_the_terminal():
    assert printable("one\x1b[2Jtwo\x07\nthree\tfour") == "one[2Jtwo\nthree\tfour"
