"""A run's judge: what it rates, where that is kept, and what is made of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temperament.measure.judge.base import Judge
from temperament.measure.judge.calibration import JudgeCard, calibrate, card_of
from temperament.measure.judge.judging import Judging, Rating, cost_of, reference_texts, reply_texts
from temperament.measure.judge.plan import JudgePlan
from temperament.measure.judge.scale import DIRECTIONS, Direction
from temperament.measure.judge.score import JudgeScorer, Tally, tally
from temperament.opinion.row import Opinions, Split
from temperament.record import Record, read_lines, to_json, write_text
from temperament.subject.base import Progress
from temperament.subject.cost import Cost
from temperament.trait import Target

CALIBRATION, REFERENCES = "calibration", "references"


@dataclass(frozen=True)
class JudgeFinding(JudgeCard):
    """What ``findings/judge.json`` holds: how far the judge can be trusted, and how its work on the run went.

    Attributes:
        tallies: of every cell, and of the reference answers: how many calls gave a rating, and why others did not.
        run_cost: of all calls, the calibration among them.
        run_price: of them, where prices are known.
    """

    tallies: dict[str, Tally]
    run_cost: Cost
    run_price: float | None


@dataclass(frozen=True)
class Bench:
    """The ratings of a run, in ``judge/NAME.jsonl``, each whole or absent.

    Attributes:
        plan: says who judges, and how many replies.
        folder: of the run.
        opinions: of all splits.
        asked: the split whose questions the study asks.
        targets: of the study.
    """

    plan: JudgePlan
    folder: Path
    opinions: Opinions
    asked: Split
    targets: tuple[Target, ...]

    def path(self, name: str) -> Path:
        """Where ratings are kept, by the name of the cell, or 'calibration' or 'references'."""
        return self.folder / "judge" / f"{name}.jsonl"

    def rows(self, name: str) -> list[Rating]:
        """What was rated; nothing where nothing was."""
        return read_lines(self.path(name), Rating) if self.path(name).exists() else []

    def calibrate(self, judge: Judge, progress: Progress | None = None) -> JudgeCard:
        """Try the judge on labelled answers."""
        return calibrate(judge, self.opinions, self.plan, self.targets, self.asked, self.path(CALIBRATION), progress)

    def rate_references(
        self, judge: Judge, records: Sequence[Record], progress: Progress | None = None
    ) -> list[Rating]:
        """Have the answers of Opinion QA rated that stand beside a cell's replies, for every target.

        Args:
            judge: rates.
            records: of any cell: all have the same items.
            progress: told how many ratings there are, of how many.
        """
        split, count = self.opinions.split(self.asked), self.plan.replies
        texts = [text for target in self.targets for text in reference_texts(split, records, target, count)]
        words = tuple(scale for scale in self.plan.scales(self.targets) if scale.adjective)
        return Judging(tuple(texts), words, self._directions).administer(judge, self.path(REFERENCES), progress)

    def rate(
        self,
        judge: Judge,
        name: str,
        records: Sequence[Record],
        target: Target | None = None,
        progress: Progress | None = None,
    ) -> list[Rating]:
        """Have replies of a cell rated: of the untouched model, for which there is no target, for all targets.

        Args:
            judge: rates.
            name: of the cell.
            records: of all items, in order.
            target: of the cell.
            progress: told how many ratings there are, of how many.
        """
        scales = self.plan.scales((target,) if target else self.targets)
        texts = reply_texts(records, self.plan.replies)
        return Judging(texts, scales, self._directions).administer(judge, self.path(name), progress)

    def scorer(self, name: str, untouched: str | None = None) -> JudgeScorer:
        """The scorer of a cell.

        Args:
            name: of the cell.
            untouched: name of the untouched model's cell of the same seed; None for that cell itself.
        """
        before = self.rows(untouched) if untouched else []
        return JudgeScorer(self.rows(name), before, self.rows(REFERENCES), self.plan.most_missing)

    def write_finding(self, names: Sequence[str]) -> JudgeFinding:
        """Write ``findings/judge.json`` from the ratings of some cells and of the calibration; nobody is asked."""
        ratings: Mapping[str, list[Rating]] = {name: self.rows(name) for name in (*names, REFERENCES)}
        tried = self.rows(CALIBRATION)
        cost = cost_of([row for rows in (*ratings.values(), tried) for row in rows])
        tallies = {name: tally(rows, self.plan.most_missing) for name, rows in ratings.items()}
        card = card_of(tried, self.plan, self.opinions, self.asked)
        said: dict[str, Any] = {**vars(card), "says": " ".join(filter(None, [card.says, _troubles(tallies)]))}
        finding = JudgeFinding(**said, tallies=tallies, run_cost=cost, run_price=self.plan.price(cost))
        write_text(self.folder / "findings" / "judge.json", to_json(finding))
        return finding

    @property
    def _directions(self) -> tuple[Direction, ...]:
        return DIRECTIONS if self.plan.is_counterbalanced else DIRECTIONS[:1]


def _troubles(tallies: Mapping[str, Tally]) -> str:
    """What went wrong in a run, in words; empty where every call gave a rating."""
    calls, rated = (sum(getattr(one, name) for one in tallies.values()) for name in ("calls", "rated"))
    missing: Counter[str] = Counter()
    for one in tallies.values():
        missing.update(one.missing)
    if not missing:
        return ""
    reasons = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in missing.most_common())
    withheld = [name for name, one in tallies.items() if one.withheld]
    names = f" Scores are withheld of {', '.join(withheld)}." if withheld else ""
    return f"In the run {calls - rated} of {calls} calls gave no rating ({reasons}).{names}"
