"""``temperament compare``: the figures of two runs side by side."""

from pathlib import Path

import click


@click.command()
@click.argument("first", type=click.Path(path_type=Path), metavar="RUN")
@click.argument("second", type=click.Path(path_type=Path), metavar="RUN")
def compare(first: Path, second: Path) -> None:
    """Show the figures of two runs side by side."""
    from temperament.report import compare as compared

    click.echo(compared(first, second))
