"""Norms as linear maps: what a norm does to a part of a state once its scale is held."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

# Far above what a norm adds to a variance, and exact in every floating-point type.
_PROBE = 128.0


@dataclass(frozen=True, eq=False)
class NormMap:
    """A norm: scale(state) * gain * (state, less its mean where it is centred) + bias.

    The scale alone depends on the state. Held at what it was, the rest is linear, so parts of a state have parts of
    what the norm gives.

    Attributes:
        gain: [hidden], float64.
        bias: [hidden], float64.
        is_centred: LayerNorm takes the mean away, RMSNorm does not.
    """

    gain: Float[Tensor, " hidden"]
    bias: Float[Tensor, " hidden"]
    is_centred: bool

    @classmethod
    def of(cls, norm: nn.Module, like: Float[Tensor, " hidden"]) -> "NormMap":
        """A norm, by what it does to states that are known, whatever it is called.

        Args:
            norm: RMSNorm, with or without 1 added to its weight, or LayerNorm.
            like: any tensor of the width, type and device of its states.
        """
        probe = torch.full_like(like, _PROBE)
        flat, wave = probe.clone(), probe.clone()
        wave[1::2] *= -1
        if len(wave) % 2:
            # No number is 0, and their mean is.
            wave[-1] = -2 * _PROBE
            wave[-2] = _PROBE
        with torch.no_grad():
            # Not called: what an edit does behind the norm is none of it.
            bias, level, waved = (norm.forward(each).double() for each in (torch.zeros_like(like), flat, wave))
        gain = (waved - bias) / wave.double() * wave.double().pow(2).mean().sqrt()
        return cls(gain, bias, bool((level - bias).abs().max() < 0.5 * gain.abs().max()))

    def push(self, vectors: Float[Tensor, "*some hidden"]) -> Float[Tensor, "*some hidden"]:
        """What comes of parts of a state at scale 1, without the bias."""
        return self.gain * self._centred(vectors.double())

    def pull(self, direction: Float[Tensor, " hidden"]) -> Float[Tensor, " hidden"]:
        """The direction before the norm whose product with a part is that of ``direction`` with what comes of it."""
        return self._centred(self.gain * direction.double())

    def scale(self, state: Float[Tensor, " hidden"], normed: Float[Tensor, " hidden"]) -> float:
        """What the norm did multiply by, as it turned ``state`` into ``normed``."""
        pushed = self.push(state)
        return float((normed.double() - self.bias) @ pushed / (pushed @ pushed).clamp(min=torch.finfo().tiny))

    def _centred(self, vectors: Tensor) -> Tensor:
        return vectors - vectors.mean(dim=-1, keepdim=True) if self.is_centred else vectors
