"""Several low-rank adapters that train at once beside one frozen model.

A batch holds as many rows of every target, target after target; one product a layer serves all adapters, and the frozen
map runs once over all rows.
"""

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from temperament.edit.weight import LowRank
from temperament.errors import SeamError
from temperament.subject.open import Change, OpenSubject


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
        self._readers = _readers(subject, self.paths)
        self._seen: tuple[Tensor, dict[str, Tensor]] | None = None
        self.to(subject.device)

    @contextmanager
    def attached(self, subject: OpenSubject) -> Generator[None]:
        """Run beside the subject's maps until the block ends."""
        with ExitStack() as stack:
            for path in self.paths:
                stack.enter_context(subject.change(path, self._change(path)))
            stack.callback(setattr, self, "_seen", None)
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

    def _change(self, path: str) -> Change:
        def change(inputs: Tensor, output: Tensor) -> Tensor:
            up = self.up[_key(path)].to(inputs.dtype)
            # A change of a view, such as maps with a bias give, would cost more than a copy.
            output = output.clone() if output._is_view() else output  # pyright: ignore[reportPrivateUsage]
            return cast(Tensor, _Up.apply(output, self._inner(path, inputs), up, self.shape.scale))

        return change

    def _inner(self, path: str, inputs: Float[Tensor, "row token input"]) -> Float[Tensor, "target place rank"]:
        """The directions of a path; those of maps that read the same tensor are computed together."""
        if self._seen is None or self._seen[0] is not inputs or path not in self._seen[1]:
            together = self._readers[path]
            down = torch.cat([self.down[_key(each)] for each in together], dim=1).to(inputs.dtype)
            dropped = self._dropped(inputs).reshape(self.targets, -1, inputs.shape[-1])
            inner = cast(Tensor, _Down.apply(dropped, down)).split(self.shape.rank, dim=2)
            self._seen = (inputs, dict(zip(together, inner, strict=True)))
        return self._seen[1].pop(path)

    def _dropped(self, inputs: Tensor) -> Tensor:
        if self.shape.dropout == 0 or not self.training:
            return inputs
        return cast(Tensor, _Dropout.apply(inputs, self.shape.dropout))


class _Down(torch.autograd.Function):
    """``inputs`` [target, token, input] times ``down`` [target, rank, input], with gradients as they are laid out."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, down: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, down)
        return torch.bmm(inputs, down.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor]:
        inputs, down = ctx.saved_tensors
        gradient = gradients[0]
        onto_inputs = torch.bmm(gradient, down) if ctx.needs_input_grad[0] else None
        return onto_inputs, torch.bmm(gradient.transpose(1, 2), inputs)


class _Up(torch.autograd.Function):
    """Add ``scale * up inner`` to ``output``, where it lies."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, inner: Tensor, up: Tensor, scale: float) -> Tensor:
        ctx.mark_dirty(output)
        ctx.save_for_backward(inner, up)
        ctx.scale = scale
        output.view(len(up), -1, output.shape[-1]).baddbmm_(inner, up.transpose(1, 2), alpha=scale)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        inner, up = ctx.saved_tensors
        gradient = gradients[0].reshape(len(up), -1, up.shape[1])
        onto_inner = torch.bmm(gradient, up).mul_(ctx.scale)
        onto_up = torch.bmm(gradient.transpose(1, 2), inner).mul_(ctx.scale)
        return gradients[0], onto_inner, onto_up, None


class _Dropout(torch.autograd.Function):
    """Dropout that draws 16 bits a unit: a third of the time of one that draws a number a unit, on a CPU."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, share: float) -> Tensor:
        limit = round((1 - share) * 65536)
        drawn = torch.empty(-(-inputs.numel() // 4), dtype=torch.int64, device=inputs.device).random_(-(1 << 63), None)
        ctx.is_kept = (drawn.view(torch.int16)[: inputs.numel()] < limit - 32768).view(inputs.shape)
        ctx.factor = 65536 / limit
        return ctx.is_kept.to(inputs.dtype).mul_(ctx.factor).mul_(inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.is_kept.to(gradients[0].dtype).mul_(ctx.factor).mul_(gradients[0]), None


def _readers(subject: OpenSubject, paths: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """For each path, which of them read the same tensor, such as q, k and v: seen as one token goes through."""
    found: list[tuple[Tensor, list[str]]] = []

    def seen(path: str) -> Change:
        def change(inputs: Tensor, output: Tensor) -> Tensor:
            same = next((names for tensor, names in found if tensor is inputs), None)
            if same is None:
                found.append((inputs, [path]))
            else:
                same.append(path)
            return output

        return change

    with ExitStack() as stack, torch.no_grad():
        for path in paths:
            stack.enter_context(subject.change(path, seen(path)))
        subject.model(input_ids=torch.tensor([[subject.format.pad_token]], device=subject.device), use_cache=False)
    readers = {path: (path,) for path in paths}
    return readers | {name: tuple(dict.fromkeys(names)) for _, names in found for name in names}


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
