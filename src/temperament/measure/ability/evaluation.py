"""Evaluations: what a subject made of the tasks of lm-evaluation-harness, document by document."""

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from temperament.edit.base import Edit
from temperament.errors import MismatchError
from temperament.measure.ability.harness import Answers, answer_tasks, load_tasks, require_harness
from temperament.measure.ability.prompt import Form, check_form, form_of
from temperament.record import Label, read_json, to_json, write_text
from temperament.subject.base import Progress, Subject

# Metrics of the harness whose figure is no mean over documents, but a function of one: what is kept of a document is
# minus the logarithm of its probability, in nats (bits for the last), by document, word or byte.
LOGARITHMS: Mapping[str, str] = {
    "perplexity": "log_perplexity",
    "word_perplexity": "log_word_perplexity",
    "byte_perplexity": "log_byte_perplexity",
    "bits_per_byte": "bits_per_byte",
}


@dataclass(frozen=True)
class Answered:
    """What became of one document of a task.

    Attributes:
        id: task, number and filter; equal over subjects and edits.
        topic: what figures cluster by: the document, of which there may be several filters.
        task: of the harness.
        filter: how it took the answer from the reply; 'none' where it did not.
        document: hash of the document.
        observed: log-probabilities of the answers that were offered, or what the subject wrote; None is no number.
        values: by metric; None where there is no answer, and then ``error`` says why.
    """

    id: str
    topic: str
    task: str
    filter: str
    document: str
    observed: tuple[float | str | None, ...]
    values: dict[str, float | None]
    error: str | None = None


@dataclass(frozen=True)
class TaskCard:
    """What is to be known of a task.

    Attributes:
        version: of its definition.
        shown: examples before each question.
        documents: how many it has.
        asked: how many were asked.
        is_better_high: by metric; None where the task does not say.
        left_out: metrics of the harness that are no mean over documents.
        harness: the harness's own figures, by metric and filter.
    """

    task: str
    version: str
    shown: int
    documents: int
    asked: int
    is_better_high: dict[str, bool | None]
    left_out: tuple[str, ...]
    harness: dict[str, float | None]


@dataclass(frozen=True)
class Asked:
    """What decides an evaluation, besides the subject and its edit."""

    tasks: tuple[str, ...]
    include: str
    limit: int | None
    shown: int | None
    form: Form
    seed: int


@dataclass(frozen=True)
class Evaluation:
    """What a subject under an edit made of tasks.

    Attributes:
        subject: by name.
        version: of the harness.
        cards: one a task.
        rows: one a document and filter.
    """

    asked: Asked
    subject: str
    fingerprint: str
    precision: str
    label: Label
    version: str
    cards: tuple[TaskCard, ...]
    rows: tuple[Answered, ...]


@dataclass(frozen=True)
class Ability:
    """Instrument that has a subject do tasks of lm-evaluation-harness.

    Attributes:
        tasks: names of tasks, groups or tags.
        include: folder with task files of one's own; they may run code of theirs.
        limit: documents of each task, from its first; None takes all.
        shown: examples before each question; None takes as many as the task says.
        form: ``chat`` asks in turns, as the subject is asked elsewhere; ``raw`` has it go on with text, as most
            published figures do, and knows no edit of what the model reads; ``auto`` is raw for models without a chat
            template.
        seed: of the examples, and of what tasks draw.

    Source: Biderman et al. 2024, arXiv 2405.14782 (lm-evaluation-harness).
    Departs: intervals are ours, over documents; a reply is cut where a task ends it after it was written whole; see
    `documents`.
    """

    tasks: tuple[str, ...]
    include: Path | None = None
    limit: int | None = None
    shown: int | None = None
    form: Literal["auto", "chat", "raw"] = "auto"
    seed: int = 0

    def administer(
        self,
        subject: Subject,
        store: Path | None = None,
        progress: Progress | None = None,
        edit: Edit | None = None,
    ) -> Evaluation:
        """Do all tasks.

        Args:
            subject: with whatever edits are applied at this moment.
            store: JSON file that keeps the evaluation, whole or not at all; one that exists is read instead.
            progress: is told requests of one kind, of all of that kind.
            edit: that is applied as well while the tasks are done.

        Raises:
            InstallError: the harness is not installed.
            RequestError: a task does not exist, or asks what this subject cannot do.
            MismatchError: the store belongs to another subject, edit, or choice of tasks.
        """
        version = require_harness()
        with ExitStack() as stack:
            if edit is not None:
                stack.enter_context(edit.applied(subject))
            form = form_of(subject, self.form)
            check_form(subject, form)
            asked = Asked(self.tasks, str(self.include or ""), self.limit, self.shown, form, self.seed)
            if store is not None and store.exists():
                return _kept(store, asked, subject, version)
            answers = answer_tasks(subject, self._loaded, form, (self.shown, self.limit, self.seed), progress)
            found = _evaluation(asked, subject, version, answers)
        if store is not None:
            write_text(store, to_json(found))
        return found

    @cached_property
    def _loaded(self) -> Any:
        return load_tasks(self.tasks, self.include, self.seed)


def values_of(metrics: Mapping[str, Any]) -> tuple[dict[str, float | None], list[str]]:
    """The numbers of one document, as means can be taken of them; and the metrics that are no such numbers."""
    found: dict[str, float | None] = {}
    left_out: list[str] = []
    for name, value in metrics.items():
        number = _logarithm(name, value) if name in LOGARITHMS else _number(value)
        if number is None:
            left_out.append(name)
        else:
            found[LOGARITHMS.get(name, name)] = number if math.isfinite(number) else None
    return found, left_out


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, bool | int | float | np.number | np.bool_) else None


def _logarithm(name: str, value: Any) -> float | None:
    """Minus the log-probability of a document; of one without words or bytes there is none."""
    if not isinstance(value, tuple):
        return None if (number := _number(value)) is None else -number
    total, count = value
    if not count:
        return math.inf
    return -float(total) / count / (math.log(2) if name == "bits_per_byte" else 1.0)


def _evaluation(asked: Asked, subject: Subject, version: str, answers: Answers) -> Evaluation:
    rows: list[Answered] = []
    cards: list[TaskCard] = []
    for task, samples in answers.samples.items():
        left_out: dict[str, None] = {}
        for sample in samples:
            row, others = _answered(task, sample, answers.failures.get((task, sample["doc_id"])))
            rows.append(row)
            left_out.update(dict.fromkeys(others))
        cards.append(_card(task, answers.results, tuple(left_out)))
    return Evaluation(
        asked, subject.name, subject.fingerprint, subject.precision, subject.label, version, tuple(cards), tuple(rows)
    )


def _answered(task: str, sample: Mapping[str, Any], error: str | None) -> tuple[Answered, list[str]]:
    values, left_out = values_of({name: sample[name] for name in sample["metrics"]})
    topic = f"{task}/{sample['doc_id']}"
    row = Answered(
        id=f"{topic}/{sample['filter']}",
        topic=topic,
        task=task,
        filter=sample["filter"],
        document=sample["doc_hash"],
        observed=tuple(_observed(response) for some in sample["resps"] for response in some),
        # What the harness makes of an answer that is none is no value.
        values=values if error is None else dict.fromkeys(values),
        error=error,
    )
    return row, left_out


def _observed(response: Any) -> float | str | None:
    """A text, or the log-probability of a continuation or a document."""
    first = response[0] if isinstance(response, tuple) else response
    return first if isinstance(first, str) else float(first) if math.isfinite(first) else None


def _card(task: str, results: Mapping[str, Any], left_out: tuple[str, ...]) -> TaskCard:
    better = results["higher_is_better"].get(task, {})
    counts = results["n-samples"][task]
    figures = {name: value for name, value in results["results"][task].items() if "," in name and "stderr" not in name}
    return TaskCard(
        task=task,
        version=str(results["versions"].get(task)),
        shown=int(results["n-shot"].get(task) or 0),
        documents=counts["original"],
        asked=counts["effective"],
        is_better_high={
            LOGARITHMS.get(name, name): None if high is None else bool(high) for name, high in better.items()
        },
        left_out=left_out,
        harness={name: _number(value) for name, value in figures.items()},
    )


def _kept(store: Path, asked: Asked, subject: Subject, version: str) -> Evaluation:
    found = read_json(store, Evaluation)
    for what, there, here in (
        ("choice of tasks", found.asked, asked),
        ("subject's fingerprint", found.fingerprint, subject.fingerprint),
        ("precision", found.precision, subject.precision),
        ("label", found.label, subject.label),
        ("version of the harness", found.version, version),
    ):
        if there != here:
            message = (
                f"{store} belongs to another evaluation: its {what} is {there!r}, and here it is {here!r}. Use another "
                f"place, or remove the file to ask again."
            )
            raise MismatchError(message)
    return found
