"""Anatomy finds the parts of every decoder, and the gate is the gate."""

from contextlib import ExitStack
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from temperament.errors import SeamError
from temperament.subject.anatomy import Anatomy, Shape, Site
from temperament.subject.tiny import ARCHITECTURES

PATHS = {
    "llama": "model.layers.1.mlp.up_proj",
    "phi3": "model.layers.1.mlp.gate_up_proj",
    "gpt_neox": "gpt_neox.layers.1.mlp.dense_h_to_4h",
    "gpt2": "transformer.h.1.mlp.c_fc",
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_linear_map_inside_the_blocks_is_found_and_the_head_is_not(architecture, lively):
    anatomy = lively(architecture).anatomy
    assert anatomy.layers == 3
    inside = [path for path, module in anatomy.model.named_modules() if isinstance(module, nn.Linear) and ".1." in path]
    if architecture == "gpt2":
        inside = [f"transformer.h.1.{name}" for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")]
    assert [path for path in anatomy.linears if ".1." in path] == inside
    assert len(anatomy.linears) == 3 * len(inside)
    assert not any("head" in path or "embed_out" in path for path in anatomy.linears)


@pytest.mark.parametrize(
    ("architecture", "outputs", "is_transposed"),
    [("llama", 64, False), ("phi3", 128, False), ("gpt_neox", 64, False), ("gpt2", 128, True)],
)
def test_shapes_are_inputs_and_outputs_however_the_weight_is_stored(architecture, outputs, is_transposed, lively):
    anatomy = lively(architecture).anatomy
    assert anatomy.shape(PATHS[architecture]) == Shape(32, outputs)
    assert anatomy.is_transposed(PATHS[architecture]) is is_transposed


def test_a_path_without_a_linear_map_is_named_beside_one_that_has_one(lively):
    message = r"'q_proj' is no linear map of this model: its maps are named like 'model\.layers\.0\.self_attn\.q_proj'"
    with pytest.raises(SeamError, match=message):
        lively("llama").anatomy.shape("q_proj")


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "olmo2", "phi3", "gemma", "gemma2"])
def test_the_gate_is_the_activated_gate_projection_before_the_product(architecture, lively):
    subject = lively(architecture)
    mlp = subject.anatomy.blocks[1].mlp
    if architecture == "phi3":
        gate_weight, up_weight = mlp.gate_up_proj.weight.chunk(2, dim=0)
    else:
        gate_weight, up_weight = mlp.gate_proj.weight, mlp.up_proj.weight
    inputs = torch.randn(2, 3, 32, generator=torch.Generator().manual_seed(0))
    gelu = architecture.startswith("gemma")
    pushed = inputs @ gate_weight.T
    gate = nn.functional.gelu(pushed, approximate="tanh") if gelu else nn.functional.silu(pushed)
    factor = torch.linspace(-1, 2, 64)
    seen = []

    def scaled(activation, is_reply):
        seen.append(activation)
        return activation * factor

    with subject.rewrite(Site(1, "gate"), scaled):
        output = mlp(inputs)
    torch.testing.assert_close(seen[0], gate, rtol=1e-4, atol=1e-5)
    expected = (gate * factor * (inputs @ up_weight.T)) @ mlp.down_proj.weight.T
    torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-4)


def test_the_gate_of_one_layer_is_not_that_of_another(lively):
    subject, calls = lively("llama"), []

    def count(activation, is_reply):
        calls.append(activation)
        return activation

    with subject.rewrite(Site(1, "gate"), count):
        subject.model(input_ids=torch.tensor([[1, 2, 3]]))
    assert len(calls) == 1


@pytest.mark.parametrize("layer", [-1, 3, 31])
@pytest.mark.parametrize("place", ["residual", "gate"])
def test_layers_begin_at_zero_and_never_count_backwards(layer, place, lively):
    with pytest.raises(SeamError, match=rf"^layer {layer} does not exist: this model has layers 0 to 2\.$"):
        lively("llama").anatomy.check(Site(layer, place))


def test_sites_are_named_for_people():
    assert str(Site(3)) == "residual of layer 3"
    assert str(Site(0, "gate")) == "gate of layer 0"


def test_a_model_that_is_no_stack_of_blocks_is_refused():
    model = nn.Sequential(nn.Linear(4, 4))
    model.config = config_of(2)
    with pytest.raises(SeamError, match="Sequential has no list of 2 blocks: only decoders built as one stack"):
        Anatomy(model)


def test_a_block_that_returns_a_tuple_is_rewritten_in_its_first_part():
    class Block(nn.Module):
        def forward(self, inputs):
            return inputs, "weights of the attention"

    model = nn.Module()
    model.layers, model.config = nn.ModuleList([Block()]), config_of(1)
    handle = Anatomy(model).rewrite(Site(0), lambda activation: activation + 1)
    output = model.layers[0](torch.zeros(1, 2, 4))
    handle.remove()
    assert output[0].eq(1).all()
    assert output[1:] == ("weights of the attention",)


def config_of(layers):
    text = SimpleNamespace(num_hidden_layers=layers, hidden_size=4)
    return SimpleNamespace(get_text_config=lambda: text)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_attention_and_mlp_add_is_all_that_a_block_adds(architecture, lively):
    subject = lively(architecture)
    seen = {}

    def keep(site):
        def read(activation, is_reply):
            seen[site] = activation.clone()
            return activation

        return read

    sites = [Site(0), *(Site(1, place) for place in ("residual", "attention", "mlp"))]
    with torch.no_grad(), ExitStack() as stack:
        for site in sites:
            stack.enter_context(subject.rewrite(site, keep(site)))
        subject.model(torch.arange(6, 14)[None])
    before, after, attention, mlp = (seen[site] for site in sites)
    torch.testing.assert_close(after, before + attention + mlp, rtol=1e-4, atol=1e-5)
    assert attention.abs().max() > 1e-3
    assert mlp.abs().max() > 1e-3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_norm_and_the_unembedding_make_the_logits_of_the_stream(architecture, lively):
    subject, seen = lively(architecture), []

    def keep(activation, is_reply):
        seen.append(activation)
        return activation

    with torch.no_grad(), subject.rewrite(Site(2), keep):
        logits = subject.model(torch.arange(6, 14)[None]).logits
        found = subject.anatomy.unembedding(subject.anatomy.final_norm(seen[0]))
    softcap = getattr(subject.model.config, "final_logit_softcapping", None)
    torch.testing.assert_close(softcap * torch.tanh(found / softcap) if softcap else found, logits)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("place", ["attention", "mlp"])
def test_the_last_map_of_a_part_makes_what_it_adds(architecture, place, lively):
    subject, seen = lively(architecture), []
    site = Site(1, place)
    path = subject.anatomy.output_path(site)
    norm = subject.anatomy.norm_behind(site)

    def keep(activation, is_reply):
        seen.append(activation)
        return activation

    def watch(inputs, output):
        seen.append(output)
        return output

    with torch.no_grad(), subject.change(path, watch), subject.rewrite(site, keep):
        subject.model(torch.arange(6, 14)[None])
        torch.testing.assert_close(norm(seen[0]) if norm else seen[0], seen[1])
    assert (norm is not None) == (architecture in ("gemma2", "olmo2"))


def test_a_part_that_cannot_be_told_apart_is_named():
    block = nn.Module()
    block.add_module("fc1", nn.Linear(2, 2))
    model = nn.Module()
    model.add_module("layers", nn.ModuleList([block]))
    model.config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(num_hidden_layers=1))
    with pytest.raises(SeamError, match="the mlp of Module is no part of its own"):
        Anatomy(model).check(Site(0, "mlp"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_watching_sees_the_stream_from_the_start_and_what_the_model_itself_gives(architecture, lively):
    subject, seen = lively(architecture), {}
    sites = [Site(0, place) for place in ("attention", "mlp", "residual")]
    with torch.no_grad(), ExitStack() as stack:
        for site in sites:
            # What stands at a site changes what is seen behind it, not at it.
            stack.enter_context(subject.rewrite(site, lambda activation, is_reply: activation + 1.0))
            handle = subject.anatomy.watch(site, lambda state, site=site: seen.update({site: state.clone()}))
            stack.callback(handle.remove)
        handle = subject.anatomy.watch_start(lambda state: seen.update(start=state.clone()))
        stack.callback(handle.remove)
        subject.model(torch.arange(6, 14)[None])
    attention, mlp, residual = (seen[site] for site in sites)
    torch.testing.assert_close(residual, seen["start"] + attention + mlp + 2.0, rtol=1e-4, atol=1e-5)
    count = len(seen)
    subject.model(torch.arange(6, 14)[None])
    assert len(seen) == count
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in subject.anatomy.blocks)


def test_heads_share_the_input_of_the_map_that_ends_an_attention(lively):
    anatomy = lively("llama").anatomy
    # Two of keys and values, four that are mixed.
    assert anatomy.heads(1) == 4
    assert anatomy.shape(anatomy.output_path(Site(1, "attention"))).inputs == 4 * 8
