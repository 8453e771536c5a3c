"""Open subjects: models whose weights are at hand, with all three seams.

Every seam is a context manager, and none writes to a parameter: leaving the block restores the model exactly.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from temperament.errors import BadFileError, InstallError, RequestError, SeamError
from temperament.record import NOT_A_NUMBER, Generation
from temperament.subject.anatomy import Anatomy, Shape, Site
from temperament.subject.base import Conversation, Progress, Reply, Subject
from temperament.subject.cache import Marking, Prefix, memory_for_replies, read_prefix, row_bytes
from temperament.subject.decode import Decoded, decode
from temperament.subject.text import ChatFormat, Encoded

Activation = Float[Tensor, "batch token unit"]
# What a rewrite is given: the activation, and which of its positions belong to a reply.
Rewrite = Callable[[Activation, Bool[Tensor, "batch token"]], Activation]
Side = Callable[[Tensor], Tensor]
Change = Callable[[Tensor, Tensor], Tensor]

BATCH = 64


class OpenSubject(Subject):
    """A decoder of transformers and its tokenizer.

    Attributes:
        model: in evaluation mode, its parameters frozen.
        anatomy: where its parts are.
        format: its tokenizer and chat template.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str, fingerprint: str, precision: str) -> None:
        super().__init__()
        self.model = cast(nn.Module, model).eval().requires_grad_(requires_grad=False)
        self.tokenizer = tokenizer
        self.name = name
        self.fingerprint = fingerprint
        self.precision = precision
        self.anatomy = Anatomy(self.model)
        stops = getattr(model.generation_config, "eos_token_id", None)
        self.format = ChatFormat(tokenizer, stops if isinstance(stops, list) else [] if stops is None else [stops])
        self._is_reply: Tensor | None = None

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        name: str,
        precision: str = "auto",
        *,
        trust_remote_code: bool = False,
        fingerprint: str | None = None,
    ) -> "OpenSubject":
        """Load a folder with ``config.json``, safetensors and a tokenizer; nothing pickled is read.

        Args:
            folder: of the model.
            name: as it was asked for.
            precision: of the weights: auto (bfloat16 where the device computes in it, else float32), float32,
                bfloat16, or nf4 (bitsandbytes).
            trust_remote_code: run code that comes with the model.
            fingerprint: where it is known from elsewhere; else it is computed from the weights' files.

        Raises:
            BadFileError: transformers cannot read the folder, or it lacks weights that its configuration asks for.
            InstallError: nf4 was asked for and bitsandbytes is not installed.
        """
        from safetensors import SafetensorError
        from transformers import AutoModelForCausalLM, AutoTokenizer

        precision = resolve_precision(precision)
        settings: dict[str, Any] = {"trust_remote_code": trust_remote_code, "local_files_only": True}
        try:
            with quiet():
                tokenizer = AutoTokenizer.from_pretrained(folder, **settings)
                loaded: Any = AutoModelForCausalLM.from_pretrained(
                    folder,
                    use_safetensors=True,
                    output_loading_info=True,
                    ignore_mismatched_sizes=True,
                    **settings,
                    **_loading(precision),
                )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            message = f"'{name}' cannot be loaded as a decoder from {folder}: {_reason(error)}"
            raise BadFileError(message) from error
        model, found = loaded
        _check_complete(found, name, folder)
        if precision == "nf4":
            _keep_weights_unpacked(model)
        return cls(model, tokenizer, name, fingerprint or fingerprint_of(folder), precision)

    @classmethod
    def of(cls, model: Any, tokenizer: Any, name: str = "in memory") -> "OpenSubject":
        """A subject from a model and a tokenizer that are loaded already."""
        digest = hashlib.sha256(str(type(model).__name__).encode())
        for path, parameter in model.named_parameters():
            flat = parameter.detach().flatten()
            sample = flat[:: max(1, len(flat) // 1024)].float().cpu().numpy()
            digest.update(f"{path}{tuple(parameter.shape)}".encode() + sample.tobytes())
        return cls(model, tokenizer, name, digest.hexdigest(), str(model.dtype).removeprefix("torch."))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return cast(torch.device, self.model.device)

    @property
    def compute_dtype(self) -> torch.dtype:
        """The floating-point type of activations."""
        return cast(torch.dtype, self.model.dtype)

    @property
    def window(self) -> int:
        """The longest conversation in tokens that the model was made for."""
        config: Any = self.model.config
        return int(getattr(config.get_text_config(), "max_position_embeddings", None) or 1 << 30)

    def shape(self, path: str) -> Shape:
        """Size of the linear map at a path."""
        return self.anatomy.shape(path)

    def width(self, site: Site) -> int:
        """Number of units at a site; raises SeamError where it does not exist."""
        return self.anatomy.width(site)

    @contextmanager
    def branch(self, path: str, side: Side) -> Generator[None]:
        """Add ``side(input)`` to the output of the linear map at ``path``, until the block ends.

        Raises:
            SeamError: no linear map has that path.
        """
        handle = self.anatomy.branch(path, side)
        try:
            yield
        finally:
            handle.remove()

    @contextmanager
    def change(self, path: str, function: Change) -> Generator[None]:
        """Go on with ``function(input, output)`` in place of the output of the linear map at ``path``.

        Unlike that of ``branch``, the function may write into the output, which nobody else has seen.

        Raises:
            SeamError: no linear map has that path.
        """
        handle = self.anatomy.change(path, function)
        try:
            yield
        finally:
            handle.remove()

    @contextmanager
    def rewrite(self, site: Site, function: Rewrite) -> Generator[None]:
        """Put ``function`` at a site, until the block ends.

        It is given the activation [batch, token, unit] and which positions [batch, token] belong to a reply, and
        returns the activation to go on with. A function that returns what it was given reads without a trace.

        Raises:
            SeamError: the site does not exist.
        """

        def at_site(activation: Tensor) -> Tensor:
            return function(activation, self._reply_positions(activation))

        handle = self.anatomy.rewrite(site, at_site)
        try:
            yield
        finally:
            handle.remove()

    @contextmanager
    def marking(self, is_reply: Tensor | None) -> Generator[None]:
        """Say which positions [batch, token] of the forward passes in the block belong to a reply; None is all."""
        before, self._is_reply = self._is_reply, is_reply
        try:
            yield
        finally:
            self._is_reply = before

    def encode(self, conversation: Conversation, answer: str) -> Encoded:
        """A conversation, as the model would read it at this moment, and an answer, as tokens."""
        return self.format.encode(self._prefaced(conversation), answer)

    def decoded(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[int],
        generation: Generation,
        marking: Marking | None = None,
    ) -> Iterator[dict[int, Decoded]]:
        """Go on from prompts: what comes of the rows of each batch, by their numbers, until all are done.

        Args:
            prompts: tokens of each row.
            seeds: row i draws from ``seeds[i]`` alone.
            generation: how to draw.
            marking: in place of the subject's own while replies are written, which it has to call.

        Raises:
            RequestError: a prompt leaves no room for the reply.
        """
        self._check_lengths(prompts, generation)
        prefix = read_prefix(self.model, prompts, self.marking)
        for batch in self._batches(prompts, generation, prefix):
            with torch.inference_mode():
                found = decode(
                    self.model,
                    [prompts[row] for row in batch],
                    [seeds[row] for row in batch],
                    generation,
                    (self.format.stop_tokens, self.format.pad_token),
                    marking or self.marking,
                    prefix,
                )
            yield dict(zip(batch, found, strict=True))

    def _reply(
        self,
        conversations: Sequence[Conversation],
        seeds: Sequence[int],
        generation: Generation,
        progress: Progress,
    ) -> list[Reply]:
        texts = [self.format.render(conversation) for conversation in conversations]
        prompts = [self.format.tokens(text) for text in texts]
        replies: dict[int, Reply] = {}
        for batch in self.decoded(prompts, seeds, generation):
            for row, (tokens, is_finished) in batch.items():
                if tokens is None:
                    replies[row] = Reply(None, texts[row], error=NOT_A_NUMBER)
                    continue
                text = self.format.decode(tokens)
                replies[row] = Reply(text, texts[row], len(tokens), is_finished)
            progress(len(replies), len(prompts))
        return [replies[row] for row in range(len(prompts))]

    def _batches(
        self, prompts: Sequence[Sequence[int]], generation: Generation, prefix: Prefix | None
    ) -> Iterator[list[int]]:
        """Rows of like length together, as many as fit into memory."""
        memory, shared = memory_for_replies(self.device), prefix.length if prefix else 0
        batch: list[int] = []
        for row in sorted(range(len(prompts)), key=lambda row: len(prompts[row])):
            # Rows come shortest first: all are padded to the length of this one.
            length = len(prompts[row])
            size = row_bytes(self.model, length + generation.max_new_tokens, length - shared)
            if batch and (len(batch) == BATCH or (len(batch) + 1) * size > memory):
                yield batch
                batch = []
            batch.append(row)
        if batch:
            yield batch

    def _check_lengths(self, prompts: Sequence[Sequence[int]], generation: Generation) -> None:
        longest = max((len(prompt) for prompt in prompts), default=0)
        if longest + generation.max_new_tokens > self.window:
            message = (
                f"a prompt of {longest} tokens and {generation.max_new_tokens} new ones were asked for: {self.name} "
                f"reads at most {self.window}. Ask for fewer new tokens or shorten the prompt."
            )
            raise RequestError(message)

    def _reply_positions(self, activation: Tensor) -> Tensor:
        if self._is_reply is None:
            return torch.ones(activation.shape[:2], dtype=torch.bool, device=activation.device)
        if self._is_reply.shape != activation.shape[:2]:
            message = (
                f"positions {list(self._is_reply.shape)} are marked as a reply, and the model reads "
                f"{list(activation.shape[:2])}: mark the positions of each forward pass."
            )
            raise SeamError(message)
        return self._is_reply


def resolve_precision(precision: str) -> str:
    """``auto`` becomes bfloat16 where the device computes in it natively, else float32.

    On CPUs without AVX512-BF16 or AMX a bfloat16 product was measured at a seventh of the speed of a float32 one.
    """
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    has_bfloat16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # pyright: ignore[reportPrivateUsage]
    return "bfloat16" if has_bfloat16 else "float32"


def fingerprint_of(folder: Path) -> str:
    """SHA-256 over the weights' files, whole: the same for any precision of loading, another after any fine-tune."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _loading(precision: str) -> dict[str, Any]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if precision != "nf4":
        return {"dtype": getattr(torch, precision), "device_map": None if device == "cpu" else device}
    try:
        import accelerate  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import bitsandbytes  # noqa: F401  # pyright: ignore[reportUnusedImport]
        from transformers import BitsAndBytesConfig
    except ImportError:
        message = "precision nf4 needs bitsandbytes, which is not installed: pip install 'temperament[nf4]'."
        raise InstallError(message) from None
    compute = getattr(torch, resolve_precision("auto"))
    quantization = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=False, bnb_4bit_compute_dtype=compute
    )
    return {"dtype": compute, "quantization_config": quantization, "device_map": device}


def _reason(error: Exception) -> str:
    """The first line of an error of another library; its kind too, where that line alone says nothing."""
    first = next(iter(str(error).strip().splitlines()), "")
    return first if isinstance(error, OSError | ValueError) and first else f"{type(error).__name__}: {first}"


def _check_complete(found: dict[str, Any], name: str, folder: Path) -> None:
    """Raises BadFileError for weights that transformers would have drawn at random, with no more than a log line."""
    missing = sorted(str(key) for key in found["missing_keys"])
    unfit = sorted(str(key[0] if isinstance(key, tuple) else key) for key in found["mismatched_keys"])
    if not missing and not unfit:
        return
    what = f"lack '{missing[0]}'" if missing else f"have '{unfit[0]}' in another shape"
    more = len(missing) + len(unfit) - 1
    message = (
        f"'{name}' cannot be loaded from {folder}: its weights {what}{f' (and {more} more)' if more else ''}, which "
        f"config.json asks for. Fetch or save the model again, whole."
    )
    raise BadFileError(message)


def _keep_weights_unpacked(model: nn.Module) -> None:
    """Forbid bitsandbytes to repack weights in place at the first forward pass without gradients on a CPU.

    After that repacking gradients and merged weights are silently wrong (seen with 0.50.2; SCIENCE.md 2.4).
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010 - no attribute that the type checker knows


@contextmanager
def quiet() -> Generator[None]:
    """No progress bars, for loading and writing take a second, and no reports of what becomes an error here."""
    from transformers.utils import logging

    was_enabled, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if was_enabled:
            logging.enable_progress_bar()
