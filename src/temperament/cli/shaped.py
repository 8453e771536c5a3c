"""A subject under the edit that was named on the command line."""

import unicodedata
from collections.abc import Generator
from contextlib import contextmanager

from temperament.subject.base import Subject


def printable(text: str) -> str:
    """Model text for a terminal: without the control characters that would steer it."""
    return "".join(character for character in text if character in "\n\t" or unicodedata.category(character) != "Cc")


@contextmanager
def shaped_subject(model: str, precision: str, edit: str | None, strength: float) -> Generator[Subject]:
    """Load the edit first, then the model: a wrong folder is an error at once."""
    from temperament.edit.store import load_edit

    loaded = load_edit(edit) if edit else None
    subject = Subject.load(model, precision)
    if loaded is None:
        yield subject
        return
    with (strength * loaded).applied(subject) as shaped:
        yield shaped
