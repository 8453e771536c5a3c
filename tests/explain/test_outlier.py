"""Dimensions that stand out in the untouched model are listed, and set apart from what an edit did."""

import pytest
import torch

from temperament.activation.statistic import UnitStatistics
from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.explain.contrast import Layout
from temperament.explain.finding import Unit
from temperament.explain.outlier import RATIO, magnitudes, outliers
from temperament.explain.text import Text
from temperament.explain.unit import UnitLens
from temperament.subject.anatomy import Site
from temperament.subject.tiny import tiny_subject

SITES = (Site(0, "gate"), Site(0), Site(1))


def statistics(values):
    """Of one token with these activations."""
    row = torch.tensor(values, dtype=torch.float64)
    return UnitStatistics(1, (row > 0).double(), row, row.square(), row, row)


def test_a_dimension_is_an_outlier_by_the_median_of_its_own_site_whatever_its_sign():
    layout = Layout(SITES, (3, 5, 5))
    gate, small, large = [1.0, 1.0, 99.0], [0.1, 0.1, 0.1, -0.7, 0.5], [10.0, 10.0, -10.0, 50.0, 70.0]
    found = outliers(layout, statistics([*gate, *small, *large]))
    assert {index: each.unit for index, each in found.items()} == {
        6: Unit(0, "residual", 3),
        12: Unit(1, "residual", 4),
    }
    assert [each.ratio for each in found.values()] == pytest.approx([7.0, 7.0])
    assert RATIO < 7.0


def test_nothing_stands_out_where_most_units_are_silent():
    layout = Layout((Site(0),), (5,))
    assert magnitudes(layout, statistics([0.0, 0.0, 0.0, 1.0, 5.0])).tolist() == [0.0] * 5


def test_an_outlier_that_changes_is_listed_and_left_out_of_the_ranking():
    subject = tiny_subject("llama")
    with torch.no_grad():
        subject.model.model.embed_tokens.weight[:, 7] += 5.0
    texts = [Text(f"topic {number}", "why?", "because " * (1 + number % 4)) for number in range(12)]
    add = torch.zeros(32)
    add[[7, 9]] = 1.0
    edit = ActivationEdit(Origin("made up"), shifts={Site(0): Shift(add)})
    finding = UnitLens(places=("residual",)).look(subject, edit, texts)
    assert [each.unit for each in finding.outliers] == [Unit(layer, "residual", 7) for layer in range(3)]
    assert all(each.ratio > RATIO for each in finding.outliers)
    assert [change.unit for change in finding.changes if change.unit.layer == 0] == [Unit(0, "residual", 9)]
    assert Unit(0, "residual", 7) not in [dot.unit for dot in finding.dots]
    # Counted it is, by itself: nothing is dropped in silence.
    counts = finding.sites[0]
    assert (counts.selected, counts.confirmed, sum(counts.kinds.values()), counts.outliers) == (1, 1, 1, 1)
    look = UnitLens(places=("residual",)).closely(subject, edit, texts)
    assert 7 not in {unit.number for unit in look.ranked}
