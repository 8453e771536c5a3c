"""What the harness asks, as text that still knows the turns of its conversation.

The harness passes prompts on as one string. A conversation goes through it as JSON and is unpacked on the other side,
so that the subject itself renders it, with whatever edit of what it reads is applied.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from temperament.errors import SeamError
from temperament.subject.base import Conversation, Message, Subject, as_conversation
from temperament.subject.open import OpenSubject

# ``chat``: a question of the harness is a turn, and the model replies; ``raw``: text that the model goes on with.
Form = Literal["chat", "raw"]
MARK = "conversation:"


@dataclass(frozen=True)
class Prompt:
    """A conversation, and the words with which the reply to it begins already."""

    conversation: Conversation
    begun: str = ""


def packed(messages: Sequence[dict[str, Any]]) -> str:
    """A conversation as one string."""
    turns = [{"role": turn["role"], "content": turn["content"]} for turn in messages]
    return MARK + json.dumps(turns, ensure_ascii=False)


def unpacked(text: str) -> Prompt:
    """The conversation of a string; a string that is none is the question of a conversation of one turn.

    What a task adds behind the conversation, and a last turn of the assistant, are the beginning of the reply.
    """
    if not text.startswith(MARK):
        return Prompt(as_conversation(text))
    content, end = json.JSONDecoder().raw_decode(text[len(MARK) :])
    turns = tuple(Message(role=turn["role"], content=turn["content"]) for turn in content)
    begun = text[len(MARK) + end :]
    if turns and turns[-1]["role"] == "assistant":
        return Prompt(turns[:-1], turns[-1]["content"] + begun)
    return Prompt(turns, begun)


def form_of(subject: Subject, asked: Literal["auto", "chat", "raw"]) -> Form:
    """The form for a subject; ``auto`` is raw for a model without a chat template of its own, and else chat.

    Raises:
        SeamError: raw text was asked of a subject that is asked in turns only.
    """
    if not isinstance(subject, OpenSubject):
        if asked == "raw":
            message = f"raw text was asked of {subject.name}, which is asked in turns: take the form chat."
            raise SeamError(message)
        return "chat"
    if asked == "auto":
        return "raw" if subject.format.template == "plain" else "chat"
    return asked


def check_form(subject: Subject, form: Form) -> None:
    """Raises SeamError where an edit of what the model reads is applied, and no conversation for it to change."""
    if form == "chat" or not isinstance(subject, OpenSubject):
        return
    bare = as_conversation("question")
    if subject.encode(bare, "").prompt != subject.format.encode(bare, "").prompt:
        message = (
            f"raw text was asked of {subject.name} under an edit of what it reads: such an edit changes conversations. "
            f"Take the form chat."
        )
        raise SeamError(message)
