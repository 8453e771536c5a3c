"""Methods in a study's plan: any registered one by name, edits that are there already, strengths of their own."""

import tomllib

import pytest

from temperament.edit.base import Stack
from temperament.edit.store import load_edit
from temperament.errors import RequestError, UnknownNameError
from temperament.run import Run
from temperament.shape.registry import NAMES, WITHOUT_DIAL
from temperament.study.execution import run_study
from temperament.study.mix import adapter_of
from temperament.study.plan import MethodPlan, Study, load_study, study_from


def plan(text):
    return study_from({"targets": ["openness"], **tomllib.loads(text)}, "plan.toml")


@pytest.mark.parametrize("name", NAMES)
def test_any_method_goes_by_its_name(name):
    study = plan(f'[[method]]\nname = "{name}"\nsettings = {{ condition = "mine" }}')
    assert [cell.name for cell in study.cells()] == ["base-s0", f"{name}-mine-openness-high-x1-s0"]


def test_a_setting_of_a_method_that_does_not_exist_gets_the_nearest():
    with pytest.raises(UnknownNameError, match="method prompt: setting 'knd' does not exist: did you mean 'kind'"):
        plan('[[method]]\nname = "prompt"\nsettings = { knd = "simple" }').cells()


def test_a_method_may_have_strengths_of_its_own():
    study = plan('strengths = [0.5, 1]\n[[method]]\nname = "qlora"\n[[method]]\nname = "prompt"\nstrengths = [1]')
    assert [(cell.method, cell.strength) for cell in study.cells()[1:]] == [
        ("qlora", 0.5),
        ("qlora", 1.0),
        ("prompt", 1.0),
    ]
    assert study_from(tomllib.loads(study.to_toml()), "other.toml").cells() == study.cells()
    with pytest.raises(RequestError, match="strength 0 was asked for: that is the untouched model"):
        MethodPlan("qlora", strengths=(0.0,))


@pytest.mark.parametrize("name", WITHOUT_DIAL)
def test_a_method_without_a_dial_is_refused_at_other_strengths_before_any_work(name):
    with pytest.raises(RequestError, match=rf"method '{name}' has no dial. Give it strengths = \[1.0\].*have .*qlora"):
        plan(f'strengths = [0.5, 1]\n[[method]]\nname = "{name}"').cells()


def test_an_edit_for_one_topic_is_refused_because_no_study_asks_about_it():
    settings = 'settings = { scope = "topic", topic = "tea" }'
    with pytest.raises(RequestError, match=r"method 'mend' has scope 'topic': .* an edit for one topic is for `temper"):
        plan(f'[[method]]\nname = "mend"\n{settings}').cells()


@pytest.mark.parametrize(
    ("path", "mix"),
    [(("a", "b"), [0.5]), (("a", "b"), 0.5), ("a", [0.5, 1]), (("a",), ["much"]), ((), None)],
)
def test_edits_that_are_applied_together_need_a_number_each(path, mix):
    settings = {} if mix is None else {"mix": mix}
    with pytest.raises(RequestError, match=r"write a number for each|name at least one folder"):
        MethodPlan("adapter", path=path, settings=settings)


def test_several_edits_are_one_cell_that_stacks_them(finished, place, tmp_path):
    paths = sorted(str(path) for path in (finished / "edits").iterdir())
    both = MethodPlan("adapter", path=tuple(paths), settings={"condition": "both", "mix": [0.5, -1]})
    study = load_study(place / "tiny.toml")
    study = Study("both", subject=study.subject, opinions=study.opinions, method=(both,), interview=study.interview)
    run_study(study, tmp_path / "run")
    (kept,) = (tmp_path / "run" / "edits").iterdir()
    stack = load_edit(kept)
    assert isinstance(stack, Stack)
    assert [part.strength for part in stack.parts] == [0.5, -1.0]
    assert [part.fingerprint for part in stack.parts] == [load_edit(path).fingerprint for path in paths]
    assert adapter_of(both).fingerprint == stack.fingerprint
    assert {record.label.condition for record in Run.load(tmp_path / "run").cells["adapter-both-x1-s0"]} == {"both"}
    assert study_from(tomllib.loads(study.to_toml()), "both.toml") == study
