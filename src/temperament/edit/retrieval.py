"""Context edits that choose, for every question, the demonstrations that the model reads before it.

Source: Zheng et al. 2023, Can we edit factual knowledge by in-context learning?, EMNLP (SCIENCE.md 2.2).
Departs: IKE states the new fact before every demonstration. Here what is copied is stated once, in the system prompt.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec
import torch
from jaxtyping import Float
from torch import Tensor

from temperament.edit.base import Edit, Kind, Origin
from temperament.edit.context import check_no_dial, with_context
from temperament.errors import MismatchError, RequestError
from temperament.subject.base import Conversation, Message, Subject
from temperament.subject.embedding import Embedder, load_sentence_embedder
from temperament.subject.open import OpenSubject

Part = Literal["copy", "update", "retain"]
EMBEDDINGS = "embeddings"
# Of a model that does not say how much it reads: what most served models read at the least.
USUAL_WINDOW = 4096
# English text has about 1.3 tokens a word, and a template adds a few to every turn: counted rather too high.
TOKENS_PER_WORD, TOKENS_PER_TURN = 1.5, 6


@dataclass(frozen=True)
class Demonstration:
    """A question and its answer, shown to a model.

    Attributes:
        part: ``copy`` repeats what the model is told that it has said, ``update`` answers as the target would,
            ``retain`` as the untouched model does.
        topic: of the question.
    """

    part: Part
    topic: str
    question: str
    answer: str

    @property
    def turns(self) -> tuple[Message, Message]:
        """The demonstration as a user turn and an assistant turn."""
        return Message(role="user", content=self.question), Message(role="assistant", content=self.answer)


@dataclass(frozen=True)
class Room:
    """How much a model may be given to read.

    Attributes:
        window: tokens that the model reads and writes at most; 0 is the model's own, or 4096 where it does not say.
        reply: tokens that are kept for the reply, up to half of the window.
    """

    window: int = 0
    reply: int = 150

    def prompt(self, subject: Subject | None) -> int:
        """Tokens that a prompt may have."""
        own = subject.window if isinstance(subject, OpenSubject) else USUAL_WINDOW
        window = min(self.window, own) if self.window and isinstance(subject, OpenSubject) else self.window or own
        return window - min(self.reply, window // 2)

    def holds(self, conversation: Conversation, subject: Subject | None) -> bool:
        """Whether a conversation leaves room for a reply."""
        return count_tokens(conversation, subject) <= self.prompt(subject)


def count_tokens(conversation: Conversation, subject: Subject | None) -> int:
    """Tokens of a conversation, as an open subject reads it; by its words, rather too many, for any other."""
    if isinstance(subject, OpenSubject):
        return len(subject.format.tokens(subject.format.render(conversation)))
    words = sum(len(turn["content"].split()) for turn in conversation)
    return math.ceil(TOKENS_PER_WORD * words) + TOKENS_PER_TURN * len(conversation)


def shares_of(count: int) -> dict[Part, int]:
    """How many of ``count`` demonstrations are of each part: copy : update : retain is 1 : 3 : 4, rounded to update."""
    retain = count // 2
    copy = (count - retain) // 4
    return {"copy": copy, "update": count - retain - copy, "retain": retain}


@dataclass(frozen=True, eq=False)
class RetrievalEdit(Edit):
    """An instruction, and before every question the demonstrations of a bank that lie nearest to it, the nearest last.

    It has no dial: strength is 0 or 1. What is chosen depends on the last user turn, and on how many demonstrations the
    model has room for.

    Attributes:
        system: the instruction; appended to a system prompt that is there.
        heading: stands over the answers that are copied, which follow the instruction.
        count: of demonstrations before a question, at most; copy : update : retain is 1 : 3 : 4.
        demonstrations: the bank.
        embeddings: [demo, hidden], of the questions of the bank, each of length 1.
        embedder: by name, as in `load_sentence_embedder`.
        room: how much the model may be given to read.
        embed: instead of the embedder of that name; it is not saved.
    """

    system: str = ""
    heading: str = ""
    count: int = 16
    demonstrations: tuple[Demonstration, ...] = ()
    embeddings: Float[Tensor, "demo hidden"] = field(default_factory=lambda: torch.zeros(0, 1))
    embedder: str = "builtin:minilm"
    room: Room = Room()
    embed: Embedder | None = field(default=None, repr=False)

    kind: ClassVar[Kind] = "context"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what the edit does at strength 1."""
        digest = hashlib.sha256(msgspec.json.encode(["retrieval", self._content()]))
        digest.update(f"{tuple(self.embeddings.shape)}".encode())
        digest.update(self.embeddings.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def check(self, subject: Subject) -> None:
        """Every subject can be told something; raises RequestError for a strength that is neither 0 nor 1."""
        del subject
        check_no_dial(self)

    def preface(self, conversation: Conversation, subject: Subject | None = None) -> Conversation:
        """The conversation as the model reads it under this edit; without a user turn it gets the instruction alone.

        Raises:
            RequestError: there is no room for one demonstration.
        """
        question = next((turn["content"] for turn in reversed(conversation) if turn["role"] == "user"), None)
        if question is None or not self.demonstrations:
            return with_context(conversation, self.system, ())
        for count in range(self.count, 0, -1):
            told = self._with(self.choose(question, count), conversation)
            if self.room.holds(told, subject):
                return told
        message = (
            f"the question '{question[:40]}' leaves no room for a demonstration: {self.room.prompt(subject)} tokens "
            f"may be read before the reply. Take a model with a longer window, or keep less of it for the reply."
        )
        raise RequestError(message)

    def choose(self, question: str, count: int) -> tuple[Demonstration, ...]:
        """The nearest demonstrations of each part, all in one order, the nearest last.

        No answer of the target stands in two of them.

        Args:
            question: that is asked.
            count: of demonstrations; fewer where the bank holds fewer.
        """
        wanted, said = shares_of(count), set[str]()
        chosen: list[int] = []
        # Copies choose first, so that an update does not take the answer of the nearest.
        for part in wanted:
            for row in self._nearest(question):
                one = self.demonstrations[row]
                if wanted[part] and one.part == part and (part == "retain" or one.answer not in said):
                    wanted[part] -= 1
                    said.add(one.answer)
                    chosen.append(row)
        place = {row: number for number, row in enumerate(self._nearest(question))}
        return tuple(self.demonstrations[row] for row in sorted(chosen, key=place.__getitem__, reverse=True))

    def save(self, folder: Path) -> None:
        """Write ``edit.json`` and ``edit.safetensors``."""
        from temperament.edit.store import save_edit

        save_edit(self, folder, self._content(), {"edit.safetensors": {EMBEDDINGS: self.embeddings.float()}})

    def _enter(self, stack: ExitStack, subject: Subject) -> None:
        # Before any question, because an embedder that is not installed should not fail amid them.
        self._embedding("")
        stack.enter_context(subject.preface(lambda conversation: self.preface(conversation, subject)))

    def _with(self, chosen: Sequence[Demonstration], conversation: Conversation) -> Conversation:
        copied = [f"- {one.answer}" for one in chosen if one.part == "copy"]
        system = "\n".join([f"{self.system}\n\n{self.heading}", *copied]) if copied else self.system
        return with_context(conversation, system, [turn for one in chosen for turn in one.turns])

    def _nearest(self, question: str) -> list[int]:
        """Rows of the bank, the nearest to a question first; rows as near as one another in their order."""
        if question not in self._found:
            near = self.embeddings.float() @ self._embedding(question)
            self._found[question] = torch.argsort(near, descending=True, stable=True).tolist()
        return self._found[question]

    @cached_property
    def _found(self) -> dict[str, list[int]]:
        return {}

    def _embedding(self, text: str) -> Float[Tensor, " hidden"]:
        found = embedded([text], self.embed or load_sentence_embedder(self.embedder))[0]
        if len(found) != self.embeddings.shape[1]:
            message = (
                f"{self.embedder} gives {len(found)} numbers a question, and the bank of this edit has "
                f"{self.embeddings.shape[1]}: use the embedder that the edit was fitted with, or fit it anew."
            )
            raise MismatchError(message)
        return found

    def _content(self) -> dict[str, Any]:
        return {
            "system": self.system,
            "heading": self.heading,
            "count": self.count,
            "demonstrations": [asdict(one) for one in self.demonstrations],
            "embedder": self.embedder,
            "room": asdict(self.room),
        }


def embedded(texts: Sequence[str], embed: Embedder) -> Float[Tensor, "text hidden"]:
    """Embeddings of texts, each of length 1; that of a text without any meaning stays zero."""
    found = torch.as_tensor(embed(list(texts))).float()
    return torch.nn.functional.normalize(found, dim=-1)


def retrieval_from(
    origin: Origin, strength: float, content: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> RetrievalEdit:
    """An edit from what its files hold."""
    bank = msgspec.convert(content["demonstrations"], tuple[Demonstration, ...])
    embeddings = tensors[EMBEDDINGS]
    if embeddings.ndim != 2 or len(embeddings) != len(bank):
        message = f"{list(embeddings.shape)} numbers for {len(bank)} demonstrations"
        raise ValueError(message)
    return RetrievalEdit(
        origin,
        strength,
        system=msgspec.convert(content["system"], str),
        heading=msgspec.convert(content["heading"], str),
        count=msgspec.convert(content["count"], int),
        demonstrations=bank,
        embeddings=embeddings,
        embedder=msgspec.convert(content["embedder"], str),
        room=msgspec.convert(content["room"], Room),
    )
