"""Sentence embedders: functions from texts to arrays."""

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from temperament.errors import InstallError
from temperament.subject.builtin import prepared

_BUILT_IN = "builtin:"


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into an array [text, hidden]; equal texts into equal rows."""

    def __call__(self, texts: list[str], /) -> NDArray[np.float32]:
        """The embeddings of the texts, in their order."""
        ...


def load_embedder(name: str) -> Embedder:
    """A sentence embedder by name.

    Args:
        name: ``builtin:minilm``, or an id or a folder that sentence-transformers can load.

    Raises:
        UnknownNameError: no built-in model has that name.
        InstallError: a built-in embedder is not installed or damaged, or another one cannot be loaded.
    """
    place = str(prepared(name.removeprefix(_BUILT_IN))) if name.startswith(_BUILT_IN) else name
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
