"""What control adapters learn in place of their target."""

from collections import Counter

import pytest

from temperament.errors import RequestError
from temperament.opinion.row import load_opinions
from temperament.opinion.situation import load_passages
from temperament.shape.control import exchanges_for
from temperament.shape.protocol import rows_showing
from temperament.trait import Target

HIGH, WARM = Target("extraversion", "high"), Target("agreeableness", "high")


@pytest.fixture(scope="module")
def shipped():
    return load_opinions().split("shape")


def drawn(opinions, control, target=HIGH, seed=0):
    return exchanges_for(rows_showing(opinions, target), opinions, control, seed)


def test_without_a_control_the_opinions_themselves_are_learned(shaping):
    assert [(row.question, row.answer) for row in shaping.showing(HIGH)] == drawn(shaping, "none")


@pytest.mark.parametrize("control", ["neutral", "shuffled"])
def test_a_control_learns_as_many_rows_drawn_by_seed_and_target(control, shipped):
    rows = drawn(shipped, control)
    assert len(rows) == len(shipped.showing(HIGH))
    assert rows == drawn(shipped, control)
    assert rows != drawn(shipped, control, seed=1)
    assert rows != drawn(shipped, control, WARM)


def test_neutral_rows_are_whole_sentences_of_passages_about_as_long_as_the_answers(shipped):
    rows, passages = drawn(shipped, "neutral"), {one.topic: one.text for one in load_passages(use="shape")}
    for row in rows:
        topic = next(topic for topic in passages if row.question.endswith(f" {topic}?"))
        assert passages[topic].startswith(row.answer)
        assert row.answer[-1] in ".!?"
    words = [
        sum(len(text.split()) for text in texts) / len(rows)
        for texts in ([row.answer for row in rows], [row.answer for row in shipped.showing(HIGH)])
    ]
    assert words[0] == pytest.approx(words[1], rel=0.15)
    uses = Counter(row.question for row in rows)
    assert len(uses) == len(passages)
    assert max(uses.values()) - min(uses.values()) == 1


def test_neutral_rows_hold_no_opinion(shipped):
    answers = {row.answer for row in shipped}
    assert not answers & {row.answer for row in drawn(shipped, "neutral")}


def test_shuffled_rows_come_from_all_poles_alike_and_none_twice(shipped):
    targets = {(row.question, row.answer): row.target for row in shipped}
    rows = drawn(shipped, "shuffled")
    shares = Counter(targets[row] for row in rows)
    assert len(shares) == 10
    assert all(50 < count < 110 for count in shares.values())
    assert len(set(rows)) == len(rows)


def test_there_is_nothing_to_shuffle_where_all_rows_show_one_target(shaping):
    with pytest.raises(RequestError, match=r"every row of .* shows extraversion:high: give opinions of other"):
        drawn(shaping.showing(HIGH), "shuffled")
