"""Traits: psychological dimensions with two poles, their facets and adjectives.

The Big Five are here; a trait of a user's own is read from a TOML file and made known with `register`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from temperament.errors import BadFileError, MismatchError, RequestError, UnknownNameError
from temperament.settings import build, read_toml

Pole = Literal["low", "high"]
POLES: tuple[Pole, ...] = get_args(Pole)
MOST_CHARACTERS = 40
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Trait:
    """One psychological dimension.

    Attributes:
        name: lower-case noun, as written in files and in names of files: letters, digits and single hyphens.
        low: the adjective of the low pole, as in "you are {adjective}".
        high: the adjective of the high pole.
        facets: names of the facets, in the order of the inventory.
        low_adjectives: words that mark the low pole.
        high_adjectives: words that mark the high pole.

    Raises:
        RequestError: the name cannot be part of a file's name, a word is blank, or a word marks both poles.
    """

    name: str
    low: str
    high: str
    facets: tuple[str, ...] = field(default=())
    low_adjectives: tuple[str, ...] = field(default=())
    high_adjectives: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.name) > MOST_CHARACTERS:
            message = (
                f"name is '{self.name}': files are named after a trait, so write at most {MOST_CHARACTERS} lower-case "
                f"letters, digits and single hyphens, beginning with a letter."
            )
            raise RequestError(message)
        for key, words in (("facets", self.facets), ("low", self.adjectives("low")), ("high", self.adjectives("high"))):
            for word in words:
                if not word.strip() or not word.isprintable():
                    message = (
                        f"{key} of trait '{self.name}' has the word {word!r}: write words on one line, none blank."
                    )
                    raise RequestError(message)
        high = {word.casefold() for word in self.adjectives("high")}
        for word in self.adjectives("low"):
            if word.casefold() in high:
                message = (
                    f"'{word}' marks both poles of trait '{self.name}': the poles need words that tell them apart."
                )
                raise RequestError(message)

    def adjective(self, pole: Pole) -> str:
        """The adjective that names a pole."""
        return self.high if pole == "high" else self.low

    def adjectives(self, pole: Pole) -> tuple[str, ...]:
        """All adjectives of a pole, each once, the one that names it first."""
        others = self.high_adjectives if pole == "high" else self.low_adjectives
        return tuple(dict.fromkeys((self.adjective(pole), *others)))


# Facet names: IPIP-NEO (Johnson 2014, doi:10.1016/j.jrp.2014.05.003), public domain.
# Adjectives that name a pole: SCIENCE.md 2.1. The others: markers of the lexical tradition (Goldberg 1992, The
# development of markers for the Big-Five factor structure, doi:10.1037/1040-3590.4.1.26), single words: unipolar
# markers first, words of the bipolar pairs where these are few. Left out are words that everyday answers use in other
# senses (kind, warm, cold, deep, shallow, quiet, pleasant), because an audit looks for these words in answers.
BIG_FIVE = (
    Trait(
        "openness",
        "closed",
        "open",
        ("imagination", "artistic interests", "emotionality", "adventurousness", "intellect", "liberalism"),
        (
            *("unimaginative", "uncreative", "unintellectual", "uninquisitive", "unreflective", "unsophisticated"),
            *("imperceptive", "unanalytical"),
        ),
        (
            *("imaginative", "creative", "artistic", "intellectual", "philosophical", "innovative", "introspective"),
            *("reflective", "curious"),
        ),
    ),
    Trait(
        "conscientiousness",
        "unconscientious",
        "conscientious",
        (
            "self-efficacy",
            "orderliness",
            "dutifulness",
            "achievement-striving",
            "self-discipline",
            "cautiousness",
        ),
        (
            *("careless", "disorganized", "haphazard", "inefficient", "negligent", "sloppy", "undependable"),
            *("unsystematic", "inconsistent", "impractical"),
        ),
        (
            *("conscientious", "organized", "efficient", "systematic", "thorough", "careful", "neat", "practical"),
            *("responsible", "reliable"),
        ),
    ),
    Trait(
        "extraversion",
        "introverted",
        "extraverted",
        (
            "friendliness",
            "gregariousness",
            "assertiveness",
            "activity level",
            "excitement-seeking",
            "cheerfulness",
        ),
        (
            *("introverted", "shy", "bashful", "reserved", "timid", "inhibited", "withdrawn", "untalkative"),
            "unadventurous",
        ),
        (
            *("extraverted", "talkative", "assertive", "energetic", "bold", "daring", "vigorous", "unrestrained"),
            "verbal",
        ),
    ),
    Trait(
        "agreeableness",
        "disagreeable",
        "agreeable",
        ("trust", "morality", "altruism", "cooperation", "modesty", "sympathy"),
        (
            *("disagreeable", "distrustful", "harsh", "rude", "selfish", "uncharitable", "uncooperative", "unkind"),
            "unsympathetic",
        ),
        (
            *("agreeable", "considerate", "cooperative", "generous", "helpful", "sympathetic"),
            *("trustful", "unselfish"),
        ),
    ),
    Trait(
        "neuroticism",
        "calm",
        "neurotic",
        ("anxiety", "anger", "depression", "self-consciousness", "immoderation", "vulnerability"),
        (
            *("calm", "relaxed", "stable", "contented", "secure", "imperturbable", "unemotional", "unexcitable"),
            *("undemanding", "unenvious"),
        ),
        (
            *("anxious", "emotional", "envious", "fearful", "fretful", "insecure", "irritable", "jealous", "moody"),
            *("nervous", "temperamental", "touchy"),
        ),
    ),
)
# A registry of the process, because a row or an edit names its trait by a word, and the word has to be checked where it
# is read: docs/decisions/0007-custom-traits.md.
_KNOWN: dict[str, Trait] = {trait.name: trait for trait in BIG_FIVE}


def known_traits() -> tuple[Trait, ...]:
    """The Big Five, then custom traits by name: an order that does not depend on which was registered first."""
    return (*BIG_FIVE, *custom_traits())


def custom_traits() -> tuple[Trait, ...]:
    """The traits that this process knows beside the Big Five, by name."""
    return tuple(_KNOWN[name] for name in sorted(_KNOWN) if _KNOWN[name] not in BIG_FIVE)


def register(trait: Trait) -> Trait:
    """Make a trait known to this process; doing so again is fine.

    Raises:
        MismatchError: another trait has that name.
    """
    known = _KNOWN.setdefault(trait.name, trait)
    if known != trait:
        parts = ", ".join(key for key, value in vars(trait).items() if getattr(known, key) != value)
        message = (
            f"trait '{trait.name}' is known already and defined otherwise ({parts}): give one of the two another name, "
            f"or use the same definition everywhere."
        )
        raise MismatchError(message)
    return trait


def find_trait(name: str) -> Trait:
    """The trait of that name; raises UnknownNameError with the nearest one."""
    try:
        return _KNOWN[name.strip().lower()]
    except KeyError:
        advice = "A trait of your own is defined in a TOML file: --trait FILE, or traits = [FILE] in a study."
        raise UnknownNameError(kind="trait", asked=name, known=_KNOWN, advice=advice) from None


@dataclass(frozen=True)
class _PoleTable:
    adjective: str
    adjectives: tuple[str, ...] = ()


@dataclass(frozen=True)
class _TraitTable:
    name: str
    low: _PoleTable
    high: _PoleTable
    facets: tuple[str, ...] = ()


def load_trait(path: Path | str) -> Trait:
    """A trait from a TOML file with ``name``, ``facets``, and ``[low]`` and ``[high]``, each with ``adjective``.

    ``adjectives`` of a pole and ``facets`` may be left out. The trait is not registered.

    Raises:
        BadFileError: the file does not exist, is not TOML, or the trait makes no sense; with file and key.
        RequestError: a key is missing or of the wrong type; with file and key.
        UnknownNameError: a key does not exist; with the nearest one.
    """
    return trait_from(read_toml(Path(path)), str(path))


def trait_from(table: Mapping[str, Any], place: str) -> Trait:
    """A trait from a table as its TOML file has it; errors as `load_trait` raises them, with the place."""
    read = build(_TraitTable, table, place)
    try:
        return Trait(
            name=read.name,
            low=read.low.adjective,
            high=read.high.adjective,
            facets=read.facets,
            low_adjectives=read.low.adjectives,
            high_adjectives=read.high.adjectives,
        )
    except RequestError as error:
        message = f"{place}: {error}"
        raise BadFileError(message) from None


def table_of_trait(trait: Trait) -> dict[str, Any]:
    """A trait as its TOML file has it: `trait_from` gives it back."""
    return {
        "name": trait.name,
        "facets": list(trait.facets),
        "low": {"adjective": trait.low, "adjectives": list(trait.low_adjectives)},
        "high": {"adjective": trait.high, "adjectives": list(trait.high_adjectives)},
    }


def parse_pole(name: str) -> Pole:
    """'low' or 'high', in any case; raises UnknownNameError otherwise."""
    match name.strip().lower():
        case "low":
            return "low"
        case "high":
            return "high"
        case _:
            raise UnknownNameError(kind="pole", asked=name, known=POLES)


@dataclass(frozen=True, order=True)
class Target:
    """A trait and a pole: what an edit is for.

    Raises:
        UnknownNameError: the trait or the pole does not exist.
    """

    trait: str
    pole: Pole = "high"

    def __post_init__(self) -> None:
        object.__setattr__(self, "trait", find_trait(self.trait).name)
        object.__setattr__(self, "pole", parse_pole(self.pole))

    def __str__(self) -> str:
        return f"{self.trait}:{self.pole}"

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Read ``trait`` or ``trait:pole``; the pole is high where it is not given."""
        trait, colon, pole = text.partition(":")
        if colon and not pole:
            message = f"target '{text}' has no pole after the colon: write '{trait}:high' or '{trait}:low'."
            raise RequestError(message)
        return cls(trait, parse_pole(pole or "high"))


def other_pole(target: Target) -> Target:
    """The same trait's other pole."""
    return Target(target.trait, "low" if target.pole == "high" else "high")


def every_target() -> tuple[Target, ...]:
    """Both poles of every known trait, low before high."""
    return tuple(Target(trait.name, pole) for trait in known_traits() for pole in POLES)
