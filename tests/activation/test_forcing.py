"""Teacher forcing against a plain loop: one row at a time, no batch, no cache, shifted by hand."""

import pytest
import torch

from temperament.activation import forcing
from temperament.activation.forcing import Exchange, GivenAnswers, divergences, log_probabilities, neutral_exchanges
from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.edit.weight import LowRank, WeightEdit
from temperament.opinion.situation import load_passages
from temperament.subject import cache
from temperament.subject.anatomy import Site
from temperament.subject.base import as_conversation

EXCHANGES = (
    Exchange("What about rain?", "It falls."),
    Exchange("What about tea?", "Hot and strong, please, and no milk at all."),
    Exchange("Rain?", "No."),
    Exchange("What about the sea, and what of it?", "Grey."),
)
ORIGIN = Origin("drawn")
ARCHITECTURES = ("llama", "gpt2", "gemma2", "phi3")


def draw(kind, subject):
    generator = torch.Generator().manual_seed(3)
    if kind == "context":
        turns = ({"role": "user", "content": "And?"}, {"role": "assistant", "content": "Well."})
        return ContextEdit(ORIGIN, system="You are warm.", turns=turns)
    if kind == "weight":
        path = next(iter(subject.anatomy.linears))
        shape = subject.shape(path)
        factors = (torch.randn(size, generator=generator) for size in ((2, shape.inputs), (shape.outputs, 2)))
        return WeightEdit(ORIGIN, branches={path: LowRank(*factors)}, scale=0.3)
    width = subject.width(Site(1))
    return ActivationEdit(ORIGIN, shifts={Site(1): Shift(torch.randn(width, generator=generator))}, tokens=kind)


def plainly(subject, exchange):
    """The log-probabilities [token, vocab] that the words of an answer are read off, and the words."""
    encoded = subject.encode(as_conversation(exchange.question), exchange.answer)
    words = encoded.answer[: -len(subject.format.ending)]
    tokens = torch.tensor([encoded.prompt + words])
    is_reply = torch.zeros_like(tokens, dtype=torch.bool)
    is_reply[0, len(encoded.prompt) - 1 :] = True
    with torch.no_grad(), subject.marking(is_reply):
        logits = subject.model(input_ids=tokens).logits[0].double()
    return logits[len(encoded.prompt) - 1 : -1].log_softmax(dim=-1), torch.tensor(words)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_token_is_scored_by_the_position_before_it(architecture, lively):
    subject = lively(architecture)
    for exchange, found in zip(EXCHANGES, log_probabilities(subject, EXCHANGES), strict=True):
        wanted, words = plainly(subject, exchange)
        assert torch.allclose(found.double(), wanted.gather(1, words[:, None])[:, 0], atol=1e-4)


@pytest.mark.parametrize("kind", ["context", "weight", "reply", "all"])
@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_an_edit_is_read_as_it_would_reply(kind, architecture, lively):
    subject = lively(architecture)
    edit = draw(kind, subject)
    under = log_probabilities(subject, EXCHANGES, edit)
    both = divergences(subject, EXCHANGES, edit)
    for exchange, alone, (divergence, beside) in zip(EXCHANGES, under, both, strict=True):
        before, words = plainly(subject, exchange)
        with edit.applied(subject):
            after, _ = plainly(subject, exchange)
        wanted = after.gather(1, words[:, None])[:, 0]
        assert torch.allclose(alone.double(), wanted, atol=1e-4)
        assert torch.allclose(beside.double(), wanted, atol=1e-4)
        assert torch.allclose(divergence.double(), (before.exp() * (before - after)).sum(dim=1), atol=1e-4)
        assert divergence.mean() > 1e-3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_batches_and_the_shared_beginning_change_nothing(architecture, lively, monkeypatch):
    subject = lively(architecture)
    edit = draw("reply", subject)
    monkeypatch.setattr(cache, "SPARED", 1)
    assert GivenAnswers(subject, EXCHANGES).prefix.length > 0
    together = divergences(subject, EXCHANGES, edit)
    monkeypatch.setattr(cache, "SPARED", 10_000)
    assert GivenAnswers(subject, EXCHANGES).prefix is None
    monkeypatch.setattr(forcing, "LOGITS", 1)
    for one, other in zip(together, divergences(subject, EXCHANGES, edit), strict=True):
        assert torch.allclose(one[0], other[0], atol=1e-5)
        assert torch.allclose(one[1], other[1], atol=1e-5)


def test_no_batch_holds_more_than_was_asked_for_and_no_row_is_lost(lively, monkeypatch):
    subject = lively("llama")
    monkeypatch.setattr(forcing, "TOKENS", 150)
    given = GivenAnswers(subject, EXCHANGES * 5)
    batches = list(forcing.batches([given]))
    assert sorted(row for batch in batches for row in batch) == list(range(20))
    assert all(len(batch) * max(len(given.row(row).read) for row in batch) <= 150 for batch in batches)
    assert max(map(len, batches)) > 1


def test_the_end_of_a_turn_is_not_read(lively):
    subject = lively("llama")
    (found,) = log_probabilities(subject, [Exchange("Rain?", "No.")])
    assert len(found) == len(subject.tokenizer("No.", add_special_tokens=False)["input_ids"])


def test_a_long_answer_is_read_from_its_beginning(lively):
    subject = lively("llama")
    (whole,), (part,) = (log_probabilities(subject, EXCHANGES[1:2], longest=longest) for longest in (None, 5))
    assert len(part) == 5
    assert torch.allclose(part, whole[:5], atol=1e-5)


def test_what_has_no_word_or_does_not_fit_is_missing_and_the_rest_is_read(lively):
    subject = lively("llama")
    answers = ("", " \n", "w" * subject.window)
    exchanges = [EXCHANGES[0], *(Exchange("Rain?", answer) for answer in answers)]
    found = log_probabilities(subject, exchanges)
    assert [one is None for one in found] == [False, True, True, True]
    (alone,) = log_probabilities(subject, EXCHANGES[:1])
    assert torch.allclose(found[0], alone, atol=1e-5)
    assert divergences(subject, exchanges, draw("context", subject))[3] is None


def test_what_fits_into_the_window_but_not_under_the_edit_is_missing(lively):
    subject = lively("llama")
    edit = draw("context", subject)
    question = len(subject.encode(as_conversation("Rain?"), "").prompt)
    long = Exchange("Rain?", "w" * (subject.window - question))
    assert [one is None for one in log_probabilities(subject, [long, EXCHANGES[0]])] == [False, False]
    assert [one is None for one in divergences(subject, [long, EXCHANGES[0]], edit)] == [True, False]


def test_neutral_passages_are_answers_to_a_question_about_their_topic():
    passage = load_passages()[0]
    assert neutral_exchanges([passage]) == [Exchange(f"What can you tell me about {passage.topic}?", passage.text)]


def test_an_edit_of_strength_0_moves_nothing_and_none_leaves_a_trace(lively, logits_of):
    subject = lively("llama")
    before = logits_of(subject)
    for divergence, _ in divergences(subject, EXCHANGES, 0.0 * draw("weight", subject)):
        assert divergence.abs().max() < 1e-6
    divergences(subject, EXCHANGES, draw("all", subject))
    assert torch.equal(before, logits_of(subject))
    assert subject._is_reply is None


def test_more_of_an_edit_moves_more(lively):
    subject = lively("llama")
    edit = draw("weight", subject)
    moved = [
        sum(float(one.mean()) for one, _ in divergences(subject, EXCHANGES, strength * edit))
        for strength in (0.1, 0.4, 1.0)
    ]
    assert 0 < moved[0] < moved[1] < moved[2]
