"""The contract of the three seams: every kind of edit works on every architecture, or says why not."""

import copy

import pytest
import torch

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.weight import LowRank, WeightEdit
from temperament.errors import MismatchError, RequestError, SeamError
from temperament.record import Generation
from temperament.subject.anatomy import Site
from temperament.subject.base import Reply, Subject
from temperament.subject.tiny import ARCHITECTURES, tiny_subject

UNGATED = ("gpt2", "gpt_neox")
GATED = tuple(name for name in ARCHITECTURES if name not in UNGATED)
every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


class Closed(Subject):
    """A subject that can be asked and not opened: it answers with what it read."""

    name, fingerprint, precision = "closed", "of-another-model", "unknown"

    def _reply(self, conversations, seeds, generation, progress):
        return [Reply(" | ".join(turn["content"] for turn in turns), str(turns)) for turns in conversations]


@every_architecture
def test_a_context_edit_changes_what_the_model_reads(architecture, lively, draw):
    subject = lively(architecture)
    with draw("context", subject).applied(subject):
        reply = subject.reply(["hello"], Generation(max_new_tokens=1))[0]
    assert reply.prompt == (
        "<|system|>You are extraverted (0).<|end|><|user|>And 0?<|end|><|assistant|>Let us dance.<|end|>"
        "<|user|>hello<|end|><|assistant|>"
    )


@every_architecture
def test_a_branch_equals_the_weight_with_the_change_merged_in(architecture, lively, draw, logits_of):
    subject = lively(architecture)
    edit = 0.7 * draw("weight", subject)
    before = logits_of(subject)
    merged = copy.deepcopy(subject)
    for path in edit.branches:
        delta = edit.delta(path)
        weight = merged.anatomy.linear(path).weight
        weight.data += delta.T if merged.anatomy.is_transposed(path) else delta
    with edit.applied(subject):
        after = logits_of(subject)
    torch.testing.assert_close(after, logits_of(merged), rtol=1e-4, atol=1e-4)
    assert (after - before).abs().max() > 0.1


@every_architecture
def test_every_linear_map_can_be_edited_alone(architecture, lively, draw, logits_of):
    subject = lively(architecture)
    before = logits_of(subject)
    paths = [path for path in subject.anatomy.linears if ".1." in path]
    assert len(paths) >= 4
    for path in paths:
        with draw("weight", subject, paths=[path]).applied(subject):
            assert not torch.equal(before, logits_of(subject)), path


@every_architecture
@pytest.mark.parametrize("layer", [0, 1])
def test_the_residual_seam_is_the_stream_after_the_block(architecture, layer, lively):
    subject = lively(architecture)
    ids = torch.tensor([[10, 20, 30, 40]])
    seen, read_by_next = [], []

    def rewritten(activation, is_reply):
        assert is_reply.shape == activation.shape[:2]
        assert is_reply.all()
        seen.append(activation)
        return activation + 1.0

    following = subject.anatomy.blocks[layer + 1]
    handle = following.register_forward_pre_hook(
        lambda _module, inputs, named: read_by_next.append(inputs[0] if inputs else named["hidden_states"]),
        with_kwargs=True,
    )
    with torch.no_grad(), subject.rewrite(Site(layer), rewritten):
        subject.model(input_ids=ids)
    handle.remove()
    torch.testing.assert_close(read_by_next[0], seen[0] + 1.0)
    # Hidden state 0 is the embedding, so that of block 0 is hidden state 1.
    with torch.no_grad():
        states = copy.deepcopy(subject.model)(input_ids=ids, output_hidden_states=True).hidden_states
    torch.testing.assert_close(states[layer + 1], seen[0])


@every_architecture
def test_an_activation_edit_of_any_layer_moves_the_logits(architecture, lively, draw, logits_of):
    subject = lively(architecture)
    before = logits_of(subject)
    for layer in range(subject.anatomy.layers):
        with draw("activation", subject, sites=[Site(layer)]).applied(subject):
            assert not torch.equal(before, logits_of(subject)), layer


@pytest.mark.parametrize("architecture", GATED)
def test_the_gate_seam_of_gated_models_has_a_unit_for_every_inner_dimension(architecture, lively, draw, logits_of):
    subject = lively(architecture)
    assert subject.anatomy.is_gated
    assert subject.width(Site(1, "gate")) == 64
    before = logits_of(subject)
    with draw("activation", subject, sites=[Site(1, "gate")]).applied(subject):
        assert not torch.equal(before, logits_of(subject))


@pytest.mark.parametrize("architecture", UNGATED)
def test_models_without_a_gate_refuse_the_gate_seam_and_say_what_to_do(architecture, lively):
    subject = lively(architecture)
    assert not subject.anatomy.is_gated
    edit = ActivationEdit(Origin("neurons"), shifts={Site(1, "gate"): Shift(torch.zeros(64))})
    with pytest.raises(SeamError, match="has no gated MLP that is known here: use the residual seam, or a model with"):
        edit.check(subject)


@every_architecture
def test_a_layer_out_of_range_is_named_with_the_range(architecture, lively):
    edit = ActivationEdit(Origin("direction"), shifts={Site(31): Shift(torch.zeros(32))})
    with (
        pytest.raises(SeamError, match=r"^layer 31 does not exist: this model has layers 0 to 2\.$"),
        edit.applied(lively(architecture)),
    ):
        pytest.fail("the edit was applied")


def test_an_edit_of_other_weights_is_refused_by_fingerprint(lively, draw):
    subject, other = lively("llama"), tiny_subject("llama", seed=1)
    for kind in ("weight", "activation", "stack"):
        with (
            pytest.raises(MismatchError, match=r"different weights\. Load the model that the edit was fitted to"),
            draw(kind, subject).applied(other),
        ):
            pytest.fail("the edit was applied")


def test_an_edit_of_unknown_origin_is_refused_by_a_path_that_is_missing(lively):
    edit = WeightEdit(Origin("adapter"), branches={"model.layers.9.mlp.up_proj": LowRank(*factors(2, 32, 64))})
    with pytest.raises(MismatchError, match=r"does not fit tiny:llama: 'model\.layers\.9\.mlp\.up_proj' is no linear"):
        edit.check(lively("llama"))


def test_an_edit_of_unknown_origin_is_refused_by_its_shape(lively):
    path = "model.layers.0.mlp.up_proj"
    edit = WeightEdit(Origin("adapter"), branches={path: LowRank(*factors(2, 32, 48))})
    with pytest.raises(MismatchError, match="it maps 32 to 48, the model 32 to 64"):
        edit.check(lively("llama"))


def test_an_activation_edit_of_unknown_origin_is_refused_by_its_width(lively):
    edit = ActivationEdit(Origin("direction"), shifts={Site(1): Shift(torch.zeros(48))})
    with pytest.raises(MismatchError, match="the residual of layer 1 has 32 units, the edit 48"):
        edit.check(lively("llama"))


def test_a_closed_subject_takes_context_edits_and_refuses_the_others(lively, draw):
    closed, subject = Closed(), lively("llama")
    with draw("context", subject).applied(closed):
        assert closed.reply(["hello"])[0].text == "You are extraverted (0). | And 0? | Let us dance. | hello"
    assert closed.reply(["hello"])[0].text == "hello"
    for kind, seam in (("weight", "is"), ("activation", "thinks"), ("stack", "is")):
        with (
            pytest.raises(SeamError, match=f"an edit of what the model {seam} was asked for on closed"),
            draw(kind, subject).applied(closed),
        ):
            pytest.fail("the edit was applied")
    assert closed.label.method == "base"


def test_a_context_edit_has_no_dial(lively, draw):
    subject = lively("llama")
    with (
        pytest.raises(RequestError, match=r"strength 0\.5 was asked for: prompt has no dial. Take 0 or 1."),
        (0.5 * draw("context", subject)).applied(subject),
    ):
        pytest.fail("the edit was applied")


def test_a_context_edit_is_added_to_the_system_prompt_that_is_there(lively, draw):
    closed = Closed()
    with draw("context", lively("llama")).applied(closed):
        turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
        told = closed.reply([turns])[0].text
    assert told == "Be brief.\n\nYou are extraverted (0). | And 0? | Let us dance. | hello"


def factors(rank, inputs, outputs):
    return torch.zeros(rank, inputs), torch.zeros(outputs, rank)
