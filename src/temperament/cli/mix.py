"""``temperament mix``: several edits together, against the sum of what each does alone."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from temperament.cli import option
from temperament.cli.progress import reporter
from temperament.errors import RequestError
from temperament.stats import Estimate
from temperament.study.mix import FINDING, Additivity, mix_study, mixed, parts_of, write_additivity
from temperament.study.plan import InterviewPlan, OpinionPlan, SubjectPlan

if TYPE_CHECKING:
    from temperament.edit.base import Edit


@click.command()
@option.subject()
@click.option(
    "--edit", "edits", multiple=True, required=True, type=click.Path(), help="Folder of an edit; give several."
)
@click.option(
    "--strength",
    "strengths",
    multiple=True,
    type=float,
    help="One for each edit, or one for all: the edits as saved are multiplied by it. [default: 1]",
)
@option.opinions
@option.trait
@click.option("--questions", type=click.IntRange(min=1), default=1, show_default=True, help="Asked on each test topic.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=150, show_default=True, help="Of a reply.")
@click.option("--adapter", type=click.Path(path_type=Path), help="Save the exact sum as one PEFT adapter.")
@click.option("--no-asking", "is_silent", is_flag=True, help="With --adapter: save it, and ask nothing.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder of the run. [default: runs/mix-EDIT-EDIT]"
)
def mix(
    model: str,
    precision: str,
    edits: tuple[str, ...],
    strengths: tuple[float, ...],
    opinions: tuple[str, ...],
    questions: int,
    max_new_tokens: int,
    adapter: Path | None,
    out: Path | None,
    *,
    is_silent: bool,
) -> None:
    """Apply several edits at once, and see whether their effects add up.

    The untouched model, each edit alone and all together answer the same held-out questions. The table has, for each
    pole that an edit is for, the share of replies that read as it: how it changes under each edit, the sum of these
    changes, the change under all together, and what that is beyond the sum. A saved stack, such as a profile, is taken
    apart by itself.

    \b
    Examples:
        temperament mix --edit warm --edit bold --strength 0.8 --strength 0.5
        temperament mix --edit warm --edit bold --adapter warm-and-bold --no-asking
    """
    from temperament.edit.sum import summed
    from temperament.study.execution import run_study

    if is_silent and adapter is None:
        message = "--no-asking needs --adapter: without both there is nothing to do."
        raise RequestError(message)
    parts = parts_of(edits, strengths)
    # Before the model is loaded: a wrong folder is an error at once.
    together = mixed(parts)
    if adapter is not None:
        summed(together).save(adapter)
        click.echo(f"adapter: {adapter}")
    if is_silent:
        return
    name = "mix-" + "-".join(part.name for part in parts)
    plan = mix_study(
        parts,
        SubjectPlan(model, precision),
        OpinionPlan.of(opinions),
        InterviewPlan(questions_per_topic=questions, max_new_tokens=max_new_tokens),
        name,
    )
    folder = out or Path("runs") / name
    report = run_study(plan, folder, reporter())
    show(write_additivity(folder, plan, parts), wanted_of(together))
    click.echo(f"finding: {folder / FINDING}")
    click.echo(f"report: {report}")


def wanted_of(edit: "Edit") -> set[str]:
    """The poles that the parts of an edit are for, where they say so."""
    from temperament.edit.base import Stack

    parts = edit.parts if isinstance(edit, Stack) else (edit,)
    return {str(part.origin.target) for part in parts if part.origin.target is not None}


def show(found: Additivity, wanted: set[str]) -> None:
    """Predicted against observed, a column a pole: those that are wanted, or all."""
    from rich.console import Console
    from rich.table import Table

    shares = {f"{row.measured_trait}:{row.measured_pole}": row for row in found.rows if row.measure == "share"}
    rows = [shares[pole] for pole in shares if pole in wanted] or list(shares.values())
    names = [f"{row.measured_trait}:{row.measured_pole}" for row in rows]
    table = Table("reads as", *names, box=None, header_style="bold", pad_edge=False)
    table.add_row("untouched", *(_short(row.untouched) for row in rows))
    for number, part in enumerate(found.parts):
        table.add_row(f"change: {part.strength:g} {part.name}", *(_short(row.parts[number]) for row in rows))
    table.add_row("sum of these", *(_short(row.predicted) for row in rows))
    table.add_row("change: all together", *(_short(row.observed) for row in rows))
    table.add_row("beyond the sum", *(_short(row.beyond) for row in rows))
    console = Console(markup=False)
    console.print(table)
    console.print(f"{found.questions} questions; 95 % intervals count topics.")


def _short(estimate: Estimate) -> str:
    return str(estimate).rpartition(", n = ")[0]
