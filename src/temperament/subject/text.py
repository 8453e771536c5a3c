"""Conversations as the text and the tokens that a model reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from temperament.subject.base import Conversation, Message

# For base models without a chat template: one turn a line, nothing that a tokenizer would treat as special.
PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'Question: ' + message['content'] + '\n' }}"
    "{% else %}{{ 'Answer: ' + message['content'] + (eos_token or '') + '\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Answer:' }}{% endif %}"
)


@dataclass(frozen=True)
class Encoded:
    """A conversation and its answer as tokens.

    Attributes:
        prompt: tokens up to where the answer begins.
        answer: tokens of the answer and of the end of the turn.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


class ChatFormat:
    """A tokenizer and its chat template.

    Attributes:
        template: ``chat`` for the tokenizer's own, ``plain`` for ours.
        opening: white space that the template writes between the prompt and an answer.
        ending: the tokens that end an answer.
        stop_tokens: each of them ends a reply.
    """

    def __init__(self, tokenizer: Any, stop_tokens: Sequence[int] = ()) -> None:
        self.tokenizer = tokenizer
        self.template = "chat" if tokenizer.chat_template else "plain"
        known = {int(token) for token in stop_tokens}
        if tokenizer.eos_token_id is not None:
            known.add(int(tokenizer.eos_token_id))
        self.opening, self.ending = self._find_ends(known)
        self.stop_tokens = tuple(sorted({*known, *self.ending[-1:]}))
        self.pad_token = int(next(t for t in (tokenizer.pad_token_id, *self.stop_tokens, 0) if t is not None))

    def render(self, conversation: Conversation) -> str:
        """The text that the model reads before it replies.

        Where a template refuses the system role, or drops it, the system prompt is put before the first user turn.
        """
        has_system = bool(conversation) and conversation[0]["role"] == "system"
        try:
            text = self._apply(conversation, is_open=True)
        except TemplateError:
            if not has_system:
                raise
            return self._apply(_fold_system(conversation), is_open=True)
        if has_system and conversation[0]["content"].strip() not in text:
            return self._apply(_fold_system(conversation), is_open=True)
        return text

    def tokens(self, text: str) -> list[int]:
        """Tokens of a rendered conversation.

        A chat template writes its own special tokens; adding the tokenizer's again would double the first one.
        """
        ids = self.tokenizer(text, add_special_tokens=self.template == "plain")["input_ids"]
        if self.template == "plain" and ids and ids[-1] == self.tokenizer.eos_token_id:
            ids = ids[:-1]
        return list(ids)

    def encode(self, conversation: Conversation, answer: str) -> Encoded:
        """A conversation and an answer to it, tokenised apart, as they are when the model replies."""
        prompt = self.tokens(self.render(conversation))
        words = self.tokenizer(f"{self.opening}{answer.strip()}", add_special_tokens=False)["input_ids"]
        return Encoded(tuple(prompt), (*words, *self.ending))

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of a reply, without special tokens and outer white space."""
        return self.tokenizer.decode(list(tokens), skip_special_tokens=True).strip()

    def _apply(self, conversation: Conversation, *, is_open: bool) -> str:
        template = None if self.template == "chat" else PLAIN_TEMPLATE
        return self.tokenizer.apply_chat_template(
            list(conversation), chat_template=template, tokenize=False, add_generation_prompt=is_open
        )

    def _find_ends(self, known: set[int]) -> tuple[str, tuple[int, ...]]:
        """What the template writes before an answer, and after it up to the first stop or special token."""
        mark = "mark"
        question = Message(role="user", content="question")
        closed = self._apply((question, Message(role="assistant", content=mark)), is_open=False)
        before, _, after = closed.rpartition(mark)
        # More than white space, such as an empty thought, is for the model to write.
        opening = before.removeprefix(self._apply((question,), is_open=True))
        return "" if opening.strip() else opening, self._find_ending(after, known)

    def _find_ending(self, after: str, known: set[int]) -> tuple[int, ...]:
        ids = list(self.tokenizer(after, add_special_tokens=False)["input_ids"])
        # Some tokenizers know the end of a turn only as an added token, not by a name such as eos_token.
        added = {number for number, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        special = known | set(self.tokenizer.all_special_ids) | added
        for position, token in enumerate(ids):
            if token in special:
                return tuple(ids[: position + 1])
        return tuple(sorted(known)[:1])


def _fold_system(conversation: Conversation) -> Conversation:
    if not conversation or conversation[0]["role"] != "system" or len(conversation) == 1:
        return conversation
    system, first, *rest = conversation
    return (Message(role=first["role"], content=f"{system['content']}\n\n{first['content']}"), *rest)
