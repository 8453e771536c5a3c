"""One self-contained page about a run: a function of its folder, equal for equal folders."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from temperament.record import write_text
from temperament.report.addition import addition
from temperament.report.board import Arm, Board, Goal
from temperament.report.headline import Headline, headline
from temperament.report.lineup import lineup
from temperament.report.sample import MOST_PAIRS, Samples, base_cells, cells_of, samples
from temperament.report.strip import Strip, strip
from temperament.report.table import Change, Matrix, changes, crosstalk, emojis_in
from temperament.report.training import HEIGHT, WIDTH, trainings
from temperament.report.trust import (
    Choice,
    card,
    choice,
    extent,
    flat,
    gibberish,
    other_figures,
    precisions,
    study_name,
    unread,
)
from temperament.report.wording import counted, estimate, listed, number
from temperament.run import Run

FILE = "report.html"
SECONDARY = ("trait_alignment_5", "trait_alignment_without_emoji", "trait_alignment_5_without_emoji")
SHOWN = {"trait_alignment", *SECONDARY, "pole_share", "trait_share", "emoji_share", "emoji_sentence_ratio"}
# Titles and decimals.
PLAIN = {
    "words": ("Words per reply", 1),
    "finished_share": ("Share of replies that the model ended itself", 2),
    "gibberish_share": ("Share of replies that are gibberish: empty, unknown words, repetition, or shuffled words", 2),
    "perplexity": ("Perplexity of the replies under the untouched model, the median; a loop has a low one too", 1),
    "log_perplexity": ("The same, the mean of logarithms: nats a token", 2),
    "distinct_2": ("Different ones among the pairs of neighbouring words of a reply, as a share", 2),
    "repetition": ("Share of a reply that stands in a run of four words which occurs twice", 2),
    "edit_success": (
        "Edit success on reference answers that the model is given to read, 0 to 1; 0.5 prefers neither pole",
        2,
    ),
    "drawdown": ("Drawdown: how far the distribution of words in neutral text is moved, in nats a token", 2),
    "neutral_perplexity": ("Perplexity of neutral text", 1),
}
UNMOVED = "0 by definition"


@dataclass(frozen=True)
class EmojiUse:
    """Which emojis the replies of one goal hold; None where they were not scored."""

    name: str
    emojis: list[tuple[str, int]] | None


@dataclass(frozen=True)
class Chapter:
    """All that the page says of one arm."""

    name: str
    arm: Arm
    headline: Headline
    alignment: Strip | None
    secondary: list[tuple[str, list[Change]]]
    emoji: Strip | None
    emoji_ratio: list[Change]
    emojis: list[EmojiUse]
    plain: list[tuple[str, list[Change]]]
    crosstalk: Matrix | None
    samples: list[Samples]


def render(folder: Path) -> Path:
    """Write the report of a run into its folder.

    Returns:
        The path of ``report.html``; it is written whole or not at all.

    Raises:
        BadFileError: the folder is no run, or one of its files is malformed.
    """
    path = Path(folder) / FILE
    write_text(path, page(Run.load(folder)))
    return path


def page(run: Run) -> str:
    """The report of a run as HTML: escaped, without a link to anything outside itself."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    room = Environment(
        loader=PackageLoader("temperament.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    room.filters.update({"listed": listed, "number": number, "estimate": estimate})
    return room.get_template("page.html").render(counted=counted, **_content(run)).strip() + "\n"


def _content(run: Run) -> dict[str, Any]:
    board = Board(run.results.figures, run.traits)
    arms = board.arms
    cells = sum(len(board.goals(arm)) for arm in arms)
    most = MOST_PAIRS // max(cells, 1)
    return {
        "name": study_name(run),
        "subjects": board.subjects or list(dict.fromkeys(record.subject for record in run.records)),
        "precisions": precisions(run.records),
        "methods": list(dict.fromkeys(board.name(arm) for arm in arms)),
        "goals": list(dict.fromkeys(goal for arm in arms for goal in board.goals(arm))),
        "extent": extent(run),
        "choice": choice(run),
        "adjective": board.adjective,
        "chapters": [_chapter(run, board, arm, most) for arm in arms],
        "lineup": lineup(run, board),
        "addition": addition(run),
        "card": card(run),
        "gibberish": gibberish(run),
        "unread": unread(run),
        "others": other_figures(run, SHOWN | set(PLAIN)),
        "trainings": trainings(run),
        "loss_box": (WIDTH, HEIGHT),
        "settings": run.settings.strip(),
        "provenance": flat(run.provenance),
        "timing": flat(run.timing),
        "has_scores": bool(run.scores),
    }


def _chapter(run: Run, board: Board, arm: Arm, most: int) -> Chapter:
    goals = board.goals(arm)
    secondary = [(title, changes(board, arm, metric)) for metric, title in _secondary(choice(run)).items()]
    plain = [(title, _plain(board, arm, metric, places)) for metric, (title, places) in PLAIN.items()]
    found = [samples(run, arm, goal, most) for goal in goals]
    return Chapter(
        name=board.name(arm),
        arm=arm,
        headline=headline(board, arm),
        alignment=strip(board, arm, "trait_alignment"),
        secondary=[(title, rows) for title, rows in secondary if rows],
        emoji=strip(board, arm, "emoji_share"),
        emoji_ratio=changes(board, arm, "emoji_sentence_ratio"),
        emojis=_emojis(run, arm, goals),
        plain=[(title, rows) for title, rows in plain if rows],
        crosstalk=crosstalk(board, arm),
        samples=[one for one in found if one is not None],
    )


def _plain(board: Board, arm: Arm, metric: str, places: int) -> list[Change]:
    rows = changes(board, arm, metric, places)
    return [replace(row, before=UNMOVED) for row in rows] if metric == "drawdown" else rows


def _secondary(told_apart: Choice) -> dict[str, str]:
    """Titles of the other readings; among the poles of one trait there is no trait to be chosen."""
    poles, traits = (
        f"(chance {number(chance)})" if chance else "" for chance in (told_apart.chance_poles, told_apart.chance_traits)
    )
    among = {
        "trait_alignment_5": f"Among {told_apart.among_traits}, either pole {traits}",
        "trait_alignment_without_emoji": f"Among {told_apart.among_poles}, emojis removed before reading {poles}",
        "trait_alignment_5_without_emoji": f"Among {told_apart.among_traits}, emojis removed before reading {traits}",
    }
    return {metric: among[metric].rstrip() for metric in SECONDARY if told_apart.traits != 1 or "_5" not in metric}


def _emojis(run: Run, arm: Arm, goals: list[Goal]) -> list[EmojiUse]:
    before = EmojiUse("untouched", emojis_in(run, base_cells(run, arm)))
    return [before, *(EmojiUse(goal.name, emojis_in(run, cells_of(run, arm, goal))) for goal in goals)]
