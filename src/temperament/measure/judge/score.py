"""From ratings to figures: how replies are rated, what moved, and whether there are enough ratings to say."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from temperament.measure.judge.interval import variance
from temperament.measure.judge.judging import Rating
from temperament.measure.judge.scale import HIGHEST, LOWEST, Scale
from temperament.measure.judge.verdict import Reason
from temperament.measure.protocol import Measurement, Score
from temperament.record import Record
from temperament.stats import Estimate, average
from temperament.trait import Target

WITHHELD = Estimate(None, None, None, 0)


@dataclass(frozen=True)
class Tally:
    """How many calls of a judge gave a rating, and why the others did not.

    Attributes:
        calls: ratings that were wanted of texts that have words.
        rated: of which there is one.
        nothing_to_judge: ratings that were not asked for, because there was no reply or a blank one.
        missing: calls without a rating, by reason.
        withheld: why scores are withheld; empty where they are not.
    """

    calls: int
    rated: int
    nothing_to_judge: int
    missing: dict[Reason, int]
    withheld: str

    def __str__(self) -> str:
        return self.withheld or f"{self.rated} of {self.calls} calls gave a rating{_listed(self.missing)}"


def tally(rows: Iterable[Rating], most_missing: float) -> Tally:
    """Count ratings; scores are withheld above a share of calls without one, or where there are none at all."""
    found = list(rows)
    nothing = sum(row.reason == "nothing_to_judge" for row in found)
    counted: Counter[Reason] = Counter(
        row.reason for row in found if row.rating is None and row.reason != "nothing_to_judge"
    )
    missing = dict(sorted(counted.items(), key=lambda entry: (-entry[1], entry[0])))
    calls, lost = len(found) - nothing, sum(missing.values())
    withheld = ""
    if lost > most_missing * calls:
        withheld = (
            f"{lost} of {calls} calls gave no rating{_listed(missing)}: that is more than {most_missing:.0%}, and who "
            f"is missing may not be missing by chance. Look after the judge, or raise judge.most_missing; to ask again "
            f"remove the cell's file of ratings, what is known costs nothing."
        )
    return Tally(calls, calls - lost, nothing, missing, withheld)


class JudgeScorer:
    """Scorer of a judge's ratings of a cell's replies.

    ``judge_score`` is the mean rating of a trait, from 1, low pole, to 5, high pole. ``adjective_evaluation`` is the
    mean of rating(reply) - rating(the untouched model's reply to the same item) by the adjectives of the target's pole,
    -4 to 4, and ``adjective_evaluation_reference`` the same against the answer of Opinion QA that shows the target.
    Above 0 the reply shows more of the target. A text counts where all its ratings on a scale are there.

    Args:
        rows: of a cell's replies.
        untouched: of the untouched model's replies to the same items; none for that model itself.
        references: of the reference answers.
        most_missing: see `tally`.

    Attributes:
        name: in files.
        tally: of the cell's own ratings.

    Source: Mao et al. 2024, arXiv 2310.02168, section 4 (PAE: before and after an edit); Jain et al. 2025, arXiv
    2409.10245 (against the reference answer).
    """

    name = "judge"

    def __init__(
        self,
        rows: Sequence[Rating],
        untouched: Sequence[Rating] = (),
        references: Sequence[Rating] = (),
        most_missing: float = 0.1,
    ) -> None:
        self.tally = tally(rows, most_missing)
        self._scales = [scale for scale in _scales(rows) if not scale.adjective]
        self._rows = [] if self.tally.withheld else list(rows)
        self._untouched, self._references = untouched, references
        self._most_missing = most_missing

    def read(self, records: Sequence[Record]) -> list[Score | None]:
        """``traits``, ratings by trait, and ``adjectives``, ratings by word; None for a record that has none."""
        by_item: dict[str, Score] = defaultdict(lambda: {"traits": {}, "adjectives": {}})
        for scale, ratings in _by_scale(self._rows).items():
            kind, name = ("adjectives", scale.adjective) if scale.adjective else ("traits", scale.trait)
            for item, rating in ratings.items():
                by_item[item][kind][name] = rating
        return [by_item.get(record.item) for record in records]

    def measure(self, records: Sequence[Record], target: Target) -> list[Measurement]:  # noqa: ARG002 - rows are enough
        """The score of every trait that was asked for, and the evaluations by adjectives of the target's pole."""
        topics = {row.id: row.topic for row in self._rows}
        found = [
            Measurement("judge_score", _mean(ratings_of(self._rows, scale), topics), scale.trait, "high")
            for scale in self._scales
        ]
        references = [row for row in self._references if row.shows == str(target)]
        sides = {"adjective_evaluation": self._untouched, "adjective_evaluation_reference": references}
        for metric, before in sides.items():
            estimate = self._evaluation(before, target)
            if estimate is not None:
                found.append(Measurement(metric, estimate, target.trait, target.pole))
        return found

    def _evaluation(self, before: Sequence[Rating], target: Target) -> Estimate | None:
        """None where the other side, or an adjective, was not asked for."""
        mine = [row for row in before if row.adjective and (row.trait, row.pole) == (target.trait, target.pole)]
        if not mine:
            return None
        if self.tally.withheld or tally(mine, self._most_missing).withheld:
            return WITHHELD
        after, earlier = word_ratings(self._rows, target), word_ratings(mine, target)
        topics = {row.id: row.topic for row in self._rows}
        return _mean({item: after[item] - earlier[item] for item in after if item in earlier}, topics)


def personality_bench(
    high: Sequence[Rating], low: Sequence[Rating], trait: str, most_missing: float = 0.1
) -> list[Measurement]:
    """``personality_bench_mean``, 2 to 10, and ``personality_bench_variance`` over items.

    Of an item the rating of the reply shaped to the high pole, and 6 - rating of the one shaped to the low pole, are
    summed: 10 where both poles were reached. Fluency is a figure of its own.

    Args:
        high: of the cell that was shaped to the high pole.
        low: of the cell that was shaped to the low pole, with the same method, strength and seed.
        trait: both were shaped to.
        most_missing: see `tally`.

    Source: Deng et al. 2025 (PersonalityBench, NPTI), arXiv 2410.12327, section 4.
    Departs: the judge rates between the two poles in both directions of the scale; the variance is that of the sums.
    """
    scale = Scale(trait)
    names = ("personality_bench_mean", "personality_bench_variance")
    sides = [[row for row in rows if row.scale == scale] for rows in (high, low)]
    if any(not rows or tally(rows, most_missing).withheld for rows in sides):
        return [Measurement(name, WITHHELD, trait) for name in names]
    upper, lower = (_by_scale(rows)[scale] for rows in sides)
    sums = {item: upper[item] + LOWEST + HIGHEST - lower[item] for item in upper if item in lower}
    topics = {row.id: row.topic for row in sides[0]}
    spread = variance(list(sums.values()), [topics[item] for item in sums])
    return [Measurement(names[0], _mean(sums, topics), trait), Measurement(names[1], spread, trait)]


def ratings_of(rows: Iterable[Rating], scale: Scale) -> dict[str, float]:
    """The rating of each text on a scale, by its id: the mean over the directions; those that lack one are left out."""
    return _by_scale(rows).get(scale, {})


def word_ratings(rows: Iterable[Rating], target: Target) -> dict[str, float]:
    """The rating of each text by the adjectives of a pole: the mean over these; those that lack one are left out."""
    wanted = [row for row in rows if row.adjective and (row.trait, row.pole) == (target.trait, target.pole)]
    by_word = list(_by_scale(wanted).values())
    common = [item for item in by_word[0] if all(item in ratings for ratings in by_word)] if by_word else []
    return {item: sum(ratings[item] for ratings in by_word) / len(by_word) for item in common}


def _by_scale(rows: Iterable[Rating]) -> dict[Scale, dict[str, float]]:
    found: dict[Scale, dict[str, list[float | None]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row.scale][row.id].append(row.rating)
    # With one direction missing the other's bias would come in.
    return {
        scale: {
            item: sum(there) / len(there)
            for item, values in texts.items()
            for there in [[value for value in values if value is not None]]
            if len(there) == len(values)
        }
        for scale, texts in found.items()
    }


def _scales(rows: Iterable[Rating]) -> list[Scale]:
    return list(dict.fromkeys(row.scale for row in rows))


def _mean(values: Mapping[str, float], topics: Mapping[str, str]) -> Estimate:
    return average(list(values.values()), [topics[item] for item in values])


def _listed(missing: Mapping[Reason, int]) -> str:
    inside = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in missing.items())
    return f" ({inside})" if inside else ""
