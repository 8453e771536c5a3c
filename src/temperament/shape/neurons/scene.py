"""What the model reads while neurons are sought: situations under a description of each pole, or given answers."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from temperament.errors import BadFileError, RequestError
from temperament.opinion.format.reading import is_foreign, read_file, tell_problems
from temperament.opinion.row import Opinions
from temperament.opinion.situation import Situation, load_portraits, load_situations
from temperament.shape.protocol import rows_showing
from temperament.shape.wording import PORTRAIT, PORTRAIT_OF_WORDS, SIMPLE, listed
from temperament.subject.base import as_conversation, with_system
from temperament.subject.open import OpenSubject
from temperament.subject.text import Encoded
from temperament.trait import BIG_FIVE, POLES, Pole, Target, find_trait

Description = Literal["portrait", "adjectives", "simple"]
# By pole: prompts without answers, which the model writes, or prompts with the answers that are given.
Scenes = Mapping[Pole, tuple[Encoded, ...]]


@dataclass(frozen=True)
class Script:
    """Where scenes come from.

    Attributes:
        description: of a pole, before each situation.
        situations: a file; empty for those that are shipped.
        portraits: a file; empty for those that are shipped.
        questions: situations that are drawn; 0 takes all.
        seed: of the draws.
    """

    description: Description
    situations: str
    portraits: str
    questions: int
    seed: int

    def scenes(self, subject: OpenSubject, trait: str) -> Scenes:
        """The same situations under both poles, each under one description, as tokens.

        Raises:
            RequestError: there is no situation or portrait of the trait.
            BadFileError: a file cannot be read.
        """
        asked = self._questions(trait)
        found: dict[Pole, tuple[Encoded, ...]] = {}
        for pole in POLES:
            told = self._descriptions(Target(trait, pole), len(asked))
            found[pole] = tuple(
                Encoded(subject.encode(with_system(as_conversation(question), text), "").prompt, ())
                for question, text in zip(asked, told, strict=True)
            )
        return found

    def _questions(self, trait: str) -> list[str]:
        found = [one.question for one in read_situations(self.situations) if (one.trait, one.split) == (trait, "find")]
        if not found:
            raise RequestError(self._without_situations(trait))
        if 0 < self.questions < len(found):
            return random.Random(f"questions {self.seed} {trait}").sample(found, self.questions)
        return found

    def _without_situations(self, trait: str) -> str:
        if self.situations:
            return (
                f"situations is {self.situations}: it has none of {trait} in the split 'find'. Add some, or leave the "
                f"setting away for the shipped ones, which cover the Big Five."
            )
        return (
            f"there are no situations for {trait}: those that are shipped cover {listed([t.name for t in BIG_FIVE])}. "
            f"Give a file of them in the setting 'situations', or set tokens = 'answer' to read the opinions instead."
        )

    def _descriptions(self, target: Target, count: int) -> list[str]:
        """A description for each situation, as many different ones as there are."""
        trait = find_trait(target.trait)
        if self.description == "simple":
            return [SIMPLE.format(adjective=trait.adjective(target.pole))] * count
        texts = self._portraits(target) if self.description == "portrait" else []
        if not texts:
            return [PORTRAIT_OF_WORDS.format(words=listed(trait.adjectives(target.pole)))] * count
        random.Random(f"portraits {self.seed} {target}").shuffle(texts)
        return [PORTRAIT.format(text=texts[number % len(texts)]) for number in range(count)]

    def _portraits(self, target: Target) -> list[str]:
        found = [portrait.text for portrait in load_portraits(self.portraits or None) if portrait.target == target]
        if self.portraits and not found:
            message = (
                f"portraits is {self.portraits}: it has none of {target}. Add one, or set description = 'adjectives'."
            )
            raise RequestError(message)
        return found


def read_situations(path: str) -> Sequence[Situation]:
    """The shipped situations, or those of a file: our JSON lines, or PersonalityBench.

    Raises:
        BadFileError: the file does not exist, is malformed, or holds no situations.
    """
    if not path or not Path(path).exists() or not is_foreign(Path(path)):
        return load_situations(path or None)
    reading = read_file(Path(path))
    if reading.problems:
        raise BadFileError(tell_problems(reading))
    if not reading.situations:
        message = f"{path} holds no situations: it was read as {reading.format.name}. Give questions without answers."
        raise BadFileError(message)
    return reading.situations


def answers_given(subject: OpenSubject, trait: str, opinions: Opinions) -> Scenes:
    """The opinions that show each pole, as prompts and answers.

    Raises:
        RequestError: no row shows a pole.
    """
    return {
        pole: tuple(
            subject.encode(as_conversation(row.question), row.answer)
            for row in rows_showing(opinions, Target(trait, pole))
        )
        for pole in POLES
    }
