"""Fluency: what is gibberish and what is not, and measures with a value that can be computed by hand."""

import math
from dataclasses import replace

import pytest

from temperament.measure.fluency import (
    Fluency,
    Rule,
    fluency_of,
    median,
    ngram_entropy,
    surprise_bound,
    vocabulary_of,
    words_of,
)
from temperament.measure.gibberish import (
    SPOILERS,
    base_vocabulary,
    card_of,
    probes,
    rule_of,
    shuffled,
)
from temperament.measure.interview import Interview, Item
from temperament.measure.reading import Likelihood
from temperament.opinion.row import load_opinions
from temperament.opinion.situation import load_passages
from temperament.record import NOT_A_NUMBER, Generation, Label, Record
from temperament.subject.scripted import ScriptedSubject
from temperament.trait import Target

ANY = Target("openness", "high")
CLEAN = "I walked home in the rain last night and the whole street smelled of wet stone, which I like more than sun."
LOOPED = "I walked home in the rain. " + "I like the rain. " * 8


@pytest.fixture(scope="module")
def opinions():
    return load_opinions()


@pytest.fixture(scope="module")
def vocabulary(opinions):
    return base_vocabulary(opinions, "test")


@pytest.fixture(scope="module")
def card(opinions, vocabulary):
    return card_of(Rule(), vocabulary, opinions, "test")


def record(number, reply, topic="rain"):
    return Record("s", "f", "p", Label(), Generation(), f"i{number}", topic, "And?", "prompt", reply)


def surprised(row, value):
    return Likelihood(row.kind, row.id, row.topic, row.pole, 9, -value)


def test_answers_that_people_wrote_are_clean(card):
    clean = card.known[0]
    assert not clean.is_gibberish
    assert clean.called.n == 400
    assert clean.called.value < 0.02


@pytest.mark.parametrize("what", list(SPOILERS))
def test_what_is_spoiled_is_gibberish(what, card):
    (known,) = [one for one in card.known if one.texts == what]
    assert known.is_gibberish
    assert known.called.value > 0.95
    assert known.called.n == 400


def test_neutral_passages_are_clean_though_their_words_are_rare(opinions):
    vocabulary = vocabulary_of(row.answer for row in opinions)
    called = [Rule().reason(fluency_of(passage.text, vocabulary)) for passage in load_passages()]
    assert called == [None] * len(called)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (CLEAN, None),
        ("Tea.", None),
        ("No, no.", None),
        (CLEAN + " \U0001f389\U0001f389\U0001f389", None),
        ("", "empty"),
        (" \n ", "empty"),
        ("...!?", "empty"),
        ("12 34", "empty"),
        ("\U0001f389\U0001f389", "symbols"),
        ("the the the the", "repetition"),
        (LOOPED, "repetition"),
        ("Rain!!!!!!!!!!!!!!!!!!!!!", "repetition"),
        ("xqz wvvk rtplm I ggh", "unknown words"),
    ],
)
def test_the_rule_says_why(text, reason, vocabulary):
    assert Rule().reason(fluency_of(text, vocabulary)) == reason


def test_surprise_counts_where_there_is_a_bound_and_enough_words(vocabulary):
    rule = Rule(most_surprise=6.0)
    assert rule.reason(fluency_of(CLEAN, vocabulary, 6.1)) == "surprise"
    assert rule.reason(fluency_of(CLEAN, vocabulary, 5.9)) is None
    assert rule.reason(fluency_of(CLEAN, vocabulary)) is None
    assert rule.reason(fluency_of("No.", vocabulary, 9.0)) is None
    assert Rule().reason(fluency_of(CLEAN, vocabulary, 99.0)) is None


def test_entropy_is_that_of_the_formula():
    tokens = ["a", "b", "a", "b", "a"]
    pairs, triples = {"ab": 2, "ba": 2}, {"aba": 2, "bab": 1}
    two, three = (
        sum(-n / sum(runs.values()) * math.log2(n / sum(runs.values())) for n in runs.values())
        for runs in (pairs, triples)
    )
    assert ngram_entropy(tokens) == pytest.approx((2 / 3 * two + 4 / 3 * three) / 2)
    assert ngram_entropy([f"{number}" for number in range(12)]) == pytest.approx(3.37, abs=5e-3)


def test_entropy_is_normalised_by_length_and_left_out_under_20_tokens(vocabulary):
    assert fluency_of("one two three four five six", vocabulary).entropy is None
    different = fluency_of(" ".join(f"w{number}" for number in range(40)), vocabulary)
    assert different.entropy_share == pytest.approx(1.0)
    assert different.entropy > 3.5
    assert fluency_of("la " * 40, vocabulary).entropy_share == pytest.approx(0.0)


def test_repetition_and_distinct_pairs_by_hand(vocabulary):
    text = fluency_of("a b c d x a b c d", vocabulary)
    assert text.tokens == 9
    assert text.repetition == pytest.approx(8 / 9)
    assert text.distinct_2 == pytest.approx(5 / 8)
    assert fluency_of("a b c d e", vocabulary).repetition == 0.0
    assert text.distinct_1 == pytest.approx(5 / 9)
    assert text.distinct_3 == pytest.approx(5 / 7)
    word = fluency_of("word", vocabulary)
    assert (word.distinct_1, word.distinct_2, word.distinct_3) == (1.0, None, None)
    assert fluency_of("", vocabulary).distinct_1 is None


def test_words_are_letters_in_lower_case_whatever_the_apostrophe():
    assert words_of("I don\u2019t, 3 times; DON'T caf\u00e9!") == ["i", "don't", "times", "don't", "caf\u00e9"]
    assert fluency_of("I don\u2019t.", vocabulary_of(["i don't"])).unknown == 0.0


def test_the_bound_of_surprise_lies_between_clean_and_shuffled_answers():
    clean, mixed = [4.0, 4.5, 5.0], [7.0, 7.25, 7.5]
    bound = surprise_bound(clean, mixed)
    assert (bound - 4.5) / 0.5 == pytest.approx((7.25 - bound) / 0.25)
    assert max(clean) < bound < min(mixed)


@pytest.mark.parametrize(
    ("clean", "mixed"), [([5.5, 5.6, 5.4], [5.5, 5.6, 5.5]), ([4.0], [7.0]), ([], []), ([4, 4], [7, 7])]
)
def test_a_model_that_cannot_tell_them_apart_has_no_bound(clean, mixed):
    assert surprise_bound([float(one) for one in clean], [float(one) for one in mixed]) is None


def test_probes_are_whole_and_shuffled_and_what_is_learned_from_is_not_tried(opinions):
    found = probes(opinions, "test", 10)
    assert len(found) == 40
    kinds = {name: [text for text in found if text.pole == name] for name in dict.fromkeys(text.pole for text in found)}
    assert {name: len(texts) for name, texts in kinds.items()} == dict.fromkeys(
        ("learned clean", "learned shuffled", "tried clean", "tried shuffled"), 10
    )
    assert {text.topic for text in kinds["tried clean"]} <= set(opinions.split("test").topics)
    assert {text.topic for text in kinds["learned clean"]} <= set(opinions.split("measure").topics)
    for clean, mixed in zip(kinds["tried clean"], kinds["tried shuffled"], strict=True):
        assert clean.text != mixed.text
        assert sorted(clean.text.split()) == sorted(mixed.text.split())
    assert found == probes(opinions, "test", 10)
    assert len({text.topic for text in kinds["tried clean"]}) == 10


def test_a_card_says_what_the_rule_calls_what_the_model_has_read(opinions, vocabulary):
    surprises = {"clean": (4.5, 5.0), "shuffled": (7.2, 7.9)}
    read = [
        surprised(text, surprises[text.pole.split()[1]][n // 2 % 2]) for n, text in enumerate(probes(opinions, "test"))
    ]
    rule = rule_of(read)
    assert 5.0 < rule.most_surprise < 7.2
    known = {one.texts: one for one in card_of(rule, vocabulary, opinions, "test", read).known}
    assert known["answers, read by the model"].called.value == 0.0
    assert known["words shuffled, read by the model"].called.value == 1.0
    assert known["words shuffled, read by the model"].is_gibberish
    assert rule_of([]) == Rule()


def test_words_are_learned_outside_the_split_that_is_asked(opinions, vocabulary):
    asked = {word for row in opinions.split("test") for word in words_of(row.answer)}
    assert not asked <= vocabulary


def test_figures_are_over_replies_and_an_empty_one_is_gibberish(vocabulary):
    records = [record(0, CLEAN), record(1, "", "sea"), record(2, None, "sea"), record(3, LOOPED, "tea")]
    scorer = Fluency(Rule(), vocabulary, {"i0": 3.0, "i3": 1.0})
    scores = scorer.read(records)
    assert scores[2] is None
    assert [score["gibberish"] for score in scores if score] == [None, "empty", "repetition"]
    found = {one.metric: one.estimate for one in scorer.measure(records, ANY)}
    assert (found["gibberish_share"].value, found["gibberish_share"].n) == (pytest.approx(2 / 3), 3)
    assert found["distinct_2"].n == 2
    assert found["perplexity"].value == pytest.approx(math.exp(2.0))
    assert found["log_perplexity"].value == pytest.approx(2.0)
    assert found["log_perplexity"].n == 2


def test_a_reply_that_the_model_could_not_give_is_gibberish_and_a_call_that_failed_is_missing(vocabulary):
    broken, failed = (replace(record(1, None), error=why) for why in (NOT_A_NUMBER, "the server is away"))
    assert (broken.is_broken, failed.is_broken) == (True, False)
    scorer = Fluency(Rule(), vocabulary)
    assert [score and score["gibberish"] for score in scorer.read([record(0, CLEAN), broken, failed])] == [
        None,
        "broken",
        None,
    ]
    assert scorer.read([failed]) == [None]
    found = {one.metric: one.estimate for one in scorer.measure([record(0, CLEAN), broken, failed], ANY)}
    assert (found["gibberish_share"].value, found["gibberish_share"].n) == (0.5, 2)
    assert (found["broken_share"].value, found["broken_share"].n) == (0.5, 2)
    assert found["same_reply_share"].n == 1
    assert found["distinct_2"].n == found["repetition"].n == 1
    assert scorer.read([broken])[0].keys() == scorer.read([record(0, CLEAN)])[0].keys()
    gone = {one.metric: one.estimate for one in scorer.measure([broken], ANY)}
    assert gone["gibberish_share"].value == 1.0
    assert gone["repetition"].value is None


def test_replies_that_nobody_read_have_no_perplexity(vocabulary):
    metrics = [one.metric for one in Fluency(Rule(), vocabulary).measure([record(0, CLEAN)], ANY)]
    assert metrics == [
        "gibberish_share",
        "broken_share",
        "same_reply_share",
        "distinct_1",
        "distinct_2",
        "distinct_3",
        "repetition",
        "ngram_entropy",
        "ngram_entropy_share",
    ]


def test_the_median_has_an_interval_that_widens_with_clusters():
    values = [float(value) for value in range(1, 41)]
    alone = median(values, [str(value) for value in values])
    assert (alone.value, alone.n) == (20.5, 40)
    assert 12 < alone.lower < 20.5 < alone.upper < 29
    clustered = median(values, [str(int(value) // 10) for value in values])
    assert clustered.lower < alone.lower
    assert clustered.upper > alone.upper
    assert median([], []).value is None
    assert median([3.0], ["tea"]).lower is None


def test_shuffling_is_the_same_each_time_and_another_for_another_text():
    assert shuffled(CLEAN) == shuffled(CLEAN) != CLEAN


PARTY = "\U0001f389\U0001f525\U0001f60d\U0001f680\U0001f4a5\U0001f44d"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("la la la la la la la", "repetition"),
        ("love " * 60, "repetition"),
        ("", "empty"),
        (" \n ", "empty"),
        (PARTY, "symbols"),
        (f"WOW {PARTY}!!!", "symbols"),
        ("\U0001f389" * 40, "symbols"),
    ],
)
def test_a_broken_subject_is_exposed(script, why, vocabulary):
    items = tuple(Item(f"i{number}", f"topic {number}", f"What of {number}?") for number in range(12))
    records = Interview(items).administer(ScriptedSubject(script))
    scorer = Fluency(Rule(), vocabulary)
    assert [score["gibberish"] for score in scorer.read(records)] == [why] * 12
    found = {one.metric: one.estimate for one in scorer.measure(records, ANY)}
    assert found["gibberish_share"].value == 1.0
    assert found["gibberish_share"].lower > 0.7
    assert found["same_reply_share"].value == 1.0
    assert found["broken_share"].value == 0.0


def test_a_subject_that_says_one_clean_thing_to_everything_is_exposed_by_that(vocabulary):
    items = tuple(Item(f"i{number}", f"topic {number}", f"What of {number}?") for number in range(12))
    records = Interview(items).administer(ScriptedSubject(CLEAN))
    found = {one.metric: one.estimate for one in Fluency(Rule(), vocabulary).measure(records, ANY)}
    assert (found["gibberish_share"].value, found["same_reply_share"].value) == (0.0, 1.0)


def test_replies_to_one_question_may_be_the_same_and_those_to_others_differ_by_more_than_letters(vocabulary):
    scorer = Fluency(Rule(), vocabulary)
    twice = [record(0, "I like rain."), record(1, "I like rain."), record(2, "I like tea.")]
    assert [score["is_same"] for score in scorer.read(twice)] == [False, False, False]
    other = replace(record(3, "I LIKE  rain."), question="And you?")
    assert [score["is_same"] for score in scorer.read([*twice, other])] == [True, True, False, True]


@pytest.mark.parametrize(
    "text", [f"Love it! {PARTY[:3]}", PARTY[:4] + " yes", f"We had a lovely day out in the rain {PARTY}", "Yes!!"]
)
def test_an_answer_may_end_in_a_row_of_emojis(text, vocabulary):
    assert Rule().reason(fluency_of(text, vocabulary | vocabulary_of([text]))) is None


def test_joined_emojis_are_one_symbol():
    assert fluency_of(FAMILY, frozenset()).symbols == 1
    assert fluency_of(f"{FAMILY}{FAMILY} 5 % \u2014 (c)", frozenset()).symbols == 2


def test_entropy_is_a_figure_of_replies_that_are_long_enough(vocabulary):
    records = [record(0, CLEAN), record(1, "Too short."), record(2, "la " * 40)]
    found = {one.metric: one.estimate for one in Fluency(Rule(), vocabulary).measure(records, ANY)}
    assert found["ngram_entropy"].n == found["ngram_entropy_share"].n == 2
    tokens = [token.casefold() for token in CLEAN.replace(",", " ,").replace(".", " .").split()]
    assert found["ngram_entropy"].value == pytest.approx(ngram_entropy(tokens) / 2)
    assert found["ngram_entropy_share"].value == pytest.approx(0.5, abs=0.01)


def test_the_bounds_hold_on_the_splits_that_are_not_asked(opinions):
    for split in ("measure", "shape", "validation"):
        vocabulary = base_vocabulary(opinions, split)
        # A tenth stands for all: there is no exception among the 4,900 either, and they take their time.
        answers = list(dict.fromkeys(row.answer for row in opinions if row.split == split))[::10]
        texts = [fluency_of(answer, vocabulary) for answer in answers]
        assert {Rule().reason(text) for text in texts} == {None}
        assert min(text.distinct_2 for text in texts) >= 0.8
        assert min(text.entropy_share for text in texts if text.entropy_share is not None) > 0.93
