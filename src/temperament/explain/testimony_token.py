"""The tokens that a testimony is about: the words and emojis of an answer, as a reader sees them."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from temperament.measure.emoji import emojis

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_GAP = re.compile(r"[ \t]{2,}")
_SPACE_BEFORE_MARK = re.compile(r"[ \t]+(?=[.,;:!?\u2026](?:\s|$))")
# Words that hold sentences together. They are in all answers, and what is drawn beside a named token should say
# something, as a named one does.
_FUNCTION_WORDS = frozenset(
    (
        *("a", "an", "the", "and", "or", "but", "nor", "so", "yet", "if", "then", "than", "because", "as", "while"),
        *("of", "in", "on", "at", "to", "from", "by", "with", "about", "into", "for", "over", "up", "down", "out"),
        *("off", "through", "during", "before", "after", "between", "under", "i", "me", "my", "mine", "myself", "we"),
        *("us", "our", "ours", "you", "your", "yours", "he", "him", "his", "she", "her", "hers", "it", "its", "they"),
        *("them", "their", "theirs", "this", "that", "these", "those", "who", "whom", "which", "what", "whose", "when"),
        *("where", "why", "how", "am", "is", "are", "was", "were", "be", "been", "being", "have", "has", "had", "do"),
        *("does", "did", "will", "would", "shall", "should", "can", "could", "may", "might", "must", "there", "here"),
        *("i'm", "i've", "i'd", "i'll", "it's", "that's", "you're", "we're", "they're", "there's", "let's", "also"),
        *("one", "some", "any", "such", "own", "other", "each", "both", "just"),
    )
)


@dataclass(frozen=True)
class Token:
    """A word or an emoji of a text, or a symbol that is neither.

    Attributes:
        text: as it is written.
        start: of its first character.
        end: behind its last.
        is_emoji: whether it is one.
        is_content: whether it says something: emojis do, and words other than function words; symbols do not.
        key: equal for what counts as the same token.
    """

    text: str
    start: int
    end: int
    is_emoji: bool
    is_content: bool
    key: str


def key_of(token: str) -> str:
    """What equal tokens share, whatever their case, their apostrophe and the style of an emoji."""
    return token.casefold().replace("\u2019", "'").replace("\ufe0f", "")


@lru_cache(maxsize=1024)
def tokens_in(text: str) -> Sequence[Token]:
    """The words and emojis of a text, in order."""
    found: list[Token] = []
    blanked, start = list(text), 0
    for emoji in emojis(text):
        start = text.index(emoji, start)
        end = start + len(emoji)
        found.append(Token(emoji, start, end, is_emoji=True, is_content=True, key=key_of(emoji)))
        blanked[start:end] = " " * len(emoji)
        start = end
    for match in _WORD.finditer("".join(blanked)):
        key = key_of(match.group())
        is_content = key not in _FUNCTION_WORDS
        found.append(Token(match.group(), match.start(), match.end(), is_emoji=False, is_content=is_content, key=key))
    return tuple(sorted(found, key=lambda token: token.start))


@lru_cache(maxsize=1024)
def symbols_in(text: str) -> Sequence[Token]:
    """The characters of a text that are symbols (Unicode's S) and of no word and no emoji, such as a plain heart."""
    taken = {place for token in tokens_in(text) for place in range(token.start, token.end)}
    return tuple(
        Token(character, place, place + 1, is_emoji=False, is_content=False, key=character)
        for place, character in enumerate(text)
        if place not in taken and unicodedata.category(character).startswith("S")
    )


def keys_in(text: str) -> set[str]:
    """The keys of all tokens of a text."""
    return {token.key for token in tokens_in(text)}


def content_of(text: str) -> dict[str, Token]:
    """The tokens of a text that say something, each once, by key; of several the first."""
    found: dict[str, Token] = {}
    for token in tokens_in(text):
        if token.is_content:
            found.setdefault(token.key, token)
    return found


def without(text: str, key: str) -> str:
    """The text without any token, or symbol, of that key; white space around the gaps is tidied."""
    kept, start = "", 0
    for token in sorted((*tokens_in(text), *symbols_in(text)), key=lambda token: token.start):
        if token.key == key:
            kept += text[start : token.start]
            start = token.end
    return tidied(kept + text[start:])


def tidied(text: str) -> str:
    """The text with single spaces and none before a mark: what cutting leaves behind must not tell the texts apart."""
    return _SPACE_BEFORE_MARK.sub("", _GAP.sub(" ", text)).strip()
