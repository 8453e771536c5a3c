"""The settings of a judge, as a study's file has them."""

from collections.abc import Sequence
from dataclasses import dataclass

from temperament.errors import RequestError
from temperament.measure.judge.scale import Scale
from temperament.subject.cost import Cost
from temperament.trait import Target, find_trait


@dataclass(frozen=True)
class JudgePlan:
    """Who judges replies, how many, and what it may cost.

    Attributes:
        model: ``http(s)://HOST/v1#MODEL``, ``builtin:NAME``, a folder or a hub id; empty for no judge.
        precision: of a model whose weights are at hand.
        replies: of a cell's that are judged, spread evenly; None judges all.
        adjectives: of a target's pole that the judge is asked about, the one that names the pole first; 0 asks none.
        is_counterbalanced: every scale is shown in both directions, and the two ratings are averaged.
        calibration: labelled answers of each pole that the judge is tried on first; 0 tries none.
        most_missing: share of calls without a rating above which scores are withheld.
        calls_per_minute: that an endpoint allows; None sets no limit.
        at_once: calls of an endpoint that are in flight.
        max_new_tokens: that an endpoint may write; one that thinks first needs room for that.
        prompt_price: of a million tokens that an endpoint reads, in any currency; None where it is not known.
        completion_price: of a million tokens that it writes.

    Raises:
        RequestError: a number makes no sense.
    """

    model: str = ""
    precision: str = "auto"
    replies: int | None = 40
    adjectives: int = 2
    is_counterbalanced: bool = True
    calibration: int = 10
    most_missing: float = 0.1
    calls_per_minute: float | None = None
    at_once: int = 4
    max_new_tokens: int = 8
    prompt_price: float | None = None
    completion_price: float | None = None

    def __post_init__(self) -> None:
        least = {"replies": 1, "adjectives": 0, "calibration": 0, "at_once": 1, "max_new_tokens": 1}
        least |= {"prompt_price": 0, "completion_price": 0}
        for name, bound in least.items():
            if (value := getattr(self, name)) is not None and value < bound:
                message = f"judge.{name} is {value}: it needs to be at least {bound}."
                raise RequestError(message)
        if not 0 <= self.most_missing < 1:
            message = f"judge.most_missing is {self.most_missing:g}: it needs to be at least 0 and below 1."
            raise RequestError(message)
        if self.calls_per_minute is not None and not self.calls_per_minute > 0:
            message = f"judge.calls_per_minute is {self.calls_per_minute:g}: allow more than 0, or leave it out."
            raise RequestError(message)

    @property
    def is_remote(self) -> bool:
        """The judge is asked over HTTP."""
        return self.model.lower().startswith(("http://", "https://"))

    def scales(self, targets: Sequence[Target]) -> tuple[Scale, ...]:
        """What the judge is asked about replies: each target's trait, and adjectives of its pole."""
        found: dict[Scale, None] = {}
        for target in targets:
            found[Scale(target.trait)] = None
        for target in targets:
            for adjective in find_trait(target.trait).adjectives(target.pole)[: self.adjectives]:
                found[Scale(target.trait, target.pole, adjective)] = None
        return tuple(found)

    def calls(self, replies: int, targets: Sequence[Target]) -> int:
        """Calls for the replies of a cell that has so many, where nothing is kept from before."""
        judged = replies if self.replies is None else min(replies, self.replies)
        return judged * len(self.scales(targets)) * (2 if self.is_counterbalanced else 1)

    def price(self, cost: Cost) -> float | None:
        """What calls cost in the currency of the prices; None where a price is not known."""
        if self.prompt_price is None or self.completion_price is None:
            return None
        return cost.price(self.prompt_price, self.completion_price)
