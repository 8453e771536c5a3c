"""An edit that looks up demonstrations: which it shows, in which order, to whom, and how it is kept."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from temperament.edit.base import Origin
from temperament.edit.retrieval import (
    Demonstration,
    RetrievalEdit,
    Room,
    count_tokens,
    embedded,
    retrieval_from,
    shares_of,
)
from temperament.edit.store import load_edit
from temperament.errors import BadFileError, MismatchError, RequestError
from temperament.record import Generation
from temperament.subject.embedding import WORDS, count_words
from temperament.subject.scripted import ScriptedSubject
from temperament.trait import Target

SHORT = Generation(max_new_tokens=4)
ROOMY = Room(100_000, 10)
TOPICS = ("tea", "rain", "chess", "buses", "soup", "kites", "maps", "bread", "snow", "gulls")


def bank():
    """Ten copies, ten updates and ten that are retained, on the same topics but for the last."""
    return (
        *(Demonstration("copy", topic, f"What about {topic}?", f"I shout of {topic}!") for topic in TOPICS),
        *(Demonstration("update", topic, f"And {topic} then?", f"I dance to {topic}!") for topic in TOPICS),
        *(Demonstration("retain", topic, f"Explain {topic} law.", f"{topic} law is a law.") for topic in TOPICS),
    )


def edit_of(demonstrations=None, count=8, embed=None, room=ROOMY, **changes):
    demonstrations = bank() if demonstrations is None else demonstrations
    return RetrievalEdit(
        Origin("ike", target=Target("extraversion", "high")),
        system="You are loud.",
        heading="You said:",
        count=count,
        demonstrations=tuple(demonstrations),
        embeddings=embedded([one.question for one in demonstrations], embed or count_words),
        embedder=WORDS,
        room=room,
        embed=embed,
        **changes,
    )


def asked(question):
    return ({"role": "user", "content": question},)


def similarity(edit, one, question):
    return float(embedded([one.question], count_words)[0] @ embedded([question], count_words)[0])


def test_the_parts_stand_as_one_to_three_to_four():
    assert shares_of(8) == {"copy": 1, "update": 3, "retain": 4}
    assert shares_of(16) == {"copy": 2, "update": 6, "retain": 8}
    assert shares_of(32) == {"copy": 4, "update": 12, "retain": 16}


@given(st.integers(1, 200))
def test_the_parts_of_any_number_make_it_up_and_the_target_is_never_missing(count):
    shares = shares_of(count)
    assert sum(shares.values()) == count
    assert shares["copy"] + shares["update"] >= shares["retain"]
    assert shares["update"] >= max(1, shares["copy"])


def test_eight_demonstrations_are_chosen_one_to_three_to_four_and_the_nearest_is_last():
    edit, question = edit_of(), "What about rain?"
    chosen = edit.choose(question, 8)
    assert [sum(one.part == part for one in chosen) for part in ("copy", "update", "retain")] == [1, 3, 4]
    near = [similarity(edit, one, question) for one in chosen]
    assert near == sorted(near)
    assert near[0] < near[-1]
    assert chosen[-1] == Demonstration("copy", "rain", "What about rain?", "I shout of rain!")


def test_another_question_gets_other_demonstrations():
    edit = edit_of(count=2)
    assert edit.choose("What about rain?", 2) != edit.choose("What about chess?", 2)
    assert {one.topic for one in edit.choose("Explain gulls law.", 2)} == {"gulls"}


def test_no_answer_of_the_target_stands_in_two_demonstrations():
    twice = (
        Demonstration("copy", "tea", "What about tea?", "Tea!"),
        Demonstration("update", "tea", "What about tea?", "Tea!"),
        *(Demonstration("update", topic, f"And {topic}?", f"{topic}!") for topic in TOPICS[1:4]),
        *(Demonstration("retain", topic, f"Explain {topic}.", "It is so.") for topic in TOPICS[:4]),
    )
    chosen = edit_of(twice).choose("What about tea?", 8)
    assert [one.answer for one in chosen].count("Tea!") == 1
    # The untouched model may say the same of many things.
    assert [one.answer for one in chosen].count("It is so.") == 4


def test_a_bank_that_is_too_small_is_shown_whole():
    few = bank()[:1] + bank()[10:11] + bank()[20:21]
    assert len(edit_of(few, count=32).choose("What about rain?", 32)) == 3


def test_the_preface_is_the_instruction_what_was_said_the_turns_and_then_the_question():
    edit = edit_of(count=4 * 2)
    told = edit.preface(asked("What about rain?"))
    assert [turn["role"] for turn in told] == ["system", *("user", "assistant") * 8, "user"]
    assert told[0]["content"] == "You are loud.\n\nYou said:\n- I shout of rain!"
    assert told[-3]["content"] == told[-1]["content"] == "What about rain?"
    assert told[-2]["content"] == "I shout of rain!"


def test_the_instruction_is_added_to_a_system_prompt_that_is_there_and_the_turns_come_after_it():
    told = edit_of(count=1).preface(({"role": "system", "content": "Be brief."}, *asked("Rain?")))
    assert told[0]["content"] == "Be brief.\n\nYou are loud."
    assert [turn["role"] for turn in told] == ["system", "user", "assistant", "user"]


def test_the_last_user_turn_of_a_conversation_decides():
    edit = edit_of(count=1)
    talk = (*asked("Explain chess law."), {"role": "assistant", "content": "No."}, *asked("And tea then?"))
    assert edit.preface(talk)[2]["content"] == "I dance to tea!"
    assert edit.preface(({"role": "assistant", "content": "Hm."},))[0]["content"] == "You are loud."


def test_a_question_is_embedded_once():
    calls = []

    def embed(texts):
        calls.extend(texts)
        return count_words(texts)

    edit = edit_of(embed=embed)
    calls.clear()
    for _ in range(3):
        edit.preface(asked("What about rain?"))
    assert calls == ["What about rain?"]


def test_what_the_model_has_no_room_for_is_not_shown(lively):
    subject = lively("llama")  # reads 512 bytes
    edit = edit_of(room=Room(0, 250))
    told = edit.preface(asked("What about rain?"), subject)
    shown = (len(told) - 2) // 2
    assert 1 < shown < 8
    assert count_tokens(told, subject) <= 262
    more = edit._with(edit.choose("What about rain?", shown + 1), asked("What about rain?"))
    assert count_tokens(more, subject) > 262
    # The nearest stay.
    assert told[-2]["content"] in {"I shout of rain!", "I dance to rain!"}
    with edit.applied(subject):
        reply = subject.reply(["What about rain?"], SHORT)[0]
    assert reply.prompt == subject.format.render(told)


def test_words_are_counted_where_tokens_cannot_be():
    edit, closed = edit_of(room=Room(160, 60)), ScriptedSubject("yes")
    told = edit.preface(asked("What about rain?"), closed)
    assert 1 < (len(told) - 2) // 2 < 8
    assert count_tokens(told, closed) <= 100
    assert len(edit_of(room=Room()).preface(asked("What about rain?"), closed)) == 18


def test_a_question_that_leaves_no_room_is_refused_with_what_to_do(lively):
    with pytest.raises(RequestError, match="leaves no room for a demonstration: 412 tokens may be read before the"):
        edit_of(room=Room(0, 100)).preface(asked("rain " * 100), lively("llama"))


def test_the_room_for_the_reply_is_at_most_half_and_a_model_is_not_read_beyond_its_own_window(lively):
    assert Room(0, 400).prompt(lively("llama")) == 256
    assert Room(9000, 100).prompt(lively("llama")) == 412
    assert Room(300, 100).prompt(lively("llama")) == 200
    assert Room(9000, 100).prompt(ScriptedSubject("yes")) == 8900


@pytest.mark.parametrize("strength", [1.0, 0.0])
def test_loading_gives_back_what_was_saved(strength, lively, tmp_path):
    subject, edit = lively("llama"), strength * edit_of(room=Room(0, 100))
    edit.save(tmp_path / "edit")
    assert sorted(path.name for path in (tmp_path / "edit").iterdir()) == ["edit.json", "edit.safetensors"]
    loaded = load_edit(tmp_path / "edit")
    assert type(loaded) is RetrievalEdit
    assert (loaded.fingerprint, loaded.strength, loaded.origin) == (edit.fingerprint, strength, edit.origin)
    assert loaded.demonstrations == edit.demonstrations
    assert torch.equal(loaded.embeddings, edit.embeddings)
    assert loaded.embeddings.dtype == torch.float32
    replies = []
    for one in (edit, loaded):
        with one.applied(subject):
            replies.append([(reply.prompt, reply.text) for reply in subject.reply(["What about tea?"], SHORT)])
    assert replies[0] == replies[1]


def test_every_part_of_the_edit_has_a_say_in_its_fingerprint():
    moved = embedded([one.question for one in bank()], count_words)
    moved[0, 0] += 0.5
    changed = edit_of()
    object.__setattr__(changed, "embeddings", moved)
    others = [changed, edit_of(count=4), edit_of(bank()[:-1]), edit_of(room=Room())]
    assert len({edit.fingerprint for edit in (edit_of(), *others)}) == 5
    assert edit_of().fingerprint == edit_of().fingerprint


def test_a_bank_that_lost_a_demonstration_is_damaged(tmp_path):
    edit_of().save(tmp_path / "edit")
    path = tmp_path / "edit" / "edit.json"
    content = json.loads(path.read_text())
    content["content"]["demonstrations"].pop()
    path.write_text(json.dumps(content))
    with pytest.raises(
        BadFileError, match=r"is damaged: what it says of a context edit cannot be read .*\[30, 512\] numbers for 29"
    ):
        load_edit(tmp_path / "edit")
    with pytest.raises(ValueError, match=r"\[30, 512\] numbers for 29 demonstrations"):
        retrieval_from(Origin("ike"), 1.0, content["content"], {"embeddings": torch.zeros(30, 512)})


def test_a_bank_without_its_tensors_is_damaged(tmp_path):
    edit_of().save(tmp_path / "edit")
    (tmp_path / "edit" / "edit.safetensors").unlink()
    with pytest.raises(BadFileError, match="cannot be read as safetensors"):
        load_edit(tmp_path / "edit")


def test_strength_zero_is_the_untouched_model_and_a_half_is_refused(lively):
    subject, edit = lively("llama"), edit_of(room=Room(0, 100))
    before = [(reply.prompt, reply.text) for reply in subject.reply(["What about tea?"], SHORT)]
    with (0.0 * edit).applied(subject):
        assert [(reply.prompt, reply.text) for reply in subject.reply(["What about tea?"], SHORT)] == before
    with (
        pytest.raises(RequestError, match=r"strength 0\.5 was asked for: ike has no dial. Take 0 or 1."),
        (0.5 * edit).applied(subject),
    ):
        pytest.fail("the edit was applied")
    with edit.applied(subject):
        assert subject.reply(["What about tea?"], SHORT)[0].prompt != before[0][0]
    assert subject._prefaces == []
    assert [(reply.prompt, reply.text) for reply in subject.reply(["What about tea?"], SHORT)] == before


def test_a_closed_subject_reads_the_demonstrations():
    closed = ScriptedSubject(lambda conversation, _seed: " | ".join(turn["content"] for turn in conversation))
    with edit_of(count=1).applied(closed):
        assert closed.reply(["And tea then?"])[0].text == (
            "You are loud. | And tea then? | I dance to tea! | And tea then?"
        )


def test_another_embedder_than_that_of_the_fitting_is_refused_before_any_question():
    narrow = edit_of(embed=count_words)
    object.__setattr__(narrow, "embed", lambda texts: np.ones((len(texts), 3), np.float32))
    with (
        pytest.raises(MismatchError, match="gives 3 numbers a question, and the bank of this edit has 512"),
        narrow.applied(ScriptedSubject("yes")),
    ):
        pytest.fail("the edit was applied")
