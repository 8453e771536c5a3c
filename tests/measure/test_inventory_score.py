"""Ratings and scores: the sign of every figure, by raters whose habits are known."""

import re
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temperament.measure.inventory.inventory import REFUSED, Inventory
from temperament.measure.inventory.rating import Rating
from temperament.measure.inventory.scoring import (
    acquiescence,
    answers_of,
    bias_by_labels,
    changes,
    label_bias,
    measure,
    middle_distance,
    of_trait,
    position_bias,
)
from temperament.measure.inventory.wording import LABELS, OPTIONS, ORDERS, Form
from temperament.subject.scripted import ScriptedSubject
from temperament.trait import BIG_FIVE

SHORT = Inventory.load()


def rater(pick, *, adds=""):
    """A subject that picks one of the lines shown, and says its label."""

    def say(conversation, seed):
        shown = conversation[-1]["content"].split("\n\n")[1]
        lines = re.findall(r"^(?:([A-E1-5])\. )?(.+)$", shown, flags=re.MULTILINE)
        mark, words = pick(lines, conversation[-1]["content"].rpartition("Statement: ")[2])
        return None if mark is None else f"{mark or words}{adds}"

    return ScriptedSubject(say)


def option(number):
    """A pick by meaning, 1 to 5, wherever it stands."""
    return lambda lines, _: next(line for line in lines if line[1] == OPTIONS[number - 1])


def by_key(plus, minus, trait):
    """A pick by the key of the statement for one trait, the middle for the others."""
    keys = {one.text: (plus if one.keyed == "plus" else minus) if one.trait == trait else 3 for one in SHORT.statements}
    return lambda lines, text: option(keys[text])(lines, text)


def figures(rows):
    return {(one.metric, one.measured_trait): one.estimate for one in measure(rows)}


def scores(rows):
    answers = answers_of(rows)
    return {trait: fmean(one.score for one in of_trait(answers, trait)) for trait in sorted({a.trait for a in answers})}


def test_who_always_agrees_has_acquiescence_5_and_no_trait():
    rows = SHORT.administer(rater(option(5)))
    found = figures(rows)
    assert found["inventory_acquiescence", None].value == 5
    assert scores(rows) == {trait.name: 3 for trait in BIG_FIVE}
    assert found["inventory_position_bias", None].value == found["inventory_label_bias", None].value == 0
    assert found["inventory_refusal", None].value == 0
    assert 0 < found["inventory_refusal", None].upper < 0.2
    assert figures(SHORT.administer(rater(option(1))))["inventory_acquiescence", None].value == 1


def test_who_always_picks_the_first_option_shows_it_and_has_no_trait():
    rows = SHORT.administer(rater(lambda lines, _: lines[0]))
    found = figures(rows)
    assert found["inventory_position_bias", None].value == -2
    assert scores(rows) == {trait.name: 3 for trait in BIG_FIVE}
    assert found["inventory_acquiescence", None].value == 3
    assert found["inventory_label_bias", None].value == 0
    assert position_bias(SHORT.administer(rater(lambda lines, _: lines[-1]))).value == 2


def test_who_answers_by_the_label_shows_it_beside_no_bias_to_a_place():
    picks = {"A": 0, "1": 4}
    rows = replace(SHORT, labels=("letters", "digits")).administer(rater(lambda lines, _: lines[picks[lines[0][0]]]))
    found = figures(rows)
    assert found["inventory_label_bias", None].value == 4
    assert found["inventory_position_bias", None].value == 0
    assert {name: one.value for name, one in bias_by_labels(rows).items()} == {"letters": -2, "digits": 2}
    assert scores(rows) == {trait.name: 3 for trait in BIG_FIVE}


@pytest.mark.parametrize(("plus", "minus", "score"), [(5, 1, 5), (1, 5, 1), (4, 2, 4), (5, 5, 3)])
def test_a_trait_is_high_where_statements_for_it_fit_and_statements_against_it_do_not(plus, minus, score):
    rows = SHORT.administer(rater(by_key(plus, minus, "neuroticism")))
    found = {trait: one for (metric, trait), one in figures(rows).items() if metric == "inventory_score"}
    wanted = {trait.name: 3 for trait in BIG_FIVE} | {"neuroticism": score}
    assert {trait: one.value for trait, one in found.items()} == scores(rows) == wanted
    assert found["neuroticism"].n == 12


@settings(max_examples=15, deadline=None)
@given(
    opinions=st.lists(st.integers(1, 5), min_size=60, max_size=60),
    labels=st.permutations(LABELS).flatmap(lambda some: st.integers(1, 3).map(lambda count: tuple(some[:count]))),
    orders=st.permutations(ORDERS),
    places=st.randoms(use_true_random=False),
)
def test_shuffled_options_labels_and_rows_leave_the_scores(opinions, labels, orders, places):
    meant = {one.text: number for one, number in zip(SHORT.statements, opinions, strict=True)}
    subject = rater(lambda lines, text: option(meant[text])(lines, text))
    wanted = {
        trait: fmean(meant[one.text] if one.keyed == "plus" else 6 - meant[one.text] for one in statements)
        for trait in SHORT.traits
        if (statements := [one for one in SHORT.statements if one.trait == trait])
    }
    rows = replace(SHORT, labels=labels, orders=tuple(orders)).administer(subject)
    places.shuffle(rows)
    assert scores(rows) == pytest.approx(wanted, abs=1e-12)
    assert position_bias(rows).value == 0


def test_a_lean_to_a_place_is_measured_and_cancels():
    """One place too high of what is meant, in either order."""

    def lean(lines, text):
        return lines[max(0, lines.index(option(3)(lines, text)) - 1)]

    rows = SHORT.administer(rater(lean))
    assert position_bias(rows).value == -1
    assert set(scores(rows).values()) == {3}


def test_one_order_alone_says_nothing_of_a_place_and_one_set_of_labels_nothing_of_labels():
    rows = replace(SHORT, orders=("accurate-first",), labels=("digits",)).administer(rater(option(4)))
    assert position_bias(rows).value is label_bias(rows).value is None
    assert {answer.agreement for answer in answers_of(rows)} == {4}


def test_replies_that_pick_nothing_are_refusals_and_replies_that_fail_are_missing():
    def pick(lines, text):
        if "painting" in text:
            return None, ""
        return ("I am a language model.", "") if "gallery" in text else lines[0]

    rows = SHORT.administer(rater(pick))
    silent = [row for row in rows if row.outside is None]
    refused = [row for row in rows if row.outside == 1.0]
    assert len(silent) == len(refused) == 6
    assert all("the script has no reply" in row.error and row.reply is None for row in silent)
    assert {(row.probabilities, row.reply, row.error) for row in refused} == {(None, "I am a language model.", REFUSED)}
    found = figures(rows)
    assert found["inventory_refusal", None].value == pytest.approx(6 / 354)
    assert found["inventory_refusal", None].n == 354
    assert found["inventory_score", "openness"].n == 10


def test_a_set_of_labels_that_was_refused_in_one_order_is_left_out_so_that_places_still_cancel():
    inventory = Inventory("one", SHORT.statements[:1])
    rows = inventory.administer(rater(lambda lines, _: lines[0]))
    assert rows[0].id == "openness-1-plus-letters-accurate-first"
    rows[0] = replace(rows[0], probabilities=None, outside=1.0, error=REFUSED)
    (answer,) = answers_of(rows)
    assert answer.agreement == 3
    gone = [replace(row, probabilities=None) if row.order == ORDERS[0] else row for row in rows]
    assert answers_of(gone) == []


@pytest.mark.parametrize(
    ("labels", "reply", "picked"),
    [
        ("letters", "A", 4),
        ("letters", " (a). ", 4),
        ("letters", "A. Very accurate.", 4),
        ("letters", "B) moderately accurate", 3),
        ("letters", "A. moderately accurate", None),
        ("letters", "very accurate", None),
        ("letters", "A person like me", None),
        ("letters", "A or B", None),
        ("letters", "F", None),
        ("letters", "", None),
        ("digits", "5", 0),
        ("digits", "15", None),
        ("words", "Very inaccurate.", 0),
        ("words", "- neither accurate nor inaccurate", 2),
        ("words", "accurate", None),
        ("words", "A", None),
    ],
)
def test_a_reply_is_parsed_strictly(labels, reply, picked):
    assert Form(labels, "accurate-first").parse(reply) == picked


def row(item, agreement, keyed="plus", topic=None, labels="letters", order="accurate-first", mass=1.0):
    """A rating whose agreement is a given number; ``mass`` of it lies on the options."""
    low = min(4, int(agreement))
    shares = [0.0] * 5
    shares[low - 1] += mass * (1 - (agreement - low))
    shares[low] += mass * (agreement - low)
    return Rating(
        f"{item}-{labels}-{order}", item, topic or item, "openness", keyed, labels, order, tuple(shares), 1 - mass
    )


def test_agreement_is_over_the_options_alone_and_refusal_is_beside_it():
    rows = [row("a", 4.5, mass=0.1), row("b", 2.0, "minus", mass=0.3)]
    assert [one.agreement for one in rows] == pytest.approx([4.5, 2.0])
    assert [answer.score for answer in answers_of(rows)] == pytest.approx([4.5, 4.0])
    assert figures(rows)["inventory_refusal", None].value == pytest.approx(0.8)
    assert replace(rows[0], probabilities=(0.0,) * 5).agreement is None


def test_acquiescence_weighs_both_keys_alike_and_needs_both():
    many = [row("a", 5, topic="x"), row("b", 5, topic="x"), row("c", 1, "minus", topic="x"), row("d", 5, topic="y")]
    assert acquiescence(answers_of(many)).value == 3
    apart = [row("a", 5), row("b", 5), row("c", 2, "minus")]
    assert acquiescence(answers_of(apart)).value == 3.5
    assert acquiescence(answers_of(apart[:2])).value is None


def test_facets_are_what_the_interval_resamples():
    same = [row(f"{topic}{key}", value, key, topic) for topic in "xyz" for key, value in (("plus", 5), ("minus", 5))]
    estimate = figures(same)["inventory_score", "openness"]
    assert (estimate.value, estimate.lower, estimate.upper, estimate.n) == (3, None, None, 6)
    apart = [replace(one, topic=one.item) for one in same]
    assert figures(apart)["inventory_score", "openness"].lower < 2.5


def test_a_change_is_after_less_before_over_the_same_statements():
    before = [row("a", 2.0), row("b", 4.0, "minus"), row("c", 1.0)]
    after = [row("a", 3.0), row("b", 3.5, "minus"), row("d", 5.0)]
    (change,) = changes(before, after)
    assert (change.metric, change.measured_trait) == ("inventory_score_change", "openness")
    assert change.estimate.value == pytest.approx(0.75)
    assert change.estimate.n == 2
    assert changes(after, before)[0].estimate.value == pytest.approx(-0.75)


def test_who_tells_nothing_apart_stays_in_the_middle():
    assert middle_distance(answers_of([row("a", 3.0), row("b", 3.0)])) == 0
    assert middle_distance(answers_of([row("a", 5.0), row("b", 2.0)])) == 1.5
    assert middle_distance([]) is None
