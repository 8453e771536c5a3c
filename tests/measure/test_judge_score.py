import numpy as np
import pytest
import verdicts

from temperament.errors import MismatchError, RequestError, UnknownNameError
from temperament.measure.judge.bench import Bench, JudgeFinding
from temperament.measure.judge.judging import Judging, reference_texts, reply_texts, spread
from temperament.measure.judge.plan import JudgePlan
from temperament.measure.judge.scale import Scale
from temperament.measure.judge.score import JudgeScorer, personality_bench, tally
from temperament.measure.protocol import Scorer
from temperament.record import Generation, Label, Record, read_json
from temperament.settings import build
from temperament.subject.cost import Cost
from temperament.trait import Target

HIGH, LOW = Target("extraversion", "high"), Target("extraversion", "low")
SCALE = Scale("extraversion")
PLAN = JudgePlan(model="scripted", replies=None)


def records(reply_of, count=16):
    return [
        Record(
            subject="s",
            fingerprint="f",
            precision="p",
            label=Label(),
            generation=Generation(),
            item=f"item{number}",
            topic=f"topic {number // 2}",
            question=f"What of topic {number // 2}?",
            prompt="",
            reply=reply_of(number),
        )
        for number in range(count)
    ]


def by_number(answer, asked):
    """A judge that reads a rating off a reply such as '4' or, for the words of a pole, off its second number."""
    trait, _, word = answer.partition(" ")
    return int(word) if asked in ("extraverted", "introverted", "talkative", "shy") and word else int(trait)


def rated(reply_of, plan=PLAN, target=HIGH, judge=None, count=16):
    texts = reply_texts(records(reply_of, count), plan.replies)
    return Judging(texts, plan.scales([target])).administer(judge or verdicts.judge_who(by_number))


def measured(scorer, target=HIGH):
    return {found.metric: found for found in scorer.measure([], target)}


def test_the_score_is_the_mean_rating_from_the_low_pole_to_the_high_one():
    found = measured(JudgeScorer(rated(lambda n: "5" if n % 4 else "1")))["judge_score"]
    assert found.estimate.value == pytest.approx(4.0)
    assert found.estimate.lower < 4 < found.estimate.upper
    assert (found.estimate.n, found.measured_trait, found.measured_pole) == (16, "extraversion", "high")


def test_an_edit_to_the_high_pole_evaluates_above_0_and_one_to_the_low_pole_by_its_words_too():
    before = rated(lambda n: f"3 {2 + n % 2}")
    after = rated(lambda n: f"5 {4 + n % 2 * (n % 4 == 1)}")
    found = measured(JudgeScorer(after, before))["adjective_evaluation"]
    assert found.estimate.value == pytest.approx(np.mean([4 + n % 2 * (n % 4 == 1) - 2 - n % 2 for n in range(16)]))
    assert found.estimate.lower > 0
    turned = measured(JudgeScorer(before, after))["adjective_evaluation"]
    assert turned.estimate.value == pytest.approx(-found.estimate.value)
    low_before, low_after = rated(lambda n: "3 2", target=LOW), rated(lambda n: f"1 {4 + n % 2}", target=LOW)
    low = measured(JudgeScorer(low_after, low_before), LOW)["adjective_evaluation"]
    assert low.estimate.value == pytest.approx(2.5)
    assert low.measured_pole == "low"


def test_the_two_references_are_the_untouched_model_and_the_answer_of_the_data():
    opinions = verdicts.opinions_of(verdicts.labelled("test"))
    texts = reference_texts(opinions, records(lambda n: ""), HIGH)
    assert {text.text.split(" and ")[0] for text in texts} == {f"extraversion high on topic {n}" for n in range(8)}
    references = Judging(texts, PLAN.scales([HIGH])).administer(verdicts.judge_who(lambda *_: 4))
    assert {row.adjective for row in references} == {"extraverted", "talkative"}
    scorer = JudgeScorer(rated(lambda n: f"1 {1 + n % 2}"), rated(lambda n: "3 3"), references)
    assert measured(scorer)["adjective_evaluation"].estimate.value == pytest.approx(-1.5)
    assert measured(scorer)["adjective_evaluation_reference"].estimate.value == pytest.approx(-2.5)
    assert "adjective_evaluation" not in measured(JudgeScorer(rated(lambda n: "3 3"), (), references))
    assert "adjective_evaluation_reference" not in measured(JudgeScorer(rated(lambda n: "3 3")))


def test_a_reference_answers_the_same_question_where_there_is_one_and_topics_without_any_are_left_out():
    rows = verdicts.labelled("test", topics=("topic 0", "topic 1"))
    texts = reference_texts(verdicts.opinions_of(rows), records(lambda n: "", 8), LOW)
    assert [text.id for text in texts] == ["item0", "item1", "item2", "item3"]
    assert {text.shows for text in texts} == {"extraversion:low"}


def test_an_item_counts_only_where_both_sides_have_it():
    before = rated(lambda n: None if n == 3 else "3 2")
    after = rated(lambda n: "  " if n == 5 else f"5 {4 + n % 2}")
    found = measured(JudgeScorer(after, before))
    assert found["adjective_evaluation"].estimate.n == 14
    assert found["judge_score"].estimate.n == 15


def test_a_text_with_one_direction_missing_is_left_out_so_that_no_order_bias_comes_in():
    def halves(answer, asked):
        return 5

    rows = rated(lambda n: "5", judge=verdicts.judge_who(halves))
    spoiled = [
        row if row.id != "item0" or row.direction == "up" else type(row)(**{**vars(row), "rating": None})
        for row in rows
    ]
    assert measured(JudgeScorer(spoiled))["judge_score"].estimate.n == 15


def test_scores_are_withheld_with_the_reason_above_the_limit():
    rows = rated(lambda n: "5 5", judge=verdicts.judge_that_says("I would rather not."))
    scorer = JudgeScorer(rows, rated(lambda n: "3 2"))
    found = measured(scorer)
    assert [one.estimate.value for one in found.values()] == [None, None]
    assert set(found) == {"judge_score", "adjective_evaluation"}
    assert "unparsable 96" in scorer.tally.withheld
    assert scorer.read(records(lambda n: "5 5")) == [None] * 16
    after = JudgeScorer(rated(lambda n: "5 5"), rows)
    assert measured(after)["adjective_evaluation"].estimate.value is None
    assert measured(after)["judge_score"].estimate.value == 5


def test_replies_that_are_missing_are_no_fault_of_the_judge():
    found = tally(rated(lambda n: None if n < 12 else "4"), 0.1)
    assert (found.calls, found.rated, found.nothing_to_judge, found.withheld) == (24, 24, 72, "")


def test_the_scores_of_each_record_stand_by_trait_and_word():
    scorer = JudgeScorer(rated(lambda n: None if n == 1 else "4 2"))
    assert isinstance(scorer, Scorer)
    assert scorer.read(records(lambda n: "4 2"))[:2] == [
        {"traits": {"extraversion": 4.0}, "adjectives": {"extraverted": 2.0, "talkative": 2.0}},
        None,
    ]


def test_personality_bench_is_10_where_both_poles_are_reached_and_2_where_both_are_missed():
    high, low = rated(lambda n: "5"), rated(lambda n: "1", target=LOW)
    mean, variance = personality_bench(high, low, "extraversion")
    assert (mean.estimate.value, variance.estimate.value) == (10, 0)
    worst, _ = personality_bench(low, high, "extraversion")
    assert worst.estimate.value == 2
    assert (mean.measured_trait, mean.measured_pole) == ("extraversion", None)


def test_personality_bench_has_the_mean_and_the_variance_of_the_sums_of_items():
    high, low = rated(lambda n: str(3 + n % 3)), rated(lambda n: str(1 + n % 2), target=LOW)
    mean, variance = personality_bench(high, low, "extraversion")
    sums = [3 + n % 3 + 6 - (1 + n % 2) for n in range(16)]
    assert mean.estimate.value == pytest.approx(np.mean(sums))
    assert variance.estimate.value == pytest.approx(np.var(sums, ddof=1))
    assert variance.estimate.lower < variance.estimate.value < variance.estimate.upper


def test_personality_bench_is_withheld_with_one_of_its_sides():
    bad = rated(lambda n: "5", judge=verdicts.judge_that_says("no"))
    assert [one.estimate.value for one in personality_bench(bad, rated(lambda n: "1"), "extraversion")] == [None, None]
    assert personality_bench(rated(lambda n: "1"), [], "extraversion")[0].estimate.value is None


def test_every_cell_has_the_same_items_judged_spread_over_all():
    assert spread(range(10), 4) == [0, 2, 5, 7]
    assert spread(range(3), 4) == [0, 1, 2]
    assert spread(range(3), None) == [0, 1, 2]
    first, second = (reply_texts(records(lambda n, k=k: "x" * n * k), 5) for k in (1, 2))
    assert [text.id for text in first] == [text.id for text in second]
    assert len({text.topic for text in first}) == 5


def test_a_store_is_read_and_another_cells_store_is_refused(tmp_path):
    judge = verdicts.judge_who(by_number)
    texts = reply_texts(records(lambda n: "4"))
    first = Judging(texts, (SCALE,)).administer(judge, tmp_path / "a.jsonl")
    silent = verdicts.judge_that_says("nothing")
    assert Judging(texts, (SCALE,)).administer(silent, tmp_path / "a.jsonl") == first
    with pytest.raises(MismatchError, match=r"a\.jsonl holds ratings of other texts"):
        Judging(texts[:3], (SCALE,)).administer(judge, tmp_path / "a.jsonl")
    with pytest.raises(MismatchError):
        Judging(texts, (Scale("openness"),)).administer(judge, tmp_path / "a.jsonl")


def test_a_plan_is_read_from_a_table_and_says_what_it_costs():
    plan = build(
        JudgePlan, {"model": "http://h/v1#m", "replies": 10, "prompt_price": 2, "completion_price": 8}, "judge"
    )
    assert plan.is_remote
    # One trait and two of its words in both directions.
    assert plan.calls(200, [HIGH]) == 10 * 3 * 2
    assert [str(scale.adjective) for scale in plan.scales([HIGH, LOW])] == [
        *("", "extraverted", "talkative"),
        *("introverted", "shy"),
    ]
    assert plan.price(Cost(1, 1_000_000, 500_000, 0)) == 6.0
    assert JudgePlan().price(Cost(1, 1, 1, 0)) is None
    with pytest.raises(UnknownNameError, match="replies"):
        build(JudgePlan, {"reples": 10}, "judge")


@pytest.mark.parametrize(
    "wrong",
    [
        *({"replies": 0}, {"adjectives": -1}, {"most_missing": 1.0}, {"at_once": 0}, {"calls_per_minute": 0.0}),
        {"prompt_price": -1.0},
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        JudgePlan(**wrong)


def test_a_bench_rates_a_run_and_writes_what_the_report_shows(tmp_path):
    opinions = verdicts.opinions_of(verdicts.labelled(), verdicts.labelled("test", topics=("topic 20", "topic 21")))
    plan = JudgePlan(model="scripted", replies=8, calibration=4)
    bench = Bench(plan, tmp_path, opinions, "test", (HIGH,))
    judge = verdicts.judge_who(verdicts.truth)
    asked = [
        Record(**{**vars(record), "topic": f"topic {20 + number % 2}"})
        for number, record in enumerate(records(lambda n: "it is low on this"))
    ]
    bench.calibrate(judge)
    bench.rate_references(judge, asked)
    bench.rate(judge, "base-s0", asked)
    shaped = [Record(**{**vars(record), "reply": "it is high on this"}) for record in asked]
    bench.rate(judge, "qlora-s0", shaped, HIGH)
    found = measured(bench.scorer("qlora-s0", "base-s0"))
    assert {metric: one.estimate.value for metric, one in found.items()} == {
        "judge_score": 5.0,
        "adjective_evaluation": 4.0,
        "adjective_evaluation_reference": 0.0,
    }
    assert measured(bench.scorer("base-s0"))["adjective_evaluation_reference"].estimate.value == -4.0
    finding = bench.write_finding(["base-s0", "qlora-s0"])
    assert finding.tallies["qlora-s0"].calls == 8 * 3 * 2
    assert finding.traits.area.value == 1.0
    # Without a cache equal prompts are asked once in every cell, and here no two are equal.
    assert (finding.run_cost.calls, finding.run_cost.cached_calls) == (2 * 8 * 3 * 2 + 8 * 2 * 2 + 8 * 3 * 2 * 2, 0)
    assert read_json(tmp_path / "findings" / "judge.json", JudgeFinding) == finding


def test_a_finding_says_which_cells_lack_ratings_and_why(tmp_path):
    opinions = verdicts.opinions_of(verdicts.labelled(), verdicts.labelled("test", topics=("topic 20",)))
    bench = Bench(JudgePlan(model="scripted", replies=8, calibration=4), tmp_path, opinions, "test", (HIGH,))
    bench.calibrate(verdicts.judge_who(verdicts.truth))
    bench.rate(verdicts.judge_who(by_number), "base-s0", records(lambda n: "3 3"))
    bench.rate(verdicts.judge_that_says("no"), "qlora-s0", records(lambda n: "5 5"), HIGH)
    finding = bench.write_finding(["base-s0", "qlora-s0"])
    assert "48 of 96 calls gave no rating (unparsable 48)" in finding.says
    assert "Scores are withheld of qlora-s0." in finding.says
