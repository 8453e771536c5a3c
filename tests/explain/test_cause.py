"""On a model of which all is known: the three units that write emojis are found, the one that seems to is not."""

import json
from dataclasses import replace

import pytest
import torch
from planted_model import FACE, FIRES, A, B, C, D, planted, planted_edit, planted_texts, unit, units

from temperament.activation.forcing import applied, encoded
from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.errors import RequestError, SeamError
from temperament.explain.ablation import Setting
from temperament.explain.cause import CauseLens, Others
from temperament.explain.confirmation import Trial, askable, confirmed
from temperament.explain.consequence import change, mean_change, widened
from temperament.explain.curve import Planner
from temperament.explain.emoji_token import emoji_tokens
from temperament.explain.finding import CauseFinding, Unit
from temperament.explain.outcome import LATENT_MASS
from temperament.explain.patching import expected_effects
from temperament.explain.probe import Condition, From, Probe
from temperament.explain.text import Text
from temperament.explain.unit import UnitLens
from temperament.record import Generation, read_json, to_json, write_text
from temperament.report.explain_answer import CAUSE, answers
from temperament.stats import Estimate
from temperament.subject.anatomy import Site
from temperament.subject.base import as_conversation
from temperament.subject.scripted import ScriptedSubject

LENS = CauseLens(counts=(1, 3), sets=99, main=3, generated=0, alone=4)


@pytest.fixture(scope="module")
def found():
    subject = planted()
    return LENS.look(subject, planted_edit(), units(A, B, C, D), planted_texts(4, 1))


def curve_of(found, name="ablation", place="gate", outcome="latent_emoji_mass", values="base"):
    wanted = (name, place, outcome, values)
    return next(one for one in found.curves if (one.name, one.place, one.outcome, one.values) == wanted)


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
    assert [(len(step.random), step.p is None) for step in curve_of(found).steps] == [(9, True), (99, False)]


def test_the_verdict_says_so(found):
    assert found.verdict.startswith(
        "The 3 most changed gate units carry 100 % of the rise in latent emoji mass; none of 99 sets of random units "
        "of the same layers and activity did as much (p = 0.01)."
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
    lens = CauseLens(counts=(1,), sets=1, main=1, generated=0, alone=24)
    alone = lens.look(subject, edit, [*chosen, *units(*FIRES)], texts).alone
    assert [one.unit for one in alone[:3]] == [unit(number) for number in (A, B, C)]
    assert all(one.effect.value == 0 > alone[2].effect.value for one in alone[3:])
    assert unit(D) in {one.unit for one in alone[3:]}


def test_the_gradient_on_other_texts_ranks_units_by_what_they_write(logits_of):
    subject, edit, site = planted(), planted_edit(), Site(1, "gate")
    before = logits_of(subject)
    expected = expected_effects(subject, edit, [site], planted_texts(3, 2))[site]
    assert expected.argsort()[:3].tolist() == [A, B, C]
    assert (expected[list({*range(64)} - {A, B, C})] == 0).all()
    first, without = (
        one[LATENT_MASS]
        for one in Probe(subject, edit, planted_texts(3, 2)).values([Condition(edit), Condition(edit, units(C))])
    )
    # To the first order, and of the first byte of an emoji alone.
    assert 0.5 < mean_change(first, without) / float(expected[C]) < 1
    assert torch.equal(before, logits_of(subject))


@pytest.mark.parametrize(("architecture", "place"), [("gpt2", "mlp"), ("gemma2", "gate"), ("llama", "attention")])
def test_expected_effects_are_those_of_small_changes_whatever_the_edit(lively, architecture, place):
    subject, site = lively(architecture), Site(2, place)
    texts = [replace(text, is_finished=True) for text in planted_texts(3, 1)]
    shift = 1e-3 * torch.randn(subject.width(site), generator=torch.Generator().manual_seed(1))
    small = ActivationEdit(Origin("shift"), shifts={site: Shift(shift)})
    # All units together go back to where they were, so that the whole change is what is expected of them.
    expected = float(expected_effects(subject, small, [site], texts)[site].sum())
    tokens = emoji_tokens(subject)
    before, after = (_mean_mass(subject, edit, texts, tokens) for edit in (None, small))
    assert expected == pytest.approx(before - after, rel=0.05)
    longer = ContextEdit(Origin("prompt"), system="Be cheerful, always.")
    assert expected_effects(subject, longer, [site], texts)[site].abs().max() > 0
    assert expected_effects(subject, longer, [site], [Text("long", "word " * 400, "fox")]) == {}
    assert expected_effects(subject, longer, [], texts) == {}


def _mean_mass(subject, edit, texts, tokens):
    """The mass of beginnings at the positions of replies, their end among them, by a whole pass for each."""
    masses = []
    with torch.no_grad(), applied(edit, subject):
        for row in encoded(subject, [text.exchange for text in texts]):
            ids = torch.tensor([[*row.prompt, *row.answer]])
            is_reply = torch.zeros_like(ids, dtype=torch.bool)
            is_reply[0, len(row.prompt) - 1 :] = True
            with subject.marking(is_reply):
                shares = subject.model(input_ids=ids).logits[0].double().softmax(dim=-1)
            masses.append(float(shares[len(row.prompt) - 1 :, tokens.beginnings].sum(dim=-1).mean()))
    return sum(masses) / len(masses)


def test_two_orders_of_the_same_units_are_one():
    subject, edit = planted(), planted_edit()
    expected = expected_effects(subject, edit, [Site(1, "gate")], planted_texts(4, 1))
    found = LENS.look(subject, edit, units(C, B, A), planted_texts(4, 1), Others(expected=expected))
    assert {curve.order for curve in found.curves} == {"change"}
    assert "orders of units" not in found.verdict
    assert (found.verdict_order, found.main) == ("change", 3)


def test_where_the_most_changed_unit_is_idle_the_order_of_expected_effects_finds_those_that_write():
    subject, edit = planted(), planted_edit()
    expected = expected_effects(subject, edit, [Site(1, "gate")], planted_texts(8, 1)[4:])
    lens = replace(LENS, sets=199, main=1, counts=(1, 3), generated=20, generation=Generation(max_new_tokens=2))
    ranked = units(D, *FIRES)
    found = lens.look(subject, edit, ranked, planted_texts(4, 1), Others(expected=expected))
    changed, effect = (
        next(one for one in found.curves if one.name == "ablation" and one.order == order)
        for order in ("change", "effect")
    )
    assert (changed.steps[0].effect.value, changed.steps[0].p) == (0, 1)
    assert effect.steps[0].effect.upper < 0
    assert effect.steps[0].p == pytest.approx(0.005)
    assert effect.steps[1].effect.value == pytest.approx(effect.whole.value)
    assert found.verdict.startswith("The 1 changed gate units with the largest expected effects carry ")
    assert found.generated[0].order == "effect"
    assert (found.verdict_order, found.verdict_p, found.main) == ("effect", effect.steps[0].p, 1)
    assert [one.unit for one in found.alone] == [unit(number) for number in (A, B, C, D)]
    assert {(curve.name, curve.order) for curve in found.curves} == {
        (name, order) for name in ("ablation", "transplant") for order in ("change", "effect")
    }


def test_changed_units_without_a_consequence_are_not_shown_to_be_more_than_random_ones():
    found = replace(LENS, counts=(1,), main=1, alone=0).look(
        planted(), planted_edit(), units(D), planted_texts(3, 1), Others(apart=units(A, B, C))
    )
    assert found.verdict == (
        "The 1 most changed gate units account for 0 % of the rise in latent emoji mass, which is not shown to be more "
        "than random units do (99 of 99 sets of random units of the same layers and activity did as much, p = 1)."
    )


def test_other_changed_units_stand_beside_the_first_ones():
    lens = replace(LENS, sets=3, counts=(1, 2, 4), main=2, alone=0)
    found = lens.look(planted(), planted_edit(), units(A, B, C, D), planted_texts(4, 1))
    steps = curve_of(found).steps
    assert [len(step.changed) for step in steps] == [0, 1, 0]
    # All that is left beside A and B is C, which does little, and D, which does nothing.
    assert steps[2].effect.value < steps[1].effect.value < steps[1].changed[0] < 0
    assert "Other changed units: median -" in found.verdict
    assert "(none of 1 sets of them did as much)" in found.verdict
    assert all(not step.changed for step in curve_of(found, "transplant").steps)


def test_too_few_other_changed_units_are_a_reason(found):
    reasons = [reason.reason for reason in found.missing if reason.name == "random sets"]
    assert any("beside 3 (gate) the edit changed 1 other units, too few" in reason for reason in reasons)
    assert "Other changed units" not in found.verdict


def test_units_are_also_set_to_zero_and_to_their_mean(found):
    zero, mean = (curve_of(found, values=values) for values in ("zero", "mean"))
    whole = curve_of(found).whole
    for curve in (zero, mean):
        (step,) = curve.steps
        assert (step.count, step.random, step.p) == (3, (), None)
        assert curve.whole == whole
        assert step.effect.value == pytest.approx(whole.value, rel=0.05)
    # In the untouched model no unit fires, but a little less than nothing is not zero.
    assert zero.steps[0].effect.value != mean.steps[0].effect.value
    assert found.curves.index(zero) > found.curves.index(curve_of(found, "transplant"))


def test_intervals_of_single_units_hold_for_all_that_were_tried(found):
    probe = Probe(planted(), planted_edit(), planted_texts(4, 1))
    first, alone = probe.values([Condition(planted_edit()), Condition(planted_edit(), units(A))])
    plain = change(first[LATENT_MASS], alone[LATENT_MASS], probe.topics)
    wide = found.alone[0].effect
    assert wide.value == pytest.approx(plain.value)
    # Student's quantiles with 3 degrees of freedom: 5.392 at 0.05 / 4, 3.182 at 0.05.
    assert (wide.upper - wide.value) / (plain.upper - plain.value) == pytest.approx(5.392 / 3.182, rel=1e-3)
    assert widened(plain, 1, probe.topics) == plain
    assert widened(Estimate(1.0, None, None, 3), 9, ["a"]).lower is None


def test_an_ablation_that_breaks_one_text_withholds_and_does_not_fail(monkeypatch):
    values = Probe.values

    def broken(self, conditions, progress=None):
        found = values(self, conditions, progress)
        for condition, one in zip(conditions, found, strict=True):
            if condition.units:
                one[LATENT_MASS][1] = float("nan")
        return found

    monkeypatch.setattr(Probe, "values", broken)
    found = replace(LENS, sets=2).look(planted(), planted_edit(), units(A, B, C, D), planted_texts(4, 1))
    assert "some texts have no latent emoji mass, so nothing can be said" in found.verdict
    assert found.verdict_p is None


def test_models_that_cannot_try_tokens_are_not_said_to_have_nothing_to_trace(monkeypatch):
    monkeypatch.setattr("temperament.explain.tail.is_packable", lambda _model: False)
    found = LENS.look(planted(), planted_edit(), units(A, B, C), planted_texts(4, 1))
    # No single byte makes an emoji certain.
    assert "cannot be measured" in found.verdict
    assert "cannot try tokens" in found.verdict
    assert "nothing to trace" not in found.verdict
    (answer,) = (one for one in answers({"cause": json.loads(to_json(found))}) if one.question == CAUSE)
    assert answer.head == "Not known."
    assert "cannot be measured" in found.missing[0].reason


def test_a_vocabulary_that_writes_no_emoji_is_not_said_to_have_nothing_to_trace(monkeypatch):
    plain = [bytes((number,)) if number < 128 else None for number in range(256)]
    monkeypatch.setattr("temperament.explain.probe.spell", lambda _tokenizer: plain)
    probe = Probe(planted(), planted_edit(), planted_texts(2, 1))
    assert probe.is_blind
    assert "no few tokens of the vocabulary" in probe.unseen
    monkeypatch.undo()
    seeing = Probe(planted(), planted_edit(), planted_texts(2, 1))
    assert (seeing.is_blind, seeing.unseen) == (False, None)


def test_an_edit_that_changes_nothing_leaves_nothing_to_trace():
    found = LENS.look(planted(), planted_edit(0.0), units(A), planted_texts(4, 1))
    assert found.verdict == (
        "On the same texts the change that the edit makes to the latent emoji mass (0) cannot be told from "
        "0, so there is nothing to trace."
    )
    assert (found.curves, found.verdict_p) == ((), None)
    assert found.missing[0].name == "curves"


def test_without_changed_units_there_is_no_curve():
    found = LENS.look(planted(), planted_edit(), (), planted_texts(4, 1))
    assert (found.curves, found.verdict_p) == ((), None)
    assert found.verdict == "No unit was shown to change beyond the stated rate, so there is none to try."


def test_units_of_all_places_have_a_curve_of_their_own_beside_that_of_gates():
    lens = replace(LENS, sets=2, counts=(1, 2), main=1, alone=0)
    found = lens.look(planted(), planted_edit(), [Unit(1, "residual", FACE), unit(B)], planted_texts(4, 1))
    assert {curve.place for curve in found.curves} == {"gate", "all"}
    everything = curve_of(found, place="all")
    # The dimension that faces are written in comes first, and nothing is written without it.
    assert everything.steps[0].effect.value == pytest.approx(everything.whole.value, rel=1e-2)
    assert "too few random sets" in found.verdict


def test_edits_of_prompts_can_be_traced(lively):
    subject = lively("gpt2")
    edit = ContextEdit(Origin("prompt"), system="Be cheerful, always.")
    probe = Probe(subject, edit, planted_texts(4, 1))
    chosen = tuple(Unit(2, place, 5) for place in ("mlp", "residual", "attention"))
    found = probe.values([Condition(edit), Condition(edit, chosen), Condition(None, chosen, From(edit))])
    assert found[0] != found[1] != found[2]


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


def test_a_prompt_that_is_too_long_is_not_asked_and_the_others_are():
    subject, edit = planted(), planted_edit()
    texts = [*planted_texts(3, 1), Text("long", "word " * 400, "quick fox")]
    room = subject.window - len(subject.encode(as_conversation(texts[0].question), "a").prompt) - 40
    generation = Generation(max_new_tokens=room)
    kept, reason = askable(subject, edit, texts, generation)
    assert kept == texts[:3]
    assert reason.reason.startswith(f"1 of 4 prompts leave no room for {room} new tokens")
    assert askable(subject, edit, texts[:3], generation) == (texts[:3], None)


def test_a_finding_outlives_prompts_that_are_too_long():
    subject = planted()
    lens = replace(LENS, sets=2, generated=1, alone=0, generation=Generation(max_new_tokens=subject.window))
    found = lens.look(subject, planted_edit(), units(A, B, C), planted_texts(3, 1))
    assert found.curves
    assert found.generated == ()
    assert "3 of 3 prompts leave no room" in next(one.reason for one in found.missing if one.name == "generated")


def test_counts_end_with_all_the_units_there_are():
    planner = Planner((10, 30, 100), 99, 100, 0)
    assert planner.counts_of(57) == [10, 30, 57]
    assert planner.counts_of(4) == [4]
    assert planner.counts_of(300) == [10, 30, 100]


def test_too_many_units_have_no_random_sets_and_it_is_said():
    many = units(*range(40))
    plan = Planner((3, 40), 99, 3, 0).plan("gate", many, {Site(1, "gate"): torch.arange(64.0)}, (), is_leading=True)
    assert [len(step.random) for step in plan.steps] == [99, 0]
    assert len(plan.tried.top) == 3
    assert "it has only 24 others" in plan.remarks[-1]


def test_what_makes_no_sense_is_refused():
    with pytest.raises(RequestError, match="fewest first"):
        CauseLens(counts=(30, 10))
    with pytest.raises(SeamError):
        LENS.look(ScriptedSubject(lambda _: "yes"), planted_edit(), units(A), planted_texts(2, 1))


def test_holding_no_units_is_reading_the_model_as_it_is():
    subject, edit = planted(), planted_edit()
    assert Setting.to_zero(()).numbers == {}
    probe = Probe(subject, edit, planted_texts(2, 1))
    assert probe.values([Condition(edit)]) == probe.values([Condition(edit, ())])
