"""Texts that carry no trait, neutral ones and spoiled answers; and beside them texts that do, and are no answers."""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeVar

from temperament.opinion.row import Opinion
from temperament.opinion.situation import Use, load_passages, load_portraits, load_situations
from temperament.record import read_lines

# Answers that are spoiled, of each way to spoil them: for learning, and for assessing what was learned.
LEARNED, ASSESSED = 80, 60
# Answers of which the first sentence stands alone, of both uses.
SENTENCES = {"shape": 280, "measure": 60}
# Answers that a patchwork is made of.
PATCHES = 5

Value = TypeVar("Value")
Spoiler = Callable[[Opinion], str]


@dataclass(frozen=True)
class Traitless:
    """A text that carries no trait.

    Attributes:
        kind: what it is, in words.
        topic: what texts cluster by; that of the answer which was spoiled, or its own.
        text: as it is read.
    """

    kind: str
    topic: str
    text: str


@dataclass(frozen=True)
class _Line:
    kind: Literal["plain", "platitude"]
    topic: str
    text: str


# Names of the kinds that stand beside those of `gibberish.SPOILERS`.
PASSAGES, PLAIN, PLATITUDES = "neutral passages", "everyday facts", "platitudes"
SHUFFLED, PATCHWORK, CHAIN = "words shuffled", "patchwork of five answers", "chain of words"
QUESTIONS, SITUATIONS = "questions", "situations"
FIRST_SENTENCES, PORTRAITS = "first sentences", "portraits in the second person"
_NAMES: Mapping[str, str] = {"plain": PLAIN, "platitude": PLATITUDES}


def traitless(rows: Sequence[Opinion], use: Use, count: int | None = None) -> tuple[Traitless, ...]:
    """Texts that carry no trait, kind by kind.

    No text is for both uses where the rows are not: neutral texts are divided, spoiled ones are made of the rows.
    Neutral passages come whole and as their first sentence, so that length says nothing. Two kinds are for assessing
    alone, so that they say something of texts of which nothing was learned: questions, and situations that favour
    neither pole and end in a question.

    Args:
        rows: different answers, to be spoiled.
        use: ``shape`` to learn from, ``measure`` to assess.
        count: of each way to spoil; None is 80 to learn from, 60 to assess.
    """
    chosen = spread(rows, count or (LEARNED if use == "shape" else ASSESSED))
    found = [
        Traitless(PASSAGES, passage.topic, text)
        for passage in load_passages(use=use)
        for text in (passage.text, _first_sentence(passage.text))
    ]
    found += _written(use)
    for kind, spoil in _spoilers(rows).items():
        found += [Traitless(kind, row.topic, spoil(row)) for row in chosen]
    if use == "measure":
        unlearned = [one for one in load_situations() if one.split == "test"][:: 120 // ASSESSED]
        found += [Traitless(QUESTIONS, row.topic, row.question) for row in chosen]
        found += [Traitless(SITUATIONS, f"situation {at}", one.question) for at, one in enumerate(unlearned)]
    return tuple(found)


def carriers(rows: Sequence[Opinion], labels: Sequence[str], use: Use) -> dict[str, tuple[Opinion, ...]]:
    """Texts that carry a trait and are no whole answers, by what they are, so that short or strange is not traitless.

    Args:
        rows: different answers, of which first sentences are taken.
        labels: of the poles that portraits are wanted of.
        use: ``shape`` to learn from, ``measure`` to assess; no portrait is for both.
    """
    sentences = [replace(row, answer=_first_sentence(row.answer)) for row in spread(rows, SENTENCES[use])]
    portraits = [
        Opinion(one.trait, one.pole, "", f"portrait {at}", "Who are you?", one.text, "measure", one.source)
        for at, one in enumerate(load_portraits())
        if at % 2 == (use == "measure") and f"{one.trait}:{one.pole}" in labels
    ]
    return {FIRST_SENTENCES: tuple(sentences), PORTRAITS: tuple(portraits)}


def spread(rows: Sequence[Value], count: int) -> list[Value]:
    """So many values, spread over all of them."""
    step = len(rows) / max(min(count, len(rows)), 1)
    return [rows[int(number * step)] for number in range(min(count, len(rows)))]


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", text)[0]


def _written(use: Use) -> list[Traitless]:
    """Everyday facts in the first person, and sentences that say nothing: every second is for either use."""
    lines = read_lines(Path(str(files("temperament.measure") / "traitless.jsonl")), _Line)
    return [Traitless(_NAMES[line.kind], line.topic, line.text) for line in lines[use == "measure" :: 2]]


def _spoilers(rows: Sequence[Opinion]) -> dict[str, Spoiler]:
    """The ways to spoil an answer; an empty reply is no text, and left out."""
    # Beside torch, which reading replies needs and asking for a classifier's labels does not.
    from temperament.measure.gibberish import SPOILERS, shuffled

    found: dict[str, Spoiler] = {SHUFFLED: lambda row: shuffled(row.answer)}
    for kind, spoil in SPOILERS.items():
        if kind != "empty replies":
            found[kind] = lambda row, spoil=spoil: spoil(row.answer)
    follows = _follows(rows)
    return {**found, PATCHWORK: lambda row: _patchwork(row, rows), CHAIN: lambda row: _chain(row, follows)}


def _patchwork(row: Opinion, rows: Sequence[Opinion]) -> str:
    """Stretches of five to nine words, of an answer and of others that show other poles: each of them makes sense."""
    draw = random.Random(f"patchwork {row.answer}")
    others = [other for other in rows if (other.trait, other.pole) != (row.trait, row.pole)]
    words: list[str] = []
    for one in [row, *draw.sample(others, min(PATCHES - 1, len(others)))]:
        said = one.answer.split()
        length = min(draw.randint(5, 9), len(said))
        start = draw.randint(0, len(said) - length)
        words += said[start : start + length]
    return " ".join(words)


def _follows(rows: Sequence[Opinion]) -> dict[str, list[str]]:
    """The words that follow each word, with "" for the beginning and the end."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        words = row.answer.split()
        for one, other in zip(["", *words], [*words, ""], strict=True):
            found[one].append(other)
    return found


def _chain(row: Opinion, follows: Mapping[str, Sequence[str]]) -> str:
    """As many words as an answer has, each of which follows the one before it in some answer."""
    draw, length = random.Random(f"chain {row.answer}"), len(row.answer.split())
    words: list[str] = []
    last = ""
    while len(words) < length:
        last = draw.choice(follows[last])
        if last:
            words.append(last)
    return " ".join(words)
