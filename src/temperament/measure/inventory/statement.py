"""Statements, and the files that they are read from: inventories of the IPIP as JSON, and one's own as JSON or CSV."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from temperament.errors import BadFileError, UnknownNameError
from temperament.record import read_bytes
from temperament.trait import find_trait

Keyed = Literal["plus", "minus"]
DOMAINS = {
    "O": "openness",
    "C": "conscientiousness",
    "E": "extraversion",
    "A": "agreeableness",
    "N": "neuroticism",
}
_KEYS: dict[str, Keyed] = {"plus": "plus", "+": "plus", "minus": "minus", "-": "minus"}
_OWN = ("id", "text", "trait", "facet", "keyed")
_HINT = 'Write "text", "keyed" (plus or minus) and "trait" or "domain".'


@dataclass(frozen=True)
class Statement:
    """A sentence about oneself.

    Attributes:
        id: of its own within an inventory.
        text: as the subject reads it.
        trait: that it is about.
        facet: of the trait; empty where the inventory names none.
        keyed: ``plus`` where agreement speaks for the high pole, ``minus`` where it speaks for the low pole.
    """

    id: str
    text: str
    trait: str
    facet: str
    keyed: Keyed

    @property
    def topic(self) -> str:
        """What ratings cluster by: the facet, or the statement itself where there is none."""
        return f"{self.trait}, {self.facet}" if self.facet else self.id


@dataclass(frozen=True)
class Sheet:
    """What a file holds.

    Attributes:
        name: of the inventory.
        note: what a reader of its scores should know.
        statements: in the order of the file.
    """

    name: str
    note: str
    statements: tuple[Statement, ...]


def read_sheet(path: Path) -> Sheet:
    """An inventory from a file.

    Two kinds of entries are read. Those of the IPIP have a ``domain`` (O, C, E, A or N) and a text without its subject
    ("Like ..."), which is shown as "I like ...". One's own have a ``trait`` by name, a custom one included, and a text
    that is shown as it stands. Both have ``keyed``, and may have ``id`` and ``facet`` (a name, or a number from 1).

    A JSON file is a list of entries, or a table of ``items``, and of ``name`` and ``note`` where there are such; a CSV
    file has the same keys as its first line.

    Raises:
        BadFileError: the file does not exist, is malformed or holds no statement, or an entry is incomplete, or occurs
            twice; with file and entry.
        UnknownNameError: a trait, a facet or a key does not exist; with file and entry.
    """
    content = read_bytes(path, ": give a JSON or CSV file")
    name, note, entries = path.stem, "", cast(Iterable[Any], ())
    if path.suffix.lower() == ".csv":
        entries = _rows(content, path)
    else:
        name, note, entries = _opened(content, path)
    statements: dict[str, Statement] = {}
    for number, entry in enumerate(entries, start=1):
        place = f"{path}: entry {number}"
        one = _statement(entry, number, place)
        if one.id in statements:
            message = f"{place}: the id '{one.id}' occurs twice. Give every entry an id of its own."
            raise BadFileError(message)
        statements[one.id] = one
    if not statements:
        message = f"{path} holds no statements. {_HINT}"
        raise BadFileError(message)
    return Sheet(name, note, tuple(statements.values()))


def first_person(text: str) -> str:
    """A statement of the IPIP with its subject: "Like tea" becomes "I like tea."."""
    words = text.strip()
    if not words.startswith(("I ", "I'", "My ")):
        words = f"I {words[0].lower()}{words[1:]}"
    return words if words[-1] in ".!?" else f"{words}."


def _opened(content: bytes, path: Path) -> tuple[str, str, list[Any]]:
    """The name, the note and the entries of a JSON file."""
    try:
        found: Any = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"{path} is not valid JSON: {error}. Give a list of entries. {_HINT}"
        raise BadFileError(message) from None
    table = cast(dict[str, Any], found) if isinstance(found, dict) else {"items": found}
    for key in table:
        if key not in ("name", "note", "items"):
            raise UnknownNameError(kind="key", asked=key, known=("name", "note", "items"), place=str(path))
    entries = table.get("items")
    if not isinstance(entries, list):
        message = f"{path} holds no list of entries. {_HINT}"
        raise BadFileError(message)
    return str(table.get("name", path.stem)), str(table.get("note", "")), cast(list[Any], entries)


def _rows(content: bytes, path: Path) -> list[Any]:
    try:
        text = content.decode("utf-8-sig")
        return [
            {key: value for key, value in row.items() if value not in (None, "")}
            for row in csv.DictReader(io.StringIO(text, newline=""), strict=True)
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{path} is not a CSV file in UTF-8: {error}."
        raise BadFileError(message) from None


def _statement(entry: Any, number: int, place: str) -> Statement:
    if not isinstance(entry, dict):
        message = f"{place} is {entry!r}: it needs a table. {_HINT}"
        raise BadFileError(message)
    fields = cast(dict[str, Any], entry)
    is_own = "domain" not in fields
    for key in fields if is_own else ():
        if key not in _OWN:
            raise UnknownNameError(kind="key", asked=str(key), known=_OWN, place=place)
    text = _word(fields, "text", place)
    keyed = _KEYS.get(_word(fields, "keyed", place).lower())
    if keyed is None:
        message = f"{place}: keyed is '{fields['keyed']}': write plus or minus."
        raise BadFileError(message)
    trait = _trait(fields, place, is_own=is_own)
    return Statement(
        id=str(fields.get("id") or f"{trait}-{number}"),
        text=text if is_own else first_person(text),
        trait=trait,
        facet=_facet(fields.get("facet"), trait, place),
        keyed=keyed,
    )


def _word(fields: Mapping[str, Any], key: str, place: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value.strip():
        message = f"{place} has no {key}. {_HINT}"
        raise BadFileError(message)
    return value.strip()


def _trait(fields: Mapping[str, Any], place: str, *, is_own: bool) -> str:
    if is_own:
        name = _word(fields, "trait", place)
        try:
            return find_trait(name).name
        except UnknownNameError as error:
            message = f"{place}: {error}"
            raise BadFileError(message) from None
    domain = _word(fields, "domain", place).upper()
    if domain not in DOMAINS:
        raise UnknownNameError(kind="domain", asked=domain, known=DOMAINS, place=place)
    return DOMAINS[domain]


def _facet(value: Any, trait: str, place: str) -> str:
    """The facet by name; a number counts the facets of the trait from 1."""
    said = "" if value is None else str(value).strip()
    known = find_trait(trait).facets
    if not said or not known or said in known:
        return said
    if said.isdecimal() and 1 <= int(said) <= len(known):
        return known[int(said) - 1]
    advice = f"Give a name, or a number from 1 to {len(known)}."
    raise UnknownNameError(kind=f"facet of {trait}", asked=said, known=known, place=place, advice=advice)
