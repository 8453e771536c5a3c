"""How likely the answers of both poles are, and neutral ones, under whatever edits are applied.

``p+`` and ``p-`` of SCIENCE.md are `pole_likelihoods`; `divergence` is its drawdown.
"""

import math
from collections.abc import Sequence
from typing import TypeVar

import torch

from temperament.activation.forcing import Exchange, Row, divergences, encoded, log_probabilities
from temperament.edit.base import Edit
from temperament.errors import RequestError
from temperament.shape.pair import Pair
from temperament.subject.cache import shared_length
from temperament.subject.open import OpenSubject

Found = TypeVar("Found")


def exchanges_of(pairs: Sequence[Pair]) -> list[Exchange]:
    """Two of each pair: the answer that shows the target, then the other."""
    return [Exchange(row.question, row.answer) for pair in pairs for row in (pair.shown, pair.other)]


def pole_likelihoods(subject: OpenSubject, pairs: Sequence[Pair]) -> list[tuple[float, float]]:
    """``p+`` and ``p-`` of each pair: the mean log-probability (natural, 0 or less) per token of each of its answers.

    Raises:
        RequestError: an answer does not fit into the model's window.
    """
    exchanges = exchanges_of(pairs)
    means = [float(one.mean()) for one in whole(subject, exchanges, log_probabilities(subject, exchanges))]
    return list(zip(means[::2], means[1::2], strict=True))


def perplexity(subject: OpenSubject, exchanges: Sequence[Exchange]) -> float:
    """Of the answers' tokens, every token alike; infinite where a token has no probability.

    Raises:
        RequestError: an answer does not fit into the model's window.
    """
    mean = float(torch.cat(whole(subject, exchanges, log_probabilities(subject, exchanges))).double().mean())
    return math.exp(-mean) if mean > -700 else math.inf


def divergence(subject: OpenSubject, edit: Edit, exchanges: Sequence[Exchange]) -> float:
    """The mean over the answers' tokens of KL(subject || subject under the edit), in nats, 0 or more.

    Raises:
        RequestError: an answer does not fit into the model's window.
    """
    found = whole(subject, exchanges, divergences(subject, exchanges, edit))
    return float(torch.cat([moved for moved, _ in found]).double().mean())


def tokens_read(subject: OpenSubject, exchanges: Sequence[Exchange]) -> int:
    """What one pass over the exchanges costs: what they all begin with counts once.

    Raises:
        RequestError: an answer does not fit into the model's window.
    """
    rows: list[Row] = whole(subject, exchanges, encoded(subject, exchanges))
    shared = shared_length([row.prompt for row in rows])
    return shared + sum(len(row.prompt) + len(row.answer) - shared for row in rows)


def whole(subject: OpenSubject, exchanges: Sequence[Exchange], found: Sequence[Found | None]) -> list[Found]:
    """What was found of each exchange.

    Raises:
        RequestError: of one nothing was, because it does not fit into the model's window.
    """
    kept = [one for one in found if one is not None]
    if len(kept) < len(found):
        missing = next(exchange for exchange, one in zip(exchanges, found, strict=True) if one is None)
        message = (
            f"the answer that begins '{missing.answer[:40]}' was to be read whole, behind what is read before it: "
            f"{subject.name} reads at most {subject.window} tokens. Shorten it."
        )
        raise RequestError(message)
    return kept
