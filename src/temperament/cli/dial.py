"""``temperament dial``: edits at the strengths at which they do equally much."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from temperament.cli import option
from temperament.cli.progress import reporter
from temperament.errors import RequestError, WorkError
from temperament.opinion.row import SPLITS, Opinions, Split
from temperament.record import Generation, to_json, try_writing, write_text
from temperament.trait import Target

if TYPE_CHECKING:
    from temperament.edit.base import Edit
    from temperament.study.dial import Effect, Setting

Equal = Literal["kl", "likelihood", "alignment"]


@click.command()
@option.subject()
@click.option(
    "--edit", "edits", multiple=True, type=click.Path(path_type=Path), required=True, help="Folder of an edit; several."
)
@click.option(
    "--equal",
    type=click.Choice(["kl", "likelihood", "alignment"]),
    default="kl",
    show_default=True,
    help="What is to be equal: the distance from the untouched model on neutral text (KL, nats a token), the rise of "
    "the target's answers over the other pole's (log-probability a token), or the share of replies that show it.",
)
@click.option("--at", "goal", type=float, required=True, help="The value at which it is to be equal.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder for the edits, each under its name."
)
@click.option("--target", default=None, help="Trait or trait:pole. [default: what each edit says it is for]")
@option.opinions
@option.trait
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="validation",
    show_default=True,
    help="Of the opinions, for likelihood and alignment: one that no edit was fitted to.",
)
@click.option("--passages", type=click.IntRange(min=1), default=8, show_default=True, help="Neutral ones, for kl.")
@click.option(
    "--max-new-tokens", type=click.IntRange(min=1), default=60, show_default=True, help="Of a reply, for alignment."
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Share of the way to the value by which it may be missed.",
)
@click.option(
    "--most", type=click.FloatRange(0, min_open=True), default=4.0, show_default=True, help="Strength, at most."
)
def dial(
    model: str,
    precision: str,
    edits: tuple[Path, ...],
    equal: Equal,
    goal: float,
    out: Path,
    target: str | None,
    opinions: tuple[str, ...],
    split: Split,
    passages: int,
    max_new_tokens: int,
    tolerance: float,
    most: float,
) -> None:
    """Find the strength at which each edit has the same effect, and save the edits at it.

    What methods differ in can then be compared at equal distance from the untouched model, or at equal effect on the
    trait. OUT/dial.json says what was tried. An edit that cannot get there is not saved, and the exit code is 1.

    \b
    Example:
        temperament dial --edit qlora-warm --edit direction-warm --equal kl --at 0.2 --out equal
        temperament measure --edit equal/qlora-warm
    """
    from temperament.edit.store import load_edit
    from temperament.opinion.row import load_opinions
    from temperament.study.dial import Search, calibrate
    from temperament.subject.base import Subject

    names = _names(edits, out)
    loaded = {name: load_edit(path) for name, path in names.items()}
    rows = load_opinions(*opinions).split(split)
    effects = {
        name: _effect(equal, Target.parse(target) if target else edit.origin.target, rows, (passages, max_new_tokens))
        for name, edit in loaded.items()
    }
    subject = Subject.load(model, precision)
    for edit in loaded.values():
        edit.check(subject)
    try_writing(out / "dial.json")
    shown = reporter()
    shown.begin(f"setting edits to equal {equal} on {subject.name}", len(loaded))
    found: dict[str, Setting] = {}
    for number, (name, edit) in enumerate(loaded.items()):
        effect, step = effects[name]
        found[name] = calibrate(subject, edit, effect, goal, Search(tolerance, step / 2, most))
        if found[name].is_reached:
            (found[name].strength * edit).save(out / name)
        shown.advance(number + 1, name)
    shown.end()
    settings = {name: asdict(setting) for name, setting in found.items()}
    write_text(out / "dial.json", to_json({"equal": equal, "settings": settings}))
    _show(equal, loaded, found)
    _refuse_missed(found, goal)


def _names(edits: Sequence[Path], out: Path) -> dict[str, Path]:
    """Folders by the names under which they are saved; raises RequestError where two, or input and output, are one."""
    names: dict[str, Path] = {}
    for path in edits:
        name = path.resolve().name
        if name in names:
            message = f"two edits are named '{name}': they are saved under their names, so rename one of the folders."
            raise RequestError(message)
        if (out / name).resolve() == path.resolve():
            message = f"{path} is the edit that is read: give another --out."
            raise RequestError(message)
        names[name] = path
    return names


def _effect(equal: Equal, target: Target | None, rows: Opinions, sizes: tuple[int, int]) -> "tuple[Effect, float]":
    """The effect of edits for a target, and the step in which it moves; sizes are of passages and of replies."""
    from temperament.opinion.situation import load_passages
    from temperament.shape.likelihood import neutral_exchanges
    from temperament.shape.pair import pairs_of
    from temperament.study.dial import Alignment, Divergence, LikelihoodRise

    passages, max_new_tokens = sizes
    if equal == "kl":
        return Divergence(neutral_exchanges(load_passages(use="measure")[:passages])), 0.0
    if target is None:
        message = f"--equal {equal} needs to know what an edit is for, and one does not say: give --target."
        raise RequestError(message)
    if equal == "likelihood":
        return LikelihoodRise(pairs_of(rows, target)), 0.0
    questions = list(dict.fromkeys(row.question for row in rows if row.trait == target.trait))
    if not questions:
        message = f"{rows.name} has no question about {target.trait}: give opinions that do, or another --split."
        raise RequestError(message)
    return Alignment(target, questions, Generation(max_new_tokens=max_new_tokens)), 1 / len(questions)


def _show(equal: str, edits: "Mapping[str, Edit]", found: "Mapping[str, Setting]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("edit", "method", "strength", equal, "tried", "", box=None, header_style="bold", pad_edge=False)
    for name, setting in found.items():
        strength = setting.strength * edits[name].strength
        note = "saved" if setting.is_reached else f"not reached: {setting.note}"
        table.add_row(
            name, edits[name].origin.method, f"{strength:.3g}", f"{setting.effect:.3g}", str(len(setting.tried)), note
        )
    Console(markup=False).print(table)


def _refuse_missed(found: "Mapping[str, Setting]", goal: float) -> None:
    missed = [name for name, setting in found.items() if not setting.is_reached]
    if missed:
        others = "the others are saved" if len(missed) < len(found) else "nothing is saved but dial.json"
        message = (
            f"{', '.join(missed)} cannot be set to {goal:g}, and {others}. Ask for a value that all can reach, or "
            f"raise --most."
        )
        raise WorkError(message)
