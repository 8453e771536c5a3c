"""Adapters without a part: which layers and which kinds of maps an edit of the weights needs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from temperament.edit.base import Edit
from temperament.edit.weight import WeightEdit
from temperament.explain.consequence import change
from temperament.explain.finding import Knockout, Reason
from temperament.explain.probe import Condition, Probe, Values
from temperament.subject.open import OpenSubject


@dataclass(frozen=True, eq=False)
class Lacking:
    """An edit without a part of it.

    Attributes:
        name: of the part, such as ``layer 3`` or ``down_proj``.
        kind: of the part.
        edit: the rest.
    """

    name: str
    kind: Literal["layer", "module"]
    edit: WeightEdit


def lacking(subject: OpenSubject, edit: Edit) -> list[Lacking] | Reason:
    """The edit without each layer and without each kind of map in turn; a reason where it has no such parts."""
    if not isinstance(edit, WeightEdit):
        kind = "several edits together" if edit.kind == "stack" else f"an edit of kind {edit.kind}"
        return Reason("knockouts", f"only an edit of the weights has branches to leave out, and this is {kind}.")
    layers: dict[int, set[str]] = defaultdict(set)
    modules: dict[str, set[str]] = defaultdict(set)
    for path in edit.branches:
        layers[subject.anatomy.layer_of(path)].add(path)
        modules[path.rpartition(".")[2]].add(path)
    return [
        *(Lacking(f"layer {layer}", "layer", _without(edit, layers[layer])) for layer in sorted(layers)),
        *(Lacking(name, "module", _without(edit, paths)) for name, paths in modules.items()),
    ]


def conditions_of(parts: Sequence[Lacking]) -> list[Condition]:
    """The model under each edit that lacks a part."""
    return [Condition(part.edit) for part in parts]


def knockouts(
    probe: Probe, parts: Sequence[Lacking], start: Values, found: Sequence[Values], seed: int = 0
) -> tuple[Knockout, ...]:
    """What becomes of each outcome without each part.

    Args:
        probe: that read the texts.
        parts: that are lacking.
        start: of the whole edit.
        found: of each edit that lacks a part.
        seed: of the resamples.
    """
    return tuple(
        Knockout(part.name, part.kind, name, change(start[name], values[name], probe.topics, seed))
        for part, values in zip(parts, found, strict=True)
        for name in probe.names
    )


def _without(edit: WeightEdit, paths: set[str]) -> WeightEdit:
    return replace(edit, branches={path: branch for path, branch in edit.branches.items() if path not in paths})
