"""``temperament report``: the report of a run, written again from its files."""

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
def report(run: Path) -> None:
    """Write the report of a run again: RUN/report.html, one file that needs no network.

    \b
    Example:
        temperament report runs/demo
    """
    from temperament.report import render

    click.echo(f"report: {render(run)}")
