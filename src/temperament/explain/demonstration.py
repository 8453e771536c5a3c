"""What becomes of an answer's likelihood without each demonstration that a model was shown before it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from temperament.activation.forcing import GivenAnswers, Row, batches
from temperament.edit.base import Edit
from temperament.edit.context import ContextEdit
from temperament.edit.retrieval import RetrievalEdit
from temperament.errors import RequestError
from temperament.explain.finding import Part
from temperament.subject.base import Conversation, Message, Subject, as_conversation
from temperament.subject.open import OpenSubject

NAME = 80


class Asked(NamedTuple):
    """A question and an answer."""

    question: str
    answer: str


@dataclass(frozen=True)
class Shown:
    """A conversation as it is read, and the same without one demonstration each, by what that says."""

    told: Conversation
    without: dict[str, Conversation]


def demonstration_parts(subject: Subject, edit: Edit, asked: Sequence[Asked]) -> tuple[Part, ...]:
    """By how much the likelihood of answers falls without each demonstration, in nats a token; above 0 it helps.

    Teacher-forced, everything else as the model read it. A demonstration that is looked up for several questions has
    the mean over these. Demonstrations are pairs of turns before the question; what a copied one repeats in the system
    prompt goes with it; in a system prompt alone they are the paragraphs that hold a question and an answer.

    Args:
        subject: open.
        edit: IKE's, of either kind.
        asked: questions and the edited model's answers to them.

    Returns:
        A part a demonstration, the most helpful first.

    Raises:
        RequestError: the edit shows no demonstrations, the subject is closed, or no answer fits into its window.
    """
    if not isinstance(edit, ContextEdit | RetrievalEdit) or edit.strength == 0:
        message = f"demonstrations were to be left out, and an edit of {edit.origin.method} shows none by itself."
        raise RequestError(message)
    if not isinstance(subject, OpenSubject):
        message = f"the likelihood of answers was asked of {subject.name}, whose weights are not at hand."
        raise RequestError(message)
    shown = [shown_before(edit, question, subject) for question, _ in asked]
    if not any(each.without for each in shown):
        message = f"demonstrations were to be left out, and what {edit.origin.method} tells the model has none."
        raise RequestError(message)
    rows = [
        _row(subject, told, each.answer)
        for each, one in zip(asked, shown, strict=True)
        for told in (one.told, *one.without.values())
    ]
    values = iter(_mean_log_probabilities(subject, rows))
    falls: defaultdict[str, list[float]] = defaultdict(list)
    for each in shown:
        whole = next(values)
        for name in each.without:
            value = next(values)
            if whole is not None and value is not None:
                falls[name].append(whole - value)
    if not falls:
        message = f"demonstrations were to be left out, and no answer fits behind them into what {subject.name} reads."
        raise RequestError(message)
    parts = [Part(_shortened(name), sum(found) / len(found)) for name, found in falls.items()]
    return tuple(sorted(parts, key=lambda part: -part.value))


def shown_before(edit: ContextEdit | RetrievalEdit, question: str, subject: Subject) -> Shown:
    """What a model reads under an edit when it is asked, and the same without each demonstration."""
    plain = as_conversation(question)
    told = edit.preface(plain, subject) if isinstance(edit, RetrievalEdit) else edit.preface(plain)
    start = 1 if told[0]["role"] == "system" else 0
    system, turns = told[:start], told[start : len(told) - len(plain)]
    rest = told[len(told) - len(plain) :]
    found: dict[str, Conversation] = {}
    for place in range(0, len(turns) - 1, 2):
        name = _name(turns[place]["content"], turns[place + 1]["content"])
        left = (*turns[:place], *turns[place + 2 :])
        found[name] = (*_uncopied(system, turns[place + 1]["content"]), *left, *rest)
    if not found and system:
        found = _paragraphs(system[0]["content"], (*turns, *rest))
    return Shown(told, found)


def _uncopied(system: Conversation, answer: str) -> Conversation:
    """The system prompt without the line that states an answer, which a copied demonstration repeats."""
    return tuple(Message(role=turn["role"], content=turn["content"].replace(f"\n- {answer}", "", 1)) for turn in system)


def _paragraphs(system: str, rest: Conversation) -> dict[str, Conversation]:
    blocks = system.split("\n\n")
    found: dict[str, Conversation] = {}
    for place, block in enumerate(blocks):
        lines = [line.partition(": ") for line in block.split("\n")]
        fields = {name: value for name, _, value in lines}
        if fields.get("Question") and fields.get("Answer"):
            text = "\n\n".join([*blocks[:place], *blocks[place + 1 :]])
            found[_name(fields["Question"], fields["Answer"])] = (Message(role="system", content=text), *rest)
    return found


def _name(question: str, answer: str) -> str:
    return f"{question} \u2014 {answer}".replace("\n", " ")


def _shortened(text: str) -> str:
    """What a finding calls a demonstration; two may look alike there, and are two all the same."""
    return text if len(text) <= NAME else f"{text[: NAME - 1]}\u2026"


def _row(subject: OpenSubject, told: Conversation, answer: str) -> Row | None:
    tokens = subject.encode(told, answer)
    words = tokens.answer[: len(tokens.answer) - len(subject.format.ending)]
    row = Row(tokens.prompt, words)
    return row if words and len(row.read) < subject.window else None


def _mean_log_probabilities(subject: OpenSubject, rows: Sequence[Row | None]) -> list[float | None]:
    """Of the tokens of each answer, in nats; None where there is no row."""
    found: list[float | None] = [None] * len(rows)
    places = [place for place, row in enumerate(rows) if row is not None]
    with torch.inference_mode():
        given = GivenAnswers.of_rows(subject, [row for row in rows if row is not None])
        for batch in batches([given]):
            for number, logits in zip(batch, given.logits(batch), strict=True):
                chosen = torch.tensor(given.row(number).answer, device=logits.device)[:, None]
                taken = given.of_answer(logits, number).log_softmax(dim=-1).gather(1, chosen)
                found[places[number]] = float(taken.mean())
    return found
