"""The command line. Commands are loaded when they are called, so that help is quick."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from temperament.errors import TemperamentError

# Command: the module it is in, and the line that the list of commands shows (its module is not loaded for that).
COMMANDS = {
    "study": "Run a study: shape, ask, measure, report.",
    "measure": "Measure an edit or an adapter beside the untouched model.",
    "fit": "Fit an edit to a model.",
    "chat": "Talk to a model, with an edit at a strength of your choice.",
    "reply": "Ask a model questions, with or without an edit.",
    "export": "Write a model with an edit merged into its weights.",
    "report": "Write the report of a run again.",
    "compare": "Show the figures of two runs side by side.",
    "data": "Look at, import and export Opinion QA.",
    "models": "List the built-in models and how to install them.",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        return getattr(import_module(f"temperament.cli.{cmd_name}"), cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from temperament.errors import UnknownNameError

            raise UnknownNameError(kind="command", asked=args[0], known=COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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
