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
# What an effect is a mean over.
ITEMS: Mapping[Equal, str] = {"kl": "passages", "likelihood": "pairs", "alignment": "replies"}


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
@click.option(
    "--passages",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Neutral ones, for kl: the last of the 55 that no method reads; a study's drawdown is of the first 16.",
)
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
    trait; the interval says how well the effect is known. OUT/dial.json says what was tried. An edit that cannot get
    there is not saved, and the exit code is 1.

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
    targets = _targets(loaded, target, equal)
    effects = _effects(equal, targets, load_opinions(*opinions), split, (passages, max_new_tokens))
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


def _targets(edits: "Mapping[str, Edit]", target: str | None, equal: Equal) -> dict[str, Target | None]:
    """What each edit is for; kl needs no target.

    Raises:
        RequestError: an edit does not say, or is for several; and whatever the parsing of ``target`` raises.
    """
    if target or equal == "kl":
        return dict.fromkeys(edits, Target.parse(target) if target else None)
    found: dict[str, Target | None] = {}
    for name, edit in edits.items():
        own = _own_targets(edit)
        if len(own) > 1:
            message = (
                f"{name} is for {' and '.join(map(str, own))}, and --equal {equal} sets an edit by one of them: give "
                f"--target."
            )
            raise RequestError(message)
        if own == [None]:
            message = f"--equal {equal} needs to know what an edit is for, and {name} does not say: give --target."
            raise RequestError(message)
        found[name] = own[0]
    return found


def _own_targets(edit: "Edit") -> list[Target | None]:
    """Those of an edit, or of all parts of a stack, each once."""
    from temperament.edit.base import Stack

    if not isinstance(edit, Stack):
        return [edit.origin.target]
    return list(dict.fromkeys(target for part in edit.parts for target in _own_targets(part)))


def _effects(
    equal: Equal, targets: "Mapping[str, Target | None]", opinions: Opinions, split: Split, sizes: tuple[int, int]
) -> "dict[str, tuple[Effect, float]]":
    """The effect of each edit, and the step in which it moves; sizes are of passages and of replies."""
    from temperament.activation.forcing import neutral_exchanges
    from temperament.opinion.situation import load_passages
    from temperament.shape.pair import pairs_of
    from temperament.study.dial import Divergence, LikelihoodRise

    passages, max_new_tokens = sizes
    if equal == "kl":
        # From the end: a study reads the first ones, so what an edit is set by is not what its drawdown is read from.
        spare = load_passages(use="measure")[-passages:]
        return dict.fromkeys(targets, (Divergence(neutral_exchanges(spare)), 0.0))
    rows, wanted = opinions.split(split), {name: target for name, target in targets.items() if target}
    if equal == "likelihood":
        return {name: (LikelihoodRise(pairs_of(rows, target)), 0.0) for name, target in wanted.items()}
    return _alignments(wanted, opinions, rows, Generation(max_new_tokens=max_new_tokens))


def _alignments(
    targets: Mapping[str, Target], opinions: Opinions, rows: Opinions, generation: Generation
) -> "dict[str, tuple[Effect, float]]":
    """Shares of replies, read by the classifier that a study of these opinions has."""
    from temperament.measure.classifier import check_learned, learnable
    from temperament.measure.stock import trait_classifier
    from temperament.study.dial import Alignment

    topics: dict[Target, dict[str, str]] = {}
    for target in targets.values():
        topics[target] = {row.question: row.topic for row in rows if row.trait == target.trait}
        if not topics[target]:
            message = f"{rows.name} has no question about {target.trait}: give opinions that do, or another --split."
            raise RequestError(message)
        check_learned(target, learnable(opinions))
    reader = trait_classifier(opinions)
    found: dict[str, tuple[Effect, float]] = {}
    for name, target in targets.items():
        asked = topics[target]
        found[name] = (
            Alignment(target, tuple(asked), generation, reader, tuple(asked.values())),
            1 / len(asked),
        )
    return found


def _show(equal: Equal, edits: "Mapping[str, Edit]", found: "Mapping[str, Setting]") -> None:
    from rich.console import Console
    from rich.table import Column, Table

    interval = Column("95 % interval", no_wrap=True)
    heads = ("edit", "method", "strength", equal, interval, ITEMS[equal], "tried", "")
    table = Table(*heads, box=None, header_style="bold", pad_edge=False)
    for name, setting in found.items():
        strength = setting.strength * edits[name].strength
        note = "saved" if setting.is_reached else f"not reached: {setting.note}"
        table.add_row(
            *(name, edits[name].origin.method, f"{strength:.3g}", f"{setting.effect:.3g}"),
            *(*_interval(setting), str(len(setting.tried)), note),
        )
    console = Console(markup=False)
    console.print(table)
    if warning := _warning(equal, found):
        console.print(warning)


def _interval(setting: "Setting") -> tuple[str, str]:
    """The interval of an effect, and its number of items."""
    estimate = setting.estimate
    if estimate is None:
        return "", ""
    if estimate.lower is None or estimate.upper is None:
        return "withheld", str(estimate.n)
    return f"{estimate.lower:.3g} to {estimate.upper:.3g}", str(estimate.n)


def _warning(equal: Equal, found: "Mapping[str, Setting]") -> str:
    """What is to be said of effects that rest on few items; empty where none does."""
    from temperament.study.dial import FEW

    fewest = min((setting.estimate.n for setting in found.values() if setting.estimate), default=FEW)
    if fewest >= FEW:
        return ""
    more = "raise --passages" if equal == "kl" else "give --split measure, or opinions with more"
    return (
        f"warning: equal {equal} rests on {fewest} {ITEMS[equal]}, fewer than {FEW}. On others the edits may differ by "
        f"as much as the intervals are wide: {more}."
    )


def _refuse_missed(found: "Mapping[str, Setting]", goal: float) -> None:
    missed = [name for name, setting in found.items() if not setting.is_reached]
    if missed:
        others = "the others are saved" if len(missed) < len(found) else "nothing is saved but dial.json"
        message = (
            f"{', '.join(missed)} cannot be set to {goal:g}, and {others}. Ask for a value that all can reach, or "
            f"raise --most."
        )
        raise WorkError(message)
