"""The public CSV of ``holistic-ai/personality_manipulation``: high poles only, four columns."""

import csv
from pathlib import Path

from temperament.errors import BadFileError, TemperamentError, UnknownNameError
from temperament.opinion.row import SPLITS, Opinion, Opinions, Split

COLUMNS = ("Target Personality", "Edit Topic", "Question", "Answer")


def read_public_csv(path: Path, split: Split = "shape") -> Opinions:
    """Opinions from a CSV file with the columns of the public data set; all show the high pole.

    Raises:
        BadFileError: a column is missing, or a row is malformed; the message gives its line.
        UnknownNameError: there is no such split.
    """
    if split not in SPLITS:
        raise UnknownNameError(kind="split", asked=split, known=SPLITS)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                message = (
                    f"{path} has no column '{missing[0]}': expected {', '.join(COLUMNS)}, "
                    f"found {', '.join(reader.fieldnames or ['none'])}."
                )
                raise BadFileError(message)
            rows = [_opinion(row, path, reader.line_num, split) for row in reader]
    except FileNotFoundError:
        message = f"{path} does not exist."
        raise BadFileError(message) from None
    except IsADirectoryError:
        message = f"{path} is a folder: give a CSV file."
        raise BadFileError(message) from None
    except (csv.Error, UnicodeDecodeError) as error:
        message = f"{path} is not valid CSV: {error}."
        raise BadFileError(message) from None
    if not rows:
        message = f"{path} has a header and no rows."
        raise BadFileError(message)
    return Opinions(rows, path.name)


def _opinion(row: dict[str, str | None], path: Path, line: int, split: Split) -> Opinion:
    values = [(row[column] or "").strip() for column in COLUMNS]
    try:
        return Opinion(values[0].lower(), "high", "", values[1], values[2], values[3], split, path.name)
    except TemperamentError as error:
        message = f"{path}:{line}: {error}"
        raise BadFileError(message) from None
