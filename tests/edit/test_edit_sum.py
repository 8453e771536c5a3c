"""The exact sum of weight edits is one adapter that does what the stack did, here and in PEFT."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_edit_peft import SAME, by_peft, pytestmark  # noqa: F401 - PEFT's warnings

from temperament.edit.base import Stack
from temperament.edit.store import load_edit
from temperament.edit.sum import summed
from temperament.errors import MismatchError, RequestError
from temperament.trait import Target

strengths = st.floats(-2, 2)
a_few = settings(max_examples=15, deadline=None)


@st.composite
def stacks(drawer):
    """What a stack is made of: for each part seed, rank, scale, strength, and a choice of maps."""
    part = st.tuples(st.integers(0, 99), st.integers(1, 5), st.floats(0.1, 4), strengths, st.integers(0, 3))
    return drawer(st.lists(part, min_size=1, max_size=4)), drawer(strengths)


def built(subject, draw, parts, outer):
    paths = list(subject.anatomy.linears)
    edits = [
        strength * draw("weight", subject, seed=seed, paths=paths[skip :: 1 + skip], rank=rank, scale=scale)
        for seed, rank, scale, strength, skip in parts
    ]
    return outer * Stack(edits[0].origin, parts=tuple(edits))


@given(stacks(), st.sampled_from(["llama", "gpt2", "phi3"]))
@a_few
def test_the_sum_is_the_sum_of_the_changes_and_does_what_the_stack_does(lively, draw, logits_of, made, architecture):
    subject = lively(architecture)
    stack = built(subject, draw, *made)
    one = summed(stack)
    for path in {path for part in stack.parts for path in part.branches}:
        wanted = sum((stack.strength * part).delta(path) for part in stack.parts if path in part.branches)
        torch.testing.assert_close(one.delta(path), wanted, rtol=1e-5, atol=1e-5)
    with stack.applied(subject):
        expected = logits_of(subject)
    with one.applied(subject):
        torch.testing.assert_close(logits_of(subject), expected, **SAME)
    assert (one.strength, one.scale) == (1.0, 1.0)


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "phi3"])
def test_peft_loads_the_sum(architecture, lively, draw, logits_of, tmp_path):
    subject = lively(architecture)
    paths = list(subject.anatomy.linears)
    stack = 0.5 * draw("weight", subject) + -1.5 * draw("weight", subject, 1, paths=paths[::2], rank=3, scale=0.3)
    summed(stack).save(tmp_path / "sum")
    with stack.applied(subject):
        expected = logits_of(subject)
    torch.testing.assert_close(logits_of(by_peft(subject, tmp_path / "sum")), expected, **SAME)
    with load_edit(tmp_path / "sum").applied(subject):
        torch.testing.assert_close(logits_of(subject), expected, **SAME)


def test_stacks_inside_stacks_are_added_at_the_product_of_their_strengths(lively, draw):
    subject = lively("llama")
    inner = 2.0 * draw("weight", subject)
    stack = 0.5 * Stack(inner.origin, 3.0, parts=(Stack(inner.origin, -1.0, parts=(inner,)),))
    path = next(iter(inner.branches))
    torch.testing.assert_close(summed(stack).delta(path), -1.5 * inner.delta(path))


def test_the_origin_of_a_sum_names_its_parts(lively, draw):
    subject = lively("llama")
    first, second = draw("weight", subject), draw("weight", subject, 1)
    second = replace(second, origin=replace(second.origin, target=Target("openness", "low")))
    origin = summed(0.8 * first + 0.5 * second).origin
    assert (origin.method, origin.target) == ("lora+lora", None)
    assert origin.subject_fingerprint == subject.fingerprint
    assert [(part["target"], part["strength"]) for part in origin.settings["parts"]] == [
        ("extraversion:high", 0.8),
        ("openness:low", 0.5),
    ]
    assert [part["fingerprint"] for part in origin.settings["parts"]] == [first.fingerprint, second.fingerprint]
    assert summed(first + 0.5 * first).origin.target == first.origin.target


def test_what_cannot_be_one_adapter_is_refused(lively, draw):
    subject = lively("llama")
    weight, context = draw("weight", subject), draw("context", subject)
    with pytest.raises(RequestError, match="prompt changes no weights, so it cannot be part of one adapter"):
        summed(weight + context)
    with pytest.raises(RequestError, match="direction changes no weights"):
        summed(draw("activation", subject))
    other = replace(weight, origin=replace(weight.origin, subject="another", subject_fingerprint="f" * 64))
    with pytest.raises(MismatchError, match=r"edits of different models cannot be added: these are for .* and another"):
        summed(weight + other)
    with pytest.raises(RequestError, match="a stack without edits"):
        summed(Stack(weight.origin))
