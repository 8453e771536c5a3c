"""A number and how far to trust it: what every function here gives back."""

from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2
NORMAL = NormalDist().inv_cdf(1 - TAIL)

Number = bool | int | float


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval.

    Attributes:
        value: None where there is nothing to estimate it from.
        lower: of the interval; None where the interval is withheld.
        upper: of the interval; None where the interval is withheld.
        n: values behind the estimate.
    """

    value: float | None
    lower: float | None
    upper: float | None
    n: int

    def __str__(self) -> str:
        if self.value is None:
            return f"withheld, n = {self.n}"
        if self.lower is None or self.upper is None:
            return f"{self.value:.2f} (interval withheld), n = {self.n}"
        return f"{self.value:.2f} ({self.lower:.2f} to {self.upper:.2f}), n = {self.n}"


NOTHING = Estimate(None, None, None, 0)
