"""Stages after asking: what is made of a cell's replies, or asked of its model beside them.

Each keeps a file a cell in a folder of its own, complete or absent, so that a killed run goes on where it was.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from temperament.opinion.row import Opinions
from temperament.record import Figure, Record, read_json, read_records, to_json, write_text
from temperament.study.plan import Cell, Study
from temperament.trait import Target

if TYPE_CHECKING:
    from temperament.measure.protocol import Measurement

# Told how much is done, of how much.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Stage(ABC):
    """What is done to every cell after it was asked.

    Attributes:
        study: the plan.
        folder: of the run.
        opinions: of the study.
    """

    study: Study
    folder: Path
    opinions: Opinions

    # Of its folder in the run, and what it is doing while it works.
    name: ClassVar[str]
    doing: ClassVar[str]
    # Of its figures.
    scorer: ClassVar[str]

    @abstractmethod
    def run(self, cell: Cell | None, subject: Any, edit: Any, progress: Progress) -> None:
        """Do it for one that is missing, and keep what was found.

        Args:
            cell: that it is done for; None for what `names` adds to the cells.
            subject: untouched.
            edit: of the cell at its strength; None for the untouched model.
            progress: told how far it is.
        """

    def measure(self, cell: Cell, base: Cell, target: Target | None) -> "list[Measurement]":
        """What was found of a cell, as figures.

        Args:
            cell: that is done.
            base: the untouched model under the same seed; the cell itself may be that.
            target: to be measured against.
        """
        del cell, base, target
        return []

    def check(self, subject: Any) -> None:
        """Raise, before any long work, where something that it will need is not there.

        Args:
            subject: untouched.
        """
        del subject

    def refusal(self, subject: Any) -> str:
        """Why it cannot be done with a subject; empty where it can."""
        del subject
        return ""

    def tokens(self, cells: Sequence[Cell], replies: float) -> int:
        """About how many tokens go through the model for what is missing; the replies of a cell have ``replies``."""
        del cells, replies
        return 0

    def missing(self, cells: Sequence[Cell]) -> list[str]:
        """What is not done yet, in the order in which it will be."""
        names = self.names(cells)
        return [] if self.reason else [name for name in names if not self.path(name).exists()]

    def names(self, cells: Sequence[Cell]) -> list[str]:
        """What it is done for: every cell."""
        return [cell.name for cell in cells]

    def path(self, name: str) -> Path:
        """Where it is kept what was found."""
        return self.folder / self.name / f"{name}.jsonl"

    @property
    def reason_path(self) -> Path:
        """Of the file that says why it cannot be done."""
        return self.folder / "findings" / f"{self.name}.json"

    @property
    def reason(self) -> str:
        """Why it cannot be done; empty where it can."""
        return str(read_json(self.reason_path, dict).get("unread", "")) if self.reason_path.exists() else ""

    def write_reason(self, reason: str) -> None:
        """Keep why it cannot be done."""
        write_text(self.reason_path, to_json({"unread": reason}))

    def forget(self, cell: Cell) -> None:
        """Remove what was made of replies that are gone."""
        self.path(cell.name).unlink(missing_ok=True)

    def records(self, cell: Cell) -> list[Record]:
        """The replies of a cell."""
        return read_records(self.folder / "records" / f"{cell.name}.jsonl")


def figure_of(cell: Cell, target: Target | None, subject: str, scorer: str, found: "Measurement") -> Figure:
    """A figure of a cell.

    Args:
        cell: the condition.
        target: that the figure is of; the untouched model has figures for each.
        subject: name of the model.
        scorer: who measured.
        found: what was measured.
    """
    return Figure(
        subject=subject,
        method=cell.method,
        condition=cell.condition,
        trait=target.trait if target else None,
        pole=target.pole if target else None,
        strength=cell.strength,
        seed=cell.seed,
        metric=found.metric,
        measured_trait=found.measured_trait,
        measured_pole=found.measured_pole,
        scorer=scorer,
        **asdict(found.estimate),
    )
