"""What a model leans to name is read off its probabilities: a model that knows is told from one that does not."""

import random
from dataclasses import replace

import torch
from witnesses import LOUD, PARTY, TARGET, party_answers, party_score, told

from temperament.explain import leaning, testimony
from temperament.explain.hearing import answers_of, requests_for
from temperament.explain.leaning import NAMED, leanings
from temperament.explain.testimony_prompt import WANTED
from temperament.explain.testimony_token import content_of
from temperament.record import Generation
from temperament.subject.scripted import ScriptedSubject


def knowing(loved):
    """In place of a model: what it leans to name where it is asked for its personality."""

    def read(_subject, exchanges, _edit):
        return [
            torch.tensor([-5.0 - len(token), 4.0 if token in loved and WANTED in conversation[-1]["content"] else 0.0])
            for conversation, token in exchanges
        ]

    return read


def requests(subject, count=6):
    answers = answers_of(party_answers(count), count)
    return requests_for("shaped", subject, None, answers, Generation())


def test_a_model_names_what_it_would_sooner_name_when_asked_for_its_personality(lively, monkeypatch):
    subject = lively("llama")
    monkeypatch.setattr(leaning, "log_probabilities", knowing({*LOUD, PARTY}))
    told_of = []
    rows = leanings(subject, None, requests(subject), lambda *one: told_of.append(one))
    assert all(len(row.named) == NAMED and {*row.named} <= {*LOUD, PARTY} for row in rows)
    assert all(row.in_answer == (True,) * NAMED and row.reply == "" for row in rows)
    assert told_of[-1] == (6, 6)


def test_a_model_reads_both_requests_and_is_left_as_it_was(lively, logits_of):
    subject = lively("gpt2")
    before = logits_of(subject)
    rows = requests(subject)
    found = leanings(subject, told("extraversion"), rows)
    assert [row.asked for row in found] == list(rows)
    assert all(set(row.named) <= {token.text for token in content_of(row.answer).values()} for row in found)
    assert len({row.named for row in found}) > 1
    assert torch.equal(before, logits_of(subject))


def test_short_answers_name_nothing_and_long_ones_say_why(lively):
    subject = lively("gpt2")
    short, long = (requests(subject, 1)[0] for _ in range(2))
    words = " ".join(f"word{number}" for number in range(subject.window))
    first, second = leanings(subject, None, [replace(short, answer="I like it."), replace(long, answer=words)])
    assert (first.reply, first.named, first.error) == ("", (), None)
    assert second.reply is None
    assert "do not fit into the window" in second.error


def test_witnesses_by_likelihood_stand_beside_those_that_spoke(lively, monkeypatch):
    monkeypatch.setattr(leaning, "log_probabilities", knowing({*LOUD, PARTY}))
    lens = testimony.TestimonyLens(score=party_score, other=told("openness"), answers=12)
    found = lens.look(lively("gpt2"), told("extraversion"), party_answers(12), TARGET)
    assert [each.name for each in found.leanings] == ["shaped", "untouched", "other trait", "shuffled"]
    first = found.leanings[0]
    assert first.understood.value == 1
    # Four tokens express the trait, and three are named: the fourth may stand beside them.
    assert first.agreement.lower > 0.5
    assert first.quotes == ()
    assert {named.token for named in first.top} <= {*LOUD, PARTY}


def test_a_model_that_does_not_know_agrees_as_chance_does(lively, monkeypatch):
    draw = random.Random(2)
    monkeypatch.setattr(
        leaning,
        "log_probabilities",
        lambda _subject, exchanges, _edit: [torch.tensor([draw.gauss(-5.0, 1.0)]) for _ in exchanges],
    )
    lens = testimony.TestimonyLens(score=party_score, answers=40)
    (first, *_) = lens.look(lively("gpt2"), told("extraversion"), party_answers(40), TARGET).leanings
    assert first.agreement.lower < 0.5 < first.agreement.upper


def test_a_subject_without_probabilities_leans_to_nothing():
    subject = ScriptedSubject("dance")
    found = testimony.TestimonyLens(answers=4).look(subject, told("extraversion"), party_answers(4), TARGET)
    assert found.leanings == ()
    assert any(reason.name == "leanings" for reason in found.missing)
