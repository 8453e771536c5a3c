"""What can be said of one answer by itself: control characters, emojis, length, sentences, words that name a trait."""

import re
import unicodedata
from dataclasses import dataclass

from temperament.curate.word import named_words, trait_words
from temperament.errors import RequestError
from temperament.measure.emoji import emojis, sentences
from temperament.measure.emoticon import emoticons
from temperament.measure.length import words
from temperament.trait import Target, Trait, find_trait

__all__ = ["CHECKS", "Limits", "Problem", "check_answer", "controls", "trait_words"]

CHECKS = ("empty", "control", "emoji", "emoticon", "length", "sentences", "trait_words")

_CONTROLS = {"Cc", "Cf", "Cs", "Co"}  # Unicode categories
# White space is tidied elsewhere; some scripts and emojis cannot be spelled without the two joiners.
_NO_CONTROLS = {"\n", "\r", "\t", "\u200c", "\u200d"}
# A question that is quoted inside a sentence ends none: the word after it begins with a small letter.
_QUOTED_END = re.compile(r"[.!?\u2026]+(?=[\"'\u2019\u201d)]+\s+[a-z])")


@dataclass(frozen=True)
class Limits:
    """How long an answer may be.

    Raises:
        RequestError: no length satisfies them.
    """

    fewest_words: int = 15
    most_words: int = 60
    most_sentences: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.fewest_words <= self.most_words:
            message = f"no answer has {self.fewest_words} to {self.most_words} words: give fewest_words <= most_words."
            raise RequestError(message)
        if self.most_sentences < 1:
            message = f"most_sentences is {self.most_sentences}: an answer has at least 1."
            raise RequestError(message)


@dataclass(frozen=True)
class Problem:
    """What is wrong with an answer.

    Attributes:
        check: one of `CHECKS`.
        message: what is so and what the limit is, in words that its writer can act on.
    """

    check: str
    message: str


def check_answer(answer: str, target: Target, limits: Limits = Limits()) -> list[Problem]:
    """What is wrong with an answer that is to show a pole: nothing, or one problem a check; an empty one has just that.

    Words that name other traits than the target's are no problem.
    """
    if not answer.strip():
        return [Problem("empty", "the answer is empty.")]
    return [
        *_hidden(answer),
        *_pictures(answer),
        *_form(answer, limits),
        *_naming(answer, find_trait(target.trait)),
    ]


def controls(text: str) -> list[str]:
    """The characters that steer a terminal or hide in a text, as 'U+202E', each once; line ends and tabs are none."""
    found = (one for one in text if one not in _NO_CONTROLS and unicodedata.category(one) in _CONTROLS)
    return list(dict.fromkeys(f"U+{ord(one):04X}" for one in found))


def _hidden(answer: str) -> list[Problem]:
    found = controls(answer)
    message = f"it has characters that do not show ({', '.join(found)}): use letters and plain punctuation."
    return [Problem("control", message)] if found else []


def _pictures(answer: str) -> list[Problem]:
    found: list[Problem] = []
    if shown := emojis(answer):
        found.append(Problem("emoji", f"it has emojis ({_listed(shown)}): use none."))
    if shown := emoticons(answer):
        found.append(Problem("emoticon", f"it has emoticons ({_listed(shown)}): use none."))
    return found


def _form(answer: str, limits: Limits) -> list[Problem]:
    found: list[Problem] = []
    if not limits.fewest_words <= (length := words(answer)) <= limits.most_words:
        span = f"{limits.fewest_words} to {limits.most_words}"
        found.append(Problem("length", f"it has {length} {'word' if length == 1 else 'words'}: {span} are wanted."))
    if (count := sentences(_QUOTED_END.sub("", answer))) > limits.most_sentences:
        found.append(Problem("sentences", f"it has {count} sentences: at most {limits.most_sentences} are wanted."))
    return found


def _naming(answer: str, trait: Trait) -> list[Problem]:
    found = list(dict.fromkeys(named_words(answer, trait)))
    message = f"it names {trait.name} ({_listed(found)}): show it in what the speaker does, notices and wants."
    return [Problem("trait_words", message)] if found else []


def _listed(found: list[str]) -> str:
    return ", ".join(f"'{one}'" for one in dict.fromkeys(found))
