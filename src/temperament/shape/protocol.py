"""What every method can do: fit an edit to a subject from opinions that show a target."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from temperament.edit.base import Edit
from temperament.opinion.row import Opinions
from temperament.subject.base import Subject
from temperament.trait import Target


@dataclass(frozen=True)
class FitProgress:
    """How far a fitting is.

    Attributes:
        step: done, of ``steps``.
        loss: mean over the targets.
        tokens_per_second: of training data, padding not counted, since this process began.
    """

    step: int
    steps: int
    loss: float
    tokens_per_second: float

    def __str__(self) -> str:
        return f"step {self.step}/{self.steps}, loss {self.loss:.3f}, {self.tokens_per_second:.0f} tokens/s"


@runtime_checkable
class Watch(Protocol):
    """Is told how far a fitting is."""

    def __call__(self, progress: FitProgress) -> None:
        """Called after every step."""
        ...


@dataclass(frozen=True)
class Workspace:
    """Where a fitting keeps its checkpoint, and whom it tells.

    Attributes:
        checkpoint: a file; a killed fitting goes on from it, and one that is given again after it ended ends at once.
            Who saved the edit removes it, and any with a number added to its name. None keeps none.
        seconds: between checkpoints.
        watch: is told after every step.
    """

    checkpoint: Path | None = None
    seconds: float = 60.0
    watch: Watch | None = None


@runtime_checkable
class Method(Protocol):
    """Frozen settings and one verb."""

    @property
    def name(self) -> str:
        """As on the command line and in records."""
        ...

    def fit(self, subject: Subject, target: Target, opinions: Opinions, workspace: Workspace = ...) -> Edit:
        """An edit of the subject that makes it show the target."""
        ...

    def fit_each(
        self, subject: Subject, targets: Sequence[Target], opinions: Opinions, workspace: Workspace = ...
    ) -> list[Edit]:
        """An edit for each target, sharing what can be shared."""
        ...
