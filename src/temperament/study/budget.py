"""The side-effect budget: the strongest strength of an edit at which it stays within stated limits on all else.

Found on one half of the questions and of the neutral texts, and looked at once on the other half.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from temperament.edit.base import Edit
from temperament.edit.profile import has_dial
from temperament.errors import RequestError
from temperament.stats import Estimate
from temperament.study.dial import Curve, Search, check_ranges
from temperament.subject.base import Subject

# Told which strength is looked at, and how many were.
Watch = Callable[[float, int], None]


@dataclass(frozen=True)
class Limits:
    """What an edit may do beside what it is for, against the untouched model; None sets no limit.

    Attributes:
        perplexity: of neutral text, as a multiple of what it was: above 1.
        kl: KL(untouched || edited) on neutral text, in nats a token: above 0.
        gibberish: rise of the share of replies that are gibberish: above 0, at most 1.
        off_target: change of the signed reading, P(high) - P(low), of every trait that the edit is not for, either
            way: above 0, at most 2.

    Raises:
        RequestError: one is out of its range, or there is none at all.
    """

    perplexity: float | None = 1.25
    kl: float | None = 0.2
    gibberish: float | None = 0.1
    off_target: float | None = 0.2

    def __post_init__(self) -> None:
        ranges = {"perplexity": (1, math.inf), "kl": (0, math.inf), "gibberish": (0, 1), "off_target": (0, 2)}
        values = {name: getattr(self, name) for name in ranges}
        for name, (least, most) in ranges.items():
            if values[name] is not None and not least < values[name] <= most:
                message = f"the limit on {name} is {values[name]:g}: it needs to be above {least} and at most {most:g}."
                raise RequestError(message)
        if not any(value is not None and math.isfinite(value) for value in values.values()):
            message = f"a budget needs a limit: set at least one of {', '.join(ranges)}."
            raise RequestError(message)


@dataclass(frozen=True)
class Walk:
    """How the strength is looked for.

    Attributes:
        step: between the strengths of the grid, from 0 up.
        most: strength that is tried, at most.
        refinements: halvings of the last step.
        reserve: share of every limit that the search leaves unused. What it finds was chosen because its values were
            low enough, in part by luck; without a reserve they would be above a limit on other questions about every
            second time.

    Raises:
        RequestError: one of them is out of its range.
    """

    step: float = 0.25
    most: float = 2.0
    refinements: int = 3
    reserve: float = 0.2

    def __post_init__(self) -> None:
        check_ranges(
            self,
            ("most", 0 < self.most < math.inf, "a number above 0"),
            ("step", 0 < self.step <= self.most, f"above 0 and at most the strongest strength, {self.most:g}"),
            ("refinements", self.refinements >= 0, "at least 0"),
            ("reserve", 0 <= self.reserve < 1, "at least 0 and below 1"),
        )

    @property
    def grid(self) -> list[float]:
        """The strengths that are walked up."""
        count = math.ceil(self.most / self.step - 1e-9)
        return [min(self.most, number * self.step) for number in range(1, count + 1)]

    @property
    def longest(self) -> int:
        """Strengths that are tried, at most."""
        return len(self.grid) + self.refinements


@dataclass(frozen=True)
class Cost:
    """One side effect, against its limit.

    Attributes:
        limit: its name, as in `Limits`.
        most: that is allowed; None where there is no limit.
        estimate: in the limit's own unit; without a value where the model broke.
        measured_trait: of ``off_target``.
    """

    limit: str
    most: float | None
    estimate: Estimate
    measured_trait: str | None = None

    @property
    def spent(self) -> float:
        """The share of the limit that is used up: 0 for the untouched model, above 1 beyond the limit."""
        if self.most is None or math.isinf(self.most):
            return 0.0
        if self.estimate.value is None:
            return math.inf
        # A multiple of 1 is no change.
        start = 1.0 if self.limit == "perplexity" else 0.0
        moved = abs(self.estimate.value) if self.limit == "off_target" else self.estimate.value - start
        return max(0.0, moved / (self.most - start))

    @property
    def is_certain(self) -> bool:
        """The whole interval is within the limit."""
        if self.most is None:
            return True
        lower, upper = self.estimate.lower, self.estimate.upper
        if lower is None or upper is None:
            return False
        return max(upper, -lower if self.limit == "off_target" else upper) <= self.most

    def __str__(self) -> str:
        return f"{self.limit} of {self.measured_trait}" if self.measured_trait else self.limit


@dataclass(frozen=True)
class Gain:
    """What the edit is for: the change of the signed reading of its trait, above 0 towards its pole."""

    trait: str
    pole: str
    estimate: Estimate


@dataclass(frozen=True)
class Account:
    """What an edit costs and gains at one strength, on one half.

    Attributes:
        costs: by limit; the replies' are missing where the neutral text was beyond its limits already.
        gains: one for each target.
        questions: that were asked.
        passages: neutral texts that were read.
    """

    costs: tuple[Cost, ...]
    gains: tuple[Gain, ...]
    questions: int
    passages: int

    @property
    def spent(self) -> float:
        """Of the limit that is nearest, or farthest behind."""
        return max((cost.spent for cost in self.costs), default=0.0)

    @property
    def nearest(self) -> Cost | None:
        """The cost that has used up most of its limit; None where nothing was used up."""
        found = max(self.costs, key=lambda cost: cost.spent, default=None)
        return found if found is not None and found.spent > 0 else None


@runtime_checkable
class Meter(Protocol):
    """Says what an edit does on one half of the questions."""

    def account(self, edit: Edit, enough: float = math.inf) -> Account:
        """What an edit costs and gains.

        Args:
            edit: at its strength.
            enough: share of a limit at which no more needs to be known.
        """
        ...


@dataclass(frozen=True)
class Tried:
    """A strength, which share of the limits it used up, and which limit that was; None where the model broke."""

    strength: float
    spent: float | None
    nearest: str


@dataclass(frozen=True)
class Budget:
    """The answer.

    Attributes:
        strength: by which the edit, as it was given, may be multiplied; 0 where no strength that was tried is within
            the limits.
        limits: that were asked for.
        walk: how the strength was looked for.
        binding: the limit that stopped the search, with its trait where it has one; empty where none did.
        search: what the edit does at that strength, on the half that it was found on; None at strength 0.
        confirmation: the same on the other half, which was looked at once, after the search; None at strength 0.
        is_confirmed: on the other half, too, every value is within its limit.
        is_certain: and every interval as well.
        tried: on the first half, in the order of strength.
        note: what else has to be said; empty where nothing has.
    """

    strength: float
    limits: Limits
    walk: Walk
    binding: str
    search: Account | None
    confirmation: Account | None
    is_confirmed: bool
    is_certain: bool
    tried: tuple[Tried, ...]
    note: str = ""


def find_budget(
    subject: Subject,
    edit: Edit,
    meter: Meter,
    confirm: Callable[[], Meter],
    limits: Limits,
    walk: Walk = Walk(),
    watch: Watch | None = None,
) -> Budget:
    """The strongest strength within limits, found on one half and confirmed on another.

    From 0 up a grid of strengths is walked until two in a row are beyond a limit, less its reserve; then the step from
    the last strength within to the first beyond is halved. Effects need not grow evenly: the strength that is given
    has no stronger claim than that it, and everything weaker that was tried, is within the limits; where a stronger
    one was again, the note says so. The other half is looked at once, at this strength and at no other, and against
    the whole limits. Where it is beyond one there, the budget is not confirmed, and nothing else is tried.

    Args:
        subject: untouched.
        edit: with a dial.
        meter: of the half that is searched on.
        confirm: makes the meter of the other half; called once, after the search.
        limits: that the meters were made with.
        walk: how far and how finely.
        watch: is told of every strength before it is looked at.

    Raises:
        RequestError: the edit has no dial.
    """
    check_dial(edit)
    ledger = _Ledger(meter, 1 - walk.reserve, watch)
    curve = Curve(subject, edit, ledger, 1 - walk.reserve, Search(most=walk.most, tries=max(3, walk.longest + 1)))
    curve.seen[0.0] = 0.0
    strength = _walked(curve, walk)
    tried = tuple(ledger.tried(each, edit) for each in sorted(curve.seen) if each)
    above = next((each for each in tried if each.strength > strength), None)
    binding = above.nearest if above is not None else ""
    if strength == 0:
        note = f"the weakest strength that was tried, {tried[0].strength:g}, is beyond a limit, less its reserve"
        return Budget(0.0, limits, walk, binding, None, None, False, False, tried, note)  # noqa: FBT003 - the fields' order
    if watch:
        watch((strength * edit).strength, len(ledger.accounts))
    found = confirm().account(strength * edit)
    beyond = [cost for cost in found.costs if cost.spent > 1]
    return Budget(
        strength=strength,
        limits=limits,
        walk=walk,
        binding=binding,
        search=ledger.accounts[(strength * edit).strength],
        confirmation=found,
        is_confirmed=not beyond,
        is_certain=not beyond and all(cost.is_certain for cost in found.costs),
        tried=tried,
        note=_note(strength, tried, walk, beyond),
    )


def check_dial(edit: Edit) -> None:
    """Raises RequestError where an edit has no strengths to choose among."""
    if not has_dial(edit):
        message = (
            f"a budget was asked for {edit.origin.method}, which has no dial: it is applied whole or not at all. "
            f"`temperament measure` says what it does."
        )
        raise RequestError(message)


@dataclass
class _Ledger:
    """Effect, for a curve: the largest share of a limit that is used up; accounts are kept by the edit's strength."""

    meter: Meter
    enough: float
    watch: Watch | None
    accounts: dict[float, Account] = field(default_factory=dict[float, Account])

    def __call__(self, subject: Subject, edit: Edit) -> float:
        del subject
        if self.watch:
            self.watch(edit.strength, len(self.accounts))
        self.accounts[edit.strength] = self.meter.account(edit, self.enough)
        return self.accounts[edit.strength].spent

    def tried(self, strength: float, edit: Edit) -> Tried:
        account = self.accounts[(strength * edit).strength]
        spent = account.spent if math.isfinite(account.spent) else None
        return Tried(strength, spent, str(account.nearest or ""))


def _walked(curve: Curve, walk: Walk) -> float:
    """The strongest strength such that nothing weaker that was tried is beyond the goal."""
    missed = 0
    for strength in walk.grid:
        missed = missed + 1 if curve.is_beyond(strength) else 0
        if missed == 2:
            break
    for _ in range(walk.refinements):
        if (step := curve.bracket()) is None:
            return walk.most
        curve.at(sum(step) / 2)
    step = curve.bracket()
    return walk.most if step is None else step[0]


def _note(strength: float, tried: Sequence[Tried], walk: Walk, beyond: Sequence[Cost]) -> str:
    said: list[str] = []
    if beyond:
        costs = ", ".join(f"{cost} is {cost.estimate}, and {cost.most:g} was allowed" for cost in beyond)
        said.append(f"not confirmed: on the other half {costs}")
    stronger = [each for each in tried if each.strength > strength and each.spent is not None]
    if again := [f"{each.strength:g}" for each in stronger if (each.spent or 0.0) < 1 - walk.reserve]:
        said.append(f"within the limits again at {', '.join(again)}, by chance or because effects do not grow evenly")
    return "; ".join(said)
