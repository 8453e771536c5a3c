"""Adapters without a part: the part that matters is the one whose loss takes away the effect."""

import pytest
import torch
from planted_model import GATE, planted, planted_edit, planted_texts

from temperament.edit.activation import ActivationEdit
from temperament.edit.base import Origin
from temperament.edit.weight import LowRank
from temperament.explain.finding import Reason
from temperament.explain.knockout import conditions_of, knockouts, lacking
from temperament.explain.outcome import LATENT_MASS
from temperament.explain.probe import Condition, Probe

IDLE = "model.layers.2.mlp.down_proj"


def with_idle_branch():
    """The planted edit, and a branch of another layer that reads a unit which never fires."""
    edit = planted_edit()
    branches = {**edit.branches, IDLE: LowRank(torch.zeros(1, 64), torch.ones(32, 1))}
    return type(edit)(edit.origin, branches=branches)


def test_the_part_that_writes_emojis_is_told_from_one_that_does_not():
    subject, edit = planted(), with_idle_branch()
    probe = Probe(subject, edit, planted_texts(4, 1))
    parts = lacking(subject, edit)
    assert [(part.name, part.kind) for part in parts] == [
        ("layer 1", "layer"),
        ("layer 2", "layer"),
        ("gate_proj", "module"),
        ("down_proj", "module"),
    ]
    start, untouched, *found = probe.values([Condition(edit), Condition(None), *conditions_of(parts)])
    effects = {one.name: one.effect for one in knockouts(probe, parts, start, found) if one.outcome == LATENT_MASS}
    whole = sum(untouched[LATENT_MASS]) / 4 - sum(start[LATENT_MASS]) / 4
    assert effects["layer 1"].value == pytest.approx(whole)
    assert effects["layer 1"].upper < 0
    assert effects["gate_proj"] == effects["layer 1"]
    assert effects["layer 2"].value == effects["down_proj"].value == 0


def test_what_is_left_of_an_edit_keeps_its_strength_and_its_other_branches():
    subject, edit = planted(), 0.5 * with_idle_branch()
    parts = {part.name: part.edit for part in lacking(subject, edit)}
    assert set(parts["layer 2"].branches) == {GATE}
    assert set(parts["layer 1"].branches) == {IDLE}
    assert parts["layer 2"].strength == 0.5


def test_other_edits_have_a_reason():
    subject = planted()
    found = lacking(subject, ActivationEdit(Origin("drawn")))
    assert isinstance(found, Reason)
    assert found.reason.endswith("this is an edit of kind activation.")
    assert "several edits together" in lacking(subject, planted_edit() + planted_edit()).reason
