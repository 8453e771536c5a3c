"""Which neurons are those of a pole: rules on the statistics of both poles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from temperament.activation.statistic import UnitStatistics, cohens_d
from temperament.errors import RequestError
from temperament.trait import Pole

Rule = Literal["difference", "effect", "top"]
Chosen = Bool[Tensor, " unit"]
# A difference of 0.5 and 0.4 is a tenth, though not in floating point.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Selection:
    """A rule and its bounds.

    Delta is the share of tokens at which a neuron fires under the high pole, less that under the low pole.

    Departs: DPN-LE reads the last prompt position of 1,000 texts a pole, after the product with the up projection, and
    adds the difference of the means; here its rule is put to the gates over the counted tokens, and what it chooses is
    moved as all neurons are.

    Attributes:
        rule: ``difference``: delta of at least ``threshold`` in the pole's direction (Deng et al., ICLR 2025);
            ``effect``: Cohen's d between the poles above ``effect_size``, and a difference of the means above that of
            the share ``magnitude`` of the units of its layer (DPN-LE: Zheng et al. 2026, arXiv 2604.27929);
            ``top``: the ``top`` neurons with the largest delta in either direction.
        threshold: of ``difference``, 0 to 1.
        floor: of ``difference``: each pole has at least this share of all neurons, where so many lean its way.
        effect_size: of ``effect``, in pooled standard deviations over tokens.
        magnitude: of ``effect``, a share from 0 to below 1.
        top: of ``top``.

    Raises:
        RequestError: a bound is out of its range.
    """

    rule: Rule = "difference"
    threshold: float = 0.10
    floor: float = 2000 / 458752
    effect_size: float = 0.8
    magnitude: float = 0.995
    top: int = 2000

    def __post_init__(self) -> None:
        for name, is_right, range_ in (
            ("threshold", 0 < self.threshold < 1, "above 0 and below 1, a difference of two shares"),
            ("floor", 0 <= self.floor <= 0.5, "a share of all neurons, 0 to 0.5"),
            ("effect_size", self.effect_size > 0, "above 0"),
            ("magnitude", 0 <= self.magnitude < 1, "a share of a layer's neurons, at least 0 and below 1"),
            ("top", self.top >= 1, "at least 1"),
        ):
            if not is_right:
                message = f"{name} is {getattr(self, name):g}: it needs to be {range_}."
                raise RequestError(message)

    def choose(self, high: Sequence[UnitStatistics], low: Sequence[UnitStatistics]) -> dict[Pole, list[Chosen]]:
        """The neurons of each pole, by layer; none is of both."""
        deltas = [delta(*pair) for pair in zip(high, low, strict=True)]
        match self.rule:
            case "difference":
                return {"high": self._passing(deltas), "low": self._passing([-one for one in deltas])}
            case "top":
                flat = torch.cat(deltas)
                best = _best(flat.abs(), self.top)
                sizes = [len(one) for one in deltas]
                return {"high": list((best & (flat > 0)).split(sizes)), "low": list((best & (flat < 0)).split(sizes))}
            case "effect":
                pairs = [self._by_effect(*pair) for pair in zip(high, low, strict=True)]
                return {"high": [one for one, _ in pairs], "low": [one for _, one in pairs]}

    def _passing(self, own: Sequence[Float[Tensor, " unit"]]) -> list[Chosen]:
        flat = torch.cat(list(own))
        passing = flat >= self.threshold - ROUNDING
        least = round(self.floor * len(flat))
        if int(passing.sum()) < least:
            passing = _best(flat, least)
        return list(passing.split([len(one) for one in own]))

    def _by_effect(self, high: UnitStatistics, low: UnitStatistics) -> tuple[Chosen, Chosen]:
        distance = (high.mean - low.mean).abs()
        is_large = distance > torch.quantile(distance, self.magnitude)
        effect = cohens_d(high, low)
        return is_large & (effect > self.effect_size), is_large & (effect < -self.effect_size)


def delta(high: UnitStatistics, low: UnitStatistics) -> Float[Tensor, " unit"]:
    """By how much more often units fire under the high pole: -1, only under the low pole, to 1; float64."""
    return high.firing - low.firing


def _best(values: Float[Tensor, " unit"], count: int) -> Chosen:
    """The largest values above 0; of equal ones those that come first, so that a choice is the same everywhere."""
    order = values.argsort(descending=True, stable=True)[:count]
    chosen = torch.zeros(len(values), dtype=torch.bool)
    chosen[order] = True
    return chosen & (values > 0)
