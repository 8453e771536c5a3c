"""Percentiles from histograms are those of all activations, to within a bin."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from temperament.activation.histogram import Histograms, Range, _Counts
from temperament.activation.statistic import Collector
from temperament.activation.text import read_texts
from temperament.errors import RequestError
from temperament.subject.anatomy import Site
from temperament.subject.text import Encoded

SITE = Site(1, "gate")


def counted(values, bins):
    counts = _Counts(Range(torch.arange(values.shape[1]), values.amin(dim=0), values.amax(dim=0)), bins)
    for piece in values.split(7):
        counts.add(piece)
    return counts


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    tokens=st.integers(1, 300),
    share=st.floats(0, 1),
    bins=st.sampled_from([1, 3, 64, 512]),
    kind=st.sampled_from(["normal", "heavy", "constant", "two"]),
)
def test_a_percentile_is_off_by_at_most_a_bin(seed, tokens, share, bins, kind):
    drawn = torch.randn(tokens, 4, generator=torch.Generator().manual_seed(seed))
    values = {"normal": drawn, "heavy": drawn**5, "constant": torch.full_like(drawn, 2.5), "two": drawn.sign()}[kind]
    counts = counted(values, bins)
    expected = np.percentile(values.double().numpy(), 100 * share, axis=0)
    width = (values.amax(dim=0) - values.amin(dim=0)).double().numpy() / bins
    error = np.abs(counts.percentile(share).numpy() - expected)
    assert (error <= width * (1 + 1e-3) + 1e-5).all()
    assert counts.value.sum(dim=1).eq(tokens).all()


def test_fine_bins_find_the_95th_percentile_of_a_long_sample():
    values = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 3.0, 0.1])
    found = counted(values, 512).percentile(0.95)
    torch.testing.assert_close(found, torch.tensor([1.645, 4.935, 0.1645]).double(), rtol=0.05, atol=0)


def test_selected_units_of_a_site_are_read_in_a_second_pass(lively):
    subject = lively("llama")
    rows = [Encoded((7, 8, 9), tuple(range(20 + row, 32 + row))) for row in range(9)]
    collector, kept = Collector(subject, [SITE]), []
    read_texts(subject, rows, [collector])
    found = collector.statistics(SITE)

    def keep(activation, is_reply):
        kept.append(activation[is_reply].clone())
        return activation

    units = torch.tensor([3, 17, 60])
    histograms = Histograms(subject, {SITE: Range(units, found.least[units], found.greatest[units])})
    with subject.rewrite(SITE, keep):
        read_texts(subject, rows, [histograms])
    expected = np.percentile(torch.cat(kept)[:, units].double().numpy(), 95, axis=0)
    width = (found.greatest - found.least)[units].numpy() / histograms.bins
    assert (np.abs(histograms.percentile(SITE, 0.95).numpy() - expected) <= width * 1.01).all()
    assert histograms.counts(SITE).shape == (3, 512)


def test_what_lies_outside_by_rounding_counts_at_the_edge():
    counts = _Counts(Range(torch.arange(1), torch.zeros(1), torch.ones(1)), 4)
    counts.add(torch.tensor([[-1e-6], [0.1], [0.6], [1.0], [1.0 + 1e-6]]))
    assert counts.value.tolist() == [[2, 0, 1, 2]]


def test_a_percentile_of_nothing_is_an_error(lively):
    histograms = Histograms(lively("llama"), {SITE: Range(torch.tensor([1]), torch.zeros(1), torch.ones(1))})
    with pytest.raises(RequestError, match="no token was counted"):
        histograms.percentile(SITE, 0.95)
    with pytest.raises(RequestError, match="percentile at 95 was asked for: give a share, 0 to 1"):
        histograms.percentile(SITE, 95.0)
    with pytest.raises(RequestError, match="bins is 0"):
        Histograms(lively("llama"), {}, bins=0)
