"""Several low-rank adapters that train at once beside one frozen model.

A batch holds as many rows of every target, target after target; one product a layer serves all adapters, and the frozen
map runs once over all rows.
"""

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from temperament.edit.weight import LowRank
from temperament.errors import SeamError
from temperament.subject.open import OpenSubject, Side


@dataclass(frozen=True)
class LoraShape:
    """What an adapter consists of.

    Attributes:
        rank: number of directions of each branch.
        scale: of the branch: alpha / rank, or alpha / sqrt(rank) when rank-stabilised.
        dropout: on the input of the branch, while training.
        modules: names of the adapted maps, such as ``q_proj``; empty adapts every linear map inside the blocks.
    """

    rank: int
    scale: float
    dropout: float
    modules: tuple[str, ...]


class Adapters(nn.Module):
    """The factors of all targets, stacked by path.

    ``down`` is [target, rank, input] and begins as in PEFT (Kaiming uniform, a = sqrt 5); ``up`` is
    [target, output, rank] and begins at zero, so that training starts from the untouched model. Every target begins
    from the same draw: without dropout, which others it trains with changes nothing.

    Raises:
        SeamError: no linear map has one of the names.
    """

    def __init__(self, subject: OpenSubject, shape: LoraShape, targets: int, seed: int) -> None:
        super().__init__()
        self.shape = shape
        self.targets = targets
        self.paths = adapted_paths(subject, shape.modules)
        down, up = nn.ParameterDict(), nn.ParameterDict()
        generator = torch.Generator().manual_seed(seed)
        for path in self.paths:
            size = subject.shape(path)
            bound = 1 / math.sqrt(size.inputs)
            drawn = (torch.rand(shape.rank, size.inputs, generator=generator) * 2 - 1) * bound
            down[_key(path)] = nn.Parameter(drawn.expand(targets, -1, -1).clone())
            up[_key(path)] = nn.Parameter(torch.zeros(targets, size.outputs, shape.rank))
        self.down, self.up = down, up
        self.to(subject.device)

    @contextmanager
    def attached(self, subject: OpenSubject) -> Generator[None]:
        """Run beside the subject's maps until the block ends."""
        with ExitStack() as stack:
            for path in self.paths:
                stack.enter_context(subject.branch(path, self._side(path)))
            yield

    def branches(self, target: int) -> Mapping[str, LowRank]:
        """The factors of one target, by path."""
        return {
            path: LowRank(
                self.down[_key(path)][target].detach().cpu().clone(), self.up[_key(path)][target].detach().cpu().clone()
            )
            for path in self.paths
        }

    def clip(self, limit: float) -> list[float]:
        """Scale the gradient of each target to a norm of at most ``limit``, as if it trained alone; gives the norms."""
        gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        squares = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0)
        norms = squares.sqrt()
        factor = (limit / (norms + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(factor[:, None, None])
        return norms.tolist()

    def _side(self, path: str) -> Side:
        down, up = self.down[_key(path)], self.up[_key(path)]

        def side(inputs: Float[Tensor, "row token input"]) -> Float[Tensor, "row token output"]:
            rows, tokens, width = inputs.shape
            grouped = inputs.reshape(self.targets, rows // self.targets * tokens, width)
            dropped = nn.functional.dropout(grouped, self.shape.dropout, training=self.training)
            inner = torch.bmm(dropped, down.to(inputs.dtype).transpose(1, 2))
            outer = torch.bmm(inner, (up * self.shape.scale).to(inputs.dtype).transpose(1, 2))
            return outer.reshape(rows, tokens, -1)

        return side


def adapted_paths(subject: OpenSubject, modules: Sequence[str]) -> tuple[str, ...]:
    """Paths of the linear maps with one of the names; raises SeamError for a name that no map has."""
    paths = list(subject.anatomy.linears)
    if not modules:
        return tuple(paths)
    known = sorted({path.rpartition(".")[2] for path in paths})
    for name in modules:
        if name not in known:
            message = (
                f"module '{name}' was to be adapted: {subject.name} has {', '.join(known)}. "
                f"Name some of these, or none to adapt all."
            )
            raise SeamError(message)
    return tuple(path for path in paths if path.rpartition(".")[2] in modules)


def _key(path: str) -> str:
    return path.replace(".", "/")
