"""Activation edits by their definition: which positions they change, and to what."""

import pytest
import torch

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.subject.anatomy import Site

SITES = (Site(0), Site(1, "gate"))
MARKS = {
    "rows that begin at different positions": [[0, 0, 1, 1, 1], [0, 0, 0, 0, 1]],
    "the last position, as in a prompt": [[0, 0, 0, 0, 1]] * 2,
    "a reply in the middle": [[0, 1, 1, 0, 0], [0, 0, 0, 0, 0]],
    "all": [[1] * 5] * 2,
    "none": [[0] * 5] * 2,
    "one row": [[1] * 5, [0] * 5],
}


@pytest.mark.parametrize("strength", [1.0, 0.5, -2.0])
@pytest.mark.parametrize("name", MARKS)
@pytest.mark.parametrize("has_clamps", [True, False])
def test_an_edit_changes_what_is_marked_and_nothing_else(name, strength, has_clamps, lively):
    subject, generator = lively("llama"), torch.Generator().manual_seed(0)
    is_reply = torch.tensor(MARKS[name], dtype=torch.bool)
    shifts, before, after = {}, {}, {}
    for site in SITES:
        width = subject.width(site)
        is_clamped = torch.rand(width, generator=generator) < 0.5 if has_clamps else None
        shifts[site] = Shift(torch.randn(width, generator=generator), is_clamped)
    edit = strength * ActivationEdit(Origin("neurons"), shifts=shifts)

    def keeping(kept, site):
        def see(activation, _):
            kept[site] = activation.clone()
            return activation

        return see

    first, second = SITES
    with (
        torch.no_grad(),
        subject.marking(is_reply),
        subject.rewrite(first, keeping(before, first)),
        subject.rewrite(second, keeping(before, second)),
        edit.applied(subject),
        subject.rewrite(first, keeping(after, first)),
        subject.rewrite(second, keeping(after, second)),
    ):
        subject.model(input_ids=torch.arange(10).reshape(2, 5))
    for site, shift in shifts.items():
        found = before[site].clone()
        if has_clamps:
            found[..., shift.is_clamped] = found[..., shift.is_clamped].clamp(max=0)
        expected = before[site] + strength * (found + shift.add - before[site])
        torch.testing.assert_close(after[site][is_reply], expected[is_reply])
        assert torch.equal(after[site][~is_reply], before[site][~is_reply])


def test_the_marks_of_each_pass_are_looked_at_anew(lively):
    subject, site = lively("llama"), Site(1)
    edit = ActivationEdit(Origin("direction"), shifts={site: Shift(torch.ones(32))})
    untouched, seen = [], []
    with (
        torch.no_grad(),
        subject.rewrite(site, lambda activation, _: untouched.append(activation) or activation),
        edit.applied(subject),
        subject.rewrite(site, lambda activation, _: seen.append(activation) or activation),
    ):
        for marks in ([[1, 0, 0]], [[0, 0, 1]], [[0, 0, 0]], [[1, 1, 1]]):
            with subject.marking(torch.tensor(marks, dtype=torch.bool)):
                subject.model(input_ids=torch.tensor([[1, 2, 3]]))
    moved = [(after - before).abs().sum(dim=-1).gt(1).tolist() for before, after in zip(untouched, seen, strict=True)]
    assert moved == [[[True, False, False]], [[False, False, True]], [[False] * 3], [[True] * 3]]
