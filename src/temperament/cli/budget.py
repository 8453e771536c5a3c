"""``temperament budget``: the strongest strength of an edit within limits on everything that it is not for."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from temperament.cli import option
from temperament.cli.mix import wanted_of
from temperament.cli.output import check_outputs
from temperament.cli.progress import reporter
from temperament.errors import RequestError, WorkError
from temperament.opinion.row import Opinions, Split, load_opinions
from temperament.record import Generation, to_json, write_text
from temperament.study.plan import ASKED_SPLITS, InterviewPlan, Study
from temperament.trait import Target

if TYPE_CHECKING:
    from temperament.edit.base import Edit
    from temperament.stats import Estimate
    from temperament.study.budget import Account, Budget, Cost, Limits, Walk
    from temperament.study.meter import Half
    from temperament.subject.base import Subject


@click.command()
@option.subject()
@click.option("--edit", "path", type=click.Path(path_type=Path), required=True, help="Folder of an edit with a dial.")
@click.option("--target", default=None, help="Trait or trait:pole. [default: what the edit says it is for]")
@option.opinions
@option.trait
@click.option(
    "--perplexity",
    type=float,
    default=1.25,
    show_default=True,
    help="Of neutral text, at most, as a multiple of the untouched model's; 'inf', here and below, sets no limit.",
)
@click.option(
    "--kl", type=float, default=0.2, show_default=True, help="From the untouched model on neutral text, nats a token."
)
@click.option(
    "--gibberish", type=float, default=0.1, show_default=True, help="Rise of the share of replies that are gibberish."
)
@click.option(
    "--off-target",
    type=float,
    default=0.2,
    show_default=True,
    help="Change, either way, of P(high) - P(low) of any trait that the edit is not for.",
)
@click.option("--step", type=float, default=0.25, show_default=True, help="Of the grid of strengths, from 0 up.")
@click.option("--most", type=float, default=2.0, show_default=True, help="Strength, at most.")
@click.option(
    "--reserve",
    type=float,
    default=0.2,
    show_default=True,
    help="Share of each limit that the search leaves unused, so that chance alone does not refute what it finds.",
)
@click.option("--split", type=click.Choice(ASKED_SPLITS), default="test", show_default=True, help="That is asked.")
@click.option("--questions", type=click.IntRange(min=1), default=2, show_default=True, help="Asked on each topic.")
@click.option(
    "--passages", type=click.IntRange(min=1), default=32, show_default=True, help="Neutral ones, both halves together."
)
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=60, show_default=True, help="Of a reply.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=None, help="File for all of it, JSON.")
def budget(
    model: str,
    precision: str,
    path: Path,
    target: str | None,
    opinions: tuple[str, ...],
    perplexity: float,
    kl: float,
    gibberish: float,
    off_target: float,
    step: float,
    most: float,
    reserve: float,
    split: Split,
    questions: int,
    passages: int,
    max_new_tokens: int,
    out: Path | None,
) -> None:
    """Find the strongest strength of an edit that stays within limits on all that it is not for.

    Strengths are tried from weak to strong on one half of the questions and neutral texts, topic by topic. What is
    found is looked at once on the other half: the answer is confirmed where every side effect is within its limit
    there too. Where it is not, the exit code is 1, and nothing else is tried.

    \b
    Example:
        temperament budget --edit warm --kl 0.1 --gibberish 0.05
        temperament measure --edit warm --strength 0.75
    """
    from temperament.edit.store import load_edit
    from temperament.study.budget import Limits, Walk, check_dial
    from temperament.subject.base import Subject

    limits = Limits(*(None if math.isinf(one) else one for one in (perplexity, kl, gibberish, off_target)))
    walk = Walk(step=step, most=most, reserve=reserve)
    edit = load_edit(path)
    check_dial(edit)
    rows = load_opinions(*opinions)
    targets = _targets(edit, target, rows, limits)
    both = _halves(rows, split, questions, passages)
    check_outputs([*opinions], {"--out": out})
    subject = Subject.load(model, precision)
    edit.check(subject)
    found = _found(
        subject, edit, (limits, walk), (rows, split, targets), both, Generation(max_new_tokens=max_new_tokens)
    )
    if out is not None:
        about = {"subject": subject.name, "edit": edit.fingerprint, "edit_strength": edit.strength}
        asked = {"targets": [str(one) for one in targets], "split": split, "max_new_tokens": max_new_tokens}
        write_text(out, to_json({**about, **asked, "budget": asdict(found)}))
    show(found, edit.strength)
    _refuse(found)


def _targets(edit: "Edit", target: str | None, opinions: Opinions, limits: "Limits") -> tuple[Target, ...]:
    """What the edit is for; raises RequestError where nobody says, or the classifier could not see it."""
    from temperament.measure.classifier import check_learned, learnable

    names = [target] if target else sorted(wanted_of(edit))
    if not names and limits.off_target is not None:
        message = "a limit on other traits needs to know what the edit is for, and it does not say: give --target."
        raise RequestError(message)
    found = tuple(Target.parse(name) for name in names)
    labels = learnable(opinions)
    for one in found:
        check_learned(one, labels)
    return found


def _halves(opinions: Opinions, split: Split, questions: int, passages: int) -> "tuple[Half, Half]":
    from temperament.study.execution import study_items
    from temperament.study.meter import halves, neutral_texts

    plan = Study("budget", interview=InterviewPlan(split=split, questions_per_topic=questions))
    return halves(study_items(plan, opinions), neutral_texts(passages))


def _found(
    subject: "Subject",
    edit: "Edit",
    wanted: "tuple[Limits, Walk]",
    given: tuple[Opinions, Split, tuple[Target, ...]],
    both: "tuple[Half, Half]",
    generation: Generation,
) -> "Budget":
    from temperament.measure.stock import trait_classifier
    from temperament.shape.protocol import opened
    from temperament.study.budget import find_budget
    from temperament.study.estimate import Work, forecast
    from temperament.study.meter import HalfMeter, yardstick_of

    opened_subject = opened(subject, "a side-effect budget")
    (limits, walk), (opinions, split, targets) = wanted, given
    counts = [len(half.items) for half in both]
    replies = counts[0] * (1 + walk.longest) + 2 * counts[1]
    shown = reporter()
    work = Work(replies=replies, rows=min(64, *counts), generation=generation)
    shown.say(f"at most {walk.longest} strengths, {counts[0]} questions each: {forecast(subject, work)}.")
    yardstick = yardstick_of(opened_subject, opinions, split, trait_classifier(opinions), targets, limits, generation)
    shown.begin(f"looking for the budget of {edit.origin.method} on {subject.name}", walk.longest + 2)

    def watch(strength: float, done: int) -> None:
        shown.advance(done + 1, f"strength {strength:g}")

    meter = HalfMeter(opened_subject, both[0], yardstick)
    found = find_budget(
        subject, edit, meter, lambda: HalfMeter(opened_subject, both[1], yardstick), limits, walk, watch
    )
    shown.end()
    return found


def show(found: "Budget", own: float) -> None:
    """Each limit with what was found on either half.

    Args:
        found: the answer.
        own: strength of the edit as it was given.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False)
    total = "" if own == 1 else f" ({found.strength * own:.3g} with the edit's own)"
    console.print(f"strength {found.strength:.3g}{total}: {_verdict(found)}")
    if found.search is not None and found.confirmation is not None:
        table = Table("change", "at most", "search half", "other half", box=None, header_style="bold", pad_edge=False)
        for cost, other in zip(found.search.costs, found.confirmation.costs, strict=True):
            name = cost.measured_trait or cost.limit
            table.add_row(name, _most(cost), _short(cost.estimate), _short(other.estimate))
        for gain, other in zip(found.search.gains, found.confirmation.gains, strict=True):
            table.add_row(f"{gain.trait}, {gain.pole}", "wanted", _short(gain.estimate), _short(other.estimate))
        console.print(table)
        console.print(f"{_sizes(found.search)} and {_sizes(found.confirmation)}; 95 % intervals count topics.")
    if found.binding:
        console.print(f"what binds: {found.binding}")
    if found.note:
        console.print(f"note: {found.note}")


def _verdict(found: "Budget") -> str:
    if found.search is None:
        return "no strength that was tried is within the limits"
    if not found.is_confirmed:
        return "NOT confirmed on the other half"
    return "confirmed on the other half, the intervals too" if found.is_certain else "confirmed on the other half"


def _most(cost: "Cost") -> str:
    if cost.most is None:
        return "no limit"
    # Traits off target may move either way.
    return f"\u00b1{cost.most:g}" if cost.measured_trait else f"{cost.most:g}"


def _short(estimate: "Estimate") -> str:
    if estimate.value is None:
        return "withheld"
    if estimate.lower is None or estimate.upper is None:
        return f"{estimate.value:.3g} (no interval)"
    return f"{estimate.value:.3g} ({estimate.lower:.2g} to {estimate.upper:.2g})"


def _sizes(account: "Account") -> str:
    return f"{account.questions} questions, {account.passages} neutral texts"


def _refuse(found: "Budget") -> None:
    if found.is_confirmed:
        return
    what = "no strength that was tried is within the limits" if found.search is None else found.note
    message = f"{what}. Allow more, keep a larger --reserve, or ask more (--questions) for narrower intervals."
    raise WorkError(message)
