"""One self-contained page about a run: a function of its folder, equal for equal folders."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temperament.record import write_text
from temperament.report.ability import abilities
from temperament.report.addition import addition
from temperament.report.board import Arm, Way
from temperament.report.budget import budgets
from temperament.report.crosstalk import CrossTalk, crosstalk
from temperament.report.dose import doses, limits
from temperament.report.emoji import Mass, Use, emoji_grid, masses, uses
from temperament.report.evidence import Evidence
from temperament.report.explain import explained
from temperament.report.explain_glow import LEGEND
from temperament.report.explain_overlap import arms
from temperament.report.family import Test, probability
from temperament.report.grid import Grid, grid
from temperament.report.headline import Headline, headline
from temperament.report.inventory import inventory_card, self_reports
from temperament.report.judge import Judged, judged
from temperament.report.lineup import lineup
from temperament.report.metric import FLUENCY, SHOWN, readings
from temperament.report.minute import minute
from temperament.report.sample import MOST_PAIRS, Samples, samples
from temperament.report.source import origins
from temperament.report.strip import Strip, strip
from temperament.report.table import Matrix, shares_of_poles
from temperament.report.training import HEIGHT, WIDTH, trainings
from temperament.report.trust import (
    card,
    choice,
    extent,
    flat,
    gibberish,
    other_figures,
    other_findings,
    precisions,
    study_name,
    unread,
)
from temperament.report.wording import counted, estimate, listed, number
from temperament.run import Run

if TYPE_CHECKING:
    from jinja2 import Environment

FILE = "report.html"


@dataclass(frozen=True)
class Chapter:
    """All that the page says of one way, at all its strengths.

    Attributes:
        headline: at the strength that stands for it.
        anchor: of its place on the page.
        readings: of the same replies, in other ways.
        fluency: and what else was measured.
    """

    name: str
    way: Way
    arms: list[Arm]
    anchor: str
    headline: Headline
    alignment: Strip | None
    readings: Grid | None
    emoji: Strip | None
    emoji_grid: Grid | None
    uses: list[Use]
    masses: list[Mass]
    fluency: list[Grid]
    poles: Matrix | None
    crosstalk: list[CrossTalk]
    reports: list[Grid]
    judged: list[Judged]
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
    return _room().get_template("page.html").render(counted=counted, **_content(run)).strip() + "\n"


@cache
def _room() -> "Environment":
    """Templates are compiled once a process."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    room = Environment(
        loader=PackageLoader("temperament.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    room.filters.update({"listed": listed, "number": number, "estimate": estimate, "probability": probability})
    return room


def _content(run: Run) -> dict[str, Any]:
    evidence = Evidence(run)
    board = evidence.board
    tests = evidence.family.tests if evidence.family else []
    cells = sum(len(board.goals(evidence.chosen(arms))) for arms in board.ways.values())
    most = MOST_PAIRS // max(cells, 1)
    chapters = [_chapter(evidence, way, arms, most) for way, arms in board.ways.items()]
    found, found_doses, is_void_test = card(run), doses(evidence), _void_tests(evidence)
    return {
        **_of_run(run),
        "subjects": board.subjects or list(dict.fromkeys(record.subject for record in run.records)),
        "methods": list(dict.fromkeys(way.name for way in board.ways)),
        "goals": list(dict.fromkeys(goal for arm in board.arms for goal in board.goals(arm))),
        "strengths": sorted({arm.strength for arm in board.arms}),
        "adjective": board.adjective,
        "minute": minute(evidence, found),
        "chapters": chapters,
        "lineup": lineup(evidence),
        "doses": found_doses,
        "limits": limits(evidence),
        "judge": evidence.judge,
        "family": evidence.family,
        "groups": evidence.sources.groups,
        "folders": evidence.sources.folders,
        "shared": evidence.sources.shared,
        "origins": origins(run),
        "explained": explained(evidence),
        "arms": arms(run),
        "glow_legend": LEGEND,
        "test_anchor": _test_anchor(evidence),
        "is_void_test": is_void_test,
        "has_named_tests": any(test.test for test in tests),
        "standing": sum(test.holds and not is_void_test(test) for test in tests),
        "card": found,
        "has_sure": found is not None and any(row.sure for row in found.assessments),
        "has_scores": bool(run.scores),
        "has_void": any("void" in evidence.levels(arm).values() for arm in board.arms),
        "has_collapse": any(one.collapse is not None for dose in found_doses for one in dose.pictures),
        "has_index": any(chapter.crosstalk for chapter in chapters),
        "has_reports": any(chapter.reports for chapter in chapters),
        "has_judge": any(chapter.judged for chapter in chapters) or evidence.judge is not None,
    }


def _of_run(run: Run) -> dict[str, Any]:
    """What the page says of the run whatever its arms."""
    return {
        "name": study_name(run),
        "precisions": precisions(run.records),
        "extent": extent(run),
        "choice": choice(run),
        "addition": addition(run),
        "abilities": abilities(run),
        "budgets": budgets(run),
        "inventory": inventory_card(run),
        "gibberish": gibberish(run),
        "unread": unread(run),
        "others": other_figures(run, SHOWN),
        "other_findings": other_findings(run),
        "findings": sorted(run.findings),
        "trainings": trainings(run),
        "loss_box": (WIDTH, HEIGHT),
        "settings": run.settings.strip(),
        "provenance": flat(run.provenance),
        "timing": flat(run.timing),
    }


def _test_anchor(evidence: Evidence) -> Callable[[Test], str]:
    """Leads from a test, which does not name its subject, to the rows of its arm."""
    anchors = {
        (arm.method, arm.condition, arm.strength): evidence.sources.arm_anchor(arm) for arm in evidence.board.arms
    }
    return lambda test: anchors.get((test.method, test.condition, test.strength), "")


def _void_tests(evidence: Evidence) -> Callable[[Test], bool]:
    """Whether the replies behind a test are no answers."""
    void = {
        (arm.method, arm.condition, arm.strength, goal)
        for arm in evidence.board.arms
        for goal, level in evidence.levels(arm).items()
        if level == "void"
    }
    return lambda test: (test.method, test.condition, test.strength, test.goal) in void


def _chapter(evidence: Evidence, way: Way, arms: Sequence[Arm], most: int) -> Chapter:
    arm = evidence.chosen(arms)
    told_apart = choice(evidence.run)
    found = [samples(evidence.run, arm, goal, most) for goal in evidence.board.goals(arm)]
    fluency = [grid(evidence, arms, title, columns) for title, columns in FLUENCY.items()]
    return Chapter(
        name=way.name,
        way=way,
        arms=list(arms),
        anchor=evidence.sources.arm_anchor(arm),
        headline=headline(evidence.board, arm, evidence.levels(arm)),
        alignment=strip(evidence, arms, "trait_alignment"),
        readings=grid(evidence, arms, "The same replies, read in other ways", readings(told_apart)),
        emoji=strip(evidence, arms, "emoji_share"),
        emoji_grid=emoji_grid(evidence, arms),
        uses=uses(evidence, arms),
        masses=masses(evidence, arms),
        fluency=[one for one in fluency if one is not None],
        poles=shares_of_poles(evidence, arms),
        crosstalk=crosstalk(evidence, arms),
        reports=self_reports(evidence, arms),
        judged=judged(evidence, arms),
        samples=[one for one in found if one is not None],
    )
