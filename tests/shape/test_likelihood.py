"""Likelihoods and divergences agree with what one reads off the logits of one row at a time."""

import pytest
import torch

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.errors import RequestError
from temperament.opinion.situation import load_passages
from temperament.shape import likelihood
from temperament.shape.likelihood import (
    Exchange,
    batches,
    divergence,
    log_probabilities,
    neutral_exchanges,
    perplexity,
    tokens_read,
)
from temperament.subject.anatomy import Site

EXCHANGES = [
    Exchange("What about rain?", "I stay in."),
    Exchange("What about a long walk by the river?", "Bring everyone, and bring the dog too!"),
    Exchange("What about tea?", "No."),
]


def shift(subject, seed=0, tokens="reply", scale=1.0):
    add = scale * torch.randn(subject.width(Site(1)), generator=torch.Generator().manual_seed(seed))
    return ActivationEdit(Origin("direction"), shifts={Site(1): Shift(add)}, tokens=tokens)


def distribution(subject, exchange):
    """Log-probabilities [word, vocab] and the words, from one row without padding, cache or shared prefix."""
    encoded = subject.encode(({"role": "user", "content": exchange.question},), exchange.answer)
    words = encoded.answer[: -len(subject.format.ending)]
    tokens = (*encoded.prompt, *words)
    is_reply = torch.zeros(1, len(tokens), dtype=torch.bool)
    is_reply[0, len(encoded.prompt) - 1 :] = True
    with torch.no_grad(), subject.marking(is_reply):
        logits = subject.model(input_ids=torch.tensor([tokens])).logits[0]
    return logits[len(encoded.prompt) - 1 : -1].log_softmax(dim=-1), torch.tensor(words)


def by_hand(subject, exchange):
    found, words = distribution(subject, exchange)
    return float(found[torch.arange(len(words)), words].mean())


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma2", "phi3"])
@pytest.mark.parametrize("tokens", [None, "reply", "all"])
def test_log_probabilities_are_those_of_each_row_alone_in_the_order_asked_for(architecture, tokens, lively):
    subject = lively(architecture)
    edit = ContextEdit(Origin("prompt"), system="Be bold.") if tokens is None else shift(subject, tokens=tokens)
    plain = log_probabilities(subject, EXCHANGES)
    with edit.applied(subject):
        expected = [by_hand(subject, exchange) for exchange in EXCHANGES]
        found = log_probabilities(subject, EXCHANGES)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert found != pytest.approx(plain, rel=1e-2)


def test_how_rows_are_batched_changes_nothing(lively, monkeypatch):
    subject = lively("llama")
    together = log_probabilities(subject, EXCHANGES)
    monkeypatch.setattr(likelihood, "BATCH_TOKENS", 1)
    assert log_probabilities(subject, EXCHANGES) == pytest.approx(together, rel=1e-4)


def test_perplexity_weighs_every_token_alike(lively):
    subject = lively("llama")
    found = [distribution(subject, exchange) for exchange in EXCHANGES]
    every = torch.cat([rows[torch.arange(len(words)), words] for rows, words in found])
    assert perplexity(subject, EXCHANGES) == pytest.approx(float((-every.mean()).exp()), rel=1e-3)


@pytest.mark.parametrize("most", [1, 10_000])
def test_divergence_is_the_mean_over_tokens_of_the_distance_from_the_untouched_model(most, lively, monkeypatch):
    monkeypatch.setattr(likelihood, "DIVERGENCE_TOKENS", most)
    subject = lively("llama")
    edit = shift(subject)
    before = torch.cat([distribution(subject, exchange)[0] for exchange in EXCHANGES])
    with edit.applied(subject):
        after = torch.cat([distribution(subject, exchange)[0] for exchange in EXCHANGES])
    expected = float((before.exp() * (before - after)).sum(dim=-1).mean())
    other_way = float((after.exp() * (after - before)).sum(dim=-1).mean())
    assert divergence(subject, edit, EXCHANGES) == pytest.approx(expected, rel=1e-3)
    assert abs(expected - other_way) > 0.01 * expected


def test_divergence_is_nothing_at_strength_0_and_grows(lively):
    subject = lively("llama")
    edit = shift(subject, scale=0.3)
    found = [divergence(subject, strength * edit, EXCHANGES) for strength in (0.0, 0.5, 1.0, 2.0)]
    assert found[0] == 0.0
    assert found == sorted(set(found))


def test_divergence_of_an_edit_that_makes_the_prompt_longer_compares_the_same_tokens_of_the_answer(lively):
    subject = lively("llama")
    edit = ContextEdit(Origin("prompt"), system="You are a very talkative person, and you like crowds.")
    before = distribution(subject, EXCHANGES[1])[0]
    with edit.applied(subject):
        after = distribution(subject, EXCHANGES[1])[0]
    expected = float((before.exp() * (before - after)).sum(dim=-1).mean())
    assert divergence(subject, edit, [EXCHANGES[1]]) == pytest.approx(expected, rel=1e-3)


def test_batches_hold_every_row_once_and_no_more_tokens_than_they_may():
    lengths = [5, 9, 2, 30, 7, 7]
    found = list(batches(lengths, 20))
    assert sorted(number for batch in found for number in batch) == list(range(6))
    assert [3] in found
    assert all(len(batch) * max(lengths[number] for number in batch) <= 20 for batch in found if batch != [3])


def test_what_is_read_counts_a_common_beginning_once(lively):
    subject = lively("llama")
    alone = [tokens_read(subject, [exchange]) for exchange in EXCHANGES]
    shared = len(subject.tokenizer("<|user|>What about ", add_special_tokens=False)["input_ids"])
    assert tokens_read(subject, EXCHANGES) == sum(alone) - 2 * shared


def test_neutral_passages_are_answers_to_a_question_about_their_topic():
    passage = load_passages()[0]
    assert neutral_exchanges([passage]) == [Exchange(f"What can you tell me about {passage.topic}?", passage.text)]


def test_a_row_beyond_the_window_is_an_error_and_never_cut(lively):
    with pytest.raises(
        RequestError, match=r"that begins 'aaaa.*makes a row of \d+ tokens: tiny:llama reads at most 512"
    ):
        log_probabilities(lively("llama"), [Exchange("What about rain?", "a" * 600)])
