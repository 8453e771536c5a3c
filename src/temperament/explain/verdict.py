"""What was found about a cause, in words. No number is judged here that was not measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from temperament.explain.consequence import direction
from temperament.explain.finding import Curve, Step
from temperament.stats import Estimate
from temperament.stats.family import LEVEL

_RANDOM = "random units of the same layers and activity"

_UNITS = {
    "gate": "gate units",
    "mlp": "dimensions of what MLPs add",
    "attention": "dimensions of what attention adds",
    "residual": "dimensions of the stream",
    "all": "units of all places",
}


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on.

    Attributes:
        mass: curve of ablation, of latent emoji mass, in an order of units.
        step: of it, the one that all random sets were drawn for.
        share: of the edit's effect that the ablation takes away.
        fluency: the same step of the curve of log-likelihood.
    """

    mass: Curve
    step: Step
    share: Estimate
    fluency: Step

    @property
    def carried(self) -> float:
        """What the units take away of what the edit does, as a share of it; below 0 where they do the reverse."""
        return (self.step.effect.value or 0.0) / (self.mass.whole.value or 1.0)

    @property
    def has_share(self) -> bool:
        """What share of the edit's effect they take away can be told from none; of topics that are all alike it can."""
        return self.share.value is not None and (self.share.lower is None or self.share.lower > 0)

    @property
    def is_reverse(self) -> bool:
        """The units take what the edit does further."""
        return direction(self.step.effect) is not None and direction(self.step.effect) == -(
            direction(self.mass.whole) or 0
        )

    def is_carried(self, orders: int) -> bool:
        """What the edit does is shown to rest on the units, more than on random ones, of as many orders."""
        is_same = direction(self.step.effect) is not None and direction(self.step.effect) == direction(self.mass.whole)
        return is_same and self.step.p is not None and is_beyond_random(self.step.p, orders)

    @property
    def units(self) -> str:
        """Which ones."""
        count, place = self.step.count, _UNITS[self.mass.place]
        if self.mass.order == "effect":
            return f"{count} changed {place} with the largest expected effects"
        return f"{count} most changed {place}"


def is_beyond_random(p: float, orders: int = 1) -> bool:
    """Whether units did more than random sets, as the report has it, too.

    Args:
        p: of the comparison.
        orders: in which units were tried: each is one more chance (Bonferroni).
    """
    return p < LEVEL / orders


def cannot_be_measured(reason: str) -> str:
    """A verdict where no figure could tell, which is another thing than that there is nothing to trace."""
    return f"Whether units are the cause of emojis cannot be measured here: {reason}."


def nothing_to_trace(change: Estimate) -> str | None:
    """A verdict where an edit cannot be seen to move the latent emoji mass; None where it can.

    Args:
        change: from the untouched model to the edited one.
    """
    if direction(change) is not None:
        return None
    if change.value is None:
        return cannot_be_measured("the edited or the untouched model has no latent emoji mass on some texts: it broke")
    if change.value and (change.lower is None or change.upper is None):
        return cannot_be_measured(
            f"the edit changes the latent emoji mass by {_signed(change.value)}, and the topics of the texts give no "
            "interval"
        )
    # An interval of masses that are all 0 is that of shares, and says nothing about masses.
    said = _range(change) if change.value else "0"
    return (
        f"On the same texts the change that the edit makes to the latent emoji mass ({said}) cannot be told from 0, so "
        "there is nothing to trace."
    )


def verdict(orders: Sequence[Evidence], written: Curve | None = None) -> str:
    """Whether changed units are the cause of what an edit does to the latent emoji mass.

    Args:
        orders: the units that changed most, and in other orders.
        written: share of replies with an emoji where they are written with units held; None where none were.
    """
    count, lead = len(orders), leading_one(orders)
    said = [_main(lead, count), _changed(lead)]
    if lead.is_carried(count):
        said.append(_fluency(lead.fluency))
    held = next((one for one in orders if written is not None and one.mass.order == written.order), lead)
    said.append(_written(written, "these units" if held is lead else f"the {held.units}"))
    said += [_beside(one, count) for one in orders if one is not lead]
    if count > 1:
        said.append(f"Of {count} orders of units each counts where p is below {LEVEL / count:g}.")
    return " ".join(one for one in said if one)


def leading_one(orders: Sequence[Evidence]) -> Evidence:
    """What a verdict begins with: the units that changed most, unless others are shown to carry it, or carry more."""
    return min(orders, key=lambda one: -one.carried if one.is_carried(len(orders)) else 0.0)


def _main(evidence: Evidence, orders: int) -> str:
    """What the units do, beside random ones."""
    step, units, share = evidence.step, evidence.units, f"{_part(evidence)} in latent emoji mass"
    if step.effect.value is None:
        return (
            f"With the {units} as in the untouched model some texts have no latent emoji mass, so nothing can be said."
        )
    if evidence.is_reverse:
        return (
            f"The reverse: with the {units} as in the untouched model the latent emoji mass is further from that of "
            f"the untouched model (change {_range(step.effect)}), so they hold the {_moved(evidence)} back."
        )
    if step.p is None:
        return (
            f"The {units} account for {share}, and there were too few random sets to tell whether others would do as "
            "well."
        )
    sets = len(step.random)
    as_much = round(step.p * (1 + sets)) - 1
    drawn = f"{as_much or 'none'} of {sets} sets of {_RANDOM} did as much"
    p = f"p = {step.p:.2g}"
    if not is_beyond_random(step.p, orders):
        return f"The {units} account for {share}, which is not shown to be more than random units do ({drawn}, {p})."
    return _more_than_random(evidence, f"{drawn} ({p})")


def _more_than_random(evidence: Evidence, drawn: str) -> str:
    """What units do that do more than random ones, as far as texts agree on it."""
    step, units, share = evidence.step, evidence.units, f"{_part(evidence)} in latent emoji mass"
    if direction(step.effect) is None:
        return (
            f"The {units} account for {share}, more than random units do: {drawn}. But texts differ so much that it "
            f"may be none (change {_range(step.effect)})."
        )
    if not evidence.has_share:
        return (
            f"With the {units} as in the untouched model the latent emoji mass is nearer to that of the untouched one "
            f"(change {_range(step.effect)}); {drawn}. What share of the {_moved(evidence)} that is cannot be told "
            f"({_percent(evidence.share)})."
        )
    return f"The {units} carry {share}; {drawn}."


def _beside(evidence: Evidence, orders: int) -> str:
    """What units in another order do, in short."""
    step, units = evidence.step, evidence.units
    if step.effect.value is None:
        return ""
    if evidence.is_reverse:
        return f"The {units} do the reverse (change {_range(step.effect)})."
    p = "" if step.p is None else f", p = {step.p:.2g}"
    part = f"{_part(evidence)}{p}"
    if evidence.is_carried(orders):
        return f"The {units} {'carry' if evidence.has_share else 'move'} {part}."
    return f"The {units} account for {part}, which is not shown to be more than random units do."


def _part(evidence: Evidence) -> str:
    return f"{_percent(evidence.share)} of the {_moved(evidence)}"


def _moved(evidence: Evidence) -> str:
    """What the edit does; the whole goes from the edited model to the untouched one."""
    return "rise" if (evidence.mass.whole.value or 0.0) < 0 else "fall"


def _changed(evidence: Evidence) -> str:
    """What other changed units do."""
    changed, effect, whole = evidence.step.changed, evidence.step.effect.value, evidence.mass.whole.value
    if not changed or effect is None or not whole:
        return ""
    as_much = sum(one / whole >= effect / whole for one in changed)
    middle = median(changed)
    return (
        f"Other changed units: median {_signed(middle)}, {round(100 * middle / whole)} % of the {_moved(evidence)} "
        f"({as_much or 'none'} of {len(changed)} sets of them did as much)."
    )


def _written(curve: Curve | None, units: str) -> str:
    """What becomes of emojis in replies that are written."""
    if curve is None or not curve.steps:
        return ""
    start, step = curve.start, curve.steps[0]
    if start.value is None or step.effect.value is None:
        return ""
    whole = curve.whole.value or 0.0
    as_much = sum(one * whole >= step.effect.value * whole for one in step.random)
    beside = (
        f"; random units: median {_signed(median(step.random))}, {as_much or 'none'} of {len(step.random)} sets did as "
        "much"
        if step.random
        else ""
    )
    return (
        f"Of replies that are written {round(100 * start.value)} % have an emoji, and "
        f"{round(100 * (start.value + step.effect.value))} % with {units} held at their mean (change "
        f"{_range(step.effect)}{beside})."
    )


def _fluency(step: Step) -> str:
    """How much the same ablation does to the words of the same texts."""
    if step.effect.value is None:
        return ""
    said = f"The log-likelihood of the words of the same texts changes by {_range(step.effect)} nats a token"
    if not step.random:
        return f"{said}."
    ordered = sorted(step.random)
    low, high = ordered[len(ordered) // 40], ordered[len(ordered) - 1 - len(ordered) // 40]
    return f"{said} (random units: {_signed(low)} to {_signed(high)})."


def _percent(share: Estimate) -> str:
    if share.value is None:
        return "an unknown share"
    if share.lower is None or share.upper is None:
        return f"{round(100 * share.value)} %"
    return f"{round(100 * share.value)} % ({round(100 * share.lower)} to {round(100 * share.upper)} %)"


def _range(estimate: Estimate) -> str:
    """A change and its interval."""
    assert estimate.value is not None
    if estimate.lower is None or estimate.upper is None:
        return _signed(estimate.value)
    return f"{_signed(estimate.value)}, {_signed(estimate.lower)} to {_signed(estimate.upper)}"


def _signed(value: float) -> str:
    return f"{value:.2g}"
