"""How the edits were fitted: rows, tokens, and the loss as a line."""

from dataclasses import dataclass
from itertools import pairwise

from temperament.report.wording import number
from temperament.run import Row, Run

WIDTH, HEIGHT = 240, 48
MOST_POINTS = 120


@dataclass(frozen=True)
class Training:
    """One fitted edit.

    Attributes:
        points: of the loss, for an SVG polyline in a box of WIDTH by HEIGHT; empty with fewer than two losses.
        first: the first loss.
        last: the last loss.
    """

    name: str
    method: str
    target: str
    seed: int | None
    rows: str
    tokens: str
    steps: int
    points: str
    first: str
    last: str


def trainings(run: Run) -> list[Training]:
    """The trainings of a run, in the order of their files."""
    prefix = "training-"
    return [_training(name.removeprefix(prefix), row) for name, row in run.findings.items() if name.startswith(prefix)]


def _training(name: str, row: Row) -> Training:
    steps = [step for step in row.get("steps") or [] if isinstance(step, dict)]
    losses = [float(step["loss"]) for step in steps if isinstance(step.get("loss"), (int, float))]
    return Training(
        name=name,
        method=" ".join(str(row[key]) for key in ("method", "condition") if row.get(key)),
        target=_target(row.get("target")),
        seed=row["seed"] if isinstance(row.get("seed"), int) else None,
        rows=_count(row.get("rows")),
        tokens=_count(row.get("tokens")),
        steps=len(steps),
        points=_points(losses),
        first=number(losses[0]) if losses else "",
        last=number(losses[-1]) if losses else "",
    )


def _target(value: object) -> str:
    if isinstance(value, dict):
        return f"{value.get('trait', '')}, {value.get('pole', '')}"
    return str(value or "").replace(":", ", ")


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, (int, float)) else "not recorded"


def _points(losses: list[float]) -> str:
    if len(losses) < 2:
        return ""
    # Means over stretches of equal length keep a long training's line small without hiding a part of it.
    count = min(len(losses), MOST_POINTS)
    bounds = [round(index * len(losses) / count) for index in range(count + 1)]
    means = [sum(losses[start:stop]) / (stop - start) for start, stop in pairwise(bounds)]
    # The axis starts at 0, so that a small fall does not look like a large one.
    highest = max(*means, 1e-9)
    step = WIDTH / (count - 1)
    return " ".join(f"{i * step:.1f},{HEIGHT * (1 - mean / highest):.1f}" for i, mean in enumerate(means))
