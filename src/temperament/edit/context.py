"""Context edits: they change what the model reads."""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import msgspec

from temperament.edit.base import Edit, Kind
from temperament.errors import RequestError
from temperament.subject.base import Conversation, Message, Subject, with_system


def with_context(conversation: Conversation, system: str, turns: Sequence[Message]) -> Conversation:
    """The conversation with ``system`` added to its system prompt, and turns that come before its own."""
    if system:
        conversation = with_system(conversation, system)
    start = 1 if conversation and conversation[0]["role"] == "system" else 0
    return (*conversation[:start], *turns, *conversation[start:])


def check_no_dial(edit: Edit) -> None:
    """Raises RequestError for an edit of what a model reads at a strength that is neither 0 nor 1."""
    if edit.strength not in (0.0, 1.0):
        message = f"strength {edit.strength:g} was asked for: {edit.origin.method} has no dial. Take 0 or 1."
        raise RequestError(message)


@dataclass(frozen=True)
class ContextEdit(Edit):
    """A system prompt, and turns that come before the question.

    It has no dial: strength is 0 or 1.

    Attributes:
        system: appended to a system prompt that is there.
        turns: demonstrations, the nearest last.
    """

    system: str = ""
    turns: tuple[Message, ...] = ()

    kind: ClassVar[Kind] = "context"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what the edit does at strength 1."""
        return hashlib.sha256(msgspec.json.encode(["context", self.system, self.turns])).hexdigest()

    def check(self, subject: Subject) -> None:
        """Every subject can be told something; raises RequestError for a strength that is neither 0 nor 1."""
        del subject
        check_no_dial(self)

    def preface(self, conversation: Conversation) -> Conversation:
        """The conversation as the model reads it under this edit."""
        return with_context(conversation, self.system, self.turns)

    def save(self, folder: Path) -> None:
        """Write ``edit.json``; there are no tensors."""
        from temperament.edit.store import save_edit

        save_edit(self, folder, content={"system": self.system, "turns": self.turns})

    def _enter(self, stack: ExitStack, subject: Subject) -> None:
        stack.enter_context(subject.preface(self.preface))
