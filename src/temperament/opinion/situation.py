"""What stands beside the opinions: situations to act in, portraits of people, neutral passages."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeVar

from temperament.errors import BadFileError, RequestError
from temperament.record import read_lines
from temperament.trait import Pole, Target, find_trait

Row = TypeVar("Row")
Half = Literal["find", "test"]
Use = Literal["shape", "measure"]


@dataclass(frozen=True)
class Situation:
    """An everyday situation that favours neither pole of a facet and ends in a question.

    Attributes:
        facet: of the trait; empty where it is not known.
        question: the situation and the question that ends it.
        split: neurons are found on ``find`` and tried on ``test``.

    Raises:
        UnknownNameError: the trait does not exist.
        RequestError: the question is empty.
    """

    trait: str
    facet: str
    question: str
    split: Half
    source: str

    def __post_init__(self) -> None:
        find_trait(self.trait)
        _filled("situation", "question", self.question)


@dataclass(frozen=True)
class Portrait:
    """A description of a person who shows a pole, in the second person, to be put before a model as who it is.

    Raises:
        UnknownNameError: the trait does not exist.
        RequestError: the text is empty.
    """

    trait: str
    pole: Pole
    text: str
    source: str

    def __post_init__(self) -> None:
        find_trait(self.trait)
        _filled("portrait", "text", self.text)

    @property
    def target(self) -> Target:
        """The pole that the person shows."""
        return Target(self.trait, self.pole)


@dataclass(frozen=True)
class Passage:
    """A factual text without an opinion, for control adapters, perplexity and locality.

    Raises:
        RequestError: the text is empty.
    """

    topic: str
    text: str
    source: str

    def __post_init__(self) -> None:
        _filled("passage", "text", self.text)

    @property
    def question(self) -> str:
        """What the text answers: a chat model reads nothing else than questions and answers to them."""
        return f"What can you tell me about {self.topic}?"


def load_situations(path: Path | str | None = None) -> tuple[Situation, ...]:
    """The shipped situations, ten a facet, or those of a file; raises BadFileError with file and line."""
    return _load(path, "situations", Situation)


def load_portraits(path: Path | str | None = None) -> tuple[Portrait, ...]:
    """The shipped portraits, twelve a pole, or those of a file; raises BadFileError with file and line."""
    return _load(path, "portraits", Portrait)


def load_passages(path: Path | str | None = None, use: Use | None = None) -> tuple[Passage, ...]:
    """The shipped neutral passages, or those of a file; raises BadFileError with file and line.

    Args:
        path: of the file; None takes those that are shipped.
        use: None gives all; ``measure`` every fourth, ``shape`` the others: what an edit was fitted with says little
            of what else it changes.
    """
    rows = _load(path, "passages", Passage)
    return rows if use is None else tuple(row for at, row in enumerate(rows) if (at % 4 == 3) == (use == "measure"))


def _load(path: Path | str | None, shipped: str, kind: type[Row]) -> tuple[Row, ...]:
    place = Path(str(files("temperament.opinion") / "beside" / f"{shipped}.jsonl")) if path is None else Path(path)
    rows = tuple(read_lines(place, kind))
    if not rows:
        message = f"{place} holds no {shipped}: expected JSON lines with the keys of {kind.__name__}."
        raise BadFileError(message)
    return rows


def _filled(what: str, name: str, value: str) -> None:
    if not value.strip():
        message = f"a {what} needs its {name}: this one's is empty."
        raise RequestError(message)
