"""The interview: every question once, kept as it comes in, so that a killed run continues where it was."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from temperament.errors import MismatchError, RequestError
from temperament.opinion.row import Opinions
from temperament.record import Generation, Label, Record, append_lines, read_records, repair_lines, write_records
from temperament.subject.base import Progress, Reply, Subject

CHUNK = 64


@dataclass(frozen=True)
class Item:
    """A question about a topic.

    Attributes:
        id: equal over all cells of a study.
        topic: what answers cluster by.
        question: as the subject reads it.
    """

    id: str
    topic: str
    question: str


def items_of(opinions: Opinions) -> tuple[Item, ...]:
    """The questions of opinions, each once, in order of first appearance.

    An id is the topic in short and a hash of topic and question, so it is the same in every data set.
    """
    pairs = dict.fromkeys((row.topic, row.question) for row in opinions)
    return tuple(Item(_identifier(topic, question), topic, question) for topic, question in pairs)


@dataclass(frozen=True)
class Interview:
    """Instrument that asks each item once.

    Attributes:
        items: in the order in which they are asked.
        generation: how replies are drawn.
        label: what records say was done to the subject; None takes the subject's own word.

    Raises:
        RequestError: there are no items, or two have the same id.
    """

    items: tuple[Item, ...]
    generation: Generation = Generation()
    label: Label | None = None

    def __post_init__(self) -> None:
        if not self.items:
            message = "an interview needs at least one item: there are none."
            raise RequestError(message)
        identifier, count = Counter(item.id for item in self.items).most_common(1)[0]
        if count > 1:
            message = f"the items of an interview need different ids: '{identifier}' occurs {count} times."
            raise RequestError(message)

    def administer(self, subject: Subject, store: Path | None = None, progress: Progress | None = None) -> list[Record]:
        """Ask all items, 64 at a time; a reply that failed stays a record with its error.

        With a store, each chunk of 64 is appended to ``<store>.partial`` when it is answered, and the file is renamed
        at the end. A store that exists is read and nothing is asked; a partial one is cut to whole chunks and
        continued. What a chunk replies depends on that chunk alone, so the records are those of an undisturbed run.

        Args:
            subject: with whatever edits are applied at this moment.
            store: file of JSON lines that keeps the records.
            progress: told how many items are answered, of how many.

        Raises:
            MismatchError: the store or the partial store belongs to another subject, edit, generation or set of items.
            BadFileError: a line of it is malformed.
        """
        if store is not None and store.exists():
            records = read_records(store)
            self._check(records, subject, store, is_whole=True)
            return records
        partial = None if store is None else store.with_name(f"{store.name}.partial")
        records = [] if partial is None else self._kept(partial, subject)
        total = len(self.items)
        if progress:
            progress(len(records), total)
        for start in range(len(records), total, CHUNK):
            chunk = self._ask(subject, start, progress)
            if partial is not None:
                append_lines(partial, chunk)
            records += chunk
            if progress:
                progress(len(records), total)
        if partial is not None and store is not None:
            partial.replace(store)
        return records

    def _ask(self, subject: Subject, start: int, progress: Progress | None) -> list[Record]:
        items, total = self.items[start : start + CHUNK], len(self.items)

        def pass_on(done: int, of: int) -> None:
            # A subject may count in other units than questions; its own end is told by the caller.
            if progress and 0 < done < of:
                progress(start + done * len(items) // of, total)

        replies = subject.reply([item.question for item in items], self.generation, pass_on)
        return [self._record(subject, item, reply) for item, reply in zip(items, replies, strict=True)]

    def _record(self, subject: Subject, item: Item, reply: Reply) -> Record:
        return Record(
            subject=subject.name,
            fingerprint=subject.fingerprint,
            precision=subject.precision,
            label=self.label or subject.label,
            generation=self.generation,
            item=item.id,
            topic=item.topic,
            question=item.question,
            prompt=reply.prompt,
            reply=reply.text,
            tokens=reply.tokens,
            is_finished=reply.is_finished,
            error=reply.error,
        )

    def _kept(self, partial: Path, subject: Subject) -> list[Record]:
        """The whole chunks of an earlier run; what is beyond them is cut off the file."""
        records = repair_lines(partial, Record)
        self._check(records, subject, partial, is_whole=False)
        whole = len(records) if len(records) == len(self.items) else len(records) - len(records) % CHUNK
        if whole < len(records):
            write_records(partial, records[:whole])
        return records[:whole]

    def _check(self, records: Sequence[Record], subject: Subject, path: Path, *, is_whole: bool) -> None:
        if len(records) > len(self.items) or (is_whole and len(records) < len(self.items)):
            message = (
                f"{path} holds {len(records)} records and the interview has {len(self.items)} items: "
                "use another store, or remove the file to ask again."
            )
            raise MismatchError(message)
        for number, (record, item) in enumerate(zip(records, self.items, strict=False), start=1):
            for what, there, here in (
                ("subject's fingerprint", record.fingerprint, subject.fingerprint),
                ("precision", record.precision, subject.precision),
                ("label", record.label, self.label or subject.label),
                ("generation", record.generation, self.generation),
                ("item", record.item, item.id),
                ("topic", record.topic, item.topic),
                ("question", record.question, item.question),
            ):
                if there != here:
                    message = (
                        f"{path}:{number} belongs to another run: its {what} is {there!r}, and here it is {here!r}. "
                        "Use another store, or remove the file to ask again."
                    )
                    raise MismatchError(message)


def _identifier(topic: str, question: str) -> str:
    short = re.sub(r"[^a-z0-9]+", "-", topic.lower()).strip("-")[:32].rstrip("-")
    digest = hashlib.sha256(f"{topic}\x1f{question}".encode()).hexdigest()[:8]
    return f"{short}-{digest}" if short else digest
