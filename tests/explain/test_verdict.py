"""Verdicts say what figures show and no more, and the report calls the same figures the same."""

import json

import pytest

from temperament.explain.consequence import change, direction, mean_change, rank_p, share_of
from temperament.explain.finding import CauseFinding, Curve, Step
from temperament.explain.verdict import Evidence, is_beyond_random, nothing_to_trace, verdict
from temperament.record import to_json
from temperament.report.explain_answer import CAUSE, answers
from temperament.stats import Estimate

TOPICS = ["tea", "tea", "rain", "sun", "sea", "sky"]


def test_p_counts_sets_in_the_direction_of_the_whole():
    drawn = [-0.3, -0.1, 0.0, 0.5]
    assert rank_p(-0.2, drawn, -1.0) == 2 / 5
    assert rank_p(-0.2, drawn, 1.0) == 4 / 5
    assert rank_p(-0.9, drawn, -1.0) == 1 / 5
    assert rank_p(None, drawn, -1.0) is None
    assert rank_p(-0.9, [], -1.0) is None


def test_a_share_is_withheld_where_the_whole_may_be_nothing():
    whole = [-1.0, -2.0, -1.5, -0.5, -1.0, -1.2]
    found = share_of([one * 0.4 for one in whole[:-1]] + [-0.3], whole, TOPICS)
    assert found.value == pytest.approx(0.375)
    assert 0 < found.lower < found.value < found.upper < 0.45
    assert share_of([-one for one in whole], whole, TOPICS).value == pytest.approx(-1)
    assert share_of(whole, [1.0, -1.0, 2.0, -2.0, 0.5, -0.5], TOPICS).value is None


def test_a_share_is_of_texts_with_both_changes_and_withheld_where_one_is_missing():
    nan = float("nan")
    whole = [-1.0, -2.0, -1.5, -0.5, -1.0, nan]
    part = [0.5 * one for one in whole]
    assert share_of(part, whole, TOPICS) == share_of(part[:-1], whole[:-1], TOPICS[:-1])
    assert share_of(part, whole, TOPICS).value == pytest.approx(0.5)
    assert share_of([nan, *part[1:]], whole, TOPICS).value is None
    assert share_of([*part[:-1], -0.5], whole, TOPICS).value is None
    assert share_of([nan] * 6, [nan] * 6, TOPICS).value is None


def test_a_text_that_breaks_withholds_the_change():
    nan = float("nan")
    assert change([1.0, 2.0, nan], [0.5, 1.0, nan], ["a", "b", "c"]).value == -0.75
    assert change([1.0, 2.0], [0.5, nan], ["a", "b"]).value is None
    assert mean_change([1.0, 2.0], [0.5, nan]) is None


def verdict_of(found, written=None):
    return verdict([found], written)


def evidence(effect, p, random=(-0.001,) * 199, whole=-0.1, changed=(), order="change", least=0.31):
    estimate = Estimate(whole, whole - 0.02, whole + 0.02, 24)
    step = Step(100, effect, random, p, changed)
    share = Estimate((effect.value or 0) / whole, least, 0.55, 24)
    curve = Curve("ablation", "base", "gate", "latent_emoji_mass", estimate, estimate, (step,), order)
    return Evidence(curve, step, share, Step(100, Estimate(0.1, 0.05, 0.15, 24), (0.0, 0.01), None))


def test_verdicts_are_as_strong_as_the_evidence():
    strong = Estimate(-0.043, -0.06, -0.03, 24)
    assert verdict_of(evidence(strong, 0.005)).startswith(
        "The 100 most changed gate units carry 43 % (31 to 55 %) of the rise in latent emoji mass; none of 199 "
        "sets of random units of the same layers and activity did as much (p = 0.005). The log-likelihood"
    )
    assert "; 8 of 199 sets of random units of the same layers and activity did" in verdict_of(
        evidence(strong, 9 / 200)
    )
    unshown = verdict_of(evidence(strong, 0.41))
    assert "not shown to be more than random units do (81 of 199 sets" in unshown
    assert "causal" not in unshown
    assert "of the fall in" in verdict_of(evidence(Estimate(0.043, 0.03, 0.06, 24), 0.005, whole=0.1))
    assert "it may be none" in verdict_of(evidence(Estimate(-0.043, -0.09, 0.01, 24), 0.005))
    assert "too few random sets" in verdict_of(evidence(strong, None))
    vague = verdict_of(evidence(strong, 0.005, least=-0.4))
    assert vague.startswith(
        "With the 100 most changed gate units as in the untouched model the latent emoji mass is nearer"
    )
    assert "What share of the rise that is cannot be told (43 % (-40 to 55 %))." in vague
    assert "carry" not in vague


@pytest.mark.parametrize("p", [1.0, 0.005, None])
def test_a_reverse_effect_is_called_that(p):
    found = verdict_of(evidence(Estimate(0.043, 0.03, 0.06, 24), p))
    assert found.startswith("The reverse: with the 100 most changed gate units as in the untouched model")
    assert "(change 0.043, 0.03 to 0.06), so they hold the rise back." in found
    assert "log-likelihood" not in found


@pytest.mark.parametrize("p", [0.005, 0.024, 0.025, 0.03, 0.05])
def test_the_report_and_the_verdict_say_the_same_of_a_second_order(p):
    idle = evidence(Estimate(0.0, -0.01, 0.01, 24), 0.6)
    found = evidence(Estimate(-0.043, -0.06, -0.03, 24), p, order="effect")
    finding = CauseFinding((idle.mass, found.mass), (), (), verdict([idle, found]), 0.6)
    (answer,) = (one for one in answers({"cause": json.loads(to_json(finding))}) if one.question == CAUSE)
    assert answer.head.startswith("Yes, those") == (p < 0.025) == is_beyond_random(p, 2)
    assert ("with the largest expected effects carry" in finding.verdict) == (p < 0.025)


@pytest.mark.parametrize("p", [0.005, 0.0499, 0.05, 0.0501, 0.4, 1.0])
def test_the_report_and_the_verdict_call_the_same_more_than_random(p):
    found = evidence(Estimate(-0.043, -0.06, -0.03, 24), p)
    finding = CauseFinding((found.mass,), (), (), verdict_of(found), p)
    (answer,) = (one for one in answers({"cause": json.loads(to_json(finding))}) if one.question == CAUSE)
    assert answer.head == ("Yes." if p < 0.05 else "Not shown: removing random ones may do as much.")
    assert ("most changed gate units carry" in finding.verdict) == (p < 0.05) == is_beyond_random(p)
    assert ("not shown to be more than random units" in finding.verdict) == (p >= 0.05)


def test_the_verdict_names_other_changed_units_and_what_is_written():
    strong = Estimate(-0.043, -0.06, -0.03, 24)
    step = Step(100, Estimate(-0.31, -0.42, -0.2, 24), (-0.02, -0.01, 0.0), 1 / 21)
    start = Estimate(0.75, 0.6, 0.86, 24)
    written = Curve("ablation", "mean", "gate", "emoji_share", start, Estimate(-0.7, -0.8, -0.6, 24), (step,))
    found = verdict_of(evidence(strong, 0.005, changed=(-0.01, -0.02, -0.05)), written)
    assert " Other changed units: median -0.02, 20 % of the rise (1 of 3 sets of them did as much). " in found
    assert (
        " Of replies that are written 75 % have an emoji, and 44 % with these units held at their mean (change -0.31, "
        "-0.42 to -0.2; random units: median -0.01, none of 3 sets did as much)." in found
    )


def test_a_second_order_is_told_beside_the_first_and_each_has_half_of_the_level():
    idle, strong = Estimate(0.0, -0.01, 0.01, 24), Estimate(-0.043, -0.06, -0.03, 24)
    first, second = evidence(idle, 0.6), evidence(strong, 0.005, order="effect")
    step = Step(100, Estimate(-0.31, -0.42, -0.2, 24), (), None)
    start = Estimate(0.75, 0.6, 0.86, 24)
    found = verdict([first, second], Curve("ablation", "mean", "gate", "emoji_share", start, start, (step,), "effect"))
    assert found.startswith(
        "The 100 changed gate units with the largest expected effects carry 43 % (31 to 55 %) of the rise in latent "
        "emoji mass; none of 199 sets of random units of the same layers and activity did as much (p = 0.005). The "
        "log-likelihood"
    )
    assert "44 % with these units held at their mean" in found
    idle_words = (
        "The 100 most changed gate units account for 0 % (31 to 55 %) of the rise, p = 0.6, which is not shown to be "
        "more than random units do. Of 2 orders of units each counts where p is below 0.025."
    )
    assert found.endswith(idle_words)
    reverse = verdict([evidence(Estimate(0.043, 0.03, 0.06, 24), 1.0), second])
    assert "The 100 most changed gate units do the reverse (change 0.043, 0.03 to 0.06). Of 2 orders" in reverse
    weak = verdict([first, evidence(strong, 0.03, order="effect")])
    assert weak.startswith("The 100 most changed gate units account for 0 %")
    assert "effects account for 43 % (31 to 55 %) of the rise, p = 0.03, which is not shown to be more" in weak
    both = verdict([evidence(strong, 0.005), evidence(Estimate(-0.06, -0.07, -0.05, 24), 0.005, order="effect")])
    assert both.startswith("The 100 changed gate units with the largest expected effects carry 60 %")
    assert "The 100 most changed gate units carry 43 % (31 to 55 %) of the rise, p = 0.005. Of 2 orders" in both
    assert "Of 2 orders" not in verdict_of(evidence(strong, 0.005))


def test_what_does_not_rise_is_not_traced():
    assert nothing_to_trace(Estimate(0.1, 0.05, 0.15, 9)) is None
    assert nothing_to_trace(Estimate(-0.1, -0.2, -0.05, 9)) is None
    assert nothing_to_trace(Estimate(0.0001, -0.0002, 0.0004, 9)) == (
        "On the same texts the change that the edit makes to the latent emoji mass (0.0001, -0.0002 to 0.0004) cannot "
        "be told from 0, so there is nothing to trace."
    )
    for unknown in (Estimate(0.1, None, None, 1), Estimate(None, None, None, 3)):
        assert "cannot be measured" in nothing_to_trace(unknown)
        assert "nothing to trace" not in nothing_to_trace(unknown)
    assert direction(Estimate(0.1, None, None, 1)) is None
