"""The rules that choose neurons, on statistics that are made by hand."""

from dataclasses import replace

import torch

from temperament.activation.statistic import UnitStatistics
from temperament.shape.neurons.selection import Selection


def statistics(firing, mean=None, deviation=1.0, tokens=1000):
    firing = torch.tensor(firing, dtype=torch.float64)
    mean = firing if mean is None else torch.tensor(mean, dtype=torch.float64)
    squares = (deviation**2 + mean**2) * tokens
    return UnitStatistics(tokens, firing * tokens, mean * tokens, squares, mean - 3, mean + 3)


def numbers(chosen):
    return [layer.nonzero().flatten().tolist() for layer in chosen]


def test_the_difference_rule_takes_what_fires_a_tenth_more_often():
    high, low = statistics([0.5, 0.5, 0.5, 0.2]), statistics([0.4, 0.405, 0.9, 0.3])
    chosen = Selection(floor=0.0).choose([high], [low])
    assert numbers(chosen["high"]) == [[0]]
    assert numbers(chosen["low"]) == [[2, 3]]


def test_the_floor_takes_the_best_where_too_few_pass_and_none_that_leans_the_other_way():
    high, low = statistics([0.50, 0.53, 0.5]), statistics([0.49, 0.51, 0.6])
    chosen = Selection(floor=0.5).choose([high, high], [low, low])
    assert numbers(chosen["high"]) == [[0, 1], [1]]
    assert numbers(chosen["low"]) == [[2], [2]]


def test_the_top_rule_takes_the_largest_in_either_direction():
    high, low = statistics([0.5, 0.9, 0.5, 0.5]), statistics([0.5, 0.5, 0.8, 0.45])
    chosen = Selection(rule="top", top=2).choose([high], [low])
    assert (numbers(chosen["high"]), numbers(chosen["low"])) == ([[1]], [[2]])
    assert numbers(Selection(rule="top", top=99).choose([high], [low])["high"]) == [[1, 3]]


def test_the_effect_rule_wants_a_large_effect_and_a_large_difference_of_means():
    # The first has both, the second the effect alone, the third the difference alone.
    still = 0.1
    high = statistics([0.5] * 4, [5.0, 0.5, 5.0, 0.0])
    low = statistics([0.5] * 4, [0.0, 0.0, 0.0, 4.0])
    deviations = torch.tensor([1.0, still, 20.0, 1.0], dtype=torch.float64)
    high, low = (replace(one, squares=(deviations**2 + one.mean**2) * one.tokens) for one in (high, low))
    chosen = Selection(rule="effect", magnitude=0.3).choose([high], [low])
    assert (numbers(chosen["high"]), numbers(chosen["low"])) == ([[0]], [[3]])
    assert numbers(Selection(rule="effect", magnitude=0.0, effect_size=0.2).choose([high], [low])["high"]) == [[0, 2]]
