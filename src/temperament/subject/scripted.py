"""A subject that says what a script says: for tests and documentation."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from temperament.record import Generation
from temperament.subject.base import Conversation, Progress, Reply, Subject

Script = str | Mapping[str, str] | Callable[[Conversation, int], str | None]


class ScriptedSubject(Subject):
    """A subject without a model; equal questions and seeds get equal replies.

    What the script has no words for is a missing reply with a reason, as it would be with a model.

    Example:
        >>> subject = ScriptedSubject({"Do you like parties?": "I love them!"})
        >>> print(subject.reply(["Do you like parties?"])[0])
        I love them!

    Attributes:
        script: one text for every question; or the replies by the text of the last user turn; or a function of the
            conversation, as the edits leave it, and the seed of the row, that returns None for no reply.
    """

    def __init__(self, script: Script, name: str = "scripted") -> None:
        super().__init__()
        self.script = script
        self.name = name
        self.precision = "scripted"
        self.fingerprint = hashlib.sha256(f"scripted\x1f{_content(script)}".encode()).hexdigest()

    def _reply(
        self,
        conversations: Sequence[Conversation],
        seeds: Sequence[int],
        generation: Generation,  # noqa: ARG002 - a script has no temperature
        progress: Progress,
    ) -> list[Reply]:
        replies: list[Reply] = []
        for conversation, seed in zip(conversations, seeds, strict=True):
            replies.append(self._say(conversation, seed))
            progress(len(replies), len(conversations))
        return replies

    def _say(self, conversation: Conversation, seed: int) -> Reply:
        prompt = "\n".join(f"{turn['role']}: {turn['content']}" for turn in conversation)
        asked = next((turn["content"] for turn in reversed(conversation) if turn["role"] == "user"), "")
        if isinstance(self.script, str):
            text = self.script
        elif isinstance(self.script, Mapping):
            text = self.script.get(asked)
        else:
            text = self.script(conversation, seed)
        if text is None:
            return Reply(None, prompt, error=f"the script has no reply to '{asked}'")
        return Reply(text, prompt, tokens=len(text.split()), is_finished=True)


def _content(script: Script) -> str:
    if isinstance(script, str):
        return script
    if isinstance(script, Mapping):
        return "\x1e".join(f"{question}\x1f{reply}" for question, reply in sorted(script.items()))
    kind = script if hasattr(script, "__qualname__") else type(script)
    return f"{kind.__module__}.{kind.__qualname__}"
