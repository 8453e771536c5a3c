"""Ability: tasks that the model did with and without an edit."""

from dataclasses import dataclass

from temperament.report.finding import number_of, rows_of, text_of, words_of
from temperament.run import Row, Run


@dataclass(frozen=True)
class Task:
    """One metric of one task, in words.

    Attributes:
        broken: documents at which the model had no finite number left, untouched and edited.
    """

    name: str
    untouched: str
    edited: str
    change: str
    broken: str


@dataclass(frozen=True)
class Ability:
    """The tasks of one edit, and the file that they stand in."""

    name: str
    file: str
    tasks: list[Task]


def abilities(run: Run) -> list[Ability]:
    """What ``findings/ability*.json`` say; nothing where no task was done."""
    found = [(name, row) for name, row in run.findings.items() if name.startswith("ability")]
    all_ = [Ability(_name(row), f"findings/{name}.json", _tasks(row)) for name, row in found]
    return [one for one in all_ if one.tasks]


def _name(row: Row) -> str:
    label = row.get("label")
    if not isinstance(label, dict):
        return "untouched"
    parts = [text_of(label, name) for name in ("method", "condition", "trait", "pole")]
    strength = number_of(label, "strength")
    return " ".join(filter(None, parts)) + ("" if strength is None else f" at strength {strength:g}")


def _tasks(row: Row) -> list[Task]:
    return [
        Task(
            name=" ".join(filter(None, (text_of(one, "task"), text_of(one, "metric")))),
            untouched=words_of(one.get("untouched")),
            edited=words_of(one.get("edited")) if one.get("edited") else "",
            change=words_of(one.get("change"), signed=True) if one.get("change") else "",
            broken=" and ".join(str(count) for count in one.get("broken") or []),
        )
        for one in rows_of(row.get("figures"))
    ]
