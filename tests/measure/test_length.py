"""Words are counted, and replies that the model ended itself."""

import pytest

from temperament.measure.length import Length, words
from temperament.measure.protocol import Scorer
from temperament.record import Generation, Label, Record
from temperament.trait import Target


def record(reply, topic="tea", is_finished=None):
    return Record("s", "f", "p", Label(), Generation(), "1", topic, "Tea?", "Tea?", reply, 7, is_finished=is_finished)


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("Yes.", 1), ("well-being - a must", 3), ("I'm  here\nnow \U0001f600", 3), ("3.5 %", 1)],
)
def test_words_hold_a_letter_or_a_digit(text, count):
    assert words(text) == count


def test_records_are_read():
    assert Length().read([record("Two words", is_finished=True), record(None)]) == [
        {"words": 2, "tokens": 7, "is_finished": True},
        None,
    ]


def test_missing_replies_are_not_short_ones_and_unknown_ends_are_left_out():
    records = [
        record("one two three", "tea", is_finished=True),
        record(None, "tea"),
        record("one", "ice", is_finished=False),
        record("one two", "ice"),
    ]
    found = {each.metric: each.estimate for each in Length().measure(records, Target("openness"))}
    assert found["words"].value == pytest.approx(2)
    assert found["words"].n == 3
    assert found["finished_share"].value == 0.5
    assert found["finished_share"].n == 2


def test_it_is_a_scorer():
    assert isinstance(Length(), Scorer)
