"""Laws of edits: they leave no trace, strength 0 is the untouched model, and their algebra is that of changes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.edit.weight import LowRank, WeightEdit
from temperament.record import Generation
from temperament.subject.anatomy import Site
from temperament.subject.tiny import ARCHITECTURES

KINDS = ("weight", "activation", "context", "stack")
SHORT = Generation(max_new_tokens=6)
kinds = st.sampled_from(KINDS)
dialled = st.sampled_from(("weight", "activation"))
architectures = st.sampled_from(("llama", "phi3", "gpt2"))
seeds = st.integers(0, 1000)
strengths = st.floats(-2.0, 2.0).filter(lambda strength: abs(strength) > 0.01)
a_few = settings(max_examples=15, deadline=None)


class BodyError(Exception):
    """What goes wrong inside the block."""


def assert_untouched(subject):
    for path, module in subject.model.named_modules():
        assert not module._forward_hooks, path
        assert not module._forward_pre_hooks, path
    assert all(not parameter.requires_grad for parameter in subject.model.parameters())
    assert subject._prefaces == []
    assert subject._labels == []
    assert subject._is_reply is None
    assert subject.label.method == "base"


def observed(subject, logits_of):
    return logits_of(subject), [(reply.prompt, reply.text) for reply in subject.reply(["hi", "rain?"], SHORT)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fails", [False, True])
def test_an_edit_leaves_no_trace_also_when_the_body_fails(architecture, kind, fails, lively, draw, logits_of):
    subject = lively(architecture)
    parameters = [parameter.clone() for parameter in subject.model.parameters()]
    before, replies = observed(subject, logits_of)

    def body():
        with draw(kind, subject).applied(subject):
            assert observed(subject, logits_of)[1] != replies
            if fails:
                raise BodyError

    if fails:
        with pytest.raises(BodyError):
            body()
    else:
        body()
    assert_untouched(subject)
    after, again = observed(subject, logits_of)
    assert torch.equal(before, after)
    assert again == replies
    assert all(map(torch.equal, parameters, subject.model.parameters()))


def test_an_edit_that_cannot_be_entered_leaves_no_trace(lively, draw):
    subject = lively("llama")
    good = draw("weight", subject)

    class Torn(WeightEdit):
        def _side(self, branch, subject):
            if branch is list(self.branches.values())[-1]:
                raise BodyError
            return super()._side(branch, subject)

    with pytest.raises(BodyError), Torn(good.origin, branches=good.branches).applied(subject):
        pytest.fail("the edit was applied")
    assert_untouched(subject)


@a_few
@given(kind=kinds, architecture=architectures, seed=seeds)
def test_strength_zero_is_the_untouched_model_bit_for_bit(lively, draw, logits_of, kind, architecture, seed):
    subject = lively(architecture)
    before = observed(subject, logits_of)
    with (0.0 * draw(kind, subject, seed)).applied(subject):
        inside = observed(subject, logits_of)
    assert torch.equal(before[0], inside[0])
    assert before[1] == inside[1]


@a_few
@given(kind=dialled, architecture=architectures, seed=seeds)
def test_half_of_a_half_is_a_quarter(lively, draw, logits_of, kind, architecture, seed):
    subject, edit = lively(architecture), draw(kind, lively(architecture), seed)
    assert (0.5 * (0.5 * edit)).strength == (0.25 * edit).strength == (edit * 0.25).strength
    with (0.5 * (edit * 0.5)).applied(subject):
        halved = logits_of(subject)
    with (0.25 * edit).applied(subject):
        torch.testing.assert_close(halved, logits_of(subject), rtol=0, atol=0)


@a_few
@given(architecture=architectures, first=seeds, second=seeds, strength=strengths)
def test_two_weight_edits_together_are_their_sum(lively, draw, logits_of, architecture, first, second, strength):
    subject = lively(architecture)
    a, b = draw("weight", subject, first), strength * draw("weight", subject, second)
    # The sum of two low-rank changes has the factors of both side by side.
    branches = {
        path: LowRank(
            torch.cat([a.branches[path].down, b.branches[path].down]),
            torch.cat([a.scale * a.branches[path].up, strength * b.scale * b.branches[path].up], dim=1),
        )
        for path in a.branches
    }
    with (a + b).applied(subject):
        together = logits_of(subject)
    with WeightEdit(Origin("sum"), branches=branches).applied(subject):
        torch.testing.assert_close(together, logits_of(subject), rtol=1e-3, atol=1e-3)


@a_few
@given(architecture=architectures, seed=seeds, strength=strengths)
def test_the_strength_of_an_activation_edit_interpolates_linearly(lively, draw, architecture, seed, strength):
    subject = lively(architecture)
    edit = draw("activation", subject, seed, sites=[Site(1)])
    untouched, edited = read(subject, Site(1)), read(subject, Site(1), edit)
    expected = untouched + strength * (edited - untouched)
    torch.testing.assert_close(read(subject, Site(1), strength * edit), expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(untouched, edited)


@a_few
@given(kind=st.sampled_from(("activation", "weight", "context")), other=kinds, architecture=architectures, seed=seeds)
def test_a_stack_is_its_parts_nested(lively, draw, logits_of, kind, other, architecture, seed):
    subject = lively(architecture)
    a, b = draw(kind, subject, seed), draw(other, subject, seed + 1)
    with a.applied(subject), b.applied(subject):
        nested, label = observed(subject, logits_of), subject.label
    with (a + b).applied(subject):
        stacked = observed(subject, logits_of)
        assert subject.label == label == (a + b).label
    assert torch.equal(nested[0], stacked[0])
    assert nested[1] == stacked[1]
    assert_untouched(subject)


@pytest.mark.parametrize("kind", KINDS)
def test_one_edit_inside_itself_applies_twice_and_then_once(kind, lively, draw, logits_of):
    subject, edit = lively("llama"), draw(kind, lively("llama"))
    with edit.applied(subject):
        once = observed(subject, logits_of)
        with edit.applied(subject):
            assert observed(subject, logits_of)[1] != once[1]
        again = observed(subject, logits_of)
    assert torch.equal(once[0], again[0])
    assert once[1] == again[1]
    assert_untouched(subject)


def test_the_outer_order_of_prefaces_comes_back_when_an_inner_block_ends(lively):
    subject = lively("llama")
    told = []
    for word in ("first", "second"):
        told.append(lambda conversation, word=word: (*conversation, {"role": "system", "content": word}))
    with subject.preface(told[0]), subject.preface(told[1]):
        before = subject._prefaced(())
        with subject.preface(told[0]):
            pass
        assert subject._prefaced(()) == before


def test_adding_a_direction_raises_the_projection_on_it_and_a_negative_strength_lowers_it(lively):
    subject = lively("llama")
    direction = torch.zeros(32)
    direction[5] = 1.0
    edit = ActivationEdit(Origin("direction"), shifts={Site(1): Shift(direction)}, tokens="all")
    untouched = read(subject, Site(1)) @ direction
    torch.testing.assert_close(read(subject, Site(1), 3.0 * edit) @ direction, untouched + 3.0)
    torch.testing.assert_close(read(subject, Site(1), -3.0 * edit) @ direction, untouched - 3.0)


def test_clamped_units_are_at_most_zero_and_then_take_the_constant(lively):
    subject, site = lively("llama"), Site(1, "gate")
    is_clamped = torch.arange(64) < 32
    edit = ActivationEdit(Origin("neurons"), shifts={site: Shift(torch.full((64,), 0.5), is_clamped)}, tokens="all")
    untouched, edited = read(subject, site), read(subject, site, edit)
    assert (untouched[..., :32] > 0).any()
    torch.testing.assert_close(edited[..., :32], untouched[..., :32].clamp(max=0) + 0.5)
    torch.testing.assert_close(edited[..., 32:], untouched[..., 32:] + 0.5)


def test_an_edit_of_the_reply_leaves_the_positions_of_the_prompt(lively):
    subject = lively("llama")
    edit = ActivationEdit(Origin("direction"), shifts={Site(1): Shift(torch.ones(32))}, tokens="reply")
    is_reply = torch.tensor([[False, False, True, True]])
    with subject.marking(is_reply):
        untouched, edited = read(subject, Site(1)), read(subject, Site(1), edit)
    assert torch.equal(edited[:, :2], untouched[:, :2])
    torch.testing.assert_close(edited[:, 2:], untouched[:, 2:] + 1.0)


def test_the_fingerprint_of_an_edit_tells_what_it_does(lively, draw):
    subject = lively("llama")
    for kind in KINDS:
        edit = draw(kind, subject)
        assert edit.fingerprint == draw(kind, subject).fingerprint
        assert edit.fingerprint != draw(kind, subject, 1).fingerprint
    for kind in ("weight", "activation"):
        assert (0.5 * draw(kind, subject)).fingerprint == draw(kind, subject).fingerprint
    a, b = draw("weight", subject), draw("activation", subject)
    assert len({(a + b).fingerprint, (b + a).fingerprint, (a + 0.5 * b).fingerprint, a.fingerprint}) == 4


def test_records_learn_from_the_label_what_was_done(lively, draw):
    subject = lively("llama")
    edit = 0.5 * draw("weight", subject)
    with edit.applied(subject):
        label = subject.label
        assert (label.method, label.trait, label.pole, label.strength) == ("lora", "extraversion", "high", 0.5)
        assert label.edit == edit.fingerprint[:16]
        with draw("context", subject).applied(subject):
            both = subject.label
    assert (both.method, both.trait, both.pole) == ("lora+prompt", "extraversion", "high")
    assert (subject.label.method, subject.label.trait, subject.label.strength) == ("base", None, 0.0)


def test_a_target_that_one_edit_has_and_another_lacks_is_the_target_of_both(lively, draw):
    subject = lively("llama")
    with draw("weight", subject).applied(subject), (draw("context", subject) * 1.0).applied(subject):
        plain = ActivationEdit(Origin("adapter"), shifts={Site(0): Shift(torch.zeros(32))})
        with plain.applied(subject):
            assert subject.label.trait == "extraversion"


def test_scaling_a_stack_scales_every_part(lively, draw, logits_of):
    subject = lively("llama")
    a, b = draw("weight", subject), draw("activation", subject)
    with (0.5 * (a + 0.5 * b)).applied(subject):
        scaled = logits_of(subject)
    with (0.5 * a).applied(subject), (0.25 * b).applied(subject):
        assert torch.equal(scaled, logits_of(subject))
    with (0.5 * (a + b) + b).applied(subject):
        deeper = logits_of(subject)
    with (0.5 * a).applied(subject), (0.5 * b).applied(subject), b.applied(subject):
        assert torch.equal(deeper, logits_of(subject))


def read(subject, site, edit=None):
    """The activation at a site [batch, token, unit], after the edit where there is one."""
    seen = []

    def keep(activation, is_reply):
        seen.append(activation.clone())
        return activation

    ids = torch.tensor([[10, 20, 30, 40]])
    with torch.no_grad():
        if edit is None:
            with subject.rewrite(site, keep):
                subject.model(input_ids=ids)
        else:
            # Functions at one site run in the order in which they came.
            with edit.applied(subject), subject.rewrite(site, keep):
                subject.model(input_ids=ids)
    assert all(math.isfinite(value) for value in seen[0].flatten().tolist())
    return seen[0]


def test_mixes_of_the_same_edits_have_labels_of_their_own():
    one, other = (ContextEdit(Origin("prompt"), system=text) for text in ("Be warm.", "Be brief."))
    labels = {(first * one + second * other).label for first, second in ((0.5, 0.8), (0.2, 0.9), (1.0, 1.0))}
    assert len(labels) == 3
