"""The dial finds the strength of a known effect, and says so where there is none."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from temperament.activation.forcing import Exchange, divergences
from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.errors import RequestError, SeamError
from temperament.opinion.row import Opinion, Opinions
from temperament.record import GREEDY
from temperament.shape.pair import pairs_of
from temperament.stats import Estimate
from temperament.study.dial import Alignment, Divergence, LikelihoodRise, Search, calibrate
from temperament.subject.anatomy import Site
from temperament.subject.scripted import ScriptedSubject
from temperament.trait import Target

HIGH = Target("extraversion")
ANY = ActivationEdit(Origin("direction", target=HIGH))
PROMPT = ContextEdit(Origin("prompt", target=HIGH), system="Be bold.")
NOBODY = ScriptedSubject("never asked")


def curve(function):
    """An effect that is a function of the strength, and the strengths at which it was asked."""
    asked = []

    def effect(_subject, edit):
        asked.append(edit.strength)
        return function(edit.strength)

    return effect, asked


@pytest.mark.parametrize(
    ("function", "goal", "expected"),
    [
        (lambda strength: strength**2, 0.09, 0.3),
        (lambda strength: strength**2, 6.25, 2.5),
        (lambda strength: strength**2, 1.0, 1.0),
        (lambda strength: 0.4 - 0.1 * strength, 0.25, 1.5),
        (lambda strength: 0.2 + strength, 0.2, 0.0),
        (lambda strength: math.nan if strength > 1.2 else strength**2, 1.21, 1.1),
        (lambda strength: strength if strength < 0.7 else 0.0, 0.45, 0.45),
        (lambda strength: 1e-4 * strength, 5e-5, 0.5),
    ],
)
def test_the_dial_finds_a_known_strength(function, goal, expected):
    effect, asked = curve(function)
    setting = calibrate(NOBODY, ANY, effect, goal, Search(tolerance=0.01))
    assert setting.is_reached
    assert setting.strength == pytest.approx(expected, rel=0.02)
    assert setting.effect == pytest.approx(goal, rel=0.02)
    assert setting.note == ""
    assert [each.strength for each in setting.tried] == sorted(asked)


def test_the_strength_multiplies_the_edit_as_it_was_given():
    effect, _ = curve(lambda strength: strength)
    setting = calibrate(NOBODY, 0.5 * ANY, effect, 0.25)
    assert setting.strength == pytest.approx(0.5, rel=0.06)


@pytest.mark.parametrize(
    ("function", "goal", "nearest", "note"),
    [
        (
            lambda strength: 0.3 * min(strength, 1.0),
            0.5,
            1.0,
            "from strength 0 to 4 the effect stays between 0 and 0.3",
        ),
        (lambda strength: strength, -0.5, 0.0, "from strength 0 to 4 the effect stays between 0 and 4"),
        (lambda strength: float(strength > 0.7), 0.4, 0.0, "the effect jumps over the goal"),
        (lambda strength: strength if strength < 0.1 else math.nan, 0.5, 0.09, "the effect jumps over the goal"),
    ],
)
def test_where_the_goal_is_out_of_reach_the_nearest_is_given_and_the_reason(function, goal, nearest, note):
    effect, asked = curve(function)
    setting = calibrate(NOBODY, ANY, effect, goal)
    assert not setting.is_reached
    assert note in setting.note
    assert setting.strength == pytest.approx(nearest, abs=0.02)
    assert len(asked) <= Search().tries
    assert all(each.effect is None or math.isfinite(each.effect) for each in setting.tried)


def test_an_effect_that_moves_in_steps_may_miss_by_half_a_step():
    effect, _ = curve(lambda strength: round(5 * min(1.0, strength)) / 5)
    assert not calibrate(NOBODY, ANY, effect, 0.5).is_reached
    setting = calibrate(NOBODY, ANY, effect, 0.5, Search(resolution=0.1 + 1e-9))
    assert setting.is_reached
    assert setting.effect in (0.4, 0.6)


def test_an_edit_without_a_dial_is_tried_whole_or_not_at_all():
    effect, asked = curve(lambda strength: 0.8 * strength)
    for edit in (PROMPT, PROMPT + ANY):
        asked.clear()
        setting = calibrate(NOBODY, edit, effect, 0.4, Search(tolerance=0.01))
        assert (setting.is_reached, asked) == (False, [0.0, 1.0])
        assert setting.note == "prompt has no dial"
    assert calibrate(NOBODY, PROMPT, effect, 0.8).strength == 1.0


@pytest.mark.parametrize("goal", [math.nan, math.inf])
def test_a_goal_that_is_no_number_is_an_error(goal):
    with pytest.raises(
        RequestError, match=r"was asked for and that of the untouched model is 0\.0: give finite numbers"
    ):
        calibrate(NOBODY, ANY, lambda _subject, edit: edit.strength, goal)
    with pytest.raises(RequestError, match="that of the untouched model is None"):
        calibrate(NOBODY, ANY, lambda _subject, _edit: math.nan, 1.0)


@pytest.mark.parametrize(
    ("setting", "value"), [("tolerance", 0.0), ("tolerance", 1.0), ("resolution", -1.0), ("most", 0.0), ("tries", 2)]
)
def test_a_search_out_of_range_is_an_error_that_names_it(setting, value):
    with pytest.raises(RequestError, match=f"{setting} is {value:g}.*: it needs to be"):
        Search(**{setting: value})


def opinions():
    sayings = {"high": "Come over, {} is best in a loud crowd!", "low": "I keep {} to myself, quiet and alone."}
    return Opinions(
        Opinion("extraversion", pole, "", topic, f"What about {topic}?", saying.format(topic), "validation", "test")
        for pole, saying in sayings.items()
        for topic in ("tea", "rain")
    )


def shift(subject, scale=1.0):
    add = scale * torch.randn(subject.width(Site(1)), generator=torch.Generator().manual_seed(0))
    return ActivationEdit(Origin("direction", target=HIGH), shifts={Site(1): Shift(add)})


def test_a_steering_vector_is_set_to_a_divergence(lively):
    subject = lively("llama")
    edit = shift(subject)
    effect = Divergence([Exchange("What about rain?", "It falls from clouds."), Exchange("And tea?", "It grows.")])
    assert effect(subject, 0.0 * edit).value == 0.0
    goal = effect(subject, 0.4 * edit).value
    assert 0 < goal < effect(subject, edit).value
    setting = calibrate(subject, edit, effect, goal, Search(tolerance=0.02))
    assert setting.strength == pytest.approx(0.4, rel=0.05)
    assert setting.estimate == effect(subject, setting.strength * edit)
    assert setting.estimate.n == 2
    assert setting.estimate.lower < setting.effect < setting.estimate.upper


def test_of_neutral_text_the_beginning_is_read_and_each_text_counts_alike(lively):
    subject = lively("llama")
    edit = shift(subject)
    long, short = Exchange("What about rain?", "It falls from clouds. " * 9), Exchange("And tea?", "It grows.")
    both = Divergence([long, short], longest=4)(subject, edit).value
    alone = [Divergence([one], longest=4)(subject, edit).value for one in (long, short)]
    assert both == pytest.approx(sum(alone) / 2, rel=1e-4)
    cut = [tokens[:4] for tokens, _ in divergences(subject, [long], edit)]
    assert alone[0] == pytest.approx(float(cut[0].mean()), rel=1e-4)
    assert alone[0] != pytest.approx(Divergence([long], longest=9)(subject, edit).value, rel=1e-3)


def test_a_setting_keeps_the_interval_of_the_strength_that_it_settles_on():
    def effect(_subject, edit):
        strength = edit.strength
        return Estimate(strength if strength < 1.5 else None, strength - 0.1, strength + 0.1, 7)

    setting = calibrate(NOBODY, ANY, effect, 0.5)
    assert setting.estimate == Estimate(setting.effect, setting.effect - 0.1, setting.effect + 0.1, 7)
    assert calibrate(NOBODY, ANY, effect, 3.0).tried[-1].effect is None
    assert calibrate(NOBODY, ANY, lambda _subject, edit: edit.strength, 0.5).estimate is None


def test_the_likelihood_rises_for_the_target_and_falls_for_the_other_pole(lively):
    subject = lively("llama")
    edit = shift(subject)
    high = LikelihoodRise(pairs_of(opinions(), HIGH))
    low = LikelihoodRise(pairs_of(opinions(), replace(HIGH, pole="low")))
    assert high(subject, 0.0 * edit).value == 0.0
    rise = high(subject, edit)
    assert abs(rise.value) > 1e-3
    assert rise.lower < rise.value < rise.upper
    assert low(subject, edit).value == pytest.approx(-rise.value, rel=1e-3)
    goal = high(subject, 0.5 * edit).value
    assert calibrate(subject, edit, high, goal, Search(tolerance=0.02)).is_reached


def test_pairs_on_one_topic_are_one_cluster(lively):
    subject = lively("llama")
    pairs = pairs_of(opinions(), HIGH)
    alone = LikelihoodRise(pairs[:1] * 3)(subject, shift(subject))
    assert (alone.n, alone.lower) == (3, None)


def test_an_effect_that_is_not_finite_has_no_value(lively):
    subject = lively("llama")
    rise = LikelihoodRise(pairs_of(opinions(), HIGH))(subject, shift(subject, math.inf))
    assert (rise.value, rise.n) == (None, 2)


class Loud:
    """Reads extraversion in an exclamation mark."""

    labels = ("extraversion:low", "extraversion:high")

    def probabilities(self, texts):
        return np.array([[0.0, 1.0] if "!" in text else [1.0, 0.0] for text in texts])


def test_alignment_asks_the_questions_under_the_edit():
    def say(conversation, _seed):
        asked = conversation[-1]["content"]
        is_bold = conversation[0]["role"] == "system"
        return {"How?": "Fine!" if is_bold else "Fine.", "What?": "Tea!", "Who?": "Me.", "When?": None}[asked]

    subject = ScriptedSubject(say)
    effect = Alignment(HIGH, ("How?", "What?", "Who?", "When?"), GREEDY, Loud())
    assert effect(subject, 0.0 * PROMPT).value == pytest.approx(1 / 3)
    assert effect(subject, PROMPT).value == pytest.approx(2 / 3)
    assert effect(subject, PROMPT).n == 3
    one_topic = replace(effect, topics=("tea",) * 4)
    assert one_topic(subject, PROMPT) == Estimate(effect(subject, PROMPT).value, None, None, 3)
    assert Alignment(HIGH, ("When?",), GREEDY, Loud())(subject, PROMPT).value is None


def test_likelihoods_of_a_closed_subject_cannot_be_had():
    for effect in (Divergence([Exchange("How?", "Fine.")]), LikelihoodRise(pairs_of(opinions(), HIGH))):
        with pytest.raises(SeamError, match=r"the dial by .* whose weights are not at hand"):
            effect(NOBODY, PROMPT)
