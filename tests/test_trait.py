"""Traits, poles and targets, those of a user's own, and what is said to a name that is none."""

from dataclasses import replace

import custom_trait
import pytest

import temperament
from temperament.errors import BadFileError, MismatchError, RequestError, UnknownNameError
from temperament.trait import (
    BIG_FIVE,
    Target,
    Trait,
    custom_traits,
    every_target,
    find_trait,
    known_traits,
    load_trait,
    other_pole,
    parse_pole,
    register,
    table_of_trait,
    trait_from,
)

PLAYFULNESS = Trait(
    "playfulness", "earnest", "playful", ("wit", "teasing"), ("solemn", "grave"), high_adjectives=("witty", "teasing")
)


def test_the_five_traits_have_six_facets_and_an_adjective_for_each_pole():
    names = [trait.name for trait in BIG_FIVE]
    assert names == ["openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism"]
    assert all(len(set(trait.facets)) == 6 for trait in BIG_FIVE)
    assert find_trait("extraversion").adjective("high") == "extraverted"
    assert find_trait("extraversion").adjective("low") == "introverted"
    assert find_trait("neuroticism").adjective("low") == "calm"
    assert len({trait.adjective(pole) for trait in BIG_FIVE for pole in ("low", "high")}) == 10


def test_each_pole_of_the_five_has_eight_single_words_of_its_own():
    words = [word for trait in BIG_FIVE for word in (*trait.low_adjectives, *trait.high_adjectives)]
    assert min(len(set(part)) for trait in BIG_FIVE for part in (trait.low_adjectives, trait.high_adjectives)) >= 8
    assert len(set(words)) == len(words)
    assert all(word.isalpha() and word.islower() for word in words)


def test_the_adjectives_of_a_pole_begin_with_its_name():
    assert PLAYFULNESS.adjectives("low") == ("earnest", "solemn", "grave")
    assert find_trait("extraversion").adjectives("high")[:2] == ("extraverted", "talkative")
    assert find_trait("neuroticism").adjectives("high")[:2] == ("neurotic", "anxious")


def test_there_are_ten_targets():
    assert len(set(every_target())) == 10
    assert every_target()[:2] == (Target("openness", "low"), Target("openness", "high"))
    assert sorted(every_target())[0] == Target("agreeableness", "high")


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


def test_the_other_pole_is_of_the_same_trait():
    assert other_pole(Target("openness", "high")) == Target("openness", "low")
    assert other_pole(Target("openness", "low")) == Target("openness", "high")


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


def test_a_trait_is_read_from_its_file_and_known_once_it_is_registered(tmp_path):
    file, _ = custom_trait.write(tmp_path)
    trait = load_trait(file)
    assert trait == PLAYFULNESS
    with pytest.raises(UnknownNameError, match=r"trait 'playfulness' does not exist: .* own is defined in a TOML file"):
        Target("playfulness")
    assert register(trait) is trait
    assert str(Target.parse("Playfulness:low")) == "playfulness:low"
    assert find_trait("playfulness").adjective("high") == "playful"


def test_custom_traits_come_after_the_five_by_name_whatever_was_registered_first():
    other = Trait("curiosity", "incurious", "inquisitive")
    register(PLAYFULNESS)
    register(other)
    assert known_traits() == (*BIG_FIVE, other, PLAYFULNESS)
    assert custom_traits() == (other, PLAYFULNESS)
    assert [str(target) for target in every_target()[10:]] == [
        "curiosity:low",
        "curiosity:high",
        "playfulness:low",
        "playfulness:high",
    ]


def test_a_trait_may_be_registered_twice_and_not_otherwise_defined():
    register(PLAYFULNESS)
    register(replace(PLAYFULNESS))
    with pytest.raises(MismatchError, match=r"'playfulness' is known already and defined otherwise \(high, facets\)"):
        register(replace(PLAYFULNESS, high="silly", facets=()))
    assert find_trait("playfulness") == PLAYFULNESS
    with pytest.raises(MismatchError, match="'openness' is known already"):
        register(Trait("openness", "shut", "ajar"))


@pytest.mark.parametrize("first", ["register", "look"])
def test_what_a_test_registers_is_forgotten_after_it(first):
    if first == "register":
        register(PLAYFULNESS)
    else:
        assert custom_traits() == ()


@pytest.mark.parametrize("name", ["", "Playfulness", "play:ful", "play ful", "../up", "4play", "play-", "a" * 41])
def test_a_name_that_no_file_could_have_is_refused(name):
    with pytest.raises(RequestError, match="files are named after a trait"):
        Trait(name, "earnest", "playful")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"low": " "}, "low of trait 'playfulness' has the word ' '"),
        ({"facets": ("wit", "")}, "facets of trait 'playfulness' has the word ''"),
        ({"high_adjectives": ("witty\nIgnore",)}, "high of trait 'playfulness' has the word"),
        ({"high_adjectives": ("Solemn",)}, "'solemn' marks both poles"),
    ],
)
def test_a_trait_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(RequestError, match=message):
        replace(PLAYFULNESS, **changes)


@pytest.mark.parametrize(
    ("before", "after", "error", "message"),
    [
        ('name = "playfulness"', 'name = "Play"', BadFileError, r"playfulness\.toml: name is 'Play'"),
        ("[low]", "[lwo]", UnknownNameError, r"playfulness\.toml: setting 'lwo' does not exist: did you mean 'low'"),
        ("[low]", "[low.deep]", UnknownNameError, r"playfulness\.toml\.low: setting 'deep' does not exist"),
        ('adjective = "playful"', "", RequestError, r"playfulness\.toml\.high: missing .*'adjective'"),
        ('"wit"', "3", RequestError, r"playfulness\.toml\.facets is .*: expected `str`, got `int`"),
        ('"playful"', '"solemn"', BadFileError, r"playfulness\.toml: 'solemn' marks both poles"),
        ("[low]", "[low", BadFileError, r"playfulness\.toml is not valid TOML: .*line 5"),
    ],
)
def test_a_file_that_is_no_trait_is_refused_with_file_and_key(before, after, error, message, tmp_path):
    file, _ = custom_trait.write(tmp_path)
    assert custom_trait.TOML.count(before)
    file.write_text(custom_trait.TOML.replace(before, after))
    with pytest.raises(error, match=message):
        load_trait(file)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadFileError, match=r"nowhere\.toml does not exist"):
        load_trait(tmp_path / "nowhere.toml")


def test_facets_and_adjectives_may_be_left_out():
    table = {"name": "luck", "low": {"adjective": "unlucky"}, "high": {"adjective": "lucky"}}
    assert trait_from(table, "luck.toml") == Trait("luck", "unlucky", "lucky")


@pytest.mark.parametrize("trait", [PLAYFULNESS, *BIG_FIVE], ids=lambda trait: trait.name)
def test_a_trait_survives_its_table(trait):
    assert trait_from(table_of_trait(trait), "table") == trait


def test_the_package_offers_what_a_trait_of_ones_own_needs():
    assert temperament.load_trait is load_trait
    assert temperament.register is register
    assert temperament.Trait is Trait
