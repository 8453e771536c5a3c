"""Ratings: what a subject makes of one statement under one form, as it was observed."""

from dataclasses import dataclass

from temperament.measure.inventory.statement import Keyed
from temperament.measure.inventory.wording import Labels, Order


@dataclass(frozen=True)
class Rating:
    """One statement, shown in one form.

    Attributes:
        id: of statement and form together.
        item: the statement's id.
        topic: what ratings cluster by, the facet or the statement.
        trait: that the statement is about.
        keyed: ``plus`` where agreement speaks for the high pole.
        labels: what an option was to be answered with.
        order: in which the options were shown.
        probabilities: of the options from very inaccurate to very accurate, whatever the order shown, that a reply
            begins with them; not renormalised. Of a reply that was parsed 1 for what it picked. None where no option
            was picked, or the statement could not be asked; then ``error`` says why.
        outside: the mass on everything that is no option: refusal; None where nothing is known.
        reply: raw text, where the subject gives replies only.
        error: why there are no probabilities.
    """

    id: str
    item: str
    topic: str
    trait: str
    keyed: Keyed
    labels: Labels
    order: Order
    probabilities: tuple[float, ...] | None
    outside: float | None
    reply: str | None = None
    error: str | None = None

    @property
    def agreement(self) -> float | None:
        """From 1, very inaccurate, to 5, very accurate: the mean over the options, as if nothing else were possible."""
        if self.probabilities is None or not (mass := sum(self.probabilities)):
            return None
        return sum(number * share for number, share in enumerate(self.probabilities, start=1)) / mass
