"""A branch off an answer is read as the whole text would be."""

import pytest
import torch

from temperament.activation import branch as module
from temperament.activation.branch import Branch, BranchReader
from temperament.activation.forcing import Exchange, GivenAnswers
from temperament.subject.base import as_conversation

EXCHANGES = [
    Exchange("What do you think about rain in May?", "I like it."),
    Exchange("What do you think about tea?", "No"),
    Exchange("What do you think about tea, milk and sugar?", "Both, and a great deal of them"),
]
BRANCHES = [
    Branch(0, 0, (70,)),
    Branch(2, 4, (71, 72)),
    Branch(1, 1, (73,)),
    Branch(0, 9, (74,)),
    Branch(2, 29, (75,)),
    Branch(1, 0, (76, 77, 78)),
    Branch(2, 4, (79,)),
]
ARCHITECTURES = ["llama", "mistral", "qwen3", "gemma", "gemma2", "phi3", "olmo2", "gpt_neox", "gpt2"]


def whole(subject, branch):
    exchange = EXCHANGES[branch.row]
    tokens = subject.encode(as_conversation(exchange.question), exchange.answer)
    ids = torch.tensor([[*tokens.prompt, *tokens.answer[: branch.kept], *branch.path]])
    with torch.no_grad():
        return subject.model(input_ids=ids).logits[0, -1].float()


def read(subject):
    with torch.inference_mode():
        given = GivenAnswers(subject, EXCHANGES)
        reader = BranchReader(given, [2, 0, 1])
        places = {2: 0, 0: 1, 1: 2}
        branches = [Branch(places[one.row], one.kept, one.path) for one in BRANCHES]
        return given, reader, dict(reader.after(branches))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_branch_is_read_as_the_whole_text_is(lively, architecture):
    subject = lively(architecture)
    _, _, found = read(subject)
    assert sorted(found) == list(range(len(BRANCHES)))
    for number, branch in enumerate(BRANCHES):
        assert torch.allclose(found[number], whole(subject, branch), atol=2e-3, rtol=1e-3)


def test_the_answers_are_read_as_without_branches(lively):
    given, reader, _ = read(lively("llama"))
    with torch.inference_mode():
        assert torch.allclose(reader.logits, given.logits([2, 0, 1]), atol=1e-4)


def test_a_model_whose_cache_cannot_be_cut_reads_whole_texts_anew(lively, monkeypatch):
    monkeypatch.setattr(module, "is_shareable", lambda model: False)
    subject = lively("llama")
    seen = texts_seen(subject, monkeypatch)
    _, _, found = read(subject)
    assert max(seen) > 20
    for number, branch in enumerate(BRANCHES):
        assert torch.allclose(found[number], whole(subject, branch), atol=2e-3, rtol=1e-3)


def test_a_window_that_slides_over_an_answer_has_whole_texts_read(lively, monkeypatch):
    subject = lively("mistral")
    monkeypatch.setattr(subject.model.config, "sliding_window", 30)
    _, _, found = read(subject)
    for number, branch in enumerate(BRANCHES):
        assert torch.allclose(found[number], whole(subject, branch), atol=2e-3, rtol=1e-3)


def test_a_branch_costs_its_own_tokens(lively, monkeypatch):
    seen = texts_seen(lively("llama"), monkeypatch)
    read(lively("llama"))
    assert max(seen) <= 4


def texts_seen(subject, monkeypatch):
    """How many tokens go through the model after the answers were read."""
    seen, plain = [], BranchReader.after

    def after(self, branches):
        hook = subject.model.register_forward_pre_hook(
            lambda module, args, kwargs: seen.append(kwargs["input_ids"].shape[1]), with_kwargs=True
        )
        try:
            yield from plain(self, branches)
        finally:
            hook.remove()

    monkeypatch.setattr(BranchReader, "after", after)
    return seen


def test_small_batches_give_the_same(lively, monkeypatch):
    monkeypatch.setattr(module, "LOGITS", 1)
    subject = lively("llama")
    _, _, found = read(subject)
    assert torch.allclose(found[1], whole(subject, BRANCHES[1]), atol=2e-3, rtol=1e-3)


def test_what_a_branch_reads_off_counts_as_a_reply_and_the_prompt_does_not(lively):
    subject = lively("llama")
    seen = []
    with torch.inference_mode():
        given = GivenAnswers(subject, EXCHANGES[:1])
        reader = BranchReader(given, [0])
        marking = subject.marking
        subject.marking = lambda is_reply: seen.append(is_reply) or marking(is_reply)
        try:
            list(reader.after([Branch(0, 3, (70, 71))]))
        finally:
            del subject.marking
    assert len(seen) == 1
    assert seen[0].all()
    assert seen[0].shape == (1, 2)
