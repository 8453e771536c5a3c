"""``temperament dial``: edits go in, come out at equal effect, and the table says which cannot."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from temperament.activation.forcing import neutral_exchanges
from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin, Stack
from temperament.edit.context import ContextEdit
from temperament.edit.store import load_edit
from temperament.opinion.situation import load_passages
from temperament.study.dial import Divergence
from temperament.study.plan import MeasurePlan
from temperament.subject.anatomy import Site
from temperament.subject.base import Subject
from temperament.trait import Target

HIGH = Target("extraversion")


@pytest.fixture(scope="module")
def edits(place, tmp_path_factory):
    """Two vectors of different length, and a prompt, for the tiny model."""
    subject = Subject.load(str(place / "model"))
    folder = tmp_path_factory.mktemp("edits")
    origin = Origin("direction", HIGH, subject=subject.name, subject_fingerprint=subject.fingerprint)
    for seed, (name, scale) in enumerate({"weak": 0.02, "strong": 0.1}.items()):
        add = scale * torch.randn(subject.width(Site(1)), generator=torch.Generator().manual_seed(seed))
        ActivationEdit(origin, shifts={Site(1): Shift(add)}).save(folder / name)
    ContextEdit(Origin("prompt", HIGH), system="Be bold.").save(folder / "told")
    return folder


def dial(place, edits, names, out, *rest):
    chosen = [word for name in names for word in ("--edit", edits / name)]
    asked = ("--subject", place / "model", "--precision", "float32", "--opinions", place / "opinions.jsonl")
    return ("dial", *asked, *chosen, "--out", out, "--passages", "1", *rest)


def test_edits_of_different_length_are_set_to_the_same_divergence(call, place, edits, tmp_path):
    subject = Subject.load(str(place / "model"), "float32")
    # The last passage: the first ones are for drawdown.
    effect = Divergence(neutral_exchanges(load_passages(use="measure")[-1:]))
    goal = effect(subject, 0.3 * load_edit(edits / "strong")).value
    code, out, err = call(*dial(place, edits, ("strong", "weak"), tmp_path / "equal", "--at", goal))
    assert code == 0, err
    saved = {name: load_edit(tmp_path / "equal" / name) for name in ("strong", "weak")}
    for name, edit in saved.items():
        assert effect(subject, edit).value == pytest.approx(goal, rel=0.06)
        assert edit.fingerprint == load_edit(edits / name).fingerprint
        assert f"{edit.strength:.3g}" in next(line for line in out.splitlines() if line.startswith(name))
    assert 0.25 < saved["strong"].strength < 0.35 < saved["weak"].strength
    said = json.loads((tmp_path / "equal" / "dial.json").read_text())
    assert said["equal"] == "kl"
    assert said["settings"]["weak"]["is_reached"]
    assert said["settings"]["weak"]["tried"][0] == {"strength": 0.0, "effect": 0.0}
    assert said["settings"]["weak"]["estimate"]["n"] == 1
    assert "warning: equal kl rests on 1 passages, fewer than 40" in " ".join(out.split())


def test_the_dial_and_a_study_read_no_passage_in_common(call):
    taken = load_passages(use="measure")
    code, out, _ = call("dial", "--help")
    assert code == 0
    said = " ".join(out.split())
    assert f"the last of the {len(taken)} that no method reads" in said
    assert f"a study's drawdown is of the first {MeasurePlan().passages}" in said
    assert 16 + MeasurePlan().passages <= len(taken)


def test_an_effect_is_shown_with_its_interval_and_the_number_of_its_items(call, place, edits, tmp_path):
    arguments = dial(place, edits, ("strong",), tmp_path / "equal", "--equal", "likelihood", "--tolerance", "0.9")
    code, out, err = call(*arguments, "--split", "measure", "--at", "1e-5", "--most", "8")
    assert code in (0, 1), err
    estimate = json.loads((tmp_path / "equal" / "dial.json").read_text())["settings"]["strong"]["estimate"]
    said = " ".join(out.split())
    assert estimate["n"] == 5
    assert "95 % interval pairs" in said
    assert f"{estimate['lower']:.3g} to {estimate['upper']:.3g} 5" in said
    assert "rests on 5 pairs, fewer than 40" in said
    assert "give --split measure, or opinions with more" in said


def test_a_stack_for_several_targets_is_not_set_by_the_first_of_them(refused, call, place, edits, tmp_path):
    first = load_edit(edits / "weak")
    other = replace(first, origin=replace(first.origin, target=Target("agreeableness")))
    Stack(first.origin, parts=(first, other)).save(tmp_path / "both")
    for equal in ("likelihood", "alignment"):
        found = refused(*dial(place, tmp_path, ("both",), tmp_path / "equal", "--at", "0", "--equal", equal))
        assert f"both is for extraversion:high and agreeableness:high, and --equal {equal} sets" in found
        assert "give --target" in found
    asked = dial(place, tmp_path, ("both",), tmp_path / "equal", "--equal", "likelihood", "--at", "0")
    assert call(*asked, "--target", "agreeableness")[0] == 0
    assert call(*dial(place, tmp_path, ("both",), tmp_path / "kl", "--at", "0"))[0] == 0


def test_alignment_is_read_by_a_classifier_of_the_opinions_that_were_given(call, place, edits, tmp_path, monkeypatch):
    learned = []

    def fitted(opinions, **_):
        learned.append(opinions)
        return Loud()

    monkeypatch.setattr("temperament.measure.stock.trait_classifier", fitted)
    arguments = dial(place, edits, ("weak", "strong"), tmp_path / "equal", "--equal", "alignment", "--at", "1")
    code, out, err = call(*arguments, "--max-new-tokens", "2")
    assert code == 0, err
    (opinions,) = learned
    assert {row.topic for row in opinions.split("measure")} == {"maps", "rain", "chess", "soup", "kites"}
    assert "rests on 2 replies" in " ".join(out.split())


class Loud:
    """Reads extraversion in everything."""

    labels = ("extraversion:low", "extraversion:high")

    def probabilities(self, texts):
        return np.array([[0.0, 1.0] for _ in texts])


def test_a_target_that_the_classifier_cannot_learn_is_refused_before_the_model_is_loaded(
    refused, place, edits, tmp_path
):
    rows = [json.loads(line) for line in (place / "opinions.jsonl").read_text().splitlines()]
    kept = [row for row in rows if row["split"] != "measure" or row["trait"] != "extraversion"]
    (tmp_path / "rest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    found = refused(
        *("dial", "--subject", tmp_path / "no-model", "--opinions", tmp_path / "rest.jsonl", "--equal", "alignment"),
        *("--edit", edits / "weak", "--at", "0.5", "--out", tmp_path / "equal"),
    )
    assert "extraversion:high was to be measured, and the classifier has no answer to learn it from" in found


def test_an_edit_that_cannot_get_there_is_named_and_not_saved(call, place, edits, tmp_path):
    code, out, err = call(*dial(place, edits, ("strong", "told"), tmp_path / "equal", "--at", "1e-4"))
    assert code == 1
    assert "error: told cannot be set to 0.0001, and the others are saved. Ask for a value that all can reach" in err
    assert "not reached: prompt has no dial" in " ".join(out.split())
    assert sorted(path.name for path in (tmp_path / "equal").iterdir()) == ["dial.json", "strong"]


def test_edits_are_set_to_an_equal_rise_of_likelihood(call, place, edits, tmp_path):
    arguments = dial(place, edits, ("strong",), tmp_path / "equal", "--equal", "likelihood", "--tolerance", "0.2")
    code, _, err = call(*arguments, "--at", "0", "--target", "extraversion:low")
    assert code == 0, err
    assert load_edit(tmp_path / "equal" / "strong").strength == 0.0


@pytest.mark.parametrize(
    ("names", "out", "rest", "message"),
    [
        (("weak", "weak"), "equal", (), "two edits are named 'weak'"),
        (("weak",), "", (), "is the edit that is read: give another --out"),
        (("nothing",), "equal", (), "is no folder with an edit"),
        (("weak",), "equal", ("--equal", "alignment", "--target", "openness"), "has no question about openness"),
        (("weak",), "equal", ("--equal", "likelihood", "--target", "openness"), "shows openness:low"),
    ],
)
def test_what_cannot_be_set_is_refused_before_any_work(names, out, rest, message, refused, place, edits):
    found = refused(*dial(place, edits, names, edits / out if out else edits, "--at", "0.1", *rest))
    assert message in found
    assert not (edits / "equal").exists()
