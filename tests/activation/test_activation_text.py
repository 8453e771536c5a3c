"""Texts that are written are those of a reply, and reading them again counts the same positions."""

import pytest
import torch

from temperament.activation import text as texts
from temperament.activation.statistic import Collector
from temperament.activation.text import read_texts, write_texts
from temperament.errors import RequestError, TrainingError
from temperament.record import Generation
from temperament.subject.anatomy import Site
from temperament.subject.text import Encoded

SITE = Site(1, "gate")
QUESTIONS = ("hi", "what do you think about rain?", "why?", "and you?", "tell me about the sea")
GREEDY = Generation(temperature=0.0, max_new_tokens=9, repetition_penalty=1.1)


def prompts_of(subject):
    return [subject.encode(({"role": "user", "content": question},), "").prompt for question in QUESTIONS]


def test_what_is_written_is_what_the_subject_replies(lively):
    subject = lively("llama")
    replies = subject.reply(QUESTIONS, GREEDY)
    written = write_texts(subject, prompts_of(subject), GREEDY)
    for reply, text in zip(replies, written, strict=True):
        assert subject.format.decode(text.answer) == reply.text
        assert len(text.answer) == reply.tokens + reply.is_finished


def ending_early(subject):
    """Make stop tokens of what some rows write in the middle, so that rows end at different steps."""
    written = write_texts(subject, prompts_of(subject), GREEDY)
    return [written[0].answer[2], written[1].answer[5]]


@pytest.mark.parametrize("drop", [0.2, 2.0])
def test_reading_again_counts_the_positions_that_were_counted_while_writing(drop, lively, monkeypatch):
    """Also where finished rows stay in the batch, as all do with a share of 2: they are not counted any more."""
    subject = lively("llama")
    monkeypatch.setattr("temperament.subject.decode.DROP", drop)
    monkeypatch.setattr(subject.format, "stop_tokens", ending_early(subject))
    first, second = Collector(subject, [SITE]), Collector(subject, [SITE])
    written = write_texts(subject, prompts_of(subject), GREEDY, [first])
    lengths = [len(text.answer) for text in written]
    assert min(lengths) < max(lengths) == 9
    read_texts(subject, written, [second])
    one, two = first.statistics(SITE), second.statistics(SITE)
    assert one.tokens == two.tokens == sum(lengths)
    assert torch.equal(one.positive, two.positive)
    torch.testing.assert_close(one.total, two.total, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(one.greatest, two.greatest, rtol=1e-4, atol=1e-4)


def test_small_batches_read_as_large_ones_do(lively, monkeypatch):
    subject = lively("llama")
    written = write_texts(subject, prompts_of(subject), GREEDY)
    found = []
    for tokens in (30, 4096):
        monkeypatch.setattr(texts, "TOKENS", tokens)
        collector, told = Collector(subject, [SITE]), []
        read_texts(subject, written, [collector], "all", lambda *state, told=told: told.append(state))
        found.append(collector.statistics(SITE))
        assert told[-1][0] == told[-1][1] == found[-1].tokens
    assert found[0].tokens == found[1].tokens
    torch.testing.assert_close(found[0].mean, found[1].mean, rtol=1e-4, atol=1e-4)


def test_parts_of_a_text_are_the_whole(lively):
    subject = lively("llama")
    written = write_texts(subject, prompts_of(subject), GREEDY)
    tokens = {}
    for part in ("prompt", "answer", "all"):
        collector = Collector(subject, [SITE])
        read_texts(subject, written, [collector], part)
        tokens[part] = collector.statistics(SITE).tokens
    assert tokens["prompt"] + tokens["answer"] == tokens["all"]
    assert tokens["answer"] == sum(len(text.answer) for text in written)


def test_a_text_without_an_answer_is_read_to_where_one_would_begin(lively):
    collector = Collector(lively("llama"), [SITE])
    read_texts(lively("llama"), [Encoded((7, 8, 9), ())], [collector])
    assert collector.statistics(SITE).tokens == 1


def test_progress_is_told_at_every_step_of_writing(lively):
    told = []
    write_texts(lively("llama"), prompts_of(lively("llama")), GREEDY, (), lambda *state: told.append(state))
    assert told[-1] == (45, 45)
    assert told == sorted(told)
    assert len(told) >= 9


def test_what_cannot_be_read_or_written_is_refused(lively):
    subject = lively("llama")
    with pytest.raises(RequestError, match="a text of 600 tokens was asked for: tiny:llama reads at most 512"):
        read_texts(subject, [Encoded((7,) * 600, ())], [])
    with pytest.raises(RequestError, match="a prompt of 510 tokens and 9 new ones"):
        write_texts(subject, [(7,) * 510], GREEDY)
    assert write_texts(subject, [], GREEDY) == []
    read_texts(subject, [], [])
    with (
        subject.rewrite(Site(2), lambda activation, _: activation * torch.nan),
        pytest.raises(TrainingError, match="wrote nothing to 'hi': the logits are no finite numbers"),
    ):
        write_texts(subject, prompts_of(subject)[:1], GREEDY)
