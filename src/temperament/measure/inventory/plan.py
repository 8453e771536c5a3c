"""What a study file says about the inventory. Nothing here imports torch."""

from dataclasses import dataclass

from temperament.measure.inventory.wording import LABELS, ORDERS, Labels, Order, forms_of


@dataclass(frozen=True)
class InventoryPlan:
    """Which inventory every cell is given.

    Attributes:
        inventory: 'short' for the one that ships, or the path of a file; empty asks none.
        labels: what options are answered with: letters, digits, words.
        orders: in which options are shown: accurate-first, inaccurate-first.

    Raises:
        RequestError: there are no labels or no orders, or one is named twice.
    """

    inventory: str = ""
    labels: tuple[Labels, ...] = LABELS
    orders: tuple[Order, ...] = ORDERS

    def __post_init__(self) -> None:
        forms_of(self.labels, self.orders)

    @property
    def forms(self) -> int:
        """Ratings of each statement."""
        return len(self.labels) * len(self.orders)
