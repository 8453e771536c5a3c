"""Traits: psychological dimensions with two poles, their facets and adjectives."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from temperament.errors import RequestError, UnknownNameError

Pole = Literal["low", "high"]
POLES: tuple[Pole, ...] = get_args(Pole)


@dataclass(frozen=True)
class Trait:
    """One psychological dimension.

    Attributes:
        name: lower-case noun, as written in files.
        low: the adjective of the low pole, as in "you are {adjective}".
        high: the adjective of the high pole.
        facets: names of the facets, in the order of the inventory.
    """

    name: str
    low: str
    high: str
    facets: tuple[str, ...] = field(default=())

    def adjective(self, pole: Pole) -> str:
        """The adjective that names a pole."""
        return self.high if pole == "high" else self.low


# Facet names: IPIP-NEO (Johnson 2014, doi:10.1016/j.jrp.2014.05.003), public domain.
# Adjectives: SCIENCE.md 2.1.
BIG_FIVE = (
    Trait(
        "openness",
        "closed",
        "open",
        ("imagination", "artistic interests", "emotionality", "adventurousness", "intellect", "liberalism"),
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
    ),
    Trait(
        "agreeableness",
        "disagreeable",
        "agreeable",
        ("trust", "morality", "altruism", "cooperation", "modesty", "sympathy"),
    ),
    Trait(
        "neuroticism",
        "calm",
        "neurotic",
        ("anxiety", "anger", "depression", "self-consciousness", "immoderation", "vulnerability"),
    ),
)
TRAITS: dict[str, Trait] = {trait.name: trait for trait in BIG_FIVE}


def find_trait(name: str) -> Trait:
    """The trait of that name; raises UnknownNameError with the nearest one."""
    try:
        return TRAITS[name.strip().lower()]
    except KeyError:
        raise UnknownNameError(kind="trait", asked=name, known=TRAITS) from None


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


EVERY_TARGET: tuple[Target, ...] = tuple(Target(trait.name, pole) for trait in BIG_FIVE for pole in POLES)
