"""``temperament fit``: fit an edit to a model and save it."""

from pathlib import Path

import click

from temperament.cli import option
from temperament.cli.progress import reporter
from temperament.errors import BadFileError


@click.command()
@click.argument("method", metavar="METHOD")
@option.subject()
@click.option("--target", "wanted", required=True, help="A trait, or trait:pole, such as extraversion or openness:low.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the edit.")
@option.opinions
@option.trait
@click.option("--preset", default="default", show_default=True, help="Of the method's settings: default or paper.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change a setting, such as rank=16.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the fitting.")
def fit(
    method: str,
    model: str,
    precision: str,
    wanted: str,
    out: Path,
    opinions: tuple[str, ...],
    preset: str,
    assignments: tuple[str, ...],
    seed: int,
) -> None:
    """Fit an edit to a model by METHOD (qlora) and save it into a folder.

    A weight edit is an ordinary PEFT adapter: other tools load the folder as it is. A fitting that was stopped goes on
    where it was: give the same command again.

    \b
    Examples:
        temperament fit qlora --target extraversion --out warm
        temperament fit qlora --subject Qwen/Qwen3-0.6B --precision nf4 --preset paper --target openness --out open
    """
    from temperament.opinion.row import load_opinions
    from temperament.settings import override
    from temperament.shape.protocol import FitProgress, Workspace
    from temperament.shape.registry import make_method
    from temperament.study.estimate import Work, forecast
    from temperament.subject.base import Subject
    from temperament.trait import Target

    place = out.resolve()
    if place.is_file() or (place.is_dir() and any(place.iterdir()) and not (place / "edit.json").exists()):
        message = f"{out} exists and is no edit: choose another folder, so that nothing of yours is replaced."
        raise BadFileError(message)
    target = Target.parse(wanted)
    fitted = make_method(method, preset, override({}, assignments), seed)
    rows = load_opinions(*opinions).split("shape")
    subject = Subject.load(model, precision)
    shown = reporter()
    shown.say(f"this takes {forecast(subject, Work((fitted.effort(subject, [target], rows),)))}.")
    shown.begin(f"fitting {method} for {target} on {subject.name} in {subject.precision}", 1000)

    def watch(progress: FitProgress) -> None:
        shown.advance(1000 * progress.step // progress.steps, str(progress))

    checkpoint = place.with_name(f".{place.name}.checkpoint.safetensors")
    edit = fitted.fit(subject, target, rows, Workspace(checkpoint, watch=watch))
    edit.save(place)
    checkpoint.unlink(missing_ok=True)
    shown.end()
    click.echo(f"edit: {out}")
    click.echo(f"next: temperament chat --subject {model} --edit {out} --strength 0.8")
