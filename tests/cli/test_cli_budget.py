"""``temperament budget``: a strength comes out with what it costs, and the exit code says whether it was confirmed."""

import json

import numpy as np
import pytest
import torch

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.record import read_json
from temperament.study.budget import Budget
from temperament.subject.anatomy import Site
from temperament.subject.base import Subject
from temperament.trait import Target

HIGH = Target("extraversion")


class Still:
    """Reads every reply alike, so that no trait ever moves."""

    labels = ("extraversion:low", "extraversion:high", "agreeableness:low", "agreeableness:high")

    def probabilities(self, texts):
        return np.full((len(texts), 4), 0.25)


@pytest.fixture(autouse=True)
def still(monkeypatch):
    monkeypatch.setattr("temperament.measure.stock.trait_classifier", lambda *_, **__: Still())


@pytest.fixture(scope="module")
def edits(place, tmp_path_factory):
    """A vector that says what it is for, one that does not, and a prompt."""
    subject = Subject.load(str(place / "model"))
    folder = tmp_path_factory.mktemp("edits")
    add = 0.1 * torch.randn(subject.width(Site(1)), generator=torch.Generator().manual_seed(0))
    for name, target in (("warm", HIGH), ("silent", None)):
        origin = Origin("direction", target, subject=subject.name, subject_fingerprint=subject.fingerprint)
        ActivationEdit(origin, shifts={Site(1): Shift(add)}).save(folder / name)
    (0.5 * ActivationEdit(origin, shifts={Site(1): Shift(add)})).save(folder / "half")
    ContextEdit(Origin("prompt", HIGH), system="Be bold.").save(folder / "told")
    return folder


def budget(place, edit, *rest):
    asked = ("--subject", place / "model", "--precision", "float32", "--opinions", place / "opinions.jsonl")
    quick = ("--passages", "4", "--questions", "1", "--max-new-tokens", "2", "--most", "1", "--step", "0.5")
    return ("budget", *asked, *quick, "--edit", edit, *rest)


FREE = ("--perplexity", "inf", "--gibberish", "inf", "--off-target", "inf")


def test_what_costs_little_is_confirmed_at_the_strongest(call, place, edits, tmp_path):
    code, out, err = call(*budget(place, edits / "warm", *FREE, "--kl", "5", "--out", tmp_path / "budget.json"))
    assert code == 0, err
    said = " ".join(out.split())
    assert said.startswith("strength 1: confirmed on the other half")
    assert "gibberish no limit" in said
    assert "agreeableness no limit" in said
    assert "extraversion, high wanted 0 (-0.84 to 0.84) 0 (-0.84 to 0.84)" in said
    assert "2 questions, 2 neutral texts and 2 questions, 2 neutral texts" in said
    assert "at most 5 strengths, 2 questions each: about" in err
    kept = json.loads((tmp_path / "budget.json").read_text())
    assert (kept["targets"], kept["edit_strength"], kept["split"]) == (["extraversion:high"], 1.0, "test")
    (tmp_path / "answer.json").write_text(json.dumps(kept["budget"]))
    found = read_json(tmp_path / "answer.json", Budget)
    assert (found.strength, found.binding, found.limits.kl, found.limits.gibberish) == (1.0, "", 5.0, None)
    assert [each.strength for each in found.tried] == [0.5, 1.0]
    assert f"{found.confirmation.costs[1].estimate.value:.3g} (" in said


def test_a_limit_that_binds_is_named_and_the_edit_s_own_strength_counts(call, place, edits, tmp_path):
    path = tmp_path / "budget.json"
    call(*budget(place, edits / "silent", *FREE, "--kl", "5", "--out", path))
    most = json.loads(path.read_text())["budget"]["search"]["costs"][1]["estimate"]["value"]
    limits = (*FREE, "--kl", most, "--reserve", "0.4")
    _, out, _ = call(*budget(place, edits / "silent", *limits, "--out", path))
    found = json.loads(path.read_text())["budget"]
    assert 0 < found["strength"] < 1.0
    assert found["binding"] == "kl"
    assert "what binds: kl" in out
    _, out, _ = call(*budget(place, edits / "half", *limits, "--most", "2"))
    assert f"({found['strength']:.3g} with the edit's own)" in out


def test_what_is_not_within_the_limits_ends_with_code_1(call, place, edits):
    code, out, err = call(*budget(place, edits / "warm", *FREE, "--kl", "1e-12"))
    assert code == 1
    assert "strength 0: no strength that was tried is within the limits" in out
    assert "what binds: kl" in out
    assert "error: no strength that was tried is within the limits. Allow more" in err


def test_what_the_other_half_refutes_ends_with_code_1(call, place, edits, monkeypatch):
    from temperament.study import meter

    ordinary, made = meter.HalfMeter.account, []

    def worse(self, edit, enough=float("inf")):
        made.append(self)
        found = ordinary(self, edit, enough)
        if self is made[0]:
            return found
        costs = [meter.Cost(cost.limit, cost.most, meter.Estimate(9.0, 8.0, 10.0, 2)) for cost in found.costs]
        return meter.Account(tuple(costs), found.gains, found.questions, found.passages)

    monkeypatch.setattr(meter.HalfMeter, "account", worse)
    code, out, err = call(*budget(place, edits / "warm", *FREE, "--kl", "5"))
    assert code == 1
    assert "strength 1: NOT confirmed on the other half" in out
    assert "error: not confirmed: on the other half kl is 9.00 (8.00 to 10.00), n = 2, and 5 was allowed." in err
    assert len({id(one) for one in made}) == 2
    assert len([one for one in made if one is not made[0]]) == 1


def test_traits_off_target_may_move_either_way(call, place, edits):
    code, out, err = call(*budget(place, edits / "warm", "--kl", "5", "--perplexity", "9", "--gibberish", "1"))
    assert code == 0, err
    assert "agreeableness \u00b10.2 0" in " ".join(out.split())


@pytest.mark.parametrize(
    ("edit", "rest", "message"),
    [
        ("told", (), "a budget was asked for prompt, which has no dial"),
        ("silent", (), "it does not say: give --target"),
        ("warm", ("--target", "openness"), "openness:high was to be measured, and the classifier has no answer"),
        ("warm", ("--passages", "3"), "there are 4 and 3. Give more opinions, or more --passages"),
        ("warm", ("--kl", "0"), "the limit on kl is 0: it needs to be above 0"),
        ("warm", ("--kl", "inf", *FREE), "a budget needs a limit"),
        ("warm", ("--step", "2"), "step is 2.0: it needs to be above 0 and at most the strongest strength, 1"),
        ("nothing", (), "is no folder with an edit"),
    ],
)
def test_what_has_no_budget_is_refused_before_the_model_is_loaded(
    edit, rest, message, refused, place, edits, monkeypatch
):
    monkeypatch.setattr(Subject, "load", lambda *_, **__: pytest.fail("the model was loaded"))
    assert message in refused(*budget(place, edits / edit, *rest))


def test_a_model_whose_weights_are_not_at_hand_has_no_budget(refused, place, edits):
    asked = ("--opinions", place / "opinions.jsonl", "--edit", edits / "warm", "--passages", "4")
    found = refused("budget", "--subject", "http://127.0.0.1:9/v1#none", *asked)
    assert "whose weights are not at hand" in found
