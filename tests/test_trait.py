"""Traits, poles and targets, and what is said to a name that is none."""

import pytest

from temperament.errors import RequestError, UnknownNameError
from temperament.trait import BIG_FIVE, EVERY_TARGET, TRAITS, Target, find_trait, parse_pole


def test_the_five_traits_have_six_facets_and_an_adjective_for_each_pole():
    assert list(TRAITS) == ["openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism"]
    assert all(len(set(trait.facets)) == 6 for trait in BIG_FIVE)
    assert TRAITS["extraversion"].adjective("high") == "extraverted"
    assert TRAITS["extraversion"].adjective("low") == "introverted"
    assert TRAITS["neuroticism"].adjective("low") == "calm"
    assert len({trait.adjective(pole) for trait in BIG_FIVE for pole in ("low", "high")}) == 10


def test_there_are_ten_targets():
    assert len(set(EVERY_TARGET)) == 10
    assert sorted(EVERY_TARGET)[0] == Target("agreeableness", "high")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("openness", Target("openness", "high")),
        ("openness:low", Target("openness", "low")),
        ("Openness:LOW", Target("openness", "low")),
        (" neuroticism : high ", Target("neuroticism", "high")),
    ],
)
def test_a_target_is_read_from_text_and_the_pole_is_high_where_none_is_given(text, target):
    assert Target.parse(text) == target
    assert Target.parse(str(target)) == target


def test_a_name_that_is_none_gets_the_nearest():
    with pytest.raises(UnknownNameError, match="trait 'extroversion' does not exist: did you mean 'extraversion'"):
        find_trait("extroversion")
    with pytest.raises(UnknownNameError, match="pole 'hihg' does not exist: did you mean 'high'"):
        Target.parse("openness:hihg")
    with pytest.raises(UnknownNameError, match="pole 'positive' does not exist: there are high, low"):
        parse_pole("positive")
    with pytest.raises(RequestError, match="has no pole after the colon"):
        Target.parse("openness:")
    with pytest.raises(UnknownNameError):
        Target.parse("")
