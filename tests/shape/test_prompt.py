"""What prompts tell a model, of which pole, how much of it, and where it stands."""

from dataclasses import replace

import pytest

from temperament.edit.store import load_edit
from temperament.errors import BadFileError, RequestError, UnknownNameError
from temperament.opinion.row import Opinions
from temperament.opinion.situation import load_portraits
from temperament.record import Generation
from temperament.shape.prompt import PRESETS, Prompt, graded_words
from temperament.shape.protocol import Effort, Method, Workspace
from temperament.shape.registry import make_method
from temperament.subject.open import OpenSubject
from temperament.subject.scripted import ScriptedSubject
from temperament.subject.tiny import byte_tokenizer
from temperament.trait import Target, Trait, every_target, find_trait, register

HIGH, LOW = Target("extraversion", "high"), Target("extraversion", "low")
NONE = Opinions(())
SHORT = Generation(max_new_tokens=4)
REFUSING = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "[{{ m['role'] }}] {{ m['content'] }}{% if m['role'] == 'assistant' %}<|end|>{% endif %}{% endfor %}"
)


def echo():
    return ScriptedSubject(lambda conversation, _seed: " | ".join(turn["content"] for turn in conversation))


def told(method, target):
    return method.fit(echo(), target, NONE).system


def test_a_simple_prompt_is_the_adjective_of_the_pole():
    assert told(Prompt.preset("simple"), HIGH) == "You are extraverted."
    assert told(Prompt.preset("simple"), LOW) == "You are introverted."


def test_a_portrait_is_one_of_its_own_pole_and_the_seed_goes_through_all_of_them():
    for target in (HIGH, LOW):
        own = [portrait.text for portrait in load_portraits() if portrait.target == target]
        assert len(own) == 12
        found = [told(Prompt(seed=seed), target) for seed in range(13)]
        assert [text.split("\n\n")[0] for text in found[:-1]] == own
        assert found[-1] == found[0]
        assert "as yourself, in the first person" in found[0]


def test_every_pole_of_the_big_five_has_portraits():
    for target in every_target():
        assert find_trait(target.trait).adjective(target.pole) not in told(Prompt(), target).split(",")[0]
        assert told(Prompt(seed=0), target) != told(Prompt(seed=11), target)


def test_nine_levels_go_from_extremely_the_other_pole_over_neither_to_extremely_the_target():
    begin = {
        1: "extremely introverted, extremely shy",
        2: "very introverted, very shy",
        3: "introverted, shy",
        4: "a bit introverted, a bit shy",
        5: "neither introverted nor extraverted, neither shy nor talkative",
        6: "a bit extraverted, a bit talkative",
        7: "extraverted, talkative",
        8: "very extraverted, very talkative",
        9: "extremely extraverted, extremely talkative",
    }
    for level, words in begin.items():
        assert graded_words(HIGH, level).startswith(words)
        assert told(Prompt(kind="graded", level=level), HIGH).startswith(f"You are {words}")


@pytest.mark.parametrize("level", [1, 2, 3, 4, 6, 7, 8, 9])
def test_levels_of_the_low_pole_are_those_of_the_high_one_mirrored(level):
    for target in every_target():
        other = Target(target.trait, "low" if target.pole == "high" else "high")
        assert graded_words(target, level) == graded_words(other, 10 - level)


def test_the_middle_level_is_the_same_of_both_poles_but_for_order():
    words = [set(graded_words(target, 5).replace(",", "").split()) for target in (HIGH, LOW)]
    assert words[0] == words[1]


def test_all_adjectives_of_the_pole_are_said():
    text = told(Prompt(kind="graded", level=8), LOW)
    assert all(f"very {word}" in text for word in find_trait("extraversion").adjectives("low"))
    assert not any(f" {word}" in text for word in ("extraverted", "talkative", "bold"))


def test_a_custom_trait_works_by_its_adjectives():
    register(Trait("playfulness", "earnest", "playful", (), ("solemn",), ("witty",)))
    playful, earnest = Target("playfulness", "high"), Target("playfulness", "low")
    assert told(Prompt(kind="simple"), playful) == "You are playful."
    assert told(Prompt(), playful).startswith("You are playful and witty.")
    assert told(Prompt(), earnest).startswith("You are earnest and solemn.")
    assert told(Prompt(kind="graded", level=2), earnest).startswith("You are very playful and very witty.")


def test_portraits_of_a_file_are_taken_and_one_that_lacks_the_target_is_refused(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"trait": "extraversion", "pole": "low", "text": "You count moths.", "source": "me"}\n')
    assert told(Prompt(portraits=str(path)), LOW).startswith("You count moths.")
    with pytest.raises(RequestError, match="has no portrait of extraversion:high: add one, or take kind 'simple'"):
        told(Prompt(portraits=str(path)), HIGH)
    with pytest.raises(BadFileError):
        told(Prompt(portraits=str(tmp_path / "none.jsonl")), HIGH)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_prompt_changes_what_a_model_reads_and_nothing_else(preset, lively, tmp_path):
    subject = lively("llama")
    edit = replace(Prompt.preset(preset), kind="simple").fit(subject, HIGH, NONE)
    before = subject.reply(["hi"], SHORT)[0]
    with edit.applied(subject) as shaped:
        assert shaped.reply(["hi"], SHORT)[0].prompt == f"<|system|>You are extraverted.<|end|>{before.prompt}"
        assert shaped.label.condition == edit.origin.condition == preset
    assert subject.reply(["hi"], SHORT)[0] == before
    with (0.0 * edit).applied(subject):
        assert subject.reply(["hi"], SHORT)[0] == before
    with pytest.raises(RequestError, match="prompt has no dial"), (0.5 * edit).applied(subject):
        pytest.fail("the edit was applied")
    edit.save(tmp_path / "edit")
    assert load_edit(tmp_path / "edit") == edit


def test_a_prompt_is_added_to_a_system_prompt_that_is_there():
    subject = echo()
    with Prompt(kind="simple").fit(subject, LOW, NONE).applied(subject):
        asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
        assert subject.reply([asked])[0].text == "Be brief.\n\nYou are introverted. | hi"


def test_a_prompt_goes_into_the_first_user_turn_where_the_template_refuses_the_system_role(lively):
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = REFUSING
    subject = OpenSubject.of(lively("llama").model, tokenizer)
    with Prompt(kind="simple").fit(subject, LOW, NONE).applied(subject):
        assert subject.reply(["hi"], SHORT)[0].prompt == "[user] You are introverted.\n\nhi"


def test_one_edit_a_target_comes_in_their_order_and_costs_nothing():
    seen = []
    subject = ScriptedSubject(lambda *_: pytest.fail("a prompt needs no model"))
    edits = Prompt().fit_each(subject, [LOW, HIGH], NONE, Workspace(watch=lambda progress: seen.append(str(progress))))
    assert [edit.origin.target for edit in edits] == [LOW, HIGH]
    assert seen == ["step 1/2", "step 2/2"]
    assert edits[1].fingerprint == Prompt().fit(subject, HIGH, NONE).fingerprint
    assert Prompt().effort(subject, [LOW, HIGH], NONE) == Effort()


def test_presets_have_conditions_of_their_own():
    assert [Prompt.preset(name).condition for name in PRESETS] == list(PRESETS)
    assert [Prompt.preset(name).kind for name in PRESETS] == ["portrait", "simple", "portrait", "graded"]
    with pytest.raises(UnknownNameError, match="did you mean 'graded'"):
        Prompt.preset("grade")


def test_a_prompt_is_made_by_name_with_its_level():
    method = make_method("prompt", "graded", {"level": 2}, seed=3)
    assert method == Prompt("graded", 2, seed=3, condition="graded, changed")
    assert isinstance(method, Method)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"level": 0, "kind": "graded"}, "level is 0: it needs to be 1, the other pole, to 9"),
        ({"level": 10, "kind": "graded"}, "level is 10: it needs to be 1"),
        ({"level": 3}, "level is 3 and kind 'portrait': only 'graded' reads it"),
        ({"portraits": "x.jsonl", "kind": "simple"}, "portraits is 'x.jsonl' and kind 'simple': only 'portrait' reads"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(RequestError, match=message):
        Prompt(**settings)
