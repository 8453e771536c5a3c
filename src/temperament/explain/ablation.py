"""Units that are set to values while a model reads or writes: what ablation and transplant are made of."""

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from temperament.explain.finding import Unit
from temperament.subject.anatomy import Site
from temperament.subject.base import Subject
from temperament.subject.open import OpenSubject, Rewrite

# Which units, by site, in ascending order.
Numbers = Mapping[Site, Int[Tensor, " k"]]
# One number for each unit of a site.
Levels = Mapping[Site, Float[Tensor, " unit"]]


def by_site(units: Sequence[Unit]) -> dict[Site, Int[Tensor, " k"]]:
    """The numbers of units at each site, each once, in ascending order; sites in order."""
    found: dict[Site, set[int]] = defaultdict(set)
    for unit in units:
        found[unit.site].add(unit.number)
    return {site: torch.tensor(sorted(found[site])) for site in sorted(found)}


@dataclass(frozen=True, eq=False)
class Setting:
    """Units that have given values at the positions of a reply, and at no other.

    It is applied inside the block of an edit: what stands at a site last has the last word.

    Attributes:
        numbers: the units.
        values: by site; [k] for all positions, or [row, column, k] for the last columns of the passes that are run.
    """

    numbers: Numbers = field(default_factory=dict[Site, Tensor])
    values: Mapping[Site, Tensor] = field(default_factory=dict[Site, Tensor])

    @classmethod
    def to_levels(cls, units: Sequence[Unit], levels: Levels) -> "Setting":
        """Each unit at the level that its site has for it, such as its mean."""
        numbers = by_site(units)
        return cls(numbers, {site: levels[site].cpu()[chosen] for site, chosen in numbers.items()})

    @classmethod
    def to_zero(cls, units: Sequence[Unit]) -> "Setting":
        """Each unit at 0."""
        numbers = by_site(units)
        return cls(numbers, {site: torch.zeros(len(chosen)) for site, chosen in numbers.items()})

    @contextmanager
    def applied(self, subject: Subject) -> Generator[Subject]:
        """The subject with these values, until the block ends; nothing of it is left then, also when the block fails.

        Raises:
            SeamError: a site does not exist.
        """
        assert isinstance(subject, OpenSubject)
        with ExitStack() as stack:
            for site, numbers in self.numbers.items():
                stack.enter_context(subject.rewrite(site, _setter(numbers.to(subject.device), self.values[site])))
            yield subject


def _setter(numbers: Int[Tensor, " k"], values: Tensor) -> Rewrite:
    def rewritten(activation: Tensor, is_reply: Tensor) -> Tensor:
        given = values.to(device=activation.device, dtype=activation.dtype)
        # Aligned at the end: what differs before a reply, such as a longer prompt, is no concern of it.
        first = activation.shape[1] - given.shape[1] if given.ndim == 3 else 0
        part = activation[:, first:, numbers]
        changed = activation.clone()
        changed[:, first:, numbers] = torch.where(is_reply[:, first:, None], given, part)
        return changed

    return rewritten


@contextmanager
def recorded(subject: OpenSubject, numbers: Numbers, columns: int) -> Generator[dict[Site, Tensor]]:
    """The values of units in the last columns of the latest forward pass in the block, [row, column, k] by site."""
    found: dict[Site, Tensor] = {}

    def recorder(site: Site, chosen: Tensor) -> Rewrite:
        def read(activation: Tensor, _is_reply: Tensor) -> Tensor:
            found[site] = activation[:, activation.shape[1] - columns :, chosen].detach().clone()
            return activation

        return read

    with ExitStack() as stack:
        for site, chosen in numbers.items():
            stack.enter_context(subject.rewrite(site, recorder(site, chosen.to(subject.device))))
        yield found


def replayed(units: Sequence[Unit], held: Numbers, values: Mapping[Site, Tensor]) -> Setting:
    """Some of the units whose values were recorded, at these values.

    Args:
        units: those to set.
        held: all that were recorded.
        values: as recorded.
    """
    numbers = by_site(units)
    chosen = {site: torch.searchsorted(held[site], some) for site, some in numbers.items()}
    return Setting(
        numbers, {site: values[site][..., places.to(values[site].device)] for site, places in chosen.items()}
    )
