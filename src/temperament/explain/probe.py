"""The same texts read under many conditions: models under an edit or none, with some units set to values."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from temperament.activation.forcing import GivenAnswers, applied, batches
from temperament.edit.base import Edit
from temperament.errors import RequestError
from temperament.explain.ablation import Levels, Numbers, Setting, by_site, recorded, replayed
from temperament.explain.finding import Unit
from temperament.explain.outcome import Reading, latent_mass, log_likelihood, tries_of, words_of
from temperament.explain.tail import Tails, can_branch
from temperament.explain.text import Text
from temperament.measure.beginning import START, Place
from temperament.measure.latent import Followed, LatentEmoji, vocabulary_of
from temperament.measure.spelling import spell
from temperament.measure.token_tree import TokenTree
from temperament.measure.written import Written, given_replies
from temperament.subject.anatomy import Site
from temperament.subject.base import Progress
from temperament.subject.open import OpenSubject

# How far beginnings of emojis are looked for, and how many of a text are read under every condition.
SEARCH = LatentEmoji(tolerance=0.0001, relative=0.05, depth=3, most=32)
TRIES = 16
# Values that are kept at a time of units to be set in another model, 128 MB of float32, and as many of the stream
# between layers.
RECORDED = 32_000_000

# One number a text, by the name of the outcome; NaN where there is none.
Values = dict[str, list[float]]
# Is given the number of a condition, a batch, its width and its logits.
_Take = Callable[[int, Sequence[int], int, Float[Tensor, "row column vocab"]], None]


@dataclass(frozen=True)
class From:
    """The values that units have at the same token of the same text in another state of the model.

    Attributes:
        edit: that is applied there; None is the untouched model.
    """

    edit: Edit | None = None


@dataclass(frozen=True, eq=False)
class Condition:
    """What is done to a model while it reads.

    Attributes:
        edit: that is applied; None is the untouched model.
        units: that are set; none reads the model as it is.
        values: what they are set to: those of another state, a level each, or 0 where it is None.
    """

    edit: Edit | None
    units: tuple[Unit, ...] = ()
    values: From | Levels | None = From()


class Probe:
    """Texts that are read under conditions.

    Which beginnings of emojis are followed is found once, in the edited and in the untouched model, and is the same
    under every condition; of models that cannot keep what they read none are followed.

    Attributes:
        texts: those that fit into the model's window on both sides, in order.
        topics: of these.
        names: of the outcomes.
    """

    def __init__(
        self,
        subject: OpenSubject,
        edit: Edit | None,
        texts: Sequence[Text],
        search: LatentEmoji = SEARCH,
        limit: int = TRIES,
    ) -> None:
        """Look for the beginnings of emojis.

        Args:
            subject: untouched.
            edit: whose beginnings count beside those of the untouched model.
            texts: to be read.
            search: how far is looked.
            limit: beginnings of a text that are read under every condition.

        Raises:
            RequestError: none of the texts can be read.
        """
        self._subject = subject
        self._spelled = spell(subject.tokenizer)
        self._tree = TokenTree(self._spelled[: vocabulary_of(subject)], subject.device)
        with torch.inference_mode():
            sides, written, found = self._searched((edit, None), texts, search)
            self._can_branch = limit > 0 and can_branch(sides, limit)
            # A long prompt may leave no room for the end of a reply: then one side has a position that the other lacks.
            rows = [(one, other) for one, other in zip(*(side.rows for side in sides), strict=True)]
            same = {n for n, (one, other) in enumerate(rows) if one and other and one.answer == other.answer}
            if not same:
                message = f"none of {len(texts)} texts can be read by {subject.name}: give texts that fit its window."
                raise RequestError(message)
            together = [[number for number in batch if number in same] for batch in batches(sides)]
        place = {number: place for place, number in enumerate(sorted(same))}
        self._batches = [[place[number] for number in batch] for batch in together if batch]
        self.texts = [texts[number] for number in place]
        self.topics = [text.topic for text in self.texts]
        most = limit if self._can_branch else 0
        self._tries = {place[n]: tries_of([side.get(n, []) for side in found], most) for n in place}
        self._rows = {place[number]: sides[0].row(number) for number in place}
        seen = {place[number]: written[number] for number in place}
        words = {number: words_of(one) for number, one in seen.items()}
        self._outcomes = (latent_mass(self._tries, seen, self._tree), log_likelihood(self._rows, words))
        self.names = tuple(outcome.name for outcome in self._outcomes)

    @property
    def unseen(self) -> str | None:
        """Why not every emoji can be seen; None where all can."""
        if not _can_write(self._tree, SEARCH.depth):
            return "no few tokens of the vocabulary together write an emoji"
        if self._can_branch:
            return None
        return (
            "the model cannot try tokens beside what it has read, so that an emoji is seen only where one token makes "
            "it certain"
        )

    @property
    def is_blind(self) -> bool:
        """No emoji can be seen, however probable: every latent mass would be 0."""
        return self.unseen is not None and not len(self._tree.after(START).certain)

    @property
    def tried(self) -> int:
        """Tokens that are tried beside the texts under every condition."""
        return sum(len(tries.nodes) for tries in self._tries.values())

    def values(self, conditions: Sequence[Condition], progress: Progress | None = None) -> list[Values]:
        """Every outcome of every text under every condition.

        Args:
            conditions: in any order; those on the same edit share what is read of prompts.
            progress: is told how many texts were read under a condition, of how many.

        Returns:
            Numbers in the order of ``texts``, for each condition.

        Raises:
            SeamError: a site of a unit does not exist.
        """
        count = len(self.texts)
        found: list[Values] = [{name: [math.nan] * count for name in self.names} for _ in conditions]
        done, total = 0, count * len(conditions)

        def take(number: int, batch: Sequence[int], width: int, logits: Float[Tensor, "row column vocab"]) -> None:
            nonlocal done
            for place, text in enumerate(batch):
                reading = self._reading(text, width, logits[place].float())
                for outcome in self._outcomes:
                    found[number][outcome.name][text] = outcome.value(text, reading)
            done += len(batch)
            if progress:
                progress(done, total)

        with torch.inference_mode():
            for batch in self._batches:
                for group in _groups(conditions):
                    self._read(batch, [(number, conditions[number]) for number in group], take)
        return found

    def _searched(
        self, edits: Sequence[Edit | None], texts: Sequence[Text], search: LatentEmoji
    ) -> tuple[list[GivenAnswers], dict[int, Written], list[dict[int, list[Followed]]]]:
        """The texts as they are read under each edit, what they write, and the beginnings that were followed."""
        sides: list[GivenAnswers] = []
        found: list[dict[int, list[Followed]]] = []
        written: dict[int, Written] = {}
        for edit in edits:
            with applied(edit, self._subject):
                given, more = self._given(texts)
                found.append(search.beginnings(given, more, self._tree))
            sides.append(given)
            written |= more
        return sides, written, found

    def _given(self, texts: Sequence[Text]) -> tuple[GivenAnswers, dict[int, Written]]:
        exchanges = [text.exchange for text in texts]
        return given_replies(self._subject, exchanges, [text.is_finished for text in texts], self._spelled)

    def _tails(self, batch: Sequence[int]) -> Tails:
        """A batch, as the model reads it at this moment."""
        given, _ = self._given([self.texts[number] for number in batch])
        nodes = [self._tries[number].nodes for number in batch] if self._can_branch else None
        return Tails(given, range(len(batch)), nodes)

    def _read(self, batch: Sequence[int], group: Sequence[tuple[int, Condition]], take: _Take) -> None:
        """Let the model read a batch under conditions that share an edit and where values are from."""
        edit, source = group[0][1].edit, group[0][1].values
        with applied(edit, self._subject):
            tails = self._tails(batch)
            streams = tails.streams(self._beginnings([condition for _, condition in group], len(batch) * tails.columns))
        for some in _parts(group, len(batch) * tails.columns):
            held = by_site([unit for _, condition in some for unit in condition.units])
            values = self._recorded(source.edit, batch, held) if isinstance(source, From) and held else {}
            with applied(edit, self._subject):
                for number, condition in some:
                    first = max((layer for layer in streams if layer <= _first(condition)), default=0)
                    with _setting(condition, held, values).applied(self._subject):
                        logits = tails.logits(first, streams.get(first))
                    take(number, batch, tails.width, logits)

    def _beginnings(self, conditions: Sequence[Condition], tokens: int) -> list[int]:
        """Layers at which passes may begin, because some conditions touch none before: those that save most."""
        width = self._subject.width(Site(0))
        used = Counter(_first(condition) for condition in conditions if condition.units)
        saved = sorted((layer for layer in used if layer), key=lambda layer: -layer * used[layer])
        kept = saved[: max(1, RECORDED // (tokens * width))]
        # The pass that keeps them costs as much as all layers.
        return kept if sum(layer * used[layer] for layer in kept) > self._subject.anatomy.layers else []

    def _recorded(self, edit: Edit | None, batch: Sequence[int], held: Numbers) -> Mapping[Site, Tensor]:
        """The values of units, in a pass that nothing is set in."""
        with applied(edit, self._subject):
            tails = self._tails(batch)
            with recorded(self._subject, held, tails.columns) as values:
                tails.logits()
        return values

    def _reading(self, number: int, width: int, logits: Float[Tensor, "column vocab"]) -> Reading:
        along = logits[width - len(self._rows[number].answer) : width]
        beside = logits[width : width + len(self._tries[number].nodes)]
        return Reading(along, along.logsumexp(dim=-1), beside, beside.logsumexp(dim=-1))


def _can_write(tree: TokenTree, depth: int) -> bool:
    """Whether an emoji is certain after some tokens: as many as are tried, and one more."""
    places, known = {START}, set[Place]()
    for _ in range(depth + 1):
        fates = [tree.after(place) for place in places]
        if any(len(one.certain) for one in fates):
            return True
        known |= places
        places = {place for one in fates for place in one.places} - known
    return False


def _groups(conditions: Sequence[Condition]) -> list[list[int]]:
    """Numbers of conditions that share an edit and where values are from."""
    found: dict[tuple[int, int | None], list[int]] = defaultdict(list)
    for number, condition in enumerate(conditions):
        source = id(condition.values.edit) if isinstance(condition.values, From) else None
        found[id(condition.edit), source].append(number)
    return list(found.values())


def _first(condition: Condition) -> int:
    """The first layer with a unit that is set; the pass is the same before it."""
    return min((unit.layer for unit in condition.units), default=0)


def _parts(group: Sequence[tuple[int, Condition]], tokens: int) -> Iterator[list[tuple[int, Condition]]]:
    """Conditions whose units together have as many values as may be kept at a time; at least one."""
    some: list[tuple[int, Condition]] = []
    units: set[Unit] = set()
    for number, condition in group:
        together = units.union(condition.units)
        if some and len(together) * tokens > RECORDED:
            yield some
            some, together = [], set(condition.units)
        some.append((number, condition))
        units = together
    if some:
        yield some


def _setting(condition: Condition, held: Numbers, values: Mapping[Site, Tensor]) -> Setting:
    if isinstance(condition.values, From):
        return replayed(condition.units, held, values)
    if condition.values is None:
        return Setting.to_zero(condition.units)
    return Setting.to_levels(condition.units, condition.values)
