"""What measuring is made of: instruments ask, scorers read. Both are protocols, so a user's own class fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from temperament.record import Record
from temperament.stats import Estimate
from temperament.subject.base import Progress, Subject
from temperament.trait import Target

Score = dict[str, Any]


@dataclass(frozen=True)
class Measurement:
    """An estimate and the name of what it measures.

    Attributes:
        metric: one of the names of the metrics, such as ``trait_alignment``.
        measured_trait: what was measured, where it need not be the target.
        measured_pole: of that trait; None where both poles are meant.
    """

    metric: str
    estimate: Estimate
    measured_trait: str | None = None
    measured_pole: str | None = None


@runtime_checkable
class Instrument(Protocol):
    """Asks a subject; each question is asked once and kept."""

    def administer(self, subject: Subject, store: Path | None = None, progress: Progress | None = None) -> list[Record]:
        """The records of all questions, in order.

        Args:
            subject: with whatever edits are applied at this moment.
            store: file of JSON lines that keeps the records; a finished one is read and nothing is asked.
            progress: told how many questions are answered, of how many.
        """
        ...


@runtime_checkable
class Scorer(Protocol):
    """Reads records and gives estimates, later too, without asking again."""

    @property
    def name(self) -> str:
        """What the scorer is called in files."""
        ...

    def read(self, records: Sequence[Record]) -> list[Score | None]:
        """The scores of each record; None for a record without a reply."""
        ...

    def measure(self, records: Sequence[Record], target: Target) -> list[Measurement]:
        """Estimates over all records that have a reply; missing replies are left out and never count as zero."""
        ...


def answered(records: Sequence[Record]) -> list[tuple[Record, str]]:
    """The records that have a reply, with the reply; an empty reply is a reply."""
    return [(record, record.reply) for record in records if record.reply is not None]
