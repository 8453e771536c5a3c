from temperament.record import Generation
from temperament.subject.base import Message, with_system
from temperament.subject.scripted import ScriptedSubject


def test_one_text_answers_every_question():
    replies = ScriptedSubject("I agree.").reply(["Are you kind?", "Are you tidy?"])
    assert [reply.text for reply in replies] == ["I agree.", "I agree."]
    assert replies[0].prompt == "user: Are you kind?"
    assert replies[0].is_finished
    assert replies[0].tokens == 2


def test_a_mapping_answers_the_last_user_turn():
    subject = ScriptedSubject({"And now?": "Later."})
    turns = [
        Message(role=role, content=text) for role, text in (("user", "Hi"), ("assistant", "Hi"), ("user", "And now?"))
    ]
    assert subject.reply([turns])[0].text == "Later."


def test_a_question_outside_the_script_is_missing_with_a_reason():
    reply = ScriptedSubject({"Known?": "Yes."}).reply(["Unknown?"])[0]
    assert reply.text is None
    assert reply.error == "the script has no reply to 'Unknown?'"


def test_a_function_reads_what_a_preface_adds():
    subject = ScriptedSubject(lambda conversation, seed: conversation[0]["role"])
    assert subject.reply(["Hi"])[0].text == "user"
    with subject.preface(lambda conversation: with_system(conversation, "Be loud.")):
        assert subject.reply(["Hi"])[0].text == "system"
    assert subject.reply(["Hi"])[0].text == "user"


def test_a_row_draws_the_same_whatever_its_neighbours():
    subject = ScriptedSubject(lambda conversation, seed: str(seed))
    alone = subject.reply(["b"])[0].text
    assert [reply.text for reply in subject.reply(["a", "b", "b"])][1] == alone
    assert subject.reply(["b", "b"])[1].text != alone
    assert subject.reply(["b"], Generation(seed=1))[0].text != alone


def test_the_fingerprint_is_that_of_the_script():
    assert ScriptedSubject("a").fingerprint == ScriptedSubject("a", name="other").fingerprint
    assert ScriptedSubject("a").fingerprint != ScriptedSubject("b").fingerprint
    assert ScriptedSubject({"x": "1", "y": "2"}).fingerprint == ScriptedSubject({"y": "2", "x": "1"}).fingerprint


def test_progress_counts_to_the_end():
    seen: list[tuple[int, int]] = []
    ScriptedSubject("yes").reply(["a", "b"], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
