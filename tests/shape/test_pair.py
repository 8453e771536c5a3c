"""Answers of both poles meet by their question."""

import pytest

from temperament.errors import RequestError
from temperament.opinion.row import Opinion, Opinions
from temperament.shape.pair import drawn, pairs_of
from temperament.trait import Target

HIGH, LOW = Target("extraversion", "high"), Target("extraversion", "low")


def row(target, topic, question, answer):
    return Opinion(target.trait, target.pole, "", topic, question, answer, "shape", "test")


def said(pairs):
    return [(pair.shown.answer, pair.other.answer) for pair in pairs]


def test_answers_to_one_question_meet_each_pair_of_answers_once():
    opinions = Opinions(
        [
            row(LOW, "tea", "How is tea?", "alone"),
            row(HIGH, "tea", "And tea?", "together"),
            row(HIGH, "tea", "How is tea?", "together"),
            row(LOW, "tea", "And tea?", "alone"),
            row(HIGH, "rain", "And rain?", "dance"),
            row(LOW, "rain", "And rain?", "read"),
            row(Target("openness"), "tea", "And tea?", "new"),
        ]
    )
    assert said(pairs_of(opinions, HIGH)) == [("together", "alone"), ("dance", "read")]
    assert said(pairs_of(opinions, LOW)) == [("alone", "together"), ("read", "dance")]
    assert [pair.topic for pair in pairs_of(opinions, HIGH)] == ["tea", "rain"]


def test_where_poles_share_no_question_they_meet_on_the_topic():
    opinions = Opinions([row(HIGH, "The teas", "How is tea?", "together"), row(LOW, "tea", "And tea?", "alone")])
    assert said(pairs_of(opinions, HIGH)) == [("together", "alone")]


def test_a_pole_that_no_row_shows_is_an_error():
    opinions = Opinions([row(HIGH, "tea", "How is tea?", "together")])
    with pytest.raises(RequestError, match="shows extraversion:low: give opinions that do"):
        pairs_of(opinions, HIGH)


def test_no_topic_is_drawn_twice_before_all_are_drawn_once():
    topics = ("tea", "rain", "soup")
    opinions = Opinions(
        row(target, topic, f"Question {number} about {topic}?", f"{target.pole} {number} {topic}")
        for target in (HIGH, LOW)
        for topic in topics
        for number in range(3)
    )
    pairs = pairs_of(opinions, HIGH)
    assert len(pairs) == 9
    assert {pair.topic for pair in drawn(pairs, 3, 0)} == set(topics)
    assert len(drawn(pairs, 100, 0)) == 9
    assert len({tuple(said(drawn(pairs, 4, seed))) for seed in range(8)}) > 1
