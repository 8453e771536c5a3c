"""The tests of a study as one family: p-values corrected for their number, sizes of effects, and what could be seen."""

from dataclasses import dataclass

from temperament.report.board import Arm, Goal
from temperament.report.finding import finding, number_of, rows_of, text_of
from temperament.report.wording import number
from temperament.run import Row, Run

LEVEL = 0.05


@dataclass(frozen=True)
class Test:
    """One change, tested.

    Attributes:
        strength: of the edit.
        metric: what changed, without ``_change``.
        p: as if it were the only test.
        adjusted: corrected for the number of tests.
        effect: its size in words, with the name of the measure.
        n: items that it is of; 0 where that was not recorded.
        test: its name; empty where that was not recorded.
    """

    method: str
    condition: str
    strength: float
    goal: Goal
    seed: int | None
    metric: str
    p: float | None
    adjusted: float | None
    effect: str
    n: int = 0
    test: str = ""

    @property
    def arm(self) -> Arm:
        """The arm, without its subject."""
        return Arm("", self.method, self.condition, self.strength)

    @property
    def holds(self) -> bool:
        """Whether the change stands after the correction."""
        return self.adjusted is not None and self.adjusted < LEVEL


@dataclass(frozen=True)
class Family:
    """The tests of ``findings/family.json``, the smallest p-value first, and how small a change could be seen."""

    tests: list[Test]
    power: str

    def of(self, arm: Arm, goal: Goal, metric: str) -> list[Test]:
        """The tests of one change, one a seed."""
        own = (arm.method, arm.condition, arm.strength, goal, metric)
        return [
            test for test in self.tests if (test.method, test.condition, test.strength, test.goal, test.metric) == own
        ]

    def holds(self, arm: Arm, goal: Goal, metric: str) -> bool | None:
        """Whether a change stands after the correction, in every seed; None where it was not tested."""
        tests = self.of(arm, goal, metric)
        return all(test.holds for test in tests) if tests else None

    @property
    def metrics(self) -> list[str]:
        """What was tested."""
        return sorted({test.metric for test in self.tests})


def family(run: Run) -> Family | None:
    """The tests of a run; None where it has none."""
    found = finding(run, "family")
    tests = [_test(row) for row in rows_of(found.get("rows"))]
    if not tests:
        return None
    return Family(sorted(tests, key=lambda test: (test.p is None, test.p or 0.0)), _sentence(text_of(found, "power")))


def probability(value: float | None) -> str:
    """A p-value in words, such as '0.03' or 'below 0.001'."""
    if value is None:
        return "withheld"
    return "below 0.001" if value < 0.001 else number(value, 2 if value >= 0.1 else 3)


def _sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def _test(row: Row) -> Test:
    seed, size = number_of(row, "seed"), number_of(row, "effect_size")
    name = text_of(row, "effect_name")
    return Test(
        method=text_of(row, "method"),
        condition=text_of(row, "condition"),
        strength=number_of(row, "strength") or 0.0,
        goal=Goal(text_of(row, "trait"), text_of(row, "pole")),
        seed=None if seed is None else int(seed),
        metric=text_of(row, "metric").removesuffix("_change"),
        p=number_of(row, "p"),
        adjusted=number_of(row, "p_adjusted"),
        n=int(number_of(row, "n") or 0),
        test=text_of(row, "test"),
        effect="withheld"
        if size is None
        else " ".join(filter(None, (number(size, 2, signed=True), f"({name})" if name else ""))),
    )
