"""What was found about a cause, in words. No number is judged here that was not measured."""

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
        mass: curve of ablation, of latent emoji mass.
        step: of it, the one that all random sets were drawn for.
        share: of the edit's effect that the ablation takes away.
        fluency: the same step of the curve of log-likelihood.
        written: share of replies with an emoji where they are written with the same units held; None where none were.
    """

    mass: Curve
    step: Step
    share: Estimate
    fluency: Step
    written: Curve | None = None


def is_beyond_random(p: float) -> bool:
    """Whether units did more than random sets; the report has the same rule."""
    return p < LEVEL


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


def verdict(evidence: Evidence) -> str:
    """Whether the most changed units are the cause of what an edit does to the latent emoji mass."""
    said = [_main(evidence), _changed(evidence), _written(evidence.written)]
    step, whole = evidence.step, evidence.mass.whole
    is_carried = direction(step.effect) is not None and direction(step.effect) == direction(whole)
    if is_carried and step.p is not None and is_beyond_random(step.p):
        said.append(_fluency(evidence.fluency))
    return " ".join(one for one in said if one)


def _main(evidence: Evidence) -> str:
    """What the units do, beside random ones."""
    step, whole = evidence.step, evidence.mass.whole
    units = f"{step.count} most changed {_UNITS[evidence.mass.place]}"
    what = _moved(evidence)
    share = f"{_percent(evidence.share)} of the {what} in latent emoji mass"
    if step.effect.value is None:
        return (
            f"With the {units} as in the untouched model some texts have no latent emoji mass, so nothing can be said."
        )
    if direction(step.effect) is not None and direction(step.effect) == -(direction(whole) or 0):
        return (
            f"The reverse: with the {units} as in the untouched model the latent emoji mass is further from that of "
            f"the untouched model (change {_range(step.effect)}), so they hold the {what} back."
        )
    if step.p is None:
        return (
            f"The {units} account for {share}, and there were too few random sets to tell whether others would do as "
            "well."
        )
    sets = len(step.random)
    as_much = round(step.p * (1 + sets)) - 1
    drawn = f"{as_much or 'none'} of {sets} sets of {_RANDOM} did as much"
    if not is_beyond_random(step.p):
        return (
            f"The {units} account for {share}, which is not shown to be more than random units do ({drawn}, "
            f"p = {step.p:.2g})."
        )
    if direction(step.effect) is None:
        return (
            f"The {units} account for {share}, more than random units do ({drawn}, p = {step.p:.2g}), but texts differ "
            f"so much that it may be none (change {_range(step.effect)})."
        )
    return f"The {units} carry {share}; {drawn} (p = {step.p:.2g})."


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
        f"Other changed units: median {_signed(middle)}, {100 * middle / whole:.0f} % of the {_moved(evidence)} "
        f"({as_much or 'none'} of {len(changed)} sets of them did as much)."
    )


def _written(curve: Curve | None) -> str:
    """What becomes of emojis in replies that are written."""
    if curve is None or not curve.steps:
        return ""
    start, step = curve.start, curve.steps[0]
    if start.value is None or step.effect.value is None:
        return ""
    p = "" if step.p is None else f", p = {step.p:.2g}"
    beside = f"; random units: median {_signed(median(step.random))}{p}" if step.random else ""
    return (
        f"Of replies that are written {100 * start.value:.0f} % have an emoji, and "
        f"{100 * (start.value + step.effect.value):.0f} % with these units held at their mean (change "
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
        return f"{100 * share.value:.0f} %"
    return f"{100 * share.value:.0f} % ({100 * share.lower:.0f} to {100 * share.upper:.0f} %)"


def _range(estimate: Estimate) -> str:
    """A change and its interval."""
    assert estimate.value is not None
    if estimate.lower is None or estimate.upper is None:
        return _signed(estimate.value)
    return f"{_signed(estimate.value)}, {_signed(estimate.lower)} to {_signed(estimate.upper)}"


def _signed(value: float) -> str:
    return f"{value:.2g}"
