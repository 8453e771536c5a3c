"""Latent emoji mass: bounds that hold, that meet, and that agree with writing out everything a model could write."""

import itertools
import math
from dataclasses import replace
from functools import cache

import emoji as library
import numpy as np
import pytest
import torch
from chain import END, OPENING, Chain
from hypothesis import given, settings
from hypothesis import strategies as st

from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.edit.weight import LowRank, WeightEdit
from temperament.errors import RequestError, SeamError
from temperament.measure.emoji import emojis
from temperament.measure.latent import LatentEmoji, LatentMass, latent_mass_change, latent_masses
from temperament.record import Generation, Label, Record
from temperament.subject.open import OpenSubject
from temperament.subject.scripted import ScriptedSubject

LEAD, SPACED, FACES = b"\xf0\x9f", b" \xf0\x9f", b"\xf0\x9f\x98"
GRIN = "\U0001f600"
HEART, STYLE, JOINER = "\u2764".encode(), b"\xef\xb8\x8f", b"\xe2\x80\x8d"
HALF, OTHER_HALF, KEYCAP = "\U0001f1e9".encode(), "\U0001f1ea".encode(), b"\xe2\x83\xa3"
MORE = (LEAD, SPACED, FACES, GRIN.encode(), b"\xe2\x80", b"\xe2\x9c", HEART, STYLE, JOINER, HALF, OTHER_HALF, KEYCAP)
MORE += (b"**", b"\n\n")
EXACT = LatentEmoji(tolerance=1e-9, relative=0.0, depth=3, most=1_000_000)


@pytest.fixture(scope="module")
def shared():
    return Chain(MORE)


@pytest.fixture
def chain(shared):
    shared.forget()
    return shared


def record(reply, item="1", topic="tea", *, is_finished=False):
    return Record("s", "f", "p", Label(), Generation(), item, topic, "Tea?", "", reply, is_finished=is_finished)


def first(chain, how=EXACT):
    """The bounds of the first position of a reply."""
    row = how.administer(chain.subject, [record("a")])[0]
    assert row.positions == 1
    return row.lower, row.upper


def test_a_model_that_writes_an_emoji_with_a_known_probability_has_exactly_it(chain):
    chain.tell(OPENING, {GRIN.encode(): 0.3, b"a": 0.7})
    assert first(chain, LatentEmoji(depth=0)) == (pytest.approx(0.3, rel=1e-5), pytest.approx(0.3, rel=1e-5))


def test_an_emoji_of_several_tokens_has_the_product_of_their_probabilities(chain):
    chain.tell(OPENING, {SPACED: 0.5, b"a": 0.5})
    chain.tell(SPACED, {b"\x98": 0.4, b"\x84": 0.6})
    lower, upper = first(chain, LatentEmoji(depth=0))
    assert (lower, upper) == (pytest.approx(0, abs=1e-6), pytest.approx(0.5, rel=1e-5))
    assert first(chain) == (pytest.approx(0.2, rel=1e-5), pytest.approx(0.2, rel=1e-5))


def test_a_lead_that_emojis_share_with_others_is_no_emoji(chain):
    chain.tell(OPENING, {LEAD: 1.0})
    chain.tell(LEAD, {b"\x84": 1.0})
    chain.tell(b"\x84", {b"\x80": 1.0})
    assert first(chain, LatentEmoji(depth=0)) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))
    assert first(chain) == (pytest.approx(0, abs=1e-6), pytest.approx(0, abs=1e-6))


def test_a_curly_quote_is_no_emoji_and_a_check_mark_is(chain):
    chain.tell(OPENING, {b"\xe2\x80": 0.75, b"\xe2\x9c": 0.25})
    chain.tell(b"\xe2\x80", {b"\x99": 1.0})
    chain.tell(b"\xe2\x9c", {b"\x85": 1.0})
    assert first(chain) == (pytest.approx(0.25, rel=1e-5), pytest.approx(0.25, rel=1e-5))


def test_white_space_before_an_emoji_is_part_of_what_comes_next(chain):
    chain.tell(OPENING, {b"\n\n": 0.5, b" ": 0.25, b"a": 0.25})
    chain.tell(b"\n\n", {GRIN.encode(): 0.5, b"a": 0.5})
    chain.tell(b" ", {FACES: 1.0})
    assert first(chain) == (pytest.approx(0.5, rel=1e-5), pytest.approx(0.5, rel=1e-5))


def test_text_by_default_counts_as_far_as_it_is_followed_by_what_makes_it_an_emoji(chain):
    chain.tell(OPENING, {HEART: 0.4, b"1": 0.4, HALF: 0.2})
    chain.tell(HEART, {STYLE: 0.5, b"a": 0.5})
    chain.tell(b"1", {KEYCAP: 0.25, b"1": 0.75})
    chain.tell(HALF, {OTHER_HALF: 0.5, HALF: 0.5})
    # Two regional indicators are the flag of Germany or, doubled, of no region.
    expected = 0.4 * 0.5 + 0.4 * 0.25 + 0.2 * 0.5
    assert first(chain) == (pytest.approx(expected, rel=1e-5), pytest.approx(expected, rel=1e-5))


def test_the_end_of_a_reply_is_no_emoji(chain):
    chain.tell(OPENING, {END: 1.0})
    assert first(chain) == (pytest.approx(0, abs=1e-6), pytest.approx(0, abs=1e-6))


def test_a_finished_reply_has_a_position_where_it_ended_and_a_cut_one_has_none(chain):
    chain.tell(b"!", {GRIN.encode(): 0.5, END: 0.5})
    cut, ended = LatentEmoji().administer(chain.subject, [record("a!"), record("a!", "2", is_finished=True)])
    assert (cut.positions, ended.positions) == (2, 3)
    assert cut.highest == pytest.approx(0, abs=1e-6)
    assert ended.highest == ended.lowers[-1] == pytest.approx(0.5, rel=1e-3)
    assert ended.lower == pytest.approx(0.5 / 3, rel=1e-4)
    assert ended.pieces == ("a", "!", "")


def test_the_rest_of_an_emoji_is_no_new_one(chain):
    for token in (b"\xf0", b"\x9f", b"\x98"):
        chain.tell(token, {FACES: 1.0})
    chain.tell(b"\x80", {GRIN.encode(): 1.0})
    (row,) = LatentEmoji().administer(chain.subject, [record(f"a{GRIN}b")])
    assert row.lowers[2:5] == (None, None, None)
    assert row.lowers[5] == pytest.approx(1)
    assert row.positions == 3
    assert row.pieces == ("a", "", "", "", GRIN, "b")


def test_after_half_a_flag_or_a_joiner_no_emoji_begins(chain):
    flag = "\U0001f1e9\U0001f1ea"
    rows = LatentEmoji().administer(chain.subject, [record(f"{flag}a"), record("\U0001f468\u200d\U0001f466a", "2")])
    counted = [[place for place, mass in enumerate(row.lowers) if mass is not None] for row in rows]
    assert counted == [[0, 8], [0, 4, 11]]


@cache
def begun(text):
    bare = text.lstrip(" \n")
    return bool(emojis(bare)) and bare.startswith(emojis(bare)[0])


ENDINGS = ("", STYLE.decode(), "\u20e3", f"{STYLE.decode()}\u20e3", f"\u200d{GRIN}", GRIN, "\U0001f1ea", "\U0001f1e9")


FIRSTS = sorted({text[0] for text in library.EMOJI_DATA})


def characters(torn):
    """Every character that begins with some bytes, in order."""
    length = 4 if torn[0] >= 0xF0 else 3 if torn[0] >= 0xE0 else 2
    for tail in itertools.product(range(0x80, 0xC0), repeat=max(length - len(torn), 0)):
        one = (torn + bytes(tail)).decode(errors="ignore")
        if len(one) == 1:
            yield one


@cache
def oracle(written):
    """Whether an emoji is certain, out of the question (False) or neither (None), by trying what could follow."""
    for length in range(4):
        whole, torn = written[: len(written) - length], written[len(written) - length :]
        try:
            text = whole.decode()
        except UnicodeDecodeError:
            continue
        if not torn:
            return True if begun(text) else None if any(begun(text + end) for end in ENDINGS) else False
        if not 0xC2 <= torn[0] <= 0xF4 or next(characters(torn), None) is None:
            return False
        if all(begun(text + one) for one in characters(torn)):
            return True
        # In a sequence that has begun only joined emojis are any character of the list.
        following = FIRSTS if not text or text.endswith(JOINER.decode()) else "".join(ENDINGS)
        possible = [one for one in following if one.encode().startswith(torn)]
        return None if any(begun(text + one + end) for one in possible for end in ENDINGS) else False
    return False


def written_out(chain, token, steps):
    """The probability that an emoji is certain, and that it is out of the question, after some tokens."""
    certain = never = 0.0
    todo = [(token, b"", 1.0, 0)]
    while todo:
        last, written, probability, step = todo.pop()
        for one, share in chain.after(last).items():
            fate = False if one == END else oracle((written + one).lstrip(b" \n"))
            if fate is True:
                certain += probability * share
            elif fate is False:
                never += probability * share
            elif step + 1 < steps:
                todo.append((one, written + one, probability * share, step + 1))
    return certain, never


DRAWN = (*MORE, b"\xf0", b"\x9f", b"\x98", b"\x80", b"\xe2", b"\x9c", b"\x99", b"\xa8", b"a", b" ", b"1", b"\xb8", END)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 3))
def test_bounds_are_those_of_writing_everything_out(shared, seed, depth):
    shared.forget()
    random = np.random.default_rng(seed)
    for token in (OPENING, *DRAWN):
        shares = random.dirichlet(np.full(len(DRAWN), 0.3))
        shared.tell(token, dict(zip(DRAWN, shares.tolist(), strict=True)))
    lower, upper = first(shared, replace(EXACT, depth=depth))
    certain, never = written_out(shared, OPENING, depth + 1)
    assert lower == pytest.approx(certain, abs=1e-5)
    assert upper == pytest.approx(1 - never, abs=1e-5)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.001, 0.5), st.integers(0, 9))
def test_bounds_hold_however_little_is_read_further(shared, seed, tolerance, most):
    shared.forget()
    random = np.random.default_rng(seed)
    for token in (OPENING, *DRAWN):
        shares = random.dirichlet(np.full(len(DRAWN), 0.3))
        shared.tell(token, dict(zip(DRAWN, shares.tolist(), strict=True)))
    certain, never = written_out(shared, OPENING, 4)
    found = [first(shared, LatentEmoji(tolerance, 0.0, 3, count)) for count in (0, most, most + 1, 2 * most + 2)]
    for lower, upper in found:
        assert 0 <= lower <= upper <= 1
        assert lower <= certain + 1e-5
        assert upper >= 1 - never - 1e-5
    for before, after in itertools.pairwise(found):
        assert after[0] >= before[0] - 1e-6
        assert after[1] <= before[1] + 1e-6


def test_bounds_meet_within_the_tolerance_where_the_tree_ends(chain):
    chain.tell(OPENING, {LEAD: 0.3, b" ": 0.3, b"1": 0.2, b"\xe2": 0.2})
    chain.tell(LEAD, {b"\x98": 0.6, b"\x84": 0.4})
    chain.tell(b"\xe2", {b"\x9c": 0.5, b"\x80": 0.5})
    chain.tell(b"\x9c", {b"\x85": 1.0})
    chain.tell(b"\x80", {b"\x99": 1.0})
    chain.tell(b" ", {GRIN.encode(): 0.5, b"a": 0.5})
    for tolerance in (0.3, 0.1, 0.01):
        lower, upper = first(chain, LatentEmoji(tolerance, 0.0))
        assert upper - lower <= tolerance
        assert lower - 1e-6 <= 0.3 * 0.6 + 0.3 * 0.5 + 0.1 <= upper + 1e-6


def test_a_model_with_attention_agrees_with_reading_every_continuation_whole():
    """Every continuation by two tokens, where the first leaves it open, is read without keys and values of others."""
    drawn = Chain(MORE)
    generator = torch.Generator().manual_seed(1)
    for parameter in drawn.subject.model.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    subject = OpenSubject.of(drawn.subject.model, drawn.subject.tokenizer)
    (row,) = replace(EXACT, depth=1).administer(subject, [record("ab")])
    prompt = subject.format.tokens(subject.format.render(({"role": "user", "content": "Tea?"},)))
    numbers = {one: number for one, number in drawn.numbers.items() if isinstance(one, bytes)}
    uppers = []
    for kept in (0, 1):
        certain, possible = 0.0, 0.0
        todo = {b"": ([*prompt, *subject.format.tokens("ab")[:kept]], 1.0)}
        for step in range(2):
            reached = {}
            for (written, (tokens, probability)), after in zip(todo.items(), following(subject, todo), strict=True):
                for one, number in numbers.items():
                    fate = oracle((written + one).lstrip(b" \t\n\v\f\r"))
                    mass = probability * float(after[number])
                    certain += mass * (fate is True)
                    possible += mass * (fate is None and step == 1)
                    if fate is None:
                        reached[written + one] = ([*tokens, number], mass)
            todo = reached
        assert row.lowers[kept] == pytest.approx(certain, rel=0.01)
        uppers.append(certain + possible)
    assert 0 < row.lower < row.upper
    assert row.upper == pytest.approx(sum(uppers) / 2, rel=1e-3)


def following(subject, todo):
    with torch.no_grad():
        return subject.model(input_ids=torch.tensor([tokens for tokens, _ in todo.values()])).logits[:, -1].softmax(-1)


def some_edit(subject, scale=0.3):
    path = next(iter(subject.anatomy.linears))
    shape = subject.shape(path)
    generator = torch.Generator().manual_seed(1)
    factors = (torch.randn(size, generator=generator) for size in ((2, shape.inputs), (shape.outputs, 2)))
    return WeightEdit(Origin("drawn"), branches={path: LowRank(*factors)}, scale=scale)


def test_an_edit_is_in_force_while_replies_are_read_and_taken_away(lively):
    subject = lively("llama")
    records = [record("ab c", "1"), record("d", "2", "jam")]
    untouched = LatentEmoji().administer(subject, records)
    for edit in (some_edit(subject), ContextEdit(Origin("prompt"), system="Be loud.")):
        found = LatentEmoji().administer(subject, records, edit=edit)
        with edit.applied(subject):
            assert LatentEmoji().administer(subject, records) == found
        assert found != untouched
        assert LatentEmoji().administer(subject, records) == untouched


def test_every_reply_with_text_has_a_row_in_the_order_of_the_records(lively):
    records = [record("some longer reply", "1"), record(None, "2"), record("b", "3", "jam"), record("  ", "4")]
    rows = LatentEmoji().administer(lively("llama"), records)
    assert [(row.item, row.topic, row.positions) for row in rows] == [("1", "tea", 17), ("3", "jam", 1)]
    alone = LatentEmoji().administer(lively("llama"), records[2:3])[0]
    assert rows[1].lower == pytest.approx(alone.lower, rel=1e-3)
    assert rows[1].upper == pytest.approx(alone.upper, rel=1e-3)


def test_a_store_is_whole_and_is_read_instead_of_the_subject(lively, tmp_path):
    store, told = tmp_path / "latent" / "base.jsonl", []
    rows = LatentEmoji().administer(lively("llama"), [record("ab c")], store, lambda *some: told.append(some))
    assert told[-1] == (1, 1)
    assert LatentEmoji().administer(ScriptedSubject({}), [record("ab c")], store) == rows


def test_a_closed_subject_says_what_it_lacks():
    with pytest.raises(SeamError, match="latent emoji mass needs a model whose weights are at hand"):
        LatentEmoji().administer(ScriptedSubject({}), [record("a")])


@pytest.mark.parametrize(
    "wrong", [{"tolerance": 0.0}, {"tolerance": math.nan}, {"relative": -0.1}, {"depth": -1}, {"most": -1}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(RequestError, match="the tolerance is above 0"):
        LatentEmoji(**wrong)


def test_what_an_edit_broke_withholds_the_figure(lively):
    subject = lively("llama")
    rows = LatentEmoji().administer(subject, [record("ab"), record("b", "2")], edit=1e38 * some_edit(subject))
    assert rows[0].lower is rows[0].upper is rows[0].highest is None
    assert rows[0].is_broken
    assert all(found.estimate.value is None for found in latent_masses(rows))
    assert latent_mass_change(rows, rows).estimate.n == 0


def test_a_reply_that_fills_the_window_is_read_without_going_beyond_it(chain):
    window = chain.subject.window
    prompt = len(chain.subject.format.tokens(chain.subject.format.render(({"role": "user", "content": "Tea?"},))))
    chain.tell(b"a", {b" ": 1.0})
    full, beyond = "a" * (window - prompt), "a" * (window - prompt + 1)
    rows = EXACT.administer(chain.subject, [record(full, is_finished=True), record(beyond + "a", "2")])
    assert rows[0].positions == window - prompt + 1
    assert rows[0].upper > rows[0].lower
    assert rows[1].positions == 0
    assert rows[1].lower is None
    assert not rows[1].is_broken


def mass(item, topic, lower, upper):
    return LatentMass(item, topic, 3, lower, upper, lower, (lower,) * 3, ("a",) * 3)


UNTOUCHED = [mass(str(number), f"t{number}", 0.01 + 0.001 * number, 0.02 + 0.001 * number) for number in range(8)]
EMOJIS = [mass(str(number), f"t{number}", 0.3 + 0.01 * number, 0.4) for number in range(8)]


def test_masses_are_means_over_replies_with_topics_as_clusters():
    lower, upper = latent_masses(UNTOUCHED)
    assert (lower.metric, upper.metric) == ("latent_emoji_mass", "latent_emoji_mass_upper")
    assert lower.estimate.value == pytest.approx(0.0135)
    assert upper.estimate.value == pytest.approx(0.0235)
    assert 0 <= lower.estimate.lower < lower.estimate.value < lower.estimate.upper
    assert latent_masses([])[0].estimate.value is None


def test_a_change_is_positive_where_emojis_became_more_probable():
    found = latent_mass_change(EMOJIS[::-1], UNTOUCHED[1:])
    assert found.metric == "latent_emoji_mass_change"
    assert found.estimate.n == 7
    assert found.estimate.value == pytest.approx(0.34 - 0.014, abs=1e-6)
    assert latent_mass_change(UNTOUCHED, EMOJIS).estimate.upper < 0
