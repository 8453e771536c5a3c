"""Strengths that a plan names, checked."""

from collections.abc import Sequence
from typing import Any, cast

from temperament.errors import RequestError


def check_strengths(strengths: Sequence[float]) -> None:
    """Raises RequestError for strength 0."""
    if 0.0 in strengths:
        message = "strength 0 was asked for: that is the untouched model, which every study has beside its edits."
        raise RequestError(message)


def check_mix(paths: Sequence[str], strengths: Any) -> None:
    """Raises RequestError where edits that are applied together do not have a number each."""
    if not paths:
        message = "method 'adapter' has no path of an edit: name at least one folder."
        raise RequestError(message)
    if strengths is None:
        return
    given = cast(list[Any], list(strengths)) if isinstance(strengths, list | tuple) else [strengths]
    if len(given) != len(paths) or not all(isinstance(one, int | float) for one in given):
        message = f"mix is {strengths!r} for {len(paths)} paths: write a number for each, such as [0.8, 0.5]."
        raise RequestError(message)
