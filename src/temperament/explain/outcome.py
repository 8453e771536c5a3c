"""What is read off a model that reads given answers: one number a text, cheap enough for thousands of conditions."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from temperament.activation.forcing import Row
from temperament.explain.tail import Node
from temperament.measure.beginning import START, Place
from temperament.measure.emoji import emojis
from temperament.measure.latent import Followed
from temperament.measure.token_tree import TokenTree
from temperament.measure.written import Written

# Tokens of an answer before a beginning, and its own.
_Key = tuple[int, tuple[int, ...]]

LATENT_MASS, LOG_LIKELIHOOD = "latent_emoji_mass", "log_likelihood"


@dataclass(frozen=True, eq=False)
class Reading:
    """What a model would write next along an answer, and after each token that was tried beside it.

    Attributes:
        logits: one row for each token of the answer, of the positions that they are read off; float32.
        total: log of the summed exponentials of these.
        beside: logits after each node.
        beside_total: as ``total``.
    """

    logits: Float[Tensor, "token vocab"]
    total: Float[Tensor, " token"]
    beside: Float[Tensor, "node vocab"]
    beside_total: Float[Tensor, " node"]


@dataclass(frozen=True)
class Outcome:
    """Something to be measured on texts.

    Attributes:
        name: of it.
        value: takes the number of a text and its reading; NaN where there is nothing to measure.
    """

    name: str
    value: Callable[[int, Reading], float]


@dataclass(frozen=True)
class Tries:
    """Torn beginnings of emojis beside a text, the same under every condition.

    Attributes:
        nodes: tokens, each after the one that it goes on from.
        places: where each leads.
    """

    nodes: tuple[Node, ...] = ()
    places: tuple[Place, ...] = ()


def tries_of(found: Sequence[Sequence[Followed]], limit: int) -> Tries:
    """The beginnings after which emojis are most probable under any of some states, and what they go on from.

    Args:
        found: what was read further of one text, a list for each state.
        limit: of beginnings.
    """
    gains: dict[_Key, float] = {}
    places: dict[_Key, Place] = {}
    for torn, gain in (one for some in found for one in some):
        key = (torn.branch.kept, torn.branch.path)
        gains[key], places[key] = max(gains.get(key, 0.0), gain), torn.place
    kept: set[_Key] = set()
    for start, path in sorted(gains, key=lambda key: (-gains[key], len(key[1]), key)):
        needed = {(start, path[:length]) for length in range(1, len(path) + 1)} - kept
        if gains[start, path] > 0 and len(kept) + len(needed) <= limit:
            kept |= needed
    order = sorted(kept, key=lambda key: (len(key[1]), key))
    number = {key: place for place, key in enumerate(order)}
    nodes = tuple(Node(start, number.get((start, path[:-1])), path[len(path) - 1], len(path)) for start, path in order)
    return Tries(nodes, tuple(places[key] for key in order))


def latent_mass(tries: Mapping[int, Tries], written: Mapping[int, Written], tree: TokenTree) -> Outcome:
    """Latent emoji mass: the mean over positions of how probable it is that an emoji begins there.

    Counted are tokens after which an emoji is certain, at the position or after a beginning out of a fixed set. So it
    is a lower bound of the mass under any condition, and conditions can be compared. `LatentEmoji` says what a position
    and a beginning are.
    """
    certain = tree.after(START).certain
    walks = {number: _Walk(some, tree) for number, some in tries.items()}

    def value(number: int, reading: Reading) -> float:
        is_counted = ~torch.tensor(written[number].is_inside[: len(reading.logits)], device=reading.logits.device)
        positions = int(is_counted.sum())
        if not positions:
            return math.nan
        begun = (reading.logits[:, certain] - reading.total[:, None]).double().exp().sum(dim=1)[is_counted].sum()
        return float(begun + walks[number].mass(reading)) / positions

    return Outcome(LATENT_MASS, value)


def log_likelihood(rows: Mapping[int, Row], is_word: Mapping[int, Sequence[bool]]) -> Outcome:
    """How likely the words of the answers are, in nats a token; emojis are left out.

    It tells a condition that takes away emojis from one that takes away language.
    """

    def value(number: int, reading: Reading) -> float:
        kept = torch.tensor(is_word[number])
        if not bool(kept.any()):
            return math.nan
        tokens = torch.tensor(rows[number].answer, device=reading.logits.device)[: len(kept), None]
        taken = reading.logits[: len(kept)].gather(1, tokens).squeeze(1) - reading.total[: len(kept)]
        return float(taken.double()[kept.to(taken.device)].mean())

    return Outcome(LOG_LIKELIHOOD, value)


def words_of(written: Written) -> list[bool]:
    """Which tokens of an answer write no part of an emoji; the end, where there is one, is no token of it."""
    pieces = written.pieces[:-1]
    text = "".join(pieces)
    is_emoji = [False] * (len(text) + 1)
    start = 0
    for one in emojis(text):
        start = text.index(one, start)
        is_emoji[start : start + len(one)] = [True] * len(one)
        start += len(one)
    found: list[bool] = []
    first = 0
    for piece in pieces:
        # A token that completes no character writes a part of the next one.
        last = first + max(len(piece), 1)
        found.append(not any(is_emoji[first:last]))
        first += len(piece)
    return found


class _Walk:
    """Beginnings of emojis beside a text, a step at a time."""

    def __init__(self, tries: Tries, tree: TokenTree) -> None:
        self._count = len(tries.nodes)
        self._steps: list[tuple[Tensor, Tensor, Tensor]] = []
        for depth in sorted({node.depth for node in tries.nodes}):
            some = [(number, node) for number, node in enumerate(tries.nodes) if node.depth == depth]
            before = [node.kept if node.parent is None else node.parent for _, node in some]
            tokens = [node.token for _, node in some]
            self._steps.append(
                (torch.tensor([number for number, _ in some]), torch.tensor(before), torch.tensor(tokens))
            )
        by_place: dict[Place, list[int]] = defaultdict(list)
        for number, place in enumerate(tries.places):
            by_place[place].append(number)
        self._ends = [(torch.tensor(numbers), tree.after(place).certain) for place, numbers in by_place.items()]

    def mass(self, reading: Reading) -> Float[Tensor, ""]:
        """The probability that an emoji is certain after one of the beginnings, summed over positions."""
        reached = torch.zeros(self._count, dtype=torch.float64, device=reading.logits.device)
        for depth, (numbers, before, tokens) in enumerate(self._steps):
            logits, total = (reading.beside, reading.beside_total) if depth else (reading.logits, reading.total)
            step = (logits[before, tokens] - total[before]).double().exp()
            reached[numbers] = step * reached[before] if depth else step
        found = reached.new_zeros(())
        for numbers, certain in self._ends:
            after = reading.beside[numbers][:, certain] - reading.beside_total[numbers, None]
            found = found + (reached[numbers] * after.double().exp().sum(dim=1)).sum()
        return found
