"""Alignment is the share of replies in which the classifier sees the target, with and without emojis."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from temperament.errors import RequestError
from temperament.measure import alignment as module
from temperament.measure.alignment import DoubtfulReader, TraitAlignment, alignment, log_probability, tpei
from temperament.measure.classifier import TraitClassifier
from temperament.measure.protocol import Scorer
from temperament.record import Generation, Label, Record
from temperament.subject.base import Reply
from temperament.trait import Target, Trait, every_target, register

PARTY = "\U0001f389"
LABELS = tuple(str(target) for target in every_target())


class ScriptedClassifier:
    """Sees the pole that a text names, and extraversion in every party emoji."""

    labels = LABELS

    def __init__(self):
        self.calls = 0

    def probabilities(self, texts):
        self.calls += 1
        return np.array([self._row(text) for text in texts])

    def _row(self, text):
        named = "extraversion:high" if PARTY in text else next((each for each in LABELS if each in text), LABELS[0])
        row = np.full(10, 0.02)
        row[LABELS.index(named)] = 0.82
        if "torn" in text:
            # The most probable pole is openness:high, the most probable trait neuroticism.
            row = np.array([0.0, 0.4, 0, 0, 0, 0, 0, 0, 0.3, 0.3])
        return row


class HonestClassifier(ScriptedClassifier):
    """Is unsure of gibberish, and of an owl."""

    def unsure(self, texts):
        return np.array(["blah" in text or "\U0001f989" in text for text in texts], np.bool_)


class FittedClassifier(ScriptedClassifier, TraitClassifier):
    """Says what the scripted one says, where the fitted one is expected."""


def record(reply, topic="tea"):
    return Record("s", "f", "p", Label(), Generation(), "1", topic, "Tea?", "Tea?", reply)


@pytest.fixture
def scorer():
    return TraitAlignment(ScriptedClassifier())


def values(measurements):
    return {
        (each.metric, each.measured_trait, each.measured_pole): (each.estimate.value, each.estimate.n)
        for each in measurements
    }


def test_scores_of_a_record_name_the_pole_the_trait_and_the_view_without_emojis(scorer):
    scores = scorer.read([record(f"agreeableness:low {PARTY}"), record(None), record("torn")])
    assert scores[0]["label"] == "extraversion:high"
    assert scores[0]["trait"] == "extraversion"
    assert scores[0]["probability"] == pytest.approx(0.82)
    assert scores[0]["label_without_emoji"] == "agreeableness:low"
    assert scores[0]["trait_without_emoji"] == "agreeableness"
    assert sum(scores[0]["probabilities"].values()) == pytest.approx(1)
    assert scores[1] is None
    assert (scores[2]["label"], scores[2]["trait"]) == ("openness:high", "neuroticism")


def test_alignment_is_the_share_that_shows_the_target_and_its_pole(scorer):
    records = [
        record("extraversion:high", "tea"),
        record("extraversion:low", "tea"),
        record(f"openness:low {PARTY}", "rain"),
        record("openness:low", "rain"),
        record(None, "rain"),
    ]
    found = values(scorer.measure(records, Target("extraversion", "high")))
    assert found["trait_alignment", None, None] == (0.5, 4)
    assert found["trait_alignment_5", None, None] == (0.75, 4)
    assert found["trait_alignment_without_emoji", None, None] == (0.25, 4)
    assert found["trait_alignment_5_without_emoji", None, None] == (0.5, 4)
    low = values(scorer.measure(records, Target("extraversion", "low")))
    assert low["trait_alignment", None, None] == (0.25, 4)


def test_shares_of_all_poles_and_traits_are_given_and_sum_to_one(scorer):
    records = [record(label, topic) for label in LABELS[:4] for topic in ("tea", "rain")]
    found = values(scorer.measure(records, Target("openness", "low")))
    poles = {key: value for key, (value, _) in found.items() if key[0] == "pole_share"}
    traits = {key: value for key, (value, _) in found.items() if key[0] == "trait_share"}
    assert len(poles) == 10
    assert len(traits) == 5
    assert sum(poles.values()) == pytest.approx(1)
    assert poles["pole_share", "conscientiousness", "high"] == 0.25
    assert traits["trait_share", "conscientiousness", None] == 0.5


def test_a_reply_of_which_the_classifier_is_unsure_is_not_aligned_and_counts():
    records = [
        record("openness:high", "tea"),
        record("openness:high blah blah", "rain"),
        record("openness:high \U0001f989", "buses"),
        record("openness:low", "trains"),
    ]
    honest = TraitAlignment(HonestClassifier())
    scores = honest.read(records)
    assert [score["label"] for score in scores] == ["openness:high", "unsure", "unsure", "openness:low"]
    assert [score["trait"] for score in scores] == ["openness", "unsure", "unsure", "openness"]
    assert [score["most_probable"] for score in scores] == ["openness:high"] * 3 + ["openness:low"]
    assert scores[2]["label_without_emoji"] == "openness:high"
    assert sum(scores[1]["probabilities"].values()) == pytest.approx(1)
    found = values(honest.measure(records, Target("openness", "high")))
    assert found["trait_alignment", None, None] == (0.25, 4)
    assert found["trait_alignment_5", None, None] == (0.5, 4)
    assert found["trait_alignment_without_emoji", None, None] == (0.5, 4)
    assert found["unsure_share", None, None] == (0.5, 4)
    assert found["trait_alignment_forced", None, None] == (0.75, 4)
    assert found["pole_share", "openness", "high"] == (0.25, 4)
    assert sum(value for key, (value, _) in found.items() if key[0] in {"pole_share", "unsure_share"}) == 1
    assert sum(value for key, (value, _) in found.items() if key[0] in {"trait_share", "unsure_share"}) == 1


def test_a_forced_choice_reads_every_reply_as_its_most_probable_pole():
    records = [record("openness:high", "tea"), record("openness:high blah", "rain")]
    forced = TraitAlignment(HonestClassifier(), is_forced=True)
    assert [score["label"] for score in forced.read(records)] == ["openness:high"] * 2
    found = values(forced.measure(records, Target("openness", "high")))
    assert found["trait_alignment", None, None] == (1.0, 2)
    assert ("unsure_share", None, None) not in found
    replies = [each.reply for each in records]
    assert alignment(replies, Target("openness"), HonestClassifier()).value == 0.5
    assert alignment(replies, Target("openness"), HonestClassifier(), is_forced=True).value == 1.0


def test_a_reader_that_cannot_be_unsure_has_no_share_of_it(scorer):
    assert not isinstance(scorer.classifier, DoubtfulReader)
    assert isinstance(HonestClassifier(), DoubtfulReader)
    found = values(scorer.measure([record("blah")], Target("openness")))
    assert ("unsure_share", None, None) not in found


def test_the_index_rises_where_replies_move_towards_the_target(scorer):
    before = scorer.read([record("openness:low", "tea"), record("openness:high", "rain"), record(None, "buses")])
    after = scorer.read([record("openness:high", "tea"), record("openness:high", "rain"), record("x", "buses")])
    high, low = Target("openness", "high"), Target("openness", "low")
    found = tpei(before, after, high, ["tea", "rain", "buses"])
    assert found.value == pytest.approx(math.log(0.82 / 0.02) / 2)
    assert found.n == 2
    assert tpei(after, before, high).value == pytest.approx(-found.value)
    assert tpei(before, after, low).value == pytest.approx(-found.value)
    assert tpei(before, before, high).value == 0


def test_a_pole_that_is_certainly_absent_costs_no_more_than_one_in_a_million(scorer):
    (torn,) = scorer.read([record("torn")])
    assert torn["probabilities"]["openness:low"] == 0
    assert log_probability(torn, Target("openness", "low")) == pytest.approx(math.log(1e-6))
    assert log_probability(torn, Target("openness", "high")) == pytest.approx(math.log(0.4))
    assert log_probability(None, Target("openness")) is None
    assert log_probability(scorer.read([record(" ")])[0], Target("openness")) is None


def test_the_index_is_refused_where_nothing_can_be_paired(scorer):
    scores = scorer.read([record("x"), record("y")])
    with pytest.raises(RequestError, match="scores of 2 items before and of 1 after"):
        tpei(scores, scores[:1], Target("openness"))
    register(Trait("luck", "unlucky", "lucky"))
    with pytest.raises(RequestError, match="luck:high was to be measured"):
        tpei(scores, scores, Target("luck"))


class LuckClassifier:
    """Knows one trait of a user's own."""

    labels = ("luck:low", "luck:high")

    def probabilities(self, texts):
        return np.array([[0.1, 0.9] if "win" in text else [0.7, 0.3] for text in texts])


def test_the_poles_are_those_that_the_classifier_knows():
    register(Trait("luck", "unlucky", "lucky"))
    scorer = TraitAlignment(LuckClassifier())
    records = [record("I win", "tea"), record("I win", "rain"), record("I lose", "tea")]
    assert scorer.read(records)[2]["probabilities"] == {"luck:low": 0.7, "luck:high": 0.3}
    found = values(scorer.measure(records, Target("luck", "low")))
    assert found["trait_alignment", None, None] == (pytest.approx(1 / 3), 3)
    assert found["trait_alignment_5", None, None] == (1.0, 3)
    assert {key for key in found if key[0] == "pole_share"} == {
        ("pole_share", "luck", "low"),
        ("pole_share", "luck", "high"),
    }
    assert [key for key in found if key[0] == "trait_share"] == [("trait_share", "luck", None)]
    assert alignment(["I win", "I lose"], Target("luck"), LuckClassifier()).value == 0.5


def test_a_target_that_the_classifier_does_not_know_is_refused_and_not_0():
    with pytest.raises(RequestError, match="openness:high was to be measured"):
        TraitAlignment(LuckClassifier()).measure([record("I win")], Target("openness"))
    with pytest.raises(RequestError, match="openness:high was to be measured"):
        alignment(["I win"], Target("openness"), LuckClassifier())


def test_a_reply_of_emojis_alone_is_unscored_without_them(scorer):
    found = values(
        scorer.measure([record(PARTY, "a"), record(f"openness:low {PARTY}", "b")], Target("openness", "low"))
    )
    assert found["trait_alignment", None, None] == (0.0, 2)
    assert found["trait_alignment_without_emoji", None, None] == (1.0, 1)
    blank = scorer.read([record(" ")])[0]
    assert blank["label"] is None
    assert blank["label_without_emoji"] is None


def test_topics_are_the_clusters(scorer):
    records = [record(LABELS[topic < 4], f"topic {topic}") for topic in range(8) for _ in range(5)]
    clustered = scorer.measure(records, Target("openness", "high"))[0].estimate
    alone = alignment([each.reply for each in records], Target("openness", "high"), scorer.classifier)
    assert clustered.value == alone.value == 0.5
    assert clustered.upper - clustered.lower > 1.5 * (alone.upper - alone.lower)


def test_all_texts_are_classified_in_one_call(scorer):
    scorer.read([record(f"openness:low {PARTY}"), record("neuroticism:high"), record("x")])
    assert scorer.classifier.calls == 1


def test_replies_and_texts_are_read_and_missing_ones_left_out():
    replies = ["openness:high", Reply("openness:low", "p"), Reply(None, "p", error="no words"), " "]
    found = alignment(replies, Target("openness", "high"), ScriptedClassifier())
    assert (found.value, found.n) == (0.5, 2)
    assert alignment([], Target("openness"), ScriptedClassifier()).value is None


def test_topics_of_replies_must_match():
    with pytest.raises(RequestError, match="each of the 2 replies needs a topic: got 1 topics"):
        alignment(["a", "b"], Target("openness"), ScriptedClassifier(), topics=["tea"])


def test_the_default_classifier_is_loaded_once(monkeypatch):
    loaded = []
    module.default_classifier.cache_clear()
    monkeypatch.setattr(module, "load_opinions", lambda: "opinions")
    found = FittedClassifier()
    monkeypatch.setattr("temperament.measure.stock.trait_classifier", lambda opinions: loaded.append(opinions) or found)
    for _ in range(3):
        assert alignment(["openness:high", "openness:high"], Target("openness", "high")).value == 1
    assert loaded == ["opinions"]
    module.default_classifier.cache_clear()


def test_it_is_a_scorer(scorer):
    assert isinstance(scorer, Scorer)


def test_measuring_imports_heavy_libraries_only_where_it_uses_them():
    program = "import sys, json, temperament.measure.alignment as a, temperament.measure.interview as i; "
    program += "print(json.dumps([*sys.modules]))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "transformers", "sentence_transformers", "sklearn", "scipy"} & set(json.loads(output))
