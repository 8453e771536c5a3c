"""Two evaluations side by side: what an edit did to a subject's ability, with paired differences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from temperament.errors import MismatchError
from temperament.measure.ability.evaluation import Answered, Asked, Evaluation
from temperament.record import NOT_A_NUMBER, Label
from temperament.stats import Estimate, average, paired_difference, share

WITHHELD = Estimate(None, None, None, 0)


@dataclass(frozen=True)
class AbilityFigure:
    """One metric of one task.

    Attributes:
        is_better_high: None where the task does not say.
        untouched: estimate of the untouched subject.
        edited: under the edit; None where there is none.
        change: of the documents that both answered, edited less untouched; None where there is no edit.
        broken: documents at which the subject had no finite number left, untouched and edited.
        missing: documents without an answer for other reasons, such as a call that failed.
    """

    task: str
    filter: str
    metric: str
    is_better_high: bool | None
    untouched: Estimate
    edited: Estimate | None
    change: Estimate | None
    broken: tuple[int, int]
    missing: tuple[int, int]


@dataclass(frozen=True)
class Comparison:
    """What ``ability.json`` holds.

    Attributes:
        version: of the harness.
        label: of the edit.
        left_out: by task, the metrics of the harness that are no mean over documents.
    """

    asked: Asked
    subject: str
    fingerprint: str
    precision: str
    label: Label | None
    version: str
    left_out: dict[str, tuple[str, ...]]
    figures: tuple[AbilityFigure, ...]


def compare(untouched: Evaluation, edited: Evaluation | None = None) -> Comparison:
    """Figures of every task, filter and metric, and the paired differences over the same documents.

    A document is one observation. Where the subject broke, a metric of right and wrong counts it as wrong, and any
    other metric is withheld, because a mean over the others would praise an edit for what it broke. Documents without
    an answer for other reasons are left out.

    Raises:
        MismatchError: the evaluations are of other tasks, documents or subjects.
    """
    if edited is not None:
        _check_alike(untouched, edited)
    better = {(card.task, name): high for card in untouched.cards for name, high in card.is_better_high.items()}
    figures = [
        _figure((task, name, metric), better.get((task, metric)), untouched.rows, edited.rows if edited else None)
        for task, name, metric in _metrics(untouched.rows)
    ]
    return Comparison(
        asked=untouched.asked,
        subject=untouched.subject,
        fingerprint=untouched.fingerprint,
        precision=untouched.precision,
        label=edited.label if edited else None,
        version=untouched.version,
        left_out={card.task: card.left_out for card in untouched.cards if card.left_out},
        figures=tuple(figures),
    )


def _metrics(rows: Sequence[Answered]) -> Iterator[tuple[str, str, str]]:
    yield from dict.fromkeys((row.task, row.filter, metric) for row in rows for metric in row.values)


def _figure(
    name: tuple[str, str, str],
    is_better_high: bool | None,  # noqa: FBT001 - it is a value, and no switch
    before: Sequence[Answered],
    after: Sequence[Answered] | None,
) -> AbilityFigure:
    task, filtered, metric = name
    sides = [[row for row in rows if (row.task, row.filter) == (task, filtered)] for rows in (before, after or ())]
    known = [value for rows in sides for row in rows if (value := row.values.get(metric)) is not None]
    is_right = bool(known) and set(known) <= {0.0, 1.0} and is_better_high is not False
    values = [_values(rows, metric, is_right=is_right) for rows in sides]
    broken = [sum(row.error == NOT_A_NUMBER for row in rows) for rows in sides]
    missing = [sum(row.error not in (None, NOT_A_NUMBER) for row in rows) for rows in sides]
    estimates = [_estimate(found, is_right=is_right) for found in values]
    return AbilityFigure(
        task,
        filtered,
        metric,
        is_better_high,
        untouched=estimates[0],
        edited=None if after is None else estimates[1],
        change=None if after is None else _change(values[0], values[1]),
        broken=(broken[0], broken[1]),
        missing=(missing[0], missing[1]),
    )


def _values(rows: Sequence[Answered], metric: str, *, is_right: bool) -> Mapping[str, float] | None:
    """By document; None where one broke and there is no value for that."""
    found: dict[str, float] = {}
    for row in rows:
        value = row.values.get(metric)
        if row.error == NOT_A_NUMBER or (value is None and row.error is None):
            if not is_right:
                return None
            value = 0.0
        if value is not None:
            found[row.id] = value
    return found


def _estimate(values: Mapping[str, float] | None, *, is_right: bool) -> Estimate:
    if values is None:
        return WITHHELD
    return share(list(values.values())) if is_right else average(list(values.values()))


def _change(before: Mapping[str, float] | None, after: Mapping[str, float] | None) -> Estimate:
    if before is None or after is None:
        return WITHHELD
    both = [name for name in before if name in after]
    return paired_difference([before[name] for name in both], [after[name] for name in both])


def _check_alike(untouched: Evaluation, edited: Evaluation) -> None:
    documents = [{row.id: row.document for row in one.rows} for one in (untouched, edited)]
    for what, first, second in (
        ("choice of tasks", untouched.asked, edited.asked),
        ("subject's fingerprint", untouched.fingerprint, edited.fingerprint),
        ("precision", untouched.precision, edited.precision),
        ("version of the harness", untouched.version, edited.version),
    ):
        if first != second:
            message = f"evaluations that are compared need the same {what}: one has {first!r}, the other {second!r}."
            raise MismatchError(message)
    if documents[0] != documents[1]:
        message = "evaluations that are compared need the same documents: these have others. Ask both again."
        raise MismatchError(message)
