"""Open subjects are loaded whole or not at all, and their fingerprint is that of their weights."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from temperament.errors import BadFileError, SeamError
from temperament.subject.open import OpenSubject, fingerprint_of, resolve_precision
from temperament.subject.tiny import tiny_subject

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a tiny LLaMA."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save(tiny_subject("llama"), folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of that folder that a test may damage."""
    return shutil.copytree(saved, tmp_path / "tiny")


def save(subject, folder):
    subject.model.save_pretrained(folder)
    subject.tokenizer.save_pretrained(folder)


def reconfigure(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("architecture", ["llama", "gemma", "gpt2"])
def test_a_folder_is_loaded_as_it_was_saved(architecture, tmp_path, logits_of):
    subject = tiny_subject(architecture)
    save(subject, tmp_path)
    loaded = OpenSubject.from_folder(tmp_path, "mine", "float32")
    assert (loaded.name, loaded.precision, loaded.compute_dtype) == ("mine", "float32", torch.float32)
    assert torch.equal(logits_of(loaded), logits_of(subject))
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert loaded.window == 512


def test_loading_draws_no_bars_and_leaves_the_settings_of_transformers(folder, capfd):
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled(), logging.get_verbosity()
    OpenSubject.from_folder(folder, "tiny", "float32")
    reconfigure(folder, num_hidden_layers=4)
    with pytest.raises(BadFileError):
        OpenSubject.from_folder(folder, "tiny", "float32")
    assert (logging.is_progress_bar_enabled(), logging.get_verbosity()) == before
    assert capfd.readouterr() == ("", "")


def damaged(name, content):
    def change(folder):
        (folder / name).write_bytes(content)

    return change


def cut(name):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-100])


def without(*names):
    return lambda folder: [(folder / name).unlink() for name in names]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("config.json"), "Unrecognized model .* in its config.json"),
        (damaged("config.json", b"{"), "config.json' is not a valid JSON file"),
        (lambda folder: reconfigure(folder, model_type="martian"), "model type `martian` but Transformers does not"),
        (lambda folder: reconfigure(folder, model_type="t5"), "Unrecognized configuration class"),
        (without(WEIGHTS), "no file named model.safetensors"),
        (cut(WEIGHTS), "SafetensorError: .* file not fully covered"),
        (damaged(WEIGHTS, b"not at all"), "SafetensorError: .* header"),
        (without("tokenizer.json", "tokenizer_config.json"), "tokenizer"),
        (damaged("tokenizer.json", b"{}"), "KeyError: 'added_tokens'"),
    ],
)
def test_a_folder_that_cannot_be_read_is_an_error_of_one_line(change, message, folder):
    change(folder)
    with pytest.raises(BadFileError, match=rf"^'mine' cannot be loaded as a decoder from .*{message}") as caught:
        OpenSubject.from_folder(folder, "mine", "float32")
    assert "\n" not in str(caught.value)


def test_weights_that_are_missing_are_not_made_up(folder):
    reconfigure(folder, num_hidden_layers=4)
    message = (
        r"'mine' cannot be loaded from .*: its weights lack 'model\.layers\.3\.input_layernorm\.weight' \(and 8 more\)"
    )
    with pytest.raises(BadFileError, match=message):
        OpenSubject.from_folder(folder, "mine", "float32")


def test_weights_of_another_shape_are_not_made_up(folder):
    reconfigure(folder, intermediate_size=48)
    with pytest.raises(BadFileError, match=r"have 'model\.layers\.0\.mlp\..*' in another shape \(and 8 more\), which"):
        OpenSubject.from_folder(folder, "mine", "float32")


def test_pickled_weights_alone_are_no_model(folder):
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()
    with pytest.raises(BadFileError, match="cannot be loaded as a decoder"):
        OpenSubject.from_folder(folder, "mine", "float32")


def test_the_fingerprint_is_the_same_for_every_precision(folder):
    loaded = [OpenSubject.from_folder(folder, "tiny", precision) for precision in ("float32", "bfloat16")]
    assert [subject.compute_dtype for subject in loaded] == [torch.float32, torch.bfloat16]
    assert {subject.fingerprint for subject in loaded} == {fingerprint_of(folder)}
    assert OpenSubject.from_folder(folder, "tiny", "float32", fingerprint="known").fingerprint == "known"


@pytest.mark.parametrize("name", ["model.layers.1.mlp.up_proj.weight", "model.norm.weight"])
def test_the_fingerprint_changes_with_any_tensor(name, folder):
    before = fingerprint_of(folder)
    tensors = load_file(folder / WEIGHTS)
    tensors[name].view(-1)[3] += 0.01
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    assert fingerprint_of(folder) != before


def test_the_fingerprint_of_a_model_in_memory_is_that_of_its_weights():
    first, again, other = tiny_subject("llama"), tiny_subject("llama"), tiny_subject("llama", seed=1)
    assert first.fingerprint == again.fingerprint
    assert len({first.fingerprint, other.fingerprint, tiny_subject("mistral").fingerprint}) == 3
    first.model.model.norm.weight.data[5] += 0.5
    assert OpenSubject.of(first.model, first.tokenizer).fingerprint != again.fingerprint


def test_automatic_precision_is_one_that_the_device_computes_in():
    assert resolve_precision("auto") in ("float32", "bfloat16")
    assert resolve_precision("nf4") == "nf4"


def test_a_seam_that_does_not_exist_leaves_no_hook(lively):
    subject = lively("llama")
    with pytest.raises(SeamError), subject.branch("nowhere", lambda inputs: inputs):
        pytest.fail("the branch began")
    with pytest.raises(SeamError, match="layer 3 does not exist"):
        subject.width(type_of_site()(3))
    assert not any(module._forward_hooks for module in subject.model.modules())


def type_of_site():
    from temperament.subject.anatomy import Site

    return Site
