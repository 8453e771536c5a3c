"""What an edit did to texts that it did not write: edit success, drawdown, and the perplexity of neutral text."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from temperament.measure.protocol import Measurement
from temperament.measure.reading import Likelihood, opposite
from temperament.stats import Estimate, average, paired_difference
from temperament.trait import Target

Answers = Mapping[tuple[str, str], float]


def effects(read: Sequence[Likelihood], untouched: Sequence[Likelihood], target: Target | None) -> list[Measurement]:
    """``edit_success``, ``drawdown`` and ``neutral_perplexity`` of one cell, with topics as clusters.

    ``drawdown`` is the mean divergence of a token of neutral text, KL(untouched || edited) in nats; 0 leaves such text
    alone. ``neutral_perplexity`` is the exponential of the mean negative log-probability of its tokens.

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
    passages = [row for row in read if row.kind == "passage"]
    moved = [(row.topic, row.divergence) for row in passages if row.divergence is not None]
    if moved:
        found.append(Measurement("drawdown", average([value for _, value in moved], [topic for topic, _ in moved])))
    likely = [(row.topic, row.log_probability) for row in passages if row.log_probability is not None]
    if likely:
        surprise = average([-value for _, value in likely], [topic for topic, _ in likely])
        found.append(Measurement("neutral_perplexity", exponential(surprise)))
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
    gains by making everything unlikely.

    Source: Mao et al. 2024, arXiv 2310.02168, section 4 (edit success for personality).
    Departs: the opposite pole of the same trait stands for 'another personality', and a token is scored by the logits
    at the position before it.
    """
    before, after = _answers(untouched), _answers(read)
    wanted, other = str(target), str(opposite(target))
    topics = [topic for pole, topic in after if pole == wanted]
    return {
        topic: _success(after[wanted, topic], after[other, topic], before[wanted, topic])
        for topic in topics
        if (other, topic) in after and (wanted, topic) in before
    }


def exponential(estimate: Estimate) -> Estimate:
    """The estimate of exp(x) from that of x: of a mean log-probability the geometric mean, bounds and all."""
    return replace(estimate, value=_power(estimate.value), lower=_power(estimate.lower), upper=_power(estimate.upper))


def _power(value: float | None) -> float | None:
    return None if value is None else math.exp(min(value, 700.0))


def _success(wanted: float, other: float, before: float) -> float:
    difference = min(max(wanted - other, -700.0), 700.0)
    return min(1.0, math.exp(min(wanted - before, 0.0))) / (1.0 + math.exp(-difference))


def _answers(rows: Iterable[Likelihood]) -> Answers:
    return {
        (row.pole, row.topic): row.log_probability
        for row in rows
        if row.kind == "answer" and row.log_probability is not None
    }
