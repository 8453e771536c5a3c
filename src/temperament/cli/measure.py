"""``temperament measure``: an edit, also one made elsewhere, beside the untouched model."""

from pathlib import Path

import click

from temperament.cli import option
from temperament.cli.progress import reporter
from temperament.record import Figure, Results, read_json
from temperament.study.plan import InterviewPlan, MethodPlan, OpinionPlan, Study, SubjectPlan


@click.command()
@option.subject()
@option.edit
@click.option("--target", default=None, help="Trait or trait:pole. [default: what the edit says it is for, if it does]")
@option.opinions
@option.trait
@click.option("--questions", type=click.IntRange(min=1), default=1, show_default=True, help="Asked on each test topic.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=150, show_default=True, help="Of a reply.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder of the run. [default: runs/measure-EDIT]"
)
def measure(
    model: str,
    precision: str,
    edit: str | None,
    strength: float,
    target: str | None,
    opinions: tuple[str, ...],
    questions: int,
    max_new_tokens: int,
    out: Path | None,
) -> None:
    """Measure an edit, or a PEFT adapter trained anywhere, beside the untouched model.

    Both answer the same held-out questions; the report says what changed: trait alignment, emojis, length, fluency,
    and what the edit does to text that it did not write.

    \b
    Example:
        temperament measure --subject Qwen/Qwen3-0.6B --edit path/to/adapter --target extraversion
    """
    from temperament.edit.store import load_edit
    from temperament.study.execution import run_study
    from temperament.trait import custom_traits

    wanted = target
    if edit is not None:
        loaded = load_edit(edit)
        wanted = wanted or (str(loaded.origin.target) if loaded.origin.target else None)
    methods = (MethodPlan("adapter", path=str(Path(edit).resolve())),) if edit else ()
    name = f"measure-{Path(edit).name}" if edit else "measure-untouched"
    plan = Study(
        name=name,
        title=f"{edit or 'the untouched model'} on {model}",
        traits=custom_traits(),
        targets=(wanted,) if wanted else (),
        strengths=(strength,),
        subject=SubjectPlan(model, precision),
        opinions=OpinionPlan.of(opinions),
        method=methods,
        interview=InterviewPlan(questions_per_topic=questions, max_new_tokens=max_new_tokens),
    )
    folder = out or Path("runs") / name
    report = run_study(plan, folder, reporter())
    show(read_json(folder / "results.json", Results).figures)
    click.echo(f"report: {report}")


def show(figures: list[Figure]) -> None:
    """The main figures as a table, the untouched model beside the edit."""
    from rich.console import Console
    from rich.table import Table

    table = Table("metric", "untouched", "edited", box=None, header_style="bold", pad_edge=False)
    rows: dict[str, dict[str, Figure]] = {}
    for figure in figures:
        name = figure.metric
        if figure.measured_trait and figure.measured_pole:
            name = f"reads as {figure.measured_trait}:{figure.measured_pole}"
        if not name.endswith("_change") and figure.metric != "trait_share":
            rows.setdefault(name, {})["base" if figure.method == "base" else "edit"] = figure
    for name, found in rows.items():
        table.add_row(name.replace("_", " "), *(_estimate(found.get(side)) for side in ("base", "edit")))
    Console(markup=False).print(table)


def _estimate(figure: Figure | None) -> str:
    from temperament.stats import Estimate

    return "" if figure is None else str(Estimate(figure.value, figure.lower, figure.upper, figure.n))
