"""``temperament explain``: what an edit changes inside, what that writes, and whether it is the cause."""

from pathlib import Path

import click

from temperament.cli import option
from temperament.cli.progress import reporter
from temperament.explain.plan import LENSES, ExplainPlan, Lens
from temperament.record import read_json
from temperament.run import Row
from temperament.study.plan import InterviewPlan, MeasurePlan, MethodPlan, OpinionPlan, Study, SubjectPlan


@click.command()
@click.argument("edit", type=click.Path())
@option.subject()
@click.option("--strength", type=float, default=1.0, show_default=True, help="Of the edit.")
@click.option("--target", default=None, help="Trait or trait:pole. [default: what the edit says it is for, if it does]")
@option.opinions
@option.trait
@click.option(
    "--lens",
    "lenses",
    type=click.Choice(LENSES),
    multiple=True,
    help="May be given several times. [default: all]",
)
@click.option("--questions", type=click.IntRange(min=4), default=24, show_default=True, help="Asked, a topic each.")
@click.option(
    "--texts",
    type=click.IntRange(min=2),
    default=12,
    show_default=True,
    help="Replies that are read again for every set of units, on topics that units were not selected on.",
)
@click.option(
    "--sets",
    type=click.IntRange(min=1),
    default=199,
    show_default=True,
    help="Random sets of units; with fewer than 99 there is no p-value.",
)
@click.option(
    "--generated",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Random sets whose replies are written, too.",
)
@click.option(
    "--other",
    "others",
    type=click.Path(),
    multiple=True,
    help="An edit for another trait, as a control; or of method neurons, to compare units with.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder of the run. [default: runs/explain-EDIT]"
)
def explain(
    edit: str,
    model: str,
    precision: str,
    strength: float,
    target: str | None,
    opinions: tuple[str, ...],
    lenses: tuple[Lens, ...],
    questions: int,
    texts: int,
    sets: int,
    generated: int,
    others: tuple[str, ...],
    out: Path | None,
) -> None:
    """Look into an edit: which units it changes, whether they write emojis, and whether they are the cause.

    The untouched and the edited model answer held-out questions. Units are selected on one half of the topics and
    reported on the other; then they are ablated, and put into the untouched model, beside random units that are as
    active. The report says what came of it, in words first.

    \b
    Examples:
        temperament explain warm
        temperament explain warm --lens units --lens cause --sets 99
    """
    from temperament.edit.store import load_edit
    from temperament.study.execution import run_study
    from temperament.trait import custom_traits

    loaded = load_edit(edit)
    wanted = target or (str(loaded.origin.target) if loaded.origin.target else None)
    name = f"explain-{Path(edit).name}"
    plan = Study(
        name=name,
        title=f"{edit} on {model}, looked into",
        traits=custom_traits(),
        targets=(wanted,) if wanted else (),
        strengths=(strength,),
        subject=SubjectPlan(model, precision),
        opinions=OpinionPlan.of(opinions),
        method=(MethodPlan("adapter", path=str(Path(edit).resolve())),),
        interview=InterviewPlan(questions_per_topic=1, topics=questions, max_new_tokens=60),
        measure=MeasurePlan(answers=0),
        explain=ExplainPlan(
            lenses=lenses or LENSES,
            strength=strength,
            texts=texts,
            sets=sets,
            generated=generated,
            others=tuple(str(Path(path).resolve()) for path in others),
        ),
    )
    folder = out or Path("runs") / name
    report = run_study(plan, folder, reporter())
    for path in sorted((folder / "findings" / "explain").glob("*.json")):
        show(read_json(path, dict))
    click.echo(f"report: {report}")


def show(explanation: Row) -> None:
    """The verdict, and the four questions with their answers."""
    from temperament.report.explain_answer import answers, reasons_of, verdict

    click.echo(verdict(explanation))
    for answer in answers(explanation):
        click.echo(f"{answer.question} {answer.head} {answer.words}".rstrip())
    for name, reason in reasons_of(explanation):
        click.echo(f"not had: {name}: {reason}")
