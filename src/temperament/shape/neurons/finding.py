"""The neurons of a trait, as a value: found once, kept, and made into edits of either pole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.errors import BadFileError, RequestError
from temperament.record import write_bytes
from temperament.subject.anatomy import Site
from temperament.subject.open import OpenSubject
from temperament.trait import Pole, Target

PARTS = ("delta", "a95", "is_high", "is_low")


@dataclass(frozen=True, eq=False)
class LayerNeurons:
    """The neurons of one layer.

    Attributes:
        delta: share of tokens with an activation above 0 under the high pole, less that under the low pole.
        a95: the 95th percentile of the activation under a neuron's own pole; NaN where it is of neither.
        is_high: neurons of the high pole.
        is_low: neurons of the low pole.
    """

    delta: Float[Tensor, " unit"]
    a95: Float[Tensor, " unit"]
    is_high: Bool[Tensor, " unit"]
    is_low: Bool[Tensor, " unit"]

    def of(self, pole: Pole) -> Bool[Tensor, " unit"]:
        """The neurons of a pole."""
        return self.is_high if pole == "high" else self.is_low

    def shift(self, pole: Pole, gamma: float) -> Shift | None:
        """What brings a pole out at this layer; None where the layer has neurons of neither.

        Source: Deng et al., ICLR 2025: neurons of the other pole a <- min(0, a); the pole's own a <- a + gamma * a95 *
        f(delta) with f(x) = 1 / (1 + exp(-10 (x - 0.15))), delta in the direction of the pole.
        Departs: a percentile below 0, which only a choice by effect size can meet, adds nothing: it would push a
        neuron away from its own pole.
        """
        own, other = (self.of("high"), self.of("low")) if pole == "high" else (self.of("low"), self.of("high"))
        if not bool((own | other).any()):
            return None
        towards = self.delta if pole == "high" else -self.delta
        push = gamma * self.a95.clamp(min=0) * torch.sigmoid(10 * (towards - 0.15))
        return Shift(torch.where(own, push, 0.0), other.clone() if bool(other.any()) else None)


@dataclass(frozen=True, eq=False)
class TraitNeurons:
    """The neurons of both poles of a trait.

    Attributes:
        trait: by name.
        subject: name of the model that they are of.
        fingerprint: of that model.
        layers: every layer of the model, from the first.
        tokens: that were counted under each pole.
        threshold: the smallest difference in firing, in the pole's direction, of a neuron that was taken.
    """

    trait: str
    subject: str
    fingerprint: str
    layers: tuple[LayerNeurons, ...]
    tokens: Mapping[Pole, int] = field(default_factory=dict[Pole, int])
    threshold: Mapping[Pole, float] = field(default_factory=dict[Pole, float])

    def counts(self, pole: Pole) -> list[int]:
        """How many neurons a pole has, by layer."""
        return [int(layer.of(pole).sum()) for layer in self.layers]

    def shifts(self, pole: Pole, gamma: float = 1.4) -> dict[Site, Shift]:
        """What brings a pole out, by site.

        Args:
            pole: whose neurons are raised.
            gamma: the gain; 0 only silences the neurons of the other pole.

        Raises:
            RequestError: there is no neuron of the trait.
        """
        found = {Site(number, "gate"): layer.shift(pole, gamma) for number, layer in enumerate(self.layers)}
        shifts = {site: shift for site, shift in found.items() if shift is not None}
        if not shifts:
            message = (
                f"no neuron of {self.subject} tells the poles of {self.trait} apart by this rule: lower its bounds "
                f"(threshold, or effect_size and magnitude), take rule 'top', or let the model write more."
            )
            raise RequestError(message)
        return shifts

    def edit_for(self, pole: Pole, gamma: float = 1.4, origin: Origin | None = None) -> ActivationEdit:
        """An edit that brings a pole out wherever a reply is read off, its first token included.

        Edits of several traits stack: ``a + b``. A neuron that both move is first clamped and raised by ``a``, then by
        ``b``; on all others the order makes no difference.
        """
        own = origin or Origin(
            "neurons",
            target=Target(self.trait, pole),
            settings={"gamma": gamma, **self.summary(pole)},
            subject=self.subject,
            subject_fingerprint=self.fingerprint,
        )
        return ActivationEdit(own, shifts=self.shifts(pole, gamma), tokens="reply")

    def summary(self, pole: Pole) -> dict[str, Any]:
        """What an edit for a pole says of its neurons: how many by layer, from the first, and what it took."""
        other: Pole = "low" if pole == "high" else "high"
        return {
            "own_neurons": self.counts(pole),
            "opposite_neurons": self.counts(other),
            "smallest_difference": {"own": self.threshold.get(pole), "opposite": self.threshold.get(other)},
            "counted_tokens": {"own": self.tokens.get(pole), "opposite": self.tokens.get(other)},
        }

    def save(self, path: Path, note: str = "") -> None:
        """Write a safetensors file, whole or not at all; ``note`` is kept with it."""
        from safetensors.torch import save

        tensors = {
            f"{name}.{number}": getattr(layer, name).contiguous().clone()
            for number, layer in enumerate(self.layers)
            for name in PARTS
        }
        card = _Card(self.trait, self.subject, self.fingerprint, dict(self.tokens), dict(self.threshold), note)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, save(tensors, metadata={"neurons": msgspec.json.encode(card).decode()}))

    @classmethod
    def load(cls, path: Path) -> "TraitNeurons":
        """The neurons of a file; raises BadFileError where it is missing or of another kind."""
        return read_neurons(path)[0]


class _Card(msgspec.Struct):
    """What the file says beside its tensors."""

    trait: str
    subject: str
    fingerprint: str
    tokens: dict[Pole, int]
    threshold: dict[Pole, float]
    note: str


def read_neurons(path: Path) -> tuple[TraitNeurons, str]:
    """The neurons of a file and the note kept with them; raises BadFileError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            card = msgspec.json.decode((file.metadata() or {})["neurons"], type=_Card)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        count = len(tensors) // len(PARTS)
        layers = tuple(LayerNeurons(*(tensors[f"{name}.{number}"] for name in PARTS)) for number in range(count))
    except (SafetensorError, OSError, msgspec.MsgspecError, KeyError) as error:
        message = f"{path} holds no neurons of a trait: {error}. Give a file that was saved as such."
        raise BadFileError(message) from None
    return TraitNeurons(card.trait, card.subject, card.fingerprint, layers, card.tokens, card.threshold), card.note


def check_gated(subject: OpenSubject) -> None:
    """Raises SeamError where the model has no gated MLPs."""
    for site in gates_of(subject):
        subject.anatomy.check(site)


def gates_of(subject: OpenSubject) -> tuple[Site, ...]:
    """The gate of every layer."""
    return tuple(Site(layer, "gate") for layer in range(subject.anatomy.layers))
