"""Findings are read with care: what is missing or of another form is left out, and never shown as 0."""

import math
from collections.abc import Mapping
from typing import Any

from temperament.report.wording import estimate, number
from temperament.run import Row, Run
from temperament.stats import Estimate


def finding(run: Run, name: str) -> Row:
    """A file of ``findings/``; empty where there is none."""
    return run.findings.get(name, {})


def rows_of(value: object) -> list[Row]:
    """The tables of a list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def text_of(row: Mapping[str, Any], name: str) -> str:
    """A text; empty where it is missing."""
    value = row.get(name)
    return value if isinstance(value, str) else ""


def number_of(row: Mapping[str, Any], name: str) -> float | None:
    """A finite number; None where there is none, and for yes and no."""
    value = row.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) else None


def estimate_of(value: object) -> Estimate | None:
    """An estimate as it stands in JSON, or a bare number; None where it is neither."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Estimate(float(value), None, None, 0)
    if not isinstance(value, dict):
        return None
    row: Row = value
    value_, lower, upper, n = (number_of(row, name) for name in ("value", "lower", "upper", "n"))
    return Estimate(value_, lower, upper, int(n or 0)) if "value" in row else None


def words_of(value: object, places: int = 2, *, signed: bool = False) -> str:
    """An estimate of a finding in words; a bare number has no interval to speak of."""
    found = estimate_of(value)
    if found is None:
        return "not recorded"
    if not isinstance(value, dict) and found.value is not None:
        return number(found.value, places, signed=signed)
    return estimate(found, places, signed=signed)
