"""The stage that has every cell rate the statements of an inventory."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from temperament.record import read_lines, to_json, write_text
from temperament.study.plan import Cell
from temperament.study.stage import Progress, Stage
from temperament.trait import Target

if TYPE_CHECKING:
    from temperament.measure.inventory.inventory import Inventory
    from temperament.measure.inventory.rating import Rating
    from temperament.measure.protocol import Measurement

# For a forecast: of a statement with its options, behind what all prompts begin with.
TOKENS_OF_RATING = 60


class Inventories(Stage):
    """``inventory/CELL.jsonl``: every statement, rated in every form."""

    name = "inventory"
    doing = "giving the inventory to"
    scorer = "inventory"

    @cached_property
    def inventory(self) -> "Inventory":
        """The one that the plan names."""
        from temperament.measure.inventory.inventory import Inventory

        plan = self.study.inventory
        return Inventory.load(plan.inventory, plan.labels, plan.orders)

    def run(self, cell: Cell | None, subject: Any, edit: Any, progress: Progress) -> None:
        """Have a cell rate."""
        if cell is not None:
            self.inventory.administer(subject, self.path(cell.name), progress, edit)

    def tokens(self, cells: Sequence[Cell], replies: float) -> int:
        """Every statement is read once in every form."""
        del replies
        return len(self.missing(cells)) * len(self.inventory.statements) * self.study.inventory.forms * TOKENS_OF_RATING

    def rows(self, cell: Cell) -> "list[Rating]":
        """The ratings of a cell."""
        from temperament.measure.inventory.rating import Rating

        return read_lines(self.path(cell.name), Rating)

    def measure(self, cell: Cell, base: Cell, target: Target | None) -> "list[Measurement]":
        """The scores and biases, and the changes of the scores."""
        from temperament.measure.inventory.scoring import changes, measure

        del target
        rows = self.rows(cell)
        return [*measure(rows), *([] if cell.method == "base" else changes(self.rows(base), rows))]

    def write_card(self, cells: Sequence[Cell], behaviour: Mapping[str, Mapping[str, float]]) -> None:
        """Keep how far the scores can be trusted, as ``findings/inventory.json``.

        Args:
            cells: all of the study.
            behaviour: by trait and cell, how the replies read: P(high) - P(low).
        """
        from temperament.measure.inventory.card import card_of
        from temperament.measure.inventory.reliability import Respondent

        respondents = [Respondent(cell.name, tuple(self.rows(cell)), cell.edit) for cell in cells]
        card = card_of(self.inventory, respondents, behaviour)
        write_text(self.folder / "findings" / "inventory.json", to_json(card))
