"""Hearings: witnesses are asked about answers, and what they say is kept word for word."""

import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from temperament.edit.base import Edit
from temperament.errors import MismatchError, RequestError
from temperament.explain.testimony_prompt import Form, conversation_about, free_decoys, offer, request_for, shuffled
from temperament.explain.testimony_reply import named_in
from temperament.explain.testimony_token import key_of, keys_in
from temperament.explain.text import Text
from temperament.record import Generation, Record, read_lines, write_lines
from temperament.subject.base import Conversation, Progress, Reply, Subject
from temperament.subject.open import OpenSubject

WitnessName = Literal["shaped", "untouched", "other trait", "decoys", "shuffled"]


@dataclass(frozen=True)
class Answer:
    """What a witness is asked about.

    Attributes:
        item: identifier of the question.
        topic: answers on one topic are no independent observations.
        question: as the model was asked it.
        text: the answer.
    """

    item: str
    topic: str
    question: str
    text: str


@dataclass(frozen=True)
class Heard:
    """One testimony, and before it was given the request for it.

    Attributes:
        witness: as in `finding.Witness`.
        fingerprint: of the subject.
        edit: fingerprint of the edit that was applied; empty for none.
        generation: how the testimony was drawn.
        item: identifier of the question.
        topic: of the answer.
        question: as the model was asked it.
        answer: as the witness saw it: of ``shuffled`` the words are in another order.
        request: what the witness was asked, word for word.
        form: how the answer was put before the witness.
        offered: tokens that the request names; only ``decoys`` has them.
        decoys: which of these are in no answer.
        reply: the testimony as it was written; None where there is none, and then ``error`` says why.
        is_finished: the model ended it itself.
        error: why there is no testimony.
        named: tokens that were named; none where the testimony was not understood.
        in_answer: whether the answer has each of them.
    """

    witness: WitnessName
    fingerprint: str
    edit: str
    generation: Generation
    item: str
    topic: str
    question: str
    answer: str
    request: str
    form: Form = "quoted"
    offered: tuple[str, ...] = ()
    decoys: tuple[str, ...] = ()
    reply: str | None = None
    is_finished: bool | None = None
    error: str | None = None
    named: tuple[str, ...] = ()
    in_answer: tuple[bool, ...] = ()

    @property
    def asked(self) -> "Heard":
        """The request, without what came of it."""
        return replace(self, reply=None, is_finished=None, error=None, named=(), in_answer=())

    def answered(self, reply: Reply) -> "Heard":
        """The request with a testimony."""
        is_cut = reply.is_finished is False
        named = named_in(reply.text, self.answer, is_cut=is_cut) if reply.text is not None else ()
        standing = keys_in(self.answer)
        return replace(
            self,
            reply=reply.text,
            is_finished=reply.is_finished,
            error=reply.error,
            named=named,
            # A phrase that the answer does not have as one names no token of it.
            in_answer=tuple(key_of(token) in standing for token in named),
        )


def answers_of(texts: Sequence[Record] | Sequence[Text], most: int, seed: int = 0) -> list[Answer]:
    """At most ``most`` answers: no topic has a second before all have a first; blank ones are left out."""
    by_topic: defaultdict[str, list[Answer]] = defaultdict(list)
    for number, text in enumerate(texts):
        words = text.reply if isinstance(text, Record) else text.answer
        item = text.item if isinstance(text, Record) else f"text-{number}"
        if words is not None and words.strip():
            by_topic[text.topic].append(Answer(item, text.topic, text.question, words.strip()))
    topics = sorted(by_topic)
    random.Random(seed).shuffle(topics)
    turns = [(turn, answer) for topic in topics for turn, answer in enumerate(by_topic[topic])]
    return [answer for _, answer in sorted(turns, key=lambda entry: entry[0])][:most]


def requests_for(
    witness: WitnessName,
    subject: Subject,
    edit: Edit | None,
    answers: Sequence[Answer],
    generation: Generation,
    form: Form = "quoted",
) -> list[Heard]:
    """What a witness is asked; what is shuffled and which decoys stand in it follows from ``generation.seed``."""
    decoys = free_decoys([answer.text for answer in answers])
    rows: list[Heard] = []
    for answer in answers:
        chance = random.Random(f"{generation.seed} {witness} {answer.item} {answer.text}")
        shown = shuffled(answer.text, chance) if witness == "shuffled" else answer.text
        offered, false = offer(answer.text, decoys, chance) if witness == "decoys" else ((), ())
        rows.append(
            Heard(
                witness=witness,
                fingerprint=subject.fingerprint,
                edit=edit.label.edit if edit else "",
                generation=generation,
                item=answer.item,
                topic=answer.topic,
                question=answer.question,
                answer=shown,
                request=request_for(answer.question, shown, offered, form),
                form=form,
                offered=offered,
                decoys=false,
            )
        )
    return rows


def hear(
    subject: Subject, edit: Edit | None, requests: Sequence[Heard], progress: Progress | None = None
) -> list[Heard]:
    """Put requests to a subject under an edit, or to the untouched one.

    A request that leaves an open subject no room for a reply stays a row with an error that says so, and the others
    are put. Where requests are refused as a whole, all stay rows with that error.

    Raises:
        SeamError: the subject lacks the seam that the edit needs.
        MismatchError: the edit was fitted to another model.
    """
    if not requests:
        return []
    asked = [conversation_about(row.question, row.answer, row.offered, row.form) for row in requests]
    generation = requests[0].generation
    with edit.applied(subject) if edit else nullcontext():
        refusals = [_refusal(subject, conversation, generation) for conversation in asked]
        put = [conversation for conversation, refusal in zip(asked, refusals, strict=True) if refusal is None]
        try:
            replies = subject.reply(put, generation, progress) if put else []
        except RequestError as error:
            replies = [Reply(None, "", error=str(error))] * len(put)
    given = iter(replies)
    return [
        row.answered(next(given) if refusal is None else Reply(None, "", error=refusal))
        for row, refusal in zip(requests, refusals, strict=True)
    ]


def _refusal(subject: Subject, conversation: Conversation, generation: Generation) -> str | None:
    """Why a subject, as it is at this moment, cannot reply to a conversation; None where it can, or nobody knows."""
    if not isinstance(subject, OpenSubject):
        return None
    try:
        length = len(subject.encode(conversation, "").prompt)
    except RequestError as error:
        return str(error)
    if length + generation.max_new_tokens <= subject.window:
        return None
    return (
        f"the request has {length} tokens, {generation.max_new_tokens} more are for the reply, and {subject.name} "
        f"reads at most {subject.window}."
    )


def hear_all(
    subject: Subject,
    witnesses: Sequence[tuple[Edit | None, Sequence[Heard]]],
    store: Path | None = None,
    progress: Progress | None = None,
) -> list[Heard]:
    """Hear witnesses one after another, each under its edit.

    With a store the testimonies are written as JSON lines when all are there, whole or not at all; a store that exists
    is read and nobody is asked.

    Raises:
        MismatchError: the store holds testimonies of something else.
        BadFileError: a line of it is malformed.
    """
    expected = [row for _, rows in witnesses for row in rows]
    if store is not None and store.exists():
        kept = read_lines(store, Heard)
        if [row.asked for row in kept] != expected:
            message = (
                f"{store} holds {len(kept)} testimonies of another model, edit, answer or request than the "
                f"{len(expected)} that were asked for: use another store, or remove the file to ask again."
            )
            raise MismatchError(message)
        return kept
    found: list[Heard] = []
    for edit, rows in witnesses:
        found += hear(subject, edit, rows, _told(progress, len(found), len(rows), len(expected)))
    if store is not None:
        write_lines(store, found)
    return found


def _told(progress: Progress | None, before: int, rows: int, total: int) -> Progress | None:
    """What one witness has done, of all."""
    if progress is None:
        return None

    def told(done: int, of: int) -> None:
        # A subject may count in other units than replies.
        progress(before + done * rows // max(1, of), total)

    return told
