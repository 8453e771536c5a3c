"""Emojis in replies: which, in how many replies, how many a sentence and a hundred words, and where."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from temperament.measure.diversity import entropy
from temperament.measure.emoticon import emoticons
from temperament.measure.length import words
from temperament.measure.protocol import Measurement, Score, answered
from temperament.record import Record
from temperament.stats import ratio, share
from temperament.trait import Target

_TEXT_STYLE = "\ufe0e"
_EMOJI_STYLE = "\ufe0f"
# What a torn emoji leaves behind. Joiners and keycaps also belong to ordinary scripts, so they go beside emojis only.
_BESIDE = "\u200d\ufe0f\u20e3"
_ANYWHERE = re.compile("[\ufe0f\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_SKIN_TONES = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
_SPACE_BEFORE_MARK = re.compile(r"[ \t]+(?=[.,;:!?\u2026](?:\s|$))")
_END_OF_SENTENCE = re.compile(r"[.!?\u2026\u3002\uff01\uff1f]+[\"')\]\u2019\u201d]*(?=\s|$)|[\u3002\uff01\uff1f]")
_ABBREVIATION = re.compile(r"(?:^|[\s(\"'])(?:mr|mrs|ms|dr|prof|st|vs|(?:[a-z]\.)+[a-z])$", re.IGNORECASE)
# What is no prose: code, where ":]" is no face, and the rules of tables, where ":-|" is none.
_NO_PROSE = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]+`|^[ \t]*(?:\|[ \t:|-]*|[ \t:|-]*---[ \t:|-]*)$", re.DOTALL | re.MULTILINE
)
_LIST_NUMBER = re.compile(r"^\s*\d{1,3}$")


def emojis(text: str) -> list[str]:
    r"""The emojis of a text, in order; a sequence is one emoji.

    An emoji is a sequence (joined people, skin tone, flag of a country or region, keycap), a character that is shown as
    an emoji by default, or one that asks for it with U+FE0F. No emoji: a character that is text by default and stands
    alone (the copyright and trade mark signs, arrows, digits, the heavy heart U+2764 without U+FE0F), one that asks for
    text with U+FE0E, and the parts of emojis standing alone: half a flag (one regional indicator, or two that are no
    region) and a skin tone that follows nothing it could colour.

    Source: Unicode UTS #51, Unicode Emoji, sections 1.4 and 2; default presentation is read from ``emoji-test.txt``,
    where a single character is fully qualified exactly if it is shown as an emoji by default.
    Departs: joined sequences that no list has count as one, as they were written; sequences that lack a U+FE0F in the
    middle, such as U+2764 U+200D U+1F525, count, because nothing but an emoji is written like that. Half a flag and a
    lone skin tone have the property Emoji_Presentation and do not count, because ``emoji-test.txt`` lists them as
    components that do not stand for themselves.
    """
    return [text[start:end] for start, end in _spans(text)]


def without_emoji(text: str) -> str:
    """The text without its emojis and what torn emojis leave behind; white space around them is tidied.

    A text without emojis comes back as it is, less white space at its ends. Line breaks stay.
    """
    ends = [end for span in _spans(text) for end in span]
    stretches = [text[start:end] for start, end in zip([0, *ends[1::2]], [*ends[::2], len(text)], strict=True)]
    if len(stretches) > 1:
        stretches[1:] = [stretch.lstrip(_BESIDE) for stretch in stretches[1:]]
        stretches[:-1] = [stretch.rstrip(_BESIDE) for stretch in stretches[:-1]]
    rest = _ANYWHERE.sub(" ", " ".join(stretches))
    if rest == text:
        return text.strip()
    lines = (re.sub(r"[ \t]{2,}", " ", line).strip() for line in rest.split("\n"))
    return _SPACE_BEFORE_MARK.sub("", "\n".join(lines)).strip()


def sentences(text: str) -> int:
    """The number of sentences: 0 for a text without any character but white space, and otherwise at least 1.

    A sentence is a stretch with a letter or a digit in it, up to a full stop, exclamation mark, question mark or
    ellipsis that is followed by white space (quotes and brackets may close in between), or up to the end of the line.
    A stop after a common title ("Dr."), after letters with stops between them ("e.g.") and after the number of a list's
    item ends nothing. Emojis count as white space, so a run of them is no sentence, and no end of one either.
    """
    if not text.strip():
        return 0
    return max(1, sum(_sentences_of_line(line) for line in _blanked(text).splitlines()))


def after_last_sentence(text: str) -> int:
    """How many emojis stand after the last sentence of a text.

    The last sentence ends with the stop that follows its last letter or digit in the same line, or with that letter or
    digit where no stop does. So an emoji before the last full stop is inside, and one in place of it is after. A text
    without letters and digits is all emojis, and they are inside.
    """
    plain = _blanked(text)
    last = max((place for place, character in enumerate(plain) if character.isalnum()), default=None)
    if last is None:
        return 0
    line = next(iter(plain[last + 1 :].splitlines()), "")
    stop = _END_OF_SENTENCE.search(line)
    end = last + 1 + (stop.end() if stop else 0)
    return sum(start >= end for start, _ in _spans(text))


def emoticons_beside(text: str) -> list[str]:
    """The emoticons of a reply, in order, apart from its emojis; code and the rules of tables have none."""
    return emoticons(_NO_PROSE.sub(" ", _blanked(text)))


@dataclass(frozen=True)
class EmojiUse:
    """Scorer of emojis, and of emoticons apart from them.

    ``emoji_share``, of replies with one or more; ``emoji_sentence_ratio``, emojis a sentence; ``emoji_per_100_words``;
    ``emoji_after_share``, of the emojis, those after the last sentence (`after_last_sentence`); ``emoji_entropy`` of
    the inventory, in bits (`diversity.entropy`); and ``emoticon_share``, of replies with an emoticon such as ":)".
    Without emojis there is no share after the last sentence and no entropy.

    Source: Jain et al., arXiv 2409.10245 (share of outputs with at least one emoji; emoji-to-sentence ratio).
    Departs: the ratios are the sum of emojis over the sum of sentences or words, not a mean of ratios, so that short
    replies do not weigh more.
    """

    name: str = "emoji"

    def read(self, records: Sequence[Record]) -> list[Score | None]:
        """Of each record ``emojis`` and ``emoticons``, in order, how many emojis come ``after`` the last sentence.

        And ``sentences`` and ``words``. None for a record without a reply.
        """
        return [None if record.reply is None else _score(record.reply) for record in records]

    def measure(self, records: Sequence[Record], target: Target) -> list[Measurement]:  # noqa: ARG002 - the protocol's
        """All figures, with topics as clusters; the target plays no part."""
        topics = [record.topic for record, _ in answered(records)]
        scores = [_score(reply) for _, reply in answered(records)]
        found: list[list[str]] = [score["emojis"] for score in scores]
        counts = [len(some) for some in found]
        hundreds = [score["words"] / 100 for score in scores]
        after = [place < score["after"] for score in scores for place in range(len(score["emojis"]))]
        topic_of_each = [topic for topic, count in zip(topics, counts, strict=True) for _ in range(count)]
        return [
            Measurement("emoji_share", share([count > 0 for count in counts], topics)),
            Measurement("emoji_sentence_ratio", ratio(counts, [score["sentences"] for score in scores], topics)),
            Measurement("emoji_per_100_words", ratio(counts, hundreds, topics)),
            Measurement("emoji_after_share", share(after, topic_of_each)),
            Measurement("emoji_entropy", entropy(found, topics)),
            Measurement("emoticon_share", share([bool(score["emoticons"]) for score in scores], topics)),
        ]


def _score(reply: str) -> Score:
    return {
        "emojis": emojis(reply),
        "after": after_last_sentence(reply),
        "emoticons": emoticons_beside(reply),
        "sentences": sentences(reply),
        "words": words(reply),
    }


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each emoji."""
    if text.isascii():
        return
    for match in _sequences().finditer(text):
        start, end = match.span()
        asks_for_text = text[end : end + 1] == _TEXT_STYLE and text[end - 1] != _EMOJI_STYLE
        if not asks_for_text and _is_shown_as_emoji(match.group()):
            yield start, end


@cache
def _sequences() -> re.Pattern[str]:
    """What could be an emoji, by the grammar of UTS #51, section 1.4.9.

    ``emoji.analyze`` is not used: it loses an emoji before a joiner where the joined sequence is not a listed one.
    """
    import emoji

    single = [text for text in emoji.EMOJI_DATA if len(text) == 1 and not _ANYWHERE.match(text)]
    colourable = [text for text in single if text + _SKIN_TONES[0] in emoji.EMOJI_DATA]
    tones = f"[{_SKIN_TONES[0]}-{_SKIN_TONES[-1]}]"
    tags = "(?:[\U000e0020-\U000e007e]+\U000e007f)?"
    element = f"(?:[{''.join(colourable)}]{_EMOJI_STYLE}?{tones}|[{''.join(single)}]{_EMOJI_STYLE}?){tags}"
    keycap = f"[0-9#*]{_EMOJI_STYLE}?\u20e3"
    return re.compile(f"{keycap}|{_FLAG.pattern}|{element}(?:\u200d{element})*")


def _is_shown_as_emoji(characters: str) -> bool:
    """Whether a match is an emoji and neither a character that is text by default nor the flag of no region."""
    import emoji

    if len(characters) > 1 and not _FLAG.fullmatch(characters):
        return True
    entry = emoji.EMOJI_DATA.get(characters)
    return entry is not None and entry["status"] == emoji.STATUS["fully_qualified"]


def _blanked(text: str) -> str:
    """The text with a space in place of every character of an emoji."""
    characters = list(text)
    for start, end in _spans(text):
        characters[start:end] = " " * (end - start)
    return "".join(characters)


def _sentences_of_line(line: str) -> int:
    found, start = 0, 0
    for mark in _END_OF_SENTENCE.finditer(line):
        before = line[start : mark.start()]
        if mark.group() == "." and (_ABBREVIATION.search(before) or _LIST_NUMBER.match(before)):
            continue
        found += any(character.isalnum() for character in before)
        start = mark.end()
    return found + any(character.isalnum() for character in line[start:])
