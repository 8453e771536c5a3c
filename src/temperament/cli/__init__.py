"""The command line. Commands are loaded when they are called, so that help is quick."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from temperament.cli.lazy import Lazy, Lines
from temperament.errors import TemperamentError

COMMANDS: Lines = {
    "study": ("study", "Run a study: shape, ask, measure, report."),
    "measure": ("measure", "Measure an edit or an adapter beside the untouched model."),
    "ability": ("ability", "Have a model do tasks of lm-evaluation-harness, with and without an edit."),
    "fit": ("fit", "Fit an edit to a model: one trait or a profile of several."),
    "mix": ("mix", "Apply several edits at once, and see whether their effects add up."),
    "explain": ("explain", "See why: which units an edit changes, and whether they are the cause."),
    "chat": ("chat", "Talk to a model, with an edit at a strength of your choice."),
    "reply": ("reply", "Ask a model questions, with or without an edit."),
    "dial": ("dial", "Set edits to the strengths at which they have equal effect."),
    "budget": ("budget", "Find an edit's strongest strength within limits on its side effects."),
    "export": ("export", "Write a model with an edit merged into its weights."),
    "report": ("report", "Write the report of a run again."),
    "compare": ("compare", "Show the figures of two runs side by side."),
    "data": ("data", "Look at, check, make, import and export Opinion QA."),
    "classifier": ("classifier", "Tune an encoder of your own to read traits."),
    "models": ("models", "List the built-in models and how to install them."),
}


@click.group(
    cls=Lazy, lines=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="temperament")
def app() -> None:
    """Shape a language model's personality, measure whether it worked and what else changed, and see why.

    \b
    The main job, on a built-in model, in minutes:
        temperament study demo
    Your own model:
        temperament fit qlora --subject MODEL --target extraversion --out warm
        temperament chat --subject MODEL --edit warm --strength 0.8
        temperament measure --subject MODEL --edit warm
        temperament explain warm --subject MODEL
        temperament mix --subject MODEL --edit warm --edit bold
        temperament export --subject MODEL --edit warm --out merged
    MODEL is a hub id, a folder, builtin:smollm2, or http://HOST:PORT/v1 (replies only).
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; exits with 0 done, 1 the work failed, 2 the request was wrong."""
    # Threads of OpenMP that spin while they wait take the cores from other work; it is read when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    try:
        sys.exit(app(args=arguments, standalone_mode=False))
    except TemperamentError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("stopped: what is complete is kept, and the same command goes on from there.", err=True)
        sys.exit(130)
