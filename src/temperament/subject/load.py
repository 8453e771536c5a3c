"""From a name to a subject: built in, remote, a local folder, or a model of the hub."""

from pathlib import Path

import msgspec

from temperament.errors import BadFileError, InstallError, RequestError, UnknownNameError
from temperament.record import read_json
from temperament.subject.base import Subject
from temperament.subject.builtin import BUILT_IN, BuiltIn, find_builtin, prepared

PRECISIONS = ("auto", "float32", "bfloat16", "nf4")
BUILTIN = "builtin:"
FORMS = "builtin:smollm2, a folder, ORGANISATION/MODEL of the Hugging Face hub, or http(s)://HOST/v1#MODEL"
WANTED = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.tiktoken", "*.spm", "tokenizer.model")
# Second copies of the same weights, for other programs.
UNWANTED = ("consolidated*", "original/*", "onnx/*")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


def load_subject(name: str, precision: str = "auto", *, trust_remote_code: bool = False) -> Subject:
    """A subject by name; see ``Subject.load``.

    Args:
        name: ``builtin:NAME``, ``http(s)://HOST/v1#MODEL``, a folder, or ``ORGANISATION/MODEL`` of the hub.
        precision: of the weights: auto, float32, bfloat16 or nf4; auto alone for an endpoint.
        trust_remote_code: whether code that comes with the model may run.

    Raises:
        UnknownNameError: no built-in model or precision has that name.
        RequestError: the name has none of these forms, the model cannot be asked, or an endpoint was asked for a
            precision.
        BadFileError: the folder holds no model that can be read here; pickled weights never are.
        InstallError: the package of a built-in model or the hub's files cannot be had.
        EndpointError: the server does not answer as it should.
    """
    if precision not in PRECISIONS:
        raise UnknownNameError(kind="precision", asked=precision, known=PRECISIONS)
    if name.lower().startswith(("http://", "https://")):
        return _remote(name, precision)
    fingerprint = None
    if name.startswith(BUILTIN):
        builtin = _chat_model(name.removeprefix(BUILTIN))
        folder, fingerprint = prepared(builtin.name), builtin.sha256
    elif name and Path(name).expanduser().exists():
        folder = Path(name).expanduser()
        _check_weights(folder, name)
    else:
        folder = _downloaded(name, trust_remote_code=trust_remote_code)
        _check_weights(folder, name)
    from temperament.subject.open import OpenSubject

    return OpenSubject.from_folder(
        folder, name, precision, trust_remote_code=trust_remote_code, fingerprint=fingerprint
    )


def _remote(name: str, precision: str) -> Subject:
    if precision != "auto":
        message = f"precision {precision} was asked of an endpoint: its server decides that. Leave it at auto."
        raise RequestError(message)
    from temperament.subject.endpoint import EndpointSubject

    return EndpointSubject(name)


def _chat_model(name: str) -> BuiltIn:
    builtin = find_builtin(name)
    if builtin.kind != "chat model":
        chat = ", ".join(f"{BUILTIN}{other.name}" for other in BUILT_IN.values() if other.kind == "chat model")
        message = (
            f"{BUILTIN}{name} was given as a subject: {builtin.title} is a {builtin.kind} and cannot be asked. "
            f"Use {chat}."
        )
        raise RequestError(message)
    return builtin


def _downloaded(name: str, *, trust_remote_code: bool) -> Path:
    if not _has_hub_form(name):
        if name.startswith((".", "/", "~")) or name.count("/") > 1:
            message = f"the model folder {name} does not exist: check the path. A model is {FORMS}."
            raise BadFileError(message)
        near = f"did you mean '{BUILTIN}{name}'? " if name in BUILT_IN else ""
        message = f"model '{name}' does not exist, neither built in nor as a folder: {near}a model is {FORMS}."
        raise RequestError(message)
    from huggingface_hub import snapshot_download

    code = ("*.py",) if trust_remote_code else ()
    try:
        place = snapshot_download(name, allow_patterns=[*WANTED, *code], ignore_patterns=list(UNWANTED))
    except Exception as error:
        # Wide on purpose: the hub's client lets errors of two HTTP libraries, of the disk and its own through.
        message = (
            f"'{name}' is no folder here and was looked up on the Hugging Face hub, which did not give it: "
            f"{_reason(error)}. Check the name and the network (and `hf auth login` for a model behind a licence), or "
            f"use a folder, or {BUILTIN}smollm2, which needs no network."
        )
        raise InstallError(message) from error
    return Path(place)


def _has_hub_form(name: str) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return "/" in name


def _reason(error: Exception) -> str:
    kinds = {
        "LocalEntryNotFoundError": "the hub cannot be reached",
        "OfflineModeIsEnabled": "HF_HUB_OFFLINE is set",
        "GatedRepoError": "the model is behind a licence that you have to accept first",
        "RepositoryNotFoundError": "no such model, or it is private",
    }
    return kinds.get(type(error).__name__, " ".join(str(error).split())[:200] or type(error).__name__)


def _check_weights(folder: Path, name: str) -> None:
    """Whether a folder holds a whole model that can be read here; raises BadFileError with what to do."""
    if not folder.is_dir():
        message = f"{name} is a file: give the folder that holds config.json and *.safetensors."
        raise BadFileError(message)
    weights = [file for file in sorted(folder.glob("*.safetensors")) if not file.name.startswith("adapter_")]
    if weights and (folder / "config.json").is_file():
        _check_shards(folder)
        return
    if weights:
        message = f"{name} has weights and no config.json: give the whole folder, as save_pretrained writes it."
    elif (folder / "adapter_config.json").is_file():
        message = (
            f"{name} holds an adapter, not a model: give the model that it was made for as the subject, and this "
            f"folder as the edit (--edit)."
        )
    elif any(folder.glob("*.gguf")):
        message = (
            f"{name} holds GGUF files, which are not read as subjects: give the folder or the hub name of the original "
            f"weights, in safetensors."
        )
    elif any(file for pattern in PICKLES for file in folder.glob(pattern)):
        message = (
            f"{name} holds pickled weights only, which are never read because a pickle can run code: where you trust "
            f"them, convert them with AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)."
        )
    else:
        message = f"{name} holds no model: expected config.json and *.safetensors there. A model is {FORMS}."
    raise BadFileError(message)


def _check_shards(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return
    missing = sorted({file for file in read_json(index, _Index).weight_map.values() if not (folder / file).is_file()})
    if missing:
        message = f"{folder} is not whole: {', '.join(missing)} of {index.name} is missing. Copy or download it again."
        raise BadFileError(message)
