"""Requests that cannot be met are refused, and what is quick stays quick."""

import json
import subprocess
import sys

import pytest

from temperament.errors import RequestError
from temperament.stats import (
    Estimate,
    average,
    cohens_h,
    correlation,
    discoveries,
    mcnemar,
    paired_difference,
    paired_test,
    ratio,
    share,
    unpaired_test,
    visible_change,
    visible_share_change,
    visible_share_difference,
)


def test_an_estimate_reads_as_a_sentence():
    assert str(Estimate(0.816, 0.76, 0.874, 200)) == "0.82 (0.76 to 0.87), n = 200"
    assert str(Estimate(None, None, None, 0)) == "withheld, n = 0"
    assert str(Estimate(3.0, None, None, 4)) == "3.00 (interval withheld), n = 4"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: share([0.5, 2.0]), "between 0 and 1"),
        (lambda: share([0.5, float("nan")]), "not finite"),
        (lambda: share([True], ["a", "b"]), "got 2 clusters"),
        (lambda: ratio([1, 2], [1]), "as many denominators"),
        (lambda: ratio([-1, 2], [1, 1]), "negative"),
        (lambda: average([float("inf")]), "not finite"),
        (lambda: paired_difference([1.0], [1.0, 2.0]), "the same items"),
        (lambda: paired_test([1.0], [1.0, 2.0]), "the same items"),
        (lambda: mcnemar([1, 2], [1, 0]), "yes and no"),
        (lambda: cohens_h([1, 2], [1, 0]), "yes and no"),
        (lambda: unpaired_test([1, 2], [1, 0], ["a", "b"], ["b", "c"]), "'b' is in both"),
        (lambda: correlation([1, 2], [1]), "two values of each item"),
        (lambda: discoveries({"words": 1.5}), "'words' has 1.5"),
        (lambda: discoveries({"words": 0.5}, level=0.0), "a level lies between"),
        (lambda: visible_change(40, 0.0), "above 0"),
        (lambda: visible_change(5, 1.0, 6), "5 items on 6 topics"),
        (lambda: visible_change(40, 1.0, 8, 1.5), "correlation within topics"),
        (lambda: visible_share_change(40, 0.0), "discordance"),
        (lambda: visible_share_difference(40, -0.1), "a share lies between"),
    ],
)
def test_impossible_values_are_refused(call, said):
    with pytest.raises(RequestError, match=said):
        call()


def test_statistics_import_neither_torch_nor_all_of_scipy():
    program = "import sys, json, temperament.stats; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "scipy", "sklearn", "pandas"} & set(json.loads(output))
