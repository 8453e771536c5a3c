import pytest
import verdicts
from hypothesis import given
from hypothesis import strategies as st

from temperament.measure.judge.scale import DIRECTIONS, WORDINGS, Scale, along
from temperament.measure.judge.verdict import parse_rating, verdict_of
from temperament.subject.base import Reply
from temperament.trait import BIG_FIVE, Trait, register

QUIET = "I stay at home."
EVERY = [Scale(trait.name) for trait in BIG_FIVE] + [Scale("extraversion", "high", "bold"), Scale("openness", "low")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("4", 4), (" 2\n", 2), ("5.", 5), ("**3**", 3), ("Rating: 1", 1), ("score = 4.", 4), ('"2"', 2)),
        ("<think>3 or 4? The tone is warm.</think>\n4", 4),
    ],
)
def test_a_number_alone_is_a_rating(text, value):
    assert parse_rating(text) == (value, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3 or 4",
        "4/5",
        "I would say 4",
        "4 because of the tone",
        "four",
        "3-4",
        "1 2",
        "<think>4",
        "4 = rather bold",
    ],
)
def test_what_is_more_than_a_number_is_not_guessed_at(text):
    assert parse_rating(text) == (None, "unparsable")


@pytest.mark.parametrize("text", ["0", "6", "10", "-3", "3.5", "4.0", "45", "\u0663"])
def test_a_number_that_is_not_on_the_scale_is_not_moved_onto_it(text):
    assert parse_rating(text) == (None, "out_of_scale")


@given(st.text(max_size=30))
def test_a_rating_is_1_to_5_or_missing_with_a_reason(text):
    value, reason = parse_rating(text)
    assert (value is None) == bool(reason)
    assert value in {None, 1.0, 2.0, 3.0, 4.0, 5.0}


def test_a_call_that_failed_is_told_from_a_server_that_was_busy_and_from_empty_words():
    failed = verdict_of(Reply(None, "", error="400"), "prompt")
    busy = verdict_of(Reply(None, "", error="503", is_unavailable=True), "prompt")
    empty = verdict_of(Reply("", "", tokens=0, prompt_tokens=9), "prompt")
    assert [verdict.reason for verdict in (failed, busy, empty)] == ["failed", "unavailable", "unparsable"]
    assert (failed.detail, busy.detail) == ("400", "503")
    assert [verdict.value for verdict in (failed, busy, empty)] == [None] * 3


def test_half_a_surrogate_pair_can_be_written():
    assert verdict_of(Reply("\ud83d", ""), "p").said == "\\ud83d"


@pytest.mark.parametrize("scale", EVERY)
@pytest.mark.parametrize("wording", WORDINGS)
def test_both_directions_show_the_same_steps_the_other_way_round(scale, wording):
    up, down = (scale.prompt("Why?", QUIET, direction, wording) for direction in DIRECTIONS)
    steps = [[line.partition(" = ")[2] for line in prompt.head.splitlines() if " = " in line] for prompt in (up, down)]
    assert steps[0] == steps[1][::-1]
    assert len(set(steps[0])) == 5
    assert up.body == down.body
    assert verdicts.shown(up.text) == (QUIET, True)
    assert verdicts.shown(down.text) == (QUIET, False)


def test_5_is_the_high_pole_upwards_and_the_low_pole_downwards():
    up, down = (Scale("extraversion").prompt("", QUIET, direction).text for direction in DIRECTIONS)
    assert "5 = very extraverted" in up
    assert "5 = very introverted" in down
    assert (along(5.0, "up"), along(5.0, "down"), along(2.0, "down")) == (5, 1, 4)


def test_all_texts_on_a_scale_share_the_head_and_no_other_scale_does():
    heads = {
        (scale, direction, wording): scale.prompt("Why?", "Because.", direction, wording).head
        for scale in [*EVERY[:5], Scale("extraversion", "high", "bold")]
        for direction in DIRECTIONS
        for wording in WORDINGS
    }
    assert len(set(heads.values())) == len(heads)
    assert all(scale.prompt("What?", QUIET, *view).head == head for (scale, *view), head in heads.items())


def test_the_judge_is_not_told_what_a_reply_was_made_to_show():
    prompts = {Scale("extraversion", pole, "bold").prompt("Why?", QUIET).text for pole in ("low", "high", None)}
    assert len(prompts) == 1


def test_a_trait_of_ones_own_can_be_judged():
    register(Trait("playfulness", "earnest", "playful"))
    text = Scale("playfulness").prompt("Why?", QUIET).text
    assert "1 = very earnest" in text
    assert "playfulness" in text
    assert "  " not in text
