"""The lens agrees with writing out every logit, knows which way a unit writes, and leaves chance to chance."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from chain import Chain
from planted import plant

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.weight import LowRank, WeightEdit
from temperament.errors import RequestError
from temperament.explain.emoji_token import emoji_tokens, piece_of
from temperament.explain.finding import Change, Unit
from temperament.explain.logit_lens import LogitLens, output_vectors, site_scores
from temperament.explain.norm import NormMap
from temperament.explain.projection import ProjectionLens, matched_means
from temperament.explain.text import Text
from temperament.measure.written import written_by
from temperament.subject.anatomy import Site
from temperament.subject.open import OpenSubject
from temperament.subject.tiny import ARCHITECTURES, tiny_subject

GATED = tuple(name for name in ARCHITECTURES if name not in ("gpt2", "gpt_neox"))
GRIN, PARTY = "\U0001f600", "\U0001f389"
FIRST = 0xF0


def uneven(architecture):
    """A tiny subject whose norms have weights and biases of their own, so that none of them can be left out."""
    subject = tiny_subject(architecture)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in subject.model.named_parameters():
        if parameter.ndim == 1:
            parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
        elif "embed" not in name:
            parameter.data.mul_(10)
    return OpenSubject.of(subject.model, subject.tokenizer, subject.name)


def brute_force(norm, vectors):
    """Vectors through a norm without its scale and bias, by what its kind is known to do."""
    weight = norm.weight.double()
    kind = type(norm).__name__
    if kind == "LayerNorm":
        vectors = vectors - vectors.mean(dim=-1, keepdim=True)
    return vectors * (1 + weight if kind.startswith("Gemma") else weight)


def standardised(logits):
    return (logits - logits.mean(dim=-1, keepdim=True)) / logits.std(dim=-1, correction=0, keepdim=True)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_scores_of_a_site_are_those_of_every_logit_written_out(architecture):
    subject = uneven(architecture)
    anatomy, site = subject.anatomy, Site(1, "gate" if architecture in GATED else "mlp")
    vectors = torch.eye(32, dtype=torch.float64)
    if site.place == "gate":
        vectors = anatomy.linear(anatomy.output_path(Site(1, "mlp"))).weight.double().T
        behind = anatomy.norm_behind(Site(1, "mlp"))
        vectors = vectors if behind is None else brute_force(behind, vectors)
        torch.testing.assert_close(output_vectors(subject, site, range(64)), vectors, rtol=1e-4, atol=1e-6)
    logits = standardised(brute_force(anatomy.final_norm, vectors) @ anatomy.unembedding.weight.double().T)
    tokens, lens = torch.tensor([7, 40, 99]), LogitLens(subject)
    torch.testing.assert_close(site_scores(lens, site, tokens), logits[:, tokens].mean(dim=1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(lens.logits(vectors[5]).double(), logits[5], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", [32, 33])
@pytest.mark.parametrize("kind", ["LayerNorm", "RMSNorm"])
def test_a_norm_with_its_scale_held_is_the_norm(kind, width):
    norm = getattr(torch.nn, kind)(width)
    generator = torch.Generator().manual_seed(4)
    for parameter in norm.requires_grad_(requires_grad=False).parameters():
        parameter.normal_(generator=generator)
    state = 3 + torch.randn(width, generator=generator)
    found = NormMap.of(norm, state)
    assert found.is_centred is (kind == "LayerNorm")
    again = found.scale(state, norm(state)) * found.push(state) + found.bias
    torch.testing.assert_close(again.float(), norm(state), rtol=1e-4, atol=1e-5)
    direction = torch.randn(width, generator=generator).double()
    assert float(found.pull(direction) @ state.double()) == pytest.approx(float(direction @ found.push(state)))


@pytest.mark.parametrize("strength", [1.0, -0.5])
def test_what_a_unit_writes_includes_what_an_edit_has_beside_the_map(strength):
    subject = tiny_subject("llama")
    path = subject.anatomy.output_path(Site(1, "mlp"))
    factors = LowRank(torch.randn(2, 64), torch.randn(32, 2))
    edit = strength * WeightEdit(Origin("lora"), branches={path: factors})
    expected = (subject.anatomy.linear(path).weight + edit.delta(path)).T.double()
    with edit.applied(subject):
        found = output_vectors(subject, Site(1, "gate"), [3, 60])
    torch.testing.assert_close(found, expected[[3, 60]], rtol=1e-4, atol=1e-5)


def test_what_a_unit_writes_is_read_off_four_bits_too(tmp_path):
    functional = pytest.importorskip("bitsandbytes").functional
    if torch.cuda.is_available():
        pytest.skip("the packing of CPUs plays no part")
    small = tiny_subject("llama")
    small.model.save_pretrained(tmp_path)
    small.tokenizer.save_pretrained(tmp_path)
    subject = OpenSubject.from_folder(tmp_path, "small", "nf4")
    module = subject.anatomy.linear(subject.anatomy.output_path(Site(0, "mlp")))
    weight = functional.dequantize_4bit(module.weight.data, module.weight.quant_state).double().reshape(32, 64)
    found = output_vectors(subject, Site(0, "gate"), [0, 63])
    torch.testing.assert_close(found, weight.T[[0, 63]], rtol=1e-2, atol=1e-3)


def change(unit, effect=1.0):
    return Change(unit, "amplified", (0.1, 0.2), (0.0, 1.0), (0.0, 1.0), effect, effect, effect, 0.01, 0.02)


def planted_for_emojis(sign=1.0):
    """The planted model, whose unit 3 fires on 'a' and writes F0 beside 'a', the most of all units."""
    subject = plant()
    lead = next(iter(emoji_tokens(subject).lead.tolist()))
    with torch.no_grad():
        mlp = subject.model.model.layers[1].mlp
        generator = torch.Generator().manual_seed(3)
        # Others write, too, and not on what 'a' and F0 read.
        noise = torch.randn(32, 64, generator=generator)
        noise[[10, 11]] = 0.0
        noise[:, [3, 5]] = 0.0
        mlp.down_proj.weight += noise
        mlp.up_proj.weight.mul_(sign)
        subject.model.lm_head.weight[20:200] = torch.randn(180, 32, generator=generator)
        subject.model.lm_head.weight[:, 10] = 0.0
        subject.model.lm_head.weight[lead, 10] = 1.0
        subject.model.lm_head.weight[subject.a, 10] = 2.0
    return subject


TEXTS = [Text("x", "b?", "bbab"), Text("y", "b?", "bb"), Text("z", "b?", "aabbbbbbbbbbbbbbbb"), Text("z", "b?", "ba")]


def test_a_planted_unit_writes_its_letter_and_emojis_and_ranks_first():
    subject = planted_for_emojis()
    units = [Unit(1, "gate", 3), Unit(1, "gate", 5)]
    found = ProjectionLens().look(subject, None, [change(unit) for unit in units], TEXTS, seed=0, draws=99)
    first, other = found.writings
    assert first.unit == units[0]
    assert first.towards[:2] == ("a", "<F0>")
    assert "a" not in first.away
    assert first.emoji > 2
    assert first.rank == 1.0
    assert other.emoji < first.emoji
    assert other.rank < 1.0
    assert first.sequences[0][0].encode()[0] == FIRST
    assert first.sequences[0][1] > 0


def test_a_unit_whose_up_projection_is_negative_writes_away_from_its_column():
    changes = [change(Unit(1, "gate", 3))]
    upright = ProjectionLens().look(planted_for_emojis(), None, changes, TEXTS, draws=9)
    turned = ProjectionLens().look(planted_for_emojis(-1.0), None, changes, TEXTS, draws=9)
    assert turned.writings[0].away[0] == upright.writings[0].towards[0] == "a"
    assert turned.writings[0].emoji == pytest.approx(-upright.writings[0].emoji)
    assert turned.emoji.value == pytest.approx(-upright.emoji.value)


def test_the_sign_of_a_unit_is_that_of_where_it_fires_not_of_where_its_gate_is_a_little_below_zero():
    subject = planted_for_emojis()
    with torch.no_grad():
        gate = subject.model.model.layers[1].mlp.gate_proj.weight
        # A little above zero on 'a', at its lowest on 'b', which is read more often.
        gate[3, 0], gate[3, 1] = 0.1, -0.23
    text = Text("x", "b?", "bbbbbbbbab")
    found = ProjectionLens().look(subject, None, [change(Unit(1, "gate", 3))], [text], draws=9)
    values = found.writings[0].fires[0].activations
    assert max(values) > 0 > sum(values)
    assert found.writings[0].towards[0] == "a"


def test_a_bias_of_the_map_is_nothing_that_a_unit_writes():
    subject = tiny_subject("llama")
    module = subject.anatomy.linear(subject.anatomy.output_path(Site(1, "mlp")))
    module.bias = torch.nn.Parameter(torch.full((32,), 5.0), requires_grad=False)
    expected = module.weight.T[[3, 60]].double()
    torch.testing.assert_close(output_vectors(subject, Site(1, "gate"), [3, 60]), expected, rtol=1e-4, atol=1e-5)


def test_a_unit_fires_on_the_texts_that_have_its_letter_most_first():
    subject = planted_for_emojis()
    found = ProjectionLens(fires=1).look(subject, None, [change(Unit(1, "gate", n)) for n in (3, 5)], TEXTS, draws=9)
    fires, none = (writing.fires for writing in found.writings)
    assert none == ()
    assert [firing.topic for firing in fires] == ["x", "z", "z"]
    peaks = [firing.pieces[int(np.argmax(firing.activations))] for firing in fires]
    assert peaks == ["a", "a", "a"]
    # Before the answer stands the last position of the prompt, which has no piece.
    assert fires[0].pieces == ("", "b", "b", "a", "b")
    assert fires[1].pieces == ("", "a", "a", "b", "b", "b")
    assert max(fires[0].activations) == pytest.approx(subject.fired, rel=1e-4)


def test_a_change_down_counts_against_emojis():
    subject = planted_for_emojis()
    up, down = (
        ProjectionLens().look(subject, None, [change(Unit(1, "gate", 3), effect)], TEXTS, draws=199).emoji
        for effect in (1.0, -1.0)
    )
    assert up.value == -down.value > 0


def test_random_sets_hold_as_many_units_of_each_site_and_the_finding_counts_itself():
    subject = planted_for_emojis()
    found = ProjectionLens().look(subject, None, [change(Unit(1, "gate", 3))], TEXTS, draws=1999, seed=5)
    assert len(found.matched) == 1999
    # One unit of 64: chance draws the best one itself in one draw of 64.
    assert found.p == pytest.approx((1 + sum(one >= found.emoji.value - 1e-9 for one in found.matched)) / 2000)
    assert found.p == pytest.approx(1 / 64, rel=0.5)
    scores = {Site(0, "gate"): np.array([1.0, 1.0, 1.0]), Site(2, "mlp"): np.array([0.0, 10.0])}
    changes = [change(Unit(0, "gate", 0)), change(Unit(0, "gate", 1), -1.0), change(Unit(2, "mlp", 0), -2.0)]
    means = matched_means(scores, changes, 400, 0)
    assert set(np.round(means, 6)) == {0.0, round(-10 / 3, 6)}
    assert np.mean(means < -1) == pytest.approx(0.5, abs=0.1)
    assert np.array_equal(means, matched_means(scores, changes, 400, 0))
    whole = [change(Unit(2, "mlp", number)) for number in (0, 1)]
    assert set(matched_means(scores, whole, 9, 0)) == {5.0}


def test_units_of_a_layer_are_one_observation_of_what_is_written():
    subject = planted_for_emojis()
    some = [change(Unit(1, "gate", number)) for number in range(8)]
    one = ProjectionLens().look(subject, None, some, TEXTS, draws=9).emoji
    assert one.n == 8
    assert one.value is not None
    assert one.lower is one.upper is None
    # Twice as much of the same tells nothing new.
    more = [*some, change(Unit(1, "mlp", 10)), change(Unit(2, "residual", 10), -1.0)]
    twice = [replace(each) for each in more for _ in range(2)]
    once, again = (ProjectionLens().look(subject, None, every, TEXTS, draws=9).emoji for every in (more, twice))
    assert once.lower < once.value < once.upper
    assert (again.lower, again.upper) == pytest.approx((once.lower, once.upper))


def test_dimensions_of_the_stream_write_themselves_and_nothing_changed_is_nothing_to_say():
    subject = planted_for_emojis()
    found = ProjectionLens().look(subject, None, [change(Unit(2, "residual", 10)), change(Unit(1, "mlp", 10))], TEXTS)
    assert [writing.towards[0] for writing in found.writings] == ["a", "a"]
    assert all(len(writing.fires) == 3 for writing in found.writings)
    nothing = ProjectionLens().look(subject, None, [], TEXTS)
    assert nothing.writings == nothing.matched == ()
    assert nothing.emoji.value is nothing.p is None


def test_a_unit_that_writes_nothing_moves_no_logit():
    found = ProjectionLens().look(plant(), None, [change(Unit(0, "gate", 9))], TEXTS, draws=9)
    (writing,) = found.writings
    assert writing.emoji == 0.0
    assert writing.towards == writing.away == writing.sequences == ()
    assert not math.isnan(found.p)


def test_the_lens_sees_the_edited_model_and_leaves_no_trace(logits_of):
    subject = planted_for_emojis()
    before, hooks = logits_of(subject), hook_count(subject)
    shift = ActivationEdit(Origin("neurons"), shifts={Site(1, "gate"): Shift(torch.eye(64)[3] * 7.0)}, tokens="all")
    changes = [change(Unit(1, "gate", 3))]
    plain = ProjectionLens().look(subject, None, changes, TEXTS, draws=9)
    shifted = ProjectionLens().look(subject, shift, changes, TEXTS, draws=9)
    highest = [max(found.writings[0].fires[0].activations) for found in (plain, shifted)]
    assert highest[1] == pytest.approx(highest[0] + 7.0)
    with pytest.raises(IndexError):
        ProjectionLens().look(subject, shift, [change(Unit(1, "gate", 64))], TEXTS, draws=9)
    assert torch.equal(logits_of(subject), before)
    assert hook_count(subject) == hooks


def hook_count(subject):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in subject.model.modules())


def test_a_vocabulary_of_bytes_begins_emojis_by_its_one_shared_lead():
    tokens = emoji_tokens(tiny_subject("llama"))
    assert len(tokens.certain) == 0
    assert [tokens.spelled[token] for token in tokens.beginnings.tolist()] == [b"\xf0"]
    written = dict(tokens.sequences)
    assert [tokens.spelled[token] for token in written[GRIN]] == [bytes([byte]) for byte in GRIN.encode()]
    assert len(written) > 1000


def test_certain_beginnings_and_the_longest_leads_count_and_curly_quotes_do_not():
    more = (b"\xf0\x9f", b" \xf0\x9f", b"\xf0\x9f\x98", GRIN.encode(), b"\xe2\x80", b"\xe2\x9c", b"hi")
    tokens = emoji_tokens(Chain(more).subject)
    certain, lead = ({tokens.spelled[token] for token in some.tolist()} for some in (tokens.certain, tokens.lead))
    assert certain == {b"\xf0\x9f\x98", GRIN.encode()}
    assert lead == {b"\xf0\x9f", b" \xf0\x9f"}


def test_emojis_of_a_text_are_found_by_their_first_tokens_and_once_each():
    subject = tiny_subject("llama")
    tokens = emoji_tokens(subject)
    couple = f"{GRIN}\u200d{PARTY}"
    text = f"1 a {GRIN}\u201cb\u201d\U0001f1e9\U0001f1ea {couple}2\ufe0f\u20e3 \u2764 \u2764\ufe0f."
    ids = subject.format.tokens(text)
    starts = [len(part.encode()) for part in ("1 a ", f"1 a {GRIN}\u201cb\u201d")]
    starts += [len(text[: text.index(part)].encode()) for part in (couple, "2\ufe0f", "\u2764\ufe0f")]
    assert list(tokens.written(ids)) == starts
    assert "".join(written_by(ids, tokens.spelled).pieces) == text


def test_pieces_of_a_token_can_be_read():
    spelled = [b" hi", b" \xf0\x9f", b"\x98", None, GRIN.encode()]
    assert [piece_of(token, spelled) for token in range(6)] == [" hi", " <F0 9F>", "<98>", "", GRIN, ""]


def test_a_vocabulary_without_emojis_is_refused():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({"hello": 0, "you": 1}, unk_token="hello"))
    words = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="you")
    with pytest.raises(RequestError, match="no token of words begins one"):
        emoji_tokens(OpenSubject.of(tiny_subject("llama").model, words, "words"))


def test_settings_bound_what_is_shown():
    subject = planted_for_emojis()
    changes = [replace(change(Unit(1, "gate", number)), effect=1.0) for number in range(6)]
    lens = ProjectionLens(writings=4, fires=2, pieces=3, sequences=2, texts=1)
    found = lens.look(subject, None, changes, TEXTS, draws=9)
    assert [writing.unit.number for writing in found.writings] == [0, 1, 2, 3]
    assert [len(writing.fires) for writing in found.writings] == [1, 1, 0, 0]
    assert {len(writing.towards) for writing in found.writings} == {3}
    assert {len(writing.sequences) for writing in found.writings} == {2}
    assert found.emoji.n == 6
