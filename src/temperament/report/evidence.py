"""What the page is made from: a run, its figures on a board, where they come from, and how far they can be believed."""

from collections.abc import Sequence

from temperament.report.board import Arm, Board, Goal
from temperament.report.family import Family, family
from temperament.report.judge import JudgeCard, judge_card
from temperament.report.sample import base_cells
from temperament.report.soundness import Answers, Level, Replies, Soundness, soundness
from temperament.report.source import Sources
from temperament.run import Run


class Evidence:
    """A run, read once.

    Attributes:
        run: as it lies in its folder.
        board: its figures.
        sources: the files that they come from.
        family: its tests, corrected for their number; None where there were none.
        judge: how far its judge can be trusted; None where there was none.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.board = Board(run.results.figures, run.traits)
        self.sources = Sources(run)
        self.family: Family | None = family(run)
        self.judge: JudgeCard | None = judge_card(run)
        self._answers = Answers(run)
        self._sound: dict[tuple[Arm, Goal], Soundness] = {}

    def sound(self, arm: Arm, goal: Goal) -> Soundness:
        """Whether the replies of an arm and a goal are answers."""
        if (arm, goal) not in self._sound:
            self._sound[arm, goal] = soundness(self._answers, self.board, arm, goal)
        return self._sound[arm, goal]

    def levels(self, arm: Arm) -> dict[Goal, Level]:
        """How far the figures of each goal of an arm can be believed."""
        return {goal: self.sound(arm, goal).level for goal in self.board.goals(arm)}

    def counting(self, arm: Arm) -> list[Goal]:
        """The goals of an arm whose figures count."""
        return [goal for goal, level in self.levels(arm).items() if level != "void"]

    def chosen(self, arms: Sequence[Arm]) -> Arm:
        """The arm that stands for its way: of those with the fewest goals lost or in doubt the strongest.

        How much an arm moved plays no part, so that the choice does not favour a lucky one.
        """

        def key(arm: Arm) -> tuple[int, int, float]:
            levels = list(self.levels(arm).values())
            return levels.count("void"), levels.count("doubt"), -arm.strength

        return min(arms, key=key)

    def untouched(self, arm: Arm) -> Replies:
        """The replies of the untouched model that an arm is compared with."""
        return self._answers.replies(base_cells(self.run, arm))
