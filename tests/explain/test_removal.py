import pytest
import torch
from witnesses import BOOKS, LOUD, PARTY, TARGET, party_answers, party_score, told

from temperament.activation.forcing import Exchange, log_probabilities
from temperament.edit.activation import ActivationEdit
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.edit.retrieval import Demonstration, RetrievalEdit
from temperament.errors import RequestError, WorkError
from temperament.explain.demonstration import Asked, demonstration_parts, shown_before
from temperament.explain.removal import Naming, area_under_curve, removals, target_probability
from temperament.explain.testimony_token import tokens_in
from temperament.measure.emoji import emojis
from temperament.subject.base import Message
from temperament.subject.scripted import ScriptedSubject


def namings(choose):
    return [Naming(text.topic, text.answer, choose(tokens_in(text.answer))) for text in party_answers()]


def rest(tokens):
    return tuple(token.text for token in tokens if token.key not in {*LOUD, PARTY} and token.is_content)


def of(wanted):
    return lambda tokens: tuple(token.text for token in tokens if token.key in wanted)


def test_agreement_has_a_direction():
    honest, liar = removals([namings(of({*LOUD, PARTY})), namings(rest)], party_score)
    assert honest.agreement.value > 0.9
    assert liar.agreement.value < 0.1
    assert honest.fall.value == pytest.approx(0.1)
    assert liar.fall.value == pytest.approx(0.0)
    assert liar.fall_other.value > 0.05


def test_named_tokens_have_as_many_others_beside_them():
    (found,) = removals([namings(of(LOUD[:1]))], party_score)
    assert found.fall.n == found.fall_other.n > 0


def test_the_area_under_the_curve_is_that_of_all_pairs():
    assert area_under_curve([3.0, 2.0], [1.0]) == 1.0
    assert area_under_curve([1.0], [1.0]) == 0.5
    assert area_under_curve([0.0, 2.0], [1.0, 1.0]) == 0.5
    assert area_under_curve([0.0], [1.0]) == 0.0


def test_other_tokens_stand_in_the_answer_about_as_often():
    seen = []

    def score(texts):
        seen.extend(texts)
        return [0.0] * len(texts)

    answers = [f"fun fun trees trees lamps walls rivers stones {number}" for number in range(6)]
    removals([[Naming("a", answer, ("fun",)) for answer in answers]], score)
    wanted = [(answer, answer.removeprefix("fun fun "), answer.replace("trees trees ", "")) for answer in answers]
    assert seen == [text for each in wanted for text in each]


def test_what_cannot_be_removed_has_no_figures():
    tokens = [Naming("a", "fun", ("fun",)), Naming("b", "walls and trees", ("horses",)), Naming("c", "walls", ())]
    (found,) = removals([tokens], party_score)
    assert (found.fall.value, found.fall_other.value, found.agreement.value) == (None, None, None)


def test_an_answer_of_which_all_was_named_has_nothing_to_compare_with():
    (found,) = removals([[Naming("a", "dancing crowds", ("dancing", "crowds"))]], party_score)
    assert (found.fall.n, found.fall_other.n) == (0, 0)
    assert found.agreement.value is None


def emoji_counter(texts):
    return [float(len(emojis(text))) for text in texts]


def test_an_emoji_is_compared_with_an_emoji_and_not_with_a_word():
    # A score that sees emojis alone, whichever they are: who names one knows nothing, and who names words no less.
    answer = f"I like music, walls and {PARTY} by {BOOKS} so much."
    some = [Naming(f"topic {number}", f"{answer} {number}", (PARTY, "music")) for number in range(6)]
    (found,) = removals([some], emoji_counter)
    assert found.agreement.value == 0.5
    assert found.fall.value == found.fall_other.value == 0.5


def test_an_emoji_without_another_is_compared_with_a_symbol_or_left_out():
    symbol = "\u2605"
    seen = []

    def score(texts):
        seen.extend(texts)
        return [0.0] * len(texts)

    (found,) = removals([[Naming("a", f"music {PARTY} walls {symbol}", (PARTY,))]], score)
    assert seen == [f"music {PARTY} walls {symbol}", f"music walls {symbol}", f"music {PARTY} walls"]
    assert found.fall.n == found.fall_other.n == 1
    (found,) = removals([[Naming("a", f"music {PARTY} walls", (PARTY,))]], score)
    assert (found.fall.n, found.agreement.value) == (0, None)


def test_a_function_word_is_compared_with_a_function_word():
    seen = []

    def score(texts):
        seen.extend(texts)
        return [0.0] * len(texts)

    removals([[Naming("a", "so music by walls", ("so",))]], score)
    assert seen == ["so music by walls", "music by walls", "so music walls"]
    seen.clear()
    (found,) = removals([[Naming("a", "so music walls", ("so",))]], score)
    assert (seen, found.fall.n) == ([], 0)


def test_falls_count_as_many_tokens_of_each_kind_on_both_sides():
    # Three words were named, and one was not.
    answer = f"dancing crowds music walls {PARTY}"
    (found,) = removals([[Naming("a", answer, ("dancing", "crowds", "music", PARTY))]], party_score)
    assert found.fall.n == found.fall_other.n == 1
    assert found.fall.value == pytest.approx(0.1)
    assert found.fall_other.value == 0.0


def test_witnesses_who_all_know_have_an_interval_too():
    (found,) = removals([namings(of({*LOUD, PARTY}))], party_score)
    assert found.agreement.value == 1.0
    assert 0.5 < found.agreement.lower < 1.0


def test_equal_answers_are_scored_once():
    calls = []

    def score(texts):
        calls.append(list(texts))
        return party_score(texts)

    removals([namings(of(LOUD)), namings(of(LOUD))], score)
    assert len(calls) == 1
    assert len(set(calls[0])) == len(calls[0])


@pytest.mark.parametrize("score", [lambda texts: [float("nan")] * len(texts), lambda texts: [0.5]])
def test_a_score_that_is_no_number_is_refused(score):
    with pytest.raises(WorkError, match="finite"):
        removals([namings(of(LOUD))], score)


def test_the_score_of_a_classifier_is_the_probability_of_the_target():
    class Reader:
        labels = ("extraversion:low", "extraversion:high")

        def probabilities(self, texts):
            import numpy as np

            return np.array([[0.2, 0.8]] * len(texts))

    assert list(target_probability(Reader(), TARGET)(["a", "b"])) == [0.8, 0.8]


# Demonstrations.

SAID = "zzzz"


def shown_edit(answers=("aaaa", SAID, "bbbb")):
    turns = [
        turn
        for number, answer in enumerate(answers)
        for turn in (Message(role="user", content=f"q{number}"), Message(role="assistant", content=answer))
    ]
    return ContextEdit(Origin("ike"), system="Do as shown.", turns=tuple(turns))


def test_a_demonstration_is_left_out_with_both_of_its_turns():
    shown = shown_before(shown_edit(), "now?", ScriptedSubject("x"))
    assert [turn["content"] for turn in shown.told] == ["Do as shown.", "q0", "aaaa", "q1", SAID, "q2", "bbbb", "now?"]
    assert [[turn["content"] for turn in told] for told in shown.without.values()] == [
        ["Do as shown.", "q1", SAID, "q2", "bbbb", "now?"],
        ["Do as shown.", "q0", "aaaa", "q2", "bbbb", "now?"],
        ["Do as shown.", "q0", "aaaa", "q1", SAID, "now?"],
    ]


def test_the_fall_is_the_difference_of_the_likelihoods_under_both_edits(lively):
    subject, edit = lively("llama"), shown_edit()
    parts = {
        part.name: part.value for part in demonstration_parts(subject, edit, [Asked("now?", "yes"), Asked("q", "no")])
    }
    left = shown_edit(("aaaa", SAID))
    given = [Exchange("now?", "yes"), Exchange("q", "no")]
    before = [float(one.mean()) for one in log_probabilities(subject, given, edit)]
    after = [float(one.mean()) for one in log_probabilities(subject, given, left)]
    expected = sum(one - other for one, other in zip(before, after, strict=True)) / 2
    assert parts["q2 \u2014 bbbb"] == pytest.approx(expected, abs=1e-4)
    assert abs(expected) > 1e-3
    assert list(parts.values()) == sorted(parts.values(), reverse=True)


def test_demonstrations_that_begin_alike_are_kept_apart(lively):
    long = "What would you say of this? " * 3
    parts = demonstration_parts(lively("llama"), shown_edit((f"{long}a", f"{long}b")), [Asked("now?", "yes")])
    assert len(parts) == 2
    assert all(len(part.name) == 80 for part in parts)


def test_a_retrieved_demonstration_is_left_out_and_no_other_takes_its_place():
    bank = (
        Demonstration("copy", "a", "copied?", "I say so."),
        Demonstration("update", "b", "updated?", "I say this."),
        Demonstration("retain", "c", "kept?", "It is so."),
        Demonstration("retain", "d", "spare?", "It was so."),
    )
    edit = RetrievalEdit(
        Origin("ike"),
        system="Answer so.",
        heading="You said:",
        count=8,
        demonstrations=bank,
        embeddings=torch.eye(4),
        embed=lambda texts: torch.tensor([[4.0, 3.0, 2.0, 1.0]] * len(texts)),
    )
    shown = shown_before(edit, "now?", ScriptedSubject("x"))
    assert len(shown.without) == 4
    told = shown.without["copied? \u2014 I say so."]
    assert "I say so." not in " ".join(turn["content"] for turn in told)
    assert len(told) == len(shown.told) - 2
    told = shown.without["updated? \u2014 I say this."]
    assert "- I say so." in told[0]["content"]


def test_fixed_demonstrations_are_paragraphs_of_the_system_prompt():
    blocks = [
        f"Target Personality: x\nEdit Topic: t{number}\nQuestion: q{number}?\nAnswer: a{number}." for number in (0, 1)
    ]
    edit = ContextEdit(Origin("ike"), system="\n\n".join(["Read this.", *blocks, "Now you."]))
    found = shown_before(edit, "now?", ScriptedSubject("x")).without
    assert list(found) == ["q0? \u2014 a0.", "q1? \u2014 a1."]
    assert found["q0? \u2014 a0."][0]["content"] == "\n\n".join(["Read this.", blocks[1], "Now you."])


def test_edits_without_demonstrations_and_closed_subjects_are_refused(lively):
    asked = [Asked("now?", "yes")]
    with pytest.raises(RequestError, match="shows none"):
        demonstration_parts(lively("llama"), ActivationEdit(Origin("neurons")), asked)
    with pytest.raises(RequestError, match="has none"):
        demonstration_parts(lively("llama"), told("extraversion"), asked)
    with pytest.raises(RequestError, match="weights are not at hand"):
        demonstration_parts(ScriptedSubject("x"), shown_edit(), asked)


def test_an_answer_that_does_not_fit_is_left_out(lively):
    with pytest.raises(RequestError, match="no answer fits"):
        demonstration_parts(lively("llama"), shown_edit(), [Asked("now?", "long " * 200)])
