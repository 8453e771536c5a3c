"""Opinions: rows of Opinion QA, and collections of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args, overload

from temperament.errors import BadFileError, RequestError, UnknownNameError
from temperament.record import read_lines, write_lines
from temperament.trait import Pole, Target, find_trait

Split = Literal["shape", "measure", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Opinion:
    """One row: an answer to a question about a topic that shows a pole of a trait.

    Attributes:
        facet: of the trait; empty where it is not known.
        split: ``shape`` trains edits, ``measure`` trains classifiers; no topic is in two splits.
        source: where the row comes from.

    Raises:
        UnknownNameError: trait or split does not exist.
        RequestError: question or answer is empty.
    """

    trait: str
    pole: Pole
    facet: str
    topic: str
    question: str
    answer: str
    split: Split
    source: str

    def __post_init__(self) -> None:
        find_trait(self.trait)
        if self.split not in SPLITS:
            raise UnknownNameError(kind="split", asked=self.split, known=SPLITS)
        for name in ("topic", "question", "answer"):
            if not getattr(self, name).strip():
                message = f"an opinion needs its {name}: this one's is empty."
                raise RequestError(message)

    @property
    def target(self) -> Target:
        """The pole that the answer shows."""
        return Target(self.trait, self.pole)


class Opinions(Sequence[Opinion]):
    """An immutable sequence of opinions, with the questions that are asked of it."""

    def __init__(self, rows: Iterable[Opinion], name: str = "opinions") -> None:
        self._rows = tuple(rows)
        self.name = name

    @overload
    def __getitem__(self, index: int) -> Opinion: ...
    @overload
    def __getitem__(self, index: slice) -> "Opinions": ...
    def __getitem__(self, index: int | slice) -> "Opinion | Opinions":
        if isinstance(index, slice):
            return Opinions(self._rows[index], self.name)
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Opinion]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return f"<{len(self)} opinions on {len(self.topics)} topics from {self.name}>"

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics, in order of first appearance."""
        return tuple(dict.fromkeys(row.topic for row in self))

    def split(self, name: Split) -> "Opinions":
        """The rows of one split; raises UnknownNameError for a name that is no split."""
        if name not in SPLITS:
            raise UnknownNameError(kind="split", asked=name, known=SPLITS)
        return Opinions((row for row in self if row.split == name), f"{self.name}, split '{name}'")

    def on_topics(self, count: int | None) -> "Opinions":
        """The rows on the first ``count`` topics; None keeps all."""
        chosen = set(self.topics[:count])
        return Opinions((row for row in self if row.topic in chosen), f"{self.name}, {len(chosen)} topics")

    def showing(self, target: Target) -> "Opinions":
        """The rows that show a pole of a trait."""
        return Opinions((row for row in self if row.target == target), f"{self.name}, {target}")


def read_opinions(path: Path) -> Opinions:
    """Opinions from JSON lines; raises BadFileError with file and line."""
    return Opinions(read_lines(path, Opinion), path.name)


def write_opinions(path: Path, opinions: Iterable[Opinion]) -> None:
    """Write opinions as JSON lines, whole or not at all."""
    write_lines(path, opinions)


def load_opinions(path: Path | str | None = None) -> Opinions:
    """Opinion QA: the shipped set, a file or folder of JSON lines, or a CSV file with the public columns.

    The rows of a CSV file are of the split ``shape``.

    Raises:
        BadFileError: the path does not exist, or holds no opinions, or a line is malformed.
    """
    place = Path(str(files("temperament.opinion") / "data")) if path is None else Path(path)
    if not place.exists():
        message = f"{place} does not exist: give a file or a folder of JSON lines."
        raise BadFileError(message)
    if place.suffix.lower() == ".csv":
        from temperament.opinion.csv_format import read_public_csv

        return read_public_csv(place)
    found = sorted(place.glob("*.jsonl")) if place.is_dir() else [place]
    rows = [row for file in found for row in read_lines(file, Opinion)]
    if not rows:
        message = f"{place} holds no opinions: expected JSON lines with the key 'answer'."
        raise BadFileError(message)
    return Opinions(rows, "Opinion QA" if path is None else place.name)
