"""Texts without a trait: of several kinds, apart for learning and assessing, and always the same."""

import itertools
from collections import Counter
from dataclasses import replace

from temperament.measure.traitless import (
    CHAIN,
    FIRST_SENTENCES,
    PASSAGES,
    PATCHWORK,
    PLAIN,
    PLATITUDES,
    PORTRAITS,
    QUESTIONS,
    SHUFFLED,
    SITUATIONS,
    carriers,
    spread,
    traitless,
)
from temperament.opinion.row import Opinion
from temperament.opinion.situation import load_passages
from temperament.trait import every_target

ROWS = tuple(
    Opinion(
        each.trait,
        each.pole,
        "",
        f"topic {number}",
        f"What of topic {number}?",
        f"Topic {number} makes me say that {each.trait} is {each.pole} here, and I have said so {number} times by now.",
        "measure",
        "me",
    )
    for number in range(20)
    for each in every_target()
)


def kinds(use):
    found = {}
    for text in traitless(ROWS, use):
        found.setdefault(text.kind, []).append(text)
    return found


def test_spoiled_answers_have_the_topic_of_the_answer_and_its_length():
    by_words = {" ".join(sorted(row.answer.split())): row for row in ROWS}
    for text in kinds("shape")[SHUFFLED]:
        row = by_words[" ".join(sorted(text.text.split()))]
        assert text.topic == row.topic
        assert text.text != row.answer
    for text in kinds("shape")[CHAIN]:
        assert 16 <= len(text.text.split()) <= 20


def test_a_patchwork_is_of_stretches_of_answers_that_show_different_poles():
    said = [row.answer for row in ROWS]
    for text in kinds("shape")[PATCHWORK][:10]:
        words = text.text.split()
        assert 25 <= len(words) <= 45
        assert text.text not in said
        assert any(" ".join(words[:5]) in answer for answer in said)


def test_in_a_chain_each_word_follows_its_neighbour_in_some_answer():
    pairs = {pair for row in ROWS for pair in zip(row.answer.split(), row.answer.split()[1:], strict=False)}
    starts = {row.answer.split()[0] for row in ROWS}
    for text in kinds("shape")[CHAIN][:10]:
        words = text.text.split()
        assert all(pair in pairs or pair[1] in starts for pair in itertools.pairwise(words))


def test_neutral_texts_are_for_one_use_only():
    learned, assessed = kinds("shape"), kinds("measure")
    for kind in (PASSAGES, PLAIN, PLATITUDES):
        assert learned[kind]
        assert assessed[kind]
        assert not {text.text for text in learned[kind]} & {text.text for text in assessed[kind]}
    assert [text.text for text in learned[PASSAGES]][::2] == [passage.text for passage in load_passages(use="shape")]


def test_texts_that_carry_a_trait_are_short_or_portraits_of_known_poles_and_apart_too():
    labels = ("openness:high", "openness:low")
    learned, assessed = (carriers(ROWS, labels, use) for use in ("shape", "measure"))
    for found in (learned, assessed):
        assert {str(row.target) for row in found[PORTRAITS]} == set(labels)
        assert len(found[PORTRAITS]) == 12
    assert not {row.answer for row in learned[PORTRAITS]} & {row.answer for row in assessed[PORTRAITS]}
    whole = {(row.topic, str(row.target)): row.answer for row in ROWS}
    row = replace(ROWS[0], answer="Short one! Then a longer sentence follows it.")
    assert carriers([row], labels, "shape")[FIRST_SENTENCES] == (replace(row, answer="Short one!"),)
    assert all(whole[row.topic, str(row.target)].startswith(row.answer) for row in learned[FIRST_SENTENCES])


def test_questions_and_situations_are_never_learned():
    assert not {QUESTIONS, SITUATIONS} & set(kinds("shape"))
    assert {QUESTIONS, SITUATIONS} < set(kinds("measure"))


def test_no_text_is_blank_and_none_comes_twice_among_those_that_are_written():
    for use in ("shape", "measure"):
        found = kinds(use)
        assert all(text.text.strip() for texts in found.values() for text in texts)
        assert max(Counter(text.text for text in found[PLAIN] + found[PLATITUDES]).values()) == 1


def test_the_same_answers_give_the_same_texts():
    assert traitless(ROWS, "shape") == traitless(ROWS, "shape")
    assert len(kinds("shape")[SHUFFLED]) == 80
    assert len([text for text in traitless(ROWS, "shape", 7) if text.kind == SHUFFLED]) == 7


def test_few_rows_are_all_taken_and_many_are_spread():
    assert spread([1, 2, 3], 5) == [1, 2, 3]
    assert spread(list(range(100)), 4) == [0, 25, 50, 75]
    assert spread([], 3) == []
