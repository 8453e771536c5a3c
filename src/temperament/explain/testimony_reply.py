r"""Which tokens a testimony names.

A small model rarely keeps to the form that it was asked for, so lists are read in every usual form: one a line, with
bullets or numbers, in quotation marks, in bold, with commas, with an explanation behind a dash or a colon. Running text
names nothing, because what in it is meant would be a guess.
"""

import re
from collections import Counter

from temperament.explain.testimony_token import key_of, keys_in, tokens_in

# A phrase of more words is no naming of words any more; within a list with commas, where prose has commas too, fewer.
PHRASE, LISTED_PHRASE = 3, 2
_MARKER = re.compile(
    r"^(?:[-*+>\u2022\u25cf\u25e6\u2013\u2014\u00b7]+|#+|[(\[]?\d{1,2}[.):\]]|\d\ufe0f?\u20e3|[a-h]\))\s+"
)
_OPENER = re.compile(r"^(?:sure|certainly|of course|okay|ok|absolutely|yes)\b(?:[!.,:]+\s*|$)", re.IGNORECASE)
_QUOTED = re.compile(
    r"\"([^\"\n]+)\"|\u201c([^\u201d\n]+)\u201d|\u2018([^\u2019\n]+)\u2019|(?<!\w)'([^'\n]+)'(?!\w)|"
    r"\*\*([^*\n]+)\*\*|(?<![\w*])\*([^*\n]+)\*(?![\w*])|`([^`\n]+)`|\u00ab([^\u00bb\n]+)\u00bb"
)
_BREAK = re.compile(r"\s+[-\u2013\u2014=]+>?\s+|\s+\u2192\s+|:(?:\s+|$)|\s*\((?=\w)")
_LABEL = re.compile(
    r"^(?:(?:the|my)\s+)?(?:words?|emojis?|symbols?|adjectives?|answers?|personality|lists?|tokens?|phrases?)"
    r"(?:\s+(?:and|or)\s+\w+)?(?:\s+\d+)?$",
    re.IGNORECASE,
)
_COMMA = re.compile(r"\.{2,}|\u2026|[,;|/\u3001\uff0c]+\s*(?:and\s+)?|\s{2,}|\s+and\s+")
_SENTENCE = re.compile(r"[.!?\u2026]$")
_NOTHING = re.compile(
    r"^\W*(?:(?:there (?:is|are) )?(?:none|nothing|neither)(?: (?:of (?:them|these|those|it|this|that)|at all|here))?|"
    r"n/?a|(?:there are )?no (?:words|emojis|tokens|symbols)(?: (?:and|or) (?:words|emojis|tokens|symbols))?|"
    r"not applicable)\W*$",
    re.IGNORECASE,
)


def named_in(reply: str, answer: str, *, is_cut: bool = False) -> tuple[str, ...]:
    """The tokens that a reply names, as it writes them, each once, in order; none where it is running text.

    A phrase that stands in the answer names its words other than function words; one that does not is named as it is.

    Args:
        reply: the testimony.
        answer: that it is about.
        is_cut: the reply was cut, so that its last token may be torn; it counts only where the answer has it.
    """
    if _NOTHING.match(reply):
        return ()
    standing = keys_in(answer)
    phrases = " ".join(token.key for token in tokens_in(answer))
    named: dict[str, str] = {}
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    last = ""
    counts: Counter[str] = Counter()
    for place, line in enumerate(lines):
        tokens = _of_line(line, standing, f" {phrases} ", is_first=place == 0)
        for token in tokens:
            named.setdefault(key_of(token), token)
            counts[key_of(token)] += 1
        last = key_of(tokens[-1]) if tokens else ""
    if is_cut and counts[last] == 1 and last not in standing:
        named.pop(last)
    return tuple(named.values())


def _of_line(line: str, standing: set[str], phrases: str, *, is_first: bool) -> list[str]:
    body = _MARKER.sub("", line)
    is_listed = body != line
    opener = _OPENER.match(body) if is_first and not is_listed else None
    if opener and not _stands(opener.group(), standing):
        body = body[opener.end() :]
    if quoted := [next(filter(None, match.groups())) for match in _QUOTED.finditer(body)]:
        return [token for piece in quoted for token in _of_piece(piece, phrases, PHRASE, is_quoted=True) or ()]
    found = _BREAK.search(body)
    if found:
        before, after = body[: found.start()], body[found.end() :]
        is_header = ":" in found.group() and (
            bool(_LABEL.match(before)) or not (is_listed or _stands(before, standing))
        )
        body = after if is_header else before
    pieces = [piece for piece in _COMMA.split(body) if piece.strip()]
    most = PHRASE if len(pieces) == 1 else LISTED_PHRASE
    read = [_of_piece(piece, phrases, most, is_quoted=is_listed) for piece in pieces]
    # One piece that is running text makes the line running text.
    return [] if None in read else [token for tokens in read for token in tokens or ()]


def _stands(text: str, standing: set[str]) -> bool:
    """Whether a text is made of tokens of the answer."""
    keys = keys_in(text)
    return bool(keys) and keys <= standing


def _of_piece(piece: str, phrases: str, most: int, *, is_quoted: bool) -> list[str] | None:
    """The tokens of an entry of a list; None where it is running text."""
    tokens = tokens_in(piece)
    words = [token for token in tokens if not token.is_emoji]
    is_phrase = f" {' '.join(token.key for token in words)} " in phrases
    # The words that say so may stand in the answer, too.
    if _NOTHING.match(piece) and not is_phrase:
        return []
    marks = [token.text for token in tokens if token.is_emoji]
    if len(words) > most:
        return None
    if len(words) < 2:
        return [token.text for token in tokens]
    if is_phrase:
        return [token.text for token in tokens if token.is_content]
    if _SENTENCE.search(piece.strip()) and not is_quoted:
        return None
    return [" ".join(token.text for token in words), *marks]
