"""``temperament data``: Opinion QA, in and out."""

from pathlib import Path

import click

from temperament.opinion.row import SPLITS, Split, load_opinions, write_opinions


@click.group()
def data() -> None:
    """Look at, import and export Opinion QA."""


@data.command("import")
@click.argument("source", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File for the JSON lines.")
@click.option("--split", type=click.Choice(SPLITS), default="shape", show_default=True, help="Of the rows of a CSV.")
def import_(source: Path, out: Path, split: Split) -> None:
    """Read opinions from JSON lines, or CSV with Target Personality, Edit Topic, Question, Answer; write JSON lines.

    \b
    Example:
        temperament data import train.csv --out train.jsonl
    """
    from temperament.opinion.csv_format import read_public_csv

    rows = read_public_csv(source, split) if source.suffix.lower() == ".csv" else load_opinions(source)
    write_opinions(out, rows)
    click.echo(f"{len(rows)} opinions on {len(rows.topics)} topics: {out}")


@data.command("export")
@click.option("--opinions", type=click.Path(), default=None, help="[default: the shipped Opinion QA]")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="File for the JSON lines.")
def export(opinions: str | None, out: Path) -> None:
    """Write opinions as JSON lines, such as the shipped ones to look at or to change."""
    rows = load_opinions(opinions)
    write_opinions(out, rows)
    click.echo(f"{len(rows)} opinions on {len(rows.topics)} topics: {out}")


@data.command("show")
@click.option("--opinions", type=click.Path(), default=None, help="[default: the shipped Opinion QA]")
def show(opinions: str | None) -> None:
    """Count rows, answers and topics by split."""
    rows = load_opinions(opinions)
    click.echo(f"{'split':<12}{'rows':>7}{'answers':>9}{'topics':>8}")
    for split in SPLITS:
        part = rows.split(split)
        answers = len({row.answer for row in part})
        click.echo(f"{split:<12}{len(part):>7}{answers:>9}{len(part.topics):>8}")
