"""What a judge is asked: the two poles of a trait, or how well a word fits, in either direction, in two wordings."""

from dataclasses import dataclass
from typing import Literal, get_args

from temperament.trait import Pole, find_trait

Direction = Literal["up", "down"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
Wording = Literal["first", "second"]
WORDINGS: tuple[Wording, ...] = get_args(Wording)
LOWEST, HIGHEST = 1, 5
# Adjectives that say what a pole means, beside the one that names it.
MARKERS = 3
_TRAIT_STEPS: dict[Wording, tuple[str, ...]] = {
    "first": ("very {low}", "rather {low}", "in between, or it does not show", "rather {high}", "very {high}"),
    "second": ("clearly {low}", "a little {low}", "neither one nor the other", "a little {high}", "clearly {high}"),
}
_WORD_STEPS: dict[Wording, tuple[str, ...]] = {
    "first": ("not at all", "a little", "somewhat", "well", "very well"),
    "second": ("it is wrong", "it is rather wrong", "it is half right", "it is rather right", "it is right"),
}
_TRAIT_TASK: dict[Wording, str] = {
    "first": (
        "You are given a question and somebody's answer. Rate the {trait} of the person who answers. {low_pole} "
        "{high_pole} Judge what the answer shows of the person, not whether it is true or well written."
    ),
    "second": (
        "Below, a person is asked something and replies. What does the reply tell about how {low} or {high} this "
        "person is ({trait})? {high_pole} {low_pole} Style and facts do not matter, only the person."
    ),
}
_WORD_TASK: dict[Wording, str] = {
    "first": (
        'You are given a question and somebody\'s answer. How well does the word "{word}" describe the person who '
        "answers? Judge what the answer shows of the person, not whether it is true or well written."
    ),
    "second": (
        'Below, a person is asked something and replies. Somebody calls this person "{word}". Is that right? Style '
        "and facts do not matter, only the person."
    ),
}
_END: dict[Wording, str] = {
    "first": "Reply with one number from 1 to 5 and nothing else.",
    "second": "Which of the numbers 1 to 5 fits? Write that number only.",
}


@dataclass(frozen=True)
class Prompt:
    """What a judge reads, of which the head is the same for all texts on a scale."""

    head: str
    body: str

    @property
    def text(self) -> str:
        """All of it."""
        return f"{self.head}{self.body}"


@dataclass(frozen=True)
class Scale:
    """From 1 to 5: from the low pole of a trait to its high pole, or how well an adjective fits.

    The judge is not told which pole a reply was made to show, nor by what.

    Attributes:
        trait: that is rated, or that the adjective belongs to.
        pole: that the adjective marks; None where the trait is rated.
        adjective: empty where the trait is rated.

    Source: Mao et al. 2024, arXiv 2310.02168, section 4 (rating by adjective); Zheng et al. 2023, arXiv 2306.05685,
    section 3.3 (positions of what a judge is shown move its verdict).
    Departs: a trait is rated between its two poles, not by how much there is of one; the wordings are ours.
    """

    trait: str
    pole: Pole | None = None
    adjective: str = ""

    def prompt(self, question: str, text: str, direction: Direction = "up", wording: Wording = "first") -> Prompt:
        """The prompt for one text.

        Args:
            question: that the text answers.
            text: to be rated.
            direction: ``up`` shows the low pole, or "not at all", as 1; ``down`` shows it as 5.
            wording: ``second`` asks the same in other words.
        """
        steps = self._steps(wording)
        shown = steps if direction == "up" else steps[::-1]
        lines = "\n".join(f"{number} = {step}" for number, step in enumerate(shown, start=LOWEST))
        body = f"<question>\n{question.strip()}\n</question>\n<answer>\n{text.strip()}\n</answer>\n\n{_END[wording]}"
        return Prompt(f"{self._task(wording)}\n\n{lines}\n\n", body)

    def _steps(self, wording: Wording) -> tuple[str, ...]:
        if self.adjective:
            return _WORD_STEPS[wording]
        trait = find_trait(self.trait)
        return tuple(step.format(low=trait.low, high=trait.high) for step in _TRAIT_STEPS[wording])

    def _task(self, wording: Wording) -> str:
        if self.adjective:
            return _WORD_TASK[wording].format(word=self.adjective)
        trait = find_trait(self.trait)
        task = _TRAIT_TASK[wording].format(
            trait=trait.name,
            low=trait.low,
            high=trait.high,
            low_pole=_described(trait.adjectives("low")),
            high_pole=_described(trait.adjectives("high")),
        )
        # A trait of a user's own may have no other adjectives.
        return " ".join(task.split())


def along(value: float, direction: Direction) -> float:
    """A number that a judge gave, on the scale as it is read: 1, low pole or not at all, to 5."""
    return value if direction == "up" else LOWEST + HIGHEST - value


def _described(adjectives: tuple[str, ...]) -> str:
    """The first adjective, explained by the next."""
    name, *others = adjectives[: MARKERS + 1]
    return f"Somebody {name} is {', '.join(others)}." if others else ""
