"""What was found about a cause, in words. No number is judged here that was not measured."""

from dataclasses import dataclass

from temperament.explain.consequence import direction
from temperament.explain.finding import Curve, Step
from temperament.stats import Estimate

LEVEL = 0.05

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
        fluency_start: the log-likelihood that it starts from.
    """

    mass: Curve
    step: Step
    share: Estimate
    fluency: Step


def nothing_to_trace(change: Estimate) -> str | None:
    """A verdict where an edit does not move the latent emoji mass; None where it does.

    Args:
        change: from the untouched model to the edited one.
    """
    if direction(change) is not None:
        return None
    if change.value == 0:
        return "The edit does not change the latent emoji mass of any text, so there is nothing to trace."
    if change.value is None:
        return "The edit leaves texts without a latent emoji mass: it broke the model, and nothing can be traced."
    if change.lower is None or change.upper is None:
        return (
            f"Whether the edit changes the latent emoji mass (change {_signed(change.value)}) cannot be told, because "
            "the topics of the texts give no interval; so there is nothing to trace."
        )
    said = f"does not raise the latent emoji mass (change {_range(change)})"
    return f"On the same texts the edit {said}, so there is nothing to trace."


def verdict(evidence: Evidence) -> str:
    """Whether the most changed units are the cause of what an edit does to the latent emoji mass."""
    step, place = evidence.step, evidence.mass.place
    units = f"{step.count} most changed {_UNITS[place]}"
    # Whole goes from the edited model to the untouched one.
    what = "rise" if (evidence.mass.whole.value or 0.0) < 0 else "fall"
    share = f"{_percent(evidence.share)} of the {what} in latent emoji mass"
    if step.effect.value is None:
        return (
            f"With the {units} as in the untouched model some texts have no latent emoji mass, so nothing can be said."
        )
    if step.p is None:
        return (
            f"The {units} account for {share}, and there were too few random sets to tell whether others would do as "
            "well."
        )
    sets, as_much = len(step.random), round(step.p * (1 + len(step.random))) - 1
    if step.p > LEVEL:
        return (
            f"The {units} account for {share}, no more than random sets do ({as_much} of {sets} did as much, "
            f"p = {step.p:.2g}): correlated, not causal."
        )
    drawn = f"none of {sets} random sets" if not as_much else f"{as_much} of {sets} random sets"
    if direction(step.effect) != direction(evidence.mass.whole):
        return (
            f"The {units} account for {share}, more than random sets do ({drawn} did as much, p = {step.p:.2g}), but "
            f"texts differ so much that it may be none (change {_range(step.effect)})."
        )
    return f"The {units} carry {share}; {drawn} did as much (p = {step.p:.2g}).{_fluency(evidence.fluency)}"


def _fluency(step: Step) -> str:
    """How much the same ablation does to the words of the same texts."""
    if step.effect.value is None:
        return ""
    said = f" The log-likelihood of the words of the same texts changes by {_range(step.effect)} nats a token"
    if not step.random:
        return f"{said}."
    ordered = sorted(step.random)
    low, high = ordered[len(ordered) // 40], ordered[len(ordered) - 1 - len(ordered) // 40]
    return f"{said} (random sets: {_signed(low)} to {_signed(high)})."


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
