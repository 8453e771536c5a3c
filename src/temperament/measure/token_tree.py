"""The tokens of a vocabulary by what they make of the beginning of an emoji."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from temperament.measure.beginning import Place, advance
from temperament.measure.spelling import Spelling


@dataclass(frozen=True, eq=False)
class Fates:
    """What can come next at a place.

    Attributes:
        certain: tokens after which an emoji is certain.
        torn: tokens after which it is possible and not certain.
        places: where each of these leads.
    """

    certain: Int[Tensor, " certain"]
    torn: Int[Tensor, " torn"]
    places: tuple[Place, ...]


class TokenTree:
    """A vocabulary that can be walked from any place; what is found at one is kept."""

    def __init__(self, spelled: Spelling, device: torch.device) -> None:
        self._device = device
        self._by_byte: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
        for number, written in enumerate(spelled):
            if written:
                self._by_byte[written[0]].append((number, written))
        self._known: dict[Place, Fates] = {}

    def after(self, place: Place) -> Fates:
        """The tokens that go on with an emoji, or begin one, at a place."""
        if place not in self._known:
            self._known[place] = self._walk(place)
        return self._known[place]

    def _walk(self, place: Place) -> Fates:
        certain: list[int] = []
        torn: dict[int, Place] = {}
        for byte, tokens in self._by_byte.items():
            if advance(place, bytes((byte,))) is False:
                continue
            for number, written in tokens:
                fate = advance(place, written)
                if fate is True:
                    certain.append(number)
                elif fate is not False:
                    torn[number] = fate
        return Fates(self._numbers(certain), self._numbers(torn), tuple(torn.values()))

    def _numbers(self, numbers: Iterable[int]) -> Tensor:
        return torch.tensor(list(numbers), dtype=torch.long, device=self._device)
