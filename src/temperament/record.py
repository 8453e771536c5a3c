"""Records: one answer each, with all that is needed to read it later; and figures made from them.

Both are plain values, stored as JSON. Nothing here imports torch.
"""

import os
import secrets
import shutil
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from temperament.errors import BadFileError, TemperamentError, UnwritableError

Value = TypeVar("Value")

# Why there is no reply where the model itself failed, and not the way to it.
NOT_A_NUMBER = "the logits are no finite numbers: take a lower strength, or float32."


@dataclass(frozen=True)
class Generation:
    """How replies are drawn; the defaults are the paper's (SCIENCE.md 1.2).

    Attributes:
        temperature: 0 is greedy.
        top_p: smallest set of tokens with this probability mass is drawn from; 1 is all.
        max_new_tokens: replies are cut there.
        seed: together with the question it decides what a row draws.
        repetition_penalty: 1 is none (Keskar et al. 2019).
    """

    temperature: float = 0.7
    top_p: float = 0.9
    max_new_tokens: int = 150
    seed: int = 0
    repetition_penalty: float = 1.0


GREEDY = Generation(temperature=0.0)


@dataclass(frozen=True)
class Label:
    """What was done to a subject: the part of a cell's name that an edit knows.

    Attributes:
        method: 'base' for the untouched model; joined by '+' for stacked edits.
        condition: what differs within a method, such as a preset or a control.
        trait: of the target; None for the untouched model.
        pole: of the target.
        strength: 0 is the untouched model, 1 the edit as fitted.
        edit: fingerprint of the edit.
    """

    method: str = "base"
    condition: str = ""
    trait: str | None = None
    pole: str | None = None
    strength: float = 0.0
    edit: str = ""


@dataclass(frozen=True)
class Record:
    """One answer of one subject under one edit.

    Attributes:
        item: identifier of the question, equal over all cells of a study.
        prompt: the text that the model read, template and all.
        reply: raw text; None where there is none, and then ``error`` says why.
        tokens: length of the reply in tokens of the model.
        is_finished: the model ended by itself, before ``max_new_tokens``.
    """

    subject: str
    fingerprint: str
    precision: str
    label: Label
    generation: Generation
    item: str
    topic: str
    question: str
    prompt: str
    reply: str | None
    tokens: int | None = None
    is_finished: bool | None = None
    error: str | None = None

    @property
    def is_broken(self) -> bool:
        """There is no reply because the model had no number left to draw from: what was done to it broke it.

        A call that failed is no such case, and its reply is missing.
        """
        return self.reply is None and self.error == NOT_A_NUMBER


@dataclass(frozen=True)
class Figure:
    """One row of ``results.json``: an estimate and what it is of.

    Attributes:
        condition: what differs within a method.
        metric: one of the names listed in DESIGN.md.
        measured_trait: what was measured, where it need not be the target.
        scorer: who measured.
        value: None where the figure is withheld.
        lower: of the 95 % interval.
        upper: of the 95 % interval.
        n: answers behind the figure.
    """

    subject: str
    method: str
    condition: str
    trait: str | None
    pole: str | None
    strength: float
    seed: int
    metric: str
    measured_trait: str | None
    measured_pole: str | None
    scorer: str
    value: float | None
    lower: float | None
    upper: float | None
    n: int


@dataclass(frozen=True)
class Results:
    """The content of ``results.json``."""

    figures: list[Figure] = field(default_factory=list[Figure])


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: aside, flushed to disk, then renamed; raises UnwritableError."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: aside, flushed to disk, then renamed.

    Raises:
        UnwritableError: the system refuses.
    """
    aside = _aside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise UnwritableError(path, error) from error


@contextmanager
def folder_aside(folder: Path) -> Generator[Path]:
    """A folder to write into, which takes the place of ``folder`` when the block ends well, or leaves no trace."""
    folder = folder.absolute()
    # Not ``tempfile``: its folders can be read by nobody else, and what is written would stay so.
    mark = secrets.token_hex(4)
    aside, before = (folder.with_name(f".{folder.name}.{mark}.{word}") for word in ("aside", "before"))
    aside.mkdir(parents=True)
    try:
        yield aside
        if folder.exists():
            folder.rename(before)
        aside.rename(folder)
    finally:
        if before.exists() and not folder.exists():
            before.rename(folder)
        for path in (aside, before):
            shutil.rmtree(path, ignore_errors=True)


def try_writing(path: Path) -> None:
    """Find out before long work whether a file could be written there, and leave all as it was.

    Raises:
        UnwritableError: the system refuses.
    """
    missing: list[Path] = []
    try:
        missing += [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        _aside(path).touch()
        _aside(path).unlink()
    except OSError as error:
        raise UnwritableError(path, error) from error
    finally:
        for folder in missing:
            # It was never made, or somebody has begun to use it.
            with suppress(OSError):
                folder.rmdir()


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.aside")


def to_json(value: Any, indent: int = 2) -> str:
    """A value as JSON text, keys in the order of the fields, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(value), indent=indent).decode() + "\n"


def read_bytes(path: Path, instead: str) -> bytes:
    """The content of a file.

    Args:
        path: of the file.
        instead: ends the message about a folder: what it should have been.

    Raises:
        BadFileError: the file does not exist, or is a folder.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        message = f"{path} does not exist."
        raise BadFileError(message) from None
    except IsADirectoryError:
        message = f"{path} is a folder{instead}."
        raise BadFileError(message) from None


def read_json(path: Path, kind: type[Value]) -> Value:
    """A JSON file as a typed value.

    Raises:
        BadFileError: the file is missing or does not fit the type.
    """
    try:
        return msgspec.json.decode(read_bytes(path, ", not a file"), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message = f"{path} is not a {kind.__name__} file: {error}."
        raise BadFileError(message) from None


def write_lines(path: Path, rows: Iterable[Any]) -> None:
    """Write values as JSON lines, whole or not at all."""
    write_text(path, "".join(msgspec.json.encode(row).decode() + "\n" for row in rows))


def append_lines(path: Path, rows: Iterable[Any]) -> None:
    """Append values as JSON lines and flush them to disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path, kind: type[Value]) -> list[Value]:
    """JSON lines as typed values.

    Raises:
        BadFileError: the file is missing, or a line does not fit the type; the message gives its number.
    """
    rows: list[Value] = []
    for number, line in enumerate(read_bytes(path, ", not a file of JSON lines").split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(msgspec.json.decode(line, type=kind))
        except TemperamentError as error:
            # What the type itself refuses, such as an opinion about a trait that does not exist.
            message = f"{path}:{number}: {error}"
            raise BadFileError(message) from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            message = f"{path}:{number}: not a {kind.__name__} line: {error}. Mend or remove the line."
            raise BadFileError(message) from None
    return rows


def repair_lines(path: Path, kind: type[Value]) -> list[Value]:
    """JSON lines of a file that a killed process was appending to; a torn last line is cut off the file.

    Raises:
        BadFileError: a line other than the last does not fit the type.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return read_lines(path, kind)


def read_records(path: Path) -> list[Record]:
    """The records of a file of JSON lines; raises BadFileError with file and line."""
    return read_lines(path, Record)


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Write records as JSON lines, whole or not at all."""
    write_lines(path, records)
