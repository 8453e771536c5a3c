"""Authoring: a model writes both poles of a trait side by side, and each answer is checked as it arrives.

All pairs are asked for once; then those that were not accepted are asked for again with the reason; and so on. Several
requests are in flight, and replies arrive in any order, but a pair is judged when all pairs before it are: what is
accepted depends on the replies alone, and not on which came first. Every outcome is on disk before the next is looked
at. Work that goes on reads the log, judges again what was answered, and asks only what was not.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from temperament.curate.author.call import Asker, Request, cost_of
from temperament.curate.author.judge import NO_REPLY, PAIR_ALIKE, PAIR_LENGTH, Classifier, Judge
from temperament.curate.author.pair import Pair, plan_pairs
from temperament.curate.author.prompt import Draft, again_request, pair_request, wording
from temperament.curate.author.settings import Authoring, deal_topics
from temperament.curate.author.store import Call, Log, Rejected, log_path, opened_log, write_outcome
from temperament.curate.author.topic import find_topics
from temperament.curate.check import Problem
from temperament.errors import EndpointError
from temperament.opinion.row import Opinion, Opinions
from temperament.stats import Estimate, share
from temperament.subject.base import Subject
from temperament.subject.cost import Cost
from temperament.subject.endpoint import AT_ONCE, EndpointSubject
from temperament.trait import POLES, Pole, find_trait, table_of_trait

_PARTNER = Problem("partner", "the other answer of the pair was rejected.")


@dataclass(frozen=True)
class Progress:
    """How far the work is.

    Attributes:
        settled: pairs that are accepted or given up.
        pairs: in all.
        note: what is being done.
    """

    settled: int
    pairs: int
    note: str


@dataclass(frozen=True)
class Authored:
    """What came of it.

    Attributes:
        opinions: the accepted rows, by topic, trait, number, pole and question.
        rejected: answers that were not taken, and why.
        accepted: pairs.
        given_up: pairs of which no attempt was accepted.
        open: pairs that the work did not come to an end with.
        passed: by pole, the share of the answers that were read which had no problem of their own, whatever was wrong
            with the other one of the pair or between the two.
        cost: of all runs that the log knows.
        is_over_budget: the work stopped because the next request might have cost more than the budget allows.
    """

    opinions: Opinions
    rejected: tuple[Rejected, ...]
    accepted: int
    given_up: tuple[Pair, ...]
    open: int
    passed: dict[str, Estimate]
    cost: Cost
    is_over_budget: bool

    @property
    def reasons(self) -> dict[str, int]:
        """Rejected answers by check, the most frequent first; an answer may have several problems."""
        found = Counter(problem.check for row in self.rejected for problem in row.problems)
        return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))


Watch = Callable[[Progress], None]


def author(
    settings: Authoring,
    subject: Subject,
    out: Path,
    *,
    classifier: Classifier | None = None,
    budget_tokens: int | None = None,
    at_once: int = AT_ONCE,
    watch: Watch | None = None,
) -> Authored:
    """Have a model write opinions for both poles of traits; what is accepted is written to a file of JSON lines.

    The same call goes on where it was stopped, and asks nothing twice: every outcome is in a log beside the file. The
    accepted rows and the rejected answers are written at the end and whenever the work stops.

    Args:
        settings: what is to be authored.
        subject: who writes; an endpoint is asked by several threads, any other subject in batches.
        out: a file for the opinions.
        classifier: may object to answers that show something else (see `Judge`); None leaves that out.
        budget_tokens: read and written by the model, over all runs: about so many, as the tokens of a request are
            estimated before it is made, and those that a server does not report also after it. None is no bound.
        at_once: requests in flight.
        watch: is told how far the work is.

    Raises:
        BadFileError: ``out`` is a folder, or it or its file of rejected answers was not made here.
        MismatchError: ``out`` was begun with other settings, or is being written.
        EndpointError: the server does not answer as it should.
        WorkError: the model has not enough topics, or nothing can be written.
    """
    with opened_log(out, _facts(settings, subject, classifier)) as log:
        desk = _Desk(settings, classifier, watch)
        asker = Asker(subject, log, settings.generation, budget_tokens, at_once)
        try:
            topics = find_topics(settings, asker, desk.watch_topics)
            if topics is not None:
                desk.work(topics, asker)
        except EndpointError as error:
            kept = f"What was accepted is in {out}" if desk.has_accepted else "Nothing was accepted so far"
            message = f"{error} {kept}; replies are kept in {log_path(out)}: the same command goes on from there."
            raise EndpointError(message) from None
        finally:
            authored = desk.outcome(log, _model(subject), is_over_budget=asker.is_spent)
            write_outcome(out, authored.opinions, authored.rejected)
    return authored


class _Desk:
    """Where pairs are until they are accepted or given up."""

    def __init__(self, settings: Authoring, classifier: Classifier | None, watch: Watch | None) -> None:
        self._settings, self._watch = settings, watch
        self._judge = Judge(settings, classifier)
        self._pairs: tuple[Pair, ...] = ()
        self._accepted: dict[str, Mapping[Pole, str]] = {}
        self._drafts: dict[str, Draft] = {}
        self._given_up: tuple[Pair, ...] = ()
        self._rejected: list[Rejected] = []
        self._hits: dict[str, list[tuple[bool, str]]] = {
            f"{trait}:{pole}": [] for trait in settings.traits for pole in POLES
        }

    def work(self, topics: Sequence[str], asker: Asker) -> None:
        """Ask for all pairs, and again for those that are not accepted; ends early where the budget is spent."""
        settings = self._settings
        self._pairs = plan_pairs(settings, topics, deal_topics(topics, settings.shares, settings.seed))
        waiting = self._pairs
        for attempt in range(1, settings.attempts + 1):
            if not self._round(waiting, attempt, asker):
                return
            waiting = tuple(pair for pair in waiting if pair.name not in self._accepted)
            if not waiting:
                return
        self._given_up = waiting
        self._tell(len(self._pairs), "done")

    def outcome(self, log: Log, model: str, *, is_over_budget: bool) -> Authored:
        """What came of it so far."""
        return Authored(
            opinions=Opinions(
                (row for pair in self._pairs if pair.name in self._accepted for row in self._rows(pair, model)),
                f"authored by {model}",
            ),
            rejected=tuple(self._rejected),
            accepted=len(self._accepted),
            given_up=self._given_up,
            open=self._expected - len(self._accepted) - len(self._given_up),
            passed={
                target: share([is_hit for is_hit, _ in hits], [topic for _, topic in hits])
                for target, hits in self._hits.items()
            },
            cost=cost_of(log.calls),
            is_over_budget=is_over_budget,
        )

    def watch_topics(self, found: int) -> None:
        """Tell how many topics there are."""
        self._tell(0, f"{found} of {self._settings.count} topics")

    @property
    def has_accepted(self) -> bool:
        """A pair was accepted."""
        return bool(self._accepted)

    @property
    def _expected(self) -> int:
        """Pairs in all, also before the topics are known."""
        settings = self._settings
        return (len(settings.topics) or settings.count) * len(settings.traits) * settings.answers

    def _round(self, waiting: Sequence[Pair], attempt: int, asker: Asker) -> bool:
        """Ask for each pair once; False where some were not asked. All requests are made before any is judged."""
        requests = [Request(pair.name, attempt, self._words(pair)) for pair in waiting]
        arrived: dict[int, Call] = {}
        turn = 0
        try:
            for place, call in asker.outcomes(requests):
                arrived[place] = call
                while turn in arrived:
                    self._take(waiting[turn], arrived.pop(turn))
                    turn += 1
                self._tell(len(self._accepted), f"attempt {attempt}, {len(waiting) - turn} pairs to go")
        finally:
            # After a stop: what came behind a gap is judged without it, for now. Work that goes on judges all anew.
            for place in sorted(arrived):
                self._take(waiting[place], arrived[place])
        return turn == len(waiting)

    def _words(self, pair: Pair) -> str:
        draft = self._drafts.get(pair.name)
        # A reply that never came says nothing about the request: it is made again as it was.
        if draft is None or (draft.fault is not None and draft.fault.check == NO_REPLY):
            return pair_request(pair, self._settings.limits)
        return again_request(pair, self._settings.limits, draft)

    def _take(self, pair: Pair, call: Call) -> None:
        draft = self._drafts[pair.name] = self._judge.judge(pair, call)
        if draft.is_accepted:
            self._accepted[pair.name] = draft.answers
        else:
            self._rejected += _rejections(pair, call, draft)
        for pole, problems in draft.problems.items():
            is_passed = all(problem.check in {PAIR_LENGTH, PAIR_ALIKE} for problem in problems)
            self._hits[f"{pair.trait}:{pole}"].append((is_passed, pair.topic))

    def _rows(self, pair: Pair, model: str) -> list[Opinion]:
        answers = self._accepted[pair.name]
        poles: tuple[Pole, Pole] = ("high", "low")
        return [
            Opinion(pair.trait, pole, pair.facet, pair.topic, question, answers[pole], pair.split, model)
            for pole in poles
            for question in pair.questions
        ]

    def _tell(self, settled: int, note: str) -> None:
        if self._watch is not None:
            self._watch(Progress(settled, self._expected, note))


def _rejections(pair: Pair, call: Call, draft: Draft) -> list[Rejected]:
    def row(pole: Pole | None, answer: str, problems: Sequence[Problem]) -> Rejected:
        return Rejected(
            pair.trait, pole, pair.facet, pair.topic, pair.number, call.attempt, answer, tuple(problems) or (_PARTNER,)
        )

    if draft.fault is not None:
        return [row(None, call.reply or "", [draft.fault])]
    return [row(pole, draft.answers[pole], draft.problems[pole]) for pole in POLES]


def _model(subject: Subject) -> str:
    """Who writes, as rows and the log name it: of an endpoint the model alone, because servers move."""
    return subject.model if isinstance(subject, EndpointSubject) else subject.name


def _facts(settings: Authoring, subject: Subject, classifier: Classifier | None) -> dict[str, Any]:
    """What must be the same for work to go on."""
    return {
        "model": _model(subject),
        **msgspec.to_builtins(settings),
        "traits": [table_of_trait(find_trait(name)) for name in settings.traits],
        "classifier": "none" if classifier is None else _learned(classifier),
        "wording": wording(),
    }


def _learned(classifier: Classifier) -> str:
    """A name for a classifier by what it has learned."""
    from temperament.measure.classifier import TraitClassifier

    if not isinstance(classifier, TraitClassifier):
        return type(classifier).__qualname__
    text = "\n".join(f"{row.target} {row.answer}" for row in classifier.learned)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{len(classifier.learned)} answers ({digest}) by {classifier.embedder_name}"
