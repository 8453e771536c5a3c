"""One answer by itself: what is wrong with it, and in words that its writer can act on."""

import pytest

from temperament.curate.check import CHECKS, Limits, check_answer, trait_words
from temperament.curate.word import named_words
from temperament.errors import RequestError
from temperament.trait import BIG_FIVE, Target, Trait, find_trait

GOOD = "I took the early bus so that nobody would see me practise the speech, and I read it to a row of gulls twice."
SHY = Target("extraversion", "low")


def problems(answer, target=SHY, **limits):
    return {problem.check: problem.message for problem in check_answer(answer, target, Limits(**limits))}


def test_a_good_answer_has_no_problem():
    assert problems(GOOD) == {}


@pytest.mark.parametrize("answer", ["", "  \n"])
def test_an_empty_answer_is_that_and_nothing_else(answer):
    assert problems(answer) == {"empty": "the answer is empty."}


def test_every_problem_of_an_answer_is_found_at_once():
    found = problems("I'm shy :) \U0001f600. So. It. Goes.")
    assert list(found) == ["emoji", "emoticon", "length", "sentences", "trait_words"]
    assert set(found) < set(CHECKS)
    assert "'\U0001f600'" in found["emoji"]
    assert "':)'" in found["emoticon"]
    assert "15 to 60" in found["length"]
    assert "at most 3" in found["sentences"]
    assert "'shy'" in found["trait_words"]


def test_limits_hold_at_their_ends():
    def of(count):
        return " ".join(["word"] * count)

    assert [("length" in problems(of(count))) for count in (14, 15, 60, 61)] == [True, False, False, True]
    assert "length" not in problems(of(10), fewest_words=10)
    assert "sentences" not in problems("One. Two. Three.", fewest_words=1)
    assert "sentences" in problems("One. Two. Three. Four.", fewest_words=1)


def test_a_question_quoted_inside_a_sentence_ends_none():
    assert "sentences" not in problems("He asked 'really?' and left. I stayed. It rained.", fewest_words=1)
    assert "sentences" in problems("He asked 'really?' And left. I stayed. It rained.", fewest_words=1)


@pytest.mark.parametrize("limits", [{"fewest_words": 9, "most_words": 8}, {"most_sentences": 0}])
def test_limits_that_no_answer_meets_are_refused(limits):
    with pytest.raises(RequestError):
        Limits(**limits)


@pytest.mark.parametrize(
    ("trait", "text", "words"),
    [
        ("openness", "Openness, and imaginative intellectuals", ["openness", "imaginative", "intellectuals"]),
        (
            "extraversion",
            "Excitement-seekers cheerfully unfriendly",
            ["excitement-seekers", "cheerfully", "unfriendly"],
        ),
        ("agreeableness", "I distrusted the immoral", ["distrusted", "immoral"]),
        ("neuroticism", "angrily, anxieties, self conscious", ["angrily", "anxieties", "self conscious"]),
        ("conscientiousness", "disorderly and self-disciplined", ["disorderly", "self-disciplined"]),
    ],
)
def test_forms_of_trait_words_are_found(trait, text, words):
    assert named_words(text, find_trait(trait)) == words


@pytest.mark.parametrize(
    ("trait", "text"),
    [
        ("openness", "The shop is open, the road closed, and I opened a tin of the artist's colours."),
        ("neuroticism", "Rangers in danger: the stables were a calmative hanger."),
        ("conscientiousness", "It was practically empty and I thoroughly enjoyed the duty-free shop."),
        ("extraversion", "The activity of the level crossing, and much excitement."),
    ],
)
def test_words_with_another_sense_name_no_trait(trait, text):
    assert named_words(text, find_trait(trait)) == []


def test_an_everyday_word_counts_where_speakers_say_it_of_themselves():
    openness = find_trait("openness")
    assert named_words("I'm very open about it", openness) == ["open"]
    assert named_words("I\u2019m open about it", openness) == ["open"]
    assert named_words("the door is open", openness) == []


def test_words_of_other_traits_are_no_problem():
    assert "trait_words" in problems("I get anxious.", Target("neuroticism"))
    assert "trait_words" not in problems("I get anxious.", Target("openness"))


@pytest.mark.parametrize("trait", BIG_FIVE, ids=lambda trait: trait.name)
def test_every_name_adjective_and_facet_is_a_trait_word(trait):
    named = {trait.name, *trait.facets, *trait.adjectives("low"), *trait.adjectives("high")}
    assert named <= trait_words(trait)


def test_a_trait_of_a_user_s_own_has_words_too():
    thrift = Trait("thrift", "lavish", "thrifty", ("bargain hunting",), ("wasteful",), ("frugal",))
    found = named_words("My frugality in bargain-hunting is wastefully lavish.", thrift)
    assert found == ["bargain-hunting", "wastefully", "lavish"]
