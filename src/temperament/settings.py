"""Settings: TOML tables as frozen dataclasses, with errors that name the nearest right key."""

import tomllib
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from temperament.errors import BadFileError, RequestError, UnknownNameError
from temperament.record import read_bytes

Value = TypeVar("Value")


def build(kind: type[Value], table: Mapping[str, Any], place: str) -> Value:
    """A dataclass from a table, nested tables included.

    Args:
        kind: a dataclass.
        table: as TOML gives it.
        place: where the table stands, for messages.

    Raises:
        UnknownNameError: a key is no field; the message gives the nearest one.
        RequestError: a value is of the wrong type, or a field without a default is missing.
    """
    hints = get_type_hints(kind)
    for key in table:
        if key not in hints:
            raise UnknownNameError(kind="setting", asked=key, known=hints, place=place)
    values = {key: _value(hints[key], value, f"{place}.{key}") for key, value in table.items()}
    try:
        return kind(**values)
    except TypeError as error:
        message = f"{place}: {str(error).rpartition('__init__() ')[2]}."
        raise RequestError(message) from None


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a table; raises BadFileError with line and column."""
    try:
        return tomllib.loads(read_bytes(path, ": give a TOML file").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path} is not valid TOML: {error}. Mend that line."
        raise BadFileError(message) from None


def override(table: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """A copy of a table with ``a.b=value`` assignments; values are TOML, and bare words are strings.

    A list of tables is addressed by number: ``method.0.settings.rank=8``.

    Raises:
        RequestError: an assignment has no '=', or goes into something that is no table.
    """
    result: dict[str, Any] = msgspec.convert(msgspec.to_builtins(table), dict[str, Any])
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not path.strip():
            message = f"--set {assignment} is no assignment: write --set key=value, such as --set seeds=[0,1]."
            raise RequestError(message)
        _assign(result, path.strip().split("."), parse_value(text.strip()), assignment)
    return result


def parse_value(text: str) -> Any:
    """A TOML value; what is none is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _assign(table: dict[str, Any], keys: Sequence[str], value: Any, assignment: str) -> None:
    inside: Any = table
    for key in keys[:-1]:
        if isinstance(inside, list) and key.isdigit() and int(key) < len(inside):
            inside = inside[int(key)]
        elif isinstance(inside, dict):
            inside = inside.setdefault(key, {})
        else:
            break
    if not isinstance(inside, dict):
        message = f"--set {assignment}: there is no table at '{'.'.join(keys[:-1])}'."
        raise RequestError(message)
    inside[keys[-1]] = value


def _value(hint: Any, value: Any, place: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            message = f"{place} is {value!r}: it needs a table."
            raise RequestError(message)
        return build(hint, value, place)
    if get_origin(hint) is tuple and is_dataclass(item := get_args(hint)[0]):
        rows = value if isinstance(value, list) else [value]
        return tuple(_value(item, row, f"{place}.{number}") for number, row in enumerate(rows))
    if get_origin(hint) is Literal and isinstance(value, str) and value not in get_args(hint):
        outer, _, key = place.rpartition(".")
        raise UnknownNameError(kind=key, asked=value, known=get_args(hint), place=outer)
    if get_origin(hint) in (Union, types.UnionType) and value == "" and type(None) in get_args(hint):
        return None
    try:
        return msgspec.convert(value, hint, strict=True)
    except msgspec.ValidationError as error:
        message = f"{place} is {value!r}: {str(error)[0].lower()}{str(error)[1:]}."
        raise RequestError(message) from None


def table_of(value: Any) -> dict[str, Any]:
    """A dataclass as a table that TOML can hold, in the order of its fields; fields that are None are left out."""
    found: dict[str, Any] = {}
    for field in fields(value):
        inner = getattr(value, field.name)
        if inner is None:
            continue
        if is_dataclass(inner):
            found[field.name] = table_of(inner)
        elif isinstance(inner, tuple):
            found[field.name] = [table_of(one) if is_dataclass(one) else one for one in inner]
        else:
            found[field.name] = inner
    return found
