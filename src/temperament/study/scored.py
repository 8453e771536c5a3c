"""The replies of a run with their scores, condition by condition: what figures over several cells are read from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temperament.measure.protocol import Score
from temperament.record import Record, read_lines, read_records
from temperament.stats import Estimate, paired_difference

# A reply is known by its seed and its question.
Key = tuple[int, str]
# The value of one reply, from all that scorers said of it; None is missing.
ReplyValue = Callable[[Score], float | None]


@dataclass(frozen=True)
class Arm:
    """One condition over all its seeds: the cells of a run that differ in nothing else.

    Attributes:
        method: 'base' for the untouched model.
        trait: of the target; None where there is none.
        cells: names of their files.
        seeds: that the cells have.
        topics: of every question that was asked.
        scores: of each reply by name of the scorer; those that nobody could score are there too.
    """

    subject: str
    method: str
    condition: str = ""
    trait: str | None = None
    pole: str | None = None
    strength: float = 0.0
    cells: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    topics: Mapping[Key, str] = field(default_factory=dict[Key, str])
    scores: Mapping[Key, Score] = field(default_factory=dict[Key, Score])

    def values(self, value: ReplyValue) -> dict[Key, float]:
        """Of each reply that has one."""
        found = {key: value(score) for key, score in self.scores.items()}
        return {key: one for key, one in found.items() if one is not None}


@dataclass(frozen=True)
class Paired:
    """Values of the same questions under two conditions.

    Attributes:
        topics: by which they cluster.
        before: one a question.
        after: of the same questions.
    """

    topics: list[str]
    before: list[float]
    after: list[float]


def paired(before: Arm, after: Arm, value: ReplyValue) -> Paired:
    """The values of the questions, of the same seed, to which both conditions have one."""
    earlier, later = before.values(value), after.values(value)
    keys = [key for key in later if key in earlier]
    return Paired([after.topics[key] for key in keys], [earlier[key] for key in keys], [later[key] for key in keys])


def arms_of(folder: Path) -> list[Arm]:
    """The conditions of a run's folder that have scores, the untouched model of each subject among them.

    They are sorted by subject, method, condition, target and strength. A folder into which several runs were copied is
    read as well.

    Raises:
        BadFileError: a cell has records and no scores, or a line is malformed.
    """
    found: dict[tuple[Any, ...], dict[str, list[Record]]] = {}
    # Hidden files are those of a process that was killed before it renamed them.
    for path in sorted((folder / "records").glob("[!.]*.jsonl")):
        if records := read_records(path):
            found.setdefault(_condition(records[0]), {})[path.stem] = records
    order = sorted(found, key=lambda one: tuple((part is not None, part) for part in one))
    return [_arm(condition, found[condition], folder / "scores") for condition in order]


def bases_of(arms: Iterable[Arm]) -> dict[str, Arm]:
    """The untouched models by subject."""
    return {arm.subject: arm for arm in arms if arm.method == "base"}


def shaped(arms: Sequence[Arm]) -> list[tuple[Arm, Arm]]:
    """Every condition under an edit, behind the untouched model that it is to be compared with."""
    bases = bases_of(arms)
    return [(bases[arm.subject], arm) for arm in arms if arm.method != "base" and arm.subject in bases]


def poles_read(arms: Iterable[Arm]) -> list[str]:
    """The poles that the classifier of a run gives probabilities of, such as 'openness:low', in its order."""
    for arm in arms:
        for score in arm.scores.values():
            if probabilities := (score.get("alignment") or {}).get("probabilities"):
                return list(probabilities)
    return []


def traits_read(poles: Iterable[str]) -> list[str]:
    """The traits of which both poles are read: only these have a direction."""
    known = list(poles)
    names = dict.fromkeys(pole.partition(":")[0] for pole in known)
    return [name for name in names if f"{name}:low" in known and f"{name}:high" in known]


def signed_probability(alignment: Score | None, trait: str) -> float | None:
    """P(high) - P(low) of a trait in one reply, from -1 to 1; None where the classifier read nothing.

    Source: Bella et al. 2010, doi:10.1109/ICDM.2010.75 (shares of classes by the mean of probabilities).
    """
    found = (alignment or {}).get("probabilities")
    return None if not found else float(found[f"{trait}:high"] - found[f"{trait}:low"])


def signed_label(alignment: Score | None, trait: str) -> float | None:
    """1 for a reply that is read as the high pole, -1 for the low one, 0 for anything else; None where none was."""
    label = (alignment or {}).get("label")
    return None if label is None else float(label == f"{trait}:high") - float(label == f"{trait}:low")


def perplexity_ratio(read: Iterable[tuple[str, float | None, float | None]]) -> Estimate:
    """The perplexity of texts as a multiple of what it was; withheld where one of them has no finite probability now.

    Args:
        read: topic of each text, and mean log-probability of its tokens in nats, before and after.
    """
    from temperament.measure.effect import exponential

    rows = list(read)
    topics = [topic for topic, _, _ in rows]
    # A surprise is the negative of a log-probability.
    before, after = (
        [-one for one in side if one is not None] for side in list(zip(*rows, strict=True))[1:] or ([], [])
    )
    if min(len(before), len(after)) < len(rows):
        return Estimate(None, None, None, len(rows))
    return exponential(paired_difference(before, after, topics))


def _condition(record: Record) -> tuple[Any, ...]:
    label = record.label
    return (record.subject, label.method, label.condition, label.trait, label.pole, label.strength)


def _arm(condition: tuple[Any, ...], cells: Mapping[str, list[Record]], scores: Path) -> Arm:
    topics: dict[Key, str] = {}
    found: dict[Key, Score] = {}
    for name, records in cells.items():
        rows: list[Score] = read_lines(scores / f"{name}.jsonl", dict)
        seed = records[0].generation.seed
        topics |= {(seed, record.item): record.topic for record in records}
        found |= {(seed, row["item"]): row for row in rows}
    seeds = tuple(sorted({seed for seed, _ in topics}))
    return Arm(*condition, cells=tuple(cells), seeds=seeds, topics=topics, scores=found)
