"""``temperament export``: a model with an edit merged into its weights."""

from pathlib import Path

import click

from temperament.cli import option


@click.command()
@option.subject()
@click.option("--edit", "edit", type=click.Path(), required=True, help="Folder of a weight edit or PEFT LoRA adapter.")
@click.option("--strength", type=float, default=1.0, show_default=True, help="At which it is merged.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the merged model.")
def export(model: str, precision: str, edit: str, strength: float, out: Path) -> None:
    """Write a model with a weight edit merged in: an ordinary folder that any tool loads.

    \b
    Example:
        temperament export --subject builtin:smollm2 --edit warm --strength 0.8 --out merged
    """
    from temperament.edit.merge import export_merged
    from temperament.edit.store import load_edit
    from temperament.subject.base import Subject

    loaded = strength * load_edit(edit)
    path = export_merged(Subject.load(model, precision), loaded, out)
    click.echo(f"model: {path}")
