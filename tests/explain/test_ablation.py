"""Setting units: at replies alone, after what stands there already, and without a trace."""

import pytest
import torch
from planted_model import A, B, C, D, planted, planted_edit, planted_texts, unit

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.errors import SeamError
from temperament.explain.ablation import Setting, by_site, recorded, replayed
from temperament.explain.finding import Unit
from temperament.explain.probe import Condition, From, Probe
from temperament.explain.text import Text
from temperament.record import Generation
from temperament.subject.anatomy import Site

TEXTS = [Text("tea", "Tea?", "Tea, and biscuits"), Text("rain", "Rain?", "I like it"), Text("sun", "?", "Hot.")]


def shifted(subject, places=("residual",), layer=1, tokens="reply"):
    draw = torch.Generator().manual_seed(5)
    shifts = {}
    for place in places:
        site = Site(layer, place)
        shifts[site] = Shift(torch.randn(subject.width(site), generator=draw))
    return ActivationEdit(Origin("drawn"), shifts=shifts, tokens=tokens)


def all_units(subject, place, layer=1):
    return tuple(Unit(layer, place, number) for number in range(subject.width(Site(layer, place))))


def close(one, other):
    return all(one[name] == pytest.approx(other[name], rel=1e-4, abs=1e-7) for name in one)


def test_units_are_set_at_the_positions_of_a_reply_and_nowhere_else(lively):
    subject = lively("llama")
    units = (Unit(1, "gate", 3), Unit(1, "gate", 5))
    setting = Setting.to_levels(units, {Site(1, "gate"): torch.arange(64.0)})
    is_reply = torch.tensor([[False, False, True, True]])
    held = by_site([*units, Unit(1, "gate", 4)])
    with setting.applied(subject), recorded(subject, held, 4) as seen, subject.marking(is_reply), torch.no_grad():
        subject.model(input_ids=torch.tensor([[70, 71, 72, 73]]))
    values = seen[Site(1, "gate")][0]
    assert values[2:, 0].tolist() == [3.0, 3.0]
    assert values[2:, 2].tolist() == [5.0, 5.0]
    assert not set(values[:2, 0].tolist()) & {3.0}
    assert 4.0 not in values[:, 1].tolist()


def test_a_setting_has_the_last_word_over_an_edit_of_the_same_site(lively):
    subject = lively("llama")
    unit_of = Unit(1, "residual", 2)
    edit = shifted(subject)
    zero = Setting.to_zero((unit_of,))
    with edit.applied(subject), zero.applied(subject), recorded(subject, zero.numbers, 3) as seen, torch.no_grad():
        subject.model(input_ids=torch.tensor([[70, 71, 72]]))
    assert seen[Site(1)].abs().max() == 0


def test_nothing_is_left_of_a_setting_when_the_body_fails(lively, logits_of):
    subject = lively("llama")
    before = logits_of(subject)

    def fail():
        setting = Setting.to_zero(all_units(subject, "gate"))
        with setting.applied(subject), recorded(subject, setting.numbers, 1):
            assert not torch.equal(before, logits_of(subject))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.equal(before, logits_of(subject))


def test_nothing_is_left_when_reading_is_interrupted(lively, logits_of):
    subject = lively("llama")
    before = logits_of(subject)
    probe = Probe(subject, shifted(subject), TEXTS)

    def interrupt(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe.values([Condition(shifted(subject), all_units(subject, "gate"))], interrupt)
    assert torch.equal(before, logits_of(subject))


@pytest.mark.parametrize(
    ("architecture", "place"), [("llama", "gate"), ("gpt2", "mlp"), ("gpt2", "attention"), ("gemma2", "residual")]
)
def test_giving_back_all_that_an_edit_of_a_site_changed_gives_the_untouched_model(lively, architecture, place):
    subject = lively(architecture)
    edit, units = shifted(subject, (place,)), all_units(subject, place)
    conditions = [Condition(None), Condition(edit), Condition(edit, units), Condition(None, units, From(edit))]
    untouched, edited, ablated, transplanted = Probe(subject, edit, TEXTS).values(conditions)
    assert not close(untouched, edited)
    assert close(ablated, untouched)
    assert close(transplanted, edited)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma2"])
def test_values_are_aligned_at_the_end_where_an_edit_makes_prompts_longer(lively, architecture):
    subject = lively(architecture)
    edit = ContextEdit(Origin("prompt"), system="You are cheerful, and love parties.")
    # What is written is read off the last stream alone.
    units = all_units(subject, "residual", subject.anatomy.layers - 1)
    conditions = [Condition(None), Condition(edit), Condition(edit, units), Condition(None, units, From(edit))]
    untouched, edited, ablated, transplanted = Probe(subject, edit, TEXTS).values(conditions)
    assert not close(untouched, edited)
    assert close(ablated, untouched)
    assert close(transplanted, edited)


def test_models_that_cannot_keep_what_they_read_read_whole_texts(lively, monkeypatch):
    subject = lively("llama")
    edit, units = shifted(subject), all_units(subject, "residual")[:9]
    conditions = [Condition(None), Condition(edit), Condition(edit, units), Condition(None, units, From(edit))]
    kept = Probe(subject, edit, TEXTS, limit=0)
    monkeypatch.setattr("temperament.explain.tail.is_packable", lambda _model: False)
    anew = Probe(subject, edit, TEXTS)
    for one, other in zip(kept.values(conditions), anew.values(conditions), strict=True):
        assert close(one, other)
    assert Probe(planted(), planted_edit(), planted_texts(2, 1)).tried == 0


def test_values_that_do_not_fit_into_memory_together_are_recorded_in_parts(lively, monkeypatch):
    subject = lively("llama")
    edit = shifted(subject, ("gate", "residual"))
    gates, stream = all_units(subject, "gate"), all_units(subject, "residual")
    conditions = [Condition(edit, units) for units in (gates[:9], gates[9:20], stream[:9], stream[5:])]
    probe = Probe(subject, edit, TEXTS)
    whole = probe.values(conditions)
    monkeypatch.setattr("temperament.explain.probe.RECORDED", 1)
    assert probe.values(conditions) == whole


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma2"])
def test_conditions_that_begin_at_a_later_layer_are_read_as_whole_passes_are(lively, architecture, monkeypatch):
    subject = lively(architecture)
    last = subject.anatomy.layers - 1
    # An edit of the stream that the layer is given acts once, not twice.
    edit = shifted(subject, layer=last - 1)
    stream = all_units(subject, "residual", last)
    conditions = [Condition(edit)]
    conditions += [
        Condition(host, stream[n : n + 3], From(other))
        for n in range(9)
        for host, other in ((edit, None), (None, edit))
    ]
    probe = Probe(subject, edit, TEXTS)
    began = []
    resumed = subject.anatomy.resumed
    monkeypatch.setattr(subject.anatomy, "resumed", lambda layer, states: began.append(layer) or resumed(layer, states))
    found = probe.values(conditions)
    assert set(began) == {last}
    monkeypatch.setattr(Probe, "_beginnings", lambda *_: [])
    whole = probe.values(conditions)
    for one, other in zip(found, whole, strict=True):
        assert close(one, other)


def test_a_level_and_a_value_are_not_the_same_thing(lively):
    subject = lively("llama")
    edit, units = shifted(subject, ("gate",)), all_units(subject, "gate")
    levels = {Site(1, "gate"): torch.zeros(64)}
    conditions = [Condition(edit, units, levels), Condition(edit, units, None), Condition(edit, units)]
    found = Probe(subject, edit, TEXTS).values(conditions)
    assert close(found[0], found[1])
    assert not close(found[0], found[2])


def test_a_setting_changes_what_is_written():
    subject, edit = planted(), planted_edit(1.5)
    generation = Generation(max_new_tokens=12, temperature=1.0, top_p=1.0)
    questions = [text.question for text in planted_texts()]

    def faces(units):
        with edit.applied(subject), Setting.to_zero(units).applied(subject):
            return sum("\ufffd" in (reply.text or "") for reply in subject.reply(questions, generation))

    assert faces((unit(D),)) == faces(()) > 5 > faces((unit(A), unit(B), unit(C)))


def test_some_of_what_was_recorded_can_be_set(lively):
    held = by_site([Unit(1, "gate", number) for number in (9, 2, 5)])
    assert held[Site(1, "gate")].tolist() == [2, 5, 9]
    values = {Site(1, "gate"): torch.tensor([[[20.0, 50.0, 90.0]]])}
    setting = replayed((Unit(1, "gate", 9), Unit(1, "gate", 2)), held, values)
    assert setting.values[Site(1, "gate")].tolist() == [[[20.0, 90.0]]]
    with pytest.raises(SeamError), Setting.to_zero((Unit(7, "gate", 0),)).applied(lively("llama")):
        pass
