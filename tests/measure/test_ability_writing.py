"""What a subject writes for the harness: ends, settings, room, and who cannot."""

import pytest

from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.errors import RequestError
from temperament.measure.ability.prompt import packed
from temperament.measure.ability.writing import Writing, completions, writing_of
from temperament.record import Generation
from temperament.subject.base import Message
from temperament.subject.scripted import ScriptedSubject

ASK = [{"role": "user", "content": "Rain?"}]
BEGUN = [*ASK, {"role": "assistant", "content": "Rain is"}]


def greedy(count, *until):
    return Writing(Generation(temperature=0.0, top_p=1.0, max_new_tokens=count), until)


def test_a_task_is_greedy_unless_it_draws():
    settings = {"until": "\n", "do_sample": False, "temperature": 0.9, "top_k": 40, "max_gen_toks": 7}
    assert writing_of(settings) == greedy(7, "\n")
    assert writing_of({}) == greedy(256)
    drawn = writing_of({"do_sample": True, "top_p": 0.8, "until": ["a", "b"], "max_new_tokens": 9}, seed=5)
    assert drawn == Writing(Generation(temperature=1.0, top_p=0.8, max_new_tokens=9, seed=5), ("a", "b"))
    assert writing_of({"temperature": 0.5}).generation.temperature == 0.5


@pytest.mark.parametrize("settings", [{"num_beams": 4}, {"do_sample": True, "top_k": 40}, {"penalty_alpha": 0.6}])
def test_a_setting_without_counterpart_is_refused_by_name(settings):
    with pytest.raises(RequestError, match=list(settings)[-1]):
        writing_of(settings)


def test_a_reply_ends_at_the_first_text_that_ends_it_in_the_order_asked():
    subject = ScriptedSubject({"Rain?": "Wet.\nQ: and tea? A: hot", "Tea?": "Hot."})
    asked = [(packed([{"role": "user", "content": text}]), greedy(20, "Q:", "\n")) for text in ("Tea?", "Rain?")]
    assert [reply.text for reply in completions(subject, asked, "chat")] == ["Hot.", "Wet."]


def test_an_edit_of_what_is_read_is_in_force_without_weights():
    subject = ScriptedSubject(lambda conversation, seed: conversation[0]["content"])
    edit = ContextEdit(Origin("prompt"), system="Be warm.", turns=(Message(role="user", content="Hi"),))
    with edit.applied(subject):
        (reply,) = completions(subject, [(packed(ASK), greedy(20))], "chat")
    assert reply.text == "Be warm."


def test_a_reply_that_is_begun_takes_weights():
    with pytest.raises(RequestError, match="begins the reply"):
        completions(ScriptedSubject("Wet."), [(packed(BEGUN), greedy(20))], "chat")


def test_chat_raw_and_begun_go_on_from_what_they_read(lively):
    subject = lively("llama")
    told = []
    asked = [(packed(ASK), greedy(8)), (packed(BEGUN), greedy(8)), (packed(ASK), greedy(5))]
    chat, begun, short = completions(subject, asked, "chat", lambda done, total: told.append((done, total)))
    assert told[-1] == (3, 3)
    assert chat.text == subject.reply(["Rain?"], Generation(temperature=0.0, max_new_tokens=8))[0].text
    assert (begun.prompt.endswith("<|assistant|>Rain is"), short.tokens) == (True, 5)
    (raw,) = completions(subject, [("Rain?", greedy(8))], "raw")
    assert raw.prompt == "Rain?"
    one = completions(subject, [("Rain?", greedy(1))], "raw")[0].text
    assert raw.text.startswith(one)
    assert len({chat.text, begun.text, raw.text}) == 3


def test_room_is_made_in_raw_text_and_kept_to_in_a_chat(lively):
    subject = lively("llama")
    (raw,) = completions(subject, [("rain " * 200, greedy(2000))], "raw")
    assert len(raw.prompt) == 256
    question = [{"role": "user", "content": "r" * 500}]
    (chat,) = completions(subject, [(packed(question), greedy(2000))], "chat")
    assert 0 < chat.tokens < 12
    with pytest.raises(RequestError, match="at most 512"):
        completions(subject, [(packed([{"role": "user", "content": "r" * 512}]), greedy(5))], "chat")
