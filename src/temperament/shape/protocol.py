"""What every method can do: fit an edit to a subject from opinions that show a target."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from temperament.edit.base import Edit, Origin, Step
from temperament.errors import RequestError, SeamError
from temperament.opinion.row import Opinion, Opinions
from temperament.provenance import versions
from temperament.subject.base import Subject
from temperament.subject.open import OpenSubject
from temperament.trait import Target


@dataclass(frozen=True)
class FitProgress:
    """How far a fitting is.

    Attributes:
        step: done, of ``steps``.
        note: what a user wants to know beside that, such as the loss and the speed.
    """

    step: int
    steps: int
    note: str = ""

    def __str__(self) -> str:
        return f"step {self.step}/{self.steps}" + (f", {self.note}" if self.note else "")


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


@dataclass(frozen=True)
class Effort:
    """What a fitting asks of a model: enough to say beforehand how long it takes.

    Attributes:
        trained: tokens that go forward and backward.
        read: tokens that go forward only.
        written: tokens that the model writes, at most.
        rows: replies that are written side by side.
        parameters: that train at once.
    """

    trained: int = 0
    read: int = 0
    written: int = 0
    rows: int = 1
    parameters: int = 0


@runtime_checkable
class Method(Protocol):
    """Frozen settings and one verb."""

    @property
    def name(self) -> str:
        """As on the command line and in records."""
        ...

    @property
    def condition(self) -> str:
        """Name of the settings in records."""
        ...

    @property
    def seed(self) -> int:
        """Of every random choice."""
        ...

    def effort(self, subject: Subject, targets: Sequence[Target], opinions: Opinions) -> Effort:
        """What ``fit_each`` would ask of the model."""
        ...

    def fit(self, subject: Subject, target: Target, opinions: Opinions, workspace: Workspace = ...) -> Edit:
        """An edit of the subject that makes it show the target."""
        ...

    def fit_each(
        self, subject: Subject, targets: Sequence[Target], opinions: Opinions, workspace: Workspace = ...
    ) -> list[Edit]:
        """An edit for each target, sharing what can be shared."""
        ...


def origin_of(
    method: Method,
    subject: Subject,
    target: Target,
    rows: int = 0,
    tokens: int = 0,
    history: Sequence[Step] = (),
    settings: Mapping[str, Any] | None = None,
) -> Origin:
    """Where an edit comes from that a method has fitted; ``settings`` are added to the fields of the method."""
    fields = asdict(method) if is_dataclass(method) and not isinstance(method, type) else {}
    return Origin(
        method=method.name,
        target=target,
        settings={**fields, **(settings or {})},
        subject=subject.name,
        subject_fingerprint=subject.fingerprint,
        condition=method.condition,
        seed=method.seed,
        rows=rows,
        tokens=tokens,
        history=tuple(history),
        versions=versions(),
    )


def opened(subject: Subject, method: str) -> OpenSubject:
    """The subject as an open one; raises SeamError where its weights are not at hand."""
    if isinstance(subject, OpenSubject):
        return subject
    message = (
        f"{method} was asked for on {subject.name}, whose weights are not at hand: load it from a folder or a hub, or "
        f"use prompt or ike, which need no weights."
    )
    raise SeamError(message)


def rows_showing(opinions: Opinions, target: Target) -> list[Opinion]:
    """The rows that show a target; raises RequestError where there are none."""
    found = list(opinions.showing(target))
    if not found:
        message = f"no row of {opinions.name} shows {target}: give opinions that do."
        raise RequestError(message)
    return found
