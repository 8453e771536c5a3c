"""Forward passes that readers look at: texts that are given, and texts that the subject writes."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from temperament.activation.reader import Reader
from temperament.errors import RequestError, TrainingError
from temperament.record import NOT_A_NUMBER, Generation
from temperament.subject.base import Progress
from temperament.subject.cache import Marking
from temperament.subject.open import OpenSubject
from temperament.subject.text import Encoded

# ``answer``: the positions that the tokens of an answer are read off, from the last of the prompt to the last but one
# of the answer, as in a reply that is written; ``prompt``: those before them; ``all``: both.
Part = Literal["prompt", "answer", "all"]
# Of a batch, padding included.
TOKENS = 4096


def read_texts(
    subject: OpenSubject,
    texts: Sequence[Encoded],
    readers: Sequence[Reader],
    part: Part = "answer",
    progress: Progress | None = None,
) -> None:
    """Run texts through the subject while readers look.

    Rows of like length share a batch, padded on the right, where causal attention cannot see it. No logits are
    computed. The positions of answers are marked as a reply, so an edit that is applied acts as it does on replies.

    Args:
        subject: reads.
        texts: prompts and answers; without an answer, ``answer`` is the last position of the prompt.
        readers: of this subject.
        part: of each text that counts.
        progress: is told tokens, of all.

    Raises:
        RequestError: a text is longer than the model's window.
    """
    _check_window(subject, max((len(_fed(text)) for text in texts), default=0))
    done, total = 0, sum(len(_fed(text)) for text in texts)
    with torch.inference_mode(), _reading(readers):
        for batch in _batches(texts):
            ids, is_real, is_answer = _padded(subject, batch)
            counted = {"answer": is_answer, "prompt": is_real & ~is_answer, "all": is_real}[part]
            with subject.marking(is_answer), ExitStack() as stack:
                for reader in readers:
                    stack.enter_context(reader.counting(counted))
                model: Any = subject.model
                model(input_ids=ids, use_cache=False, logits_to_keep=1)
            done += sum(len(_fed(text)) for text in batch)
            if progress:
                progress(done, total)


def write_texts(
    subject: OpenSubject,
    prompts: Sequence[Sequence[int]],
    generation: Generation,
    readers: Sequence[Reader] = (),
    progress: Progress | None = None,
) -> list[Encoded]:
    """Let the subject go on from prompts while readers look at the positions that replies are read off.

    Args:
        subject: writes.
        prompts: tokens.
        generation: how it draws; row i draws from ``generation.seed + i``.
        readers: of this subject; a row that is finished is not counted any more.
        progress: is told tokens, of as many as could be written.

    Returns:
        Prompts and replies, in the order of the prompts. A reply that ended by itself ends with a stop token, which is
        predicted and never read: `read_texts` counts exactly the positions that were counted here.

    Raises:
        RequestError: a prompt leaves no room for the reply.
        TrainingError: the logits are no finite numbers.
    """
    stops = subject.format.stop_tokens
    seeds = [generation.seed + row for row in range(len(prompts))]
    told = _Told(progress, len(prompts) * generation.max_new_tokens)
    written: dict[int, Encoded] = {}
    with _reading(readers):
        for batch in subject.decoded(prompts, seeds, generation, told.marking(subject)):
            for row, (tokens, is_finished) in batch.items():
                if tokens is None:
                    asked = subject.format.decode(prompts[row])[-60:]
                    message = f"{subject.name} wrote nothing to '{asked}': {NOT_A_NUMBER}"
                    raise TrainingError(message)
                written[row] = Encoded(tuple(prompts[row]), (*tokens, *(stops[:1] if is_finished else ())))
            told.end(len(written) * generation.max_new_tokens)
    return [written[row] for row in range(len(prompts))]


class _Told:
    """Tells how many tokens were written, at every step of a batch."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress = progress
        self.done = 0
        self.total = total

    def marking(self, subject: OpenSubject) -> Marking:
        """The marking of a subject, which counts what is marked."""

        @contextmanager
        def marking(is_reply: Tensor | None) -> Generator[None]:
            with subject.marking(is_reply):
                yield
            if self.progress and is_reply is not None:
                self.done += int(is_reply.sum())
                self.progress(self.done, self.total)

        return marking

    def end(self, done: int) -> None:
        """A batch is done: what its rows did not write is not written any more."""
        self.done = done
        if self.progress:
            self.progress(self.done, self.total)


@contextmanager
def _reading(readers: Sequence[Reader]) -> Generator[None]:
    with ExitStack() as stack:
        for reader in readers:
            stack.enter_context(reader.reading())
        yield


def _fed(text: Encoded) -> tuple[int, ...]:
    """What the model is given: the last token of an answer is predicted and never read."""
    return text.prompt + text.answer[:-1]


def _batches(texts: Sequence[Encoded]) -> Iterator[list[Encoded]]:
    batch: list[Encoded] = []
    for text in sorted(texts, key=lambda text: len(_fed(text))):
        if batch and (len(batch) + 1) * len(_fed(text)) > TOKENS:
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def _padded(
    subject: OpenSubject, batch: Sequence[Encoded]
) -> tuple[Int[Tensor, "batch token"], Bool[Tensor, "batch token"], Bool[Tensor, "batch token"]]:
    """Tokens, which of them are no padding, and which positions an answer is read off."""
    length = len(_fed(batch[-1]))
    ids = torch.full((len(batch), length), subject.format.pad_token)
    is_real = torch.zeros(len(batch), length, dtype=torch.bool)
    is_answer = torch.zeros_like(is_real)
    for row, text in enumerate(batch):
        fed = _fed(text)
        ids[row, : len(fed)] = torch.tensor(fed)
        is_real[row, : len(fed)] = True
        is_answer[row, max(0, len(text.prompt) - 1) : len(fed)] = True
    device = subject.device
    return ids.to(device), is_real.to(device), is_answer.to(device)


def _check_window(subject: OpenSubject, longest: int) -> None:
    if longest > subject.window:
        message = (
            f"a text of {longest} tokens was asked for: {subject.name} reads at most {subject.window}. Shorten it."
        )
        raise RequestError(message)
