"""``temperament fit``: fit an edit to a model and save it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from temperament.cli import option
from temperament.cli.progress import reporter
from temperament.errors import BadFileError

if TYPE_CHECKING:
    from temperament.edit.base import Edit

# Method: what it does in a line, and its presets; a test holds them to the methods, which are not loaded for help.
METHODS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "prompt": ("tells it who it is", ("default", "simple", "portrait", "graded")),
    "ike": ("shows it how the target answers", ("default", "paper", "fixed")),
    "mend": ("edits weights by a learned network", ("default", "paper")),
    "qlora": (
        "trains a low-rank adapter, in PEFT's format",
        ("default", "paper", "unstopped", "stabilised", "neutral", "shuffled"),
    ),
    "neurons": ("moves units of its MLPs", ("default", "paper", "effect", "answer")),
    "direction": ("steers it by a vector", ("default", "component", "random")),
}


class _WithMethods(click.Command):
    """A command whose help ends with the list of methods."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The methods, one a line."""
        with formatter.section("Methods and their presets"):
            formatter.write_dl([(name, f"{line} ({', '.join(presets)}).") for name, (line, presets) in METHODS.items()])


@click.command(cls=_WithMethods)
@click.argument("method", metavar="METHOD")
@option.subject()
@click.option(
    "--target",
    "wanted",
    required=True,
    help="A trait or trait:pole, such as openness:low; or a profile, such as 'O=+0.8, N=-0.5' (the sign is the pole).",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the edit.")
@option.opinions
@option.trait
@click.option("--preset", default="default", show_default=True, help="Of the method's settings; see below.")
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
    """Fit an edit to a model by METHOD and save it into a folder.

    A weight edit is an ordinary PEFT adapter: other tools load the folder as it is. A profile becomes a stack of edits,
    one a trait. prompt and ike need no weights, so they work on endpoints, and have no dial. A fitting by qlora or mend
    that was stopped goes on where it was when the same command is given again; neurons keeps the traits that it has
    searched, and the others begin anew.

    \b
    Examples:
        temperament fit qlora --target extraversion --out warm
        temperament fit qlora --subject Qwen/Qwen3-0.6B --precision nf4 --preset paper --target openness --out open
        temperament fit direction --target "E=+1, N=-0.5" --out sunny
        temperament fit prompt --subject http://HOST:PORT/v1 --target agreeableness:low --out harsh
    """
    from temperament.edit.profile import Profile, is_profile
    from temperament.opinion.row import load_opinions
    from temperament.settings import override
    from temperament.shape.profile import check_dial, fit_profile
    from temperament.shape.protocol import FitProgress, Workspace
    from temperament.shape.registry import make_method
    from temperament.study.estimate import Work, forecast
    from temperament.subject.base import Subject
    from temperament.trait import Target

    place = out.resolve()
    if place.is_file() or (place.is_dir() and any(place.iterdir()) and not (place / "edit.json").exists()):
        message = f"{out} exists and is no edit: choose another folder, so that nothing of yours is replaced."
        raise BadFileError(message)
    profile = Profile.parse(wanted) if is_profile(wanted) else None
    targets = list(profile) if profile else [Target.parse(wanted)]
    fitted = make_method(method, preset, override({}, assignments), seed)
    if profile:
        check_dial(method, profile)
    rows = load_opinions(*opinions).split("shape")
    subject = Subject.load(model, precision)
    shown = reporter()
    shown.say(f"this takes {forecast(subject, Work((fitted.effort(subject, targets, rows),)))}.")
    shown.begin(f"fitting {method} for {profile or targets[0]} on {subject.name} in {subject.precision}", 1000)

    def watch(progress: FitProgress) -> None:
        shown.advance(1000 * progress.step // max(1, progress.steps), str(progress))

    workspace = Workspace(place.with_name(f".{place.name}.checkpoint.safetensors"), watch=watch)
    edit = (
        fit_profile(fitted, subject, profile, rows, workspace)
        if profile
        else fitted.fit(subject, targets[0], rows, workspace)
    )
    edit.save(place)
    # Methods that train in groups keep a checkpoint each, with a number added to the name.
    for checkpoint in place.parent.glob(f".{place.name}.checkpoint*.safetensors"):
        checkpoint.unlink()
    shown.end()
    click.echo(f"edit: {out}")
    click.echo(f"next: {_next(model, out, edit)}")


def _next(model: str, out: Path, edit: "Edit") -> str:
    """A command that shows what was made; a strength only where there is a dial."""
    from temperament.edit.profile import has_dial

    return f"temperament chat --subject {model} --edit {out}{' --strength 0.8' if has_dial(edit) else ''}"
