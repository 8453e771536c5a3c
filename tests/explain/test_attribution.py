"""The parts of a logit add up to it on every architecture and under every kind of edit, and name the right ones."""

from itertools import product

import pytest
import torch
from planted import plant

from temperament.activation.forcing import log_probabilities
from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.edit.weight import LowRank, WeightEdit
from temperament.errors import RequestError, SeamError
from temperament.explain.attribution import AttributionLens
from temperament.explain.text import Text
from temperament.subject.anatomy import Site
from temperament.subject.open import OpenSubject
from temperament.subject.tiny import ARCHITECTURES, byte_tokenizer, tiny_subject

GRIN = "\U0001f600"
TEXT = Text("rain", "what of rain?", "it falls")
ALL, USUAL = AttributionLens(heaviest=None), AttributionLens()


@pytest.fixture(scope="module")
def lively_norms():
    """Tiny subjects with large weights, and norms with weights and biases of their own, built once."""
    known = {}

    def of(architecture):
        if architecture not in known:
            subject = tiny_subject(architecture)
            generator = torch.Generator().manual_seed(1)
            for name, parameter in subject.model.named_parameters():
                if parameter.ndim == 1:
                    parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
                else:
                    parameter.data.mul_(3 if "embed" in name else 10)
            known[architecture] = OpenSubject.of(subject.model, subject.tokenizer, subject.name)
        return known[architecture]

    return of


def edits(subject):
    generator = torch.Generator().manual_seed(2)

    def drawn(*shape):
        return torch.randn(*shape, generator=generator)

    branches = {}
    for path in subject.anatomy.linears:
        shape = subject.shape(path)
        branches[path] = LowRank(0.1 * drawn(2, shape.inputs), 0.1 * drawn(shape.outputs, 2))
    weight = WeightEdit(Origin("lora"), branches=branches, scale=2.0)
    sites = [Site(0), Site(2), Site(1, "attention"), Site(1, "mlp")]
    shifts = {site: Shift(drawn(32), drawn(32) > 0.5) for site in sites}
    if subject.anatomy.is_gated:
        shifts[Site(1, "gate")] = Shift(drawn(64))
    activation = ActivationEdit(Origin("direction"), shifts=shifts)
    context = ContextEdit(Origin("prompt"), system="You are wet.")
    stack = context + 0.5 * weight + -1.0 * activation
    return {"none": None, "weight": weight, "activation": activation, "context": context, "stack": stack}


def by_name(parts):
    named = {part.name: part.value for part in parts}
    assert len(named) == len(parts)
    return named


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("kind", ["none", "weight", "activation", "context", "stack"])
def test_parts_add_up_to_the_logit(architecture, kind, lively_norms):
    subject = lively_norms(architecture)
    edit = edits(subject)[kind]
    found = ALL.attribute(subject, edit, TEXT, 3)
    values = by_name(found.parts)
    size = sum(map(abs, values.values()))
    assert abs(found.error) < 1e-5 * size
    assert found.logit == pytest.approx(sum(values.values()) + found.error)
    names = {"embedding", *(f"layer {layer} {part}" for layer, part in product(range(3), ("attention", "mlp")))}
    assert names <= values.keys()
    assert min(abs(values[name]) for name in names) > 1e-4
    changed = [str(site) for site in (Site(0), Site(1, "attention"), Site(1, "mlp"), Site(2))]
    told = [name for name in values if name.startswith("edit at")]
    assert told == ([f"edit at {site}" for site in changed] if kind in ("activation", "stack") else [])
    assert ("norm bias" in values) is (architecture in ("gpt2", "gpt_neox"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("kind", ["none", "stack"])
def test_heads_add_up_to_their_attention_and_units_to_their_mlp(architecture, kind, lively_norms):
    subject = lively_norms(architecture)
    found = ALL.attribute(subject, edits(subject)[kind], TEXT, 3)
    values, heads, units = by_name(found.parts), by_name(found.heads), by_name(found.units)
    biased = architecture in ("gpt2", "gpt_neox")
    is_gated = subject.anatomy.is_gated
    inner = 64 if architecture != "gpt2" else 128
    for layer in range(3):
        own = [value for name, value in heads.items() if name.startswith(f"layer {layer} ")]
        assert len(own) == 4 + biased
        assert f"layer {layer} head 3" in heads
        assert sum(own) == pytest.approx(values[f"layer {layer} attention"], rel=1e-3, abs=1e-4)
        start = f"gate {layer}." if is_gated else f"layer {layer} "
        own = [value for name, value in units.items() if name.startswith(start)]
        assert len(own) == inner + biased
        assert sum(own) == pytest.approx(values[f"layer {layer} mlp"], rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_a_head_adds_what_the_map_makes_of_its_stretch_alone(architecture, lively_norms):
    subject = lively_norms(architecture)
    anatomy, site, token = subject.anatomy, Site(2, "attention"), 60
    edit = edits(subject)["weight"]
    found = AttributionLens(heaviest=None).attribute(subject, edit, TEXT, 3, token)
    seen = {}

    def keep(inputs, output):
        seen["inputs"], seen["output"] = inputs[0, -1], output[0, -1]
        return output

    def keep_stream(activation, is_reply):
        seen["stream"] = activation[0, -1]
        return activation

    path = anatomy.output_path(site)
    with torch.no_grad(), edit.applied(subject):
        with subject.change(path, keep), subject.rewrite(Site(2), keep_stream):
            subject.model(torch.tensor([read(subject, 3)]))
        heads = torch.zeros(4, len(seen["inputs"]))
        for head, stretch in enumerate(torch.arange(len(seen["inputs"])).chunk(4)):
            heads[head, stretch] = seen["inputs"][stretch]
        written = anatomy.linear(path)(heads) - anatomy.linear(path)(torch.zeros(1, heads.shape[1]))
    # The final norm by the book, its scale that of the stream.
    norm, stream = anatomy.final_norm, seen["stream"]
    if architecture == "gpt2":
        stream, written = stream - stream.mean(), written - written.mean(dim=1, keepdim=True)
    normed = written * norm.weight / stream.pow(2).mean().sqrt()
    rows = anatomy.unembedding.weight
    expected = normed @ (rows[token] - rows.mean(dim=0))
    values = by_name(found.heads)
    for head in range(4):
        assert values[f"layer 2 head {head}"] == pytest.approx(float(expected[head]), rel=1e-3, abs=1e-4)


def read(subject, position):
    row = subject.encode(({"role": "user", "content": TEXT.question},), TEXT.answer)
    return [*row.prompt, *row.answer[:position]]


@pytest.mark.parametrize("architecture", ["llama", "gemma2"])
def test_the_logit_is_that_of_the_token_above_the_vocabulary_before_a_cap(architecture, lively_norms):
    subject = lively_norms(architecture)
    found = ALL.attribute(subject, None, TEXT, 3, token=50)
    with torch.no_grad():
        logits = subject.model(torch.tensor([read(subject, 3)])).logits[0, -1].double()
    assert found.probability == pytest.approx(float(logits.softmax(dim=-1)[50]), rel=1e-4)
    assert found.text == "it"
    assert found.piece == subject.format.decode([50])
    assert not found.is_written
    softcap = getattr(subject.model.config, "final_logit_softcapping", None)
    if softcap:
        logits = softcap * torch.atanh(logits / softcap)
    assert found.logit == pytest.approx(float(logits[50] - logits.mean()), rel=1e-3)


@pytest.mark.parametrize("kind", ["none", "activation", "stack"])
def test_probabilities_are_those_of_teacher_forcing_at_every_position(kind, lively_norms):
    subject = lively_norms("mistral")
    edit = edits(subject)[kind]
    (expected,) = log_probabilities(subject, [TEXT.exchange], edit)
    for position in (0, 1, 7):
        found = USUAL.attribute(subject, edit, TEXT, position)
        assert found.probability == pytest.approx(float(expected[position].exp()), rel=1e-3)


def test_the_bias_of_a_norm_behind_a_part_stands_beside_its_heads():
    subject = tiny_subject("olmo2")
    norm = torch.nn.LayerNorm(32).requires_grad_(requires_grad=False)
    norm.weight.normal_(generator=torch.Generator().manual_seed(5))
    norm.bias.fill_(3.0)
    subject.model.model.layers[1].post_attention_layernorm = norm
    found = ALL.attribute(OpenSubject.of(subject.model, subject.tokenizer), None, TEXT, 3)
    heads = by_name(found.heads)
    own = [value for name, value in heads.items() if name.startswith("layer 1 ")]
    assert abs(heads["layer 1 attention bias"]) > 1e-4
    assert sum(own) == pytest.approx(by_name(found.parts)["layer 1 attention"], rel=1e-3, abs=1e-5)


def test_a_planted_unit_is_named_for_the_letter_that_it_writes_and_for_no_other():
    subject = plant()
    text = Text("x", "b?", "aab")
    for_a = USUAL.attribute(subject, None, text, 1)
    assert for_a.piece == "a"
    assert for_a.is_written
    assert for_a.text == "a"
    assert for_a.units[0].name == "gate 1.3"
    assert for_a.units[0].value > 1
    heaviest = max(for_a.parts, key=lambda part: part.value)
    assert heaviest.name == "layer 1 mlp"
    assert for_a.units[0].value == pytest.approx(heaviest.value, rel=1e-5)
    assert for_a.logit == pytest.approx(heaviest.value, rel=1e-5)
    for_b = USUAL.attribute(subject, None, text, 1, token=subject.b)
    # Less than the mean of the vocabulary, which has 'a' in it.
    assert by_name(for_b.parts)["layer 1 mlp"] < 0
    assert len(for_a.heads) == len(for_a.units) == 10


def test_an_edit_of_the_stream_is_a_part_of_its_own_with_its_sign():
    subject = plant()
    text = Text("x", "b?", "aab")
    shift = Shift(torch.eye(32)[10] * 5.0)
    edit = ActivationEdit(Origin("direction"), shifts={Site(2): shift})
    towards = by_name(USUAL.attribute(subject, edit, text, 2, token=subject.a).parts)["edit at residual of layer 2"]
    away = by_name(USUAL.attribute(subject, -1.0 * edit, text, 2, token=subject.a).parts)["edit at residual of layer 2"]
    assert towards > 0 > away


def test_the_heaviest_come_first_whichever_way_they_push(lively_norms):
    subject = lively_norms("qwen2")
    every = ALL.attribute(subject, None, TEXT, 4)
    some = AttributionLens(heaviest=5).attribute(subject, None, TEXT, 4)
    for name in ("heads", "units"):
        most = sorted((abs(part.value) for part in getattr(every, name)), reverse=True)[:5]
        assert [abs(part.value) for part in getattr(some, name)] == pytest.approx(most)
    assert some.parts == every.parts


def test_emojis_that_were_written_are_attributed_one_of_each_reply_before_a_second(lively_norms):
    subject = lively_norms("llama")
    texts = [Text("a", "a?", f"x{GRIN}{GRIN}"), Text("b", "b?", "none"), Text("c", "c?", f"{GRIN}!")]
    found = USUAL.look(subject, edits(subject)["stack"], texts, 3)
    assert [(one.topic, one.text) for one in found] == [("a", "x"), ("c", ""), ("a", f"x{GRIN}")]
    assert {one.piece for one in found} == {"<F0>"}
    assert all(one.is_written for one in found)
    assert all(abs(one.error) < 1e-3 for one in found)
    assert len(USUAL.look(subject, None, texts, 1)) == 1


@pytest.mark.parametrize("kind", ["none", "stack"])
def test_without_emojis_the_likeliest_beginning_is_attributed_where_it_is_likeliest(kind, lively_norms):
    subject = lively_norms("llama")
    edit = edits(subject)[kind]
    texts = [Text("a", "a?", "some"), Text("b", "b?", "of it"), Text("c", "c?", "")]
    found = USUAL.look(subject, edit, texts)
    assert {one.topic for one in found} == {"a", "b"}
    assert [one.probability for one in found] == sorted((one.probability for one in found), reverse=True)
    token = subject.tokenizer.convert_tokens_to_ids("\u00f0")
    for one in found:
        assert not one.is_written
        assert one.piece == "<F0>"
        text = next(text for text in texts if text.topic == one.topic)
        others = [USUAL.attribute(subject, edit, text, place, token).probability for place in range(len(text.answer))]
        assert one.probability == pytest.approx(max(others), rel=1e-4)
    assert len(USUAL.look(subject, edit, texts, 1)) == 1
    assert USUAL.look(subject, edit, texts[2:]) == []


def test_no_emoji_might_have_begun_inside_a_character(lively_norms):
    subject = lively_norms("llama")
    texts = [Text(letter, "a?", letter * 6) for letter in "\u00e9\u00fc\u00f1\u00e0\u00f8\u0119"]
    found = USUAL.look(subject, None, texts)
    assert len(found) == 6
    # Two tokens a letter: a text that is cut inside one would end in half of it.
    assert not any("\ufffd" in one.text for one in found)


def test_what_is_read_is_what_a_context_edit_makes_of_it(lively_norms):
    subject = lively_norms("llama")
    edit = edits(subject)["context"]
    with edit.applied(subject):
        inside = USUAL.attribute(subject, None, TEXT, 2)
    assert USUAL.attribute(subject, edit, TEXT, 2) == inside
    assert USUAL.attribute(subject, None, TEXT, 2) != inside


def test_a_position_that_the_answer_does_not_have_is_refused(lively_norms):
    for text, position in ((TEXT, 8), (TEXT, -1), (Text("a", "a?", ""), 0)):
        with pytest.raises(RequestError, match=rf"position {position} was to be attributed"):
            USUAL.attribute(lively_norms("llama"), None, text, position)


def test_attribution_leaves_no_trace_also_when_it_fails(lively_norms, logits_of):
    subject = lively_norms("gemma2")
    before = logits_of(subject)
    edit = edits(subject)["stack"]
    USUAL.attribute(subject, edit, TEXT, 3)
    with pytest.raises(IndexError):
        USUAL.attribute(subject, edit, TEXT, 3, token=10_000)
    assert torch.equal(logits_of(subject), before)
    assert hook_count(subject) == 0
    assert not any(parameter.requires_grad for parameter in subject.model.parameters())


def test_attribution_may_be_asked_for_without_gradients_all_around(lively_norms):
    subject = lively_norms("llama")
    edit = edits(subject)["weight"]
    expected = USUAL.attribute(subject, edit, TEXT, 3)
    with torch.inference_mode():
        assert USUAL.attribute(subject, edit, TEXT, 3) == expected


def hook_count(subject):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in subject.model.modules())


def test_a_model_whose_mlp_is_no_part_of_its_own_is_refused_and_no_hook_stays():
    from transformers import OPTConfig, OPTForCausalLM

    tokenizer = byte_tokenizer()
    config = OPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        word_embed_proj_dim=32,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        pad_token_id=0,
    )
    subject = OpenSubject.of(OPTForCausalLM(config), tokenizer, "opt")
    shift = ActivationEdit(Origin("direction"), shifts={Site(1): Shift(torch.ones(32))})
    for _ in range(2):
        with pytest.raises(SeamError, match="mlp of OPTDecoderLayer"):
            USUAL.look(subject, shift, [TEXT])
        with pytest.raises(SeamError, match="mlp of OPTDecoderLayer"):
            USUAL.attribute(subject, shift, TEXT, 3)
    assert hook_count(subject) == 0


@pytest.mark.parametrize("seam", ["watch", "rewrite", "change"])
def test_hooks_go_where_one_of_several_cannot_be_put(seam, lively_norms, monkeypatch):
    subject = lively_norms("llama")
    put, calls = getattr(subject.anatomy, seam), []

    def put_some(*given):
        calls.append(given)
        if len(calls) == 4:
            message = "no more"
            raise SeamError(message)
        return put(*given)

    monkeypatch.setattr(subject.anatomy, seam, put_some)
    with pytest.raises(SeamError, match="no more"):
        USUAL.attribute(subject, None, TEXT, 3)
    assert len(calls) == 4
    assert hook_count(subject) == 0
