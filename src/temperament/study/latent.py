"""The stage that has every cell read its own replies, to see how probable an emoji was where none was written."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from temperament.record import read_lines
from temperament.study.plan import Cell
from temperament.study.stage import Progress, Stage
from temperament.trait import Target

if TYPE_CHECKING:
    from temperament.measure.latent import LatentMass
    from temperament.measure.protocol import Measurement


class Latent(Stage):
    """``latent/CELL.jsonl``: the latent emoji mass of each reply."""

    name = "latent"
    doing = "looking for latent emojis in"
    scorer = "latent"

    def refusal(self, subject: Any) -> str:
        """A subject without weights at hand gives no probabilities."""
        from temperament.measure.reading import closed_reason
        from temperament.subject.open import OpenSubject

        return "" if isinstance(subject, OpenSubject) else closed_reason(subject)

    def run(self, cell: Cell | None, subject: Any, edit: Any, progress: Progress) -> None:
        """Read the replies of a cell under its edit."""
        from temperament.measure.latent import LatentEmoji

        if cell is not None:
            LatentEmoji().administer(subject, self.records(cell), self.path(cell.name), progress, edit)

    def tokens(self, cells: Sequence[Cell], replies: float) -> int:
        """Replies are read once."""
        return round(replies * len(self.missing(cells)))

    def rows(self, cell: Cell) -> "list[LatentMass]":
        """What was found of a cell; nothing where nothing could be."""
        from temperament.measure.latent import LatentMass

        path = self.path(cell.name)
        return read_lines(path, LatentMass) if path.exists() else []

    def measure(self, cell: Cell, base: Cell, target: Target | None) -> "list[Measurement]":
        """Both bounds, and the change of the lower one."""
        from temperament.measure.latent import latent_mass_change, latent_masses

        del target
        rows = self.rows(cell)
        if not rows:
            return []
        change = [] if cell.method == "base" else [latent_mass_change(rows, self.rows(base))]
        return [*latent_masses(rows), *change]
