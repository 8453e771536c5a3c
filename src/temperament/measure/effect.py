"""What an edit did to texts that it did not write: edit success, drawdown, and the perplexity of neutral text."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from temperament.measure.protocol import Measurement
from temperament.measure.reading import Likelihood
from temperament.stats import Estimate, average, paired_difference, share
from temperament.trait import Target, other_pole

# By pole and topic; None is what was read and gave no finite number.
Answers = Mapping[tuple[str, str], float | None]


def effects(read: Sequence[Likelihood], untouched: Sequence[Likelihood], target: Target | None) -> list[Measurement]:
    """``edit_success``, ``drawdown`` and ``neutral_perplexity`` of one cell, with topics as clusters.

    ``drawdown`` is the mean divergence of a token of neutral text, KL(untouched || edited) in nats; 0 leaves such text
    alone. ``neutral_perplexity`` is the exponential of the mean negative log-probability of its tokens. Both are
    withheld where one passage was read and gave no finite number, because a mean over the others would praise an edit
    for what it broke. ``broken_text_share``, the share of such texts among all that were read, is there then, and says
    why.

    Args:
        read: what the cell made of answers and passages; for the untouched model the same as ``untouched``.
        untouched: what the untouched model made of the same texts.
        target: of the cell; without one there is no edit success.

    Returns:
        What can be measured: no drawdown of the untouched model, and nothing from texts that were not read.
    """
    found: list[Measurement] = []
    if target and (successes := edit_successes(read, untouched, target)):
        found.append(Measurement("edit_success", average(list(successes.values()), list(successes))))
    passages = [row for row in read if row.kind == "passage" and row.tokens]
    is_compared = read != untouched and any(row.divergence is not None or row.is_broken for row in passages)
    if is_compared:
        found.append(Measurement("drawdown", _average(passages, [row.divergence for row in passages])))
    if passages:
        surprises = [None if row.log_probability is None else -row.log_probability for row in passages]
        found.append(Measurement("neutral_perplexity", exponential(_average(passages, surprises))))
    given = [*passages, *(row for row in read if row.kind == "answer" and row.tokens)]
    broken = [row.is_broken or (is_compared and row.kind == "passage" and row.divergence is None) for row in given]
    if any(broken):
        found.append(Measurement("broken_text_share", share(broken, [row.topic for row in given])))
    return found


def success_change(read: Sequence[Likelihood], untouched: Sequence[Likelihood], target: Target) -> Estimate:
    """The paired difference of edit success to the untouched model, by topic."""
    after, before = edit_successes(read, untouched, target), edit_successes(untouched, untouched, target)
    topics = [topic for topic in after if topic in before]
    return paired_difference([before[topic] for topic in topics], [after[topic] for topic in topics], topics)


def edit_successes(read: Sequence[Likelihood], untouched: Sequence[Likelihood], target: Target) -> dict[str, float]:
    """Edit success by topic, from 0 to 1: sigmoid(p+ after - p- after) * min(1, exp(p+ after - p+ before)).

    p+ is the mean log-probability a token of the reference answer that shows the target, p- of the one that shows the
    opposite pole. The untouched model has 0.5 where it finds both as likely; the second factor takes away what an edit
    gains by making everything unlikely. An edit under which one of the two has no finite log-probability has 0.

    Source: Mao et al. 2024, arXiv 2310.02168, section 4 (edit success for personality).
    Departs: the opposite pole of the same trait stands for 'another personality', and a token is scored by the logits
    at the position before it.
    """
    before, after = _answers(untouched), _answers(read)
    wanted, other = str(target), str(other_pole(target))
    topics = [topic for pole, topic in after if pole == wanted]
    return {
        topic: _success(after[wanted, topic], after[other, topic], before[wanted, topic])
        for topic in topics
        if (other, topic) in after and before.get((wanted, topic)) is not None
    }


def exponential(estimate: Estimate) -> Estimate:
    """The estimate of exp(x) from that of x: of a mean log-probability the geometric mean, bounds and all."""
    return replace(estimate, value=_power(estimate.value), lower=_power(estimate.lower), upper=_power(estimate.upper))


def _power(value: float | None) -> float | None:
    return None if value is None else math.exp(min(value, 700.0))


def _success(wanted: float | None, other: float | None, before: float | None) -> float:
    if wanted is None or other is None or before is None:
        return 0.0
    difference = min(max(wanted - other, -700.0), 700.0)
    return min(1.0, math.exp(min(wanted - before, 0.0))) / (1.0 + math.exp(-difference))


def _answers(rows: Iterable[Likelihood]) -> Answers:
    """Those that were read; what the model has no room for is missing."""
    return {(row.pole, row.topic): row.log_probability for row in rows if row.kind == "answer" and row.tokens}


def _average(rows: Sequence[Likelihood], values: Sequence[float | None]) -> Estimate:
    """The mean with topics as clusters; withheld where a value is missing."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return Estimate(None, None, None, len(known))
    return average(known, [row.topic for row in rows])
