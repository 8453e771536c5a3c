"""A gradient taken apart is the gradient, and a pass that begins late is the pass."""

import pytest
import torch

from temperament.edit.base import Origin
from temperament.edit.weight import LowRank, WeightEdit
from temperament.errors import SeamError
from temperament.shape.mend.gradient import Gradients, take_apart
from temperament.shape.mend.network import Moments, Network, condensed
from temperament.shape.mend.trunk import Trunk
from temperament.subject.anatomy import Site
from temperament.subject.base import as_conversation

ARCHITECTURES = ["llama", "gpt2", "phi3", "gemma2", "gpt_neox"]


def encoded(subject, opinions, count):
    return [subject.encode(as_conversation(row.question), row.answer) for row in opinions[:count]]


def mlp_paths(subject, layer):
    return [path for number in range(layer, subject.anatomy.layers) for path in subject.anatomy.mlp_paths(number)]


def hand_loss(subject, row):
    """-log p per answer token from a plain pass over one row."""
    logits = subject.model(input_ids=torch.tensor([row.prompt + row.answer])).logits[0].log_softmax(dim=-1)
    first = len(row.prompt)
    return -sum(logits[first + at - 1, token] for at, token in enumerate(row.answer)) / len(row.answer)


def weight_gradients(subject, paths, rows, *, is_mean):
    """Autograd's, by the real weights, as [output, input]."""
    weights = [subject.anatomy.linear(path).weight for path in paths]
    for weight in weights:
        weight.requires_grad_()
    try:
        loss = sum(hand_loss(subject, row) for row in rows) / (len(rows) if is_mean else 1)
        found = torch.autograd.grad(loss, weights)
    finally:
        for weight in weights:
            weight.requires_grad_(requires_grad=False)
    turned = [subject.anatomy.is_transposed(path) for path in paths]
    return {path: g.T if t else g for path, g, t in zip(paths, found, turned, strict=True)}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("is_mean", [True, False])
def test_an_untrained_editor_takes_a_step_down_the_gradient_of_the_real_weights(architecture, is_mean, shaping, lively):
    subject = lively(architecture)
    paths = mlp_paths(subject, 1)
    rows = encoded(subject, shaping, 3)
    network = Network({path: subject.shape(path) for path in paths}, rank=3, alpha=0.02, seed=0).eval()
    branches = network(Gradients(Trunk(subject, 1), paths).of(rows, is_mean=is_mean))
    for path, gradient in weight_gradients(subject, paths, rows, is_mean=is_mean).items():
        change = branches[path].up @ branches[path].down
        torch.testing.assert_close(change, -0.02 * gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_loss_falls_under_the_edit_of_an_untrained_editor_and_rises_under_its_opposite(
    architecture, shaping, lively
):
    subject = lively(architecture)
    paths = mlp_paths(subject, 0)
    row = encoded(subject, shaping, 1)[0]
    network = Network({path: subject.shape(path) for path in paths}, rank=3, alpha=1e-3, seed=0).eval()
    with torch.no_grad():
        branches = network(Gradients(Trunk(subject, 0), paths).of([row], is_mean=True))
        before = float(hand_loss(subject, row))
        losses = []
        for strength in (1.0, -1.0):
            edit = WeightEdit(Origin("mend"), strength, branches=branches)
            with edit.applied(subject):
                losses.append(float(hand_loss(subject, row)))
    assert losses[0] < before - 1e-4
    assert losses[1] > before + 1e-4


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_pass_that_begins_at_a_block_expects_what_a_whole_one_does(architecture, layer, shaping, lively, logits_of):
    subject = lively(architecture)
    untouched = logits_of(subject)
    rows = encoded(subject, shaping, 4)
    trunk = Trunk(subject, layer)
    for _ in range(2):  # The second time the states are remembered.
        with torch.no_grad():
            predicted = trunk.predict(rows, {})
            means = predicted.row_means()
        for number, row in enumerate(rows):
            assert float(means[number]) == pytest.approx(-float(hand_loss(subject, row)), rel=1e-4)
            assert predicted.expected[predicted.row == number].tolist() == list(row.answer)
    assert len(trunk.states) == (4 if layer else 0)
    assert torch.equal(logits_of(subject), untouched)


def test_blocks_before_the_first_edited_one_are_not_run_again(shaping, lively):
    subject = lively("llama")
    rows = encoded(subject, shaping, 2)
    runs = []
    handle = subject.anatomy.linear(subject.anatomy.mlp_paths(0)[0]).register_forward_hook(lambda *_: runs.append(1))
    try:
        trunk = Trunk(subject, 2)
        trunk.predict(rows, {})
        assert len(runs) == 2  # One a row.
        trunk.predict(rows[:1], {})
        assert len(runs) == 2
    finally:
        handle.remove()


def test_states_and_gradients_are_the_same_to_the_bit_whatever_was_read_before(shaping, lively):
    subject = lively("llama")
    paths = mlp_paths(subject, 1)
    rows = encoded(subject, shaping, 3)
    assert len(set(map(len, rows))) > 1
    together, alone = Gradients(Trunk(subject, 1), paths), Gradients(Trunk(subject, 1), paths)
    alone.of(rows[2:], is_mean=True)
    for path, factors in together.of(rows, is_mean=True).items():
        other = alone.of(rows, is_mean=True)[path]
        assert torch.equal(factors.inputs, other.inputs)
        assert torch.equal(factors.deltas, other.deltas)


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("at", [0, 1])
def test_a_rewrite_is_in_force_once_in_a_pass_that_begins_late(layer, at, shaping, lively):
    subject = lively("llama")
    rows = encoded(subject, shaping, 2)
    shift = torch.randn(32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), subject.rewrite(Site(at), lambda activation, _reply: activation + shift):
        for _ in range(2):
            means = Trunk(subject, layer).predict(rows, {}).row_means()
            for mean, row in zip(means, rows, strict=True):
                assert float(mean) == pytest.approx(-float(hand_loss(subject, row)), rel=1e-4)
        under = float(hand_loss(subject, rows[0]))
    with torch.no_grad():
        assert abs(under - float(hand_loss(subject, rows[0]))) > 1e-3


def test_a_block_runs_again_after_a_pass_that_failed(shaping, lively, logits_of):
    subject = lively("llama")
    untouched = logits_of(subject)

    def fails(_inputs):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Trunk(subject, 2).predict(encoded(subject, shaping, 1), {subject.anatomy.mlp_paths(2)[0]: fails})
    assert torch.equal(logits_of(subject), untouched)


def test_a_pass_cannot_begin_at_states_that_were_never_watched():
    from temperament.subject.tiny import tiny_subject

    with (
        pytest.raises(SeamError, match="begin at layer 2: the states before it were never watched"),
        tiny_subject("llama").anatomy.resumed(2, torch.zeros(1, 1, 32)),
    ):
        pass


@pytest.mark.parametrize(("architecture", "maps"), [("llama", 3), ("phi3", 2), ("gpt2", 2), ("gpt_neox", 2)])
def test_the_maps_of_an_mlp_are_those_outside_the_attention(architecture, maps, lively):
    found = lively(architecture).anatomy.mlp_paths(1)
    assert len(found) == maps
    assert all(".mlp." in path and ".1." in path for path in found)


def test_padding_takes_no_part_in_the_factors(shaping, lively):
    subject = lively("llama")
    short, long = sorted(encoded(subject, shaping, 12), key=len)[::11]
    assert len(short) < len(long)
    path = subject.anatomy.mlp_paths(2)[0]
    alone = take_apart(Trunk(subject, 2), [path], [short])[0][path]
    padded = take_apart(Trunk(subject, 2), [path], [short, long])[0][path]
    # In the last block only what an answer's token is read off has a gradient.
    assert len(alone.inputs) == len(short.answer)
    torch.testing.assert_close(padded.inputs, alone.inputs, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(padded.deltas, alone.deltas, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 9), (9, 4)])
@pytest.mark.parametrize("rank", [3, 4, 20])
def test_a_condensed_branch_is_the_same_change_with_no_more_directions_than_there_are(inputs, outputs, rank):
    branch = LowRank(torch.randn(rank, inputs), torch.randn(outputs, rank))
    found = condensed(branch)
    assert found.rank == min(rank, 4)
    torch.testing.assert_close(found.up @ found.down, branch.up @ branch.down)


def test_running_moments_are_those_of_all_values_together():
    moments = Moments(2, 3)
    values = torch.randn(50, 3) * torch.tensor([1.0, 1e-5, 7.0]) + 3
    for part in values.split([1, 20, 29]):
        moments.observe(1, part)
    mean, deviation = moments.of(1)
    torch.testing.assert_close(mean, values.mean(dim=0))
    torch.testing.assert_close(deviation, values.std(dim=0), rtol=1e-2, atol=1e-6)
    assert moments.of(0)[1].tolist() == [1.0, 1.0, 1.0]


def test_maps_of_one_shape_share_a_network_and_have_scales_and_rates_of_their_own(lively):
    subject = lively("llama")
    paths = mlp_paths(subject, 0)
    network = Network({path: subject.shape(path) for path in paths}, rank=3, alpha=0.1, seed=0)
    assert sorted(network.groups) == ["32x64", "64x32"]
    assert network.transforms["32x64"].first.down.shape == (3, 96)
    assert network.transforms["32x64"].first.scale.shape == (6, 96)
    assert network.alphas.shape == (9,)
