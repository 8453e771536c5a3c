"""Decoding: greedy agrees with transformers, sampling is exact, and no row knows of another."""

from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.errors import RequestError, SeamError
from temperament.record import GREEDY, Generation
from temperament.subject.anatomy import Site
from temperament.subject.cache import read_prefix, row_bytes, shared_length
from temperament.subject.decode import TOP, choose, decode
from temperament.subject.open import OpenSubject
from temperament.subject.tiny import ARCHITECTURES, byte_tokenizer, tiny_subject

QUESTIONS = ("hi", "what do you think about rain?", "tell me about your last holiday by the sea", "why?", "and you?")
SAMPLED = Generation(temperature=1.0, top_p=0.95, max_new_tokens=12, seed=3)


@contextmanager
def unmarked(is_reply):
    yield


def by_transformers(subject, texts, tokens, **options):
    """The new tokens of every row, up to the first stop token."""
    batch = subject.tokenizer(texts, add_special_tokens=False, return_tensors="pt", padding=True, padding_side="left")
    with torch.inference_mode():
        output = subject.model.generate(
            **batch, do_sample=False, max_new_tokens=tokens, pad_token_id=subject.tokenizer.pad_token_id, **options
        )
    rows = []
    for row in output[:, batch["input_ids"].shape[1] :].tolist():
        ends = [position for position, token in enumerate(row) if token in subject.format.stop_tokens]
        rows.append(row[: ends[0]] if ends else row)
    return rows


def by_us(subject, texts, generation, *, prefixed=False):
    prompts = [subject.format.tokens(text) for text in texts]
    ends = (subject.format.stop_tokens, subject.format.pad_token)
    prefix = read_prefix(subject.model, prompts, subject.marking) if prefixed else None
    assert (prefix is not None) == prefixed
    with torch.inference_mode():
        return decode(subject.model, prompts, list(range(len(prompts))), generation, ends, subject.marking, prefix)


def under_system(subject):
    """Prompts of different lengths that begin alike."""
    told = {"role": "system", "content": "You live by the sea, and love it."}
    return [subject.format.render((told, {"role": "user", "content": question})) for question in QUESTIONS]


def mistral(window):
    """A Mistral that attends to so many tokens, with weights so large that every part moves the logits."""
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = byte_tokenizer()
    special = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
    shape = {**ARCHITECTURES["mistral"], "vocab_size": len(tokenizer), "sliding_window": window}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = AutoConfig.for_model("mistral", **special, **shape)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    for parameter in model.parameters():
        parameter.data.mul_(10 if parameter.ndim == 2 else 1)
    return OpenSubject.of(model, tokenizer)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_greedy_decoding_agrees_with_transformers_on_prompts_of_different_lengths(architecture, lively):
    subject = lively(architecture)
    texts = [subject.format.render(({"role": "user", "content": question},)) for question in QUESTIONS]
    found = by_us(subject, texts, replace(GREEDY, max_new_tokens=12))
    assert [tokens for tokens, _ in found] == by_transformers(subject, texts, 12)
    assert len({tuple(tokens) for tokens, _ in found}) > 1


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_the_repetition_penalty_is_that_of_transformers(architecture, lively):
    subject = lively(architecture)
    # Of one length, because transformers penalises the padding token too.
    texts = [subject.format.render(({"role": "user", "content": f"{word}?"},)) for word in ("rain", "snow", "hail")]
    plain = by_us(subject, texts, replace(GREEDY, max_new_tokens=16))
    found = by_us(subject, texts, replace(GREEDY, max_new_tokens=16, repetition_penalty=1.1))
    assert [tokens for tokens, _ in found] == by_transformers(subject, texts, 16, repetition_penalty=1.1)
    stronger = by_us(subject, texts, replace(GREEDY, max_new_tokens=16, repetition_penalty=5.0))
    assert [tokens for tokens, _ in stronger] == by_transformers(subject, texts, 16, repetition_penalty=5.0)
    assert stronger != plain


def test_a_sliding_window_shorter_than_the_prompt_changes_nothing_of_that():
    subject = mistral(window=8)
    replies = subject.reply(QUESTIONS, SAMPLED)
    for question, reply in zip(QUESTIONS, replies, strict=True):
        assert subject.reply([question], SAMPLED)[0] == reply
    texts = [reply.prompt for reply in replies]
    assert [t for t, _ in by_us(subject, texts, replace(GREEDY, max_new_tokens=12))] == by_transformers(
        subject, texts, 12
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_prefix_that_is_read_once_changes_no_token(architecture, lively):
    subject = lively(architecture)
    texts = under_system(subject)
    found = by_us(subject, texts, replace(GREEDY, max_new_tokens=12), prefixed=True)
    assert [tokens for tokens, _ in found] == by_transformers(subject, texts, 12)
    assert by_us(subject, texts, SAMPLED, prefixed=True) == by_us(subject, texts, SAMPLED)


# Within the questions, within the prefix, at its end, and beyond everything.
@pytest.mark.parametrize("window", [4, 20, 45, 60, 400])
def test_a_prefix_is_exact_where_attention_slides_over_it(window):
    subject = mistral(window)
    texts = under_system(subject)
    found = by_us(subject, texts, replace(GREEDY, max_new_tokens=12), prefixed=True)
    assert [tokens for tokens, _ in found] == by_transformers(subject, texts, 12)


def test_a_subject_reads_a_shared_prefix_once_and_as_no_part_of_a_reply(lively):
    subject, read = lively("llama"), []

    def spying(activation, is_reply):
        read.append((tuple(activation.shape[:2]), int(is_reply.sum())))
        return activation

    told = {"role": "system", "content": "You live by the sea, and love it."}
    asked = [(told, {"role": "user", "content": question}) for question in QUESTIONS]
    lengths = [len(subject.format.tokens(subject.format.render(conversation))) for conversation in asked]
    # A mark a role and the end of a turn are a token each; two questions begin with different letters.
    shared = len(told["content"]) + 3
    with subject.rewrite(Site(1), spying):
        subject.reply(asked, replace(GREEDY, max_new_tokens=2))
    assert read == [((1, shared), 0), ((5, max(lengths) - shared), 5), ((5, 1), 5)]
    read.clear()
    with subject.rewrite(Site(1), spying):
        subject.reply(asked[:1], replace(GREEDY, max_new_tokens=1))
    assert read == [((1, lengths[0]), 1)]


@pytest.mark.parametrize("tokens", ["reply", "all"])
def test_an_edit_of_activations_is_the_same_with_and_without_a_shared_prefix(tokens, lively):
    subject = lively("llama")
    texts = under_system(subject)
    shift = Shift(torch.randn(32, generator=torch.Generator().manual_seed(3)))
    edit = ActivationEdit(Origin("direction"), shifts={Site(0): shift}, tokens=tokens)
    generation = replace(GREEDY, max_new_tokens=12)
    before = by_us(subject, texts, generation)
    with edit.applied(subject):
        apart = by_us(subject, texts, generation, prefixed=True)
        assert apart == by_us(subject, texts, generation)
    assert apart != before


def test_angles_that_depend_on_the_length_of_the_text_forbid_a_shared_prefix(lively):
    subject = lively("phi3")
    prompts = [subject.format.tokens(text) for text in under_system(subject)]
    rope = dict(subject.model.config.rope_parameters)
    assert read_prefix(subject.model, prompts, subject.marking) is not None
    try:
        subject.model.config.rope_parameters["rope_type"] = "longrope"
        assert read_prefix(subject.model, prompts, subject.marking) is None
    finally:
        subject.model.config.rope_parameters = rope


def test_no_prefix_is_shared_where_a_prompt_ends_in_it():
    assert shared_length([[1, 2, 3, 4], [1, 2, 3, 5]]) == 3
    assert shared_length([[1, 2, 3, 4], [1, 2, 3]]) == 2
    assert shared_length([[1], [1]]) == 0
    assert shared_length([[1, 2], [3, 2]]) == 0


def test_batches_fit_into_memory_and_do_not_change_a_reply(lively, monkeypatch):
    subject, rows = lively("llama"), []

    def spying(activation, is_reply):
        if activation.shape[1] > 1:
            rows.append(len(activation))
        return activation

    together = subject.reply(QUESTIONS, SAMPLED)
    # Three questions are short: a fourth row, of the length of this one, would be too many.
    length = len(subject.format.tokens(together[1].prompt))
    size = row_bytes(subject.model, length + SAMPLED.max_new_tokens, length)
    for memory, expected in ((1, [1, 1, 1, 1, 1]), (3.5 * size, [3, 2]), (100 * size, [5])):
        monkeypatch.setattr("temperament.subject.open.memory_for_replies", lambda _, memory=memory: memory)
        with subject.rewrite(Site(0), spying):
            assert subject.reply(QUESTIONS, SAMPLED) == together
        assert rows == expected
        rows.clear()


def test_the_memory_of_a_row_is_that_of_its_keys_and_values_and_of_one_layer(lively):
    llama, config = lively("llama").model, lively("llama").model.config
    kept = 2 * config.num_key_value_heads * config.head_dim * config.num_hidden_layers * 4
    assert row_bytes(llama, 101, 1) - row_bytes(llama, 100, 1) == kept + 4
    assert row_bytes(llama, 100, 100) - row_bytes(llama, 100, 0) == 4 * (100 * 4 * (32 + 64) + 100 * 100)
    # GPT-2 names its sizes differently; every head has keys and values of its own.
    assert row_bytes(lively("gpt2").model, 1, 0) == 2 * kept


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "gpt2"])
def test_what_a_row_draws_does_not_depend_on_the_batch_or_its_order(architecture, lively):
    subject = lively(architecture)
    together = dict(zip(QUESTIONS, subject.reply(QUESTIONS, SAMPLED), strict=True))
    backwards = subject.reply(QUESTIONS[::-1], SAMPLED)[::-1]
    assert list(together.values()) == backwards
    for question in QUESTIONS:
        assert subject.reply([question], SAMPLED)[0] == together[question]


def test_what_a_row_draws_depends_on_the_seed_and_on_nothing_hidden(lively):
    subject = lively("llama")
    first = subject.reply(QUESTIONS, SAMPLED)
    torch.manual_seed(99)
    np.random.default_rng(99).random(3)
    assert subject.reply(QUESTIONS, SAMPLED) == first
    other = subject.reply(QUESTIONS, replace(SAMPLED, seed=4))
    assert all(a.text != b.text for a, b in zip(first, other, strict=True))


def test_the_same_question_asked_again_draws_anew_and_the_first_time_as_before(lively):
    subject = lively("llama")
    replies = subject.reply(["why?", "why?", "hi", "why?"], SAMPLED)
    assert len({reply.text for reply in (replies[0], replies[1], replies[3])}) == 3
    assert subject.reply(["why?"], SAMPLED)[0] == replies[0]


class Counting:
    """A model whose row says its last token plus one, so that a row ends when it reaches the stop token 50."""

    device = torch.device("cpu")
    vocabulary = 64

    def __init__(self):
        from transformers import LlamaConfig

        self.config = LlamaConfig(num_hidden_layers=1)
        self.batches = []

    def __call__(self, *, input_ids, attention_mask, position_ids, past_key_values, use_cache, logits_to_keep):
        self.batches.append(len(input_ids))
        states = input_ids[:, None, :, None].float()
        kept, _ = past_key_values.update(states, states, 0)
        # What the cache keeps for a row must be what that row has read.
        assert kept.shape[2] == attention_mask.shape[1]
        assert torch.equal(kept[:, 0, -1, 0], input_ids[:, -1].float())
        assert torch.equal(position_ids[:, -1], attention_mask.sum(dim=1) - 1)
        rows = kept[:, 0, :, 0] * attention_mask
        assert torch.equal(rows.diff(dim=1)[attention_mask[:, :-1] == 1], torch.ones(int(attention_mask[:, :-1].sum())))
        logits = torch.zeros(len(input_ids), 1, self.vocabulary)
        logits[torch.arange(len(input_ids)), 0, input_ids[:, -1] + 1] = 100.0
        return SimpleNamespace(logits=logits)


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_finished_rows_leave_the_batch_without_disturbing_the_others(temperature):
    model = Counting()
    starts = [49, 30, 45, 40, 48, 47, 10]
    prompts = [list(range(start - length, start + 1)) for length, start in enumerate(starts)]
    generation = Generation(temperature=temperature, max_new_tokens=20)
    decoded = decode(model, prompts, list(range(7)), generation, ([50], 0), unmarked)
    for start, (tokens, is_finished) in zip(starts, decoded, strict=True):
        assert tokens == list(range(start + 1, min(50, start + 21)))
        assert is_finished is (start >= 30)
    # One row in seven is too few to copy the cache for; two are dropped, and one in five.
    assert model.batches == [7, 7, 5, 4, 4, *[3] * 5, *[2] * 10]


def test_decoding_stops_when_every_row_has_ended():
    model = Counting()
    decoded = decode(model, [[49], [47]], [0, 1], Generation(max_new_tokens=20), ([50], 0), unmarked)
    assert decoded == [([], True), ([48, 49], True)]
    assert model.batches == [2, 1, 1]


def test_a_reply_that_is_cut_is_not_finished_and_no_longer_than_asked_for(lively):
    reply = lively("llama").reply(["hi"], replace(SAMPLED, max_new_tokens=4))[0]
    assert (reply.tokens, reply.is_finished) == (4, False)


def test_logits_that_are_no_numbers_give_no_reply_to_their_row_alone(lively):
    class Breaking(Counting):
        def __call__(self, **options):
            output = super().__call__(**options)
            output.logits[options["input_ids"][:, -1] == 42] = torch.nan
            return output

    for temperature in (0.0, 0.7):
        generation = Generation(temperature=temperature, max_new_tokens=20)
        decoded = decode(Breaking(), [[40], [45]], [0, 1], generation, ([50], 0), unmarked)
        assert decoded == [(None, False), ([46, 47, 48, 49], True)]
    subject = lively("llama")
    far = ActivationEdit(Origin("direction"), shifts={Site(0): Shift(torch.full((32,), torch.inf))}, tokens="all")
    with far.applied(subject):
        reply = subject.reply(["hi"], SAMPLED)[0]
    assert (reply.text, reply.is_finished) == (None, None)
    assert "take a lower strength" in reply.error


def test_a_prompt_that_leaves_no_room_is_refused_before_the_work(lively):
    message = r"a prompt of \d+ tokens and 150 new ones were asked for: tiny:llama reads at most 512"
    with pytest.raises(RequestError, match=message):
        lively("llama").reply(["long " * 100])


def test_progress_is_told_in_rows(lively):
    told = []
    lively("llama").reply(["hi"] * 70, replace(SAMPLED, max_new_tokens=2), lambda *state: told.append(state))
    assert told == [(64, 70), (70, 70)]
    assert lively("llama").reply([]) == []


def test_the_first_token_of_a_reply_is_steered_and_the_prompt_is_not(lively):
    subject, marks = lively("llama"), []

    def read(activation, is_reply):
        marks.append(is_reply.clone())
        return activation

    with subject.rewrite(Site(1), read):
        subject.reply(["hi", "what do you think about rain?"], replace(GREEDY, max_new_tokens=3))
    prefill, *later = marks
    assert prefill.shape[1] > 10
    assert prefill[:, -1].all()
    assert not prefill[:, :-1].any()
    assert len(later) == 2
    assert all(mark.shape[1] == 1 and mark.all() for mark in later)


def test_steering_the_reply_alone_can_decide_its_first_token():
    subject = tiny_subject("llama")
    token = 77
    direction = 50.0 * subject.model.lm_head.weight[token].detach() / subject.model.lm_head.weight[token].norm()
    edit = ActivationEdit(Origin("direction"), shifts={Site(2): Shift(direction)}, tokens="reply")
    with edit.applied(subject):
        steered = by_us(subject, ["<|user|>hi<|end|><|assistant|>"], replace(GREEDY, max_new_tokens=3))
    assert steered == [([token] * 3, False)]
    with (-1.0 * edit).applied(subject):
        assert token not in by_us(subject, ["<|user|>hi<|end|>"], replace(GREEDY, max_new_tokens=3))[0][0]


def test_marks_of_another_shape_than_the_pass_are_an_error(lively):
    subject = lively("llama")
    with (
        subject.marking(torch.ones(1, 5, dtype=torch.bool)),
        subject.rewrite(Site(0), lambda activation, _: activation),
        pytest.raises(SeamError, match=r"positions \[1, 5\] are marked as a reply, and the model reads \[1, 3\]"),
    ):
        subject.model(input_ids=torch.tensor([[1, 2, 3]]))


def nucleus(logits, temperature, top_p):
    """Probabilities in the nucleus, by the definition, token by token; zero outside."""
    probabilities = torch.softmax(logits.double() / temperature, dim=-1)
    kept, mass = torch.zeros_like(probabilities), 0.0
    for token in probabilities.argsort(descending=True, stable=True).tolist():
        kept[token] = probabilities[token]
        mass += probabilities[token].item()
        if mass >= top_p:
            break
    return kept / kept.sum()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    vocab=st.sampled_from([2, 7, TOP, TOP + 1, 600]),
    spread=st.sampled_from([0.01, 1.0, 5.0]),
    temperature=st.sampled_from([0.3, 0.7, 1.0, 2.0]),
    top_p=st.sampled_from([0.01, 0.5, 0.9, 0.999]),
)
def test_sampling_inverts_the_distribution_function_of_the_nucleus(seed, vocab, spread, temperature, top_p):
    logits = spread * torch.randn(1, vocab, generator=torch.Generator().manual_seed(seed))
    # Where a sum of probabilities is top_p but for rounding, float32 may take a token more or less.
    masses = torch.softmax(logits[0].double() / temperature, dim=-1).sort(descending=True).values.cumsum(0)
    assume((masses - top_p).abs().min() > 2e-6)
    expected = nucleus(logits[0], temperature, top_p)
    order = expected.argsort(descending=True, stable=True)
    edges = expected[order].cumsum(0)
    for uniform in np.linspace(0, 1, 23, endpoint=False) + 0.017:
        position = int((edges <= uniform).sum())
        if (edges - uniform).abs().min() < 1e-5:
            continue  # On the edge itself float32 may take either side.
        drawn = choose(logits, torch.tensor([uniform], dtype=torch.float32), temperature, top_p)
        # Logits one rounding apart may change places, in the same way for every draw.
        torch.testing.assert_close(logits[0, drawn.item()], logits[0, order[position]], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("vocab", "spread", "top_p"), [(6, 1.0, 0.9), (300, 0.05, 0.9), (400, 3.0, 1.0)])
def test_tokens_are_drawn_as_often_as_they_are_probable(vocab, spread, top_p):
    generator, count = torch.Generator().manual_seed(5), 20_000
    logits = spread * torch.randn(1, vocab, generator=generator)
    drawn = choose(logits.expand(count, -1), torch.rand(count, generator=generator), 1.0, top_p)
    expected = nucleus(logits[0], 1.0, top_p).numpy() * count
    observed = np.bincount(drawn.numpy(), minlength=vocab)
    assert observed[expected == 0].sum() == 0
    often = expected >= 5
    rest = (observed[~often].sum(), expected[~often].sum())
    bins = (
        ([*observed[often], rest[0]], [*expected[often], rest[1]])
        if rest[1] > 0
        else (observed[often], expected[often])
    )
    assert chisquare(*bins).pvalue > 0.01


def test_a_flat_distribution_is_drawn_from_the_whole_vocabulary(monkeypatch):
    vocab, sorted_whole = 1000, []
    logits = torch.zeros(5000, vocab)
    uniform = torch.rand(5000, generator=torch.Generator().manual_seed(0))
    sort = torch.Tensor.sort

    def spying(tensor, *args, **options):
        sorted_whole.append(tensor.shape)
        return sort(tensor, *args, **options)

    monkeypatch.setattr(torch.Tensor, "sort", spying)
    drawn = choose(logits, uniform, 1.0, 0.9)
    assert len(sorted_whole) == 1
    assert len(set(drawn.tolist())) > 850
    peaked = logits.clone()
    peaked[:, 3] = 20.0
    assert choose(peaked, uniform, 1.0, 0.9).eq(3).all()
    assert len(sorted_whole) == 1


def test_one_flat_row_does_not_change_what_its_neighbours_draw():
    logits = torch.randn(2, 500, generator=torch.Generator().manual_seed(1)) * 4
    flat = torch.zeros(1, 500)
    for uniform in torch.rand(50, generator=torch.Generator().manual_seed(2)):
        alone = choose(logits, uniform.repeat(2), 1.0, 0.9)
        among = choose(torch.cat([logits[:1], flat, logits[1:]]), uniform.repeat(3), 1.0, 0.9)
        assert torch.equal(among[[0, 2]], alone)
        assert torch.equal(among[1:2], choose(flat, uniform[None], 1.0, 0.9))


def test_temperature_zero_takes_the_most_probable_token():
    logits = torch.randn(20, 300, generator=torch.Generator().manual_seed(0))
    for top_p in (0.1, 1.0):
        assert torch.equal(choose(logits, torch.full((20,), 0.999), 0.0, top_p), logits.argmax(dim=-1))


def test_a_top_p_of_one_can_draw_every_token():
    logits = torch.randn(1, 8, generator=torch.Generator().manual_seed(0))
    uniform = torch.arange(4000) / 4000
    drawn = Counter(choose(logits.expand(4000, -1), uniform, 1.0, 1.0).tolist())
    assert set(drawn) == set(range(8))
    # The last of them all, which rounding puts at 1 itself, is still a token of the vocabulary.
    assert choose(logits, torch.ones(1), 1.0, 1.0).item() == logits.argmin().item()
