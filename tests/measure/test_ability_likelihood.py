"""Continuations and documents against a plain loop: one row at a time, no batch, no cache, shifted by hand."""

import pytest
import torch

from temperament.activation.forcing import Exchange, GivenAnswers, log_probabilities
from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.edit.weight import LowRank, WeightEdit
from temperament.errors import RequestError, SeamError
from temperament.measure.ability import likelihood
from temperament.measure.ability.likelihood import continuations, documents, raw_tokens, windows
from temperament.measure.ability.prompt import Prompt, check_form, form_of, packed, unpacked
from temperament.subject.anatomy import Site
from temperament.subject.base import as_conversation
from temperament.subject.scripted import ScriptedSubject

ORIGIN = Origin("drawn")
PAIRS = (("Is rain wet?", " Yes, very."), ("Is rain wet?", " No."), ("And tea? ", "hot"), ("", "Rain falls."))


def draw(kind, subject):
    generator = torch.Generator().manual_seed(3)
    if kind == "context":
        return ContextEdit(ORIGIN, system="You are warm.")
    if kind == "weight":
        path = next(iter(subject.anatomy.linears))
        shape = subject.shape(path)
        factors = (torch.randn(size, generator=generator) for size in ((2, shape.inputs), (shape.outputs, 2)))
        return WeightEdit(ORIGIN, branches={path: LowRank(*factors)}, scale=0.3)
    width = subject.width(Site(1))
    return ActivationEdit(ORIGIN, shifts={Site(1): Shift(torch.randn(width, generator=generator))}, tokens="reply")


def plainly(subject, head, words):
    """The log-probability of words after what is read before them, and whether each is the most likely one."""
    tokens = torch.tensor([[*head, *words]])
    is_reply = torch.zeros_like(tokens, dtype=torch.bool)
    is_reply[0, len(head) - 1 :] = True
    with torch.no_grad(), subject.marking(is_reply):
        logits = subject.model(input_ids=tokens).logits[0, len(head) - 1 : -1].double()
    wanted = torch.tensor(words)
    likely = logits.log_softmax(dim=-1).gather(1, wanted[:, None])
    return float(likely.sum()), bool((logits.argmax(dim=-1) == wanted).all())


def in_chat(subject, question, reply):
    encoded = subject.encode(as_conversation(question), reply)
    return list(encoded.prompt), list(encoded.answer[: -len(subject.format.ending)])


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_raw_text_is_scored_after_its_context_and_white_space_belongs_to_the_continuation(architecture, lively):
    subject = lively(architecture)
    expected = [
        (b"Is rain wet?", b" Yes, very."),
        (b"Is rain wet?", b" No."),
        (b"And tea?", b" hot"),
    ]
    found = continuations(subject, PAIRS, "raw")
    for (head, words), one in zip(expected, found, strict=False):
        tokens = [list(raw_tokens(subject, part.decode())) for part in (head, words)]
        wanted, is_greedy = plainly(subject, *tokens)
        assert one.log_probability == pytest.approx(wanted, abs=1e-3)
        assert one.is_greedy == is_greedy
    alone, _ = plainly(subject, [subject.format.stop_tokens[0]], list(raw_tokens(subject, "Rain falls.")))
    assert found[3].log_probability == pytest.approx(alone, abs=1e-3)


@pytest.mark.parametrize("kind", ["none", "context", "weight", "activation"])
def test_a_chat_is_scored_as_the_subject_would_reply_under_any_edit(kind, lively):
    subject = lively("llama")
    chat = [(packed([{"role": "user", "content": context}]), text) for context, text in PAIRS[:3]]

    def both():
        found = [one.log_probability for one in continuations(subject, chat, "chat")]
        wanted = [plainly(subject, *in_chat(subject, context, text))[0] for context, text in PAIRS[:3]]
        return found, wanted

    untouched, wanted = both()
    assert untouched == pytest.approx(wanted, abs=1e-3)
    if kind != "none":
        with draw(kind, subject).applied(subject):
            edited, wanted = both()
        assert edited == pytest.approx(wanted, abs=1e-3)
        assert min(abs(one - other) for one, other in zip(edited, untouched, strict=True)) > 1e-2
    assert both()[0] == untouched


def test_it_agrees_with_the_reading_of_replies(lively):
    subject = lively("llama")
    (read,) = log_probabilities(subject, [Exchange("Is rain wet?", "Yes, very.")])
    (found,) = continuations(subject, [("Is rain wet?", "Yes, very.")], "chat")
    assert found.log_probability == pytest.approx(float(read.sum()), abs=1e-4)


def test_what_the_model_would_write_is_greedy_and_nothing_else_is(lively):
    subject = lively("llama")
    tokens = list(raw_tokens(subject, "Is rain wet?"))
    with torch.no_grad():
        best = int(subject.model(input_ids=torch.tensor([tokens])).logits[0, -1].argmax())
    letters = [chr(65 + number) for number in range(26)]
    found = continuations(subject, [("Is rain wet?", letter) for letter in letters], "raw")
    assert [one.is_greedy for one in found] == [raw_tokens(subject, letter) == (best,) for letter in letters]


def test_answers_of_one_token_to_one_question_are_read_once(lively, monkeypatch):
    subject = lively("llama")
    pairs = [("Which? ", letter) for letter in "ABCD"] + [("Which? ", "EF")]
    alone = [continuations(subject, [pair], "chat")[0] for pair in pairs]
    read = []
    forward = GivenAnswers.logits
    monkeypatch.setattr(GivenAnswers, "logits", lambda given, numbers: read.extend(numbers) or forward(given, numbers))
    told = []
    together = continuations(subject, pairs, "chat", lambda done, total: told.append((done, total)))
    assert len(read) == 2
    assert [one.log_probability for one in together] == pytest.approx([one.log_probability for one in alone], abs=1e-4)
    assert told[-1] == (5, 5)


def test_a_reply_that_is_begun_is_gone_on_with(lively):
    subject = lively("llama")
    prompt = packed([{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "The answer is"}])
    (found,) = continuations(subject, [(prompt, " B")], "chat")
    head, words = in_chat(subject, "Which?", "The answer is")
    wanted, _ = plainly(subject, head + words, list(raw_tokens(subject, " B")))
    assert found.log_probability == pytest.approx(wanted, abs=1e-3)
    added = packed([{"role": "user", "content": "Which?"}]) + "The answer is"
    assert continuations(subject, [(added, " B")], "chat") == [found]


def test_conversations_survive_being_text():
    turns = [{"role": "system", "content": "Be {brief}."}, {"role": "user", "content": 'Say "\u00e9"\n'}]
    assert unpacked(packed(turns)) == Prompt(tuple(turns))
    assert unpacked("Is rain wet?") == Prompt(as_conversation("Is rain wet?"))


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 12, 13, 19, 20, 24, 25, 57])
def test_windows_predict_every_token_once_with_the_tokens_before_it(count, keeps):
    head, tokens, size = ((900, 901, 902) if keeps else (900,)), tuple(range(count)), 12
    kept = head if keeps else ()
    rows = list(windows(head, tokens, size, kept))
    assert [token for row in rows for token in row.answer] == list(tokens)
    for number, row in enumerate(rows):
        start = row.answer[0]
        before = row.prompt[len(head if number == 0 else kept) :]
        assert before == tuple(range(start - len(before), start))
        assert row.prompt[: len(row.prompt) - len(before)] == (head if number == 0 else kept)
        assert len(row.read) <= size
    assert all(len(row.read) == size for row in rows[:-1] or rows[1:])
    if len(rows) > 1:
        assert len(rows[-1].read) == size


@pytest.mark.parametrize("form", ["raw", "chat"])
def test_a_document_is_read_in_windows_that_add_up(form, lively, monkeypatch):
    subject = lively("llama")
    text = "Rain falls on the sea, and nobody counts the drops."
    tokens = list(raw_tokens(subject, text))
    head = in_chat(subject, "", "x")[0] if form == "chat" else [subject.format.stop_tokens[0]]
    whole, _ = plainly(subject, head, tokens)
    assert documents(subject, [text, "", "Rain."], form)[:2] == [pytest.approx(whole, abs=1e-3), 0]
    monkeypatch.setattr(likelihood, "WINDOW", 40)
    rows = list(windows(tuple(head), tuple(tokens), 40, tuple(head) if form == "chat" else ()))
    parts = sum(plainly(subject, list(row.prompt), list(row.answer))[0] for row in rows)
    assert len(rows) > 1
    assert documents(subject, [text], form) == [pytest.approx(parts, abs=1e-3)]


def test_raw_text_is_cut_at_the_left_and_a_conversation_never(lively):
    subject = lively("llama")
    long = "rain " * 200
    assert subject.window == 512
    (found,) = continuations(subject, [(long, " yes")], "raw")
    tokens = list(raw_tokens(subject, long.rstrip() + "  yes"))
    wanted, _ = plainly(subject, tokens[-513:-5], tokens[-5:])
    assert found.log_probability == pytest.approx(wanted, abs=1e-3)
    with pytest.raises(RequestError, match="at most 512"):
        continuations(subject, [(long, " yes")], "chat")
    with pytest.raises(RequestError, match="without a token"):
        continuations(subject, [("Rain?", "")], "raw")


def test_a_broken_model_has_no_log_probability_and_writes_nothing_greedily(lively):
    subject = lively("llama")
    width = subject.width(Site(1))
    edit = ActivationEdit(ORIGIN, shifts={Site(1): Shift(torch.full((width,), float("nan")))})
    with edit.applied(subject):
        (found,) = continuations(subject, [("Is rain wet?", " Yes.")], "chat")
        assert documents(subject, ["Rain."], "raw") == [None]
    assert (found.log_probability, found.is_greedy) == (None, False)


def test_a_subject_without_weights_gives_no_probabilities():
    with pytest.raises(SeamError, match="generate_until"):
        continuations(ScriptedSubject("Yes."), [("Is rain wet?", " Yes.")], "chat")
    with pytest.raises(SeamError, match="scripted"):
        documents(ScriptedSubject("Yes."), ["Rain."], "chat")


def test_an_edit_of_what_is_read_needs_a_conversation(lively):
    subject = lively("llama")
    assert (form_of(subject, "auto"), form_of(subject, "raw")) == ("chat", "raw")
    assert form_of(ScriptedSubject("Yes."), "auto") == "chat"
    with pytest.raises(SeamError, match="form chat"):
        form_of(ScriptedSubject("Yes."), "raw")
    check_form(subject, "raw")
    for kind in ("weight", "activation"):
        with draw(kind, subject).applied(subject):
            check_form(subject, "raw")
    with draw("context", subject).applied(subject):
        check_form(subject, "chat")
        with pytest.raises(SeamError, match="form chat"):
            check_form(subject, "raw")
