"""Latent emoji mass: how probable an emoji was at every position of a reply, whether or not one was written."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from temperament.activation.branch import Branch, BranchReader
from temperament.activation.forcing import Exchange, GivenAnswers, applied, batches
from temperament.edit.base import Edit
from temperament.errors import RequestError, SeamError
from temperament.measure.beginning import START, Place
from temperament.measure.protocol import Measurement
from temperament.measure.spelling import Spelling, spell
from temperament.measure.token_tree import TokenTree
from temperament.measure.written import Written, given_replies
from temperament.record import Record, read_lines, write_lines
from temperament.stats import Estimate, average, paired_difference
from temperament.subject.base import Progress, Subject
from temperament.subject.open import OpenSubject

# Replies that are read before progress is told.
CHUNK = 32
# Of the tolerance: a beginning that is lighter is never read further.
LIGHT = 0.001

Masses = NDArray[np.float64]


@dataclass(frozen=True)
class LatentMass:
    """The latent emoji mass of one reply.

    Attributes:
        item: of its record.
        topic: of its record.
        positions: at which an emoji could have begun; 0 where the reply does not fit into the model's window.
        lower: mean over these positions of the lower bound; None where there are none, or no finite numbers.
        upper: mean of the upper bound.
        highest: lower bound at the position where it is highest.
        lowers: lower bound at each position, to three digits; None inside an emoji or a character. The last one is
            where the model ended, if it ended by itself.
        pieces: what was written at each position: the characters that its token completed; the end writes nothing.
    """

    item: str
    topic: str
    positions: int
    lower: float | None
    upper: float | None
    highest: float | None
    lowers: tuple[float | None, ...]
    pieces: tuple[str, ...]

    @property
    def is_broken(self) -> bool:
        """The reply was read, and what the model made of it is no finite number."""
        return self.positions > 0 and self.lower is None


@dataclass(frozen=True)
class Torn:
    """A beginning that may become an emoji: some tokens after a position of a reply.

    Attributes:
        branch: the tokens; its row is a place in the batch that was searched.
        place: where they lead.
        mass: their probability at the position.
    """

    branch: Branch
    place: Place
    mass: float


class Followed(NamedTuple):
    """A beginning that was read further, and the probability at its position that an emoji is certain a token later."""

    torn: Torn
    gain: float


@dataclass(frozen=True)
class LatentEmoji:
    """Instrument that lets a subject read a cell's own replies and keeps how probable an emoji was at each position.

    The mass of a position is the probability that the text which follows begins with an emoji, after white space or
    none, where the model draws from its whole distribution at temperature 1. Positions are those between characters
    and outside emojis: the rest of an emoji that has begun is no new one. An emoji has begun as soon as no other
    character can come of the bytes (`beginning.advance`).

    Tokens after which that is so are the lower bound. Tokens that may still become an emoji or something else (a lead
    byte shared with other characters, a character that is text by default, a digit that may become a keycap, white
    space) count in the upper bound alone. The heaviest of a reply are read a step further, then the heaviest of what
    is left and of what came of them, until the bounds of the reply are near enough; the rest stays between them.

    Attributes:
        tolerance: how far apart the bounds of a reply (means over its positions) may stay.
        relative: the same as a share of the upper bound; the wider of the two serves.
        depth: tokens that are tried after a position at most; 0 tries none.
        most: beginnings that are read further at most, of one reply.

    Raises:
        RequestError: a setting makes no sense.

    Departs: replies are drawn at a temperature and from a nucleus, which cut off most of what is latent, so neither is
    applied here.
    """

    tolerance: float = 0.001
    relative: float = 0.1
    depth: int = 4
    most: int = 256

    def __post_init__(self) -> None:
        if not (0 < self.tolerance <= 1 and 0 <= self.relative <= 1 and self.depth >= 0 and self.most >= 0):
            message = (
                f"tolerance {self.tolerance:g}, relative {self.relative:g}, depth {self.depth} and most {self.most} "
                f"were asked for: the tolerance is above 0 and at most 1, relative from 0 to 1, the others are 0 or "
                f"more."
            )
            raise RequestError(message)

    def administer(
        self,
        subject: Subject,
        records: Sequence[Record],
        store: Path | None = None,
        progress: Progress | None = None,
        edit: Edit | None = None,
    ) -> list[LatentMass]:
        """Read the replies, each after its own prompt.

        Args:
            subject: untouched; the edit is applied and taken away here.
            records: of the cell; those without any text are left out.
            store: file of JSON lines that keeps what was found, whole or not at all; one that exists is read instead.
            progress: told how many replies are read, of how many.
            edit: of the cell; it may change the prompt, too.

        Raises:
            SeamError: the subject's weights are not at hand.
        """
        if store is not None and store.exists():
            return read_lines(store, LatentMass)
        if not isinstance(subject, OpenSubject):
            message = (
                f"{subject.name} gives replies and no probabilities: latent emoji mass needs a model whose weights are "
                f"at hand."
            )
            raise SeamError(message)
        replies = [record for record in records if record.reply is not None and record.reply.strip()]
        spelled = spell(subject.tokenizer)
        tree = TokenTree(spelled[: vocabulary_of(subject)], subject.device)
        found: dict[int, LatentMass] = {}
        order = sorted(range(len(replies)), key=lambda place: (len(replies[place].reply or ""), place))
        with torch.inference_mode(), applied(edit, subject):
            for start in range(0, len(order), CHUNK):
                places = order[start : start + CHUNK]
                some = self._read(subject, [replies[place] for place in places], tree, spelled)
                found.update(zip(places, some, strict=True))
                if progress:
                    progress(len(found), len(order))
        rows = [found[place] for place in range(len(replies))]
        if store is not None:
            write_lines(store, rows)
        return rows

    def beginnings(
        self, given: GivenAnswers, written: Mapping[int, Written], tree: TokenTree
    ) -> dict[int, list[Followed]]:
        """What is read further of each reply, by its number; a beginning comes after those that it goes on from.

        To be asked without gradients, while the edits are applied under which the replies were given.
        """
        found: dict[int, list[Followed]] = {}
        for batch, search in self._searches(given, written, tree):
            found.update(zip(batch, search.followed, strict=True))
        return found

    def _searches(
        self, given: GivenAnswers, written: Mapping[int, Written], tree: TokenTree
    ) -> Iterator[tuple[list[int], "_Search"]]:
        """Numbers of replies that are searched together, and the search of them, which is done."""
        for batch in batches([given]):
            reader = BranchReader(given, batch)
            logits = [given.of_answer(reader.logits[place], number) for place, number in enumerate(batch)]
            search = _Search(self, reader, tree, [written[number].is_inside for number in batch])
            search.run(logits)
            yield batch, search

    def _read(
        self, subject: OpenSubject, records: Sequence[Record], tree: TokenTree, spelled: Spelling
    ) -> list[LatentMass]:
        exchanges = [Exchange(record.question, record.reply or "") for record in records]
        given, written = given_replies(subject, exchanges, [bool(record.is_finished) for record in records], spelled)
        found: dict[int, LatentMass] = {}
        for batch, search in self._searches(given, written, tree):
            for number, (lowers, uppers) in zip(batch, search.bounds, strict=True):
                found[number] = _row(records[number], lowers, uppers, written[number])
        return [found.get(number) or _unread(record) for number, record in enumerate(records)]


def latent_masses(rows: Sequence[LatentMass]) -> list[Measurement]:
    """``latent_emoji_mass`` and ``latent_emoji_mass_upper``: means over replies of the bounds, with topics as clusters.

    A reply counts once, however long. Both are withheld where one reply was read and gave no finite number, because a
    mean over the others would not be that of the cell.
    """
    return [
        Measurement("latent_emoji_mass", _mean(rows, [row.lower for row in rows])),
        Measurement("latent_emoji_mass_upper", _mean(rows, [row.upper for row in rows])),
    ]


def latent_mass_change(rows: Sequence[LatentMass], untouched: Sequence[LatentMass]) -> Measurement:
    """``latent_emoji_mass_change``: paired difference of the lower bounds to the untouched model, item by item.

    Each model reads its own replies. Items that only one of the two has a figure for are left out.
    """
    before = {row.item: row.lower for row in untouched if row.lower is not None}
    after = {row.item: row for row in rows if row.lower is not None and row.item in before}
    estimate = paired_difference(
        [before[item] for item in after],
        [row.lower or 0.0 for row in after.values()],
        [row.topic for row in after.values()],
    )
    return Measurement("latent_emoji_mass_change", estimate)


class _Search:
    """The search for the bounds of a batch of replies."""

    def __init__(
        self, settings: LatentEmoji, reader: BranchReader, tree: TokenTree, is_inside: Sequence[Sequence[bool]]
    ) -> None:
        self.settings = settings
        self.reader = reader
        self.tree = tree
        self.is_inside = is_inside
        self.lower: list[Masses] = []
        # Mass that may still become an emoji, and the beginnings of it that may be read further.
        self.unknown: list[Masses] = []
        self.torn: list[list[Torn]] = []
        self.followed: list[list[Followed]] = [[] for _ in is_inside]

    def run(self, logits: Sequence[Float[Tensor, "_ vocab"]]) -> None:
        """Search, from the logits at the positions of each reply."""
        for row, each in enumerate(logits):
            self.torn.append(list(self._begin(row, each)))
        while chosen := [one for row in range(len(logits)) for one in self._take_heaviest(row)]:
            for number, following in self.reader.after([one.branch for one in chosen]):
                row = chosen[number].branch.row
                self.torn[row] += self._follow(chosen[number], following)

    @property
    def bounds(self) -> list[tuple[Masses, Masses]]:
        """Lower and upper bound at each position of each reply; NaN inside emojis, and where the model broke down."""
        return [
            (lower.clip(0, 1), (lower + unknown.clip(0)).clip(0, 1))
            for lower, unknown in zip(self.lower, self.unknown, strict=True)
        ]

    def _begin(self, row: int, logits: Float[Tensor, "_ vocab"]) -> Iterator[Torn]:
        """What the model's own next tokens are worth at each position of a reply, and the heaviest of the torn."""
        fates = self.tree.after(START)
        is_inside = torch.tensor(self.is_inside[row][: len(logits)], device=logits.device)
        total = logits.logsumexp(dim=-1, keepdim=True)
        certain = (logits[:, fates.certain] - total).double().exp().sum(dim=-1).masked_fill(is_inside, math.nan)
        torn = (logits[:, fates.torn] - total).double().exp().masked_fill(is_inside[:, None], 0.0)
        self.lower.append(certain.cpu().numpy())
        self.unknown.append(torn.sum(dim=-1).cpu().numpy())
        for mass, place in self._top(torn.flatten()):
            token, number = divmod(place, len(fates.places))
            yield Torn(Branch(row, token, (int(fates.torn[number]),)), fates.places[number], mass)

    def _follow(self, one: Torn, logits: Float[Tensor, " vocab"]) -> Iterator[Torn]:
        """What comes of a torn beginning; nothing is known where the model broke down."""
        row, token = one.branch.row, one.branch.kept
        total = logits.logsumexp(dim=-1)
        if not bool(total.isfinite()):
            self.followed[row].append(Followed(one, 0.0))
            return
        fates = self.tree.after(one.place)
        gain = one.mass * float((logits[fates.certain] - total).double().exp().sum())
        self.followed[row].append(Followed(one, gain))
        self.lower[row][token] += gain
        torn = one.mass * (logits[fates.torn] - total).double().exp()
        self.unknown[row][token] += float(torn.sum()) - one.mass
        for mass, number in self._top(torn):
            yield Torn(
                replace(one.branch, path=(*one.branch.path, int(fates.torn[number]))), fates.places[number], mass
            )

    def _top(self, masses: Float[Tensor, " token"]) -> Iterator[tuple[float, int]]:
        """The heaviest and their places; what is too light to be read further stays unknown."""
        heaviest = masses.topk(min(self.settings.most, len(masses)))
        for mass, place in zip(heaviest.values.tolist(), heaviest.indices.tolist(), strict=True):
            if not mass > self.settings.tolerance * LIGHT:
                return
            yield mass, place

    def _take_heaviest(self, row: int) -> list[Torn]:
        """As few beginnings of a reply as would leave half of what may stay unknown; none where it is known enough."""
        unknown, allowed = float(self.unknown[row].sum()), self._allowed(row)
        if not unknown > allowed:
            return []
        candidates = [one for one in self.torn[row] if len(one.branch.path) <= self.settings.depth]
        candidates = [one for one in candidates if self.reader.fits(one.branch)]
        candidates.sort(key=lambda one: -one.mass)
        chosen: list[Torn] = []
        for one in candidates[: self.settings.most - len(self.followed[row])]:
            chosen.append(one)
            unknown -= one.mass
            if unknown <= allowed / 2:
                break
        self.torn[row] = candidates[len(chosen) :]
        return chosen

    def _allowed(self, row: int) -> float:
        """How much mass of a reply may stay unknown, summed over its positions."""
        is_counted = ~np.isnan(self.lower[row])
        upper = float((self.lower[row] + self.unknown[row])[is_counted].sum())
        return max(self.settings.tolerance * int(is_counted.sum()), self.settings.relative * upper)


def vocabulary_of(subject: OpenSubject) -> int:
    """How many tokens the model gives probabilities to; its tokenizer may know more, or fewer."""
    config: Any = subject.model.config
    return int(config.get_text_config().vocab_size)


def _row(record: Record, lowers: Masses, uppers: Masses, written: Written) -> LatentMass:
    is_counted = ~np.array(written.is_inside[: len(lowers)])
    kept = lowers[is_counted]
    is_sound = kept.size > 0 and bool(np.isfinite(kept).all()) and bool(np.isfinite(uppers[is_counted]).all())
    return LatentMass(
        item=record.item,
        topic=record.topic,
        positions=int(is_counted.sum()),
        lower=_rounded(kept.mean()) if is_sound else None,
        upper=_rounded(uppers[is_counted].mean()) if is_sound else None,
        highest=_rounded(kept.max()) if is_sound else None,
        lowers=tuple(float(f"{mass:.3g}") if math.isfinite(mass) else None for mass in lowers.tolist()),
        pieces=written.pieces[: len(lowers)],
    )


def _unread(record: Record) -> LatentMass:
    return LatentMass(record.item, record.topic, 0, None, None, None, (), ())


def _rounded(value: float) -> float:
    """Six digits: the bounds of models that write no emojis differ in the seventh place."""
    return float(f"{value:.6g}")


def _mean(rows: Sequence[LatentMass], values: Sequence[float | None]) -> Estimate:
    """The mean with topics as clusters, its interval within 0 and 1; withheld where a reply broke."""
    known = [(row.topic, value) for row, value in zip(rows, values, strict=True) if value is not None]
    if any(row.is_broken for row in rows):
        return Estimate(None, None, None, len(known))
    found = average([value for _, value in known], [topic for topic, _ in known])
    lower, upper = (None if bound is None else min(max(bound, 0.0), 1.0) for bound in (found.lower, found.upper))
    return replace(found, lower=lower, upper=upper)
