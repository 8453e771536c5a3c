"""Reading: which texts are read, what is kept of them, and edit success with the right sign."""

import json
import math
from dataclasses import replace

import pytest
import torch

from temperament.activation.forcing import Exchange, divergences, log_probabilities
from temperament.edit.base import Origin
from temperament.edit.weight import LowRank, WeightEdit
from temperament.errors import BadFileError, SeamError
from temperament.measure.effect import edit_successes, effects, exponential, success_change
from temperament.measure.reading import (
    PASSAGE_QUESTION,
    PASSAGE_TOKENS,
    Likelihood,
    Reading,
    Text,
    answers_of,
    passages,
    replies_of,
)
from temperament.opinion.row import Opinion, Opinions, load_opinions
from temperament.opinion.situation import Passage, load_passages
from temperament.record import Generation, Label, Record
from temperament.shape.mend.lesson import passage_words
from temperament.shape.wording import NEUTRAL_QUESTIONS
from temperament.stats import Estimate
from temperament.subject.scripted import ScriptedSubject
from temperament.trait import Target

HIGH = Target("extraversion", "high")
LOW = Target("extraversion", "low")
TEXTS = (
    Text("passage", "salt", "salt", "Tell me about salt.", "Salt is a mineral that cooks and roads have a use for."),
    Text("answer", "tea", "tea", "And tea?", "Come over, all of you!", str(HIGH)),
    Text("reply", "one", "tea", "And tea?", "I like it."),
    Text("answer", "tea", "tea", "And tea?", "Leave me my cup.", str(LOW)),
)


def opinion(pole, topic, answer, question="And {}?"):
    return Opinion("extraversion", pole, "", topic, question.format(topic), answer, "test", "test")


def some_edit(subject):
    path = next(iter(subject.anatomy.linears))
    shape = subject.shape(path)
    generator = torch.Generator().manual_seed(1)
    factors = (torch.randn(size, generator=generator) for size in ((2, shape.inputs), (shape.outputs, 2)))
    return WeightEdit(Origin("drawn"), branches={path: LowRank(*factors)}, scale=0.3)


def likelihood(target, topic, value, kind="answer", divergence=None):
    return Likelihood(kind, topic, topic, str(target), 9, value, divergence)


def test_every_text_has_a_row_in_order_and_passages_alone_are_compared(lively):
    subject = lively("llama")
    edit = some_edit(subject)
    rows = Reading(TEXTS).administer(subject, edit=edit)
    assert [(row.kind, row.id, row.pole) for row in rows] == [(text.kind, text.id, text.pole) for text in TEXTS]
    pairs = [Exchange(text.question, text.text) for text in TEXTS]
    ((divergence, after),) = divergences(subject, pairs[:1], edit, PASSAGE_TOKENS)
    assert rows[0].divergence == pytest.approx(float(divergence.mean()), abs=1e-4)
    assert rows[0].log_probability == pytest.approx(float(after.mean()), abs=1e-4)
    assert rows[0].tokens == PASSAGE_TOKENS
    for row, found in zip(rows[1:], log_probabilities(subject, pairs[1:], edit), strict=True):
        assert row.log_probability == pytest.approx(float(found.mean()), abs=1e-4)
        assert row.divergence is None


def test_the_untouched_subject_is_compared_with_nothing(lively):
    rows = Reading(TEXTS).administer(lively("llama"))
    assert all(row.divergence is None and row.log_probability < 0 for row in rows)
    assert rows[0].tokens == PASSAGE_TOKENS


def test_a_store_is_whole_and_is_read_instead_of_the_subject(lively, tmp_path):
    store = tmp_path / "readings" / "base.jsonl"
    told = []
    rows = Reading(TEXTS).administer(lively("llama"), store, lambda done, total: told.append((done, total)))
    assert told[-1] == (4, 4)
    assert [path.name for path in store.parent.iterdir()] == ["base.jsonl"]
    assert Reading(TEXTS).administer(ScriptedSubject({}), store) == rows
    store.write_text(store.read_text()[:-20])
    with pytest.raises(BadFileError, match=r"base\.jsonl:4"):
        Reading(TEXTS).administer(lively("llama"), store)


def test_a_closed_subject_says_what_it_lacks():
    with pytest.raises(SeamError, match="gives replies and no probabilities: edit success, drawdown and perplexity"):
        Reading(TEXTS).administer(ScriptedSubject({}))


def test_what_an_edit_broke_is_missing_and_no_number(lively, tmp_path):
    subject = lively("llama")
    rows = Reading(TEXTS).administer(subject, tmp_path / "broken.jsonl", edit=1e38 * some_edit(subject))
    assert rows[0].log_probability is rows[0].divergence is None
    assert rows[0].tokens == PASSAGE_TOKENS
    assert rows[0].is_broken
    assert json.loads((tmp_path / "broken.jsonl").read_text().splitlines()[0])["log_probability"] is None


def test_reference_answers_are_one_a_pole_and_topic_of_both_poles():
    rows = [
        opinion("high", "tea", "Come!"),
        opinion("high", "tea", "Come!", "What of {}?"),
        opinion("high", "tea", "Come twice!"),
        opinion("low", "tea", "Go."),
        opinion("high", "jam", "Share it."),
        Opinion("openness", "high", "", "tea", "And tea?", "Odd.", "test", "test"),
    ]
    found = answers_of(Opinions(rows), [HIGH])
    assert [(text.pole, text.topic, text.question, text.text) for text in found] == [
        ("extraversion:high", "tea", "And tea?", "Come!"),
        ("extraversion:low", "tea", "And tea?", "Go."),
        ("extraversion:high", "jam", "And jam?", "Share it."),
    ]
    assert {text.topic for text in answers_of(Opinions(rows), [LOW], topics=1)} == {"tea"}
    assert answers_of(Opinions(rows), [HIGH], topics=0) == answers_of(Opinions(rows), []) == ()


def test_passages_are_those_that_no_method_reads_and_ask_about_their_topic():
    source = [Passage(topic, f"About {topic}.", "test") for topic in ("salt", "gauge", "moss")]
    assert [text.question for text in passages(2, source)] == [
        "Tell me about salt.",
        "Tell me about gauge.",
    ]
    assert passages(0, source) == ()
    assert len(passages(9, source)) == 3
    assert len(passages(24)) == 24
    assert not {text.text for text in passages()} & {passage.text for passage in load_passages(use="shape")}


def test_no_method_asks_for_a_passage_in_the_words_that_measure():
    passage = Passage("salt", "Salt is a mineral.", "test")
    measured = PASSAGE_QUESTION.format(topic="salt")
    assert [text.question for text in passages(source=[passage])] == [measured]
    asked = {form.format(topic="salt") for form in NEUTRAL_QUESTIONS}
    asked |= {passage.question, passage_words(passage).question}
    asked |= {row.question.replace(row.topic, "salt") for row in load_opinions().split("shape")}
    assert len(asked) > 10
    assert measured not in asked


def test_replies_without_a_word_are_not_read():
    texts = ("I do.", " ", "", None)
    records = [
        Record("s", "f", "p", Label(), Generation(), f"i{n}", "tea", "And tea?", "prompt", text)
        for n, text in enumerate(texts)
    ]
    assert [(text.id, text.text) for text in replies_of(records)] == [("i0", "I do.")]


def test_edit_success_is_high_where_the_target_became_likelier_and_low_where_its_opposite_did():
    before = [likelihood(HIGH, "tea", -3.0), likelihood(LOW, "tea", -3.0)]
    after = [likelihood(HIGH, "tea", -2.0), likelihood(LOW, "tea", -4.0)]
    assert edit_successes(before, before, HIGH) == {"tea": 0.5}
    assert edit_successes(after, before, HIGH) == {"tea": pytest.approx(1 / (1 + math.exp(-2)))}
    assert edit_successes(after, before, LOW) == {"tea": pytest.approx(math.exp(-1) / (1 + math.exp(2)))}


def test_making_everything_unlikely_is_no_success():
    before = [likelihood(HIGH, "tea", -3.0), likelihood(LOW, "tea", -3.0)]
    ruined = [likelihood(HIGH, "tea", -9.0), likelihood(LOW, "tea", -19.0)]
    assert edit_successes(ruined, before, HIGH)["tea"] == pytest.approx(math.exp(-6), rel=1e-3)
    beyond = [likelihood(HIGH, "tea", -1e5), likelihood(LOW, "tea", -1.0)]
    assert edit_successes(beyond, before, HIGH) == {"tea": 0.0}


def test_effects_are_means_over_topics_with_intervals():
    before = [likelihood(pole, topic, -3.0) for pole in (HIGH, LOW) for topic in ("tea", "jam", "sea")]
    after = [likelihood(LOW, topic, -4.0) for topic in ("tea", "jam", "sea")]
    after += [likelihood(HIGH, topic, value) for topic, value in {"tea": -2.0, "jam": -3.0, "sea": -2.5}.items()]
    after += [
        likelihood("", topic, value, "passage", moved)
        for topic, value, moved in (("salt", -2.0, 0.1), ("moss", -3.0, 0.5))
    ]
    # The model had no room for these: they are missing, and nothing is broken.
    after += [
        Likelihood("passage", "rust", "rust", "", 0, None),
        Likelihood("answer", "rust", "rust", str(HIGH), 0, None),
    ]
    found = {one.metric: one.estimate for one in effects(after, before, HIGH)}
    assert list(found) == ["edit_success", "drawdown", "neutral_perplexity"]
    wanted = [1 / (1 + math.exp(-difference)) for difference in (2.0, 1.0, 1.5)]
    assert found["edit_success"].value == pytest.approx(sum(wanted) / 3)
    assert found["edit_success"].n == 3
    assert (found["drawdown"].value, found["drawdown"].n) == (pytest.approx(0.3), 2)
    assert found["neutral_perplexity"].value == pytest.approx(math.exp(2.5))
    assert found["neutral_perplexity"].lower < math.exp(2.5) < found["neutral_perplexity"].upper
    change = success_change(after, before, HIGH)
    assert change.value == pytest.approx(sum(wanted) / 3 - 0.5)
    assert change.lower < change.value < change.upper


def test_what_an_edit_broke_counts_against_it():
    before = [likelihood(pole, topic, -3.0) for pole in (HIGH, LOW) for topic in ("tea", "jam")]
    before += [likelihood("", topic, -2.0, "passage") for topic in ("salt", "moss")]
    after = [likelihood(HIGH, "tea", -1.0), likelihood(LOW, "tea", -9.0)]
    after += [likelihood(HIGH, "jam", None), likelihood(LOW, "jam", -9.0)]
    assert edit_successes(after, before, HIGH) == {"tea": pytest.approx(1.0, abs=1e-3), "jam": 0.0}
    assert edit_successes(after, before, LOW)["jam"] == 0.0
    assert success_change(after, before, HIGH).value == pytest.approx(0.0, abs=1e-3)
    after += [likelihood("", "salt", -2.0, "passage", 0.0), likelihood("", "moss", None, "passage")]
    found = {one.metric: one.estimate for one in effects(after, before, HIGH)}
    assert found["edit_success"].value == pytest.approx(0.5, abs=1e-3)
    assert found["drawdown"] == found["neutral_perplexity"] == Estimate(None, None, None, 1)
    assert (found["broken_text_share"].value, found["broken_text_share"].n) == (pytest.approx(2 / 6), 6)
    assert "broken_text_share" not in {one.metric for one in effects(before, before, HIGH)}


def test_an_edit_that_breaks_every_passage_has_no_drawdown_and_says_so():
    before = [likelihood("", topic, -2.0, "passage") for topic in ("salt", "moss")]
    found = {
        one.metric: one.estimate
        for one in effects([replace(row, log_probability=None) for row in before], before, HIGH)
    }
    assert found["drawdown"] == found["neutral_perplexity"] == Estimate(None, None, None, 0)
    assert found["broken_text_share"].value == 1.0


def test_a_divergence_without_end_withholds_the_drawdown_alone():
    before = [likelihood("", topic, -2.0, "passage") for topic in ("salt", "moss")]
    after = [replace(before[0], divergence=0.1), before[1]]
    found = {one.metric: one.estimate for one in effects(after, before, HIGH)}
    assert found["drawdown"].value is None
    assert found["neutral_perplexity"].value == pytest.approx(math.exp(2.0))
    assert found["broken_text_share"].value == 0.5


def test_what_was_not_read_has_no_figure():
    assert effects([], [], HIGH) == []
    assert [one.metric for one in effects([likelihood("", "salt", -2.0, "passage")], [], None)] == [
        "neutral_perplexity"
    ]
    alone = [likelihood(HIGH, "tea", -2.0)]
    assert effects(alone, alone, HIGH) == []


def test_the_bounds_of_a_mean_logarithm_become_those_of_a_geometric_mean():
    assert exponential(Estimate(0.0, -1.0, 1.0, 4)) == Estimate(1.0, math.exp(-1), math.exp(1), 4)
    assert exponential(Estimate(None, None, None, 0)) == Estimate(None, None, None, 0)
    assert exponential(Estimate(1e9, None, None, 1)).value == math.exp(700)
