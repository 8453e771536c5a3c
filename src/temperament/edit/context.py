"""Context edits: they change what the model reads."""

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import msgspec

from temperament.edit.base import Edit, Kind
from temperament.errors import RequestError
from temperament.subject.base import Conversation, Message, Subject, with_system


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
        """Every subject can be told something; raises RequestError for a strength between 0 and 1."""
        del subject
        if self.strength not in (0.0, 1.0):
            message = f"strength {self.strength:g} was asked for: {self.origin.method} has no dial. Take 0 or 1."
            raise RequestError(message)

    def preface(self, conversation: Conversation) -> Conversation:
        """The conversation as the model reads it under this edit."""
        if self.system:
            conversation = with_system(conversation, self.system)
        start = 1 if conversation and conversation[0]["role"] == "system" else 0
        return (*conversation[:start], *self.turns, *conversation[start:])

    def save(self, folder: Path) -> None:
        """Write ``edit.json``; there are no tensors."""
        from temperament.edit.store import save_edit

        save_edit(self, folder, content={"system": self.system, "turns": self.turns})

    def _enter(self, stack: ExitStack, subject: Subject) -> None:
        stack.enter_context(subject.preface(self.preface))
