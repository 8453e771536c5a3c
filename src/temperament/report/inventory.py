"""Inventories: what the model says of itself, how it rates, and whether that goes with how it writes."""

from collections.abc import Sequence
from dataclasses import dataclass

from temperament.report.board import Arm, Goal
from temperament.report.evidence import Evidence
from temperament.report.finding import finding, number_of, rows_of, text_of, words_of
from temperament.report.grid import Column, Grid, grid
from temperament.run import Run

BIASES = (
    Column("inventory_acquiescence", "agreement, whatever is said (3 is none)"),
    Column("inventory_position_bias", "leaning to later options (0 is none)"),
    Column("inventory_label_bias", "effect of the labels (0 is none)"),
    Column("inventory_refusal", "outside the options, 0 to 1"),
)


@dataclass(frozen=True)
class Reliable:
    """How well the statements about a trait hang together, in words."""

    trait: str
    alpha: str
    omega: str
    respondents: str
    note: str


@dataclass(frozen=True)
class Converging:
    """Whether what the model says of itself goes with how it writes, in words."""

    trait: str
    pearson: str
    spearman: str
    cells: int
    note: str


@dataclass(frozen=True)
class InventoryCard:
    """What stands beside the scores of an inventory."""

    name: str
    note: str
    caution: str
    statements: str
    respondents: str
    reliability: list[Reliable]
    convergence: list[Converging]


def inventory_card(run: Run) -> InventoryCard | None:
    """The card of the inventory that every cell was given; None where none was."""
    found = finding(run, "inventory")
    if not found or "reliability" not in found:
        return None
    return InventoryCard(
        name=text_of(found, "inventory"),
        note=text_of(found, "note"),
        caution=text_of(found, "caution"),
        statements=f"{number_of(found, 'statements') or 0:g}",
        respondents=f"{number_of(found, 'respondents') or 0:g}",
        reliability=[
            Reliable(
                text_of(row, "trait"),
                words_of(row.get("alpha")),
                words_of(row.get("omega")),
                f"{number_of(row, 'respondents') or 0:g}",
                text_of(row, "note"),
            )
            for row in rows_of(found.get("reliability"))
        ],
        convergence=[
            Converging(
                text_of(row, "trait"),
                words_of(row.get("pearson"), signed=True),
                words_of(row.get("spearman"), signed=True),
                len(row.get("cells") or []),
                text_of(row, "note"),
            )
            for row in rows_of(found.get("convergence"))
        ],
    )


def self_reports(evidence: Evidence, arms: Sequence[Arm]) -> list[Grid]:
    """Scores of every trait, and ways of rating, of one way; none where no inventory was given."""
    measured = dict.fromkeys(goal for arm in arms for goal in evidence.board.measured(arm, "inventory_score"))
    scores = [Column("inventory_score", goal.trait, measured=Goal(goal.trait, goal.pole)) for goal in measured]
    tables = (
        ("What the model says of itself, 1 (low pole) to 5 (high pole); framed: the target\u2019s own trait", scores),
        ("How it rates, whatever the statement", BIASES),
    )
    found = [grid(evidence, arms, title, columns) for title, columns in tables]
    return [one for one in found if one is not None]
