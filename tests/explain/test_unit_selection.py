"""The lens finds the units that an edit changes, says how, and finds none where nothing changed."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from planted import plant
from scipy.special import stdtr
from scipy.stats import false_discovery_control, ttest_ind, ttest_rel

from temperament.activation.reader import Reader
from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.errors import RequestError, SeamError
from temperament.explain import unit as lens_module
from temperament.explain.contrast import Layout, contrast
from temperament.explain.finding import Unit, UnitFinding
from temperament.explain.moment import Moments, Seen, TokenMoments
from temperament.explain.pair import Pair
from temperament.explain.selection import (
    KINDS,
    Differences,
    adjusted,
    confirm,
    effect,
    kinds,
    paired_t,
    signed_t,
    welch_t,
)
from temperament.explain.text import Text
from temperament.explain.unit import UnitLens
from temperament.record import read_json, to_json, write_text
from temperament.stats import discoveries
from temperament.subject.anatomy import Site
from temperament.subject.scripted import ScriptedSubject

ORIGIN = Origin("made up")


def texts(topics=12, each=1, seed=0):
    draw = random.Random(seed)
    words = ("rain", "tea", "I like it.", "no", "maybe so", "why?", "ab", "baa", "a long walk")

    def some(least, most):
        return " ".join(draw.choices(words, k=draw.randint(least, most)))

    return [Text(f"topic {number % topics}", some(1, 3), some(2, 6)) for number in range(topics * each)]


def shifting(subject, site, add):
    """An edit that adds to some units of a site."""
    found = torch.zeros(subject.width(site))
    for unit, amount in add.items():
        found[unit] = amount
    return ActivationEdit(ORIGIN, shifts={site: Shift(found)})


def at(finding, site):
    return [change for change in finding.changes if (change.unit.layer, change.unit.place) == (site.layer, site.place)]


def count_at(finding, site):
    return next(each for each in finding.sites if (each.layer, each.place) == (site.layer, site.place))


def base_means(subject, site, rows):
    """The mean of each unit in the untouched model, as the lens has it."""
    edit = shifting(subject, site, dict.fromkeys(range(subject.width(site)), 50.0))
    finding = UnitLens(places=(site.place,)).look(subject, edit, rows)
    return {change.unit.number: change.mean[0] for change in at(finding, site)}


@pytest.mark.parametrize(
    ("architecture", "place"),
    [("llama", "gate"), ("llama", "mlp"), ("gpt2", "attention"), ("gemma2", "gate"), ("gemma2", "mlp")],
)
def test_exactly_the_units_that_were_added_to_are_found_at_their_site(architecture, place, lively):
    subject, site = lively(architecture), Site(1, place)
    finding = UnitLens().look(subject, shifting(subject, site, {3: 2.0, 10: -1.5}), texts())
    found = {change.unit.number: change for change in at(finding, site)}
    assert found.keys() == {3, 10}
    assert found[3].effect > 0 > found[10].effect
    assert found[3].selected > 0 > found[10].selected
    assert found[3].mean[1] - found[3].mean[0] == pytest.approx(2.0, abs=1e-4)
    assert found[10].mean[1] - found[10].mean[0] == pytest.approx(-1.5, abs=1e-4)
    assert found[3].high[1] - found[3].high[0] == pytest.approx(2.0, abs=0.1)
    assert max(change.q for change in found.values()) <= 0.05
    counts = count_at(finding, site)
    assert (counts.confirmed, counts.units) == (2, subject.width(site))
    # What comes before the site in the model is as it was.
    assert count_at(finding, Site(0)).confirmed == 0
    assert {change.unit.layer for change in finding.changes} <= {1, 2}


class Storing(Reader):
    """Keeps what no reader should."""

    def __init__(self, subject, site):
        super().__init__(subject, [site])
        self.pieces = []

    def _take(self, site, piece):
        self.pieces.append(piece.clone())


def test_firing_and_percentiles_are_those_of_all_tokens_of_the_half_that_reports(lively):
    subject, site, rows = lively("llama"), Site(1, "mlp"), texts()
    edit = shifting(subject, site, {3: 2.0, 10: -1.5})
    found = at(UnitLens(places=("mlp",)).look(subject, edit, rows), site)
    pair, quarters = Pair(subject, edit, rows), lens_module._dealt(rows, 0)[1]
    for place, side in enumerate(("before", "after")):
        reader = Storing(subject, site)
        for batch in pair.batches(quarters[0] | quarters[1]):
            pair.read(side, batch, [reader])
        stored = torch.cat(reader.pieces).double().numpy()
        for change in found:
            values = stored[:, change.unit.number]
            assert change.high[place] == pytest.approx(np.quantile(values, 0.95), abs=1.1 * np.ptp(values) / 512)
            assert change.firing[place] == pytest.approx((values > 0).mean())


def test_the_kind_says_what_became_of_a_unit(lively):
    subject, site, rows = lively("llama"), Site(1, "mlp"), texts()
    means = base_means(subject, site, rows)
    highest, lowest = (pick(means, key=means.__getitem__) for pick in (max, min))
    up, down = means[highest], means[lowest]
    assert up > 0 > down
    wanted = {
        "amplified": {highest: up, lowest: down},
        "suppressed": {highest: -0.5 * up, lowest: -0.5 * down},
        "sign-flipped": {highest: -4 * up, lowest: -4 * down},
    }
    for kind, add in wanted.items():
        finding = UnitLens(places=("mlp",)).look(subject, shifting(subject, site, add), rows)
        assert {change.unit.number: change.kind for change in at(finding, site)} == dict.fromkeys(add, kind)
        assert count_at(finding, site).kinds == {**dict.fromkeys(KINDS, 0), kind: 2}


def test_a_gate_that_was_off_is_newly_activated():
    subject, site = plant(), Site(1, "gate")
    finding = UnitLens().look(subject, shifting(subject, site, {9: 3.0}), texts())
    (change,) = at(finding, site)
    assert (change.unit.number, change.kind) == (9, "newly activated")
    assert change.firing == (0.0, 1.0)
    assert change.effect > 0


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_an_edit_at_strength_0_changes_no_unit(architecture, lively):
    subject = lively(architecture)
    finding = UnitLens().look(subject, 0.0 * shifting(subject, Site(1), {3: 2.0}), texts())
    assert finding.changes == finding.dots == ()
    assert sum(each.selected for each in finding.sites) == 0


def test_normalised_effects_are_less_where_the_whole_site_grew(lively):
    """A unit that grows with all others stays what it was beside them."""
    subject, site = lively("llama"), Site(2, "gate")
    rows = texts()
    lens = UnitLens(places=("gate",))
    alone = lens.look(subject, shifting(subject, site, {3: 30.0}), rows)
    others = lens.look(subject, shifting(subject, site, dict.fromkeys(range(64), 30.0)), rows)
    change = next(change for change in at(alone, site) if change.unit.number == 3)
    crowd = next(change for change in at(others, site) if change.unit.number == 3)
    assert change.effect == pytest.approx(crowd.effect, rel=0.5)
    assert change.normalised > 0
    assert change.normalised != pytest.approx(change.effect, rel=0.1)
    assert crowd.normalised != pytest.approx(change.normalised, rel=0.1)


def test_the_null_on_a_random_model_stays_below_the_level(lively):
    for architecture in ("llama", "gpt2"):
        for seed in range(2):
            share = UnitLens(seed=seed).null(lively(architecture), texts(24, seed=seed))
            assert share is not None
            assert share <= 0.05


def test_the_null_of_a_finding_is_that_of_the_lens(lively):
    subject, rows, edit = lively("llama"), texts(16), shifting(lively("llama"), Site(1), {3: 2.0})
    finding = UnitLens(seed=1).look(subject, edit, rows)
    assert finding.null is not None
    assert finding.null == UnitLens(seed=1).null(subject, rows)
    # Three topics of a quarter select nothing, so that a share of 0 would be no finding.
    assert UnitLens().null(subject, texts(15)) is None
    assert UnitLens().look(subject, edit, texts(15)).null is None


def test_halves_that_differ_are_found_by_the_null(lively):
    """A null that could confirm nothing would be no control: texts of other letters are confirmed."""
    subject = lively("llama")
    rows = texts(32)
    lens = UnitLens()
    quarters = [quarter for half in lens_module._dealt(rows, 0) for quarter in half]
    first = quarters[0] | quarters[2]
    apart = [replace(row, answer="Z" * 30 if row.topic in first else "1" * 30) for row in rows]
    assert lens.null(subject, apart) > 0.2


def test_selection_and_report_share_no_topic_and_the_counts_add_up(lively):
    subject, rows = lively("llama"), texts(topics=9, each=2)
    finding = UnitLens(seed=3).look(subject, shifting(subject, Site(0), {3: 2.0}), rows)
    assert (finding.topics, finding.texts) == ((4, 5), (8, 10))
    confirmed = sum(each.confirmed for each in finding.sites)
    assert confirmed == sum(sum(each.kinds.values()) for each in finding.sites) > 0
    assert all(each.confirmed <= each.selected <= each.units for each in finding.sites)
    # The half that reports has no say in the order, or its effects would be picked for their size.
    sizes = [abs(change.selected) for change in finding.changes]
    assert sizes == sorted(sizes, reverse=True)
    assert [abs(change.effect) for change in finding.changes] != sorted(sizes, reverse=True)
    assert len(finding.dots) == len(finding.changes) == confirmed


def test_effect_and_p_are_those_of_the_half_that_reports(lively):
    subject, site, rows = lively("llama"), Site(1, "mlp"), texts(topics=9, each=2)
    lens, edit = UnitLens(seed=3, places=("mlp",)), shifting(subject, Site(0), {3: 2.0})
    dealt, pair = lens_module._dealt(rows, 3), Pair(subject, edit, rows)
    layout = Layout.of(subject, ("mlp",))
    looked = lens.closely(subject, edit, rows)
    found = {change.unit.number: change for change in at(looked.finding, site)}
    assert found
    for half, name in zip(dealt, ("selected", "effect"), strict=True):
        half_seen = contrast(pair, layout, half)
        change, normal = half_seen.seen.change, half_seen.seen.normalised
        tokens, divided = {}, {}
        for side in ("before", "after"):
            reader = Storing(subject, site)
            for batch in pair.batches(half[0] | half[1]):
                pair.read(side, batch, [reader])
            tokens[side] = torch.cat(reader.pieces).double().numpy()
            divided[side] = tokens[side] / np.sqrt((tokens[side] ** 2).mean(axis=1, keepdims=True))
        for number, told in found.items():
            index = layout.spans[site].start + number
            pooled, pooled_divided = (
                np.sqrt(np.mean([values[:, number].var(ddof=1) for values in each.values()]))
                for each in (tokens, divided)
            )
            assert getattr(told, name) == pytest.approx(change.mean[index] / pooled, rel=1e-3)
            if name == "effect":
                assert told.normalised == pytest.approx(normal.mean[index] / pooled_divided, rel=1e-3)
                t = change.mean[index] / change.deviation[index] * 5**0.5
                assert told.p == pytest.approx(2 * stdtr(4, -abs(t)), rel=1e-3)
    assert looked.reporting == dealt[1][0] | dealt[1][1]
    assert len(looked.reporting) == 5


def test_a_look_ranks_all_confirmed_units_by_the_half_that_selects(lively, monkeypatch):
    monkeypatch.setattr(lens_module, "CHANGES", 5)
    subject = lively("llama")
    looked = UnitLens(places=("mlp", "residual")).closely(subject, shifting(subject, Site(0), {3: 3.0}), texts())
    changes = [change.unit for change in looked.finding.changes]
    assert len(set(looked.ranked)) == len(looked.ranked) == sum(site.confirmed for site in looked.finding.sites) > 10
    assert [dot.unit for dot in looked.finding.dots] == list(looked.ranked)
    for place in ("mlp", "residual"):
        first = [unit for unit in looked.ranked if unit.place == place][:5]
        assert [unit for unit in changes if unit.place == place] == first


def test_random_signs_confirm_next_to_nothing_where_the_edit_changes_much(lively):
    subject = lively("llama")
    edit = shifting(subject, Site(0), {3: 3.0, 5: -2.0})
    finding = UnitLens(seed=1).look(subject, edit, texts(24))
    confirmed = sum(site.confirmed for site in finding.sites) / sum(site.units for site in finding.sites)
    assert confirmed > 0.1
    assert finding.flipped is not None
    assert finding.flipped <= 0.05
    assert finding.flipped == UnitLens(seed=1).look(subject, edit, texts(24)).flipped
    # Of two topics the signs are alike every other time, and what is there would be found again.
    assert UnitLens().look(subject, edit, texts(4)).flipped is None


def test_signs_that_are_all_alike_find_what_is_there(lively):
    """A control that could confirm nothing would be no control."""
    subject = lively("llama")
    pair, layout = Pair(subject, shifting(subject, Site(0), {3: 3.0}), texts(12)), Layout.of(subject, ("residual",))
    halves = [contrast(pair, layout, half) for half in lens_module._dealt(pair.texts, 0)]
    same = [replace(half, signed=half.seen.topics * half.seen.change.mean[None]) for half in halves]
    found = confirm(*(paired_t(half.seen) for half in halves), 0.05).is_confirmed.mean()
    assert lens_module.flipped_share(*same, 0.05) == pytest.approx(found)
    assert found > 0.2


def test_only_the_units_with_the_largest_effects_are_told_of_in_full(lively, monkeypatch):
    monkeypatch.setattr(lens_module, "CHANGES", 5)
    monkeypatch.setattr(lens_module, "DOTS", 7)
    subject, site = lively("llama"), Site(2)
    finding = UnitLens(places=("residual",)).look(
        subject, shifting(subject, site, dict.fromkeys(range(9), 3.0)), texts()
    )
    assert (len(finding.changes), len(finding.dots)) == (5, 7)
    assert [dot.unit for dot in finding.dots[:5]] == [change.unit for change in finding.changes]
    assert count_at(finding, site).confirmed == 9


def test_the_order_of_texts_does_not_matter_to_the_finding(lively):
    subject, rows, lens = lively("llama"), texts(each=2), UnitLens(places=("gate", "residual"))
    edit = shifting(subject, Site(1, "gate"), {3: 2.0, 10: -1.5})
    first = lens.look(subject, edit, rows)
    second = lens.look(subject, edit, random.Random(5).sample(rows, len(rows)))
    assert [each.confirmed for each in first.sites] == [each.confirmed for each in second.sites]
    assert {change.unit: change.kind for change in first.changes} == {
        change.unit: change.kind for change in second.changes
    }


def test_a_finding_is_kept_as_json(lively, tmp_path):
    subject = lively("llama")
    finding = UnitLens().look(subject, shifting(subject, Site(1), {3: 2.0}), texts(16))
    assert finding.null is not None
    assert finding.flipped is not None
    write_text(tmp_path / "units.json", to_json(finding))
    assert read_json(tmp_path / "units.json", UnitFinding) == finding


def test_progress_counts_every_text_and_ends(lively):
    subject, told = lively("llama"), []
    edit = shifting(subject, Site(1), {3: 2.0})
    for each in (edit, 0.0 * edit):
        told.clear()
        UnitLens(places=("residual",)).look(subject, each, texts(), lambda done, total: told.append((done, total)))
        assert told[-1] == (36, 36)
        assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_a_lens_refuses_what_it_cannot_do(lively):
    subject = lively("llama")
    edit = shifting(subject, Site(1), {3: 2.0})
    with pytest.raises(RequestError, match="at least four"):
        UnitLens().look(subject, edit, texts(3))
    with pytest.raises(RequestError, match="a level lies between 0 and 1"):
        UnitLens(level=1.0)
    with pytest.raises(SeamError, match="not at hand"):
        UnitLens().look(ScriptedSubject(lambda _: ""), edit, texts())


def test_looking_leaves_no_trace(lively, logits_of):
    subject = lively("llama")
    before = logits_of(subject)
    UnitLens().look(subject, shifting(subject, Site(1), {3: 2.0}), texts())
    assert torch.equal(logits_of(subject), before)
    assert not any(module._forward_hooks for module in subject.model.modules())


# What follows needs no model.


def moments(rows):
    return Moments(len(rows), rows.mean(axis=0), ((rows - rows.mean(axis=0)) ** 2).sum(axis=0))


def seen(before, after):
    return Seen(moments(before), moments(after), moments(after - before), moments((after - before) / 2))


def of_tokens(rows):
    return TokenMoments(len(rows), rows.sum(axis=0), (rows**2).sum(axis=0))


def drawn(seed=0, topics=9, units=200, by=0.8):
    draw = np.random.default_rng(seed)
    before = draw.normal(1, 1, (topics, units))
    return before, before + draw.normal(0, 1, (topics, units)) + by * (np.arange(units) < units // 4)


def test_the_paired_test_and_its_effect_are_those_of_scipy():
    before, after = drawn()
    found, expected = paired_t(seen(before, after)), ttest_rel(after, before)
    np.testing.assert_allclose(found.t, expected.statistic)
    np.testing.assert_allclose(found.p, expected.pvalue)


def test_the_effect_is_the_mean_change_by_the_pooled_deviation_over_tokens():
    before, after = drawn(topics=40)
    change, tokens = seen(before, after).change, (of_tokens(before), of_tokens(after[:30]))
    pooled = np.sqrt((39 * before.var(axis=0, ddof=1) + 29 * after[:30].var(axis=0, ddof=1)) / 68)
    np.testing.assert_allclose(effect(change, tokens), (after - before).mean(axis=0) / pooled)
    assert effect(change, tokens)[:50].mean() > 0.3


def test_a_small_shift_that_is_the_same_everywhere_is_certain_and_small():
    before, _ = drawn(by=0.0)
    shifted = before + 0.01
    found = effect(seen(before, shifted).change, (of_tokens(before), of_tokens(shifted)))
    assert paired_t(seen(before, shifted)).p.max() < 1e-9
    assert 0 < found.min() < found.max() < 0.1


def test_signed_changes_are_tested_as_if_they_had_been_so():
    before, after = drawn()
    signs = np.array([1, -1, -1, 1, 1, -1, 1, 1, 1])[:, None]
    found = signed_t(seen(before, after), (signs * (after - before)).sum(axis=0))
    expected = ttest_rel(before + signs * (after - before), before)
    np.testing.assert_allclose(found.t, expected.statistic)
    np.testing.assert_allclose(found.p, expected.pvalue)
    constant = signed_t(seen(before, before + 1), np.full(200, 9.0))
    assert np.isfinite(constant.t).all()
    assert (signed_t(seen(before, before), np.zeros(200)).p == 1).all()


def test_welch_is_that_of_scipy_and_above_0_where_the_second_group_is_higher():
    before, after = drawn()
    found, expected = welch_t(moments(before[:4]), moments(after)), ttest_ind(after, before[:4], equal_var=False)
    np.testing.assert_allclose(found.t, expected.statistic)
    np.testing.assert_allclose(found.p, expected.pvalue)


def test_what_rounding_makes_of_no_change_is_no_change():
    draw = np.random.default_rng(0)
    before = draw.normal(5, 1, (9, 100))
    noisy = before * (1 + draw.uniform(0, 1e-8, before.shape))
    assert paired_t(seen(before, noisy)).p.min() > 0.5
    assert (paired_t(seen(before, before)).p == 1).all()
    assert (effect(seen(before, before).change, (of_tokens(before), of_tokens(before))) == 0).all()
    nothing = np.zeros((9, 3))
    assert (paired_t(seen(nothing, nothing)).p == 1).all()
    # A unit that never varies, and one that is always silent.
    for constant, shift in ((5.0, 0.01), (0.0, 1.0), (0.0, 0.0)):
        flat = np.full((9, 3), constant)
        sizes = effect(seen(flat, flat + shift).change, (of_tokens(flat), of_tokens(flat + shift)))
        assert np.isfinite(sizes).all()
        assert (sizes > 0).all() == (shift > 0)
    assert paired_t(seen(before, before + 1)).p.max() < 1e-9


def test_the_correction_is_that_of_scipy_and_of_the_statistics():
    p = np.concatenate([np.random.default_rng(0).uniform(size=300), np.linspace(1e-9, 1e-3, 40), [0.01, 0.01, 1.0]])
    np.testing.assert_allclose(adjusted(p), false_discovery_control(p))
    named = discoveries({str(number): float(each) for number, each in enumerate(p)})
    np.testing.assert_allclose(adjusted(p), [each.adjusted for each in named.values()])


def test_a_unit_is_confirmed_where_both_halves_find_it_and_agree():
    selecting = Differences(np.array([9.0, 9.0, 9.0, 0.1]), np.array([1e-6, 1e-6, 1e-6, 0.9]))
    reporting = Differences(np.array([9.0, -9.0, 0.1, 9.0]), np.array([1e-6, 1e-6, 0.9, 1e-6]))
    found = confirm(selecting, reporting, 0.05)
    assert found.is_selected.tolist() == [True, True, True, False]
    assert found.is_confirmed.tolist() == [True, False, False, False]
    assert np.isnan(found.q).tolist() == [False, False, False, True]
    # Corrected over the three that were selected, not over all four.
    assert found.q[0] == pytest.approx(1.5e-6)


def test_noise_alone_confirms_next_to_nothing():
    shares = []
    for seed in range(40):
        halves = [drawn(2 * seed + half, by=0.0) for half in (0, 1)]
        first, second = (paired_t(seen(*half)) for half in halves)
        shares.append(confirm(first, second, 0.05).is_confirmed.mean())
    assert np.mean(shares) < 0.005


def test_kinds_by_hand():
    draw = np.random.default_rng(0)
    noise = draw.normal(0, 0.1, (12, 6))
    before = noise + np.array([1.0, 1.0, 1.0, 0.01, -0.1, -0.1])
    after = noise[::-1] + np.array([3.0, 0.4, -1.0, -2.0, 1.0, 1.0])
    is_gate = np.array([False, False, False, False, True, False])
    off, on = np.array([0.9, 0.9, 0.9, 0.5, 0.04, 0.04]), np.array([1.0, 0.8, 0.1, 0.0, 0.5, 0.5])
    found = kinds(seen(before, after), (off, on), is_gate, 0.05)
    # The fourth has a mean before that may as well be 0, so it has no sign to flip.
    expected = ["amplified", "suppressed", "sign-flipped", "amplified", "newly activated", "sign-flipped"]
    assert [KINDS[kind] for kind in found] == expected
    assert str(Unit(3, "gate", 17)) == "gate 3.17"
