"""The stage in which a judge rates the replies of every cell, after it was tried on answers that are labelled."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from temperament.study.plan import Cell
from temperament.study.stage import Progress, Stage
from temperament.trait import Target

if TYPE_CHECKING:
    from temperament.measure.judge.base import Judge
    from temperament.measure.judge.bench import Bench
    from temperament.measure.protocol import Measurement

CALIBRATION, REFERENCES = "calibration", "references"
# For a forecast: of a question and a reply, behind what all prompts begin with.
TOKENS_OF_RATING = 120
# The same of replies, where neither the judge's nor the interview's plan limits them.
TOPICS = 40


class Judgements(Stage):
    """``judge/CELL.jsonl``: the ratings of a cell; and those of labelled and of reference answers."""

    name = "judge"
    doing = "judging"
    scorer = "judge"

    @cached_property
    def bench(self) -> "Bench":
        """What is rated, and where that is kept."""
        from temperament.measure.judge.bench import Bench

        study = self.study
        return Bench(study.judge, self.folder, self.opinions, study.interview.split, study.wanted)

    def names(self, cells: Sequence[Cell]) -> list[str]:
        """The judge is tried first, and rates reference answers beside the replies."""
        return [CALIBRATION, REFERENCES, *super().names(cells)]

    def run(self, cell: Cell | None, subject: Any, edit: Any, progress: Progress) -> None:
        """Rate the replies of a cell; or try the judge, and have it rate reference answers."""
        del edit
        judge = self._judge(subject)
        if cell is not None:
            target = None if cell.method == "base" else cell.target
            self.bench.rate(judge, cell.name, self.records(cell), target, progress)
        elif not self.path(CALIBRATION).exists():
            self.bench.calibrate(judge, progress)
        else:
            self.bench.rate_references(judge, self.records(self.study.cells()[0]), progress)

    def tokens(self, cells: Sequence[Cell], replies: float) -> int:
        """Every rating reads a reply; how long an endpoint takes nobody knows."""
        del replies
        plan = self.study.judge
        if plan.is_remote:
            return 0
        calls = plan.calls(plan.replies or self.study.interview.topics or TOPICS, self.study.wanted[:1])
        return len(self.missing(cells)) * calls * TOKENS_OF_RATING

    def measure(self, cell: Cell, base: Cell, target: Target | None) -> "list[Measurement]":
        """How the judge rates the target's trait, and how well the adjectives of its pole fit."""
        if target is None:
            return []
        untouched = None if cell.method == "base" else base.name
        found = self.bench.scorer(cell.name, untouched).measure(self.records(cell), target)
        return [one for one in found if one.measured_trait == target.trait]

    def of_both_poles(self, high: Cell, low: Cell) -> "list[Measurement]":
        """The figures of PersonalityBench, which shapes to both poles of a trait."""
        from temperament.measure.judge.score import personality_bench

        trait = high.target.trait if high.target else ""
        upper, lower = self.bench.rows(high.name), self.bench.rows(low.name)
        return personality_bench(upper, lower, trait, self.study.judge.most_missing)

    def _judge(self, subject: Any) -> "Judge":
        """Loaded once a process; the untouched subject serves where it is the judge."""
        from temperament.measure.judge.load import load_judge

        if not self._loaded:
            self._loaded.append(load_judge(self.study.judge, subject=subject))
        return self._loaded[0]

    @cached_property
    def _loaded(self) -> "list[Judge]":
        return []
