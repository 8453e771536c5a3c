"""Which bytes begin an emoji: the rules of `emojis` as a machine that reads bytes, a token at a time.

Models write bytes, and an emoji may take several tokens. After some bytes nothing but an emoji can be what they are;
after others an emoji is one of several things; and most can become none. The machine knows which.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

from temperament.measure.emoji import emojis

_JOINER = "\u200d"
_EMOJI_STYLE = "\ufe0f"
_KEYCAP = "\u20e3"
_TONE = "\U0001f3fb"
_TONES = tuple(chr(code) for code in range(0x1F3FB, 0x1F400))
_HALVES = tuple(chr(code) for code in range(0x1F1E6, 0x1F200))
# A face, to try what stands before it.
_FACE = "\U0001f600"
# White space before an emoji belongs to what comes next, as it may be part of the same token.
_WHITE_SPACE = frozenset(b" \t\n\v\f\r")
# Characters that have to be looked at to know whether an emoji goes on.
_TAIL = 32

State = str
Fate = Literal["emoji"] | State


class Place(NamedTuple):
    """Where the machine stands.

    Attributes:
        state: what was read; 'start' where there was nothing but white space.
        torn: the bytes of a character that is not whole yet.
    """

    state: State = "start"
    torn: bytes = b""


START = Place()


@dataclass(frozen=True)
class _Moves:
    """Out of one state: where whole characters lead, and how many of those that end the search share some bytes."""

    whole: Mapping[bytes, Fate]
    torn: Mapping[bytes, int]


def advance(place: Place, more: bytes) -> Place | bool:
    """Read some bytes: True where an emoji is certain now, False where there can be none, else the place to go on from.

    An emoji is certain as soon as every character that the bytes can become is one: the bytes F0 9F 98 are (all 64 are
    faces), F0 9F and E2 are not (curly quotes begin with E2, too). Bytes that never become a character are left out of
    account. A character that is text by default is no emoji until what follows makes it one (U+FE0F, a skin tone where
    it takes one, or a joiner and another emoji), a digit none until it is a keycap, and half a flag none until the
    other half makes a region.

    Departs: an emoji stays one where U+FE0E follows, because then it has begun all the same.
    """
    state, torn = place
    for number in more:
        if state == START.state and not torn and number in _WHITE_SPACE:
            continue
        torn += bytes((number,))
        moves = _moves(state)
        if torn in moves.whole:
            state, torn = moves.whole[torn], b""
            if state == "emoji":
                return True
        elif torn not in moves.torn:
            return False
        elif moves.torn[torn] == _completions(torn):
            return True
    return Place(state, torn)


def is_inside(text: str) -> bool:
    """Whether what follows a text would go on with its last emoji: after a joiner, and after half a flag."""
    if text.endswith(_HALVES):
        return (len(text) - len(text.rstrip("".join(_HALVES)))) % 2 == 1
    return text.endswith(_JOINER) and emojis(text[-_TAIL:] + _FACE)[-1] != _FACE


def _completions(torn: bytes) -> int:
    """How many characters begin with two bytes or more that begin one."""
    length = 4 if torn[0] >= 0xF0 else 3 if torn[0] >= 0xE0 else 2
    # Of a first byte alone not all are emojis, whichever it is.
    return 64 ** (length - len(torn)) if len(torn) > 1 else 1 << 30


@cache
def _moves(state: State) -> _Moves:
    fates = _fates(state)
    whole = {character.encode(): fate for character, fate in fates.items()}
    ends: Counter[bytes] = Counter()
    for spelled, fate in whole.items():
        for length in range(1, len(spelled)):
            ends[spelled[:length]] += fate == "emoji"
    return _Moves(whole, dict(ends))


def _fates(state: State) -> dict[str, Fate]:
    """What each character makes of a state; any other ends the search without an emoji."""
    if state == "start":
        return _first_characters()
    if state == "joined":
        return dict.fromkeys((one for one in _singles() if _is_one(_FACE + _JOINER + one)), "emoji")
    if state == "keycap":
        return {_EMOJI_STYLE: "styled keycap", _KEYCAP: "emoji"}
    if state == "styled keycap":
        return {_KEYCAP: "emoji"}
    if state.startswith("flag"):
        return dict.fromkeys((half for half in _HALVES if _is_one(state[-1] + half)), "emoji")
    tones = _TONES if state == "colourable text" else ()
    return {_EMOJI_STYLE: "emoji", _JOINER: "joined", **dict.fromkeys(tones, "emoji")}


def _first_characters() -> dict[str, Fate]:
    fates: dict[str, Fate] = dict.fromkeys("0123456789#*", "keycap")
    fates |= {half: f"flag {half}" for half in _HALVES}
    for one in _singles():
        if _is_one(one):
            fates[one] = "emoji"
        elif _is_one(one + _EMOJI_STYLE):
            fates[one] = "colourable text" if _is_one(one + _TONE) else "text"
    return fates


def _singles() -> list[str]:
    """Every character that the list of emojis has, and that may stand alone."""
    import emoji

    return [text for text in emoji.EMOJI_DATA if len(text) == 1 and text not in _HALVES and text not in _TONES]


def _is_one(text: str) -> bool:
    return emojis(text) == [text]
