"""Arms differ where they differ by more than seeds do."""

import random

import numpy as np
import pytest
import torch

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.base import Origin
from temperament.errors import BadFileError, MismatchError, RequestError
from temperament.explain import arm
from temperament.explain.arm import Effects, compare_arms, load_effects
from temperament.explain.text import Text
from temperament.explain.unit import UnitLens
from temperament.subject.anatomy import Site

NAMES = ("qlora", "neutral")


def runs(count, shift=0.0, moved=20, seed=0):
    """Runs of 200 units, the first of which are moved."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        gate, mlp = draw.normal(0, 1, (2, 100))
        gate[:moved] += shift
        found.append(
            Effects(12, {Site(0, "gate"): gate.astype(np.float32), Site(0, "mlp"): mlp.astype(np.float32)}, {})
        )
    return found


def test_arms_that_differ_have_the_smallest_p_that_the_seeds_allow():
    found = compare_arms(runs(4, shift=6.0), runs(4, seed=1), NAMES, "gate")
    assert len(found.relabelled) == 34
    assert found.p == pytest.approx(1 / 35)
    assert found.distance > max(found.relabelled)
    assert (found.first, found.second, found.seeds, found.place) == ("qlora", "neutral", (4, 4), "gate")
    # The moved units are beyond, and few of the others.
    assert 20 <= found.beyond <= 30
    assert found.expected < 3


def test_arms_of_one_kind_are_like_any_other_division():
    found = [compare_arms(runs(4, seed=seed), runs(4, seed=seed + 100), NAMES, "all") for seed in range(20)]
    assert np.mean([each.p for each in found]) == pytest.approx(0.5, abs=0.2)
    assert np.mean([each.beyond for each in found]) == pytest.approx(200 / 35, rel=0.3)
    assert np.mean([each.expected for each in found]) == pytest.approx(200 / 35, rel=0.1)


def test_the_distance_is_that_of_the_means_and_arms_can_be_swapped():
    first, second = runs(3, shift=1.0), runs(3, seed=1)
    found, swapped = compare_arms(first, second, NAMES, "gate"), compare_arms(second, first, NAMES, "gate")
    means = [np.mean([run.raw[Site(0, "gate")] for run in some], axis=0) for some in (first, second)]
    assert found.distance == pytest.approx(((means[0] - means[1]) ** 2).mean(), rel=1e-5)
    assert swapped.distance == pytest.approx(found.distance)
    assert (swapped.p, swapped.beyond) == (found.p, found.beyond)
    assert len(found.relabelled) == 9


def test_every_division_counts_once():
    same, other = (np.array(list(arm._divisions(*sizes, 0))) for sizes in ((3, 3), (3, 4)))
    assert (len(same), len(other)) == (10, 35)
    assert same[0].tolist() == [True] * 3 + [False] * 3
    assert other[0].tolist() == [True] * 3 + [False] * 4
    assert len({tuple(row) for row in other}) == 35
    assert len({frozenset({tuple(row), tuple(~row)}) for row in same}) == 10
    assert set(other.sum(axis=1)) == {3}


def test_many_divisions_are_drawn_and_the_real_one_is_the_first(monkeypatch):
    monkeypatch.setattr(arm, "DIVISIONS", 20)
    for first, second in ((5, 5), (4, 6)):
        found = np.array(list(arm._divisions(first, second, 0)))
        assert found[0].tolist() == [True] * first + [False] * second
        assert len({tuple(row) for row in found}) == len(found) == 20
        assert set(found.sum(axis=1)) == {first}
        assert np.array_equal(found, list(arm._divisions(first, second, 0)))
        assert not np.array_equal(found, list(arm._divisions(first, second, 1)))


def test_runs_that_are_the_same_tie():
    run = runs(1)
    found = compare_arms(run * 3, run * 3, NAMES, "gate")
    assert (found.distance, found.p, found.beyond, found.expected) == (0.0, 1.0, 0, 0.0)


def test_too_few_seeds_and_runs_of_other_models_are_refused():
    with pytest.raises(RequestError, match="'neutral' has 2 runs: shape it with at least 3 seeds"):
        compare_arms(runs(3), runs(2), NAMES, "gate")
    with pytest.raises(RequestError, match="none there"):
        compare_arms(runs(3), runs(3), NAMES, "attention")
    other = Effects(12, {Site(0, "gate"): np.zeros(7, dtype=np.float32)}, {})
    with pytest.raises(MismatchError, match="different units"):
        compare_arms(runs(3), [*runs(2), other], NAMES, "gate")


def texts(topics=8):
    draw = random.Random(0)
    words = ("rain", "tea", "no", "maybe so", "why?", "a long walk")
    return [Text(f"topic {number}", "why?", " ".join(draw.choices(words, k=4))) for number in range(topics)]


def test_effects_of_edits_are_kept_and_compared(lively, tmp_path):
    subject = lively("llama")
    arms = []
    for common, place in ((3, "a"), (40, "b")):
        arms.append([])
        for seed in range(3):
            add = 0.3 * torch.randn(64, generator=torch.Generator().manual_seed(seed))
            add[common] += 9.0
            # A gate is clamped as well, so that changes vary over topics.
            is_clamped = torch.ones(64, dtype=torch.bool)
            edit = ActivationEdit(Origin("made up", seed=seed), shifts={Site(1, "gate"): Shift(add, is_clamped)})
            effects = UnitLens(places=("gate",)).closely(subject, edit, texts()).effects
            path = tmp_path / f"{place}{seed}.safetensors"
            effects.save(path)
            loaded = load_effects(path)
            assert loaded.topics == effects.topics == 8
            for kind in ("raw", "normalised"):
                first, second = getattr(effects, kind), getattr(loaded, kind)
                assert all(np.array_equal(first[site], second[site]) for site in first)
                assert first.keys() == second.keys()
            assert loaded.raw[Site(1, "gate")][common] > 3
            assert loaded.normalised[Site(1, "gate")][common] > 1
            assert not loaded.raw[Site(0, "gate")].any()
            arms[-1].append(loaded)
    found = compare_arms(arms[0], arms[1], NAMES, "gate")
    assert found.p == pytest.approx(0.1)
    assert found.beyond >= 2


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "effects.safetensors"
    with pytest.raises(BadFileError, match="effects"):
        load_effects(path)
    for content in (b"nonsense", b""):
        path.write_bytes(content)
        with pytest.raises(BadFileError, match="effects"):
            load_effects(path)
    from safetensors.numpy import save

    for name in ("weight", "raw.nowhere.0", "raw.gate.x", "other.gate.0"):
        path.write_bytes(save({name: np.zeros(2, dtype=np.float32), "topics": np.array([3])}))
        with pytest.raises(BadFileError, match="Explain the edit anew"):
            load_effects(path)
