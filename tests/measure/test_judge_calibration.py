import random

import numpy as np
import pytest
import verdicts
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from temperament.measure.judge.calibration import JudgeCard, calibrate, labelled_texts
from temperament.measure.judge.interval import rank_correlation, separation, variance
from temperament.measure.judge.plan import JudgePlan
from temperament.record import read_json, to_json, write_text
from temperament.trait import Target

HIGH = Target("extraversion", "high")
PLAN = JudgePlan(model="scripted", calibration=8)
OPINIONS = verdicts.opinions_of(verdicts.labelled(traits=("extraversion", "openness")), verdicts.labelled("measure"))


def card(judge, plan=PLAN, targets=(HIGH,), opinions=OPINIONS):
    return calibrate(judge, opinions, plan, targets)


def reversed_truth(answer, asked):
    return 6 - verdicts.truth(answer, asked)


def test_a_judge_that_reads_high_answers_as_5_separates_the_poles_wholly():
    found = card(verdicts.judge_who(verdicts.truth))
    assert found.traits.area.value == 1.0
    assert 0.5 < found.traits.area.lower < 1.0
    assert found.traits.area.upper == 1.0
    assert (found.traits.low.value, found.traits.high.value) == (1.0, 5.0)
    assert found.traits.correlation.value == pytest.approx(1.0)
    assert found.adjectives.area.value == 1.0
    assert found.traits.order_bias.value == 0.0
    assert found.traits.direction.difference.value == 0.0
    assert "it tells the poles of a trait (AUC 1.00" in found.says


def test_a_judge_that_has_the_poles_reversed_is_said_to():
    found = card(verdicts.judge_who(reversed_truth))
    assert found.traits.area.value == 0.0
    assert 0.0 < found.traits.area.upper < 0.5
    assert found.adjectives.area.value == 0.0
    assert found.traits.correlation.value == pytest.approx(-1.0)
    assert "the wrong way round" in found.says


def test_a_judge_that_always_says_3_is_exposed():
    found = card(verdicts.judge_that_says("3")).traits
    assert found.area.value == 0.5
    assert found.area.lower < 0.5 < found.area.upper
    assert found.spread == 0.0
    assert found.correlation.value is None
    assert found.wording.correlation.value is None
    # It agrees with itself all the same: that alone says nothing.
    assert found.wording.difference.value == 0.0
    assert "not shown to tell the poles of a trait better than chance" in str(card(verdicts.judge_that_says("3")))


def test_a_judge_that_leans_to_high_numbers_has_a_bias_above_0():
    found = card(verdicts.judge_that_says("5")).traits
    assert found.order_bias.value == 4.0
    assert found.direction.difference.value == 4.0
    assert (found.area.value, found.spread) == (0.5, 0.0)
    assert card(verdicts.judge_that_says("2")).traits.order_bias.value == -2.0


def test_without_both_directions_a_lean_cannot_be_seen_and_there_is_no_figure_for_it():
    found = card(verdicts.judge_that_says("5"), JudgePlan(model="s", calibration=8, is_counterbalanced=False)).traits
    assert found.order_bias.value is None
    assert found.direction.difference.value is None
    assert found.low.value == 5.0


def test_a_judge_that_counts_words_is_found_out_within_a_pole():
    def long_is_high(answer, asked):
        return min(5, 1 + len(answer.split()) // 3)

    found = card(verdicts.judge_who(long_is_high)).traits
    assert found.length_bias.value > 0.9
    assert found.area.value == 0.5
    honest = card(verdicts.judge_who(verdicts.truth)).traits
    assert honest.length_bias.value is None


def test_a_judge_that_draws_lots_does_not_agree_with_itself():
    draw = random.Random(0)
    found = card(
        verdicts.judge_who(lambda *_: draw.randint(1, 5)), targets=[Target("extraversion"), Target("openness")]
    ).traits
    assert abs(found.wording.correlation.value) < 0.6
    assert found.wording.difference.value > 0.5
    assert found.area.lower < 0.5 < found.area.upper


def test_traits_are_assessed_one_by_one_too():
    def knows_one(answer, asked):
        return verdicts.truth(answer, asked) if asked == "extraversion" else 3

    found = card(verdicts.judge_who(knows_one), targets=[Target("extraversion"), Target("openness")]).traits
    assert {trait: area.value for trait, area in found.by_trait.items()} == {"extraversion": 1.0, "openness": 0.5}
    assert found.area.value == 0.75


def test_figures_are_withheld_where_too_many_calls_fail():
    found = card(verdicts.judge_that_says("?"))
    assert found.traits.area.value is None
    assert found.traits.tally.missing == {"unparsable": 64}
    assert "withheld" in found.says


def test_no_topic_that_the_study_asks_about_is_used():
    rows = verdicts.labelled() + verdicts.labelled("test", topics=("Topic 1",)) + verdicts.labelled("measure")
    opinions = verdicts.opinions_of(rows)
    texts = labelled_texts(opinions, ["extraversion"], 20, "test")
    assert {text.topic for text in texts} == set(verdicts.TOPICS) - {"topic 1"}
    # Where validation itself is asked, the topics of the split measure serve, but for those that are asked.
    assert labelled_texts(opinions, ["extraversion"], 20, "validation") == []
    others = verdicts.opinions_of(verdicts.labelled(), verdicts.labelled("measure", topics=("other", "another")))
    assert {text.topic for text in labelled_texts(others, ["extraversion"], 20, "validation")} == {"other", "another"}


def test_both_poles_are_tried_on_the_same_topics_with_different_answers():
    texts = labelled_texts(OPINIONS, ["extraversion"], 4, "test")
    topics = {pole: [text.topic for text in texts if text.shows.endswith(pole)] for pole in ("low", "high")}
    assert topics["low"] == topics["high"]
    assert len({text.text for text in texts}) == 8
    two = labelled_texts(OPINIONS, ["extraversion", "openness"], 4, "test")
    assert {text.topic for text in two} == set(verdicts.TOPICS)


def test_without_labelled_answers_the_card_says_that_nothing_is_known():
    found = card(verdicts.judge_who(verdicts.truth), opinions=verdicts.opinions_of(verdicts.labelled("test")))
    assert (found.answers, found.split) == (0, "")
    assert "no labelled answers" in found.says


def test_a_card_can_be_written_and_read(tmp_path):
    found = card(verdicts.judge_who(verdicts.truth))
    write_text(tmp_path / "judge.json", to_json(found))
    assert read_json(tmp_path / "judge.json", JudgeCard) == found


def drawn(count=40, lift=0.8, seed=0):
    random = np.random.default_rng(seed)
    is_high = [bool(number % 2) for number in range(count)]
    ratings = np.clip(np.round(random.normal(3, 1, count) + lift * np.array(is_high)), 1, 5)
    return [float(rating) for rating in ratings], is_high, [f"t{number // 4}" for number in range(count)]


def test_separation_is_the_area_under_the_curve_of_another_implementation():
    ratings, is_high, topics = drawn()
    found = separation(ratings, is_high, topics, ["one"] * len(ratings))
    assert found.value == pytest.approx(roc_auc_score(is_high, ratings))
    assert found.lower < found.value < found.upper


def test_the_rank_correlation_is_that_of_another_implementation():
    ratings, _, topics = drawn()
    others = [rating + number % 3 for number, rating in enumerate(ratings)]
    found = rank_correlation(ratings, others, topics)
    assert found.value == pytest.approx(spearmanr(ratings, others).statistic)
    assert found.lower < found.value < found.upper <= 1


def test_pairs_are_made_within_groups_only():
    found = separation([1.0, 2.0, 4.0, 5.0], [False, True, False, True], ["a", "b", "a", "b"], ["x", "x", "y", "y"])
    assert found.value == 1.0
    assert separation([1.0], [True], ["a"], ["x"]).value is None
    assert separation([], [], [], []).value is None


def test_an_answer_in_two_groups_does_not_narrow_the_interval_of_a_perfect_separation():
    ratings, is_high, topics = [1.0, 5.0] * 10, [False, True] * 10, [f"t{n // 2}" for n in range(20)]
    names = [f"a{n}" for n in range(20)]
    once = separation(ratings, is_high, topics, ["x"] * 20, names)
    twice = separation(ratings * 2, is_high * 2, topics * 2, ["x"] * 20 + ["y"] * 20, names * 2)
    assert twice.lower == pytest.approx(once.lower)
    assert separation(ratings * 2, is_high * 2, topics * 2, ["x"] * 20 + ["y"] * 20).lower > once.lower


def test_the_interval_of_a_separation_covers_the_truth():
    """With 10 answers of each pole from normal ratings a standard deviation apart the area is 0.760."""
    hits = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        ratings = [float(value) for value in random.normal(0, 1, 20) + np.tile([0, 1], 10)]
        found = separation(ratings, [False, True] * 10, [f"t{n // 2}" for n in range(20)], ["x"] * 20)
        hits += found.lower <= 0.760 <= found.upper
    assert hits >= 54


def test_one_topic_or_no_spread_has_no_interval():
    assert variance([1.0, 2.0], ["a", "a"]).lower is None
    assert variance([2.0, 2.0], ["a", "b"]).lower is None
    assert variance([2.0], ["a"]).value is None
    found = variance([1.0, 2.0, 4.0, 4.5], ["a", "b", "c", "d"])
    assert found.value == pytest.approx(np.var([1, 2, 4, 4.5], ddof=1))
    assert 0 <= found.lower < found.value < found.upper
