"""Activation edits: they change what the model thinks."""

import hashlib
from collections.abc import Callable, Mapping
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
        span = _Span()
        for site, shift in self.shifts.items():
            stack.enter_context(subject.rewrite(site, self._function(shift, subject, span)))

    def _function(self, shift: Shift, subject: OpenSubject, span: "_Span") -> Rewrite:
        change = _change(shift, self.strength, subject)
        if self.tokens == "all":
            return lambda activation, _is_reply: change(activation)

        def rewritten(activation: Tensor, is_reply: Tensor) -> Tensor:
            start, is_all = span.of(is_reply)
            if start == activation.shape[1]:
                return activation
            if is_all:
                return change(activation)
            # Most of a prompt is left as it is: only what follows its first edited position is computed.
            rest = activation[:, start:]
            rest = torch.where(is_reply[:, start:, None], change(rest), rest)
            return torch.cat([activation[:, :start], rest], dim=1) if start else rest

        return rewritten


class _Span:
    """Where the reply lies in a pass: asked at every site, worked out once, because a GPU has to be waited for."""

    def __init__(self) -> None:
        self._is_reply: Tensor | None = None
        self._found = (0, True)

    def of(self, is_reply: Bool[Tensor, "batch token"]) -> tuple[int, bool]:
        """The first position that belongs to the reply in any row, and whether all do in all rows."""
        if is_reply is not self._is_reply:
            in_any, in_all = torch.stack([is_reply.any(dim=0), is_reply.all(dim=0)]).tolist()
            self._is_reply = is_reply
            self._found = (in_any.index(True) if any(in_any) else len(in_any), all(in_all))
        return self._found


def _change(shift: Shift, strength: float, subject: OpenSubject) -> Callable[[Tensor], Tensor]:
    """What happens to the units of a site, in as few passes over them as there can be."""
    # Rounded once, after scaling.
    add = (strength * shift.add.float()).to(device=subject.device, dtype=subject.compute_dtype)
    if shift.is_clamped is None or not bool(shift.is_clamped.any()):
        return lambda activation: activation + add
    ceiling = torch.full_like(add, torch.inf).masked_fill(shift.is_clamped.to(subject.device), 0.0)
    if strength == 1.0:
        return lambda activation: torch.minimum(activation, ceiling) + add
    return lambda activation: torch.lerp(activation, torch.minimum(activation, ceiling), strength) + add
