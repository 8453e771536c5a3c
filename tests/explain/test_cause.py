"""On a model of which all is known: the three units that write emojis are found, the one that seems to is not."""

from dataclasses import replace

import pytest
import torch
from planted_model import FACE, FIRES, A, B, C, D, changed, planted, planted_edit, planted_texts, unit

from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.errors import RequestError, SeamError
from temperament.explain.ablation import Setting
from temperament.explain.cause import CauseLens, Others, rank_by_cause
from temperament.explain.confirmation import Trial, confirmed
from temperament.explain.consequence import change, direction, mean_change, rank_p, share_of
from temperament.explain.curve import Planner
from temperament.explain.finding import CauseFinding, Curve, Step, Unit
from temperament.explain.probe import Condition, Probe
from temperament.explain.unit import UnitLens
from temperament.explain.verdict import Evidence, nothing_to_trace, verdict
from temperament.record import Generation, read_json, to_json, write_text
from temperament.stats import Estimate
from temperament.subject.anatomy import Site
from temperament.subject.scripted import ScriptedSubject

LENS = CauseLens(counts=(1, 3), sets=99, main=3, generated=0, alone=4)
TOPICS = ["tea", "tea", "rain", "sun", "sea", "sky"]


@pytest.fixture(scope="module")
def found():
    subject = planted()
    return LENS.look(subject, planted_edit(), changed(A, B, C, D), planted_texts(4, 1))


def curve_of(found, name="ablation", place="gate", outcome="latent_emoji_mass"):
    return next(one for one in found.curves if (one.name, one.place, one.outcome) == (name, place, outcome))


def test_setting_the_writing_units_back_takes_away_the_whole_rise(found):
    curve = curve_of(found)
    assert curve.whole.upper < -0.05
    assert [step.count for step in curve.steps] == [1, 3]
    assert curve.steps[1].effect.value == pytest.approx(curve.whole.value)
    assert curve.whole.value < curve.steps[0].effect.value < 0.5 * curve.whole.value
    assert max(map(abs, curve.steps[1].random)) == 0
    assert curve.steps[1].p == pytest.approx(0.01)


def test_carrying_them_over_to_the_untouched_model_makes_the_whole_rise(found):
    curve = curve_of(found, "transplant")
    assert curve.whole.lower > 0.05
    assert curve.steps[1].effect.value == pytest.approx(curve.whole.value)
    assert curve.steps[1].p == pytest.approx(0.01)
    assert curve.start.value < 0.001 < curve_of(found).start.value


def test_p_is_given_only_where_there_are_sets_enough(found):
    assert [(len(step.random), step.p is None) for step in curve_of(found).steps] == [(19, True), (99, False)]


def test_the_verdict_says_so(found):
    assert found.verdict.startswith(
        "The 3 most changed gate units carry 100 % of the rise in latent emoji mass; none of 99 random sets did as "
        "much (p = 0.01)."
    )
    assert found.verdict_p == curve_of(found).steps[1].p


def test_units_are_ranked_by_what_they_do_and_the_idle_one_does_exactly_nothing(found):
    assert [one.unit for one in found.alone] == [unit(number) for number in (A, B, C, D)]
    assert [one.effect.value for one in found.alone] == sorted(one.effect.value for one in found.alone)
    assert found.alone[2].effect.upper < 0
    assert found.alone[3].effect.value == 0


def test_a_finding_survives_being_written(found, tmp_path):
    write_text(tmp_path / "cause.json", to_json(found))
    assert read_json(tmp_path / "cause.json", CauseFinding) == found


def test_the_lens_of_units_gives_the_idle_unit_too_and_the_cause_tells_them_apart():
    subject, edit, texts = planted(), planted_edit(), planted_texts(8, 1)
    changes = UnitLens(places=("gate",)).look(subject, edit, texts).changes
    # What is written changes the norm of the stream, and with it all that later layers do: changed, and idle, too.
    assert {change.unit for change in changes if change.unit.layer < 2} == {unit(number) for number in FIRES}
    chosen = [change.unit for change in changes][:20]
    ranked = rank_by_cause(Probe(subject, edit, texts), edit, [*dict.fromkeys([*chosen, *map(unit, FIRES)])])
    assert [one.unit for one in ranked[:3]] == [unit(number) for number in (A, B, C)]
    assert all(one.effect.value == 0 > ranked[2].effect.value for one in ranked[3:])
    assert unit(D) in {one.unit for one in ranked[3:]}


def test_correlated_units_without_a_consequence_are_called_that():
    found = replace(LENS, counts=(1,), main=1, alone=0).look(
        planted(), planted_edit(), changed(D), planted_texts(3, 1), Others(apart=tuple(map(unit, (A, B, C))))
    )
    assert found.verdict == (
        "The 1 most changed gate units account for 0 % of the rise in latent emoji mass, no more than random sets do "
        "(99 of 99 did as much, p = 1): correlated, not causal."
    )


def test_an_edit_that_changes_nothing_leaves_nothing_to_trace():
    found = LENS.look(planted(), planted_edit(0.0), changed(A), planted_texts(4, 1))
    assert found.verdict == "The edit does not change the latent emoji mass of any text, so there is nothing to trace."
    assert (found.curves, found.verdict_p) == ((), None)
    assert found.missing[0].name == "curves"


def test_without_changed_units_there_is_no_curve():
    outlier = replace(changed(A)[0], is_outlier=True)
    for changes in ([], [outlier]):
        found = LENS.look(planted(), planted_edit(), changes, planted_texts(4, 1))
        assert (found.curves, found.verdict_p) == ((), None)
        assert "no unit changed beyond the stated rate" in found.verdict.lower()


def test_units_of_all_places_have_a_curve_of_their_own_beside_that_of_gates():
    faces = replace(changed(A)[0], unit=Unit(1, "residual", FACE), effect=20.0)
    lens = replace(LENS, sets=2, counts=(1, 2), main=1, alone=0)
    found = lens.look(planted(), planted_edit(), [*changed(B), faces], planted_texts(4, 1))
    assert {curve.place for curve in found.curves} == {"gate", "all"}
    everything = curve_of(found, place="all")
    # The dimension that faces are written in comes first, and nothing is written without it.
    assert everything.steps[0].effect.value == pytest.approx(everything.whole.value, rel=1e-2)
    assert "too few random sets" in found.verdict


def test_edits_of_prompts_can_be_traced(lively):
    subject = lively("gpt2")
    edit = ContextEdit(Origin("prompt"), system="Be cheerful, always.")
    probe = Probe(subject, edit, planted_texts(4, 1))
    units = [Unit(2, place, 5) for place in ("mlp", "residual", "attention")]
    assert {one.unit for one in rank_by_cause(probe, edit, units)} == set(units)


def test_replies_with_the_units_held_at_their_mean_have_fewer_emojis_and_as_many_with_random_ones():
    subject, edit, texts = planted(), planted_edit(1.5), planted_texts(12, 1)
    random = tuple(tuple(unit(number) for number in numbers) for numbers in ((50, 51, 52), (D, 2, 3)))
    levels = {Site(1, "gate"): torch.zeros(64)}
    trial = Trial("gate", tuple(map(unit, (A, B, C))), random, levels)

    def is_torn(replies):
        return [float("\ufffd" in reply) for reply in replies]

    generation = Generation(max_new_tokens=12, temperature=1.0, top_p=1.0)
    curves = {curve.outcome: curve for curve in confirmed(subject, edit, texts, trial, generation, {"torn": is_torn})}
    assert set(curves) == {"emoji_share", "words", "torn"}
    step = curves["torn"].steps[0]
    assert step.effect.value <= curves["torn"].whole.value / 2 < -0.2
    assert max(map(abs, step.random)) < 0.1
    assert step.p is None


def test_a_condition_leaves_no_trace_when_a_score_fails(logits_of):
    subject = planted()
    before = logits_of(subject)
    trial = Trial("gate", (unit(A),), (), {Site(1, "gate"): torch.zeros(64)})

    def fail(_replies):
        raise KeyError

    with pytest.raises(KeyError):
        confirmed(subject, planted_edit(), planted_texts(2, 1), trial, Generation(max_new_tokens=2), {"broken": fail})
    assert torch.equal(before, logits_of(subject))


def test_counts_end_with_all_the_units_there_are():
    planner = Planner((10, 30, 100), 99, 100, 0)
    assert planner.counts_of(57) == [10, 30, 57]
    assert planner.counts_of(4) == [4]
    assert planner.counts_of(300) == [10, 30, 100]


def test_too_many_units_have_no_random_sets_and_it_is_said():
    units = [unit(number) for number in range(40)]
    plan = Planner((3, 40), 99, 3, 0).plan("gate", units, {Site(1, "gate"): torch.arange(64.0)}, (), is_leading=True)
    assert [len(step.random) for step in plan.steps] == [99, 0]
    assert len(plan.tried.top) == 3
    assert "it has only 24 others" in plan.remarks[-1]


def test_what_makes_no_sense_is_refused():
    with pytest.raises(RequestError, match="fewest first"):
        CauseLens(counts=(30, 10))
    with pytest.raises(SeamError):
        LENS.look(ScriptedSubject(lambda _: "yes"), planted_edit(), changed(A), planted_texts(2, 1))


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


def test_a_text_that_breaks_withholds_the_change():
    nan = float("nan")
    assert change([1.0, 2.0, nan], [0.5, 1.0, nan], ["a", "b", "c"]).value == -0.75
    assert change([1.0, 2.0], [0.5, nan], ["a", "b"]).value is None
    assert mean_change([1.0, 2.0], [0.5, nan]) is None


def evidence(effect, p, random=(-0.001,) * 199, whole=-0.1):
    estimate = Estimate(whole, whole - 0.02, whole + 0.02, 24)
    step = Step(100, effect, random, p)
    share = Estimate((effect.value or 0) / whole, 0.31, 0.55, 24)
    curve = Curve("ablation", "base", "gate", "latent_emoji_mass", estimate, estimate, (step,))
    return Evidence(curve, step, share, Step(100, Estimate(0.1, 0.05, 0.15, 24), (0.0, 0.01), None))


def test_verdicts_are_as_strong_as_the_evidence():
    strong = Estimate(-0.043, -0.06, -0.03, 24)
    assert verdict(evidence(strong, 0.005)).startswith(
        "The 100 most changed gate units carry 43 % (31 to 55 %) of the rise in latent emoji mass; none of 199 random "
        "sets did as much (p = 0.005). The log-likelihood"
    )
    assert "8 of 199 random sets did as much (p = 0.045)" in verdict(evidence(strong, 9 / 200))
    assert "correlated, not causal" in verdict(evidence(strong, 0.41))
    assert "81 of 199 did as much" in verdict(evidence(strong, 0.41))
    assert "of the fall in" in verdict(evidence(Estimate(0.043, 0.03, 0.06, 24), 0.005, whole=0.1))
    assert "it may be none" in verdict(evidence(Estimate(-0.043, -0.09, 0.01, 24), 0.005))
    assert "too few random sets" in verdict(evidence(strong, None))


def test_what_does_not_rise_is_not_traced():
    assert nothing_to_trace(Estimate(0.1, 0.05, 0.15, 9)) is None
    assert nothing_to_trace(Estimate(-0.1, -0.2, -0.05, 9)) is None
    assert nothing_to_trace(Estimate(0.0001, -0.0002, 0.0004, 9)) == (
        "On the same texts the edit does not raise the latent emoji mass (change 0.0001, -0.0002 to 0.0004), so "
        "there is nothing to trace."
    )
    assert "cannot be told" in nothing_to_trace(Estimate(0.1, None, None, 1))
    assert direction(Estimate(0.1, None, None, 1)) is None


def test_holding_no_units_is_reading_the_model_as_it_is():
    subject, edit = planted(), planted_edit()
    assert Setting.to_zero(()).numbers == {}
    probe = Probe(subject, edit, planted_texts(2, 1))
    assert probe.values([Condition(edit)]) == probe.values([Condition(edit, ())])
