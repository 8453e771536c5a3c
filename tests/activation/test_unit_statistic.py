"""Statistics of units that stream are those of all activations, stored and looked at afterwards."""

import pytest
import torch

from temperament.activation import reader as reading
from temperament.activation.statistic import Collector, UnitStatistics, UnitTotals, cohens_d
from temperament.activation.text import read_texts
from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.errors import RequestError, SeamError
from temperament.subject.anatomy import Site
from temperament.subject.text import Encoded

SITES = (Site(0, "gate"), Site(2, "gate"), Site(1))


def texts(seed=0, count=7):
    generator = torch.Generator().manual_seed(seed)

    def tokens(least, most):
        length = int(torch.randint(least, most, (1,), generator=generator))
        return tuple(torch.randint(5, 200, (length,), generator=generator).tolist())

    return [Encoded(tokens(2, 9), tokens(1, 12)) for _ in range(count)]


def stored(subject, site, rows, part="answer"):
    """Every activation that counts, [token, unit], by a hook and a loop over single rows."""
    found = []
    for row in rows:
        fed, last = row.prompt + row.answer[:-1], len(row.prompt) - 1

        def keep(activation, _is_reply, prompt=last):
            places = {"answer": slice(prompt, None), "prompt": slice(0, prompt), "all": slice(None)}[part]
            found.append(activation[0, places].clone())
            return activation

        with torch.no_grad(), subject.rewrite(site, keep):
            subject.model(input_ids=torch.tensor([fed]))
    return torch.cat(found).double()


@pytest.mark.parametrize("part", ["answer", "prompt", "all"])
@pytest.mark.parametrize("piece", [1, 100, 1 << 19])
def test_streaming_equals_storing_everything(part, piece, lively, monkeypatch):
    monkeypatch.setitem(reading.PIECE, "cpu", piece)
    subject, rows = lively("llama"), texts()
    collector = Collector(subject, SITES)
    read_texts(subject, rows, [collector], part)
    for site in SITES:
        expected = stored(subject, site, rows, part)
        found = collector.statistics(site)
        assert found.tokens == len(expected)
        assert torch.equal(found.positive, (expected > 0).sum(dim=0).double())
        near = {"rtol": 1e-5, "atol": 1e-4}
        torch.testing.assert_close(found.mean, expected.mean(dim=0), **near)
        torch.testing.assert_close(found.variance, expected.var(dim=0), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.least, expected.amin(dim=0), **near)
        torch.testing.assert_close(found.greatest, expected.amax(dim=0), **near)
        assert 0 < found.firing.mean() < 1


def test_a_gate_of_known_weights_fires_as_often_as_its_token_is_read(hand_made):
    collector = Collector(hand_made, [Site(1, "gate")])
    row = Encoded((hand_made.start,), (hand_made.a,) * 3 + (hand_made.b,) * 4)
    read_texts(hand_made, [row], [collector])
    found = collector.statistics(Site(1, "gate"))
    # Seven tokens are read off the prompt's last position, three a and three b: the last b is never read.
    assert found.tokens == 7
    assert (found.positive[3], found.positive[5]) == (3, 3)
    assert found.greatest[3] == pytest.approx(hand_made.fired, rel=1e-4)
    assert found.firing[3] == pytest.approx(3 / 7)


def test_reading_changes_nothing_and_leaves_nothing(lively, logits_of):
    subject = lively("llama")
    before = logits_of(subject)
    collector = Collector(subject, SITES)
    with collector.reading():
        assert torch.equal(logits_of(subject), before)
    with pytest.raises(ZeroDivisionError), collector.reading():
        _ = 1 / 0
    assert not any(module._forward_hooks for module in subject.model.modules())
    assert collector.statistics(SITES[0]).tokens > 0


def test_statistics_go_on_in_and_out_of_inference_mode(lively):
    subject, collector = lively("llama"), None
    with torch.inference_mode():
        collector = Collector(subject, SITES)
        with collector.reading():
            subject.model(input_ids=torch.tensor([[7, 8, 9]]))
    with collector.reading():
        subject.model(input_ids=torch.tensor([[7, 8, 9]]))
    found = collector.statistics(SITES[0])
    assert found.tokens == 6
    assert not found.mean.is_inference()


def test_an_edit_is_seen_and_two_conditions_stay_apart(lively):
    subject, rows, site = lively("llama"), texts(), Site(1, "gate")
    base, shaped = Collector(subject, [site]), Collector(subject, [site])
    read_texts(subject, rows, [base])
    edit = ActivationEdit(Origin("direction"), shifts={site: Shift(torch.full((64,), 3.0))})
    with edit.applied(subject):
        read_texts(subject, rows, [shaped])
    difference = shaped.statistics(site).mean - base.statistics(site).mean
    torch.testing.assert_close(difference, torch.full((64,), 3.0, dtype=torch.float64), rtol=1e-4, atol=1e-4)
    with edit.applied(subject):
        prompts = Collector(subject, [site])
        read_texts(subject, rows, [prompts], "prompt")
    again = Collector(subject, [site])
    read_texts(subject, rows, [again], "prompt")
    # What is counted does not decide what is edited: an edit of replies leaves the prompt alone.
    assert torch.equal(prompts.statistics(site).mean, again.statistics(site).mean)


def test_statistics_are_the_same_every_time_and_add_up(lively):
    subject, rows, site = lively("llama"), texts(), Site(1, "gate")

    def of(rows):
        collector = Collector(subject, [site])
        read_texts(subject, rows, [collector])
        return collector.statistics(site)

    first, again, parts = of(rows), of(rows), of(rows[:3]) + of(rows[3:])
    assert torch.equal(first.total, again.total)
    assert torch.equal(first.squares, again.squares)
    assert (parts.tokens, parts.positive.tolist()) == (first.tokens, first.positive.tolist())
    torch.testing.assert_close(parts.variance, first.variance, rtol=1e-4, atol=1e-5)
    assert torch.allclose(parts.greatest, first.greatest)


def test_memory_is_in_the_number_of_units(lively, monkeypatch):
    subject, site = lively("llama"), Site(1, "gate")
    monkeypatch.setitem(reading.PIECE, "cpu", 16 * 64)

    def kept(count):
        collector = Collector(subject, [site])
        read_texts(subject, texts(count=count), [collector])
        held = [*vars(collector).values(), *(vars(one) for one in collector._kept.values())]
        tensors = [each for one in held for each in (one.values() if isinstance(one, dict) else [one])]
        return sum(each.untyped_storage().nbytes() for each in tensors if isinstance(each, torch.Tensor))

    assert kept(20) == kept(400) < 64 * (5 * 8 * 3 + 16 * 4)


def test_sums_of_many_tokens_lose_nothing():
    """In float32 alone a sum of this many tokens would stop growing at 16,777,216."""
    totals = UnitTotals(1, torch.device("cpu"))
    piece, scratch = torch.ones(1 << 18, 1), torch.empty(1 << 18, 1)
    for _ in range(65):
        totals.add(piece, scratch)
    found = totals.value()
    assert found.tokens == found.positive.item() == found.total.item() == found.squares.item() == 65 * (1 << 18)
    assert found.variance.item() == 0


def test_cohens_d_is_in_pooled_deviations_and_has_a_sign():
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(400, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    first[:, 0] += 2
    first[:, 2] = second[:, 2] = 1.0

    def of(values):
        totals = UnitTotals(3, torch.device("cpu"))
        totals.add(values.float(), torch.empty(len(values), 3))
        return totals.value()

    pooled = ((first.var(dim=0) + second.var(dim=0)) / 2).sqrt()
    expected = ((first.mean(dim=0) - second.mean(dim=0)) / pooled)[:2]
    found = cohens_d(of(first), of(second))
    torch.testing.assert_close(found[:2], expected, rtol=1e-4, atol=1e-4)
    assert found[0] > 1.5
    assert found[2] == 0
    assert torch.equal(cohens_d(of(second), of(first)), -found)


def test_nothing_counted_is_an_error_and_no_zero(lively):
    subject = lively("llama")
    with pytest.raises(RequestError, match="no token was counted: read some texts first"):
        Collector(subject, SITES).statistics(SITES[0])
    with pytest.raises(SeamError, match="layer 9 does not exist"):
        Collector(subject, [Site(9)])
    one = UnitStatistics(1, *torch.ones(5, 2, dtype=torch.float64))
    assert one.variance.isnan().all()
