"""Conversations become exactly the text and tokens that the model was made for."""

import copy

import pytest
from jinja2 import TemplateError
from tokenizers.processors import TemplateProcessing

from temperament.record import Generation
from temperament.subject.base import Message
from temperament.subject.open import OpenSubject
from temperament.subject.text import ChatFormat
from temperament.subject.tiny import byte_tokenizer, tiny_subject

USER = Message(role="user", content="hello")
TOLD = (Message(role="system", content="Be brief."), USER)
ENDING = 1  # <|end|>
REFUSING = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "[{{ m['role'] }}] {{ m['content'] }}{% if m['role'] == 'assistant' %}<|end|>{% endif %}{% endfor %}"
)
DROPPING = (
    "{% for m in messages if m['role'] != 'system' %}[{{ m['role'] }}] {{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
# As LLaMA-2 writes them: a space between the prompt and the answer, and another before the end.
SPACED = (
    "{{ '<|user|>' }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)
CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|system|>You are a helpful machine.<|end|>\n{% endif %}"
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def format_of(template, **changes):
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    for name, value in changes.items():
        setattr(tokenizer, name, value)
    return ChatFormat(tokenizer)


def adds_itself(tokenizer, *, begin=True, end=False):
    """The tokenizer, adding <|user|> as a beginning and <|end|> as an end to whatever it reads."""
    single = f"{'<|user|> ' if begin else ''}$A{' <|end|>' if end else ''}"
    ids = [(name, tokenizer.convert_tokens_to_ids(name)) for name in ("<|user|>", "<|end|>")]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=single, special_tokens=ids)
    tokenizer.bos_token = "<|user|>"
    return tokenizer


def test_the_chat_template_of_the_tokenizer_is_used(lively):
    assert lively("llama").format.template == "chat"
    assert lively("llama").format.render(TOLD) == "<|system|>Be brief.<|end|><|user|>hello<|end|><|assistant|>"


def test_a_default_system_prompt_is_recorded_as_the_model_read_it():
    subject = with_format(CHATML)
    prompt = subject.reply(["hello"], Generation(max_new_tokens=1))[0].prompt
    assert prompt == "<|system|>You are a helpful machine.<|end|>\n<|user|>hello<|end|>\n<|assistant|>"
    told = subject.reply([TOLD], Generation(max_new_tokens=1))[0].prompt
    assert told == "<|system|>Be brief.<|end|>\n<|user|>hello<|end|>\n<|assistant|>"


def test_the_token_of_the_beginning_is_never_doubled():
    tokenizer = adds_itself(byte_tokenizer())
    begin = tokenizer.convert_tokens_to_ids("<|user|>")
    assert tokenizer("hi")["input_ids"][0] == begin
    form = ChatFormat(tokenizer)
    tokens = form.tokens(form.render((USER,)))
    assert tokens[0] == begin
    assert tokens[1] != begin
    assert tokens.count(begin) == 1
    assert begin not in form.encode((USER,), "yes").answer


def test_the_plain_template_takes_the_beginning_from_the_tokenizer_and_no_end():
    tokenizer = adds_itself(byte_tokenizer(), end=True)
    tokenizer.chat_template = None
    form = ChatFormat(tokenizer)
    tokens = form.tokens(form.render((USER,)))
    assert tokens[0] == tokenizer.bos_token_id
    assert tokens[-1] != tokenizer.eos_token_id
    assert form.decode(tokens) == "Question: hello\nAnswer:"


def test_a_tokenizer_without_a_template_gets_the_plain_one():
    form = format_of(None)
    assert form.template == "plain"
    said = Message(role="assistant", content="I like it.")
    conversation = (*TOLD, said, Message(role="user", content="why?"))
    assert form.render(conversation) == (
        "Be brief.\n\nQuestion: hello\nAnswer: I like it.<|end|>\nQuestion: why?\nAnswer:"
    )
    assert form.tokenizer.decode(form.encode((USER,), "It rains.").answer) == " It rains.<|end|>"


def test_the_plain_template_works_for_a_tokenizer_without_an_end():
    form = format_of(None, eos_token=None)
    said = Message(role="assistant", content="yes")
    assert form.render((USER, said, USER)) == "Question: hello\nAnswer: yes\nQuestion: hello\nAnswer:"
    assert form.stop_tokens == ()
    assert form.encode((USER,), "yes").answer == tuple(form.tokenizer(" yes")["input_ids"])


@pytest.mark.parametrize("template", [REFUSING, DROPPING])
def test_a_system_prompt_that_the_template_has_no_place_for_goes_before_the_first_user_turn(template):
    assert format_of(template).render(TOLD).startswith("[user] Be brief.\n\nhello")
    assert format_of(template).render((USER,)).startswith("[user] hello")


def test_a_template_that_refuses_something_else_says_so():
    with pytest.raises(TemplateError, match="no users"):
        format_of("{% if messages[-1]['role'] == 'user' %}{% if messages|length > 2 %}{{ raise_exception('no users') }}"
                  "{% endif %}{% endif %}x").render((USER, USER, USER))  # fmt: skip


def test_an_answer_ends_with_the_token_that_ends_a_turn():
    for template in (CHATML, SPACED, None):
        form = format_of(template)
        assert form.encode((USER,), "yes").answer[-1] == ENDING
        assert ENDING in form.stop_tokens


def test_an_answer_ends_with_the_end_of_turn_also_where_the_end_of_text_is_another():
    form = format_of(CHATML, eos_token="<|pad|>")
    assert form.encode((USER,), "yes").answer[-1] == ENDING
    assert form.stop_tokens == (0, ENDING)


@pytest.mark.parametrize("template", [CHATML, SPACED, REFUSING, DROPPING, None])
def test_an_encoded_answer_is_what_the_template_writes_up_to_its_end(template):
    form = format_of(template)
    encoded = form.encode((USER,), "  It rains.\n")
    closed = form._apply((USER, Message(role="assistant", content="It rains.")), is_open=False)
    if template in (DROPPING, REFUSING):
        # These write the name of the turn with the answer, or a space that is not theirs to write when they reply.
        assert form.tokenizer.decode(encoded.answer).endswith("It rains.<|end|>")
        return
    written = form.tokenizer.decode([*encoded.prompt, *encoded.answer])
    assert closed.startswith(written)
    assert closed.removeprefix(written).strip() == ""
    assert len(encoded) == len(encoded.prompt) + len(encoded.answer)


def test_a_prompt_and_its_reply_are_encoded_as_the_model_read_them(lively):
    subject, read = lively("llama"), []
    handle = subject.model.register_forward_pre_hook(
        lambda _module, _inputs, named: read.append(named["input_ids"]), with_kwargs=True
    )
    try:
        reply = subject.reply(["hello"], Generation(temperature=0.0, max_new_tokens=9))[0]
    finally:
        handle.remove()
    prefill, *steps = [ids[0].tolist() for ids in read]
    encoded = subject.encode((USER,), "yes")
    assert list(encoded.prompt) == prefill
    assert subject.format.tokens(reply.prompt) == prefill
    drawn = [step[0] for step in steps]
    assert subject.format.decode(drawn) == reply.text[: len(subject.format.decode(drawn))]


def test_encoding_sees_what_a_preface_adds(lively):
    subject = lively("llama")
    bare, told = subject.encode((USER,), "yes"), subject.encode(TOLD, "yes")
    with subject.preface(lambda conversation: (*TOLD[:1], *conversation)):
        assert subject.encode((USER,), "yes") == told
    assert subject.encode((USER,), "yes") == bare != told


@pytest.mark.parametrize(("given", "expected"), [([7, 9], (1, 7, 9)), (7, (1, 7)), (None, (1,)), ([1], (1,))])
def test_stop_tokens_come_from_the_generation_config_too(given, expected):
    subject = tiny_subject("llama")
    subject.model.generation_config.eos_token_id = given
    again = OpenSubject.of(subject.model, subject.tokenizer)
    assert again.format.stop_tokens == expected


def test_any_stop_token_ends_a_reply(lively):
    subject = lively("llama")
    drawn = drawn_tokens(subject)
    stopping = copy.copy(subject)
    stopping.format = ChatFormat(subject.tokenizer, [drawn[4]])
    reply = stopping.reply(["hello"], Generation(temperature=0.0, max_new_tokens=12))[0]
    assert reply.is_finished
    assert reply.tokens == drawn.index(drawn[4])


def drawn_tokens(subject):
    """What the subject greedily says to hello, as tokens."""
    read = []
    handle = subject.model.register_forward_pre_hook(
        lambda _module, _inputs, named: read.append(named["input_ids"]), with_kwargs=True
    )
    try:
        subject.reply(["hello"], Generation(temperature=0.0, max_new_tokens=8))
    finally:
        handle.remove()
    return [ids[0, 0].item() for ids in read[1:]]


def with_format(template):
    subject = tiny_subject("llama")
    subject.tokenizer.chat_template = template
    return OpenSubject.of(subject.model, subject.tokenizer)
