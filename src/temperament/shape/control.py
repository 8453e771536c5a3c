"""Rows for control adapters: what an adapter does that learned as much, but nothing of its target."""

import hashlib
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from temperament.activation.forcing import Exchange, neutral_exchanges
from temperament.errors import RequestError
from temperament.opinion.row import Opinion, Opinions
from temperament.opinion.situation import Passage, load_passages
from temperament.trait import Target

Control = Literal["none", "neutral", "shuffled"]


def exchanges_for(rows: Sequence[Opinion], opinions: Opinions, control: Control, seed: int) -> list[Exchange]:
    """What an adapter learns whose target is shown by ``rows``: these, or as many that a control learns instead.

    Args:
        rows: that show one target.
        opinions: of all targets, which ``rows`` are among.
        control: ``none``; ``neutral`` passages, each cut after the sentence that makes it about as long as the answer
            in whose place it is; or answers ``shuffled`` over all targets, each as often as it is drawn without
            putting back.
        seed: of the draw, which another target draws otherwise.

    Raises:
        RequestError: there is nothing to shuffle, because all opinions show one target.
    """
    if control == "none":
        return [Exchange(row.question, row.answer) for row in rows]
    generator = np.random.default_rng([seed, _number(rows[0].target)])
    if control == "neutral":
        passages = load_passages(use="shape")
        # All of them, in one order after another.
        rounds = [generator.permutation(len(passages)) for _ in range(-(-len(rows) // len(passages)))]
        drawn = [passages[number] for order in rounds for number in order][: len(rows)]
        return neutral_exchanges([_cut(passage, row) for passage, row in zip(drawn, rows, strict=True)])
    if {row.target for row in opinions} == {rows[0].target}:
        message = (
            f"a control with shuffled labels was asked for, and every row of {opinions.name} shows {rows[0].target}: "
            f"give opinions of other targets too."
        )
        raise RequestError(message)
    order = generator.permutation(len(opinions))[: len(rows)]
    return [Exchange(opinions[int(number)].question, opinions[int(number)].answer) for number in order]


def _cut(passage: Passage, row: Opinion) -> Passage:
    """The passage up to the end of a sentence, as near to the words of an answer as whole sentences come."""
    sentences = re.split(r"(?<=[.!?])\s+", passage.text.strip())
    starts = [" ".join(sentences[: count + 1]) for count in range(len(sentences))]
    wanted = len(row.answer.split())
    return Passage(passage.topic, min(starts, key=lambda text: abs(len(text.split()) - wanted)), passage.source)


def _number(target: Target) -> int:
    return int.from_bytes(hashlib.sha256(str(target).encode()).digest()[:8])
