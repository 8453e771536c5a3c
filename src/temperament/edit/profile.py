"""Profiles: several traits at once, each with a strength of its own."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from temperament.edit.base import Edit, Stack
from temperament.errors import MismatchError, RequestError
from temperament.trait import BIG_FIVE, Target, find_trait, known_traits

# What the literature calls them: O, C, E, A, N.
LETTERS = {trait.name[0].upper(): trait.name for trait in BIG_FIVE}
EXAMPLE = "O=+0.8, N=-0.5"


@dataclass(frozen=True, eq=False)
class Profile(Mapping[Target, float]):
    """Strengths by target, in order: ``Profile.parse("O=+0.8, N=-0.5")``.

    Attributes:
        parts: targets, no trait twice, and their strengths, above 0.

    Raises:
        RequestError: there are none, a trait is there twice, or a strength is not above 0.
    """

    parts: tuple[tuple[Target, float], ...]

    def __post_init__(self) -> None:
        if not self.parts:
            message = f"a profile of no traits was asked for: write one such as '{EXAMPLE}'."
            raise RequestError(message)
        traits = [target.trait for target, _ in self.parts]
        for target, strength in self.parts:
            if not 0 < strength < math.inf:
                message = (
                    f"{target} was asked for at strength {strength:g}: it needs to be above 0 and finite. The pole "
                    f"says which way; a trait that is to stay as it is is left out."
                )
                raise RequestError(message)
            if traits.count(target.trait) > 1:
                message = f"a profile has {target.trait} more than once: give each trait one strength."
                raise RequestError(message)

    @classmethod
    def parse(cls, text: str) -> "Profile":
        """Read traits with their strengths: the sign is the pole, the size the strength.

        Args:
            text: such as ``O=+0.8, N=-0.5``: the letters O, C, E, A and N, or names of traits, custom ones too.

        Raises:
            RequestError: a part is no assignment of a number other than 0, or a trait is there twice.
            UnknownNameError: a trait does not exist.
        """
        return cls(tuple(_part(part.strip(), text) for part in text.split(",")))

    def __str__(self) -> str:
        return ", ".join(
            f"{_short(target.trait)}={strength if target.pole == 'high' else -strength:+}"
            for target, strength in self.parts
        )

    def __getitem__(self, target: Target) -> float:
        return dict(self.parts)[target]

    def __iter__(self) -> Iterator[Target]:
        return iter(target for target, _ in self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Profile) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def stack(self, edits: Sequence[Edit]) -> Stack:
        """The edits applied together, each at its strength, in the order of the profile.

        Args:
            edits: one for each target, in any order.

        Raises:
            MismatchError: a target has no edit, or several; or an edit is for no target of the profile.
            RequestError: an edit has no dial and another strength than 1 was asked for.
        """
        found: dict[Target, Edit] = {}
        for edit in edits:
            target = edit.origin.target
            if target is None or target not in self or target in found:
                message = (
                    f"an edit for {target or 'no target'} was given to the profile '{self}': it takes one edit for "
                    f"each of {', '.join(map(str, self))}."
                )
                raise MismatchError(message)
            found[target] = edit
        missing = [target for target in self if target not in found]
        if missing:
            message = f"no edit for {missing[0]} was given to the profile '{self}': fit one, or leave the trait out."
            raise MismatchError(message)
        parts = tuple(self[target] * found[target] for target in self)
        for part in parts:
            if part.strength != 1.0 and not has_dial(part):
                message = (
                    f"{part.origin.target} at strength {part.strength:g} was asked for: {part.origin.method} has no "
                    f"dial. Take 1, or a method whose edits change weights or activations."
                )
                raise RequestError(message)
        return Stack(parts[0].origin, parts=parts)


def has_dial(edit: Edit) -> bool:
    """Whether an edit has strengths between 0 and 1, and beyond; what a model reads has not."""
    return all(map(has_dial, edit.parts)) if isinstance(edit, Stack) else edit.kind != "context"


def is_profile(text: str) -> bool:
    """Whether a text is meant as a profile and not as a target."""
    return "=" in text


def _part(part: str, text: str) -> tuple[Target, float]:
    name, equals, number = (piece.strip() for piece in part.partition("="))
    try:
        strength = float(number)
    except ValueError:
        strength = math.nan
    if not name or not equals or not math.isfinite(strength):
        message = f"profile '{text}' has the part '{part}': write a trait and a number, such as '{EXAMPLE}'."
        raise RequestError(message)
    trait = _trait(name)
    if strength == 0.0:
        message = f"profile '{text}' has {trait} at 0, which leaves it as it is: leave it out."
        raise RequestError(message)
    return Target(trait, "high" if strength > 0 else "low"), abs(strength)


def _trait(name: str) -> str:
    """A capital is always a letter of the Big Five; a small one only where no custom trait is called that."""
    if name in LETTERS or (name.upper() in LETTERS and name not in {trait.name for trait in known_traits()}):
        return LETTERS[name.upper()]
    return find_trait(name).name


def _short(trait: str) -> str:
    letter = trait[0].upper()
    return letter if LETTERS.get(letter) == trait else trait
