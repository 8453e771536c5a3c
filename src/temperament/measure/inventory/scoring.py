"""What ratings say: trait scores, and how much of them is the subject's way of rating.

A statement is an observation and its facet a cluster, as a question and its topic are elsewhere: ratings of one
statement in several forms are averaged first, and intervals come from resampling facets (statements, where an inventory
names no facets). So an interval says how far the score would move with other statements, not with another run: the
probabilities of an open subject have no chance in them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from temperament.measure.inventory.rating import Rating
from temperament.measure.inventory.statement import Keyed
from temperament.measure.inventory.wording import MIDDLE, OPTIONS, ORDERS
from temperament.measure.protocol import Measurement
from temperament.stats import Estimate, average, share

NAME = "inventory"
WITHHELD = Estimate(None, None, None, 0)
SCORE, ACQUIESCENCE, REFUSAL = "inventory_score", "inventory_acquiescence", "inventory_refusal"
POSITION_BIAS, LABEL_BIAS = "inventory_position_bias", "inventory_label_bias"


@dataclass(frozen=True)
class Answer:
    """What all ratings of one statement come to.

    Attributes:
        item: the statement's id.
        topic: what answers cluster by.
        trait: that the statement is about.
        keyed: ``plus`` where agreement speaks for the high pole.
        agreement: from 1, very inaccurate, to 5, very accurate.
    """

    item: str
    topic: str
    trait: str
    keyed: Keyed
    agreement: float

    @property
    def score(self) -> float:
        """From 1, low pole, to 5, high pole: the agreement, turned round for statements about the low pole."""
        return self.agreement if self.keyed == "plus" else len(OPTIONS) + 1 - self.agreement


def answers_of(ratings: Iterable[Rating]) -> list[Answer]:
    """One answer a statement, in order of first appearance.

    A set of labels counts where the statement was rated in every order that was asked, so that a preference for the
    first or the last option is in no answer; the mean over orders is taken first, then over labels. A statement without
    any such set is left out.
    """
    rows = list(ratings)
    known, orders = {row.item: row for row in rows}, {row.order for row in rows}
    found: list[Answer] = []
    for item, tables in _by_item(rows).items():
        whole = [fmean(table.values()) for table in _complete(tables, len(orders))]
        if whole:
            row = known[item]
            found.append(Answer(item, row.topic, row.trait, row.keyed, fmean(whole)))
    return found


def measure(ratings: Sequence[Rating]) -> list[Measurement]:
    """Every figure of one cell.

    ``inventory_score``: of each trait, from 1, low pole, to 5, high pole: the mean over its statements.
    ``inventory_acquiescence``: from 1 to 5, agreement whatever is said: the mean of agreement with statements for and
    against a facet (a trait, where no facet has both); 3 is none. ``inventory_position_bias``: by how many places, up
    to 2, the mean choice lies above (less than 0) or below the middle of what is shown, with both orders in equal
    shares; a preference for the option in the middle cannot be told from a middling opinion.
    ``inventory_label_bias``: how far apart, from 0 to 4, the agreement with a statement in one order is under different
    labels; it has no sign. ``inventory_refusal``: the mass outside the options, or the share of replies that pick none.

    Ratings without an answer are left out; refusals lower the n of the scores and are a figure of their own.
    """
    rows = list(ratings)
    answers = answers_of(rows)
    found = [Measurement(SCORE, _mean(of_trait(answers, trait)), trait) for trait in _traits(rows)]
    known = [row for row in rows if row.outside is not None]
    refusal = share([min(1.0, row.outside or 0.0) for row in known], [row.topic for row in known])
    return [
        *found,
        Measurement(ACQUIESCENCE, acquiescence(answers)),
        Measurement(POSITION_BIAS, position_bias(rows)),
        Measurement(LABEL_BIAS, label_bias(rows)),
        Measurement(REFUSAL, refusal),
    ]


def changes(before: Sequence[Rating], after: Sequence[Rating]) -> list[Measurement]:
    """``inventory_score_change`` of each trait: the mean of after - before over statements answered both times."""
    first = {answer.item: answer for answer in answers_of(before)}
    both = [(first[one.item], one) for one in answers_of(after) if one.item in first]
    found: list[Measurement] = []
    for trait in _traits(before):
        mine = [pair for pair in both if pair[1].trait == trait]
        moved = average([now.score - then.score for then, now in mine], [now.topic for _, now in mine])
        found.append(Measurement(f"{SCORE}_change", moved, trait))
    return found


def of_trait(answers: Iterable[Answer], trait: str) -> list[Answer]:
    """The answers about one trait."""
    return [answer for answer in answers if answer.trait == trait]


def acquiescence(answers: Sequence[Answer]) -> Estimate:
    """Mean agreement over statements of which as many weigh for as against; withheld where all are keyed alike.

    Where any facet has statements of both kinds, those facets count, each as one; else traits that have both do.
    """
    for name in ("topic", "trait"):
        groups: defaultdict[str, dict[Keyed, list[float]]] = defaultdict(lambda: {"plus": [], "minus": []})
        for answer in answers:
            groups[getattr(answer, name)][answer.keyed].append(answer.agreement)
        balanced = [fmean(map(fmean, kinds.values())) for kinds in groups.values() if all(kinds.values())]
        if balanced:
            return average(balanced)
    return WITHHELD


def position_bias(ratings: Sequence[Rating]) -> Estimate:
    """Places that the mean choice lies off the middle, from -2, always the first, to 2, always the last.

    Withheld where one order alone was asked: place and opinion cannot be told apart then.
    """
    rows = list(ratings)
    orders = {row.order for row in rows}
    found: dict[str, float] = {}
    for item, tables in _by_item(rows).items():
        # The place of a choice is 6 - agreement where the accurate end comes first, else the agreement.
        moved = [
            (table[ORDERS[1]] - table[ORDERS[0]]) / 2 for table in _complete(tables, len(orders)) if len(table) > 1
        ]
        if moved:
            found[item] = fmean(moved)
    return _over_items(found, rows)


def label_bias(ratings: Sequence[Rating]) -> Estimate:
    """Distance in agreement, from 0 to 4, between the labels under which it is largest and smallest.

    Withheld where one set of labels alone was asked.
    """
    rows = list(ratings)
    labels, orders = {row.labels for row in rows}, {row.order for row in rows}
    found: dict[str, float] = {}
    for item, tables in _by_item(rows).items():
        spread: list[float] = []
        for order in orders:
            values = [table[order] for table in tables.values() if order in table]
            if len(values) == len(labels) > 1:
                spread.append(max(values) - min(values))
        if spread:
            found[item] = fmean(spread)
    return _over_items(found, rows)


def bias_by_labels(ratings: Sequence[Rating]) -> dict[str, Estimate]:
    """`position_bias` under each set of labels: where a preference comes from."""
    names = dict.fromkeys(row.labels for row in ratings)
    return {name: position_bias([row for row in ratings if row.labels == name]) for name in names}


def middle_distance(answers: Sequence[Answer]) -> float | None:
    """Mean distance of agreement from the middle, 0 to 2: near 0 the subject tells no statement from another."""
    return fmean(abs(answer.agreement - MIDDLE) for answer in answers) if answers else None


def _by_item(rows: Sequence[Rating]) -> dict[str, dict[str, dict[str, float]]]:
    """Agreement by statement, labels and order."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows:
        tables = found.setdefault(row.item, {})
        if (agreement := row.agreement) is not None:
            tables.setdefault(row.labels, {})[row.order] = agreement
    return found


def _complete(tables: dict[str, dict[str, float]], orders: int) -> list[dict[str, float]]:
    """Agreement by order, of each set of labels that was rated in all orders that were asked."""
    return [table for table in tables.values() if len(table) == orders]


def _over_items(values: dict[str, float], rows: Sequence[Rating]) -> Estimate:
    topics = {row.item: row.topic for row in rows}
    return average(list(values.values()), [topics[item] for item in values])


def _mean(answers: Sequence[Answer]) -> Estimate:
    return average([answer.score for answer in answers], [answer.topic for answer in answers])


def _traits(rows: Sequence[Rating]) -> list[str]:
    return list(dict.fromkeys(row.trait for row in rows))
