"""What models say of their answers."""

from dataclasses import dataclass

from temperament.explain.finding.projection import Part
from temperament.explain.finding.unit import Reason
from temperament.stats import Estimate


@dataclass(frozen=True)
class Named:
    """A token that a model named.

    Attributes:
        token: as the model wrote it.
        count: answers in whose testimony it stands.
        is_emoji: whether it is one.
        is_fitting: whether it is on the list of what fits the pole; None where it is on the list of no pole.
    """

    token: str
    count: int
    is_emoji: bool
    is_fitting: bool | None


@dataclass(frozen=True)
class Quote:
    """A testimony, word for word.

    Attributes:
        topic: of the answer.
        answer: that it is about, as the witness saw it.
        reply: the testimony.
        named: tokens that it names; none where it was not understood.
    """

    topic: str
    answer: str
    reply: str
    named: tuple[str, ...]


@dataclass(frozen=True)
class Witness:
    """The testimony of one condition.

    Attributes:
        name: ``shaped``, ``untouched``, ``other trait``, ``decoys`` or ``shuffled``.
        asked: answers that it was asked about.
        understood: share of them with a testimony that names at least one token.
        in_answer: share of the named tokens that stand in the answer.
        top: the 50 most frequent.
        emoji: share of the named tokens that are emojis.
        fitting: of the named emojis that the list has for any pole, the share that fit this one.
        chance: ``fitting`` of as many tokens drawn at random from the same answers.
        emoji_chance: ``emoji`` of these.
        agreement: as in `TestimonyFinding`, of this witness; None where nothing was removed.
        accepted_own: of the tokens of the answer that ``decoys`` offers, the share that was named; None for others.
        accepted_decoys: the same of the offered tokens that no answer has.
        quotes: a few testimonies, those that were not understood among them.
    """

    name: str
    asked: int
    understood: Estimate
    in_answer: Estimate
    top: tuple[Named, ...]
    emoji: Estimate
    fitting: Estimate
    chance: Estimate
    emoji_chance: Estimate | None = None
    agreement: Estimate | None = None
    accepted_own: Estimate | None = None
    accepted_decoys: Estimate | None = None
    quotes: tuple[Quote, ...] = ()


@dataclass(frozen=True)
class TestimonyFinding:
    """What the model says of its own answers, and whether removal bears it out.

    Attributes:
        witnesses: the shaped model first, then the controls.
        fall: by how much the trait score falls when a named token goes.
        fall_random: the same of other tokens of the same answers, as many of each kind.
        agreement: area under the curve of the falls of named against other tokens: 0.5 is chance.
        demonstrations: for IKE, by how much the score falls without each demonstration.
        leanings: the same witnesses by likelihood: the tokens that they would sooner name when asked for their
            personality than for anything; none of a subject that gives no probabilities.
        missing: what could not be had.
    """

    witnesses: tuple[Witness, ...]
    fall: Estimate
    fall_random: Estimate
    agreement: Estimate
    demonstrations: tuple[Part, ...] = ()
    leanings: tuple[Witness, ...] = ()
    missing: tuple[Reason, ...] = ()
