"""``temperament fit`` for every method: what its help lists, profiles, endpoints, and the hint at the end."""

import re
import time

import pytest
import served
from served import good

from temperament.cli.fit import METHODS
from temperament.edit.base import Stack
from temperament.edit.context import ContextEdit
from temperament.edit.store import load_edit
from temperament.errors import UnknownNameError
from temperament.shape.registry import NAMES, method_class

no_key, serve = served.no_key, served.serve


@pytest.fixture
def asked(place):
    return ("--subject", place / "model", "--opinions", place / "opinions.jsonl")


QUICK = ("--set", "rank=2", "--set", "epochs=1", "--set", "max_length=200")


def test_the_help_lists_every_method_with_its_presets_and_needs_no_torch(call):
    code, out, _ = call("fit", "--help")
    assert code == 0
    listed = out.partition("Methods and their presets:")[2]
    assert list(METHODS) == re.findall(r"^  (\w+)", listed, re.MULTILINE)
    assert set(NAMES) == set(METHODS)
    for name, (_, presets) in METHODS.items():
        assert f"({', '.join(presets)})" in " ".join(listed.split())
        for preset in presets:
            assert method_class(name).preset(preset).condition == preset
        with pytest.raises(UnknownNameError) as unknown:
            method_class(name).preset("no-such")
        assert set(str(unknown.value).partition("there are ")[2].rstrip(". ").split(", ")) == set(presets)


def test_the_help_says_which_methods_go_on_where_they_were(call):
    out = " ".join(call("fit", "--help")[1].split())
    assert "by qlora or mend that was stopped goes on where it was" in out
    assert "the others begin anew" in out


def test_a_profile_is_fitted_as_a_stack_and_leaves_nothing_else(call, asked, tmp_path):
    code, out, err = call("fit", "qlora", *asked, *QUICK, "--target", "E=+0.8, A=-0.5", "--out", tmp_path / "both")
    assert code == 0, err
    stack = load_edit(tmp_path / "both")
    assert isinstance(stack, Stack)
    assert [(str(part.origin.target), part.strength) for part in stack.parts] == [
        ("extraversion:high", 0.8),
        ("agreeableness:low", 0.5),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["both"]
    assert "fitting qlora for E=+0.8, A=-0.5" in err
    assert out.splitlines()[-1].endswith("both --strength 0.8")


def test_a_profile_of_one_trait_is_a_stack_too(call, asked, tmp_path):
    assert call("fit", "qlora", *asked, *QUICK, "--target", "E=-2", "--out", tmp_path / "shy")[0] == 0
    (part,) = load_edit(tmp_path / "shy").parts
    assert (str(part.origin.target), part.strength) == ("extraversion:low", 2.0)


def test_a_method_without_a_dial_is_refused_at_other_strengths_before_the_model_is_loaded(refused, tmp_path):
    line = refused(
        "fit", "prompt", "--subject", tmp_path / "no-model", "--target", "O=+1,N=-0.5", "--out", tmp_path / "edit"
    )
    assert "neuroticism:low at strength 0.5 was asked for: prompt has no dial. Write +1 or -1" in line
    assert "with a dial: " in line
    assert "qlora" in line.rpartition("with a dial: ")[2]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("O=+0.8 N=-0.5", "write a trait and a number"),
        ("O=0", "leave it out"),
        ("opennes=1", "did you mean 'openness'"),
    ],
)
def test_a_wrong_profile_is_a_wrong_request(refused, asked, wanted, message, tmp_path):
    assert message in refused("fit", "qlora", *asked, "--target", wanted, "--out", tmp_path / "edit")


def test_an_endpoint_is_told_who_it_is(call, serve, tmp_path):
    server = serve(lambda _question, _attempt: good("Fine."))
    model = f"{server.base}#some-model"
    code, out, err = call("fit", "prompt", "--subject", model, "--target", "agreeableness:low", "--out", tmp_path / "e")
    assert code == 0, err
    assert "how long it takes is up to the endpoint" in err
    assert out.splitlines()[-1] == f"next: temperament chat --subject {model} --edit {tmp_path / 'e'}"
    edit = load_edit(tmp_path / "e")
    assert isinstance(edit, ContextEdit)
    asked = len(server.bodies)
    assert call("reply", "Why?", "--subject", model, "--edit", tmp_path / "e")[1] == "Fine.\n"
    assert server.bodies[asked]["messages"][0] == {"role": "system", "content": edit.system}


def test_what_needs_weights_is_refused_on_an_endpoint(refused, serve, tmp_path):
    server = serve(lambda _question, _attempt: good("Fine."))
    model = f"{server.base}#some-model"
    line = refused("fit", "qlora", "--subject", model, "--target", "openness", "--out", tmp_path / "edit")
    assert "whose weights are not at hand" in line
    assert "use prompt or ike" in line
    assert not (tmp_path / "edit").exists()


def test_an_edit_without_a_dial_says_so_in_chat(refused, call, place, tmp_path):
    model = place / "model"
    assert (
        call(
            "fit", "prompt", "--subject", model, "--preset", "simple", "--target", "openness", "--out", tmp_path / "e"
        )[0]
        == 0
    )
    line = refused("reply", "Why?", "--subject", model, "--edit", tmp_path / "e", "--strength", "0.8")
    assert "strength 0.8 was asked for: prompt has no dial. Take 0 or 1" in line


def test_the_help_of_a_method_is_quick(call):
    began = time.process_time()
    assert call("fit", "--help")[0] == 0
    assert time.process_time() - began < 0.5
