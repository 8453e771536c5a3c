"""What is read off texts: latent emoji mass within the bounds of the search, and the likelihood of words."""

import math

import pytest
import torch
from chain import END, OPENING, Chain
from planted_model import planted, planted_edit, planted_texts

from temperament.activation.forcing import Exchange, log_probabilities
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.errors import RequestError
from temperament.explain.outcome import LATENT_MASS, LOG_LIKELIHOOD, words_of
from temperament.explain.probe import Condition, Probe
from temperament.explain.text import Text
from temperament.measure.latent import LatentEmoji
from temperament.measure.spelling import spell
from temperament.measure.written import given_replies
from temperament.record import Generation, Label, Record

SPACED, GRIN = b" \xf0\x9f", "\U0001f600"
CLOSE = LatentEmoji(tolerance=0.001, relative=0.0, depth=3, most=1000)


@pytest.fixture(scope="module")
def shared():
    return Chain((SPACED, GRIN.encode()))


@pytest.fixture
def chain(shared):
    shared.forget()
    return shared


def records(texts):
    label, how = Label(), Generation()
    return [
        Record("s", "f", "p", label, how, str(number), one.topic, one.question, "", one.answer, None, one.is_finished)
        for number, one in enumerate(texts)
    ]


def masses(subject, texts, edit=None, **settings):
    return Probe(subject, edit, texts, **settings).values([Condition(edit)])[0][LATENT_MASS]


def test_a_known_probability_is_the_mass(chain):
    chain.tell(OPENING, {GRIN.encode(): 0.3, b"a": 0.7})
    chain.tell(b"a", {GRIN.encode(): 0.1, b"a": 0.9})
    assert masses(chain.subject, [Text("t", "Tea?", "a"), Text("t", "Tea?", "aa")]) == [
        pytest.approx(0.3, rel=1e-5),
        pytest.approx(0.2, rel=1e-5),
    ]


def test_a_beginning_that_is_torn_counts_by_what_comes_of_it(chain):
    chain.tell(OPENING, {SPACED: 0.5, b"a": 0.5})
    chain.tell(SPACED, {b"\x98": 0.4, b"\x84": 0.6})
    text = Text("t", "Tea?", "a")
    assert masses(chain.subject, [text]) == [pytest.approx(0.2, rel=1e-5)]
    assert masses(chain.subject, [text], limit=0) == [pytest.approx(0, abs=1e-6)]


def test_the_end_of_a_reply_that_ended_is_a_position(chain):
    chain.tell(OPENING, {b"a": 1.0})
    chain.tell(b"a", {GRIN.encode(): 0.25, END: 0.75})
    found = masses(chain.subject, [Text("t", "Tea?", "a", is_finished=True), Text("t", "Tea?", "a")])
    assert found == [pytest.approx(0.125, rel=1e-5), pytest.approx(0, abs=1e-6)]


def test_what_is_inside_an_emoji_is_no_position(chain):
    chain.tell(OPENING, {b"\xf0": 0.5, b"a": 0.5})
    chain.tell(b"\xf0", {b"\x9f": 1.0})
    chain.tell(b"\x9f", {b"\x98": 1.0})
    chain.tell(b"\x98", {b"\x80": 1.0})
    assert masses(chain.subject, [Text("t", "Tea?", GRIN)]) == [pytest.approx(0.5, rel=1e-5)]


def test_masses_lie_within_the_bounds_of_the_search():
    subject, edit = planted(), planted_edit()
    texts = planted_texts(2, 1)
    bounds = CLOSE.administer(subject, records(texts), edit=edit)
    for mass, bound in zip(masses(subject, texts, edit), bounds, strict=True):
        assert 0.05 < 0.9 * bound.lower < mass <= bound.upper * 1.0001
    with edit.applied(subject):
        same = Probe(subject, None, texts, search=CLOSE, limit=10_000).values([Condition(None)])[0][LATENT_MASS]
    # The bounds are rounded to six digits, and beginnings after which there is none are not read again.
    assert same == [pytest.approx(bound.lower, rel=1e-4) for bound in bounds]


def test_where_nothing_torn_is_followed_the_mass_is_the_lower_bound(chain):
    chain.tell(OPENING, {SPACED: 0.5, GRIN.encode(): 0.2, b"a": 0.3})
    texts = [Text("t", "Tea?", "a b"), Text("u", "Tea?", "ab", is_finished=True)]
    bounds = LatentEmoji(depth=0).administer(chain.subject, records(texts))
    found = masses(chain.subject, texts, limit=0)
    assert found == [pytest.approx(bound.lower, rel=1e-5) for bound in bounds]
    assert all(mass < bound.upper for mass, bound in zip(found, bounds, strict=True))


def test_a_beginning_that_one_of_the_states_is_likely_to_write_is_read_in_both():
    subject, edit = planted(), planted_edit()
    texts = planted_texts(2, 1)
    assert masses(subject, texts) == [0.0, 0.0]
    edited, untouched = Probe(subject, edit, texts).values([Condition(edit), Condition(None)])
    assert 1e-6 < min(untouched[LATENT_MASS]) < max(untouched[LATENT_MASS]) < 0.01 * min(edited[LATENT_MASS])


def test_the_likelihood_is_that_of_teacher_forcing(lively):
    subject = lively("llama")
    texts = [Text("t", "Tea?", "with milk"), Text("u", "Rain?", "no", is_finished=True)]
    expected = log_probabilities(subject, [Exchange(text.question, text.answer) for text in texts])
    found = Probe(subject, None, texts).values([Condition(None)])[0][LOG_LIKELIHOOD]
    assert found == [pytest.approx(float(one.mean()), rel=1e-4) for one in expected]


def test_emojis_are_no_words(chain):
    spelled = spell(chain.subject.tokenizer)
    _, written = given_replies(chain.subject, [Exchange("Tea?", f"a {GRIN}\u00e9b")], [False], spelled)
    assert words_of(written[0]) == [True, True, False, False, False, False, True, True, True]
    given, written = given_replies(chain.subject, [Exchange("Tea?", "ab")], [True], spelled)
    assert words_of(written[0]) == [True, True]
    assert len(given.row(0).answer) == 3
    found = Probe(chain.subject, None, [Text("t", "Tea?", GRIN), Text("t", "Tea?", "ab")]).values([Condition(None)])[0]
    assert math.isnan(found[LOG_LIKELIHOOD][0])
    assert math.isfinite(found[LOG_LIKELIHOOD][1])


def test_texts_that_do_not_fit_behind_a_longer_prompt_are_left_out(lively):
    subject = lively("llama")
    edit = ContextEdit(Origin("prompt"), system="Be cheerful. " * 30)
    texts = [Text("t", "Tea?", "milk"), Text("u", "Rain?", "no " * 50)]
    assert Probe(subject, None, texts).topics == ["t", "u"]
    assert Probe(subject, edit, texts).topics == ["t"]
    with pytest.raises(RequestError, match="none of 1 texts"):
        Probe(subject, edit, texts[1:])


def test_a_model_that_breaks_has_no_numbers(chain):
    probe = Probe(chain.subject, None, [Text("t", "Tea?", "ab")])
    with chain.subject.change("model.layers.0.mlp.down_proj", lambda _given, out: out * torch.nan):
        found = probe.values([Condition(None)])[0]
    assert all(math.isnan(one[0]) for one in found.values())
