"""The gradient of a weight, taken apart: a sum over tokens of delta u^T, with the input u and the gradient delta.

Source: Mitchell et al. 2022, arXiv 2110.11309, section 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from temperament.shape.mend.trunk import Trunk
from temperament.subject.text import Encoded

# Gradients that are kept for rows that come again.
GRADIENT_BYTES = 1 << 30


class Factors(NamedTuple):
    """The gradient of the loss by one weight [output, input] is ``deltas.T @ inputs``.

    Attributes:
        inputs: what the map is given, in float32.
        deltas: gradient of the loss at the map's output, in float32; no token's is zero.
    """

    inputs: Float[Tensor, "token input"]
    deltas: Float[Tensor, "token output"]


class _Listener:
    """A side branch that adds nothing, hears the inputs, and lets the gradient at the output be asked for."""

    def __init__(self, outputs: int) -> None:
        self.outputs = outputs
        self.inputs = torch.empty(0)
        self.nothing = torch.empty(0)

    def __call__(self, inputs: Tensor) -> Tensor:
        self.inputs = inputs.detach()
        self.nothing = inputs.new_zeros(*inputs.shape[:-1], self.outputs).requires_grad_()
        return self.nothing


@dataclass
class Gradients:
    """The gradients of rows, by map: constants of the model, so each is computed once as far as memory goes.

    Attributes:
        paths: of the maps.
        known: factors by path, by row.
    """

    trunk: Trunk
    paths: Sequence[str]
    known: dict[Encoded, dict[str, Factors]] = field(default_factory=dict[Encoded, dict[str, Factors]])

    def of(self, rows: Sequence[Encoded], *, is_mean: bool) -> dict[str, Factors]:
        """The factors by path for the loss -log p per answer token, summed over the rows, or their mean.

        Each row is taken apart by itself, so that its factors are the same to the bit whatever was known before.
        """
        missing = [row for row in dict.fromkeys(rows) if row not in self.known]
        fresh = {row: take_apart(self.trunk, self.paths, [row])[0] for row in missing}
        found = [fresh[row] if row in fresh else self.known[row] for row in rows]
        self._keep(fresh)
        share = 1 / len(rows) if is_mean else 1.0
        return {
            path: Factors(
                torch.cat([factors[path].inputs for factors in found]),
                torch.cat([factors[path].deltas for factors in found]) * share,
            )
            for path in self.paths
        }

    def _keep(self, fresh: Mapping[Encoded, dict[str, Factors]]) -> None:
        held = sum(_size(factors) for factors in self.known.values())
        for row, factors in fresh.items():
            held += _size(factors)
            if held > GRADIENT_BYTES:
                return
            self.known[row] = factors


def take_apart(trunk: Trunk, paths: Sequence[str], rows: Sequence[Encoded]) -> list[dict[str, Factors]]:
    """The factors of each row's loss, by path.

    One forward and backward pass, the backward one through the edited blocks only, because nothing before them is asked
    for its gradient.
    """
    listeners = {path: _Listener(trunk.subject.shape(path).outputs) for path in paths}
    with torch.enable_grad():
        loss = -trunk.predict(rows, listeners).row_means().sum()
        gradients = torch.autograd.grad(loss, [listener.nothing for listener in listeners.values()])
    found = dict(zip(paths, gradients, strict=True))
    return [
        {path: _factors(listeners[path].inputs[number], found[path][number]) for path in paths}
        for number in range(len(rows))
    ]


def _factors(inputs: Float[Tensor, "token input"], deltas: Float[Tensor, "token output"]) -> Factors:
    # Padding, and in the last block what is not answered, moves nothing.
    counted = (deltas != 0).any(dim=1)
    return Factors(inputs[counted].float(), deltas[counted].float())


def _size(factors: Mapping[str, Factors]) -> int:
    return sum(part.inputs.nbytes + part.deltas.nbytes for part in factors.values())
