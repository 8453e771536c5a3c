"""What came of asking a judge once."""

import re
from dataclasses import dataclass
from typing import Literal

from temperament.measure.judge.scale import HIGHEST, LOWEST
from temperament.subject.base import Reply
from temperament.subject.cost import estimated_tokens

# Why there is no rating.
Reason = Literal["", "nothing_to_judge", "unavailable", "failed", "unparsable", "out_of_scale", "broken", "too_long"]
REASONS: dict[Reason, str] = {
    "nothing_to_judge": "there was no reply to judge, or an empty one",
    "unavailable": "the server was busy, failed or was silent, at every attempt",
    "failed": "the server refused the call or gave no text",
    "unparsable": "the judge wrote something else than one number",
    "out_of_scale": "the judge wrote a number that is not on the scale",
    "broken": "the judge's probabilities are no finite numbers",
    "too_long": "the text does not fit into what the judge can read",
}
MOST_CHARACTERS = 300
_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
# A number alone, or behind a label; marks of emphasis, quotes and a full stop do no harm.
_NUMBER = re.compile(r"(?:(?:rating|score|answer)\s*[:=]\s*)?([-+]?\d+(?:\.\d+)?)\.?", re.IGNORECASE)


@dataclass(frozen=True)
class Verdict:
    """What came of one prompt.

    Attributes:
        value: 1 to 5, as the scale was shown; None where there is none, and then ``reason`` says why.
        said: the words of a judge that was asked for a number.
        probabilities: of "1" to "5" as the next token, which sum to 1, of a judge that was read.
        outside: probability of all other tokens.
        detail: what the reason was, in words.
        prompt_tokens: that the judge read.
        completion_tokens: that it wrote.
        is_estimated: the tokens were not reported.
        is_cached: nobody was asked, because it was known.
    """

    value: float | None
    said: str | None = None
    probabilities: tuple[float, ...] | None = None
    outside: float | None = None
    reason: Reason = ""
    detail: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    is_estimated: bool = False
    is_cached: bool = False


def verdict_of(reply: Reply, prompt: str) -> Verdict:
    """What a reply to a request for a number says."""
    prompt_tokens = estimated_tokens(prompt) if reply.prompt_tokens is None else reply.prompt_tokens
    tokens = estimated_tokens(reply.text or "") if reply.tokens is None else reply.tokens
    is_estimated = reply.prompt_tokens is None or reply.tokens is None
    if reply.text is None:
        reason: Reason = "unavailable" if reply.is_unavailable else "failed"
        detail = _clipped(str(reply.error))
        return Verdict(None, None, None, None, reason, detail, prompt_tokens, tokens, is_estimated)
    value, reason = parse_rating(reply.text)
    detail = "" if value is not None else REASONS[reason]
    said = _clipped(reply.text)
    return Verdict(value, said, None, None, reason, detail, prompt_tokens, tokens, is_estimated)


def parse_rating(text: str) -> tuple[float | None, Reason]:
    """The whole number from 1 to 5 that a text consists of, or why it is none.

    A thought in ``<think>`` before it is left out. "3 or 4", "4/5" and a sentence with a number in it are not guessed
    at, and a number beyond the scale is not moved onto it.
    """
    bare = _THOUGHT.sub("", text, count=1).strip().strip("*_`\"'").strip()
    found = _NUMBER.fullmatch(bare)
    if not found:
        return None, "unparsable"
    number = found.group(1)
    if not number.isascii() or number not in {str(step) for step in range(LOWEST, HIGHEST + 1)}:
        return None, "out_of_scale"
    return float(number), ""


def _clipped(text: str) -> str:
    """A text that can be written as UTF-8, and is not long."""
    whole = text.encode(errors="backslashreplace").decode()
    return whole if len(whole) <= MOST_CHARACTERS else f"{whole[:MOST_CHARACTERS]}..."
