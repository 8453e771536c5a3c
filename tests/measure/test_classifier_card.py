"""The card: bins of certainty, what is sure, texts without a trait, and what emojis alone change."""

import numpy as np
import pytest

from temperament.measure.card import (
    ADDED_TO,
    REMOVED_FROM,
    Card,
    assess,
    behaviours,
    calibration,
    calibration_error,
    emoji_effect,
    emoji_variants,
)
from temperament.measure.classifier import fit_classifier
from temperament.measure.emoji import emojis
from temperament.measure.traitless import FIRST_SENTENCES, PASSAGES, PORTRAITS, QUESTIONS, Traitless
from temperament.opinion.row import Opinion, Opinions
from temperament.opinion.situation import load_passages
from temperament.record import read_json, to_json
from temperament.subject.embedding import count_words
from temperament.trait import Target

LABELS = ("openness:low", "openness:high", "extraversion:low", "extraversion:high")


def opinion(label, topic="tea", answer="Yes.", split="test"):
    target = Target.parse(label)
    return Opinion(target.trait, target.pole, "", topic, "Q?", answer, split, "me")


def rows_of(certainties):
    found = np.full((len(certainties), 4), 0.0)
    for row, certainty in enumerate(certainties):
        found[row] = (1 - certainty) / 3
        found[row, 0] = certainty
    return found


def test_a_bin_says_how_certain_it_was_and_how_often_it_was_right():
    bins = calibration(np.array([0.62, 0.68, 0.95, 1.0]), np.array([True, False, True, True]), ["a", "b", "c", "d"])
    assert len(bins) == 10
    assert sum(one.answers for one in bins) == 4
    assert (bins[6].lower, bins[6].upper, bins[6].answers) == (0.6, 0.7, 2)
    assert bins[6].certainty == pytest.approx(0.65)
    assert bins[6].right.value == 0.5
    assert (bins[9].answers, bins[9].right.value) == (2, 1.0)
    assert bins[0].certainty is None
    assert bins[0].right.value is None
    assert calibration_error(bins) == pytest.approx((2 * abs(0.5 - 0.65) + 2 * (1 - 0.975)) / 4)


def test_accuracy_where_it_is_sure_counts_those_alone():
    rows = [opinion(LABELS[0], f"t{n}") for n in range(3)] + [opinion(LABELS[3], "t3")]
    found = rows_of([0.7] * 4)
    plain = assess("test", rows, LABELS, found)
    assert (plain.poles.value, plain.sure, plain.poles_sure) == (0.75, None, None)
    unsure = assess("test", rows, LABELS, found, np.array([True, False, False, True]))
    assert unsure.poles == plain.poles
    assert unsure.confusion == plain.confusion
    assert unsure.sure.value == 0.5
    assert (unsure.poles_sure.value, unsure.poles_sure.n) == (1.0, 2)
    assert unsure.sure_by_pole[LABELS[0]].value == pytest.approx(2 / 3)
    assert unsure.sure_by_pole[LABELS[3]].value == 0.0


def test_what_texts_without_a_trait_read_as_is_counted_where_it_is_sure():
    texts = [Traitless("salad", f"t{n}", "x") for n in range(4)] + [Traitless("facts", "f", "x")]
    found = rows_of([0.7, 0.7, 0.1, 0.7, 0.4])
    unsure = np.array([True, False, False, False, True])
    salad, facts = behaviours(texts, LABELS, found, unsure, learned=("salad",))
    assert (salad.texts, salad.is_learned, salad.unsure.value) == ("salad", True, 0.25)
    assert salad.read_as == {"openness:low": 2, "openness:high": 1}
    assert salad.certainty.value == pytest.approx((0.7 * 3 + 0.3) / 4)
    assert (facts.is_learned, facts.unsure.value, facts.read_as, facts.unsure_of_new) == (False, 1.0, {}, None)


def test_a_reading_changes_with_the_pole_or_with_doubt():
    before = rows_of([0.7, 0.7, 0.7, 0.7]), np.array([False, False, True, True])
    after = rows_of([0.7, 0.1, 0.1, 0.7]), np.array([False, False, True, False])
    found = emoji_effect("x", ["a", "b", "c", "d"], before, after)
    assert found.changed_pole.value == 0.5
    # The second reads as another pole, the fourth is no longer unsure; the third was and stays unsure.
    assert found.changed.value == 0.5
    assert (found.unsure_before.value, found.unsure_after.value) == (0.5, 0.25)


def test_an_emoji_is_added_to_every_answer_and_taken_from_those_that_have_one():
    plain, gay = opinion(LABELS[0], answer="Tea."), opinion(LABELS[1], answer="Tea! \U0001f389")
    found = emoji_variants([plain, gay])
    assert [row for row, _ in found[ADDED_TO]] == [plain, gay]
    assert all(text.startswith(row.answer) for row, text in found[ADDED_TO])
    assert [len(emojis(text)) for _, text in found[ADDED_TO]] == [1, 2]
    assert found[REMOVED_FROM] == [(gay, "Tea!")]


SAYINGS = {
    "extraversion:high": "come over to {} everybody loud crowd party dance number {}",
    "extraversion:low": "alone with {} at home quiet book window silence number {}",
}


def said(split, topics):
    return [
        opinion(label, topic, saying.format(topic, number), split)
        for topic in topics
        for label, saying in SAYINGS.items()
        for number in range(4)
    ]


@pytest.fixture(scope="module")
def fitted():
    learned = said("measure", [f"place{number}" for number in range(12)])
    asked = said("test", [f"spot{number}" for number in range(6)])
    return fit_classifier(Opinions([*learned, *asked]), count_words, coverage=0.9), Opinions(asked)


def test_a_classifier_with_a_coverage_is_unsure_of_neutral_passages_and_not_of_answers(fitted):
    classifier, asked = fitted
    card = classifier.card(asked)
    assert (card.coverage, card.bound) == (0.9, classifier.doubt.bound)
    by_kind = {one.texts: one for one in card.traitless}
    # A count of words knows few of them, and of first sentences fewer.
    assert by_kind[PASSAGES].unsure.value > 0.6
    assert by_kind[PASSAGES].is_learned
    assert by_kind[PASSAGES].unsure_of_new.n == 330
    assert not by_kind[QUESTIONS].is_learned
    assert by_kind[QUESTIONS].unsure_of_new is None
    test, sentences, portraits = card.assessments
    assert (sentences.rows, portraits.rows) == (FIRST_SENTENCES, PORTRAITS)
    assert portraits.answers == 12
    assert test.sure.value > 0.5
    assert test.poles_sure.value == 1.0
    assert [one.texts for one in card.emoji] == [ADDED_TO, REMOVED_FROM]
    # These answers have no emojis, so that nothing is known of removing them; a word count sees no emoji added.
    assert card.emoji[1].changed.value is None
    assert card.emoji[0].changed.value == 0.0


def test_doubt_leaves_the_probabilities_as_they_are(fitted):
    classifier, _ = fitted
    learned = Opinions(classifier.learned)
    never = fit_classifier(learned, count_words)
    passages = [passage.text for passage in load_passages(use="measure")[:2]]
    texts = ["come over loud party dance crowd", *passages]
    assert never.unsure(texts) is None
    assert never.probabilities(texts) == pytest.approx(classifier.probabilities(texts))
    assert classifier.probabilities(texts).sum(axis=1) == pytest.approx(np.ones(3))
    assert classifier.unsure(texts).tolist() == [False, True, True]
    assert classifier.unsure([]).shape == (0,)
    assert never.card().traitless == ()


def test_the_card_with_doubt_is_json(fitted, tmp_path):
    classifier, asked = fitted
    card = classifier.card(asked)
    path = tmp_path / "classifier.json"
    path.write_text(to_json(card))
    assert read_json(path, Card) == card
