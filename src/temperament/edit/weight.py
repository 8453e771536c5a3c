"""Weight edits: low-rank branches that run beside frozen linear maps."""

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from temperament.edit.base import Edit, Kind, check_origin, refuse_closed
from temperament.errors import MismatchError, SeamError
from temperament.subject.base import Subject
from temperament.subject.open import OpenSubject, Side


@dataclass(frozen=True, eq=False)
class LowRank:
    """The factors of a change of one weight.

    Attributes:
        down: [rank, input].
        up: [output, rank].
    """

    down: Float[Tensor, "rank input"]
    up: Float[Tensor, "output rank"]

    @property
    def rank(self) -> int:
        """Number of directions."""
        return self.down.shape[0]


@dataclass(frozen=True, eq=False)
class WeightEdit(Edit):
    """W x + strength * scale * up (down x) at each path.

    Attributes:
        branches: factors by the path of the linear map.
        scale: of the method itself, such as alpha / rank.
    """

    branches: Mapping[str, LowRank] = field(default_factory=dict[str, LowRank])
    scale: float = 1.0

    kind: ClassVar[Kind] = "weight"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what the edit does at strength 1."""
        digest = hashlib.sha256(f"weight {self.scale!r}".encode())
        for path, branch in sorted(self.branches.items()):
            digest.update(path.encode())
            for factor in (branch.down, branch.up):
                digest.update(f"{tuple(factor.shape)}".encode())
                digest.update(factor.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def delta(self, path: str) -> Float[Tensor, "output input"]:
        """The change of the weight at a path, at the strength of the edit."""
        branch = self.branches[path]
        return self.strength * self.scale * (branch.up.float() @ branch.down.float())

    def check(self, subject: Subject) -> None:
        """Fingerprints and shapes are compared."""
        if not isinstance(subject, OpenSubject):
            raise refuse_closed(subject, "is")
        check_origin(self.origin, subject)
        for path, branch in self.branches.items():
            try:
                shape = subject.shape(path)
            except SeamError as error:
                message = f"the edit does not fit {subject.name}: {error}"
                raise MismatchError(message) from None
            found = (branch.down.shape[1], branch.up.shape[0])
            if found != (shape.inputs, shape.outputs):
                message = (
                    f"the edit does not fit {subject.name}: at {path} it maps {found[0]} to {found[1]}, "
                    f"the model {shape.inputs} to {shape.outputs}. Load the model that it was trained on."
                )
                raise MismatchError(message)

    def save(self, folder: Path) -> None:
        """Write an ordinary PEFT adapter and ``edit.json``; the adapter alone has the effect at this strength."""
        from temperament.edit.adapter import adapter_files
        from temperament.edit.store import save_edit

        tensors, config = adapter_files(self)
        save_edit(self, folder, {"scale": self.scale}, tensors, {"adapter_config.json": config})

    def _enter(self, stack: ExitStack, subject: Subject) -> None:
        assert isinstance(subject, OpenSubject)
        for path, branch in self.branches.items():
            stack.enter_context(subject.branch(path, self._side(branch, subject)))

    def _side(self, branch: LowRank, subject: OpenSubject) -> Side:
        device, dtype = subject.device, subject.compute_dtype
        down = branch.down.to(device, dtype)
        up = (self.strength * self.scale * branch.up.float()).to(device, dtype)
        return lambda inputs: torch.nn.functional.linear(
            torch.nn.functional.linear(inputs.to(down.dtype), down), up
        ).to(inputs.dtype)
