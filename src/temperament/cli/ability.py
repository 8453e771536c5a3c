"""``temperament ability``: tasks of lm-evaluation-harness, with and without an edit."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from temperament.cli import option
from temperament.cli.progress import reporter

if TYPE_CHECKING:
    from temperament.measure.ability.comparison import Comparison


@click.command()
@option.subject()
@option.edit
@click.option(
    "--tasks", required=True, metavar="A,B", help="Tasks, groups or tags of the harness; * stands for anything."
)
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Documents of each task. [default: all]")
@click.option(
    "--shots", type=click.IntRange(min=0), default=None, help="Examples before each question. [default: the task's]"
)
@click.option(
    "--form",
    type=click.Choice(["auto", "chat", "raw"]),
    default="auto",
    show_default=True,
    help="Ask in turns, or have it go on with text as most published figures do; auto asks chat models in turns.",
)
@click.option(
    "--include",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of task files; they may run code of theirs.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of examples and draws.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder of the answers. [default: runs/ability-EDIT]"
)
def ability(
    model: str,
    precision: str,
    edit: str | None,
    strength: float,
    tasks: str,
    limit: int | None,
    shots: int | None,
    form: Literal["auto", "chat", "raw"],
    include: Path | None,
    seed: int,
    out: Path | None,
) -> None:
    """Have a model do tasks of lm-evaluation-harness, untouched and under an edit, and show what the edit changed.

    Both do the same documents, so differences are paired. Answers are kept in the folder, and not asked for again.
    An edit of what the model reads (prompt, ike) is in force in a chat only; an endpoint does tasks that have it write.

    \b
    Needs: pip install 'temperament[ability]'
    Example:
        temperament ability --edit warm --tasks arc_easy,gsm8k --limit 200
    """
    from temperament.edit.store import load_edit
    from temperament.measure.ability.comparison import compare
    from temperament.measure.ability.evaluation import Ability
    from temperament.measure.ability.harness import require_harness
    from temperament.record import to_json, write_text
    from temperament.subject.base import Subject

    require_harness()
    fitted = strength * load_edit(edit) if edit else None
    folder = out or Path("runs") / f"ability-{Path(edit).name if edit else 'untouched'}"
    subject = Subject.load(model, precision)
    if fitted is not None:
        fitted.check(subject)
    names = tuple(name.strip() for name in tasks.split(",") if name.strip())
    test = Ability(names, include, limit, shots, form, seed)
    shown = _Requests()
    shown.side = "untouched"
    untouched = test.administer(subject, folder / "untouched.json", shown)
    shown.side = "edited"
    edited = None if fitted is None else test.administer(subject, folder / "edited.json", shown, fitted)
    shown.end()
    found = compare(untouched, edited)
    write_text(folder / "ability.json", to_json(found))
    show(found)
    click.echo(f"figures: {folder / 'ability.json'}")


class _Requests:
    """Tells how far requests of a kind are; each kind is a piece of work of its own."""

    def __init__(self) -> None:
        self.side = ""
        self._reporter = reporter()
        self._work: tuple[str, int] | None = None
        self._done = 0

    def __call__(self, done: int, total: int) -> None:
        if self._work != (self.side, total) or done < self._done:
            self.end()
            self._work = (self.side, total)
            self._reporter.begin(f"{self.side}: {total} requests", total)
        self._done = done
        self._reporter.advance(done)

    def end(self) -> None:
        """The last kind is done."""
        if self._work is not None:
            self._reporter.end()
        self._work = None


def show(found: "Comparison") -> None:
    """The figures as a table."""
    from rich.console import Console
    from rich.table import Table

    columns = ("task", "metric", "untouched", *(("edited", "change") if found.label else ()))
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    notes: list[str] = []
    for one in found.figures:
        name = one.metric if one.filter == "none" else f"{one.metric} ({one.filter})"
        better = {True: " +", False: " -", None: ""}[one.is_better_high]
        table.add_row(one.task, name + better, *(str(part) for part in (one.untouched, one.edited, one.change) if part))
        for side, broken, missing in zip(("untouched", "edited"), one.broken, one.missing, strict=True):
            notes += [f"{one.task}, {side}: the model broke at {broken} documents."] if broken else []
            notes += [f"{one.task}, {side}: {missing} documents have no answer."] if missing else []
    Console(markup=False).print(table)
    for task, metrics in found.left_out.items():
        notes.append(f"{task}: {', '.join(metrics)} is no mean over documents; the harness's own figure is kept.")
    for note in dict.fromkeys(["+ is better high, - is better low.", *notes]):
        click.echo(note)
