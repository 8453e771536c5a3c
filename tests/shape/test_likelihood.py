"""Likelihoods and divergences agree with what one reads off the logits of one row at a time."""

import pytest
import torch

from temperament.activation.forcing import Exchange
from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.errors import RequestError
from temperament.opinion.row import Opinion
from temperament.shape.likelihood import divergence, perplexity, pole_likelihoods, tokens_read
from temperament.shape.pair import Pair
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


def pair(shown, other):
    first, second = (
        Opinion("openness", pole, "", "rain", *said, "shape", "test")
        for pole, said in (("high", shown), ("low", other))
    )
    return Pair(first, second)


def test_the_likelihoods_of_a_pair_are_means_over_the_tokens_of_each_answer_that_of_the_target_first(lively):
    subject = lively("llama")
    edit = shift(subject)
    pairs = [pair(EXCHANGES[0], EXCHANGES[1]), pair(EXCHANGES[2], EXCHANGES[0])]
    with edit.applied(subject):
        expected = [by_hand(subject, EXCHANGES[number]) for number in (0, 1, 2, 0)]
        found = pole_likelihoods(subject, pairs)
    assert [value for both in found for value in both] == pytest.approx(expected, rel=1e-4)
    assert found != pole_likelihoods(subject, pairs)


def test_perplexity_weighs_every_token_alike(lively):
    subject = lively("llama")
    found = [distribution(subject, exchange) for exchange in EXCHANGES]
    every = torch.cat([rows[torch.arange(len(words)), words] for rows, words in found])
    assert perplexity(subject, EXCHANGES) == pytest.approx(float((-every.mean()).exp()), rel=1e-3)


def test_divergence_is_the_mean_over_tokens_of_the_distance_from_the_untouched_model(lively):
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


def test_what_is_read_counts_a_common_beginning_once(lively):
    subject = lively("llama")
    alone = [tokens_read(subject, [exchange]) for exchange in EXCHANGES]
    shared = len(subject.tokenizer("<|user|>What about ", add_special_tokens=False)["input_ids"])
    assert tokens_read(subject, EXCHANGES) == sum(alone) - 2 * shared


@pytest.mark.parametrize(
    "ask", [perplexity, tokens_read, lambda *given: divergence(given[0], shift(given[0]), given[1])]
)
def test_an_answer_beyond_the_window_is_an_error_and_never_cut(ask, lively):
    with pytest.raises(RequestError, match=r"that begins 'aaaa.*: tiny:llama reads at most 512 tokens"):
        ask(lively("llama"), [EXCHANGES[0], Exchange("What about rain?", "a" * 600)])
