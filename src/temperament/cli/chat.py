"""``temperament chat``: talk to a model."""

import sys
from dataclasses import replace

import click

from temperament.cli import option
from temperament.cli.shaped import printable, shaped_subject
from temperament.record import Generation
from temperament.subject.base import Message


@click.command()
@option.subject()
@option.edit
@option.generation
@click.option("--system", default=None, help="A system prompt.")
def chat(
    model: str,
    precision: str,
    edit: str | None,
    strength: float,
    temperature: float,
    top_p: float,
    max_new_tokens: int,
    seed: int,
    system: str | None,
) -> None:
    """Talk to a model, with an edit at a strength of your choice. An empty line or Ctrl-D ends it.

    \b
    Example:
        temperament chat --subject builtin:smollm2 --edit warm --strength 0.8
    """
    generation = Generation(temperature, top_p, max_new_tokens, seed)
    with shaped_subject(model, precision, edit, strength) as subject:
        turns: list[Message] = [Message(role="system", content=system)] if system else []
        while True:
            click.echo("you> ", nl=False, err=True)
            line = sys.stdin.readline().strip()
            if not line:
                return
            turns.append(Message(role="user", content=line))
            answer = subject.reply([turns], replace(generation, seed=generation.seed + len(turns)))[0]
            click.echo(printable(str(answer)))
            if answer.text is None:
                turns.pop()
            else:
                turns.append(Message(role="assistant", content=answer.text))
