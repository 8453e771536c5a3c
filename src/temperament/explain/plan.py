"""What a study file says about explaining. Nothing here imports torch."""

from dataclasses import dataclass
from typing import Literal

from temperament.errors import RequestError

Lens = Literal["units", "projection", "attribution", "cause", "testimony", "overlap"]
LENSES: tuple[Lens, ...] = ("units", "projection", "attribution", "cause", "testimony", "overlap")


@dataclass(frozen=True)
class ExplainPlan:
    """Which lenses look into the edits of a study, and how closely.

    Attributes:
        lenses: units, projection, attribution, cause, testimony, overlap; none explains nothing. All but testimony
            and overlap rest on units.
        strength: of the cells that are looked into.
        seeds: whose cells are looked into with every lens, as many as this of the study's, in order; of the others only
            which units changed is kept, so that arms can be compared beyond what seeds do.
        texts: replies of a cell, of the half of the topics that reports, that are read in every condition of the cause;
            the other lenses read all replies.
        level: of the false discovery rate.
        counts: of units that are ablated or transplanted, fewest first.
        sets: of random units beside each count, on texts that are given.
        generated: random sets beside the top one, by replies that are written; 0 writes none.
        others: folders of edits beside those of the study: of another trait, for the witness who was shaped otherwise;
            or of method ``neurons``, to compare units with.

    Raises:
        RequestError: a number makes no sense.
    """

    lenses: tuple[Lens, ...] = ()
    strength: float = 1.0
    seeds: int = 1
    texts: int = 12
    level: float = 0.05
    counts: tuple[int, ...] = (10, 30, 100, 300, 1000)
    sets: int = 199
    generated: int = 20
    others: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.level < 1 or self.texts < 2 or min(self.seeds, self.sets) < 1 or self.generated < 0:
            message = (
                f"explain has level {self.level:g}, seeds {self.seeds}, texts {self.texts}, sets {self.sets} and "
                f"generated {self.generated}: the level lies between 0 and 1, at least 1 seed, 2 texts and 1 set are "
                f"needed."
            )
            raise RequestError(message)
        if not self.counts or min(self.counts) < 1 or list(self.counts) != sorted(set(self.counts)):
            message = f"explain.counts is {list(self.counts)}: name counts of at least 1, each once, fewest first."
            raise RequestError(message)
