"""Tokens of emojis: those that begin one, those of each emoji, and where a reply has one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from temperament.errors import RequestError
from temperament.measure.beginning import START, advance
from temperament.measure.emoji import emojis
from temperament.measure.spelling import Spelling, spell
from temperament.measure.token_tree import TokenTree
from temperament.measure.written import written_by
from temperament.subject.open import OpenSubject


@dataclass(frozen=True, eq=False)
class EmojiTokens:
    """How a vocabulary writes emojis.

    Attributes:
        spelled: the bytes of each token.
        certain: tokens after which nothing but an emoji can be what they are.
        lead: tokens, with white space before them or none, that are the first bytes of a character which more than half
            of all emojis have, such as F0 9F; of such stretches of bytes only the longest that the vocabulary has.
        sequences: emojis of one character that are shown as such by default, and their tokens after a space.
    """

    spelled: Spelling
    certain: Int[Tensor, " certain"]
    lead: Int[Tensor, " lead"]
    sequences: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def beginnings(self) -> Int[Tensor, " beginning"]:
        """Those that are certain and the leads: small vocabularies write almost every emoji by a lead.

        A vocabulary of bytes has no token that is certain, and its one lead is F0.
        """
        return torch.cat([self.certain, self.lead])

    def is_outside(self, tokens: Sequence[int]) -> list[bool]:
        """Whether an emoji could begin at each position of a text: not inside a character or an emoji."""
        return [not is_inside for is_inside in written_by(tokens, self.spelled).is_inside[:-1]]

    def written(self, tokens: Sequence[int]) -> Iterator[int]:
        """The positions of a text at which an emoji begins that is one in the end."""
        outside = self.is_outside(tokens)
        for start in range(len(tokens)):
            if outside[start] and self._begins(tokens[start:]):
                yield start

    def _begins(self, tokens: Sequence[int]) -> bool:
        place = START
        for token in tokens:
            fate = advance(place, self.spelled[token] or b"")
            # White space alone begins nothing: what comes after it has a position of its own.
            if isinstance(fate, bool) or fate == START:
                return fate is True
            place = fate
        return False


def piece_of(token: int, spelled: Spelling) -> str:
    """A token for people: its text, with bytes that are no whole character in hexadecimal digits; empty where none."""
    written = (spelled[token] if token < len(spelled) else None) or b""
    try:
        return written.decode()
    except UnicodeDecodeError:
        space = " " if written[:1] == b" " else ""
        return f"{space}<{written.lstrip().hex(' ').upper()}>"


def emoji_tokens(subject: OpenSubject) -> EmojiTokens:
    """How the vocabulary of a subject writes emojis.

    Raises:
        RequestError: it has no token that begins one.
    """
    spelled = spell(subject.tokenizer)
    config: Any = subject.model.config
    spelled = spelled[: int(config.get_text_config().vocab_size)]
    fates = TokenTree(spelled, subject.device).after(START)
    single = _singles()
    leads: dict[bytes, list[int]] = {}
    for token, place in zip(fates.torn.tolist(), fates.places, strict=True):
        if place.state == START.state and _most_begin_with(place.torn, single):
            leads.setdefault(place.torn, []).append(token)
    longest = max(leads, key=len, default=b"")
    if not len(fates.certain) and not leads:
        message = (
            f"what units write was to be compared with emojis, and no token of {subject.name} begins one: its "
            f"vocabulary cannot write them."
        )
        raise RequestError(message)
    lead = torch.tensor(leads.get(longest, []), dtype=torch.long, device=subject.device)
    return EmojiTokens(spelled, fates.certain, lead, tuple(_sequences(subject.tokenizer, single, spelled)))


def _singles() -> list[str]:
    import emoji

    return sorted(text for text in emoji.EMOJI_DATA if len(text) == 1 and emojis(text) == [text])


def _most_begin_with(torn: bytes, single: Sequence[str]) -> bool:
    return bool(torn) and 2 * sum(text.encode().startswith(torn) for text in single) > len(single)


def _sequences(tokenizer: Any, single: Sequence[str], spelled: Spelling) -> Iterator[tuple[str, tuple[int, ...]]]:
    encoded = tokenizer([f" {text}" for text in single], add_special_tokens=False)["input_ids"]
    for text, tokens in zip(single, encoded, strict=True):
        # Some vocabularies write the space by a token of its own, and some cannot write some emojis at all.
        kept = tuple(token for token in tokens if token < len(spelled) and (spelled[token] or b"").strip())
        if b"".join(spelled[token] or b"" for token in kept).strip() == text.encode():
            yield text, kept
