"""The card of an inventory: how far its scores can be trusted in one study. It goes to ``findings/inventory.json``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from temperament.measure.inventory.convergence import Convergence, convergence
from temperament.measure.inventory.inventory import Inventory
from temperament.measure.inventory.reliability import Reliability, Respondent, reliability
from temperament.measure.inventory.scoring import answers_of, bias_by_labels, middle_distance, of_trait
from temperament.stats import Estimate

CAUTION = (
    "What a model says of itself need not be how it writes (arXiv 2509.03730): read the scores beside the convergence "
    "with generated text, never alone."
)


@dataclass(frozen=True)
class Balance:
    """How many statements about a trait speak for its high and for its low pole."""

    trait: str
    plus: int
    minus: int


@dataclass(frozen=True)
class RaterCard:
    """How one respondent rated.

    Attributes:
        name: of the respondent.
        position_bias: by labels; see `scoring.position_bias`.
        middle_distance: mean distance of agreement from the middle, 0 to 2; None where nothing was answered.
        unanswered: statements without an answer.
    """

    name: str
    position_bias: dict[str, Estimate]
    middle_distance: float | None
    unanswered: int


@dataclass(frozen=True)
class InventoryCard:
    """What stands beside the scores.

    Attributes:
        inventory: by name.
        fingerprint: of its statements and forms.
        note: of the inventory itself, such as that it was never tried on people.
        caution: for every inventory.
        statements: in all.
        labels: that options were answered with.
        orders: in which they were shown.
        balance: of each trait.
        respondents: in all.
        reliability: of each trait.
        convergence: of each trait for which the texts of cells were scored.
        raters: one a respondent.
    """

    inventory: str
    fingerprint: str
    note: str
    caution: str
    statements: int
    labels: tuple[str, ...]
    orders: tuple[str, ...]
    balance: tuple[Balance, ...]
    respondents: int
    reliability: tuple[Reliability, ...]
    convergence: tuple[Convergence, ...]
    raters: tuple[RaterCard, ...]


def card_of(
    inventory: Inventory,
    respondents: Sequence[Respondent],
    behaviour: Mapping[str, Mapping[str, float]] | None = None,
    seed: int = 0,
) -> InventoryCard:
    """The card of an inventory that several respondents filled in.

    Args:
        inventory: that was administered.
        respondents: every cell of a study, the untouched model included.
        behaviour: by the name of a trait, then of a respondent, a score of its texts that is higher towards the high
            pole; cells without one are left out of the correlation.
        seed: of the resamples.
    """
    return InventoryCard(
        inventory=inventory.name,
        fingerprint=inventory.fingerprint,
        note=inventory.note,
        caution=CAUTION,
        statements=len(inventory.statements),
        labels=inventory.labels,
        orders=inventory.orders,
        balance=tuple(_balance(inventory, trait) for trait in inventory.traits),
        respondents=len(respondents),
        reliability=tuple(reliability(respondents, trait, seed) for trait in inventory.traits),
        convergence=tuple(
            _converging(respondents, trait, scores, seed)
            for trait, scores in (behaviour or {}).items()
            if trait in inventory.traits
        ),
        raters=tuple(_rater(one, len(inventory.statements)) for one in respondents),
    )


def _balance(inventory: Inventory, trait: str) -> Balance:
    keys = [statement.keyed for statement in inventory.statements if statement.trait == trait]
    return Balance(trait, keys.count("plus"), keys.count("minus"))


def _converging(
    respondents: Sequence[Respondent], trait: str, behaviour: Mapping[str, float], seed: int
) -> Convergence:
    found: list[tuple[str, str, float, float]] = []
    for one in respondents:
        scores = [answer.score for answer in of_trait(answers_of(one.ratings), trait)]
        if scores and one.name in behaviour:
            found.append((one.name, one.group or one.name, sum(scores) / len(scores), behaviour[one.name]))
    return convergence(
        [said for _, _, said, _ in found],
        [done for _, _, _, done in found],
        [name for name, _, _, _ in found],
        trait,
        [group for _, group, _, _ in found],
        seed,
    )


def _rater(one: Respondent, statements: int) -> RaterCard:
    answers = answers_of(one.ratings)
    return RaterCard(one.name, bias_by_labels(one.ratings), middle_distance(answers), statements - len(answers))
