"""Refusals: replies in which a model declines, says that it has no views, or turns the question away.

A rule over English words, clause by clause, and no classifier, so that it can be read (`refusal_pattern`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from temperament.measure.protocol import Measurement, Score
from temperament.measure.refusal_pattern import (
    AS_A_MACHINE,
    BREAK,
    COMPILED,
    CONTRACTED,
    DOES_NOT,
    IS_MACHINE,
    PATTERNS,
    Clause,
    Kind,
)
from temperament.opinion.row import Opinions
from temperament.record import Record
from temperament.stats import Estimate, share
from temperament.trait import Target

# A clause that is of no other kind is an answer from so many words on.
LEAST_WORDS = 3


@dataclass(frozen=True)
class Verdict:
    """What a reply is.

    Attributes:
        refusal: how it refuses; None where it does not.
        is_disclaimed: it answers, and says beside it that it may not or has no views.
    """

    refusal: Kind | None = None
    is_disclaimed: bool = False


@dataclass(frozen=True)
class Refusal:
    """Scorer of refusals.

    ``refusal_share`` is the share of replies that decline ("I can't help with that"), disown ("As an AI I have no
    opinions") or deflect ("It's a matter of taste. What do you think?") and say nothing else. ``disclaimer_share`` is
    the share of those that decline or disown and answer all the same ("As an AI I have no feelings, but I think rain
    is lovely"); what follows need not be a view of the model's own. Neither holds an empty reply, which is gibberish.

    How good it is. None of the 400 answers of the split ``test`` of Opinion QA is called a refusal or a disclaimer; of
    the 4,900 answers of its other splits, at which it was mended, none is called a refusal and 8 a disclaimer. Of the
    refusals in its tests 20 were there when it was written. Four sets were written aside and tried once before it was
    widened to them: at first sight it found 23 of 24, 8 of 16 and 4 of 12, each set in odder words than the one before,
    and 9 of 12 in the usual words of chat models (the other 3 it called disclaimers). Of 956 replies of SmolLM2,
    untouched and edited, it calls 8 refusals, which one reader agrees with, and 33 disclaimers, some wrongly. So the
    share is a lower bound, and a model that refuses in unusual words is missed; ``findings/refusal.json`` has what the
    rule makes of the answers of a run.

    English only: of other languages it finds nothing. An explanation at length after a refusal counts as an answer.
    """

    name: str = "refusal"

    def read(self, records: Sequence[Record]) -> list[Score | None]:
        """``refusal`` (how, or None) and ``is_disclaimed`` of each record; None for a record without a reply."""
        return [None if record.reply is None else _score(verdict(record.reply)) for record in records]

    def measure(self, records: Sequence[Record], target: Target) -> list[Measurement]:  # noqa: ARG002 - the protocol's
        """``refusal_share`` and ``disclaimer_share``, with topics as clusters; the target plays no part."""
        scored = [(record.topic, score) for record, score in zip(records, self.read(records), strict=True) if score]
        topics = [topic for topic, _ in scored]
        return [
            Measurement("refusal_share", share([score["refusal"] is not None for _, score in scored], topics)),
            Measurement("disclaimer_share", share([score["is_disclaimed"] for _, score in scored], topics)),
        ]


@dataclass(frozen=True)
class RefusalCard:
    """What ``findings/refusal.json`` holds.

    Attributes:
        patterns: how many the rule has.
        answers: where the answers come from, none of which refuses.
        refusals: the share of them that is called a refusal.
        disclaimers: the share of them that is called a disclaimer.
    """

    patterns: int
    answers: str
    refusals: Estimate
    disclaimers: Estimate


def refusal_card(opinions: Opinions, asked: str) -> RefusalCard:
    """What the rule makes of the answers of a split, each once."""
    topic_of = {row.answer: row.topic for row in opinions if row.split == asked}
    found, topics = [verdict(answer) for answer in topic_of], list(topic_of.values())
    return RefusalCard(
        sum(len(patterns) for patterns in PATTERNS.values()),
        f"answers of the split '{asked}'",
        share([one.refusal is not None for one in found], topics),
        share([one.is_disclaimed for one in found], topics),
    )


def verdict(reply: str) -> Verdict:
    """Whether a reply refuses, disclaims and answers, or simply answers."""
    clauses = clauses_of(reply)
    kinds = [kind_of(clause) for clause in clauses]
    if any(IS_MACHINE.search(clause) for clause in clauses):
        # What a machine says that it does not do or have, whatever that is.
        kinds = [
            "disowned" if kind == "answer" and DOES_NOT.search(clause) else kind
            for clause, kind in zip(clauses, kinds, strict=True)
        ]
    refused: list[Kind] = [kind for kind in ("declined", "disowned") if kind in kinds]
    if refused:
        return Verdict(is_disclaimed=True) if "answer" in kinds else Verdict(refusal=refused[0])
    return Verdict(refusal="deflected") if "deflected" in kinds and "answer" not in kinds else Verdict()


def clauses_of(reply: str) -> list[str]:
    """The clauses of a reply, in lower case, contractions written out; 'as an AI' stands alone, as 'i am an ai'.

    A question keeps its mark.
    """
    text = reply.casefold().replace("\u2019", "'")
    for contracted, whole in CONTRACTED:
        text = contracted.sub(whole, text)
    text = AS_A_MACHINE.sub(". i am an ai. ", text).replace("?", " ?\n")
    return [clause for part in BREAK.split(text) if (clause := " ".join(part.strip(" ,\"'*_()").split()))]


def kind_of(clause: str) -> Clause | Literal["answer"] | None:
    """What a clause is; None where it has too few words to be anything."""
    for kind, patterns in COMPILED.items():
        if any(pattern.search(clause.removesuffix(" ?")) or pattern.search(clause) for pattern in patterns):
            return kind
    return "answer" if len(re.findall(r"\w+", clause)) >= LEAST_WORDS else None


def _score(found: Verdict) -> Score:
    return {"refusal": found.refusal, "is_disclaimed": found.is_disclaimed}
