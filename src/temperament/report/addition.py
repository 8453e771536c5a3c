"""What edits do together, against the sum of what each does alone; one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from temperament.errors import BadFileError
from temperament.report.wording import estimate
from temperament.run import Run
from temperament.stats import Estimate


@dataclass(frozen=True)
class Addition:
    """The table: of each pole its name, and values in words under ``titles``."""

    titles: list[str]
    rows: list[tuple[str, list[str]]]
    questions: int


def addition(run: Run) -> Addition | None:
    """The shares of ``findings/additivity.json``; None where the run is no mix.

    Raises:
        BadFileError: the file is no such finding.
    """
    found = run.findings.get("additivity")
    if found is None:
        return None
    try:
        parts = [f"change: {part['strength']:g} {part['name']}" for part in found["parts"]]
        rows = [_row(row) for row in found["rows"] if row["measure"] == "share"]
        titles = ["untouched", *parts, "sum of these", "change: all together", "beyond the sum"]
        return Addition(titles, rows, int(found["questions"]))
    except (KeyError, TypeError, ValueError):
        place = run.folder / "findings" / "additivity.json"
        message = f"{place} is no finding of a mix: run temperament mix again, or take the file away."
        raise BadFileError(message) from None


def _row(row: Mapping[str, Any]) -> tuple[str, list[str]]:
    changes = [*row["parts"], row["predicted"], row["observed"], row["beyond"]]
    values = [estimate(Estimate(**row["untouched"])), *(estimate(Estimate(**one), signed=True) for one in changes)]
    return f"{row['measured_trait']}, {row['measured_pole']}", values
