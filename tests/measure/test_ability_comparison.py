"""Two evaluations side by side: paired by document, and what broke counts."""

import math
from dataclasses import replace

import pytest

from temperament.errors import MismatchError
from temperament.measure.ability.comparison import compare
from temperament.measure.ability.evaluation import Answered, Asked, Evaluation, TaskCard, values_of
from temperament.record import NOT_A_NUMBER, Label, read_json, to_json, write_text

ASKED = Asked(("sums",), "", None, None, "chat", 0)
CARD = TaskCard("sums", "1", 0, 20, 20, {"acc": True, "log_perplexity": False}, ("f1",), {"acc,none": 0.5})


UNTOUCHED, EDITED = Label(), Label("qlora", strength=1.0)


def row(number, acc, surprise=1.0, error=None):
    values = {"acc": acc, "log_perplexity": surprise}
    return Answered(f"sums/{number}/none", f"sums/{number}", "sums", "none", f"hash {number}", (-1.5,), values, error)


def evaluation(rows, label=UNTOUCHED):
    return Evaluation(ASKED, "tiny", "f" * 8, "float32", label, "0.4.13", (CARD,), tuple(rows))


def broken(number):
    return row(number, None, None, NOT_A_NUMBER)


BEFORE = evaluation([row(number, float(number < 15), 1.0 + number) for number in range(20)])


def figures(found):
    return {one.metric: one for one in found.figures}


def test_a_loss_is_negative_and_paired_by_document():
    after = evaluation([row(number, float(number < 5), 1.5 + number) for number in range(20)], EDITED)
    found = figures(compare(BEFORE, after))
    assert (found["acc"].untouched.value, found["acc"].edited.value) == (0.75, 0.25)
    assert found["acc"].change.value == pytest.approx(-0.5)
    assert found["acc"].change.lower < -0.5 < found["acc"].change.upper < 0
    assert found["log_perplexity"].change.value == pytest.approx(0.5)
    assert found["log_perplexity"].edited.value == pytest.approx(11.0)
    assert (found["acc"].is_better_high, found["log_perplexity"].is_better_high) == (True, False)
    assert figures(compare(after, BEFORE))["acc"].change.value == pytest.approx(0.5)


def test_what_broke_is_wrong_and_a_mean_over_the_rest_is_withheld():
    rows = [broken(number) if number < 10 else row(number, 1.0, 0.0) for number in range(20)]
    found = figures(compare(BEFORE, evaluation(rows, EDITED)))
    assert (found["acc"].edited.value, found["acc"].edited.n) == (0.5, 20)
    assert found["acc"].broken == (0, 10)
    assert found["log_perplexity"].edited.value is None
    assert found["log_perplexity"].change.value is None
    assert found["log_perplexity"].untouched.value == pytest.approx(10.5)


def test_what_broke_everywhere_scores_nothing():
    found = figures(compare(BEFORE, evaluation([broken(number) for number in range(20)], EDITED)))
    assert found["acc"].edited.value == 0.0
    assert found["acc"].change.value == pytest.approx(-0.75)


def test_a_call_that_failed_is_left_out_of_both_sides():
    rows = [row(number, None, None, "the server is away") if number < 5 else row(number, 1.0) for number in range(20)]
    found = figures(compare(BEFORE, evaluation(rows, EDITED)))["acc"]
    assert (found.edited.value, found.edited.n, found.missing, found.broken) == (1.0, 15, (0, 5), (0, 0))
    assert (found.change.value, found.change.n) == (pytest.approx(5 / 15), 15)
    assert found.untouched.n == 20


def test_without_an_edit_there_is_one_side():
    found = compare(BEFORE)
    assert (found.label, found.figures[0].edited, found.figures[0].change) == (None, None, None)
    assert found.left_out == {"sums": ("f1",)}


@pytest.mark.parametrize(
    "other",
    [
        replace(BEFORE, asked=replace(ASKED, limit=5)),
        replace(BEFORE, fingerprint="g"),
        replace(BEFORE, version="0.5"),
        replace(BEFORE, rows=BEFORE.rows[1:]),
        replace(BEFORE, rows=(replace(BEFORE.rows[0], document="another"), *BEFORE.rows[1:])),
    ],
)
def test_what_is_not_alike_is_not_compared(other):
    with pytest.raises(MismatchError, match="the same"):
        compare(BEFORE, other)


def test_figures_of_logarithms_become_means_and_others_are_left_out():
    metrics = {
        "acc": True,
        "f1": (1, 0),
        "perplexity": -2.5,
        "word_perplexity": (-12.0, 4),
        "bits_per_byte": (-8.0 * math.log(2), 4),
        "byte_perplexity": (-3.0, 0),
    }
    values, left_out = values_of(metrics)
    assert values == {
        "acc": 1.0,
        "log_perplexity": 2.5,
        "log_word_perplexity": 3.0,
        "bits_per_byte": pytest.approx(2.0),
        "log_byte_perplexity": None,
    }
    assert left_out == ["f1"]


def test_an_evaluation_is_kept_as_it_is(tmp_path):
    found = evaluation([row(0, 1.0), broken(1)], EDITED)
    write_text(tmp_path / "edited.json", to_json(found))
    assert read_json(tmp_path / "edited.json", Evaluation) == found
