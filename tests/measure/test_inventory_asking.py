"""Administration to models: probabilities of whole options, under any edit, and without a trace."""

import math

import pytest
import torch

from temperament.activation.forcing import Exchange, log_probabilities
from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.edit.weight import LowRank, WeightEdit
from temperament.errors import BadFileError, MismatchError, RequestError
from temperament.measure.inventory import choice
from temperament.measure.inventory.choice import choices, options_of
from temperament.measure.inventory.inventory import Inventory
from temperament.measure.inventory.scoring import answers_of, label_bias, measure, position_bias
from temperament.measure.inventory.statement import Statement
from temperament.measure.inventory.wording import LABELS, OPTIONS, ORDERS, Form
from temperament.record import NOT_A_NUMBER
from temperament.subject.anatomy import Site
from temperament.subject.open import OpenSubject
from temperament.subject.scripted import ScriptedSubject
from temperament.subject.tiny import tiny_subject

STATEMENTS = (
    Statement("a", "I hum.", "extraversion", "cheerfulness", "plus"),
    Statement("b", "I would rather not sing on a bus.", "extraversion", "cheerfulness", "minus"),
    Statement("c", "I read maps.", "openness", "imagination", "plus"),
)
FORMS = [Form(labels, order) for labels in LABELS for order in ORDERS]


def tiny(**settings):
    return Inventory("tiny", STATEMENTS, **settings)


def edit_of(kind, subject):
    generator = torch.Generator().manual_seed(1)
    if kind == "context":
        return ContextEdit(Origin("prompt"), system="Be loud.", turns=({"role": "user", "content": "And?"},))
    if kind == "activation":
        shifts = {Site(layer): Shift(torch.randn(32, generator=generator)) for layer in (0, 2)}
        return ActivationEdit(Origin("direction"), shifts=shifts)
    branches = {}
    for path in list(subject.anatomy.linears)[:3]:
        shape = subject.shape(path)
        factors = (torch.randn(size, generator=generator) for size in ((2, shape.inputs), (shape.outputs, 2)))
        branches[path] = LowRank(*factors)
    return WeightEdit(Origin("drawn"), branches=branches, scale=0.3)


def forced(subject, form, statement, edit=None):
    """The mass of each option, by reading every spelling of it as a whole answer."""
    pairs = [Exchange(form.question(statement.text), word) for option in form.spellings for word in option]
    masses = iter([math.exp(float(found.double().sum())) for found in log_probabilities(subject, pairs, edit)])
    return [sum(next(masses) for _ in option) for option in form.spellings]


def near(masses):
    """Masses of words are tiny where a token is a byte: nothing but their ratio counts."""
    assert min(masses) > 0
    return pytest.approx(masses, rel=1e-2, abs=0)


@pytest.fixture(scope="module")
def stubborn():
    """A model that begins every reply with 'A' or '1', whatever it reads."""
    subject = tiny_subject("llama")
    model = subject.model
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(torch.ones(()))
        for block in model.model.layers:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
        model.lm_head.weight.zero_()
        for mark in "A1":
            model.lm_head.weight[subject.format.tokens(mark)[0]] = 1.0
    return OpenSubject.of(model, subject.tokenizer, "stubborn")


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma2"])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_mass_is_the_probability_of_the_whole_option(lively, architecture, form):
    subject = lively(architecture)
    rows = tiny(labels=(form.labels,), orders=(form.order,)).administer(subject)
    for statement, row in zip(STATEMENTS, rows, strict=True):
        masses = forced(subject, form, statement)
        assert row.probabilities == near(masses)
        assert row.outside == pytest.approx(1 - sum(masses), abs=1e-4)
        assert row.reply is row.error is None


@pytest.mark.parametrize("kind", ["context", "weight", "activation"])
@pytest.mark.parametrize("labels", LABELS)
def test_an_edit_is_in_force_where_a_reply_is_and_leaves_no_trace(lively, kind, labels):
    subject = lively("llama")
    inventory = tiny(labels=(labels,))
    untouched, edit = inventory.administer(subject), edit_of(kind, subject)
    rows = inventory.administer(subject, edit=edit)
    for statement, row in zip(STATEMENTS, rows, strict=False):
        assert row.probabilities == near(forced(subject, inventory.forms[0], statement, edit))
    with edit.applied(subject):
        assert inventory.administer(subject) == rows
    assert [row.probabilities for row in rows] != [row.probabilities for row in untouched]
    assert inventory.administer(subject) == untouched == inventory.administer(subject, edit=0.0 * edit)


def test_a_model_that_says_a_and_1_shows_a_bias_to_the_first_place_and_no_opinion(stubborn):
    rows = tiny(labels=("letters", "digits")).administer(stubborn)
    by_order = {order: [row.probabilities for row in rows if row.order == order] for order in ORDERS}
    # The state has the length sqrt(32) after the norm, so the logits of both marks are 32 and those of others 0.
    assert by_order["accurate-first"] == [pytest.approx((0, 0, 0, 0, 0.5), abs=1e-5)] * 6
    assert by_order["inaccurate-first"] == [pytest.approx((0.5, 0, 0, 0, 0), abs=1e-5)] * 6
    assert position_bias(rows).value == pytest.approx(-2, abs=1e-4)
    assert label_bias(rows).value == pytest.approx(0, abs=1e-4)
    assert [answer.score for answer in answers_of(rows)] == pytest.approx([3, 3, 3], abs=1e-4)
    (refusal,) = (one.estimate for one in measure(rows) if one.metric == "inventory_refusal")
    assert refusal.value == pytest.approx(0.5, abs=1e-4)


def test_what_shares_a_batch_changes_nothing(lively, monkeypatch):
    subject = lively("llama")
    together = tiny().administer(subject)
    monkeypatch.setattr(choice, "ROWS", 1)
    apart = tiny().administer(subject)
    assert [row.id for row in apart] == [row.id for row in together]
    for one, other in zip(apart, together, strict=True):
        assert one.probabilities == near(other.probabilities)


def test_a_question_that_does_not_fit_is_missing_with_its_reason(lively):
    long = Statement("long", "I go on. " * 40, "openness", "imagination", "plus")
    rows = Inventory("long", (*STATEMENTS, long)).administer(lively("llama"))
    assert {row.item for row in rows if row.probabilities is None} == {"long"}
    assert {row.error for row in rows if row.item == "long"} == {
        "the question does not fit into the 512 tokens that tiny:llama reads."
    }
    assert all(row.outside is None for row in rows if row.item == "long")


def test_what_an_edit_broke_is_missing_and_no_refusal(lively):
    subject = lively("llama")
    rows = tiny().administer(subject, edit=1e38 * edit_of("weight", subject))
    assert {(row.probabilities, row.outside, row.error) for row in rows} == {(None, None, NOT_A_NUMBER)}
    assert {(one.estimate.value, one.estimate.n) for one in measure(rows)} == {(None, 0)}


def test_a_store_is_whole_and_belongs_to_its_inventory(lively, tmp_path):
    store, told = tmp_path / "ratings" / "base.jsonl", []
    rows = tiny().administer(lively("llama"), store, lambda done, total: told.append((done, total)))
    assert told[-1] == (18, 18)
    assert told == sorted(told)
    assert [path.name for path in store.parent.iterdir()] == ["base.jsonl"]
    assert tiny().administer(ScriptedSubject({}), store) == rows
    with pytest.raises(MismatchError, match="18 ratings that begin with 'a-letters-accurate-first', and 6 that"):
        tiny(labels=("digits",)).administer(lively("llama"), store)
    store.write_text(store.read_text()[:-20])
    with pytest.raises(BadFileError, match=r"base\.jsonl:18"):
        tiny().administer(lively("llama"), store)
    store.write_text("")
    with pytest.raises(BadFileError, match="is empty"):
        tiny().administer(lively("llama"), store)


def test_options_that_begin_alike_are_refused(lively):
    with pytest.raises(RequestError, match="the options 'a' and 'ab' begin alike for the tokenizer of tiny:llama"):
        choices(lively("llama"), ["And?"], [["a"], ["ab"]])


def test_a_spelling_that_goes_on_from_another_of_its_option_counts_once(lively):
    subject = lively("llama")
    found = options_of(subject, "And?", [["a", "ab", "a"], ["cd", "cef"]])
    a, c, e = (subject.format.tokens(letter)[0] for letter in "ace")
    assert found.spellings[0] == ((a,),)
    assert found.heads == ((c, e),)
    assert len(found.spellings[1]) == 2


def test_the_statement_comes_last_and_the_options_in_their_order():
    shown = Form("digits", "inaccurate-first").question("I hum.").splitlines()
    assert shown[2:7] == [f"{number}. {option}" for number, option in enumerate(OPTIONS, start=1)]
    assert shown[-1] == "Statement: I hum."
    assert Form("letters", "accurate-first").question("I hum.").splitlines()[2] == "A. very accurate"
    assert Form("words", "accurate-first").question("I hum.").splitlines()[2] == "very accurate"
    assert [Form("letters", order).names[4] for order in ORDERS] == ["A", "E"]
