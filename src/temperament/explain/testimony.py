"""Testimony: what a shaped model says of its own answers, beside witnesses who cannot know, and what removal says.

Source: Jain et al., arXiv 2409.10245, section on in-context explainability: the shaped model is asked which tokens of
its answer express the trait; the 50 most frequent are pooled, and the emojis among them are looked at.
Departs: the trait is not named to the model; greedy; four controls and a chance level; and the trait score of answers
without the named tokens.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from temperament.edit.base import Edit
from temperament.errors import RequestError
from temperament.explain.demonstration import Asked, demonstration_parts
from temperament.explain.finding import Named, Part, Quote, Reason, TestimonyFinding, Witness
from temperament.explain.fitting import is_fitting
from temperament.explain.hearing import Answer, Heard, WitnessName, answers_of, hear_all, requests_for
from temperament.explain.leaning import leanings
from temperament.explain.removal import Naming, Removal, Score, removals
from temperament.explain.testimony_prompt import Form
from temperament.explain.testimony_token import content_of, key_of
from temperament.explain.text import Text
from temperament.measure.emoji import emojis
from temperament.record import Generation, Record
from temperament.stats import Estimate, ratio, share
from temperament.subject.base import Progress, Subject
from temperament.subject.open import OpenSubject
from temperament.trait import Target

NOTHING = Estimate(None, None, None, 0)
QUOTES = 3


@dataclass(frozen=True)
class TestimonyLens:
    """Asks models which tokens of answers express their personality, and takes these tokens away.

    Five witnesses are asked about the same answers: the ``shaped`` model; the ``untouched`` one; one shaped for an
    ``other trait``; the shaped one with ``decoys`` offered beside tokens of the answer; and the shaped one with the
    words of the answer ``shuffled``.

    A model of which the probabilities are at hand is also asked without being let speak (`leanings`): small ones lean
    to name something and cannot say it.

    Attributes:
        score: the trait score of texts, such as `target_probability` of a classifier; None removes nothing.
        other: an edit for another trait; None leaves that witness out.
        answers: that each witness is asked about, at most.
        top: tokens that are kept of each witness, the most frequent first.
        demonstrated: answers whose likelihood is read without each demonstration, for IKE.
        form: how answers are put before witnesses; ``dialogue`` is for larger models.
        generation: of testimonies; its seed also shuffles and draws.
    """

    score: Score | None = None
    other: Edit | None = None
    answers: int = 24
    top: int = 50
    demonstrated: int = 4
    form: Form = "quoted"
    generation: Generation = Generation(temperature=0.0, max_new_tokens=60)

    def look(
        self,
        subject: Subject,
        edit: Edit,
        texts: Sequence[Record] | Sequence[Text],
        target: Target,
        store: Path | None = None,
        progress: Progress | None = None,
    ) -> TestimonyFinding:
        """Hear the witnesses on the shaped model's answers.

        Args:
            subject: without the edit; a closed one can testify too.
            edit: that the answers were written under.
            texts: the answers, with their questions.
            target: of the edit.
            store: file of JSON lines that keeps the testimonies; one that exists is read and nobody is asked.
            progress: is told testimonies, of all.

        Raises:
            RequestError: no text has an answer, or ``other`` is for the same trait.
            MismatchError: an edit was fitted to another model, or the store belongs to something else.
            SeamError: the subject lacks the seam that an edit needs.
            WorkError: the score gives something else than a finite number a text.
        """
        answers = answers_of(texts, self.answers, self.generation.seed)
        self._check(answers, target)
        names: dict[WitnessName, Edit | None] = {"shaped": edit, "untouched": None}
        if self.other is not None:
            names["other trait"] = self.other
        names |= {"decoys": edit, "shuffled": edit}
        asked = {
            name: (by, requests_for(name, subject, by, answers, self.generation, self.form))
            for name, by in names.items()
        }
        heard: defaultdict[str, list[Heard]] = defaultdict(list)
        for row in hear_all(subject, list(asked.values()), store, progress):
            heard[row.witness].append(row)
        removed, missing = self._removed(heard, answers)
        parts, none = self._demonstrations(subject, edit, answers)
        shaped = removed["shaped"] if removed else Removal(NOTHING, NOTHING, NOTHING)
        leaning, silent = self._leanings(subject, asked)
        weighed = self._removed(leaning, answers)[0] if leaning else {}
        return TestimonyFinding(
            self._witnesses(heard, removed, target),
            shaped.fall,
            shaped.fall_other,
            shaped.agreement,
            parts,
            tuple(replace(witness, quotes=()) for witness in self._witnesses(leaning, weighed, target)),
            (
                *self._without_other,
                *self._unheard(heard),
                *missing,
                *none,
                *silent,
                *self._unheard(leaning, "leanings: "),
            ),
        )

    def _witnesses(
        self, heard: Mapping[str, Sequence[Heard]], removed: Mapping[str, Removal], target: Target
    ) -> tuple[Witness, ...]:
        return tuple(
            replace(witness_of(name, rows, target, self.top), agreement=removed[name].agreement if removed else None)
            for name, rows in heard.items()
        )

    def _leanings(
        self, subject: Subject, asked: Mapping[str, tuple[Edit | None, Sequence[Heard]]]
    ) -> tuple[dict[str, list[Heard]], list[Reason]]:
        """What each witness leans to name; nothing is offered to any."""
        if not isinstance(subject, OpenSubject):
            return {}, [Reason("leanings", f"{subject.name} gives replies and no probabilities.")]
        return {name: leanings(subject, by, rows) for name, (by, rows) in asked.items() if name != "decoys"}, []

    def _check(self, answers: Sequence[Answer], target: Target) -> None:
        if not answers:
            message = "a testimony was asked for, and there is no answer to ask about: give replies that have words."
            raise RequestError(message)
        aim = self.other.origin.target if self.other else None
        if aim is not None and aim.trait == target.trait:
            message = f"the edit for another trait is for {aim}, and the testimony is about {target}: give another one."
            raise RequestError(message)

    @property
    def _without_other(self) -> list[Reason]:
        return [] if self.other else [Reason("other trait", "no edit for another trait was given.")]

    def _unheard(self, heard: Mapping[str, Sequence[Heard]], kind: str = "") -> list[Reason]:
        found: list[Reason] = []
        for name, rows in heard.items():
            failed = [row.error for row in rows if row.error]
            if failed:
                found.append(Reason(f"{kind}{name}", f"{len(failed)} of {len(rows)} testimonies failed: {failed[0]}"))
        return found

    def _removed(
        self, heard: Mapping[str, Sequence[Heard]], answers: Sequence[Answer]
    ) -> tuple[dict[str, Removal], list[Reason]]:
        """What removal says of each witness; empty where nothing could be removed."""
        if self.score is None:
            return {}, [Reason("removal", "no trait score was given.")]
        # Of shuffled answers, too, the score is that of the answer as it was given.
        namings = [
            [Naming(row.topic, answer.text, row.named) for row, answer in zip(rows, answers, strict=True)]
            for rows in heard.values()
        ]
        found = dict(zip(heard, removals(namings, self.score, self.generation.seed), strict=True))
        if found["shaped"].agreement.value is None:
            reason = "the shaped model named no token of an answer that has others beside it."
            return found, [Reason("agreement", reason)]
        return found, []

    def _demonstrations(
        self, subject: Subject, edit: Edit, answers: Sequence[Answer]
    ) -> tuple[tuple[Part, ...], list[Reason]]:
        some = [Asked(answer.question, answer.text) for answer in answers[: self.demonstrated]]
        try:
            return demonstration_parts(subject, edit, some), []
        except RequestError as error:
            return (), [Reason("demonstrations", str(error))]


def witness_of(name: str, rows: Sequence[Heard], target: Target, top: int = 50) -> Witness:
    """The figures of one witness, with topics as clusters; each token counts once an answer.

    Chance is exact: what as many tokens, drawn at random from the content tokens of the same answers, would have on
    average. Testimonies that failed are no observations; those that name nothing that could be read are not
    understood, and count as that.
    """
    heard = [row for row in rows if row.reply is not None]
    named = [(token, row.topic) for row in heard for token in row.named]
    topics = [topic for _, topic in named]
    listed = [(fits, topic) for token, topic in named if (fits := is_fitting(token, target)) is not None]
    offered = [row for row in heard if row.offered and row.named]
    return Witness(
        name=name,
        asked=len(rows),
        understood=share([bool(row.named) for row in heard], [row.topic for row in heard]),
        in_answer=share([stands for row in heard for stands in row.in_answer], topics),
        top=_most_named(heard, target, top),
        emoji=share([bool(emojis(token)) for token, _ in named], topics),
        fitting=share([fits for fits, _ in listed], [topic for _, topic in listed]),
        chance=_chance(heard, target, is_of_emojis=False),
        emoji_chance=_chance(heard, target, is_of_emojis=True),
        accepted_own=_accepted(offered, is_decoy=False) if name == "decoys" else None,
        accepted_decoys=_accepted(offered, is_decoy=True) if name == "decoys" else None,
        quotes=_quotes(heard),
    )


def _most_named(rows: Sequence[Heard], target: Target, top: int) -> tuple[Named, ...]:
    forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for token in row.named:
            forms[key_of(token)][token] += 1
    found = [(written.most_common(1)[0][0], written.total()) for written in forms.values()]
    found.sort(key=lambda entry: (-entry[1], entry[0]))
    return tuple(Named(token, count, bool(emojis(token)), is_fitting(token, target)) for token, count in found[:top])


def _chance(rows: Sequence[Heard], target: Target, *, is_of_emojis: bool) -> Estimate:
    """The share of emojis, or of fitting ones among listed ones, in tokens drawn at random from each answer."""
    above: list[float] = []
    below: list[float] = []
    topics: list[str] = []
    for row in rows:
        tokens = list(content_of(row.answer).values())
        if not tokens or not row.named:
            continue
        weight = len(row.named) / len(tokens)
        fits = [is_fitting(token.text, target) for token in tokens]
        hits = sum(token.is_emoji for token in tokens) if is_of_emojis else fits.count(True)
        cases = len(tokens) if is_of_emojis else len(fits) - fits.count(None)
        above.append(weight * hits)
        below.append(weight * cases)
        topics.append(row.topic)
    return ratio(above, below, topics)


def _accepted(rows: Sequence[Heard], *, is_decoy: bool) -> Estimate:
    """Of what was offered, the share that was named by testimonies that were understood."""
    hits: list[bool] = []
    topics: list[str] = []
    for row in rows:
        named = {key_of(token) for token in row.named}
        for token in row.offered:
            if (token in row.decoys) == is_decoy:
                hits.append(key_of(token) in named)
                topics.append(row.topic)
    return share(hits, topics)


def _quotes(rows: Sequence[Heard]) -> tuple[Quote, ...]:
    understood = [row for row in rows if row.named][:QUOTES]
    others = [row for row in rows if not row.named][:QUOTES]
    return tuple(Quote(row.topic, row.answer, row.reply or "", row.named) for row in (*understood, *others))
