"""What units write, and where the logit of a token comes from."""

from dataclasses import dataclass

from temperament.explain.finding.unit import Unit
from temperament.stats import Estimate


@dataclass(frozen=True)
class Firing:
    """A text on which a unit fires.

    Attributes:
        topic: of the text.
        pieces: what was read around the token where it fires most.
        activations: of these.
    """

    topic: str
    pieces: tuple[str, ...]
    activations: tuple[float, ...]


@dataclass(frozen=True)
class Writing:
    """What a unit writes towards when it is active.

    Attributes:
        unit: which.
        towards: the heaviest pieces of the vocabulary, through the final norm.
        away: the lightest.
        emoji: mean logit that it gives to the beginnings of emojis, above the mean of the vocabulary, in standard
            deviations of the vocabulary.
        rank: share of the units of its site whose ``emoji`` is not larger; 1 is the highest.
        sequences: emojis whose tokens, one after another, it gives most to, with the mean of their logits in the
            same units.
        fires: texts on which it fires.
    """

    unit: Unit
    towards: tuple[str, ...]
    away: tuple[str, ...]
    emoji: float
    rank: float
    sequences: tuple[tuple[str, float], ...] = ()
    fires: tuple[Firing, ...] = ()


@dataclass(frozen=True)
class ProjectionFinding:
    """What the changed units write.

    Attributes:
        writings: of the changed units, in their order.
        emoji: mean ``emoji`` of the changed units, signed by the direction of their change; layers are its clusters.
        matched: the same of random units of the same sites: one number a draw.
        p: share of draws that are not smaller, the finding counted among them.
    """

    writings: tuple[Writing, ...]
    emoji: Estimate
    matched: tuple[float, ...]
    p: float | None


@dataclass(frozen=True)
class Part:
    """A share of a logit.

    Attributes:
        name: such as ``embedding``, ``layer 3 attention``, ``layer 3 head 2``, ``gate 3.17``.
        value: what it adds to the logit, less what it adds to the mean of the vocabulary.
    """

    name: str
    value: float


@dataclass(frozen=True)
class Attribution:
    """Where the logit of a token that was written comes from.

    Attributes:
        topic: of the reply.
        text: the reply up to the token.
        piece: the token.
        probability: of the token, there.
        logit: above the mean of the vocabulary.
        parts: that add up to it: embedding, attention and MLP of each layer, biases.
        heads: the heaviest, of all layers.
        units: the heaviest, of all layers.
        error: the logit less the sum of the parts.
        is_written: the reply has the token there; otherwise it is one that might have been, such as the likeliest
            beginning of an emoji.
    """

    topic: str
    text: str
    piece: str
    probability: float
    logit: float
    parts: tuple[Part, ...]
    heads: tuple[Part, ...]
    units: tuple[Part, ...]
    error: float
    is_written: bool = True
