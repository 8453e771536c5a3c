"""Dose and response: how an effect grows with an edit's strength, where it stops growing, and where things fall apart.

A dose is told from the cells of a run that differ in strength alone, and the untouched model is strength 0. What few
strengths cannot tell is withheld with the reason.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from temperament.measure.protocol import Score
from temperament.record import read_lines, to_json, write_text
from temperament.stats import Estimate, paired_difference
from temperament.study.course import DEFAULTS, Course, DoseLimits, Place, Point, Slope, slope_of, spoiled
from temperament.study.reading import UNTOUCHED, Readings
from temperament.study.scored import Arm, ReplyValue, arms_of, paired, perplexity_ratio, shaped, signed_probability

FINDING = Path("findings") / "dose.json"


@dataclass(frozen=True)
class Dose:
    """How one metric answers to the strength of one edit.

    Attributes:
        trait: of the target; None where there is none.
        seeds: over which replies are pooled; intervals are over topics and say nothing of other seeds.
        metric: ``trait_reading`` (probability of the target's pole less that of the other), ``trait_alignment`` or
            ``emoji_share``.
        points: by strength; those below 0 are in the slope and nowhere else.
        slope: of the line through them.
        monotone: up to this strength, from 0, no step back is beyond chance.
        saturation: the weakest strength from which every stronger one gains less than the plateau allows, with the
            upper bounds of these gains and not only their values; strengths that collapsed are left out.
        collapse: the weakest strength at which replies or neutral text pass the limits, or the effect has fallen below
            its maximum by more than chance.
    """

    subject: str
    method: str
    condition: str
    trait: str | None
    pole: str | None
    seeds: tuple[int, ...]
    metric: str
    points: tuple[Point, ...]
    slope: Slope
    monotone: Place
    saturation: Place
    collapse: Place


@dataclass(frozen=True)
class DoseResponse:
    """The content of ``findings/dose.json``."""

    limits: DoseLimits
    doses: tuple[Dose, ...]


@dataclass(frozen=True)
class Series:
    """An edit at several strengths.

    Attributes:
        base: the untouched model.
        arms: by strength, each once.
        gibberish: by strength, as in `Point`.
        perplexity: by strength, as in `Point`.
    """

    base: Arm
    arms: tuple[Arm, ...]
    gibberish: Mapping[float, Estimate]
    perplexity: Mapping[float, Estimate]


def dose_response(folder: Path, limits: DoseLimits = DEFAULTS) -> DoseResponse:
    """The doses of a run, from its records, scores and readings: one for every edit and metric.

    Raises:
        BadFileError: a cell has records and no scores, or a line is malformed.
    """
    doses = [
        dose_of(series, metric, limits)
        for series in _series(folder)
        for metric in METRICS
        if series.arms[0].trait or metric not in OF_TARGET
    ]
    return DoseResponse(limits, tuple(doses))


def write_dose(folder: Path, limits: DoseLimits = DEFAULTS) -> DoseResponse:
    """Work out the doses of a scored run and keep them as ``findings/dose.json``."""
    found = dose_response(folder, limits)
    write_text(folder / FINDING, to_json(asdict(found)))
    return found


def dose_of(series: Series, metric: str, limits: DoseLimits = DEFAULTS) -> Dose:
    """How a metric answers to the strength of an edit."""
    first = series.arms[0]
    value = METRICS[metric](first)
    points = tuple(_point(series, arm, value) for arm in series.arms)
    # Towards the larger effect: what falls is then what goes back.
    largest = max((point.effect.value for point in points if point.effect.value is not None), key=abs, default=0.0)
    forward = tuple((point, arm) for point, arm in zip(points, series.arms, strict=True) if point.strength > 0)
    course = Course(series.base, forward, value, -1.0 if largest < 0 else 1.0, limits)
    collapse = course.collapse()
    broken = next((point.strength for point, _ in forward if spoiled(point, limits)), float("inf"))
    slope = slope_of(series.base, [arm for arm in series.arms if arm.strength < broken], value)
    return Dose(
        subject=first.subject,
        method=first.method,
        condition=first.condition,
        trait=first.trait,
        pole=first.pole,
        seeds=first.seeds,
        metric=metric,
        points=points,
        slope=slope,
        monotone=course.monotone(slope),
        saturation=course.saturation(collapse),
        collapse=collapse,
    )


def _point(series: Series, arm: Arm, value: ReplyValue) -> Point:
    return Point(
        strength=arm.strength,
        effect=_change(series.base, arm, value),
        gibberish=series.gibberish[arm.strength],
        perplexity=series.perplexity[arm.strength],
        asked=len(arm.topics),
    )


def _change(base: Arm, arm: Arm, value: ReplyValue) -> Estimate:
    pair = paired(base, arm, value)
    return paired_difference(pair.before, pair.after, pair.topics)


def _gibberish(score: Score) -> float | None:
    found = score.get("fluency")
    return None if not found else float(found["gibberish"] is not None)


def _reading(arm: Arm) -> ReplyValue:
    """Towards the target's pole."""
    trait, sign = str(arm.trait), 1.0 if arm.pole == "high" else -1.0

    def value(score: Score) -> float | None:
        found = signed_probability(score.get("alignment"), trait)
        return None if found is None else sign * found

    return value


def _alignment(arm: Arm) -> ReplyValue:
    wanted = f"{arm.trait}:{arm.pole}"

    def value(score: Score) -> float | None:
        label = (score.get("alignment") or {}).get("label")
        return None if label is None else float(label == wanted)

    return value


def _emoji(arm: Arm) -> ReplyValue:  # noqa: ARG001 - the same of every target
    def value(score: Score) -> float | None:
        found = score.get("emoji")
        return None if not found else float(bool(found["emojis"]))

    return value


METRICS: Mapping[str, Callable[[Arm], ReplyValue]] = {
    "trait_reading": _reading,
    "trait_alignment": _alignment,
    "emoji_share": _emoji,
}
OF_TARGET = ("trait_reading", "trait_alignment")


def _series(folder: Path) -> list[Series]:
    found: list[Series] = []
    pairs = shaped(arms_of(folder))
    for _, group in groupby(pairs, key=lambda pair: _edit(pair[1])):
        some = list(group)
        base, arms = some[0][0], tuple(arm for _, arm in some)
        gibberish = {arm.strength: _change(base, arm, _gibberish) for arm in arms}
        perplexity = {arm.strength: _perplexity(folder, arm) for arm in arms}
        found.append(Series(base, arms, gibberish, perplexity))
    return found


def _edit(arm: Arm) -> tuple[str | None, ...]:
    return (arm.subject, arm.method, arm.condition, arm.trait, arm.pole)


def _perplexity(folder: Path, arm: Arm) -> Estimate:
    """Of neutral text, as a multiple of the untouched model's, from a run's readings."""
    (before,) = _passages(folder, [UNTOUCHED])
    after = _passages(folder, arm.cells)
    return perplexity_ratio(
        (topic, before[topic], value) for cell in after for topic, value in cell.items() if topic in before
    )


def _passages(folder: Path, names: Iterable[str]) -> list[dict[str, float | None]]:
    """The mean log-probability of a token of each passage that was read, by topic; None where it is not finite."""
    paths = [folder / Readings.name / f"{name}.jsonl" for name in names]
    return [
        {row["topic"]: row["log_probability"] for row in read_lines(path, dict) if _is_read_passage(row)}
        if path.exists()
        else {}
        for path in paths
    ]


def _is_read_passage(row: Mapping[str, object]) -> bool:
    return row["kind"] == "passage" and bool(row["tokens"])
