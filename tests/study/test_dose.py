"""Curves with a known slope, saturation and collapse are told as such, and where there is none nothing is told."""

import random

import numpy as np
import pytest
from made_run import TOPICS, edited, noisy, score, write_cell, write_passages

from temperament.errors import RequestError
from temperament.record import Label, read_json
from temperament.study.course import DoseLimits, slope_of
from temperament.study.dose import FINDING, DoseResponse, dose_response, write_dose
from temperament.study.scored import Arm, signed_probability

FEW = "at least 2 strengths"


def made(folder, curve, strengths, spread=0.01, spoil=None, label=edited):
    """A run whose readings follow a curve of the strength; ``spoil`` says how many replies of a topic are gibberish."""
    write_cell(folder, Label(), noisy({}, spread, random.Random("untouched")))
    for strength in strengths:
        read = noisy({"extraversion": curve(strength)}, spread, random.Random(f"at {strength}"))
        write_cell(folder, label(strength), spoiled(read, spoil(strength)) if spoil else read)
    return dose_response(folder).doses


def spoiled(read, each):
    return lambda topic, number: {**read(topic, number), "fluency": {"gibberish": "loop" if number < each else None}}


def dose(doses, metric="trait_reading", **wanted):
    (found,) = [one for one in doses if one.metric == metric and all(getattr(one, k) == v for k, v in wanted.items())]
    return found


def test_a_known_slope_is_found_with_its_sign(tmp_path):
    strengths = (0.5, 1.0, 2.0)
    up = dose(made(tmp_path / "up", lambda s: 0.05 * s, strengths))
    down = dose(made(tmp_path / "down", lambda s: -0.05 * s, strengths))
    assert up.slope.estimate.lower < 0.05 < up.slope.estimate.upper
    assert down.slope.estimate.lower < -0.05 < down.slope.estimate.upper
    assert up.slope.is_told
    assert down.slope.is_told
    assert up.slope.strengths == (0.0, 0.5, 1.0, 2.0)
    assert [point.strength for point in up.points] == list(strengths)
    assert up.points[1].effect.value == pytest.approx(0.05, abs=0.01)
    assert (up.monotone.strength, up.saturation.strength, up.collapse.strength) == (2.0, None, None)
    assert up.saturation.reason == "still rising at 2"
    assert up.collapse.reason == "none up to 2"


def test_the_effect_of_a_low_target_counts_towards_its_pole(tmp_path):
    found = dose(made(tmp_path, lambda s: -0.05 * s, (1.0, 2.0), label=lambda s: edited(s, pole="low")))
    assert found.slope.estimate.value == pytest.approx(0.05, abs=0.01)


def test_the_slope_is_that_of_the_least_squares_line():
    draw = np.random.default_rng(0)
    strengths, topics = (0.0, 0.5, 1.0, 3.0), {(0, f"{number}"): f"{number % 8}" for number in range(24)}
    values = {strength: {key: draw.normal() for key in topics} for strength in strengths}
    base, *arms = [arm_of(values[strength], topics, strength) for strength in strengths]
    means = [np.mean(list(values[strength].values())) for strength in strengths]
    found = slope_of(base, arms, lambda score: score["value"]).estimate
    assert found.value == pytest.approx(np.polyfit(strengths, means, 1)[0])


def arm_of(values, topics, strength):
    scores = {key: {"value": value} for key, value in values.items()}
    return Arm("made", "qlora" if strength else "base", strength=strength, topics=topics, scores=scores)


@pytest.mark.parametrize(("count", "kind"), [(20, "normal"), (10, "yes or no")])
def test_where_nothing_changes_no_slope_is_told_in_95_of_100_studies(count, kind):
    draw, told, studies = np.random.default_rng(3), 0, 150
    topics = {(0, f"{number}"): f"{number % count}" for number in range(2 * count)}
    for _ in range(studies):
        level = {topic: draw.normal() for topic in topics.values()}
        arms = []
        for strength in (0.0, 0.5, 1.0, 2.0):
            values = {key: level[topic] + draw.normal() for key, topic in topics.items()}
            if kind == "yes or no":
                values = {key: float(value > 1) for key, value in values.items()}
            arms.append(arm_of(values, topics, strength))
        told += slope_of(arms[0], arms[1:], lambda score: score["value"]).is_told
    assert told <= 0.05 * studies


def test_where_nothing_changes_nothing_else_is_told_either(tmp_path):
    told = {"monotone": 0, "saturation": 0, "collapse": 0}
    for number in range(6):
        spread = noisy({}, 0.05, random.Random(f"flat {number}"))
        for strength in (0.0, 0.5, 1.0, 1.5):
            write_cell(tmp_path / str(number), edited(strength) if strength else Label(), spread)
        found = dose(dose_response(tmp_path / str(number)).doses)
        for what in told:
            told[what] += getattr(found, what).strength is not None
    assert max(told.values()) <= 1, told


@pytest.mark.parametrize("sign", [1, -1])
def test_saturation_is_where_the_curve_stops_rising_or_falling(tmp_path, sign):
    found = dose(made(tmp_path / "flat", lambda s: sign * 0.15 * min(s, 1.0), (0.5, 1.0, 1.5, 2.0)))
    assert found.saturation.strength == 1.0
    assert found.saturation.reason.startswith("no stronger one gains more than 0.0")
    assert (found.monotone.strength, found.collapse.strength) == (2.0, None)
    still = dose(made(tmp_path / "steep", lambda s: sign * 0.15 * s, (0.5, 1.0, 1.5)))
    assert (still.saturation.strength, still.saturation.reason) == (None, "still rising at 1.5")


def test_a_plateau_that_the_data_cannot_show_is_not_claimed(tmp_path):
    sharp, blurred = (
        dose(made(tmp_path / str(spread), lambda _s: 0.2, (0.5, 1.0, 1.5), spread)) for spread in (0.01, 0.08)
    )
    assert sharp.saturation.strength == 0.5
    assert blurred.slope.is_told
    assert blurred.points[0].effect.lower > 0
    assert blurred.saturation.strength is None
    assert "cannot be told" in blurred.saturation.reason


def test_an_effect_that_falls_again_has_collapsed_and_is_monotone_until_then(tmp_path):
    curve = {0.5: 0.08, 1.0: 0.15, 1.5: 0.15, 2.0: 0.02}.__getitem__
    found = dose(made(tmp_path, curve, (0.5, 1.0, 1.5, 2.0)))
    assert (found.collapse.strength, found.monotone.strength) == (2.0, 1.5)
    assert found.collapse.reason.startswith("the effect has fallen from strength 1")
    # The collapse plays no part in where it had stopped rising.
    assert found.saturation.strength == 1.0


def test_an_effect_that_points_down_falls_where_it_comes_back_up(tmp_path):
    curve = {1.0: -0.15, 2.0: -0.15, 3.0: -0.02}.__getitem__
    found = dose(made(tmp_path, curve, (1.0, 2.0, 3.0)))
    assert (found.collapse.strength, found.monotone.strength) == (3.0, 2.0)


def test_gibberish_is_a_collapse_whatever_the_effect_does_and_the_slope_ends_before_it(tmp_path):
    found = dose(made(tmp_path, lambda s: 0.05 * s, (1.0, 2.0, 3.0), spoil=lambda s: 1 if s > 2 else 0))
    assert found.collapse.strength == 3.0
    assert found.collapse.reason.startswith("gibberish rises by more than 0.1: 0.33 (")
    assert found.slope.strengths == (0.0, 1.0, 2.0)
    assert found.slope.estimate.value == pytest.approx(0.05, abs=0.01)
    assert found.points[2].gibberish.value == pytest.approx(1 / 3)
    assert found.saturation.reason.startswith("this needs at least 3 strengths above 0: there are 2")


def test_gibberish_of_the_untouched_model_is_no_collapse_of_an_edit(tmp_path):
    write_cell(tmp_path, Label(), spoiled(noisy({}), 1))
    for strength in (1.0, 2.0):
        write_cell(tmp_path, edited(strength), spoiled(noisy({}), 1))
    assert dose(dose_response(tmp_path).doses).collapse.strength is None


def test_neutral_text_that_surprises_the_edited_model_is_a_collapse(tmp_path):
    made(tmp_path, lambda s: 0.05 * s, (1.0, 2.0))
    write_passages(tmp_path, "untouched", dict.fromkeys(TOPICS, -3.0))
    for strength, value in ((1, -3.5), (2, -4.0)):
        draw = random.Random(strength)
        write_passages(
            tmp_path,
            f"made-qlora--extraversion-high-x{strength}-s0",
            {topic: value + draw.gauss(0, 0.05) for topic in TOPICS},
        )
    found = dose(dose_response(tmp_path).doses)
    assert found.points[0].perplexity.value == pytest.approx(np.exp(0.5), rel=0.1)
    assert found.points[0].perplexity.lower < np.exp(0.5) < found.points[0].perplexity.upper
    assert found.collapse.strength == 2.0
    assert found.collapse.reason.startswith("the perplexity of neutral text is more than 2 times")
    assert dose(dose_response(tmp_path, DoseLimits(perplexity=4.0)).doses).collapse.strength is None


def test_neutral_text_without_a_finite_probability_is_a_collapse(tmp_path):
    made(tmp_path, lambda s: 0.05 * s, (1.0,))
    write_passages(tmp_path, "untouched", dict.fromkeys(TOPICS, -3.0))
    write_passages(tmp_path, "made-qlora--extraversion-high-x1-s0", {**dict.fromkeys(TOPICS, -3.0), TOPICS[0]: None})
    found = dose(dose_response(tmp_path).doses)
    assert found.collapse.reason == "neutral text has no finite probability"
    assert (found.points[0].perplexity.value, found.points[0].perplexity.n) == (None, 12)


def test_replies_that_never_came_are_a_collapse(tmp_path):
    write_cell(tmp_path, Label(), noisy({}))
    write_cell(tmp_path, edited(1.0), noisy({}))
    write_cell(tmp_path, edited(2.0), lambda *_: None)
    found = dose(dose_response(tmp_path).doses)
    assert (found.collapse.strength, found.collapse.reason) == (2.0, "no reply can be read")


def test_few_strengths_say_what_they_cannot_tell(tmp_path):
    one = dose(made(tmp_path / "one", lambda s: 0.1 * s, (1.0,)))
    assert one.points[0].effect.lower > 0.05
    assert (one.slope.estimate.value, one.slope.is_told) == (None, False)
    assert FEW in one.slope.reason
    assert FEW in one.monotone.reason
    assert "at least 3 strengths above 0: there are 1" in one.saturation.reason
    two = dose(made(tmp_path / "two", lambda s: 0.05 * s, (1.0, 2.0)))
    assert two.slope.is_told
    assert two.monotone.strength == 2.0
    assert "at least 3 strengths above 0: there are 2" in two.saturation.reason


def test_strengths_below_0_are_in_the_slope_alone(tmp_path):
    found = dose(made(tmp_path, lambda s: 0.05 * s, (-1.0, 1.0)))
    assert found.slope.strengths == (0.0, -1.0, 1.0)
    assert found.slope.estimate.value == pytest.approx(0.05, abs=0.01)
    assert FEW in found.monotone.reason
    below = dose(made(tmp_path / "below", lambda s: 0.05 * s, (-2.0, -1.0)))
    assert below.slope.is_told
    assert below.collapse.reason == "there is no strength above 0"


def test_edits_that_differ_in_more_than_strength_have_doses_of_their_own(tmp_path):
    write_cell(tmp_path, Label(), noisy({}))
    for label in (edited(1.0), edited(1.0, method="mend"), edited(1.0, condition="shuffled"), edited(1.0, pole="low")):
        write_cell(tmp_path, label, noisy({}))
    write_cell(tmp_path, Label("adapter", "found", strength=1.0), noisy({}))
    doses = dose_response(tmp_path).doses
    assert len({(one.method, one.condition, one.pole) for one in doses}) == 5
    assert [one.metric for one in doses if one.method == "adapter"] == ["emoji_share"]
    assert len(doses) == 4 * 3 + 1


def test_labels_and_emojis_have_doses_too(tmp_path):
    write_cell(tmp_path, Label(), lambda *_: score({}, "openness:high"))
    for strength, hits in ((1.0, 1), (2.0, 2)):

        def read(topic, number, hits=hits):
            is_hit = (TOPICS.index(topic) + number) % 3 < hits
            return score({}, "extraversion:high" if is_hit else "unsure", emojis=("\U0001f389",) if is_hit else ())

        write_cell(tmp_path, edited(strength), read)
    for metric in ("trait_alignment", "emoji_share"):
        found = dose(dose_response(tmp_path).doses, metric)
        assert [point.effect.value for point in found.points] == pytest.approx([1 / 3, 2 / 3])
        assert found.slope.estimate.value == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gibberish": 0.0}, "gibberish is 0.0: it needs to be above 0 and at most 1"),
        ({"perplexity": 1.0}, "perplexity is 1.0: it needs to be above 1"),
        ({"plateau": 2.0}, "plateau is 2.0: it needs to be above 0 and at most 1"),
    ],
)
def test_limits_out_of_range_are_refused(settings, message):
    with pytest.raises(RequestError, match=message):
        DoseLimits(**settings)


def test_the_reading_of_a_reply_is_signed():
    read = score({"openness": -0.1})["alignment"]
    assert signed_probability(read, "openness") == pytest.approx(-0.1)
    assert signed_probability(None, "openness") is None
    assert signed_probability({"probabilities": None}, "openness") is None


def test_the_finding_lies_in_the_run(copied):
    found = write_dose(copied)
    assert read_json(copied / FINDING, DoseResponse) == found
    assert len(found.doses) == 2 * 3
    for one in found.doses:
        assert [point.strength for point in one.points] == [1.0, 2.0]
        assert one.points[0].perplexity.value > 0
        assert one.points[0].perplexity.n == 16
