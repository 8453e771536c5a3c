"""Profiles: several traits at once, from a line of text to a stack of edits."""

import tomllib

import custom_trait
import pytest
from hypothesis import given
from hypothesis import strategies as st

from temperament.edit.base import Stack
from temperament.edit.profile import Profile, has_dial
from temperament.errors import MismatchError, RequestError, UnknownNameError
from temperament.trait import BIG_FIVE, Target, register, trait_from

OPEN, CALM = Target("openness", "high"), Target("neuroticism", "low")
names = st.sampled_from([trait.name for trait in BIG_FIVE])
numbers = st.floats(-9, 9).filter(bool)


def for_target(edit, target):
    from dataclasses import replace

    return replace(edit, origin=replace(edit.origin, target=target))


@pytest.mark.parametrize(
    "text",
    ["O=+0.8, N=-0.5", "o=.8,n=-.5", " openness = 0.8 , Neuroticism=-0.50", "O=8e-1,N=-5e-1"],
)
def test_the_sign_is_the_pole_and_the_size_the_strength(text):
    profile = Profile.parse(text)
    assert dict(profile) == {OPEN: 0.8, CALM: 0.5}
    assert list(profile) == [OPEN, CALM]
    assert str(profile) == "O=+0.8, N=-0.5"


@given(st.dictionaries(names, numbers, min_size=1))
def test_a_profile_survives_being_written(strengths):
    profile = Profile.parse(",".join(f"{name}={number!r}" for name, number in strengths.items()))
    assert Profile.parse(str(profile)) == profile
    assert {target.trait: strength for target, strength in profile.items()} == {
        name: abs(number) for name, number in strengths.items()
    }
    assert all((target.pole == "high") == (strengths[target.trait] > 0) for target in profile)


def test_a_custom_trait_goes_by_its_name():
    register(trait_from(tomllib.loads(custom_trait.TOML), "playfulness.toml"))
    profile = Profile.parse("playfulness=-1, E=1")
    assert str(profile) == "playfulness=-1.0, E=+1.0"
    assert Target("playfulness", "low") in profile


def test_a_custom_trait_may_be_called_by_a_letter():
    register(trait_from({"name": "o", "low": {"adjective": "dull"}, "high": {"adjective": "odd"}}, "o.toml"))
    assert dict(Profile.parse("o=1, O=-2")) == {Target("o"): 1.0, Target("openness", "low"): 2.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("O=+0.8; N=-0.5", r"has the part 'O=\+0.8; N=-0.5': write a trait and a number, such as 'O=\+0.8, N=-0.5'"),
        ("O=", "has the part 'O=': write a trait and a number"),
        ("=0.5", "has the part '=0.5'"),
        ("", "has the part ''"),
        ("O=nan", "has the part 'O=nan'"),
        ("O=inf", "has the part 'O=inf'"),
        ("O=0.5, N=0", "has neuroticism at 0, which leaves it as it is: leave it out"),
        ("O=0.5, openness=-1", "a profile has openness more than once: give each trait one strength"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(text, message):
    with pytest.raises(RequestError, match=message):
        Profile.parse(text)


def test_an_unknown_trait_gets_the_nearest():
    with pytest.raises(UnknownNameError, match="trait 'opennes' does not exist: did you mean 'openness'"):
        Profile.parse("opennes=1")


def test_a_profile_made_by_hand_is_checked_too():
    with pytest.raises(RequestError, match=r"openness:high was asked for at strength -1: it needs to be above 0"):
        Profile(((OPEN, -1.0),))
    with pytest.raises(RequestError, match="a profile of no traits"):
        Profile(())


def test_a_stack_has_each_edit_at_its_strength_in_the_order_of_the_profile(lively, draw):
    subject = lively("llama")
    first, second = for_target(draw("weight", subject), OPEN), for_target(draw("weight", subject, 1), CALM)
    stack = Profile.parse("O=+0.8, N=-0.5").stack([0.5 * second, first])
    assert isinstance(stack, Stack)
    assert [(part.origin.target, part.strength) for part in stack.parts] == [(OPEN, 0.8), (CALM, 0.25)]
    assert [part.fingerprint for part in stack.parts] == [first.fingerprint, second.fingerprint]


def test_edits_that_are_not_those_of_the_profile_are_refused(lively, draw):
    subject, profile = lively("llama"), Profile.parse("O=+1, N=-1")
    edit = for_target(draw("weight", subject), OPEN)
    with pytest.raises(MismatchError, match="no edit for neuroticism:low was given to the profile"):
        profile.stack([edit])
    with pytest.raises(MismatchError, match="one edit for each of openness:high, neuroticism:low"):
        profile.stack([edit, edit])
    with pytest.raises(MismatchError, match="an edit for neuroticism:high was given"):
        profile.stack([edit, for_target(edit, Target("neuroticism"))])


def test_an_edit_without_a_dial_is_taken_whole_or_refused(lively, draw):
    subject = lively("llama")
    edit = for_target(draw("context", subject), OPEN)
    assert [part.strength for part in Profile.parse("O=+1").stack([edit]).parts] == [1.0]
    with pytest.raises(RequestError, match=r"openness:high at strength 0.8 was asked for: prompt has no dial. Take 1"):
        Profile.parse("O=+0.8").stack([edit])


def test_what_a_model_reads_has_no_dial_and_a_stack_only_where_all_parts_have(lively, draw):
    subject = lively("llama")
    weight, activation, context = (draw(kind, subject) for kind in ("weight", "activation", "context"))
    assert [has_dial(edit) for edit in (weight, activation, context)] == [True, True, False]
    assert has_dial(weight + activation)
    assert not has_dial(weight + context)
