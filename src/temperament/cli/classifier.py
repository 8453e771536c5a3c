"""``temperament classifier``: readers of traits of one's own."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from temperament.cli import option
from temperament.cli.progress import reporter

if TYPE_CHECKING:
    from temperament.measure.card import Card


@click.group()
def classifier() -> None:
    """Make a trait classifier of your own; one ships, and is used where none is named."""


@classifier.command()
@click.option(
    "--encoder", required=True, help="builtin:minilm, a folder, or a hub id, such as FacebookAI/roberta-base."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the tuned encoder.")
@option.opinions
@option.trait
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change a setting, such as epochs=3.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the training.")
def train(encoder: str, out: Path, opinions: tuple[str, ...], assignments: tuple[str, ...], seed: int) -> None:
    """Tune all weights of an encoder to read poles, and save it into a folder.

    It learns from the split 'measure' of the opinions, stops by 'validation', and is tried on 'test'; OUT/card.json
    says how far it can be trusted. On two cores builtin:minilm takes a quarter of an hour; larger ones want a GPU.
    Settings: learning_rate, batch, epochs, warmup, weight_decay, patience, max_tokens, coverage.

    \b
    Examples:
        temperament classifier train --encoder FacebookAI/roberta-base --out reader
        temperament study demo --set measure.embedder=encoder:reader
    """
    from temperament.measure.encoder import EncoderTraining
    from temperament.measure.stock import held_out
    from temperament.measure.tuning import train_encoder
    from temperament.opinion.row import load_opinions
    from temperament.record import to_json, write_text
    from temperament.settings import build, override

    settings = build(EncoderTraining, override({}, assignments), "--set")
    rows = load_opinions(*opinions)
    shown = reporter()
    shown.begin(f"tuning {encoder} to read {rows.name}", 1000)

    def watch(done: int, steps: int) -> None:
        shown.advance(1000 * done // max(1, steps))

    tuned = train_encoder(rows, encoder, out, settings, seed, watch)
    shown.end()
    card = tuned.card(held_out(rows))
    write_text(out / "card.json", to_json(card))
    _show(card)
    click.echo(f"classifier: {out}, used as encoder:{out}")


def _show(card: "Card") -> None:
    for found in card.assessments:
        click.echo(f"{found.rows}, {len(card.poles)} poles: {found.poles}; their traits: {found.traits}")
        click.echo(f"  sure of {found.sure}; poles where sure: {found.poles_sure}")
    for kind in card.traitless:
        click.echo(f"unsure of {kind.texts}: {kind.unsure}")
