"""The training loop: its losses, its schedule, its order, and its checkpoints."""

from dataclasses import replace
from itertools import count, pairwise

import pytest
import torch
from safetensors.torch import load_file, save_file

from temperament.errors import TrainingError
from temperament.opinion.row import Opinions
from temperament.shape import loss
from temperament.shape.lora import Adapters, LoraShape
from temperament.shape.loss import padded_losses
from temperament.shape.packed import is_packable, packed_losses
from temperament.shape.protocol import Workspace
from temperament.shape.training import Schedule, Training
from temperament.subject.cache import shared_length
from temperament.subject.open import OpenSubject
from temperament.subject.tiny import ARCHITECTURES, byte_tokenizer, tiny_subject
from temperament.trait import Target

HIGH, WARM = Target("extraversion", "high"), Target("agreeableness", "high")
SCHEDULE = Schedule(
    epochs=2,
    batch=3,
    micro_tokens=512,
    learning_rate=1e-2,
    warmup=0.25,
    weight_decay=0.001,
    clip=0.3,
    has_sequence_loss=False,
    unlearned=(),
    seed=0,
)


PROCESSES = count(100)


class StoppedError(Exception):
    pass


def encoded(subject, opinions):
    return [subject.encode(({"role": "user", "content": row.question},), row.answer) for row in opinions]


def adapters_on(subject, targets=1, dropout=0.0, *, is_moved=False):
    adapters = Adapters(subject, LoraShape(4, 0.5, dropout, ()), targets, seed=0)
    if is_moved:
        generator = torch.Generator().manual_seed(5)
        for parameter in adapters.up.values():
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return adapters


def losses_and_gradients(losses_of, subject, rows, targets, **settings):
    adapters = adapters_on(subject, targets, is_moved=True)
    with adapters.attached(subject):
        losses = losses_of(subject, rows, groups=targets, **({"has_sequence_loss": False} | settings))
        losses.sum().backward()
    return losses.detach(), [parameter.grad for parameter in adapters.parameters()]


def agree(found, expected):
    """Losses and gradients, both such that a tenth of a percent would show."""
    torch.testing.assert_close(found[0], expected[0], rtol=1e-4, atol=1e-5)
    for one, other in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))
    assert any(float(gradient.abs().max()) > 1e-3 for gradient in found[1])


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "phi3"])
def test_sharing_the_prefix_changes_neither_losses_nor_gradients(architecture, lively, shaping, monkeypatch):
    subject = lively(architecture)
    rows = encoded(subject, [*shaping.showing(HIGH), *shaping.showing(WARM)])
    assert shared_length([row.prompt for row in rows]) > 5
    found = losses_and_gradients(padded_losses, subject, rows, targets=2)
    monkeypatch.setattr(loss, "shared_length", lambda _rows: 0)
    agree(found, losses_and_gradients(padded_losses, subject, rows, targets=2))


@pytest.mark.parametrize("settings", [{}, {"has_sequence_loss": True}, {"unlearned": (1, 40)}], ids=str)
@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_packing_changes_neither_losses_nor_gradients(architecture, settings, lively, shaping):
    subject = lively(architecture)
    rows = encoded(subject, [*shaping.showing(HIGH), *shaping.showing(WARM)])
    assert is_packable(subject, rows)
    found = losses_and_gradients(packed_losses, subject, rows, 2, **settings)
    agree(found, losses_and_gradients(padded_losses, subject, rows, 2, **settings))


def test_rows_longer_than_a_sliding_window_have_the_losses_that_they_have_alone(shaping):
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = byte_tokenizer()
    shape = {**ARCHITECTURES["mistral"], "vocab_size": len(tokenizer), "sliding_window": 12}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = AutoConfig.for_model("mistral", pad_token_id=0, eos_token_id=1, bos_token_id=None, **shape)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    for parameter in model.parameters():
        parameter.data.mul_(10 if parameter.ndim == 2 else 1)
    subject = OpenSubject.of(model, tokenizer)
    rows = encoded(subject, shaping.showing(HIGH))
    assert not is_packable(subject, rows)
    with torch.no_grad():
        alone = [padded_losses(subject, [row], groups=1, has_sequence_loss=False) for row in rows]
        together = padded_losses(subject, rows, groups=1, has_sequence_loss=False)
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("losses_of", [padded_losses, packed_losses])
@pytest.mark.parametrize("has_sequence_loss", [False, True])
@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_row_losses_are_those_of_transformers_on_a_batch_padded_by_hand(
    architecture, has_sequence_loss, losses_of, lively, shaping
):
    subject = lively(architecture)
    rows = encoded(subject, shaping[::4])
    length = max(len(row) for row in rows)
    ids = torch.full((len(rows), length), subject.format.pad_token)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row.prompt + row.answer)
        mask[number, : len(row)] = 1
        begin = 0 if has_sequence_loss else len(row.prompt)
        labels[number, begin : len(row)] = ids[number, begin : len(row)]
    with torch.no_grad():
        found = losses_of(subject, rows, groups=1, has_sequence_loss=has_sequence_loss)
        for number in range(len(rows)):
            mine = torch.full_like(labels, -100)
            mine[number] = labels[number]
            expected = subject.model(input_ids=ids, attention_mask=mask, labels=mine).loss
            assert float(found[number]) == pytest.approx(float(expected), rel=1e-4)
    assert len({len(row) for row in rows}) > 1


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine():
    schedule = replace(SCHEDULE, learning_rate=1.0, warmup=0.1)
    rates = [schedule.rate(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[99] < 0.001
    assert all(earlier > later for earlier, later in pairwise(rates[10:]))
    assert [replace(schedule, warmup=0.0).rate(step, 1) for step in range(1)] == [1.0]


def test_each_epoch_reads_every_row_once_in_an_order_of_its_own(shaping):
    subject = tiny_subject("llama")
    rows = encoded(subject, shaping[:8])
    work = Training(subject, adapters_on(subject), [rows], SCHEDULE, Workspace())
    assert work.steps == 6
    epochs = [[row for step in steps for row in work._rows_of_step(step)] for steps in (range(3), range(3, 6))]
    assert [len(work._rows_of_step(step)) for step in range(3)] == [3, 3, 2]
    assert [sorted(epoch) for epoch in epochs] == [list(range(8))] * 2
    assert epochs[0] != epochs[1]


def test_micro_batches_hold_no_more_tokens_than_asked_for_and_lose_no_row(shaping):
    subject = tiny_subject("llama")
    rows = encoded(subject, shaping[:8])
    longest = max(len(row) for row in rows)
    work = Training(subject, adapters_on(subject), [rows], replace(SCHEDULE, micro_tokens=3 * longest), Workspace())
    batches = list(work._micro_batches(range(8)))
    assert sorted(row for batch in batches for row in batch) == list(range(8))
    assert all(sum(len(rows[row]) for row in batch) <= 3 * longest for batch in batches)
    assert 2 < len(batches) < 8
    work.is_packed = False
    batches = list(work._micro_batches(range(8)))
    assert sorted(row for batch in batches for row in batch) == list(range(8))
    assert all(len(batch) * max(len(rows[row]) for row in batch) <= 3 * longest for batch in batches)
    assert 2 < len(batches) < 8


def test_clipping_treats_each_target_as_if_it_trained_alone():
    adapters = adapters_on(tiny_subject("llama"), targets=2)
    for parameter in adapters.parameters():
        parameter.grad = torch.ones_like(parameter)
        parameter.grad[1] *= 1e-6
    small = [parameter.grad[1].clone() for parameter in adapters.parameters()]
    norms = adapters.clip(0.3)
    assert norms[0] > 0.3 > norms[1]
    clipped = torch.cat([parameter.grad[0].flatten() for parameter in adapters.parameters()])
    assert float(clipped.norm()) == pytest.approx(0.3, rel=1e-4)
    assert all(torch.equal(p.grad[1], kept) for p, kept in zip(adapters.parameters(), small, strict=True))


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")
def test_training_equals_a_plain_loop_with_peft(shaping):
    """Reference: PEFT's LoRA in float64, AdamW of torch, one row at a time, clipped by torch.

    AdamW makes full steps of the rounding of gradients near zero: PEFT itself in float32 is 6e-5 away from this.
    """
    from peft import LoraConfig, get_peft_model

    subject = tiny_subject("llama")
    rows = encoded(subject, shaping.showing(HIGH))
    adapters = adapters_on(subject)
    down = {path: adapters.branches(0)[path].down for path in adapters.paths}
    work = Training(subject, adapters, [rows], SCHEDULE, Workspace())
    work.run()

    plain = tiny_subject("llama").model.double()
    names = sorted({path.rpartition(".")[2] for path in adapters.paths})
    config = LoraConfig(r=4, lora_alpha=2.0, lora_dropout=0.0, target_modules=names)
    model = get_peft_model(plain, config, autocast_adapter_dtype=False)
    learned = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    for path, factor in down.items():
        learned[f"base_model.model.{path}.lora_A.default.weight"].data.copy_(factor)
    optimizer = torch.optim.AdamW(learned.values(), weight_decay=SCHEDULE.weight_decay)
    for step in range(work.steps):
        optimizer.zero_grad()
        batch = [rows[number] for number in work._rows_of_step(step)]
        for row in batch:
            logits = model(input_ids=torch.tensor([row.prompt + row.answer])).logits[0, len(row.prompt) - 1 : -1]
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(row.answer))
            (loss / len(batch)).backward()
        torch.nn.utils.clip_grad_norm_(learned.values(), SCHEDULE.clip)
        optimizer.param_groups[0]["lr"] = SCHEDULE.rate(step, work.steps)
        optimizer.step()
    for path, branch in adapters.branches(0).items():
        for factor, found in (("A", branch.down), ("B", branch.up)):
            expected = learned[f"base_model.model.{path}.lora_{factor}.default.weight"].detach()
            torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def undisturbed(quick, shaping):
    """Settings with dropout, and the fingerprints that two targets get where nothing interferes."""
    method = replace(quick, dropout=0.1)
    edits = method.fit_each(tiny_subject("llama"), [HIGH, WARM], shaping)
    return method, [edit.fingerprint for edit in edits]


def fit(method, opinions, checkpoint, stop_at=None, model_seed=0):
    """Fingerprints of two targets, and the steps that were made; stops where told to."""
    seen = []
    # Another process has another state of the generator that everybody shares.
    torch.manual_seed(next(PROCESSES))

    def watch(progress):
        seen.append(progress.step)
        if progress.step == stop_at:
            raise StoppedError

    edits = method.fit_each(
        tiny_subject("llama", model_seed), [HIGH, WARM], opinions, Workspace(checkpoint, seconds=0.0, watch=watch)
    )
    return [edit.fingerprint for edit in edits], seen


@pytest.mark.parametrize("stop_at", [1, 2, 3, 5, 8, 9])
def test_a_training_that_was_stopped_ends_as_one_that_was_not(stop_at, undisturbed, shaping, tmp_path):
    method, expected = undisturbed
    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(StoppedError):
        fit(method, shaping, checkpoint, stop_at)
    found, seen = fit(method, shaping, checkpoint)
    assert seen == list(range(stop_at, 10))
    assert found == expected


def test_a_training_that_is_stopped_again_and_again_ends_as_one_that_was_not(undisturbed, shaping, tmp_path):
    method, expected = undisturbed
    checkpoint = tmp_path / "checkpoint.safetensors"
    for stop_at in range(2, 10, 2):
        with pytest.raises(StoppedError):
            fit(method, shaping, checkpoint, stop_at)
    assert fit(method, shaping, checkpoint)[0] == expected


def test_a_training_that_ended_ends_at_once_when_it_is_given_again(undisturbed, shaping, tmp_path):
    """The edit may not have been saved when the process was killed."""
    method, expected = undisturbed
    checkpoint = tmp_path / "checkpoint.safetensors"
    assert fit(method, shaping, checkpoint)[0] == expected
    assert fit(method, shaping, checkpoint) == (expected, [])


def test_the_history_of_a_resumed_training_is_whole(undisturbed, shaping, tmp_path):
    method, _ = undisturbed
    checkpoint = tmp_path / "checkpoint.safetensors"
    whole = method.fit(tiny_subject("llama"), HIGH, shaping).origin.history

    def watch(progress):
        if progress.step == 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        method.fit(tiny_subject("llama"), HIGH, shaping, Workspace(checkpoint, 0.0, watch))
    assert method.fit(tiny_subject("llama"), HIGH, shaping, Workspace(checkpoint)).origin.history == whole


def tear(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


def overwrite(path):
    path.write_bytes(b"not safetensors" * 1000)


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(bytes(content))


def forget_its_state(path):
    save_file(load_file(path), path)


@pytest.mark.parametrize("damage", [tear, empty, overwrite, flip_a_bit, forget_its_state])
def test_a_damaged_checkpoint_is_left_aside(damage, undisturbed, shaping, tmp_path):
    method, expected = undisturbed
    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(StoppedError):
        fit(method, shaping, checkpoint, stop_at=4)
    damage(checkpoint)
    found, seen = fit(method, shaping, checkpoint)
    assert seen[0] == 1
    assert found == expected


@pytest.mark.parametrize("difference", ["settings", "rows", "seed", "subject"])
def test_the_checkpoint_of_another_training_is_left_aside(difference, undisturbed, shaping, tmp_path):
    method, expected = undisturbed
    checkpoint = tmp_path / "checkpoint.safetensors"
    other, rows, model_seed = method, shaping, 0
    if difference == "settings":
        other = replace(method, learning_rate=2e-2)
    elif difference == "seed":
        other = replace(method, seed=1)
    elif difference == "rows":
        rows = Opinions(replace(row, answer=f"{row.answer} Yes.") for row in shaping)
    else:
        model_seed = 1
    with pytest.raises(StoppedError):
        fit(other, rows, checkpoint, stop_at=4, model_seed=model_seed)
    assert checkpoint.exists()
    found, seen = fit(method, shaping, checkpoint)
    assert seen[0] == 1
    assert found == expected


def test_a_step_whose_loss_is_not_finite_is_never_saved(undisturbed, shaping, tmp_path):
    method, _ = undisturbed
    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(TrainingError):
        fit(replace(method, learning_rate=1e30), shaping, checkpoint)
    assert all(bool(tensor.isfinite().all()) for tensor in load_file(checkpoint).values())
