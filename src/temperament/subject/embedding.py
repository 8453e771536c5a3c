"""Sentence embedders: functions from texts to arrays, in which texts of one meaning lie near one another."""

import re
import zlib
from functools import cache
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from temperament.errors import InstallError, RequestError
from temperament.subject.builtin import find_builtin, prepared

BUILT_IN = "builtin:"
WORDS = "words"
WORD_UNITS = 512


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into an array [text, hidden]; equal texts into equal rows."""

    def __call__(self, texts: list[str], /) -> NDArray[np.float32]:
        """The embeddings of the texts, in their order."""
        ...


@cache
def load_sentence_embedder(name: str) -> Embedder:
    """A sentence embedder by name; it is loaded once and kept.

    Args:
        name: ``builtin:minilm``; an id or a folder that sentence-transformers can load; or ``words``, which counts
            words and needs no model.

    Raises:
        UnknownNameError: no built-in model has that name.
        RequestError: the built-in model of that name is a chat model.
        InstallError: a built-in embedder is not installed or damaged, or another one cannot be loaded.
    """
    if name == WORDS:
        return count_words
    place = _place_of_built_in(name) if name.startswith(BUILT_IN) else name
    pickles = sorted(Path(place).rglob("*.bin")) if Path(place).is_dir() else []
    if pickles:
        message = f"the sentence embedder '{name}' has pickled weights ({pickles[0]}): give one with safetensors."
        raise InstallError(message)
    from sentence_transformers import SentenceTransformer

    from temperament.subject.open import quiet

    try:
        with quiet():
            model = SentenceTransformer(place, model_kwargs={"use_safetensors": True})
    except (OSError, ValueError) as error:
        message = (
            f"the sentence embedder '{name}' cannot be loaded ({error}): give 'builtin:minilm', a folder, or a Hugging "
            "Face id that is in the cache or can be reached."
        )
        raise InstallError(message) from error

    def embed(texts: list[str], /) -> NDArray[np.float32]:
        return model.encode(texts, show_progress_bar=False, convert_to_numpy=True)

    return embed


def count_words(texts: list[str], /) -> NDArray[np.float32]:
    """How often each word of a text comes, [text, 512]; two words may share a place, by their checksum."""
    found = np.zeros((len(texts), WORD_UNITS), np.float32)
    for row, text in enumerate(texts):
        for word in re.findall(r"[^\W_]+", text.casefold()):
            found[row, zlib.crc32(word.encode()) % WORD_UNITS] += 1
    return found


def _place_of_built_in(name: str) -> str:
    builtin = find_builtin(name.removeprefix(BUILT_IN))
    if builtin.kind != "sentence embedder":
        message = f"{name} was asked to embed sentences: it is a {builtin.kind}. Use builtin:minilm."
        raise RequestError(message)
    return str(prepared(builtin.name))
