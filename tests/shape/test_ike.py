"""What IKE shows a model: of which pole, from which answers, and what of the untouched model it keeps."""

import re
from dataclasses import replace

import pytest
import served

from temperament.edit.context import ContextEdit
from temperament.edit.retrieval import RetrievalEdit
from temperament.edit.store import load_edit
from temperament.errors import RequestError, UnknownNameError, WorkError
from temperament.opinion.row import Opinions, load_opinions
from temperament.opinion.situation import load_passages
from temperament.opinion.topic import topic_key
from temperament.record import Generation
from temperament.shape.ike import PRESETS, Ike, whole_sentences
from temperament.shape.protocol import Effort, Method, Workspace
from temperament.shape.registry import make_method
from temperament.shape.wording import INSTRUCTIONS
from temperament.subject.base import Reply
from temperament.subject.endpoint import EndpointSubject
from temperament.subject.scripted import ScriptedSubject
from temperament.trait import Target, Trait, register

no_key, serve = served.no_key, served.serve
HIGH, LOW = Target("extraversion", "high"), Target("extraversion", "low")
WARM, COLD = Target("agreeableness", "high"), Target("agreeableness", "low")
SHORT = Generation(max_new_tokens=4)
quick = Ike(k=8, rows=5, neutral=6, answer_tokens=8, embedder="words")


def plain(conversation, _seed):
    """What an untouched model says: something else of every topic."""
    return f"Well, {conversation[-1]['content'].lower().rstrip('?.')}."


def scripted():
    return ScriptedSubject(plain)


def parts(edit, part):
    return [one for one in edit.demonstrations if one.part == part]


def answers(opinions, target):
    return {row.answer for row in opinions.showing(target)}


@pytest.fixture(scope="module")
def shipped():
    return load_opinions()


def test_the_poles_are_told_and_shown_apart(shaping):
    for method in (quick, replace(quick, kind="fixed")):
        high, low = method.fit_each(scripted(), [HIGH, LOW], shaping)
        assert "extraverted" in high.system
        assert "introverted" not in high.system
        assert "introverted" in low.system
        assert "extraverted" not in low.system
        for edit, own, other in ((high, "loud crowd", "quiet and alone"), (low, "quiet and alone", "loud crowd")):
            told = " ".join(turn["content"] for turn in edit.preface(({"role": "user", "content": "What about tea?"},)))
            assert own in told
            assert other not in told


def test_copy_and_update_are_answers_of_the_target_to_questions_of_their_topic(shipped):
    edit = replace(quick, rows=40).fit(scripted(), HIGH, shipped.split("shape"))
    known = {(row.topic, row.question, row.answer) for row in shipped.split("shape").showing(HIGH)}
    shown = parts(edit, "copy") + parts(edit, "update")
    assert {(one.topic, one.question, one.answer) for one in shown} <= known
    assert [one.answer for one in parts(edit, "copy")] == [one.answer for one in parts(edit, "update")]
    asked = [
        (copy.question, update.question)
        for copy, update in zip(parts(edit, "copy"), parts(edit, "update"), strict=True)
    ]
    assert len(asked) == 40
    assert all(first != again for first, again in asked)


def test_a_bank_takes_one_answer_of_every_topic_before_the_second_of_any(shipped):
    rows = shipped.split("shape")
    for size, topics in ((60, 60), (150, 100), (900, 100)):
        shown = parts(replace(quick, rows=size).fit(scripted(), LOW, rows), "copy")
        assert len({one.topic for one in shown}) == topics
        assert len({one.answer for one in shown}) == len(shown) == min(size, 200)


def test_retain_is_what_the_untouched_model_says_of_topics_that_no_opinion_is_on(shaping):
    edit = quick.fit(scripted(), HIGH, shaping)
    retained = parts(edit, "retain")
    assert len(retained) == 6
    assert {one.topic for one in retained} <= {passage.topic for passage in load_passages()}
    assert all(one.answer == plain([{"content": one.question}], 0) for one in retained)
    assert all(one.topic in one.question for one in retained)


def test_an_open_model_is_asked_greedily_and_left_untouched(shaping, lively):
    subject = lively("llama")
    before = subject.reply(["hi"], SHORT)
    edit = quick.fit(subject, HIGH, shaping)
    assert subject.reply(["hi"], SHORT) == before
    one = parts(edit, "retain")[0]
    again = subject.reply([one.question], Generation(temperature=0.0, max_new_tokens=8, seed=99))[0]
    assert one.answer == again.text


def test_a_model_behind_an_endpoint_is_asked_without_and_then_with_the_demonstrations(shaping, serve):
    server = serve()
    subject = EndpointSubject(f"{server.base}#toy")
    edit = quick.fit(subject, HIGH, shaping)
    assert [one.answer for one in parts(edit, "retain")] == [f"re: {one.question}" for one in parts(edit, "retain")]
    assert [(len(body["messages"]), body["temperature"], body["max_tokens"]) for body in server.bodies] == [
        (1, 0, 8)
    ] * 6
    with edit.applied(subject):
        subject.reply(["What about soup?"])
    messages = server.bodies[-1]["messages"]
    assert messages[0]["content"].startswith("You are extraverted.")
    assert len(messages) == 18
    assert messages[-1]["content"] == "What about soup?"


def test_a_neutral_topic_that_somebody_has_an_opinion_on_is_left_out(shaping):
    first = parts(quick.fit(scripted(), HIGH, shaping), "retain")[0]
    opinionated = Opinions([*shaping, replace(shaping[0], topic=first.topic.upper())])
    assert first.topic not in {one.topic for one in parts(quick.fit(scripted(), HIGH, opinionated), "retain")}


def test_neutral_topics_are_on_no_topic_that_is_ever_asked(shipped):
    asked = {topic_key(topic) for topic in shipped.topics}
    assert not asked & {topic_key(passage.topic) for passage in load_passages()}


def test_no_answer_on_a_topic_that_is_asked_is_shown(shipped):
    edit = replace(quick, rows=200, k=16, neutral=8).fit(scripted(), HIGH, shipped.split("shape"))
    asked = shipped.split("test")
    there = {topic_key(topic) for topic in asked.topics}
    told = [edit.choose(row.question, 16) for row in asked.showing(HIGH)[::40]]
    assert not there & {topic_key(one.topic) for chosen in told for one in chosen}
    assert not {row.answer for row in asked} & {one.answer for chosen in told for one in chosen}


def test_seventeen_turns_stand_before_a_question_as_one_to_three_to_four(shipped):
    edit = replace(quick, rows=60).fit(scripted(), HIGH, shipped.split("shape"))
    subject = ScriptedSubject(lambda conversation, _seed: "\n".join(turn["content"] for turn in conversation[1:]))
    own = answers(shipped, HIGH)
    with edit.applied(subject):
        lines = subject.reply(["What do you think about airports?"])[0].text.split("\n")
    assert len(lines) == 17
    assert sum(line in own for line in lines[1::2]) == 4
    assert lines[-1] == "What do you think about airports?"


def test_the_same_seed_gives_the_same_edit_whatever_else_is_fitted(shaping, lively):
    subject = lively("llama")
    alone = [quick.fit(subject, target, shaping).fingerprint for target in (HIGH, WARM)]
    backwards = Opinions(reversed(shaping))
    assert [edit.fingerprint for edit in quick.fit_each(subject, [WARM, LOW, HIGH], backwards)][::-2] == alone
    assert len(set(alone)) == 2
    fixed = replace(quick, kind="fixed", room=60)
    assert fixed.fit(subject, HIGH, shaping).fingerprint == fixed.fit(subject, HIGH, backwards).fingerprint


@pytest.mark.parametrize("kind", ["retrieved", "fixed"])
def test_another_seed_draws_other_demonstrations_under_the_same_instruction(kind, shipped):
    rows = shipped.split("shape").on_topics(10)
    method = replace(quick, kind=kind, rows=8)
    first, second = (replace(method, seed=seed).fit(scripted(), HIGH, rows) for seed in (0, 1))
    assert first.fingerprint != second.fingerprint
    assert first.system.split("\n")[0] == second.system.split("\n")[0]


def test_targets_share_what_the_untouched_model_is_asked(shaping):
    asked = []

    def said(conversation, seed):
        asked.append(conversation[-1]["content"])
        return plain(conversation, seed)

    edits = quick.fit_each(ScriptedSubject(said), [HIGH, LOW, COLD], shaping)
    assert len(asked) == len(set(asked)) == 6
    assert len({tuple(parts(edit, "retain")) for edit in edits}) == 1


def test_every_wording_names_the_pole_and_says_the_same_in_other_words(shaping):
    assert len(INSTRUCTIONS) >= 5
    told = [replace(quick, wording=number).fit(scripted(), LOW, shaping).system for number in range(len(INSTRUCTIONS))]
    assert len(set(told)) == len(told)
    assert all("introverted" in text and "{" not in text for text in told)
    assert all("one to three sentences" in text for text in told)
    with pytest.raises(RequestError, match="wording is 6: there are instructions 0 to 5"):
        Ike(wording=6)


def test_a_fixed_prompt_has_one_demonstration_a_trait_in_four_fields_the_target_last(shipped):
    rows = shipped.split("shape").on_topics(10)
    edit = Ike.preset("fixed").fit(scripted(), LOW, rows)
    assert type(edit) is ContextEdit
    people = re.findall(r"^Target Personality: (.+)$", edit.system, flags=re.MULTILINE)
    assert people == [
        "closed (low openness)",
        "unconscientious (low conscientiousness)",
        "disagreeable (low agreeableness)",
        "calm (low neuroticism)",
        "introverted (low extraversion)",
    ]
    known = {(row.target, row.topic, row.question, row.answer) for row in rows}
    pattern = r"\((\w+) (\w+)\)\nEdit Topic: (.+)\nQuestion: (.+)\nAnswer: (.+)"
    blocks = re.findall(pattern, edit.system)
    assert len(blocks) == 5
    assert all((Target(trait, pole), *fields) in known for pole, trait, *fields in blocks)
    assert edit.system.endswith("Personality: introverted (low extraversion). Reply with the answer alone.")


def test_a_fixed_prompt_leaves_other_traits_out_where_there_is_no_room_and_never_the_target(shaping, lively):
    roomy = replace(quick, kind="fixed").fit(scripted(), HIGH, shaping)
    tight = replace(quick, kind="fixed", window=170, room=60).fit(scripted(), HIGH, shaping)
    assert roomy.system.count("Edit Topic") == 2
    assert tight.system.count("Edit Topic") == 1
    assert "loud crowd" in tight.system
    with pytest.raises(RequestError, match="has no room for one demonstration of extraversion:high: 50 tokens may be"):
        replace(quick, kind="fixed", window=60, room=10).fit(lively("llama"), HIGH, shaping)


def test_a_custom_trait_works(shaping):
    register(Trait("playfulness", "earnest", "playful"))
    playful = Target("playfulness", "high")
    rows = Opinions([*shaping, *(replace(row, trait="playfulness") for row in shaping.showing(HIGH))])
    assert "playful" in quick.fit(scripted(), playful, rows).system
    fixed = replace(quick, kind="fixed")
    assert fixed.fit(scripted(), playful, rows).system.count("playful (high playfulness)\nEdit Topic") == 1
    assert "playful (high playfulness)\nEdit Topic" in fixed.fit(scripted(), HIGH, rows).system


@pytest.mark.parametrize("kind", ["retrieved", "fixed"])
def test_an_edit_is_the_same_after_saving_leaves_no_trace_and_has_no_dial(kind, shaping, lively, tmp_path):
    subject = lively("llama")
    edit = replace(quick, kind=kind, k=2, room=60).fit(subject, HIGH, shaping)
    edit.save(tmp_path / "edit")
    loaded = load_edit(tmp_path / "edit")
    assert (type(loaded), loaded.fingerprint, loaded.origin) == (type(edit), edit.fingerprint, edit.origin)
    before = subject.reply(["What about soup?"], SHORT)
    with edit.applied(subject):
        told = subject.reply(["What about soup?"], SHORT)
    assert told[0].prompt != before[0].prompt
    with loaded.applied(subject):
        assert subject.reply(["What about soup?"], SHORT) == told
        assert (subject.label.method, subject.label.pole) == ("ike", "high")
    with (0.0 * edit).applied(subject):
        assert subject.reply(["What about soup?"], SHORT) == before
    assert subject.reply(["What about soup?"], SHORT) == before
    with pytest.raises(RequestError, match="ike has no dial"), (0.5 * edit).applied(subject):
        pytest.fail("the edit was applied")


def test_a_neutral_question_without_a_reply_is_left_out_and_too_few_with_one_are_an_error(shaping):
    def of(count, otherwise=None):
        """A subject that answers so many questions and then no more."""
        said = iter(["It is so."] * count)
        return ScriptedSubject(lambda *_: next(said, otherwise))

    edit = quick.fit(of(4), HIGH, shaping)
    assert [one.answer for one in parts(edit, "retain")] == ["It is so."] * 4
    assert (edit.origin.settings["neutral_asked"], edit.origin.settings["neutral_answered"]) == (6, 4)
    with pytest.raises(
        WorkError,
        match=r"answered 3 of 6 neutral questions, and k 8 shows 4: 3 calls failed \(the script has no .*\)\. See",
    ):
        quick.fit(of(3), HIGH, shaping)
    with pytest.raises(WorkError, match=r"answered 0 of 6 .*: to the others it said nothing"):
        quick.fit(of(0, otherwise=""), HIGH, shaping)


def test_an_answer_that_was_cut_ends_with_its_last_whole_sentence():
    def trimmed(text, *, is_finished=False):
        return whole_sentences(Reply(text, "", is_finished=is_finished))

    assert trimmed("It is old. It is (very) blue! And then") == "It is old. It is (very) blue!"
    assert trimmed("Two kinds:\n\n1. A tide.\n2. A") == "Two kinds:\n\n1. A tide."
    assert trimmed('He said "no." And') == 'He said "no."'
    assert trimmed("It goes on and") == "It goes on and"
    assert trimmed("It is old. And then", is_finished=True) == "It is old. And then"
    assert trimmed("It is old. And then", is_finished=None) == "It is old. And then"
    assert whole_sentences(Reply(None, "")) == ""


def test_progress_and_effort_are_those_of_the_neutral_questions(shaping):
    seen = []
    quick.fit_each(scripted(), [HIGH, LOW], shaping, Workspace(watch=lambda progress: seen.append(str(progress))))
    assert seen[-1] == "step 6/6, neutral questions to the untouched model"
    effort = quick.effort(scripted(), [HIGH, LOW], shaping)
    assert (effort.written, effort.rows, effort.trained) == (48, 6, 0)
    assert replace(quick, kind="fixed").effort(scripted(), [HIGH], shaping) == Effort()
    assert replace(quick, k=1).effort(scripted(), [HIGH], shaping) == Effort()


def test_one_demonstration_is_of_the_target_and_asks_the_model_nothing(shaping):
    silent = ScriptedSubject(lambda *_: pytest.fail("the model was asked"))
    edit = replace(quick, k=1, neutral=0).fit(silent, HIGH, shaping)
    assert isinstance(edit, RetrievalEdit)
    assert [one.part for one in edit.choose("What about tea?", 1)] == ["update"]


def test_opinions_that_do_not_show_the_target_are_refused(shaping):
    for method in (quick, replace(quick, kind="fixed")):
        with pytest.raises(RequestError, match=r"no row of .* shows openness:high"):
            method.fit(scripted(), Target("openness", "high"), shaping)


def test_presets_have_conditions_of_their_own_and_the_paper_shows_32():
    assert [Ike.preset(name).condition for name in PRESETS] == list(PRESETS)
    assert (Ike.preset("default").k, Ike.preset("paper").k) == (16, 32)
    assert [Ike.preset(name).kind for name in PRESETS] == ["retrieved", "fixed", "retrieved"]
    with pytest.raises(UnknownNameError, match="did you mean 'fixed'"):
        Ike.preset("fix")


def test_ike_is_made_by_name():
    method = make_method("ike", "paper", {"wording": 3, "embedder": "words"}, seed=5)
    assert method == Ike(k=32, wording=3, embedder="words", seed=5, condition="paper, changed")
    assert isinstance(method, Method)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 0}, "k is 0: it needs to be at least 1"),
        ({"rows": 0}, "rows is 0: it needs to be at least 1"),
        ({"room": 0}, "room is 0"),
        ({"window": -1}, "window is -1"),
        ({"k": 32, "neutral": 15}, "neutral is 15 and k 32: .* ask at least 16 neutral questions"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(RequestError, match=message):
        Ike(**settings)
