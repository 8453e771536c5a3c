"""Emoticons: faces and hearts made of ordinary characters, and the symbols that are pictures without being emojis."""

import re

_START = r"(?<![A-Za-z0-9])"
_END = r"(?![A-Za-z0-9])"
_NOSE = r"[-'^o~]"
_KINDS = (
    # Sideways faces: ":)", ";-(", ":'(", ":|". A list, "as follows:(a)", and an address, "http://", are none.
    rf"[>}}]?[:;]{_NOSE}?[)\]}}>|]+",
    rf"[>}}]?[:;]{_NOSE}?[(\[{{<]+(?![A-Za-z0-9\"'])",
    rf"(?<!\*)[:;]{_NOSE}?[*](?!\*)",
    r"(?<![A-Za-z0-9])[:;]-?[/\\](?![/\\A-Za-z0-9])|[a-z]:-?/(?=\s|$)|[:;]-[/\\]",
    rf"{_START}[:;]{_NOSE}?(?:[dDpPoOxXsS]|[cC3$&#@]){_END}",
    rf"{_START}(?:=[-']?[\]\[|/\\dDpP]|[8B]-[)(|dDpP]|[xX]-?[D]+|[xX]-?[)(]){_END}",
    rf"=[-']?[)(]+{_END}",
    # Turned round: "(:", "(-;". A bracket before a colon, as in "(on Sundays): ...", is none without a nose or space.
    rf"(?<![A-Za-z0-9:;])[(\[]-?'?[:;=]{_END}",
    r"(?:[)\]]-'?[:;=]|(?<=\s)[)\]]'?[:;=])(?=\s|$)",
    r"(?:(?<=[.!?]\s)|^)D'?:(?=\s|$)|D-'?:",
    # Hearts and arms.
    r"</?3+(?![0-9.,%]*[0-9%])",
    r"(?<!\w)\\[oO0]/(?!\w)|(?<!\S)[mM]/(?=\s|$)",
    # Upright faces: the same eye twice, and a mouth between.
    r"(?<!\w)(?P<letter>[^\W\d_]|[0@])_+(?i:(?P=letter))(?!\w)",
    r"(?P<eye>[^\w\s.\"'!?,*()\[\]/\\:;=+#_-])(?:[_.\-]+|[owvO3\u03c9\u0414\u203f\u1d25\u25a1\u25bd\u25e1])(?P=eye)",
    r">[._-]*<(?!\w)|-_+-|\*_+\*|\^\^|(?<!\w)[;,][_.][;,](?!\w)",
    rf"(?i:{_START}(?:[uo]w[uo]|orz){_END})",
    # Kaomoji, by the characters that only they use beside brackets, and shrugs.
    r"\([^()]{0,6}[\u2022\u203f\u2500-\u25ff\u0ca0\u0c20\u1d25\u30c4\uff65][^()]{0,6}\)|\u0295[^\s]{1,6}\u0294",
    r"\u00af\\?_|_/?\u00af",
    # Pictures that are text by default, which makes them no emojis: U+263A, U+2665, U+2764 and their neighbours.
    r"[\u2600-\u26ff\u2700-\u27bf\u2b50\u2b55\u2661]",
)
_EMOTICON = re.compile("|".join(f"(?:{kind})" for kind in _KINDS))


def emoticons(text: str) -> list[str]:
    """The emoticons of a text, in order: Western, upright and Japanese ones, hearts, and pictures that are no emojis.

    Times (8:30), ratios (2:3), addresses, list marks and brackets after a colon are none. Where characters can be read
    either way, as in "great:)", they are taken for a face. Emojis are left to `temperament.measure.emoji.emojis`.
    """
    return [match.group() for match in _EMOTICON.finditer(text)]
