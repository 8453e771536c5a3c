"""Whether units are the cause."""

from dataclasses import dataclass

from temperament.explain.finding.unit import Reason, Unit
from temperament.stats import Estimate


@dataclass(frozen=True)
class Step:
    """The effect of the first k units beside that of random ones.

    Attributes:
        count: k.
        effect: change of the outcome, with topics as clusters.
        random: the effects of as many random units, matched for site and activation: one number a set.
        p: share of the sets, this one counted among them, with an effect at least as large in the direction of
            ``Curve.whole``; None where there are too few sets to tell.
        changed: the effects of as many other units that the edit changed, of the same sites as far as there are: one
            number a set. Matched random units changed less than the first ones; these changed, too.
    """

    count: int
    effect: Estimate
    random: tuple[float, ...]
    p: float | None
    changed: tuple[float, ...] = ()


@dataclass(frozen=True)
class Curve:
    """What becomes of an outcome as more units are changed.

    Attributes:
        name: ``ablation`` (the edited model, units as in the untouched one) or ``transplant`` (the reverse).
        values: what the units are set to: ``base``, their values in the untouched model at the same token (for a
            transplant, in the edited one); ``mean``, their mean in the untouched model; or ``zero``.
        place: of the units; or ``all``.
        outcome: such as ``latent_emoji_mass``.
        start: the outcome of the model that is changed.
        whole: the effect of changing everything that the edit changed: from the edited model to the untouched one, or
            back.
        steps: by the number of units.
        order: in which units are taken: ``change``, those first that changed most, or ``effect``, those first that a
            gradient says to be most of what the edit does (`expected_effects`). Both orders were found on other topics;
            that the units changed was confirmed on these.
    """

    name: str
    values: str
    place: str
    outcome: str
    start: Estimate
    whole: Estimate
    steps: tuple[Step, ...]
    order: str = "change"


@dataclass(frozen=True)
class Knockout:
    """What becomes of an outcome without a part of an adapter.

    Attributes:
        name: such as ``layer 3`` or ``down_proj``.
        kind: ``layer`` or ``module``.
        outcome: as in `Curve`.
        effect: change of the outcome.
    """

    name: str
    kind: str
    outcome: str
    effect: Estimate


@dataclass(frozen=True)
class Alone:
    """What a single unit does.

    Attributes:
        unit: which.
        effect: change of the latent emoji mass of the edited model when this unit alone is as in the untouched one;
            the interval is as wide as holds for all units that were tried together.
        order: as in `Curve`: ``effect`` where the unit is among the first ones of that order.
        expected: the change that a gradient on other topics expected; None where none was taken.
    """

    unit: Unit
    effect: Estimate
    order: str = "change"
    expected: float | None = None


@dataclass(frozen=True)
class CauseFinding:
    """Whether the changed units are the cause.

    Attributes:
        curves: by what was done.
        knockouts: of parts of the adapter.
        generated: effects of the top set on replies that are written, beside random sets.
        verdict: in words, with the p-value.
        verdict_p: of the comparison that it begins with.
        missing: what could not be had.
        alone: single units among the first of each order, those first that account for most of what the edit does. They
            are put in order by the same texts that their effects are of, so that the first ones are overstated.
        verdict_order: of the units that the verdict begins with, as in `Curve`.
        main: the count that it rests on; 0 where nothing was tried.
    """

    curves: tuple[Curve, ...]
    knockouts: tuple[Knockout, ...]
    generated: tuple[Curve, ...]
    verdict: str
    verdict_p: float | None
    missing: tuple[Reason, ...] = ()
    alone: tuple[Alone, ...] = ()
    verdict_order: str = "change"
    main: int = 0
