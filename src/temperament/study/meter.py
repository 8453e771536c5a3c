"""What an edit does on one half of the questions and neutral texts: the meter that a budget is found with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from temperament.edit.base import Edit
from temperament.errors import RequestError
from temperament.measure.alignment import PoleReader, TraitAlignment
from temperament.measure.effect import effects
from temperament.measure.fluency import Fluency, Rule
from temperament.measure.gibberish import base_vocabulary, probes, rule_of
from temperament.measure.interview import Interview, Item
from temperament.measure.protocol import Score
from temperament.measure.reading import Likelihood, Reading, Text, passages, replies_of
from temperament.opinion.row import Opinions
from temperament.opinion.situation import load_passages
from temperament.record import Generation, Record
from temperament.stats import Estimate, paired_difference
from temperament.study.budget import Account, Cost, Gain, Limits
from temperament.study.plan import MeasurePlan
from temperament.study.scored import perplexity_ratio, signed_probability, traits_read
from temperament.subject.open import OpenSubject
from temperament.trait import Target

FEWEST_TOPICS = 2


@dataclass(frozen=True)
class Half:
    """What is asked and read on one side: no topic of it is on the other.

    Attributes:
        items: questions.
        passages: neutral texts.
    """

    items: tuple[Item, ...]
    passages: tuple[Text, ...]

    @property
    def topics(self) -> int:
        """Of the questions."""
        return len({item.topic for item in self.items})


@dataclass(frozen=True)
class Yardstick:
    """What both halves are measured by.

    Attributes:
        limits: of the budget.
        targets: that the edit is for; every other trait that the classifier knows by both poles is off target.
        classifier: reads the replies.
        rule: what is gibberish.
        vocabulary: words that are known.
        generation: how replies are drawn.
    """

    limits: Limits
    targets: tuple[Target, ...]
    classifier: PoleReader
    rule: Rule
    vocabulary: frozenset[str]
    generation: Generation


def halves(items: Sequence[Item], texts: Sequence[Text]) -> tuple[Half, Half]:
    """Questions and neutral texts in two halves, their topics taking turns.

    Raises:
        RequestError: there are fewer than four topics of questions or of texts, so that a half would have no interval.
    """
    found: list[Half] = []
    topics = list(dict.fromkeys(item.topic for item in items))
    for side in (0, 1):
        mine = set(topics[side::2])
        found.append(Half(tuple(item for item in items if item.topic in mine), tuple(texts[side::2])))
    if min(found[1].topics, len(found[1].passages)) < FEWEST_TOPICS:
        message = (
            f"a budget needs questions on at least {2 * FEWEST_TOPICS} topics and as many neutral texts, half of them "
            f"to confirm it: there are {len(topics)} and {len(texts)}. Give more opinions, or more --passages."
        )
        raise RequestError(message)
    return found[0], found[1]


def neutral_texts(count: int) -> tuple[Text, ...]:
    """Neutral passages that no method reads, behind those that the drawdown of a study is of by default."""
    return passages(count, load_passages(use="measure")[MeasurePlan().passages :])


def yardstick_of(
    subject: OpenSubject,
    opinions: Opinions,
    asked: str,
    classifier: PoleReader,
    targets: tuple[Target, ...],
    limits: Limits,
    generation: Generation,
) -> Yardstick:
    """The yardstick for a subject, with the rule for gibberish that its own reading of probes gives.

    Args:
        subject: untouched.
        opinions: from which words are known, and probes taken.
        asked: split that is asked.
        classifier: reads the replies.
        targets: of the edit.
        limits: of the budget.
        generation: how replies are drawn.
    """
    rule = rule_of(Reading(probes(opinions, asked)).administer(subject))
    return Yardstick(limits, targets, classifier, rule, base_vocabulary(opinions, asked), generation)


class HalfMeter:
    """Says what edits do on one half; the untouched model is asked and read when it is made.

    Attributes:
        subject: untouched.
        half: of the questions and the neutral texts.
        yardstick: what is measured, against which limits.
    """

    def __init__(self, subject: OpenSubject, half: Half, yardstick: Yardstick) -> None:
        self.subject, self.half, self.yardstick = subject, half, yardstick
        self._read = Reading(half.passages).administer(subject)
        self._said = self._scored(None)

    def account(self, edit: Edit, enough: float = math.inf) -> Account:
        """What an edit costs and gains; no reply is drawn where the neutral texts use up ``enough`` of a limit."""
        costs = self._text_costs(Reading(self.half.passages).administer(self.subject, edit=edit))
        if max(cost.spent for cost in costs) >= enough:
            return Account(tuple(costs), (), 0, len(self.half.passages))
        said = self._scored(edit)
        targets, most = self.yardstick.targets, self.yardstick.limits.off_target
        others = [
            Cost("off_target", most, self._moved(said, trait, 1.0), trait)
            for trait in traits_read(self.yardstick.classifier.labels)
            if trait not in {target.trait for target in targets}
        ]
        gains = [
            Gain(target.trait, target.pole, self._moved(said, target.trait, 1.0 if target.pole == "high" else -1.0))
            for target in targets
        ]
        found = (*costs, self._gibberish(said), *others)
        return Account(found, tuple(gains), len(self.half.items), len(self.half.passages))

    def _scored(self, edit: Edit | None) -> "_Said":
        """Replies, by what the classifier and the rule make of them."""
        interview = Interview(self.half.items, self.yardstick.generation)
        if edit is None:
            records = interview.administer(self.subject)
        else:
            with edit.applied(self.subject) as shaped:
                records = interview.administer(shaped)
        read = Reading(replies_of(records)).administer(self.subject)
        surprises = {row.id: -row.log_probability for row in read if row.log_probability is not None}
        fluency = Fluency(self.yardstick.rule, self.yardstick.vocabulary, surprises)
        return _Said(records, TraitAlignment(self.yardstick.classifier).read(records), fluency.read(records))

    def _text_costs(self, read: Sequence[Likelihood]) -> list[Cost]:
        limits = self.yardstick.limits
        # What does not fit into the model's window is read by neither.
        pairs = zip(self._read, read, strict=True)
        ratio = perplexity_ratio(
            (row.topic, before.log_probability, row.log_probability) for before, row in pairs if row.tokens
        )
        found = {one.metric: one.estimate for one in effects(read, self._read, None)}
        nothing = Estimate(None, None, None, 0)
        return [Cost("perplexity", limits.perplexity, ratio), Cost("kl", limits.kl, found.get("drawdown", nothing))]

    def _gibberish(self, said: "_Said") -> Cost:
        pairs = [
            (record.topic, float(one["gibberish"] is not None), float(other["gibberish"] is not None))
            for record, one, other in zip(said.records, self._said.fluency, said.fluency, strict=True)
            if one is not None and other is not None
        ]
        return Cost("gibberish", self.yardstick.limits.gibberish, _difference(pairs))

    def _moved(self, said: "_Said", trait: str, sign: float) -> Estimate:
        """The change of a trait's signed reading."""
        pairs = [
            (record.topic, signed_probability(one, trait), signed_probability(other, trait))
            for record, one, other in zip(said.records, self._said.alignment, said.alignment, strict=True)
        ]
        return _difference(
            [(topic, sign * one, sign * other) for topic, one, other in pairs if one is not None and other is not None]
        )


@dataclass(frozen=True)
class _Said:
    """Replies and their scores, in the order of the questions."""

    records: list[Record]
    alignment: list[Score | None]
    fluency: list[Score | None]


def _difference(pairs: Sequence[tuple[str, float, float]]) -> Estimate:
    """Of topic, value before and value after."""
    return paired_difference(
        [before for _, before, _ in pairs], [after for _, _, after in pairs], [topic for topic, _, _ in pairs]
    )
