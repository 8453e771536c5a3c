"""What every method keeps to, whatever it does to a model. A new method adds one line to CASES.

The subject is one that went to school (schooled.py), so the sign is anchored: high raises extraversion, low lowers it.
"""

import tomllib
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache

import pytest
import schooled
import tomli_w
import torch
from schooled import HIGH, LOW

from temperament.edit.base import Edit
from temperament.edit.profile import Profile, has_dial
from temperament.edit.store import load_edit
from temperament.errors import RequestError, SeamError, UnknownNameError
from temperament.opinion.row import Opinions
from temperament.record import Generation
from temperament.settings import build, table_of
from temperament.shape.profile import fit_profile
from temperament.shape.protocol import Effort, FitProgress, Method, Workspace
from temperament.shape.registry import NAMES, WITHOUT_DIAL, make_method, method_class
from temperament.subject.scripted import ScriptedSubject
from temperament.trait import Target

WARM = Target("agreeableness", "high")


@dataclass(frozen=True)
class Case:
    """A method with settings under which the schooled subject moves in a second or two.

    Attributes:
        presets: all that it has.
        is_drawn: another seed gives another edit.
        reads_opinions: so that it refuses a target that none shows.
        moves: how far the gap between the styles goes at least, in nats an answer.
    """

    presets: tuple[str, ...]
    settings: dict = field(default_factory=dict)
    is_drawn: bool = True
    reads_opinions: bool = True
    moves: float = 0.5


CASES = {
    "prompt": Case(("default", "simple", "portrait", "graded"), {}, reads_opinions=False),
    "ike": Case(
        ("default", "paper", "fixed"), {"k": 3, "rows": 10, "neutral": 3, "answer_tokens": 12, "embedder": "words"}
    ),
    "mend": Case(("default", "paper"), {"steps": 3, "accumulation": 2, "rank": 8, "rows": 6, "alpha": 2.0}),
    "qlora": Case(
        ("default", "paper", "unstopped", "stabilised", "neutral", "shuffled"),
        {"rank": 4, "alpha": 8.0, "dropout": 0.0, "batch": 5, "learning_rate": 5e-3},
        moves=1.0,
    ),
    "neurons": Case(
        ("default", "paper", "effect", "answer"),
        {"questions": 8, "max_new_tokens": 12},
        reads_opinions=False,
    ),
    "direction": Case(
        ("default", "component", "random"),
        {"layers": (1,), "gains": (1.0,), "perplexity_limit": 1e9, "vector_pairs": 12, "passages": 1},
    ),
}
every_method = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def subject():
    return schooled.schooled_subject()


@cache
def shaping():
    return schooled.opinions()


def quick(name, seed=0):
    return make_method(name, "default", {**table(CASES[name].settings), "condition": "quick"}, seed)


def table(settings):
    """Settings as a file would have them."""
    return tomllib.loads(
        tomli_w.dumps({key: list(one) if isinstance(one, tuple) else one for key, one in settings.items()})
    )


@cache
def fitted(name, target=HIGH, seed=0):
    """Fitted once; edits are immutable."""
    return quick(name, seed).fit(schooled.schooled_subject(), target, shaping())


def state(subject):
    """Everything that an edit or a fitting could leave behind."""
    modules = list(subject.model.modules())
    tokens = torch.tensor(
        [subject.encode(({"role": "user", "content": "What do you think about jam?"},), "yes !").prompt]
    )
    with torch.no_grad():
        logits = subject.model(input_ids=tokens).logits
    return {
        "logits": logits,
        **{f"parameter {path}": one.detach().clone() for path, one in subject.model.named_parameters()},
        "hooks": sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in modules),
        "backward hooks": sum(len(one._backward_hooks) + len(one._backward_pre_hooks) for one in modules),
        "training": any(one.training for one in modules),
        "learning": any(one.requires_grad or one.grad is not None for one in subject.model.parameters()),
        "prefaces": list(subject._prefaces),
        "label": subject.label,
        "marked": subject._is_reply,
    }


def assert_same(first, second):
    assert first.keys() == second.keys()
    for key, one in first.items():
        assert torch.equal(one, second[key]) if isinstance(one, torch.Tensor) else one == second[key], key


def test_every_method_has_a_case():
    assert set(NAMES) <= set(CASES)


@every_method
def test_a_method_is_what_the_protocol_says(name):
    method = quick(name)
    assert isinstance(method, Method)
    assert (method.name, method.condition, method.seed) == (name, "quick", 0)


@every_method
def test_settings_can_be_looked_at_and_survive_a_file(name):
    kind = method_class(name)
    assert is_dataclass(kind)
    for preset in CASES[name].presets:
        method = kind.preset(preset)
        text = tomli_w.dumps(table_of(method))
        assert build(kind, tomllib.loads(text), "file") == method
        assert {"seed", "condition"} <= {each.name for each in fields(method)}
        assert method.condition == preset
        with pytest.raises(AttributeError):
            method.seed = 1


@every_method
def test_presets_are_known_by_name(name):
    with pytest.raises(UnknownNameError, match="preset 'defualt' does not exist: did you mean 'default'") as caught:
        method_class(name).preset("defualt")
    assert {word.strip(" .") for word in str(caught.value).rpartition("there are")[2].split(",")} == set(
        CASES[name].presets
    )
    with pytest.raises(UnknownNameError, match=f"method {name}: setting 'sead' does not exist"):
        make_method(name, settings={"sead": 1})


@every_method
def test_a_fitting_and_an_application_leave_no_trace(name, subject):
    before = state(subject)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    edit = quick(name).fit(subject, HIGH, shaping())
    assert torch.equal(torch.rand(3), expected), "random numbers of others"
    assert_same(state(subject), before)
    with edit.applied(subject):
        subject.reply(["What do you think about jam?"], Generation(max_new_tokens=4))
        assert subject.label.method == name
    assert_same(state(subject), before)


@every_method
def test_high_raises_the_trait_and_low_lowers_it(name, subject):
    untouched = schooled.gap(subject)
    found = {}
    for target in (HIGH, LOW):
        with fitted(name, target).applied(subject):
            found[target] = schooled.gap(subject) - untouched
    assert found[HIGH] > CASES[name].moves, found
    assert found[LOW] < -CASES[name].moves, found


@every_method
def test_the_seed_decides_the_edit(name, subject):
    torch.manual_seed(1)
    again = quick(name).fit(subject, HIGH, shaping())
    assert again.fingerprint == fitted(name).fingerprint
    is_another = quick(name, seed=1).fit(subject, HIGH, shaping()).fingerprint != again.fingerprint
    assert is_another == CASES[name].is_drawn


@every_method
def test_poles_and_traits_differ(name):
    assert fitted(name, HIGH).fingerprint != fitted(name, LOW).fingerprint


@every_method
def test_fitting_one_is_fitting_each_of_one(name, subject):
    (alone,) = quick(name).fit_each(subject, [HIGH], shaping())
    assert alone.fingerprint == fitted(name).fingerprint
    assert alone.origin == fitted(name).origin


@every_method
def test_each_target_gets_its_edit_in_the_order_asked_for(name, subject):
    edits = quick(name).fit_each(subject, [LOW, HIGH], shaping())
    assert [edit.origin.target for edit in edits] == [LOW, HIGH]
    gaps = []
    for edit in edits:
        with edit.applied(subject):
            gaps.append(schooled.gap(subject))
    assert gaps[0] < schooled.gap(subject) < gaps[1]


@every_method
def test_a_closed_subject_is_refused_or_served(name):
    closed = ScriptedSubject("It is what it is.")
    if name in WITHOUT_DIAL:
        edit = quick(name).fit(closed, HIGH, shaping())
        with edit.applied(closed):
            assert closed.reply(["Why?"])[0].prompt != "user: Why?"
        return
    for ask in (quick(name).fit, lambda subject, target, opinions: quick(name).effort(subject, [target], opinions)):
        with pytest.raises(SeamError, match=f"{name} was asked for on scripted, .* use prompt or ike"):
            ask(closed, HIGH, shaping())


@every_method
def test_a_target_that_nothing_shows_is_refused(name, subject):
    without = Opinions((row for row in shaping() if row.target != HIGH), "the rest")
    if not CASES[name].reads_opinions:
        assert quick(name).fit(subject, HIGH, without).fingerprint == fitted(name).fingerprint
        return
    with pytest.raises(RequestError, match=r"the rest.* extraversion:high"):
        quick(name).fit(subject, HIGH, without)


@every_method
def test_saving_and_loading_is_identity(name, subject, tmp_path):
    edit = fitted(name)
    edit.save(tmp_path / "edit")
    loaded = load_edit(tmp_path / "edit")
    assert type(loaded) is type(edit)
    assert loaded.fingerprint == edit.fingerprint
    assert (loaded.origin, loaded.strength) == (edit.origin, edit.strength)
    with edit.applied(subject):
        expected = state(subject)["logits"]
    with loaded.applied(subject):
        assert torch.equal(state(subject)["logits"], expected)


@every_method
def test_the_origin_says_how_the_edit_came_about(name, subject):
    origin = fitted(name, LOW, 1).origin if CASES[name].is_drawn else fitted(name, LOW).origin
    method = quick(name, seed=origin.seed)
    assert (origin.method, origin.target, origin.condition) == (name, LOW, "quick")
    assert origin.seed == (1 if CASES[name].is_drawn else 0)
    assert (origin.subject, origin.subject_fingerprint) == (subject.name, subject.fingerprint)
    assert origin.versions["temperament"]
    for key, value in table_of(method).items():
        kept = origin.settings[key]
        assert (list(kept) if isinstance(kept, tuple) else kept) == value, key


@every_method
def test_the_effort_is_said_beforehand(name, subject):
    before = state(subject)
    effort = quick(name).effort(subject, [HIGH, LOW], shaping())
    assert isinstance(effort, Effort)
    assert min(effort.trained, effort.read, effort.written, effort.parameters) >= 0
    assert effort.rows >= 1
    assert_same(state(subject), before)


@every_method
def test_a_watcher_is_told_how_far_it_is(name, subject):
    told = []
    quick(name).fit(subject, HIGH, shaping(), Workspace(watch=told.append))
    assert told
    assert all(isinstance(each, FitProgress) and 0 <= each.step <= each.steps for each in told)
    assert (told[-1].step, told[-1].steps) == (told[-1].steps, max(each.steps for each in told))


@every_method
def test_strength_0_is_the_untouched_model(name, subject):
    before = state(subject)
    with (0.0 * fitted(name)).applied(subject):
        assert torch.equal(state(subject)["logits"], before["logits"])


@every_method
def test_a_dial_turns_both_ways_and_without_one_only_on_and_off(name, subject):
    edit = fitted(name)
    assert has_dial(edit) == (name not in WITHOUT_DIAL)
    if name in WITHOUT_DIAL:
        with pytest.raises(RequestError, match=f"{name} has no dial. Take 0 or 1"), (0.5 * edit).applied(subject):
            pass
        return
    gaps = []
    for strength in (-0.5, 0.0, 0.5):
        with (strength * edit).applied(subject):
            gaps.append(schooled.gap(subject))
    assert gaps == sorted(gaps)
    assert len(set(gaps)) == 3


@every_method
def test_a_profile_is_fitted_as_a_stack(name, subject):
    strength = 1.0 if name in WITHOUT_DIAL else 0.5
    profile = Profile(((LOW, strength), (WARM, strength)))
    stack = fit_profile(quick(name), subject, profile, shaping())
    assert isinstance(stack, Edit)
    assert [(part.origin.target, part.strength) for part in stack.parts] == [(LOW, strength), (WARM, strength)]
    untouched = schooled.gap(subject)
    with replace(stack, parts=stack.parts[:1]).applied(subject):
        lowered = schooled.gap(subject)
    assert lowered < untouched
    with stack.applied(subject):
        assert schooled.gap(subject) not in (lowered, untouched)
    if name in WITHOUT_DIAL:
        with pytest.raises(RequestError, match=f"{name} has no dial.*take a method with a dial: .*qlora"):
            fit_profile(quick(name), subject, Profile(((LOW, 0.5),)), shaping())


def test_the_subject_itself_shows_both_styles_alike():
    """Else a method that does nothing, or one that only writes one style, could pass."""
    assert abs(schooled.gap(schooled.schooled_subject())) < 0.5


def test_the_cases_do_not_move_other_settings():
    for name in NAMES:
        assert set(CASES[name].settings) <= {each.name for each in fields(method_class(name))}
        assert replace(quick(name), seed=3).seed == 3
