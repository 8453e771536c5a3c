"""Where units fire, and which way the product of a gate and the up projection goes then: one reading of some texts."""

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from temperament.activation.forcing import Row, encoded
from temperament.explain.finding import Firing, Unit
from temperament.explain.text import Text
from temperament.measure.spelling import Spelling
from temperament.measure.written import written_by
from temperament.subject.anatomy import Site
from temperament.subject.base import Progress
from temperament.subject.open import OpenSubject

# Tokens that are shown before and after the one where a unit fires most.
BEFORE, AFTER = 8, 4


@dataclass(frozen=True, eq=False)
class Fired:
    """What was seen.

    Attributes:
        signs: by gate, [unit] of 1 or -1, in float64: which way what is written goes, on the whole, when the unit
            fires, for the up projection beside the gate has a sign of its own; 1 where it never fired.
        texts: the texts on which a unit fires most, the most first.
    """

    signs: Mapping[Site, Float[Tensor, " unit"]]
    texts: Mapping[Unit, tuple[Firing, ...]]


def fired(
    subject: OpenSubject,
    texts: Sequence[Text],
    sites: Sequence[Site],
    units: Mapping[Unit, float],
    spelled: Spelling,
    most: int = 3,
    progress: Progress | None = None,
) -> Fired:
    """Let a subject read texts, one at a time, and look at the positions that a reply is read off.

    What is kept is a sum for each unit of a gate, and some numbers of each text for each of the units.

    Args:
        subject: reads, under what is applied to it.
        texts: those that do not fit into the window are left out.
        sites: of gates; others need no sign.
        units: whose texts are sought, and the direction that counts as firing: 1 or -1.
        spelled: the bytes of its tokens.
        most: texts of a unit.
        progress: is told texts, of all.
    """
    observer = _Observer(subject, [site for site in sites if site.place == "gate"], units, spelled, most)
    rows = encoded(subject, [text.exchange for text in texts])
    for done, (text, row) in enumerate(zip(texts, rows, strict=True), start=1):
        if row is not None and len(row.prompt) + len(row.answer) <= subject.window:
            observer.read(text, row)
        if progress:
            progress(done, len(texts))
    return Fired(
        {site: torch.where(total < 0, -1.0, 1.0).double() for site, total in observer.totals.items()},
        {unit: tuple(firing for _, firing in best) for unit, best in observer.best.items()},
    )


class _Observer:
    """Sums of products, and the best texts of each unit so far with their peaks."""

    def __init__(
        self,
        subject: OpenSubject,
        gates: Sequence[Site],
        units: Mapping[Unit, float],
        spelled: Spelling,
        most: int,
    ) -> None:
        self.subject = subject
        self.spelled = spelled
        self.units = units
        self.most = most
        self.best: dict[Unit, list[tuple[float, Firing]]] = {unit: [] for unit in units}
        device = subject.device
        self.totals = {site: torch.zeros(subject.width(site), dtype=torch.float64, device=device) for site in gates}
        self._of_site: dict[Site, list[Unit]] = defaultdict(list)
        for unit in units:
            self._of_site[unit.site].append(unit)
        self._gate: dict[Site, Tensor] = {}
        self._seen: dict[Unit, Tensor] = {}

    def read(self, text: Text, row: Row) -> None:
        """One text; nothing of it is left but what is kept of it."""
        ids = torch.tensor([[*row.prompt, *row.answer]], device=self.subject.device)
        is_reply = torch.zeros_like(ids, dtype=torch.bool)
        is_reply[0, len(row.prompt) - 1 :] = True
        model: Any = self.subject.model
        with torch.no_grad(), self.subject.marking(is_reply), self._looking(len(row.prompt) - 1):
            model(input_ids=ids, use_cache=False, logits_to_keep=1)
        pieces = ["", *written_by(row.answer, self.spelled).pieces[:-1]]
        for unit, values in self._seen.items():
            self._keep(unit, text.topic, pieces, values.tolist())
        self._seen.clear()

    @contextmanager
    def _looking(self, start: int) -> Generator[None]:
        """At all sites, from a position on."""
        with ExitStack() as stack:
            for site in {*self.totals, *self._of_site}:
                stack.enter_context(self.subject.rewrite(site, partial(self._look, site, start)))
            for site in self.totals:
                path = self.subject.anatomy.output_path(Site(site.layer, "mlp"))
                stack.enter_context(self.subject.change(path, partial(self._add, site, start)))
            yield

    def _look(self, site: Site, start: int, activation: Tensor, _is_reply: Tensor) -> Tensor:
        if site in self.totals:
            self._gate[site] = activation[0, start:]
        units = self._of_site.get(site, [])
        columns = activation[0, start:, [unit.number for unit in units]].float().cpu()
        self._seen.update(zip(units, columns.unbind(dim=1), strict=True))
        return activation

    def _add(self, site: Site, start: int, inputs: Tensor, output: Tensor) -> Tensor:
        """What the map that ends the MLP is given is the product of gate and up projection."""
        product = torch.where(self._gate.pop(site) > 0, inputs[0, start:], 0.0)
        self.totals[site] += product.sum(dim=0, dtype=torch.float64)
        return output

    def _keep(self, unit: Unit, topic: str, pieces: Sequence[str], values: Sequence[float]) -> None:
        way = self.units[unit]
        place = max(range(len(values)), key=lambda place: way * values[place])
        window = slice(max(0, place - BEFORE), place + AFTER + 1)
        firing = Firing(topic, tuple(pieces[window]), tuple(values[window]))
        best = self.best[unit]
        best.append((way * values[place], firing))
        # Stable: of equal ones the text that came first.
        best.sort(key=lambda entry: -entry[0])
        del best[self.most :]
