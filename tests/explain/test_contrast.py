"""Contrasts that stream are those of all activations, stored and looked at afterwards."""

import itertools
import random

import numpy as np
import pytest
import torch

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.errors import SeamError
from temperament.explain import pair as pairing
from temperament.explain.contrast import DRAWS, Contrast, Layout, contrast
from temperament.explain.moment import Moments, TokenMoments
from temperament.explain.pair import Pair
from temperament.explain.text import Text
from temperament.subject.anatomy import Site
from temperament.subject.base import as_conversation

PLACES = ("gate", "mlp", "attention", "residual")
ORIGIN = Origin("made up")
QUARTERS = ({"t0", "t1"}, {"t2", "t3", "t4"})
TOPICS = QUARTERS[0] | QUARTERS[1]


def texts(count=7, topics=5, seed=0):
    """Texts of uneven length and topics of uneven size, some of which end by themselves."""
    draw = random.Random(seed)
    words = ("rain", "tea", "I like it.", "no", "maybe so", "why?", "a long walk")

    def some(least, most):
        return " ".join(draw.choices(words, k=draw.randint(least, most)))

    return [Text(f"t{number % topics}", some(1, 3), some(1, 6), number % 3 == 0) for number in range(count)]


def shifted(subject):
    add = torch.zeros(64)
    add[[3, 10]] = torch.tensor([2.0, -1.5])
    return ActivationEdit(ORIGIN, shifts={Site(1, "gate"): Shift(add)})


EDITS = {"activation": shifted, "context": lambda _: ContextEdit(ORIGIN, system="You are fond of rain.")}


def stored(subject, layout, rows):
    """Every activation of each text, [token, unit of all sites], by hooks and a loop over single texts."""
    found = []
    for row in rows:
        encoded = subject.encode(as_conversation(row.question), row.answer)
        words = encoded.answer[: len(encoded.answer) - len(subject.format.ending)]
        fed = encoded.prompt + (words if row.is_finished else words[:-1])
        first, kept = len(encoded.prompt) - 1, {}
        marks = torch.zeros(1, len(fed), dtype=torch.bool)
        marks[:, first:] = True
        with torch.no_grad(), torch.random.fork_rng(), subject.marking(marks):
            handles = []
            for site in layout.sites:

                def keep(activation, site=site, first=first, kept=kept):
                    kept[site] = activation[0, first:].double().numpy()
                    return activation

                handles.append(subject.anatomy.rewrite(site, keep))
            subject.model(input_ids=torch.tensor([fed]))
            for handle in handles:
                handle.remove()
        found.append([kept[site] for site in layout.sites])
    return found


def normalised(sites):
    return [part / np.sqrt((part**2).mean(axis=1, keepdims=True)) for part in sites]


def by_topic(rows, activations, change=lambda sites: sites):
    """The mean of each topic's texts' means, [unit], by topic."""
    means = {}
    for row, sites in zip(rows, activations, strict=True):
        means.setdefault(row.topic, []).append(np.concatenate([part.mean(axis=0) for part in change(sites)]))
    return {topic: np.mean(each, axis=0) for topic, each in means.items()}


def moments_equal(found, values):
    values = np.array(values)
    assert found.topics == len(values)
    np.testing.assert_allclose(found.mean, values.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.squares, ((values - values.mean(axis=0)) ** 2).sum(axis=0), rtol=1e-3, atol=1e-5)


def seen(subject, edit, rows, tokens=4096, monkeypatch=None):
    if monkeypatch:
        monkeypatch.setattr(pairing, "TOKENS", tokens)
    layout = Layout.of(subject, PLACES)
    return layout, contrast(Pair(subject, edit, rows), layout, QUARTERS)


@pytest.mark.parametrize(
    ("architecture", "kind", "tokens"),
    [
        ("llama", "activation", 1),
        ("llama", "context", 150),
        ("gemma2", "context", 4096),
        ("gpt2", "context", 150),
    ],
)
def test_streaming_equals_storing_everything(architecture, kind, tokens, lively, monkeypatch):
    subject, rows = lively(architecture), texts()
    edit = EDITS[kind](subject)
    layout, found = seen(subject, edit, rows, tokens, monkeypatch)
    before = stored(subject, layout, rows)
    with edit.applied(subject):
        after = stored(subject, layout, rows)
    for quarter, topics in zip(found.quarters, QUARTERS, strict=True):
        first, second = by_topic(rows, before), by_topic(rows, after)
        moments_equal(quarter.before, [first[topic] for topic in sorted(topics)])
        moments_equal(quarter.after, [second[topic] for topic in sorted(topics)])
        moments_equal(quarter.change, [second[topic] - first[topic] for topic in sorted(topics)])
        first, second = by_topic(rows, before, normalised), by_topic(rows, after, normalised)
        moments_equal(quarter.normalised, [second[topic] - first[topic] for topic in sorted(topics)])
    for moments, activations in zip(found.normal, (before, after), strict=True):
        tokens_of_all = np.concatenate([np.concatenate(normalised(sites), axis=1) for sites in activations])
        assert moments.tokens == len(tokens_of_all)
        np.testing.assert_allclose(moments.total, tokens_of_all.sum(axis=0), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(moments.deviations, tokens_of_all.var(axis=0) * len(tokens_of_all), rtol=1e-3)
    for statistics, activations in ((found.before, before), (found.after, after)):
        tokens_of_all = np.concatenate([np.concatenate(sites, axis=1) for sites in activations])
        assert statistics.tokens == len(tokens_of_all)
        np.testing.assert_allclose(statistics.mean, tokens_of_all.mean(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(statistics.greatest, tokens_of_all.max(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(statistics.least, tokens_of_all.min(axis=0), rtol=1e-4, atol=1e-5)
        assert np.abs(statistics.firing.numpy() - (tokens_of_all > 0).mean(axis=0)).max() <= 1 / len(tokens_of_all)
    assert found.texts == len(rows)


def test_a_unit_that_is_added_to_differs_by_that_and_those_before_it_by_nothing(lively):
    subject = lively("llama")
    layout, found = seen(subject, shifted(subject), texts())
    change = found.seen.change
    gate = change.mean[layout.spans[Site(1, "gate")]]
    assert gate[3] == pytest.approx(2.0, abs=1e-5)
    assert gate[10] == pytest.approx(-1.5, abs=1e-5)
    assert np.delete(gate, [3, 10]).tolist() == [0.0] * 62
    assert not change.mean[layout.spans[Site(0)]].any()
    assert not change.mean[layout.spans[Site(1, "attention")]].any()
    assert change.mean[layout.spans[Site(1)]].all()


def test_every_topic_has_one_sign_in_a_draw_whatever_it_is_read_with(lively, monkeypatch):
    subject, rows = lively("llama"), texts()
    _, found = seen(subject, shifted(subject), rows)
    _, other = seen(subject, shifted(subject), random.Random(1).sample(rows, len(rows)), 1, monkeypatch)
    layout = Layout.of(subject, PLACES)
    before = by_topic(rows, stored(subject, layout, rows))
    with shifted(subject).applied(subject):
        after = by_topic(rows, stored(subject, layout, rows))
    changes = np.array([after[topic] - before[topic] for topic in sorted(TOPICS)])
    unit = layout.spans[Site(1)].start + 3
    # A gate unit that is moved by 2 in every topic says how many of its signs are above 0.
    signs = found.signed[:, layout.spans[Site(1, "gate")].start + 3] / 2
    assert signs.shape == (DRAWS,)
    assert set(np.round(signs, 3)) <= {-5.0, -3.0, -1.0, 1.0, 3.0, 5.0}
    assert len(set(np.round(signs, 3))) > 2
    sums = {
        round(float(sum(sign * change for sign, change in zip(row, changes[:, unit], strict=True))), 3)
        for row in itertools.product((1, -1), repeat=5)
    }
    assert all(min(abs(value - each) for each in sums) < 2e-3 for value in found.signed[:, unit])
    np.testing.assert_allclose(found.signed, other.signed, rtol=1e-3, atol=1e-4)


def test_without_an_edit_there_is_no_change_to_give_a_sign(lively):
    subject = lively("llama")
    layout = Layout.of(subject, PLACES)
    found = contrast(Pair(subject, None, texts()), layout, QUARTERS)
    assert found.signed.shape == (0, layout.units)
    assert found.normal[0].tokens == found.normal[1].tokens == found.before.tokens


def test_the_order_of_texts_does_not_matter(lively):
    subject, rows = lively("llama"), texts()
    shuffled = random.Random(1).sample(rows, len(rows))
    first, second = (seen(subject, shifted(subject), some)[1] for some in (rows, shuffled))
    np.testing.assert_allclose(first.seen.change.mean, second.seen.change.mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(first.seen.change.squares, second.seen.change.squares, rtol=1e-3, atol=1e-6)


def test_a_reply_that_ended_itself_has_its_end_as_a_position(lively):
    subject = lively("llama")
    rows = [Text(f"t{number}", "Why?", "Because", is_finished) for number in range(4) for is_finished in (True, False)]
    pair = Pair(subject, None, rows)
    assert pair.counts == [8, 7] * 4


def test_texts_that_fit_on_one_side_only_are_left_out(lively):
    subject = lively("llama")
    long = Text("t0", "Why?", "so " * 150)
    edit = ContextEdit(ORIGIN, system="rain " * 20)
    assert Pair(subject, None, [long, Text("t1", "Why?", "So")]).texts[0] == long
    assert [text.topic for text in Pair(subject, edit, [long, Text("t1", "Why?", "So")]).texts] == ["t1"]


def test_the_longest_reply_that_fits_has_its_end_as_a_position_on_both_sides(lively):
    subject, edit = lively("llama"), ContextEdit(ORIGIN, system="rain")
    with edit.applied(subject):
        most = subject.window - len(subject.encode(as_conversation("Why?"), "So").prompt)
    rows = [Text(f"t{length}", "Why?", "a" * length, is_finished=True) for length in (most, most + 1)]
    pair = Pair(subject, edit, rows)
    assert pair.counts == [most + 1]
    for side in ("before", "after"):
        pair.read(side, next(pair.batches({f"t{most}"})))


def test_what_is_kept_does_not_grow_with_texts_and_tokens(lively):
    subject = lively("llama")
    layout = Layout.of(subject, PLACES)
    sizes = set()
    for count in (5, 25):
        pair = Pair(subject, shifted(subject), texts(count))
        taking = Contrast(pair, layout, QUARTERS)
        for batch in pair.batches(TOPICS):
            taking.take(batch)
        kept = [part for spreads in taking._spreads for spread in spreads.values() for part in spread._kept.values()]
        kept += [part for sums in (taking._before, taking._after) for part in _totals(sums)]
        kept += taking._signed.values()
        sizes.add(sum(part.numel() for part in kept))
        assert not taking._rest
    # Two quarters of a mean and squares of four quantities, seven sums over tokens on two sides, and signed sums.
    assert sizes == {layout.units * (2 * 2 * 4 + 2 * 7 + DRAWS)}


def _totals(sums):
    for totals in sums.totals.values():
        yield from (totals.positive, totals.total, totals.squares, totals.least, totals.greatest)
    yield from sums.normal.values()


def test_a_topic_too_large_for_a_batch_comes_in_parts_and_no_batch_is_too_large(lively, monkeypatch):
    monkeypatch.setattr(pairing, "TOKENS", 200)
    pair = Pair(lively("llama"), None, texts(40))
    batches = list(pair.batches(TOPICS))
    assert sorted(number for batch in batches for number in batch.numbers) == list(range(40))
    assert any(batch.is_open for batch in batches)
    assert max(len(batch.numbers) for batch in batches) < 8
    closed = [topic for batch in batches if not batch.is_open for topic in batch.topics]
    assert sorted(closed) == sorted(TOPICS)


def test_places_that_a_model_does_not_have_are_left_out(lively):
    assert {site.place for site in Layout.of(lively("gpt2"), PLACES).sites} == {"mlp", "attention", "residual"}
    layout = Layout.of(lively("llama"), PLACES)
    assert layout.units == 3 * (64 + 3 * 32)
    assert str(layout.unit(0)) == "gate 0.0"
    assert str(layout.unit(64 + 3 * 32 + 5)) == "gate 1.5"
    assert str(layout.unit(layout.units - 1)) == "residual 2.31"
    with pytest.raises(SeamError, match="has none of these"):
        Layout.of(lively("gpt2"), ("gate",))


@pytest.mark.parametrize("edit", EDITS.values())
def test_a_contrast_that_fails_leaves_no_trace(edit, lively, logits_of):
    subject = lively("llama")
    before = logits_of(subject)

    def fail(_count):
        raise KeyboardInterrupt

    layout = Layout.of(subject, PLACES)
    with pytest.raises(KeyboardInterrupt):
        contrast(Pair(subject, edit(subject), texts()), layout, QUARTERS, fail)
    assert torch.equal(logits_of(subject), before)
    assert not any(module._forward_hooks for module in subject.model.modules())
    assert not subject._labels
    assert subject._is_reply is None


def test_moments_over_tokens_add_up_to_those_of_all():
    values = np.random.default_rng(0).normal(3, 1, (9, 4))
    first, second = (TokenMoments(len(rows), rows.sum(axis=0), (rows**2).sum(axis=0)) for rows in np.split(values, [4]))
    np.testing.assert_allclose((first + second).deviations, 9 * values.var(axis=0))


def test_moments_add_up_to_those_of_all_topics():
    values = np.random.default_rng(0).normal(3, 1, (9, 4))

    def of(rows):
        return Moments(len(rows), rows.mean(axis=0), ((rows - rows.mean(axis=0)) ** 2).sum(axis=0))

    nothing = Moments(0, np.zeros(4), np.zeros(4))
    found = of(values[:2]) + nothing + of(values[2:])
    np.testing.assert_allclose(found.mean, values.mean(axis=0))
    np.testing.assert_allclose(found.deviation, values.std(axis=0, ddof=1))
    np.testing.assert_allclose(found.size, np.sqrt((values**2).mean(axis=0)))
