"""How a statement is put before a subject: the options, in which order and under which labels; and what a reply picks.

Nothing here imports torch, so that a study's plan can name orders and labels.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

from temperament.errors import RequestError

Labels = Literal["letters", "digits", "words"]
LABELS: tuple[Labels, ...] = get_args(Labels)
Order = Literal["accurate-first", "inaccurate-first"]
ORDERS: tuple[Order, ...] = get_args(Order)

# From 1 to 5, as published inventories of the International Personality Item Pool have them.
OPTIONS = (
    "very inaccurate",
    "moderately inaccurate",
    "neither accurate nor inaccurate",
    "moderately accurate",
    "very accurate",
)
MIDDLE = 3.0
_MARKS = {"letters": "ABCDE", "digits": "12345"}
_WANTED = {"letters": "the letter", "digits": "the number", "words": "the words"}


@dataclass(frozen=True)
class Form:
    """One way to show the options.

    Attributes:
        labels: what an option is answered with.
        order: in which the options stand below one another.
    """

    labels: Labels
    order: Order

    def __str__(self) -> str:
        return f"{self.labels}-{self.order}"

    @property
    def shown(self) -> tuple[int, ...]:
        """The options, by their place in ``OPTIONS``, in the order in which they are shown."""
        places = range(len(OPTIONS))
        return tuple(reversed(places)) if self.order == "accurate-first" else tuple(places)

    @property
    def names(self) -> tuple[str, ...]:
        """What each option of ``OPTIONS`` is answered with."""
        marks = _MARKS.get(self.labels)
        if marks is None:
            return OPTIONS
        return tuple(marks[self.shown.index(option)] for option in range(len(OPTIONS)))

    @property
    def spellings(self) -> tuple[tuple[str, ...], ...]:
        """Of each option of ``OPTIONS`` the words that count as its choice: with a capital and without."""
        return tuple(tuple(dict.fromkeys((name, _recased(name)))) for name in self.names)

    def question(self, statement: str) -> str:
        """What the subject reads; the statement comes last, so that what all questions begin with is read once."""
        marks = _MARKS.get(self.labels)
        # No dash before bare words: a small model would begin its reply with one.
        lines = (
            OPTIONS[option] if marks is None else f"{marks[place]}. {OPTIONS[option]}"
            for place, option in enumerate(self.shown)
        )
        lead = (
            f"How accurately does the statement describe you? Answer with {_WANTED[self.labels]} of one option and "
            f"nothing else."
        )
        return "\n".join((lead, "", *lines, "", f"Statement: {statement}"))

    def parse(self, reply: str) -> int | None:
        """The option of ``OPTIONS`` that a reply picks.

        Strict: the label alone, or the label and its own option's words, whatever the case and the punctuation. A reply
        with anything else in it picks none.
        """
        said = _plain(reply)
        for option, name in enumerate(self.names):
            if said in (_plain(name), _plain(f"{name} {OPTIONS[option]}")):
                return option
        return None


def forms_of(labels: Sequence[Labels], orders: Sequence[Order]) -> tuple[Form, ...]:
    """Every set of labels in every order.

    Raises:
        RequestError: there are none, or one is named twice.
    """
    for what, names in (("labels", labels), ("orders", orders)):
        if not names or len(set(names)) < len(names):
            message = f"{what} are {list(names)}: name at least one, and each once."
            raise RequestError(message)
    return tuple(Form(label, order) for label, order in product(labels, orders))


def _recased(name: str) -> str:
    first = name[0]
    return f"{first.lower() if first.isupper() else first.upper()}{name[1:]}"


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).strip().casefold()
