"""``temperament reply``: ask a model questions."""

import click

from temperament.cli import option
from temperament.cli.shaped import printable, shaped_subject
from temperament.record import Generation


@click.command()
@click.argument("questions", nargs=-1, required=True, metavar="QUESTION...")
@option.subject()
@option.edit
@option.generation
def reply(
    questions: tuple[str, ...],
    model: str,
    precision: str,
    edit: str | None,
    strength: float,
    temperature: float,
    top_p: float,
    max_new_tokens: int,
    seed: int,
) -> None:
    """Ask a model questions; each is a conversation of its own.

    \b
    Example:
        temperament reply "What do you think about karaoke nights?" --edit warm
    """
    generation = Generation(temperature, top_p, max_new_tokens, seed)
    with shaped_subject(model, precision, edit, strength) as subject:
        for question, answer in zip(questions, subject.reply(questions, generation), strict=True):
            if len(questions) > 1:
                click.secho(question, bold=True)
            click.echo(printable(str(answer)))
