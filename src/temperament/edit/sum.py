"""The exact sum of weight edits: one low-rank branch a map, whose ranks are those of all parts together."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from temperament.edit.base import Edit, Origin, Stack
from temperament.edit.weight import LowRank, WeightEdit
from temperament.errors import MismatchError, RequestError
from temperament.subject.base import join_labels


def summed(edit: Edit) -> WeightEdit:
    """A stack of weight edits as one weight edit that does the same.

    sum_i s_i up_i down_i is one product, of [s_1 up_1 ... s_n up_n] and [down_1; ...; down_n], so nothing is lost and
    any tool that reads PEFT adapters can load the mix. The strengths are in the factors: the sum has strength and scale
    1.

    Args:
        edit: a weight edit, or a stack of them, at any strengths.

    Raises:
        RequestError: a part changes something else than weights.
        MismatchError: the parts were fitted to different models.

    Source: the sum of products is a product of block matrices; PEFT calls it ``cat`` (its ``linear`` adds the factors
    themselves, which is not the sum of the changes).
    """
    parts = list(_weights(edit, 1.0))
    _check_same_model(parts)
    branches: dict[str, LowRank] = {}
    for path in dict.fromkeys(path for part in parts for path in part.branches):
        own = [part for part in parts if path in part.branches]
        # In float32, because a strength in bfloat16 factors would round each of them.
        down = torch.cat([part.branches[path].down.float() for part in own], dim=0)
        up = torch.cat([part.strength * part.scale * part.branches[path].up.float() for part in own], dim=1)
        branches[path] = LowRank(down, up)
    return WeightEdit(_origin(parts), branches=branches, scale=1.0)


def _weights(edit: Edit, strength: float) -> Iterator[WeightEdit]:
    """The weight edits of an edit, each at the strength that it has in it."""
    scaled = strength * edit
    if isinstance(scaled, Stack):
        for part in scaled.parts:
            yield from _weights(part, scaled.strength)
    elif isinstance(scaled, WeightEdit):
        yield scaled
    else:
        message = (
            f"{edit.origin.method} changes no weights, so it cannot be part of one adapter: save the mix as a stack of "
            f"edits instead."
        )
        raise RequestError(message)


def _check_same_model(parts: Sequence[WeightEdit]) -> None:
    known = {part.origin.subject_fingerprint: part.origin.subject for part in parts}
    known.pop(None, None)
    if len(known) > 1:
        message = f"edits of different models cannot be added: these are for {' and '.join(known.values())}."
        raise MismatchError(message)
    if not parts:
        message = "a stack without edits was to be added up: there is nothing in it."
        raise RequestError(message)


def _origin(parts: Sequence[WeightEdit]) -> Origin:
    """What records call the sum is what they call the stack; its settings name the parts."""
    label = join_labels([part.label for part in parts])
    origins = [part.origin for part in parts]
    targets = {origin.target for origin in origins}
    conditions = {origin.condition for origin in origins}
    described: list[dict[str, Any]] = [
        {
            "method": part.origin.method,
            "target": str(part.origin.target or ""),
            "strength": part.strength,
            "condition": part.origin.condition,
            "seed": part.origin.seed,
            "fingerprint": part.fingerprint,
        }
        for part in parts
    ]
    bound = next((origin for origin in origins if origin.subject_fingerprint), origins[0])
    return Origin(
        method=label.method,
        target=targets.pop() if len(targets) == 1 else None,
        settings={
            "parts": described,
            "fan_in_fan_out": any(bool(origin.settings.get("fan_in_fan_out")) for origin in origins),
        },
        subject=bound.subject,
        subject_fingerprint=bound.subject_fingerprint,
        condition=conditions.pop() if len(conditions) == 1 else label.condition,
        rows=sum(origin.rows for origin in origins),
        tokens=sum(origin.tokens for origin in origins),
        versions=bound.versions,
    )
