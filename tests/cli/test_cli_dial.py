"""``temperament dial``: edits go in, come out at equal effect, and the table says which cannot."""

import json

import pytest
import torch

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.edit.store import load_edit
from temperament.opinion.situation import load_passages
from temperament.shape.likelihood import divergence, neutral_exchanges
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
    neutral = neutral_exchanges(load_passages(use="measure")[:1])
    goal = divergence(subject, 0.3 * load_edit(edits / "strong"), neutral)
    code, out, err = call(*dial(place, edits, ("strong", "weak"), tmp_path / "equal", "--at", goal))
    assert code == 0, err
    saved = {name: load_edit(tmp_path / "equal" / name) for name in ("strong", "weak")}
    for name, edit in saved.items():
        assert divergence(subject, edit, neutral) == pytest.approx(goal, rel=0.06)
        assert edit.fingerprint == load_edit(edits / name).fingerprint
        assert f"{edit.strength:.3g}" in next(line for line in out.splitlines() if line.startswith(name))
    assert 0.25 < saved["strong"].strength < 0.35 < saved["weak"].strength
    said = json.loads((tmp_path / "equal" / "dial.json").read_text())
    assert said["equal"] == "kl"
    assert said["settings"]["weak"]["is_reached"]
    assert said["settings"]["weak"]["tried"][0] == {"strength": 0.0, "effect": 0.0}


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
