"""``temperament compare``: the figures of two runs side by side."""

from pathlib import Path

import click

from temperament.record import Figure


@click.command()
@click.argument("first", type=click.Path(path_type=Path), metavar="RUN")
@click.argument("second", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--all", "is_all", is_flag=True, help="Also the shares of every pole and trait.")
def compare(first: Path, second: Path, *, is_all: bool) -> None:
    """Show the figures that two runs share side by side, with intervals.

    \b
    Example:
        temperament compare runs/demo runs/other
    """
    from rich.console import Console
    from rich.table import Table

    from temperament.report import compare as compared

    table = Table("figure", first.name, second.name, "difference", box=None, header_style="bold", pad_edge=False)
    for row in compared(first, second):
        if is_all or row.first.measured_trait is None:
            difference = "" if row.difference is None else f"{row.difference:+.2f}"
            mark = " *" if row.has_overlap is False else ""
            table.add_row(_name(row.first), _estimate(row.first), _estimate(row.second), difference + mark)
    Console(markup=False).print(table)
    click.echo("* the intervals do not overlap")


def _name(figure: Figure) -> str:
    parts = (figure.method, figure.condition, figure.trait, figure.pole, f"x{figure.strength:g}", f"s{figure.seed}")
    measured = " ".join(filter(None, (figure.metric, figure.measured_trait, figure.measured_pole)))
    return f"{' '.join(filter(None, parts))}: {measured}".replace("_", " ")


def _estimate(figure: Figure) -> str:
    from temperament.stats import Estimate

    return str(Estimate(figure.value, figure.lower, figure.upper, figure.n))
