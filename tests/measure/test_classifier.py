"""The classifier learns poles, is assessed on topics that it has not seen, and says how sure it is."""

import hashlib
import math

import numpy as np
import pytest

from temperament.errors import InstallError, RequestError, UnknownNameError
from temperament.measure.classifier import Card, check_learned, fit_classifier, trait_probabilities, unique_answers
from temperament.measure.embedder import load_embedder
from temperament.measure.linear import fit_pole_model, grouped_folds
from temperament.opinion.row import Opinion, Opinions
from temperament.record import read_json, to_json
from temperament.trait import Target, Trait, every_target, register

HIDDEN = 64
EVERY_TARGET = every_target()
LABELS = tuple(str(target) for target in EVERY_TARGET)


class BagOfWords:
    """A scripted embedder: each word has a direction."""

    def __init__(self):
        self.calls = []

    def __call__(self, texts):
        self.calls.append(list(texts))
        rows = np.array([sum((direction(word) for word in text.lower().split()), np.zeros(HIDDEN)) for text in texts])
        return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def direction(word):
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
    return np.random.default_rng(seed).normal(size=HIDDEN)


def opinion(target, topic, answer, split="measure"):
    return Opinion(target.trait, target.pole, "", topic, f"What about {topic}?", answer, split, "test")


def written(topics, split="measure", *, signal=True, words_of_pole=6):
    """Answers of topic words, chance words, and words of the pole where there is a signal."""
    random = np.random.default_rng(len(topics))
    rows = []
    for topic in topics:
        for target in EVERY_TARGET:
            for _ in range(2):
                shown = target if signal else EVERY_TARGET[random.integers(10)]
                own = [f"{shown.trait[:4]}{shown.pole}{random.integers(4)}" for _ in range(words_of_pole)]
                noise = [f"word{random.integers(60)}" for _ in range(6)]
                rows.append(opinion(target, topic, " ".join([topic.replace(" ", ""), *own, *noise]), split))
    return rows


MEASURE = written([f"topic {number}" for number in range(8)])
TEST = written([f"other {number}" for number in range(4)], "test")


@pytest.fixture(scope="module")
def classifier():
    return fit_classifier(Opinions([*MEASURE, *TEST]), BagOfWords())


def test_texts_of_a_pole_are_most_probably_that_pole(classifier):
    found = classifier.probabilities(["extrhigh0 extrhigh1 extrhigh2 extrhigh3", "neurlow0 neurlow1 neurlow2 neurlow3"])
    assert [LABELS[best] for best in found.argmax(axis=1)] == ["extraversion:high", "neuroticism:low"]


def test_probabilities_are_of_all_poles_and_sum_to_one(classifier):
    found = classifier.probabilities(["word1 word2", "", "openhigh1"])
    assert found.shape == (3, 10)
    assert found.sum(axis=1) == pytest.approx(np.ones(3))
    assert classifier.probabilities([]).shape == (0, 10)


def test_a_trait_is_the_sum_of_its_poles():
    found = np.array([[0.1, 0.2, 0.3, 0.0, 0.05, 0.05, 0.1, 0.1, 0.06, 0.04]])
    assert trait_probabilities(found, LABELS)[0] == pytest.approx([0.3, 0.3, 0.1, 0.2, 0.1])


def test_a_text_is_embedded_once():
    embedder = BagOfWords()
    classifier = fit_classifier(Opinions(MEASURE), embedder)
    before = len(embedder.calls)
    first = classifier.probabilities(["a b", "c", "a b"])
    assert embedder.calls[before:] == [["a b", "c"]]
    assert classifier.probabilities(["c", "a b"]) == pytest.approx(first[[1, 0]])
    assert len(embedder.calls) == before + 1


def test_equal_answers_under_several_questions_are_learned_once():
    target = EVERY_TARGET[0]
    rows = [opinion(target, "tea", "Yes."), opinion(target, "tea", "No."), opinion(target, "tea", "Yes.")]
    assert unique_answers(rows) == tuple(rows[:2])


def test_other_splits_are_not_learned_from(classifier):
    assert {row.split for row in classifier.learned} == {"measure"}
    alone = fit_classifier(Opinions(MEASURE), BagOfWords())
    texts = ["openlow1 word3", "word9 agrehigh2"]
    assert alone.probabilities(texts) == pytest.approx(classifier.probabilities(texts))


def test_the_card_tells_signal_from_chance(classifier):
    (crossed,) = classifier.card().assessments
    (held_out,) = classifier.card(Opinions([*MEASURE, *TEST])).assessments
    assert (crossed.rows, held_out.rows) == ("measure, by cross-validation", "test")
    assert (crossed.answers, crossed.topics) == (160, 8)
    assert (held_out.answers, held_out.topics) == (80, 4)
    assert crossed.poles.value > 0.8
    assert crossed.traits.value >= crossed.poles.value
    assert held_out.poles.value > 0.9
    assert crossed.poles.lower > 0.2
    assert held_out.log_loss < math.log(10)

    noise = fit_classifier(Opinions(written([f"topic {n}" for n in range(8)], signal=False)), BagOfWords()).card()
    assert noise.assessments[0].poles.lower < 0.1 < noise.assessments[0].poles.upper
    assert noise.assessments[0].traits.lower < 0.2 < noise.assessments[0].traits.upper


def test_confusion_and_recognition_count_the_same_answers(classifier):
    crossed = classifier.card().assessments[0]
    assert sum(crossed.confusion[label][label] for label in LABELS) == round(crossed.poles.value * crossed.answers)
    for label in LABELS:
        row = crossed.confusion[label]
        assert sum(row.values()) == crossed.by_pole[label].n == 16
        assert row[label] / 16 == pytest.approx(crossed.by_pole[label].value)


def test_held_out_rows_on_learned_topics_are_left_out(classifier):
    leaked = [opinion(row.target, row.topic, row.answer, "test") for row in MEASURE]
    card = classifier.card(Opinions([*leaked, *TEST]))
    assert [(found.rows, found.answers) for found in card.assessments] == [("test", 80)]
    (crossed,) = classifier.card(Opinions(leaked)).assessments
    assert crossed.rows == "measure, by cross-validation"


def test_what_only_answers_on_one_topic_share_is_not_recognised():
    """A word for each pole on each topic: folds over answers would score nearly all, folds over topics chance."""
    rows = [
        opinion(target, f"topic {number}", f"{target.trait}{target.pole}{number} " * 6 + f"word{again}")
        for number in range(10)
        for target in EVERY_TARGET
        for again in range(2)
    ]
    (found,) = fit_classifier(Opinions(rows), BagOfWords()).card().assessments
    assert found.poles.value < 0.25


def test_certainty_is_calibrated():
    rows = written([f"topic {number}" for number in range(12)], words_of_pole=1)
    crossed = fit_classifier(Opinions(rows), BagOfWords()).card().assessments[0]
    assert 0.2 < crossed.poles.value < 0.95
    assert crossed.calibration_error < 0.15


def test_no_topic_is_on_both_sides_of_a_fold():
    topics = [f"topic {number % 7}" for number in range(50)]
    left_out_rows = []
    for rest, left_out in grouped_folds(topics, 5, seed=3):
        assert not {topics[row] for row in rest} & {topics[row] for row in left_out}
        left_out_rows += left_out.tolist()
    assert sorted(left_out_rows) == list(range(50))


def test_words_are_used_where_the_embedding_is_blind():
    texts = [row.answer for row in MEASURE]
    shown = np.array([LABELS.index(str(row.target)) for row in MEASURE])
    topics = [row.topic for row in MEASURE]
    blind = np.tile(np.float32([1, 0]), (len(texts), 1))
    assert fit_pole_model(texts, blind, shown, topics, 0).design.word_weight == 1
    random = np.random.default_rng(0)
    noise = [" ".join(f"word{random.integers(60)}" for _ in range(12)) for _ in texts]
    telling = np.eye(10, dtype=np.float32)[shown]
    assert fit_pole_model(noise, telling, shown, topics, 0).design.word_weight == 0


def test_the_card_is_json(classifier, tmp_path):
    card = classifier.card()
    path = tmp_path / "classifier.json"
    path.write_text(to_json(card))
    assert read_json(path, Card) == card
    assert card.chance_poles == pytest.approx(0.1)
    assert card.chance_traits == pytest.approx(0.2)
    assert card.embedder == "BagOfWords"


def test_opinions_of_high_poles_alone_make_a_classifier_of_five_poles():
    rows = [row for row in MEASURE if row.pole == "high"]
    classifier = fit_classifier(Opinions(rows), BagOfWords())
    assert classifier.labels == tuple(str(target) for target in EVERY_TARGET if target.pole == "high")
    assert len(classifier.traits) == 5
    assert classifier.probabilities(["openlow1 openlow2"]).shape == (1, 5)
    assert classifier.card().chance_poles == pytest.approx(0.2)


@pytest.fixture
def playful_rows():
    """Rows of a trait that a user defined; their words are 'playlow0' and the like."""
    register(Trait("playfulness", "earnest", "playful"))

    def rows(topics, split="measure"):
        random = np.random.default_rng(1)
        return [
            opinion(target, topic, " ".join(f"play{target.pole}{random.integers(4)}" for _ in range(6)), split)
            for topic in topics
            for target in (Target("playfulness", "high"), Target("playfulness", "low"))
            for _ in range(2)
        ]

    return rows


def test_one_trait_of_ones_own_makes_a_classifier_of_two_poles(playful_rows):
    rows = playful_rows([f"topic {number}" for number in range(6)])
    classifier = fit_classifier(Opinions(rows), BagOfWords())
    assert classifier.labels == ("playfulness:low", "playfulness:high")
    assert classifier.traits == ("playfulness",)
    found = classifier.probabilities(["playlow0 playlow1 playlow2", "playhigh0 playhigh1"])
    assert found.argmax(axis=1).tolist() == [0, 1]
    card = classifier.card()
    assert (card.chance_poles, card.chance_traits) == (0.5, 1.0)
    assert card.assessments[0].traits.value == 1.0
    assert card.assessments[0].confusion.keys() == set(classifier.labels)


def test_a_trait_of_ones_own_comes_after_the_five(playful_rows):
    rows = [*playful_rows([f"topic {number}" for number in range(8)]), *MEASURE]
    classifier = fit_classifier(Opinions(rows), BagOfWords())
    assert classifier.labels == (*LABELS, "playfulness:low", "playfulness:high")
    assert classifier.traits[5:] == ("playfulness",)
    texts = ["playlow0 playlow1 playlow2", "extrhigh0 extrhigh1 extrhigh2"]
    assert [classifier.labels[best] for best in classifier.probabilities(texts).argmax(axis=1)] == [
        "playfulness:low",
        "extraversion:high",
    ]
    crossed = classifier.card().assessments[0]
    assert crossed.answers == 192
    assert crossed.by_trait["playfulness"].n == 32
    assert crossed.by_trait["playfulness"].value > 0.8
    assert list(crossed.confusion["playfulness:high"]) == list(classifier.labels)
    assert classifier.card().chance_poles == pytest.approx(1 / 12)


def test_a_trait_with_one_pole_learned_is_a_trait_of_one_pole():
    assert trait_probabilities(np.array([[0.2, 0.3, 0.5]]), ("a:high", "b:low", "b:high"))[0] == pytest.approx(
        [0.2, 0.8]
    )


def test_held_out_rows_of_poles_that_were_not_learned_are_left_out(playful_rows):
    classifier = fit_classifier(Opinions(playful_rows([f"topic {number}" for number in range(6)])), BagOfWords())
    (found,) = classifier.card(Opinions([*TEST, *playful_rows(["elsewhere"], "test")])).assessments
    assert (found.rows, found.answers) == ("test", 4)


def test_the_splits_that_are_learned_from_can_be_chosen():
    both = fit_classifier(Opinions([*MEASURE, *TEST]), BagOfWords(), splits=("measure", "test"))
    assert len(both.learned) == 240
    card = both.card(Opinions([*MEASURE, *TEST]))
    assert card.learned_from == "unique answers of the splits 'measure' and 'test'"
    assert [found.rows for found in card.assessments] == ["measure and test, by cross-validation"]
    with pytest.raises(RequestError, match=r"in the split 'validation': .* have 0 and 0"):
        fit_classifier(Opinions(MEASURE), BagOfWords(), splits=("validation",))


def test_a_target_that_was_not_learned_is_refused_with_what_to_add(playful_rows):
    check_learned(Target("openness"), LABELS)
    with pytest.raises(
        RequestError, match=r"no answer to learn it from.*add answers that show playfulness:high to the"
    ):
        check_learned(Target("playfulness"), LABELS)


def test_too_few_topics_or_poles_are_refused():
    with pytest.raises(RequestError, match="at least 4 topics and 2 poles"):
        fit_classifier(Opinions(TEST), BagOfWords())
    with pytest.raises(RequestError, match="have 8 and 1"):
        fit_classifier(Opinions([row for row in MEASURE if row.target == EVERY_TARGET[0]]), BagOfWords())


def test_embedders_that_do_not_exist_are_refused(monkeypatch):
    with pytest.raises(UnknownNameError, match="built-in model 'minilm2'"):
        load_embedder("builtin:minilm2")


@pytest.mark.model
def test_an_embedder_that_cannot_be_loaded_names_what_can_be_done(tmp_path):
    with pytest.raises(InstallError, match="cannot be loaded"):
        load_embedder(str(tmp_path / "nothing"))
