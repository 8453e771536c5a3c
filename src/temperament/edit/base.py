"""Edits: immutable, fingerprinted changes of a subject, and their algebra.

``edit.applied(subject)`` is a context manager; ``0.5 * edit`` scales; ``a + b`` stacks.
Strength 0 is exactly the untouched model.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from temperament.errors import MismatchError, SeamError
from temperament.record import Label
from temperament.subject.base import Subject, join_labels
from temperament.trait import Target

Kind = Literal["context", "weight", "activation", "stack"]
# Not ``Self``: the run-time type checker of the tests does not know it in methods.
AnyEdit = TypeVar("AnyEdit", bound="Edit")


@dataclass(frozen=True)
class Step:
    """One step of a training: what it cost and at which rate."""

    step: int
    loss: float
    learning_rate: float


@dataclass(frozen=True)
class Origin:
    """Where an edit comes from.

    Attributes:
        method: by name; ``adapter`` for one trained elsewhere.
        target: what the edit is for; None where nobody said.
        settings: of the method.
        subject: name of the subject that it was fitted to.
        subject_fingerprint: of that subject; None where it is not known.
        condition: what differs within a method, such as a preset.
        seed: of the fitting.
        rows: training rows.
        tokens: training tokens read, over all epochs.
        history: of the training, where there was one.
        versions: of the software.
    """

    method: str
    target: Target | None = None
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    subject: str = ""
    subject_fingerprint: str | None = None
    condition: str = ""
    seed: int = 0
    rows: int = 0
    tokens: int = 0
    history: tuple[Step, ...] = ()
    versions: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Edit(ABC):
    """A change of a subject.

    Attributes:
        origin: where it comes from.
        strength: 0 is the untouched model, 1 the edit as fitted.
    """

    origin: Origin
    strength: float = 1.0

    kind: ClassVar[Kind]

    @cached_property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of what the edit does at strength 1."""

    @abstractmethod
    def check(self, subject: Subject) -> None:
        """Compare the edit with a subject.

        Raises:
            SeamError: the subject lacks the seam that the edit needs.
            MismatchError: the edit was fitted to another model, or its shapes do not fit.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the edit into a folder, which is made; whole or not at all."""

    @abstractmethod
    def _enter(self, stack: ExitStack, subject: Subject) -> None:
        """Open the seams; the stack closes them."""

    @contextmanager
    def applied(self, subject: Subject) -> Generator[Subject]:
        """The subject under this edit, until the block ends; nothing of it is left then, also when the block fails.

        Raises:
            SeamError: the subject lacks the seam that the edit needs.
            MismatchError: the edit was fitted to another model, or its shapes do not fit.
        """
        self.check(subject)
        with ExitStack() as stack:
            stack.enter_context(subject.labelled(self.label))
            if self.strength != 0.0:
                self._enter(stack, subject)
            yield subject

    @property
    def label(self) -> Label:
        """What records say was done to the subject."""
        target = self.origin.target
        return Label(
            method=self.origin.method,
            condition=self.origin.condition,
            trait=target.trait if target else None,
            pole=target.pole if target else None,
            strength=self.strength,
            edit=self.fingerprint[:16],
        )

    def __rmul__(self: AnyEdit, strength: float) -> AnyEdit:
        return replace(self, strength=self.strength * strength)

    __mul__ = __rmul__

    def __add__(self, other: "Edit") -> "Stack":
        return Stack(self.origin, parts=(*_parts(self), *_parts(other)))


@dataclass(frozen=True)
class Stack(Edit):
    """Edits applied together, in order; scaling it scales every part."""

    parts: tuple[Edit, ...] = ()

    kind: ClassVar[Kind] = "stack"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the parts in order, each at its own strength."""
        parts = "+".join(f"{part.strength!r} {part.fingerprint}" for part in self.parts)
        return hashlib.sha256(f"stack {parts}".encode()).hexdigest()

    @property
    def label(self) -> Label:
        """What a subject's label says while the stack is applied."""
        return join_labels([(self.strength * part).label for part in self.parts])

    def check(self, subject: Subject) -> None:
        """Check every part."""
        for part in self.parts:
            part.check(subject)

    @contextmanager
    def applied(self, subject: Subject) -> Generator[Subject]:
        """The subject under all parts."""
        self.check(subject)
        with ExitStack() as stack:
            for part in self.parts:
                stack.enter_context((self.strength * part).applied(subject))
            yield subject

    def save(self, folder: Path) -> None:
        """Write each part into a folder of its own, in order."""
        from temperament.edit.store import save_stack

        save_stack(self, folder)

    def _enter(self, stack: ExitStack, subject: Subject) -> None:
        raise NotImplementedError


def _parts(edit: Edit) -> tuple[Edit, ...]:
    if isinstance(edit, Stack):
        return tuple(edit.strength * part for part in edit.parts)
    return (edit,)


def check_origin(origin: Origin, subject: Subject) -> None:
    """Raises MismatchError where the edit was fitted to a model with other weights."""
    if origin.subject_fingerprint in (None, subject.fingerprint):
        return
    message = (
        f"an edit for {origin.subject} (fingerprint {str(origin.subject_fingerprint)[:12]}) was asked for on "
        f"{subject.name} ({subject.fingerprint[:12]}): these are different weights. Load the model that the edit was "
        f"fitted to, or fit the edit anew."
    )
    raise MismatchError(message)


def refuse_closed(subject: Subject, seam: str) -> SeamError:
    """The error for a subject that can be asked but not opened."""
    return SeamError(
        f"an edit of what the model {seam} was asked for on {subject.name}, whose weights are not at hand: "
        f"use a prompt or IKE, or load the model from a folder or a hub."
    )
