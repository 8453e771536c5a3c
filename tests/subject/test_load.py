from pathlib import Path

import pytest

from temperament.errors import BadFileError, InstallError, RequestError, UnknownNameError
from temperament.subject import load
from temperament.subject.base import Subject
from temperament.subject.endpoint import EndpointSubject
from temperament.subject.load import load_subject
from temperament.subject.scripted import ScriptedSubject


@pytest.fixture
def folder(tmp_path):
    """A function that makes a folder with empty files of these names."""

    def make(*names: str) -> Path:
        for name in names:
            (tmp_path / name).write_text("")
        return tmp_path

    return make


@pytest.fixture
def hub(monkeypatch):
    """A hub that gives or raises what is put into the list; its calls are kept beside."""
    import huggingface_hub

    answers: list[object] = []
    calls: list[tuple[str, dict]] = []

    def download(name: str, **settings: object) -> str:
        calls.append((name, settings))
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return answers, calls


@pytest.fixture
def opened(monkeypatch):
    """Folders are not opened; gives what they would have been opened with."""
    from temperament.subject.open import OpenSubject

    seen: list[tuple] = []

    def keep(*arguments: object, **settings: object) -> Subject:
        seen.append((*arguments, settings))
        return ScriptedSubject("opened")

    monkeypatch.setattr(OpenSubject, "from_folder", keep)
    return seen


def test_an_unknown_precision_gets_the_known_ones():
    with pytest.raises(UnknownNameError, match=r"precision 'float16' does not exist.*float32"):
        load_subject("builtin:smollm2", "float16")


def test_an_unknown_built_in_model_gets_the_nearest_one():
    with pytest.raises(UnknownNameError, match="did you mean 'smollm2'"):
        Subject.load("builtin:smolm2")


def test_an_embedder_cannot_be_asked():
    with pytest.raises(RequestError, match=r"sentence embedder and cannot be asked. Use builtin:smollm2"):
        load_subject("builtin:minilm")


def test_an_address_is_an_endpoint():
    subject = load_subject("http://127.0.0.1:1/v1#toy")
    assert isinstance(subject, EndpointSubject)
    assert subject.model == "toy"


def test_the_precision_of_an_endpoint_cannot_be_chosen():
    with pytest.raises(RequestError, match="its server decides"):
        load_subject("http://127.0.0.1:1/v1#toy", "float32")


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        ((), "expected config.json"),
        (("config.json",), "expected config.json"),
        (("model.safetensors",), "no config.json"),
        (("config.json", "pytorch_model.bin"), "pickle can run code"),
        (("config.json", "model.pt"), "pickle can run code"),
        (("adapter_config.json", "adapter_model.safetensors"), "as the edit"),
        (("model.gguf",), "original weights"),
    ],
)
def test_a_folder_without_a_model_says_what_to_do(folder, names, advice):
    with pytest.raises(BadFileError, match=advice):
        load_subject(str(folder(*names)))


def test_a_folder_with_a_part_missing_is_refused(folder):
    place = folder("config.json", "model-00001-of-00002.safetensors")
    index = '{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'
    (place / "model.safetensors.index.json").write_text(index)
    with pytest.raises(BadFileError, match=r"model-00002-of-00002.safetensors of"):
        load_subject(str(place))


def test_a_file_is_no_folder(folder):
    with pytest.raises(BadFileError, match="is a file: give the folder"):
        load_subject(str(folder("model.safetensors") / "model.safetensors"))


def test_a_whole_folder_is_opened_as_asked(folder, opened):
    place = folder("config.json", "model.safetensors", "pytorch_model.bin")
    load_subject(str(place), "bfloat16")
    assert opened == [(place, str(place), "bfloat16", {"trust_remote_code": False, "fingerprint": None})]


def test_a_built_in_model_is_opened_with_the_fingerprint_of_its_file(monkeypatch, opened, tmp_path):
    monkeypatch.setattr(load, "prepared", lambda name: tmp_path / name)
    load_subject("builtin:smollm2")
    place, name, _, settings = opened[0]
    assert (place, name) == (tmp_path / "smollm2", "builtin:smollm2")
    assert settings["fingerprint"].startswith("b179c952")


@pytest.mark.parametrize("name", ["smollm2", "gpt2", "", "a b/c"])
def test_a_name_of_no_form_gets_the_forms(name):
    with pytest.raises(RequestError, match="a model is builtin:smollm2, a folder, ORGANISATION/MODEL"):
        load_subject(name)


@pytest.mark.parametrize("name", ["./nothing", "/nothing/here", "~/nothing/here", "a/b/c"])
def test_a_path_to_nothing_is_not_looked_up_on_the_hub(name, hub):
    with pytest.raises(BadFileError, match="check the path"):
        load_subject(name)
    assert not hub[1]


def test_a_built_in_model_without_its_prefix_gets_the_prefix():
    with pytest.raises(RequestError, match="did you mean 'builtin:smollm2'"):
        load_subject("smollm2")


def test_a_hub_that_cannot_be_reached_says_what_to_do(hub):
    hub[0].append(ConnectionError("no route to host"))
    with pytest.raises(
        InstallError, match=r"'org/model' .* no route to host.* builtin:smollm2, which needs no network"
    ):
        load_subject("org/model")


@pytest.mark.parametrize("is_trusted", [False, True])
def test_no_pickle_and_no_code_is_downloaded_unless_trusted(hub, folder, opened, is_trusted):
    hub[0].append(folder("config.json", "model.safetensors"))
    load_subject("org/model", trust_remote_code=is_trusted)
    patterns = hub[1][0][1]["allow_patterns"]
    assert ("*.py" in patterns) == is_trusted
    assert not {"*.bin", "*.pt", "*"} & set(patterns)
    assert opened[0][1] == "org/model"


def test_a_model_of_the_hub_without_safetensors_is_refused(hub, folder):
    hub[0].append(folder("config.json"))
    with pytest.raises(BadFileError, match="org/model holds no model"):
        load_subject("org/model")
