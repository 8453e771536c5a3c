"""What changed inside: the lenses' findings of each edit, and of arms of several seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from temperament.record import Label, read_json
from temperament.report.board import BASE, Arm, Goal
from temperament.report.evidence import Evidence
from temperament.report.explain_answer import Answer, answers, reasons_of, verdict
from temperament.report.explain_curve import Picture, pictures
from temperament.report.explain_glow import Glow, glows
from temperament.report.explain_map import Panel, panels
from temperament.report.explain_overlap import Overlaps, overlaps
from temperament.report.explain_scatter import Scatter, scatter
from temperament.report.explain_site import counts_table, facts, on_given
from temperament.report.explain_strip import Strip, Traced, draws, knockouts, traced
from temperament.report.explain_testimony import Testimony, testimony
from temperament.report.explain_text import known_numbers, part_of, visible
from temperament.report.explain_unit import Units, expected_units, top_units
from temperament.report.finding import estimate_of, text_of
from temperament.report.wording import estimate
from temperament.run import Row, Run

FOLDER = "findings/explain"
# On the whole page, so that it stays small; of each edit its part, and never fewer than the second number.
MOST_DOTS, FEWEST_DOTS = 12_000, 300
MOST_POINTS, FEWEST_POINTS = 1200, 40
MOST_UNITS, FEWEST_UNITS = 120, 5
MOST_EACH, FEWEST_EACH = 24, 1
SHOWN_UNITS, SHOWN_EACH = 20, 4
# What there is of an edit that was looked into with more than the lens of units.
DEEP = ("projection", "attributions", "cause", "testimony", "overlaps", "glows", "missing")


@dataclass(frozen=True)
class Shown:
    """How much of one edit is shown."""

    dots: int
    points: int
    units: int
    each: int


@dataclass(frozen=True)
class Writes:
    """What the changed units write beside what random ones do: the strip, and the places of the draws."""

    words: str
    strip: Strip
    draws: list[float]


@dataclass(frozen=True)
class Explained:
    """One edit.

    Attributes:
        name: of the edit, in words.
        file: inside the run's folder.
        level: of the replies: 'void' where they are no answers.
        is_shallow: no lens but that of units was used, as on further seeds.
        others: reasons that no answer has given yet.
    """

    name: str
    subject: str
    anchor: str
    file: str
    level: str
    is_shallow: bool
    verdict: str
    answers: list[Answer]
    facts: list[str]
    panels: list[Panel]
    counts: tuple[list[str], list[tuple[int, list[str]]]]
    scatter: Scatter | None
    pictures: list[Picture]
    generated: list[Picture]
    glows: list[Glow]
    writes: Writes | None
    units: Units | None
    expected: Units | None
    traced: list[Traced]
    knockouts: list[Strip]
    testimony: Testimony | None
    overlaps: Overlaps | None
    others: list[tuple[str, str]]
    settings: list[tuple[str, str]]

    @property
    def has_pictures(self) -> bool:
        """Whether there is anything to see but the answers."""
        shown = (self.panels, self.scatter, self.pictures, self.generated, self.glows, self.writes, self.units)
        return any((*shown, self.traced, self.knockouts, self.testimony, self.overlaps))


def explained(evidence: Evidence) -> list[Explained]:
    """The edits of a run that were looked into, in the order of their files; none where none was.

    Raises:
        BadFileError: a file is no JSON table.
    """
    paths = _paths(evidence.run.folder)
    shown = _shown(max(len(paths), 1))
    return [_explained(evidence, path, f"inside-{place}", shown) for place, path in enumerate(paths, 1)]


def _paths(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / FOLDER).glob("*.json") if not path.name.startswith("."))


def _shown(edits: int) -> Shown:
    return Shown(
        max(MOST_DOTS // edits, FEWEST_DOTS),
        max(MOST_POINTS // edits, FEWEST_POINTS),
        min(max(MOST_UNITS // edits, FEWEST_UNITS), SHOWN_UNITS),
        min(max(MOST_EACH // edits, FEWEST_EACH), SHOWN_EACH),
    )


def _explained(evidence: Evidence, path: Path, anchor: str, shown: Shown) -> Explained:
    row = read_json(path, dict)
    units, cause = part_of(row, "units"), part_of(row, "cause")
    cell = path.stem if path.stem in evidence.run.cells else text_of(row, "edit") or path.stem
    said = answers(row)
    told = {answer.words for answer in said}
    return Explained(
        name=_name(evidence.run, cell),
        subject=visible(text_of(row, "subject")),
        anchor=anchor,
        file=f"{FOLDER}/{path.name}",
        level=_level(evidence, cell),
        verdict=verdict(row),
        answers=said,
        facts=[*facts(units), *on_given(part_of(row, "given"))],
        is_shallow=bool(units) and not any(row.get(name) for name in DEEP),
        panels=panels(units, shown.dots),
        counts=counts_table(units),
        scatter=scatter(units, shown.points),
        pictures=pictures(cause),
        generated=pictures(cause, "generated"),
        glows=glows(row, shown.each),
        writes=_writes(part_of(row, "projection")),
        units=top_units(row, shown.units),
        expected=expected_units(row, shown.units),
        traced=traced(row, shown.each),
        knockouts=knockouts(cause),
        testimony=testimony(part_of(row, "testimony")),
        overlaps=overlaps(row),
        others=[(name, reason) for name, reason in reasons_of(row) if not _is_told(reason, told)],
        settings=[(visible(name), visible(str(value))) for name, value in part_of(row, "settings").items()],
    )


def _is_told(reason: str, told: set[str]) -> bool:
    return any(reason.rstrip(".").lower() == words.rstrip(".").lower() for words in told)


def _label(run: Run, cell: str) -> tuple[str, Label, int] | None:
    """Subject, label and seed of a cell; None where the run has no such cell."""
    records = run.cells.get(cell)
    return (records[0].subject, records[0].label, records[0].generation.seed) if records else None


def _name(run: Run, cell: str) -> str:
    found = _label(run, cell)
    if found is None:
        return visible(cell)
    subject, label, seed = found
    arm = Arm(subject, label.method, label.condition, label.strength)
    strength = f" at strength {label.strength:g}" if label.strength != 1 else ""
    return f"{arm.name}: {Goal(label.trait or '', label.pole or '').name}{strength}, seed {seed}"


def _level(evidence: Evidence, cell: str) -> str:
    """How far the replies of a cell can be believed; empty where that is not known."""
    found = _label(evidence.run, cell)
    if found is None or found[1].method == BASE:
        return ""
    subject, label, _ = found
    arm, goal = (
        Arm(subject, label.method, label.condition, label.strength),
        Goal(label.trait or "", label.pole or ""),
    )
    known: Sequence[Arm] = evidence.board.arms
    return evidence.sound(arm, goal).level if arm in known and goal in evidence.board.goals(arm) else ""


def _writes(projection: Row) -> Writes | None:
    found = estimate_of(projection.get("emoji"))
    words = estimate(found, signed=True)
    drawn = draws(words, found, known_numbers(projection.get("matched")))
    if drawn is None:
        return None
    strip, places = drawn
    return Writes(words, strip, places)
