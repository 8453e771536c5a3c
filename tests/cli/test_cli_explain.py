"""``temperament explain``: from the folder of an edit to an answer in words."""

import json

SMALL = ("--questions", 4, "--texts", 2, "--sets", 2, "--generated", 0, "--lens", "units", "--lens", "cause")


def test_an_edit_is_looked_into_and_the_answer_is_said(call, place, tmp_path):
    model, opinions = place / "model", place / "opinions.jsonl"
    edit, run = tmp_path / "warm", tmp_path / "run"
    fitted = ("--set", "rank=2", "--set", "epochs=1", "--set", "max_length=200")
    code, _, err = call(
        *("fit", "qlora", "--subject", model, "--opinions", opinions, "--target", "extraversion", "--out", edit),
        *fitted,
    )
    assert code == 0, err
    code, out, err = call("explain", edit, "--subject", model, "--opinions", opinions, *SMALL, "--out", run)
    assert code == 0, err
    assert "Which units changed?" in out
    assert "Does removing them remove the emojis more than removing random ones?" in out
    assert f"report: {run / 'report.html'}" in out
    (finding,) = (run / "findings" / "explain").glob("*.json")
    assert json.loads(finding.read_text())["testimony"] is None


def test_a_folder_that_is_no_edit_is_refused(refused, tmp_path):
    assert "edit" in refused("explain", tmp_path / "nowhere")


def test_an_unknown_lens_is_refused(call, tmp_path):
    code, _, err = call("explain", tmp_path, "--lens", "souls")
    assert code == 2
    assert "souls" in err
