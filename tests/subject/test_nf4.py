"""Subjects in 4 bits, on a CPU: nothing repacks their weights, and gradients through a branch are right.

SCIENCE.md 2.4: with AVX512-BF16 bitsandbytes repacks weights at the first pass without gradients; after that gradients
and dequantised weights are silently wrong. On other CPUs these tests hold the switch and the arithmetic.
"""

import copy

import pytest
import torch
from torch import nn

from temperament.edit.base import Origin
from temperament.edit.weight import LowRank, WeightEdit
from temperament.record import Generation
from temperament.subject.open import OpenSubject, fingerprint_of
from temperament.subject.tiny import byte_tokenizer

bitsandbytes = pytest.importorskip("bitsandbytes")
SHORT = Generation(temperature=0.0, max_new_tokens=6)
pytestmark = [
    pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU the packing of CPUs plays no part"),
]
PATH = "model.layers.0.mlp.up_proj"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A LLaMA whose maps are wide enough for blocks of 64."""
    from transformers import AutoConfig, AutoModelForCausalLM

    folder, tokenizer = tmp_path_factory.mktemp("models") / "wide", byte_tokenizer()
    config = AutoConfig.for_model(
        "llama", vocab_size=len(tokenizer), hidden_size=128, intermediate_size=256, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, pad_token_id=0, eos_token_id=1,
        bos_token_id=None, initializer_range=0.1,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def subject(folder):
    return OpenSubject.from_folder(folder, "wide", "nf4")


def quantised(subject):
    return {
        path: module for path, module in subject.model.named_modules() if isinstance(module, bitsandbytes.nn.Linear4bit)
    }


def dequantised(subject):
    """The weights of the maps in float32, by path."""
    return {
        path: bitsandbytes.functional.dequantize_4bit(module.weight.data, module.weight.quant_state).float().clone()
        for path, module in quantised(subject).items()
    }


@pytest.fixture
def plain(folder, subject):
    """A float32 subject with the dequantised weights."""
    plain = OpenSubject.from_folder(folder, "wide", "float32")
    for path, weight in dequantised(subject).items():
        plain.model.get_submodule(path).weight.data.copy_(weight.reshape(plain.anatomy.linear(path).weight.shape))
    return plain


def gradients(subject):
    """Of a loss, by the factors of a branch at every map of the blocks: two tensors each."""
    generator = torch.Generator().manual_seed(0)
    factors, sides = {}, {}
    for path in subject.anatomy.linears:
        shape = subject.shape(path)
        down = (torch.randn(4, shape.inputs, generator=generator) * 0.05).requires_grad_()
        up = (torch.randn(shape.outputs, 4, generator=generator) * 0.05).requires_grad_()
        factors[path] = (down, up)
        sides[path] = lambda inputs, down=down, up=up: (inputs.float() @ down.T @ up.T).to(inputs.dtype)
    from contextlib import ExitStack

    with ExitStack() as stack:
        for path, side in sides.items():
            stack.enter_context(subject.branch(path, side))
        ids = torch.arange(10, 40)[None]
        logits = subject.model(input_ids=ids).logits.float()
        nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:]).backward()
    return {path: (down.grad, up.grad) for path, (down, up) in factors.items()}


def test_every_map_of_the_blocks_is_in_four_bits_and_stays_unpacked(subject):
    assert set(quantised(subject)) == set(subject.anatomy.linears)
    assert all(module.support_avx512bf16_for_cpu is False for module in quantised(subject).values())
    assert subject.precision == "nf4"
    assert subject.compute_dtype in (torch.float32, torch.bfloat16)


def test_the_fingerprint_in_four_bits_is_that_of_the_folder(subject, folder):
    assert subject.fingerprint == fingerprint_of(folder)


def test_a_generation_leaves_the_weights_as_they_are(subject):
    before = dequantised(subject)
    first = subject.reply(["hello", "and you?"], SHORT)
    after = dequantised(subject)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[path], after[path]) for path in before)
    assert subject.reply(["hello", "and you?"], SHORT) == first


def test_four_bit_logits_are_those_of_the_dequantised_weights(subject, plain, logits_of):
    torch.testing.assert_close(logits_of(subject).float(), logits_of(plain), **tolerance(subject))


def test_gradients_through_a_branch_are_right_before_and_after_a_generation(subject, plain):
    expected = gradients(plain)
    before = gradients(subject)
    subject.reply(["hello"], SHORT)
    after = gradients(subject)
    for path, pair in expected.items():
        for wanted, first, second in zip(pair, before[path], after[path], strict=True):
            assert wanted.abs().max() > 0
            torch.testing.assert_close(first, wanted, **tolerance(subject))
            assert torch.equal(first, second)


def test_a_weight_edit_runs_beside_four_bits_and_leaves_no_trace(subject, plain, logits_of):
    generator = torch.Generator().manual_seed(1)
    factors = LowRank(torch.randn(4, 128, generator=generator), torch.randn(256, 4, generator=generator) * 0.1)
    edit = WeightEdit(Origin("lora"), branches={PATH: factors})
    untouched = logits_of(subject)
    merged = copy.deepcopy(plain)
    merged.anatomy.linear(PATH).weight.data += edit.delta(PATH)
    with edit.applied(subject):
        torch.testing.assert_close(logits_of(subject).float(), logits_of(merged), **tolerance(subject))
        assert (logits_of(subject) - untouched).abs().max() > 0.05
    assert torch.equal(logits_of(subject), untouched)


def tolerance(subject):
    is_exact = subject.compute_dtype == torch.float32
    return {"rtol": 1e-3, "atol": 1e-4} if is_exact else {"rtol": 0.1, "atol": 0.1}
