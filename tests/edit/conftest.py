"""Random edits of every kind, and a folder's content as a value."""

import pytest
import torch

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.edit.context import ContextEdit
from temperament.edit.weight import LowRank, WeightEdit
from temperament.subject.anatomy import Site
from temperament.trait import Target


def origin_for(subject, method="drawn"):
    return Origin(
        method,
        target=Target("extraversion", "high"),
        settings={"rank": 2},
        subject=subject.name,
        subject_fingerprint=subject.fingerprint,
        seed=7,
    )


def weight_edit(subject, seed=0, paths=None, rank=2, scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    branches = {}
    for path in paths or subject.anatomy.linears:
        shape = subject.shape(path)
        branches[path] = LowRank(
            torch.randn(rank, shape.inputs, generator=generator) * 0.1,
            torch.randn(shape.outputs, rank, generator=generator) * 0.1,
        )
    return WeightEdit(origin_for(subject, "lora"), branches=branches, scale=scale)


def activation_edit(subject, seed=0, sites=None, tokens="all", *, clamps=True):
    generator = torch.Generator().manual_seed(seed)
    shifts = {}
    for site in sites or (Site(0), Site(2)):
        width = subject.width(site)
        is_clamped = torch.rand(width, generator=generator) < 0.3 if clamps else None
        shifts[site] = Shift(torch.randn(width, generator=generator), is_clamped)
    return ActivationEdit(origin_for(subject, "direction"), shifts=shifts, tokens=tokens)


def context_edit(subject, seed=0):
    turns = ({"role": "user", "content": f"And {seed}?"}, {"role": "assistant", "content": "Let us dance."})
    return ContextEdit(origin_for(subject, "prompt"), system=f"You are extraverted ({seed}).", turns=turns)


def stack_edit(subject, seed=0):
    return context_edit(subject, seed) + 0.5 * weight_edit(subject, seed) + -2.0 * activation_edit(subject, seed)


DRAWN = {"weight": weight_edit, "activation": activation_edit, "context": context_edit, "stack": stack_edit}


@pytest.fixture(scope="session")
def draw():
    """A random edit: ``draw(kind, subject, seed, ...)``; kinds are those of ``DRAWN``."""
    return lambda kind, subject, *args, **options: DRAWN[kind](subject, *args, **options)


@pytest.fixture(scope="session")
def content_of():
    """What lies in a folder, hidden files too: bytes by relative path."""
    return lambda folder: {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
