"""Who is told what a study does, as it does it."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Reporter(Protocol):
    """Shows the course of long work; the command line has one for terminals and one for everything else."""

    def say(self, text: str) -> None:
        """One line."""
        ...

    def begin(self, title: str, total: int) -> None:
        """A piece of work of ``total`` parts begins; it ends the one before."""
        ...

    def advance(self, done: int, note: str = "") -> None:
        """So many parts of the work that began last are done."""
        ...

    def end(self) -> None:
        """The work that began last is done."""
        ...


class Silent:
    """Tells nobody."""

    def say(self, text: str) -> None:
        """Say nothing."""

    def begin(self, title: str, total: int) -> None:
        """Show nothing."""

    def advance(self, done: int, note: str = "") -> None:
        """Show nothing."""

    def end(self) -> None:
        """Show nothing."""
