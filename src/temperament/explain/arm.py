"""Two ways to shape: do they change other units, beyond what seeds do?"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from temperament.errors import BadFileError, MismatchError, RequestError
from temperament.explain.contrast import Layout
from temperament.explain.finding import Arms
from temperament.record import read_bytes, write_bytes
from temperament.stats.cluster import Numbers
from temperament.subject.anatomy import Place, Site

SEEDS = 3  # of an arm, at least: the division of 3 and 3 runs is one of 10
DIVISIONS = 10_000
_SAME = 1 - 1e-9  # distances that differ by rounding only are ties, and ties count
_CHUNK = 32

PerUnit = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Effects:
    """How far an edit moved every unit, over all topics.

    Attributes:
        topics: that were read.
        raw: the mean change in pooled standard deviations over tokens, [unit] by site; above 0 is higher after.
        normalised: the same of activations divided by the root mean square of their site at each token.
    """

    topics: int
    raw: Mapping[Site, PerUnit]
    normalised: Mapping[Site, PerUnit]

    @classmethod
    def of(cls, layout: Layout, topics: int, raw: Numbers, normalised: Numbers) -> "Effects":
        """From effects of all units in one row."""
        first, second = (
            {site: each[span].astype(np.float32) for site, span in layout.spans.items()} for each in (raw, normalised)
        )
        return cls(topics, first, second)

    def save(self, path: Path) -> None:
        """Write a safetensors file; raises UnwritableError."""
        from safetensors.numpy import save

        tensors = {
            f"{kind}.{site.place}.{site.layer}": values
            for kind, kept in (("raw", self.raw), ("normalised", self.normalised))
            for site, values in kept.items()
        }
        write_bytes(path, save({**tensors, "topics": np.array([self.topics])}))


def load_effects(path: Path) -> Effects:
    """Read what `Effects.save` wrote.

    Raises:
        BadFileError: the file is missing, or holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = read_bytes(path, "explain the edit first, which writes it.")
    found: dict[str, dict[Site, PerUnit]] = {"raw": {}, "normalised": {}}
    try:
        tensors: dict[str, NDArray[np.float32]] = load(content)
        topics = int(tensors.pop("topics")[0])
        for name, values in tensors.items():
            kind, place, layer = name.split(".")
            found[kind][Site(int(layer), msgspec.convert(place, Place))] = values
    except (SafetensorError, KeyError, ValueError) as error:
        message = f"{path} holds no effects of an edit on units: {error}. Explain the edit anew."
        raise BadFileError(message) from None
    return Effects(topics, dict(sorted(found["raw"].items())), dict(sorted(found["normalised"].items())))


def compare_arms(
    first: Sequence[Effects],
    second: Sequence[Effects],
    names: tuple[str, str],
    place: Place | Literal["all"],
    seed: int = 0,
) -> Arms:
    """Compare two arms of runs that differ in seed only, by dividing the runs into two arms in every other way.

    If the arms were the same, any division would do as well. So the distance of the arms is compared with that of every
    other division; arms of one size have no order, so that a division and its reverse are one. Units whose difference
    exceeds that under every other division are counted, and how many a division other than the real one has by the same
    rule.

    Args:
        first: one edit a seed, all on the same texts.
        second: of the other arm.
        names: of the arms.
        place: of the units; or all.
        seed: of the divisions that are drawn, where there are more than 10,000.

    Returns:
        The comparison; the smallest p that 3 and 3 runs can give is 0.1, that of 4 and 4 is 0.03.

    Raises:
        RequestError: an arm has fewer than three runs, or the runs have no unit at that place.
        MismatchError: the runs were looked into at different sites.

    Source: Fisher 1935, The Design of Experiments, section 21; Phipson and Smyth 2010, doi:10.2202/1544-6115.1585.
    """
    _check(first, second, names)
    rows = _rows([*first, *second], place)
    distances: list[float] = []
    # Of each unit the largest difference under any division, the next one, and which division has the largest.
    best, other = np.full((2, rows.shape[1]), -1.0)
    owner = np.full(rows.shape[1], -1)
    for chunk in _chunks(_divisions(len(first), len(second), seed)):
        # Whole numbers, so that equal runs have no difference at all.
        signs = np.where(chunk, len(second), -len(first)).astype(np.float64)
        for difference in np.abs(signs @ rows) / (len(first) * len(second)):
            is_larger = difference > best
            other = np.where(is_larger, best, np.maximum(other, difference))
            best = np.where(is_larger, difference, best)
            owner[is_larger] = len(distances)
            distances.append(float(np.mean(difference**2)))
    is_alone = best > other
    beyond = int((is_alone & (owner == 0)).sum())
    found, relabelled = distances[0], distances[1:]
    reached = sum(distance >= found * _SAME for distance in relabelled)
    return Arms(
        *names,
        seeds=(len(first), len(second)),
        place=place,
        distance=found,
        relabelled=tuple(relabelled),
        p=(1 + reached) / len(distances),
        beyond=beyond,
        expected=(int(is_alone.sum()) - beyond) / len(relabelled),
    )


def _check(first: Sequence[Effects], second: Sequence[Effects], names: tuple[str, str]) -> None:
    for runs, name in zip((first, second), names, strict=True):
        if len(runs) < SEEDS:
            message = (
                f"arms were to be compared beyond what seeds do, and '{name}' has {len(runs)} runs: shape it with at "
                f"least {SEEDS} seeds."
            )
            raise RequestError(message)
    expected = {site: len(values) for site, values in first[0].raw.items()}
    for run in (*first, *second):
        if {site: len(values) for site, values in run.raw.items()} != expected:
            message = f"the runs of '{names[0]}' and '{names[1]}' have different units: compare edits of one model."
            raise MismatchError(message)


def _rows(runs: Sequence[Effects], place: str) -> Numbers:
    """The effects of each run, [run, unit]."""
    sites = [site for site in runs[0].raw if place in ("all", site.place)]
    if not sites:
        message = f"arms were to be compared by units at '{place}', and the runs have none there."
        raise RequestError(message)
    return np.stack([np.concatenate([run.raw[site] for site in sites]) for run in runs]).astype(np.float64)


def _divisions(first: int, second: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Which runs are in the first arm, [run], each division once; the real one comes first."""
    count = first + second
    # Where the arms have one size, the first run stays where it is.
    fixed = (0,) if first == second else ()
    free = range(len(fixed), count)
    if math.comb(len(free), first - len(fixed)) <= DIVISIONS:
        # In the order of combinations the first is that of the runs as they are.
        for chosen in combinations(free, first - len(fixed)):
            yield np.isin(np.arange(count), (*fixed, *chosen))
        return
    drawing = np.random.default_rng(seed)
    seen: set[bytes] = set()
    division = np.arange(count) < first
    while len(seen) < DIVISIONS:
        if division.tobytes() not in seen:
            seen.add(division.tobytes())
            yield division
        division = np.zeros(count, dtype=bool)
        division[[*fixed, *drawing.choice(np.array(free), first - len(fixed), replace=False)]] = True


def _chunks(divisions: Iterator[NDArray[np.bool_]]) -> Iterator[NDArray[np.bool_]]:
    while chunk := list(islice(divisions, _CHUNK)):
        yield np.stack(chunk)
