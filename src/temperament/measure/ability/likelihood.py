"""How likely a subject finds given continuations and whole documents, as lm-evaluation-harness asks it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from temperament.activation.forcing import GivenAnswers, Row, batches
from temperament.errors import RequestError, SeamError
from temperament.measure.ability.prompt import Form, unpacked
from temperament.subject.base import Progress, Subject
from temperament.subject.open import OpenSubject

Tokens = tuple[int, ...]
# A document is read in windows of so many tokens, or fewer where the model's own is shorter: logits take 4 bytes a
# token and word of the vocabulary.
WINDOW = 2048


class Continuation(NamedTuple):
    """How likely a continuation was.

    Attributes:
        log_probability: of all its tokens together, in nats; None where it is no finite number.
        is_greedy: every token is the most likely one.
    """

    log_probability: float | None
    is_greedy: bool


def continuations(
    subject: Subject, pairs: Sequence[tuple[str, str]], form: Form, progress: Progress | None = None
) -> list[Continuation]:
    """How likely each text is after its context, under whatever is applied to the subject.

    In a chat the continuation is the reply, tokenised apart from the prompt as a reply is, without white space around
    it. In raw text both are tokenised together, and what does not fit into the window is cut off at the left, as the
    harness does with models of transformers.

    Args:
        subject: reads.
        pairs: context and continuation; a conversation that is `packed`, or text; empty where there is no context.
        form: how contexts are read.
        progress: is told how many are read, of how many.

    Raises:
        SeamError: the subject's weights are not at hand.
        RequestError: a continuation has no token, or a conversation leaves no room for it.
    """
    opened = opened_subject(subject)
    return _scored(opened, [_row(opened, context, text, form) for context, text in pairs], progress)


def documents(
    subject: Subject, texts: Sequence[str], form: Form, progress: Progress | None = None
) -> list[float | None]:
    """The log-probability of each text, in nats: windows without overlap, of which the last has all the context it can.

    In a chat a text is the reply to an empty question, so that an edit of what the model reads is in force; in raw text
    it follows the token with which texts begin. None where it is no finite number; a text without a token has 0.

    Raises:
        SeamError: the subject's weights are not at hand.
        RequestError: what is read before a text fills the window.

    Source: the rolling log-likelihood of lm-evaluation-harness.
    Departs: a token that marks the beginning of a text is never scored; a window has at most 2048 tokens.
    """
    opened = opened_subject(subject)
    head = _head(opened, form)
    size = min(opened.window, WINDOW)
    if len(head) >= size:
        message = (
            f"{len(head)} tokens are read before a document and {opened.name} reads {size} at a time: shorten them."
        )
        raise RequestError(message)
    kept = head if form == "chat" else ()
    rows = [list(windows(head, _tokens(opened, text), size, kept)) for text in texts]
    found = iter(_scored(opened, [row for some in rows for row in some], progress))
    return [_sum([next(found).log_probability for _ in some]) for some in rows]


def windows(head: Tokens, tokens: Tokens, size: int, kept: Tokens = ()) -> Iterator[Row]:
    """A document in rows of at most ``size`` tokens to be read, in which every token is predicted once.

    Args:
        head: is read before the first tokens.
        tokens: of the document.
        size: tokens that are read at a time.
        kept: is read before every later window as well.
    """
    done = min(len(tokens), size - len(head) + 1)
    if done:
        yield Row(head, tokens[:done])
    while done < len(tokens):
        count = min(len(tokens) - done, size - len(kept))
        before = min(done, size - len(kept) - count + 1)
        yield Row(kept + tokens[done - before : done], tokens[done : done + count])
        done += count


def opened_subject(subject: Subject) -> OpenSubject:
    """The subject, whose weights are at hand; raises SeamError where they are not."""
    if isinstance(subject, OpenSubject):
        return subject
    message = (
        f"{subject.name} gives replies and no probabilities: of the harness it can do tasks that have it write "
        f"(generate_until), and none that score given answers or documents. Leave those out, or take a model whose "
        f"weights are at hand."
    )
    raise SeamError(message)


def raw_tokens(subject: OpenSubject, text: str) -> Tokens:
    """Tokens of text that is no conversation, with the token that marks its beginning where the tokenizer has one."""
    found = subject.tokenizer(text)["input_ids"]
    return tuple(found[:-1] if found and found[-1] == subject.tokenizer.eos_token_id else found)


def _row(subject: OpenSubject, context: str, text: str, form: Form) -> Row:
    head, words = _chat_pair(subject, context, text) if form == "chat" else _raw_pair(subject, context, text)
    if not words:
        message = f"a continuation without a token was asked for after '{context[-60:]}': give it some text."
        raise RequestError(message)
    over = len(head) + len(words) - 1 - subject.window
    if over > 0 and (form == "chat" or over >= len(head)):
        message = (
            f"a prompt of {len(head)} tokens and a continuation of {len(words)} were asked for: {subject.name} reads "
            f"at most {subject.window}. Show fewer examples, or leave the task out."
        )
        raise RequestError(message)
    return Row(head[max(over, 0) :], words)


def _chat_pair(subject: OpenSubject, context: str, text: str) -> tuple[Tokens, Tokens]:
    if not context:
        return _head(subject, "chat"), _tokens(subject, text)
    prompt = unpacked(context)
    reply = prompt.begun or text
    encoded = subject.encode(prompt.conversation, reply)
    written = encoded.answer[: len(encoded.answer) - len(subject.format.ending)]
    if prompt.begun:
        return encoded.prompt + written, _tokens(subject, text)
    return encoded.prompt, written if text.strip() else _tokens(subject, text)


def _raw_pair(subject: OpenSubject, context: str, text: str) -> tuple[Tokens, Tokens]:
    """Both tokenised together; white space at the end of the context belongs to the continuation."""
    bare = context.rstrip()
    if not bare:
        return _head(subject, "raw"), _tokens(subject, context + text)
    head = raw_tokens(subject, bare)
    return head, raw_tokens(subject, context + text)[len(head) :]


def _head(subject: OpenSubject, form: Form) -> Tokens:
    """What stands before a text that nothing stands before."""
    if form == "chat":
        return subject.encode(unpacked("").conversation, "").prompt
    first = subject.tokenizer.bos_token_id
    return (int(first if first is not None else subject.format.stop_tokens[0]),)


def _tokens(subject: OpenSubject, text: str) -> Tokens:
    return tuple(subject.tokenizer(text, add_special_tokens=False)["input_ids"])


def _scored(subject: OpenSubject, rows: Sequence[Row], progress: Progress | None) -> list[Continuation]:
    """Rows that are read alike, such as answers of one token to one question, are read once."""
    places: dict[tuple[Tokens, Tokens], list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault((row.prompt, row.answer[:-1]), []).append(place)
    alike = list(places.values())
    found: dict[int, Continuation] = {}
    with torch.inference_mode():
        given = GivenAnswers.of_rows(subject, [rows[some[0]] for some in alike])
        for batch in batches([given]):
            for number, logits in zip(batch, given.logits(batch), strict=True):
                own = given.of_answer(logits, number)
                found.update((place, _continuation(own, rows[place].answer)) for place in alike[number])
            if progress:
                progress(len(found), len(rows))
    return [found[place] for place in range(len(rows))]


def _continuation(logits: Float[Tensor, "token vocab"], tokens: Tokens) -> Continuation:
    chosen = torch.tensor(tokens, device=logits.device)
    likely = logits.gather(1, chosen[:, None]).squeeze(1) - logits.logsumexp(dim=-1)
    total = likely.double().sum()
    if not total.isfinite():
        return Continuation(None, is_greedy=False)
    return Continuation(float(total), is_greedy=bool((logits.argmax(dim=-1) == chosen).all()))


def _sum(parts: Sequence[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known, 0.0) if len(known) == len(parts) else None
