"""The networks that turn the factors of a gradient into those of an edit.

Source: Mitchell et al. 2022, arXiv 2110.11309, section 3.1 and equation 3, and their released code.
Departs: what a network adds is scaled back to the spread of the factors, so that the identity at the start is a step of
gradient descent (the released code leaves the result normalised, and adds it); statistics are kept for each map rather
than for each shape. The second block has no rectifier, as in the released code; equation 3 has one.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from temperament.edit.weight import LowRank
from temperament.shape.mend.gradient import Factors
from temperament.subject.anatomy import Shape

# Deviations beyond which a network is shown no more: single tokens have gradients that are far from all others.
LIMIT = 10.0
TINY = 1e-12


class Moments(nn.Module):
    """Running mean and deviation of the factors [input, then output] of each map.

    Source: Chan, Golub and LeVeque 1979, updating formulae for sample variances.
    """

    def __init__(self, maps: int, width: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(maps))
        self.register_buffer("mean", torch.zeros(maps, width))
        self.register_buffer("squares", torch.zeros(maps, width))

    def observe(self, number: int, values: Float[Tensor, "token width"]) -> None:
        """Take the tokens of one map in."""
        count, mean, squares = (self.get_buffer(name) for name in ("count", "mean", "squares"))
        before, added = count[number].clone(), len(values)
        change = values.mean(dim=0) - mean[number]
        total = before + added
        mean[number] += change * (added / total)
        squares[number] += (values - values.mean(dim=0)).square().sum(dim=0) + change.square() * before * added / total
        count[number] = total

    def of(self, number: int) -> tuple[Float[Tensor, " width"], Float[Tensor, " width"]]:
        """Mean and deviation of one map; 0 and 1 before two tokens were observed."""
        count = self.get_buffer("count")[number]
        mean, squares = self.get_buffer("mean")[number], self.get_buffer("squares")[number]
        if count < 2:
            return torch.zeros_like(mean), torch.ones_like(mean)
        return mean, (squares / (count - 1)).sqrt()


class Block(nn.Module):
    """z + scale * (up (down z) + bias) + shift, rectified or not, with scale and shift for each map.

    ``up`` begins at zero and ``down`` at a draw from the standard normal distribution, as in the released code.
    """

    def __init__(self, maps: int, width: int, rank: int, generator: torch.Generator, *, is_rectified: bool) -> None:
        super().__init__()
        self.is_rectified = is_rectified
        self.down = nn.Parameter(torch.randn(rank, width, generator=generator))
        self.up = nn.Parameter(torch.zeros(width, rank))
        self.bias = nn.Parameter(torch.zeros(width))
        self.scale = nn.Parameter(torch.ones(maps, width))
        self.shift = nn.Parameter(torch.zeros(maps, width))

    def forward(self, z: Float[Tensor, "token width"], number: int) -> Float[Tensor, "token width"]:
        """The residual block for a map."""
        inner = z @ self.down.T @ self.up.T + self.bias
        inner = inner * self.scale[number] + self.shift[number]
        # Not relu: its gradient at zero, where training begins, is zero.
        return z + (inner.clamp(min=0) if self.is_rectified else inner)


class Transform(nn.Module):
    """The network that all maps of one shape share."""

    def __init__(self, maps: int, shape: Shape, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        width = shape.inputs + shape.outputs
        self.shape = shape
        self.moments = Moments(maps, width)
        self.first = Block(maps, width, rank, generator, is_rectified=True)
        self.second = Block(maps, width, rank, generator, is_rectified=False)

    def forward(self, factors: Factors, number: int) -> Factors:
        """The factors that take the place of a map's; those that were given, to the bit, before any training."""
        pairs = torch.cat([factors.inputs, factors.deltas], dim=1)
        if self.training:
            self.moments.observe(number, pairs)
        mean, deviation = self.moments.of(number)
        z = ((pairs - mean) / (deviation + TINY)).clamp(-LIMIT, LIMIT)
        pairs = pairs + deviation * (self.second(self.first(z, number), number) - z)
        inputs, deltas = pairs.split([self.shape.inputs, self.shape.outputs], dim=1)
        return Factors(inputs, deltas)


class Network(nn.Module):
    """A transform for each shape, and a rate for each map.

    Attributes:
        paths: of the edited maps.
        alphas: learned rates, in the order of the paths.
    """

    def __init__(self, shapes: Mapping[str, Shape], rank: int, alpha: float, seed: int) -> None:
        super().__init__()
        self.paths = tuple(shapes)
        generator = torch.Generator().manual_seed(seed)
        self.groups: dict[str, list[str]] = {}
        for path, shape in shapes.items():
            self.groups.setdefault(_key(shape), []).append(path)
        self.transforms = nn.ModuleDict(
            {key: Transform(len(paths), shapes[paths[0]], rank, generator) for key, paths in self.groups.items()}
        )
        self.alphas = nn.Parameter(torch.full((len(self.paths),), alpha))

    def forward(self, factors: Mapping[str, Factors]) -> dict[str, LowRank]:
        """The edit W <- W - alpha * sum of delta~ u~^T, as branches of one direction a token."""
        branches: dict[str, LowRank] = {}
        for key, paths in self.groups.items():
            for number, path in enumerate(paths):
                inputs, deltas = self.transforms[key](factors[path], number)
                branches[path] = LowRank(inputs, -self.alphas[self.paths.index(path)] * deltas.T)
        return branches


def condensed(branch: LowRank) -> LowRank:
    """The same change with no more directions than the map has inputs or outputs: exact but for rounding."""
    outputs, inputs = branch.up.shape[0], branch.down.shape[1]
    if branch.rank <= min(inputs, outputs):
        return branch
    change = branch.up @ branch.down
    if outputs <= inputs:
        return LowRank(change, torch.eye(outputs, device=change.device))
    return LowRank(torch.eye(inputs, device=change.device), change)


def _key(shape: Shape) -> str:
    return f"{shape.inputs}x{shape.outputs}"
