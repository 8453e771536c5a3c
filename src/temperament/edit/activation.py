"""Activation edits: they change what the model thinks."""

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from temperament.edit.base import Edit, Kind, check_origin, refuse_closed
from temperament.errors import MismatchError
from temperament.subject.anatomy import Site
from temperament.subject.base import Subject
from temperament.subject.open import OpenSubject, Rewrite

Tokens = Literal["reply", "all"]


@dataclass(frozen=True, eq=False)
class Shift:
    """What is done to the units of one site: clamp some to at most 0, then add a constant.

    Attributes:
        add: [unit].
        is_clamped: [unit]; None clamps none.
    """

    add: Float[Tensor, " unit"]
    is_clamped: Bool[Tensor, " unit"] | None = None


@dataclass(frozen=True, eq=False)
class ActivationEdit(Edit):
    """a + strength * (edited(a) - a) at each site.

    Attributes:
        shifts: by site.
        tokens: ``reply`` edits the positions that a reply is read off, the last of the prompt included; ``all``
            edits the prompt too.
    """

    shifts: Mapping[Site, Shift] = field(default_factory=dict[Site, Shift])
    tokens: Tokens = "reply"

    kind: ClassVar[Kind] = "activation"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what the edit does at strength 1."""
        digest = hashlib.sha256(f"activation {self.tokens}".encode())
        for name, tensor in sorted(self.tensors().items()):
            digest.update(f"{name}{tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def tensors(self) -> dict[str, Tensor]:
        """What is stored: ``add.PLACE.LAYER`` and ``clamp.PLACE.LAYER``."""
        found: dict[str, Tensor] = {}
        for site, shift in self.shifts.items():
            found[f"add.{site.place}.{site.layer}"] = shift.add.contiguous()
            if shift.is_clamped is not None:
                found[f"clamp.{site.place}.{site.layer}"] = shift.is_clamped.contiguous()
        return found

    def check(self, subject: Subject) -> None:
        """Fingerprints, sites and the width of the residual stream are compared."""
        if not isinstance(subject, OpenSubject):
            raise refuse_closed(subject, "thinks")
        check_origin(self.origin, subject)
        for site, shift in self.shifts.items():
            subject.anatomy.check(site)
            width = subject.width(site)
            if width != len(shift.add):
                message = (
                    f"the edit does not fit {subject.name}: the {site} has {width} units, the edit {len(shift.add)}."
                )
                raise MismatchError(message)

    def save(self, folder: Path) -> None:
        """Write ``edit.safetensors`` and ``edit.json``."""
        from temperament.edit.store import save_edit

        save_edit(self, folder, {"tokens": self.tokens}, {"edit.safetensors": self.tensors()})

    def _enter(self, stack: ExitStack, subject: Subject) -> None:
        assert isinstance(subject, OpenSubject)
        for site, shift in self.shifts.items():
            stack.enter_context(subject.rewrite(site, self._function(shift, subject)))

    def _function(self, shift: Shift, subject: OpenSubject) -> Rewrite:
        add = shift.add.to(device=subject.device, dtype=subject.compute_dtype)
        clamped = None if shift.is_clamped is None else shift.is_clamped.to(subject.device)

        def rewritten(activation: Tensor, is_reply: Tensor) -> Tensor:
            edited = activation if clamped is None else torch.where(clamped, activation.clamp(max=0), activation)
            edited = edited + add
            if self.strength != 1.0:
                edited = activation + self.strength * (edited - activation)
            if self.tokens == "all":
                return edited
            return torch.where(is_reply[..., None], edited, activation)

        return rewritten
