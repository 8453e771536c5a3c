"""Embedders by name: sentence embedders, and decoders read by their hidden states."""

from temperament.errors import RequestError
from temperament.subject.builtin import find_builtin
from temperament.subject.embedding import BUILT_IN, Embedder, load_sentence_embedder

__all__ = ["Embedder", "load_embedder"]
_DECODER = "decoder:"


def load_embedder(name: str) -> Embedder:
    """An embedder by name.

    Args:
        name: ``builtin:smollm2`` or ``decoder:MODEL``, whose hidden states are read (see `HiddenStates`; MODEL is a hub
            id or a folder); or a sentence embedder, such as ``builtin:minilm`` (see `load_sentence_embedder`).

    Raises:
        UnknownNameError: no built-in model has that name.
        InstallError: a built-in embedder is not installed or damaged, or another one cannot be loaded.
    """
    is_builtin = name.startswith(BUILT_IN)
    if name.startswith(_DECODER) or (is_builtin and find_builtin(name.removeprefix(BUILT_IN)).kind == "chat model"):
        return _decoder(name.removeprefix(_DECODER))
    return load_sentence_embedder(name)


def _decoder(name: str) -> Embedder:
    from temperament.measure.hidden import HiddenStates
    from temperament.subject.load import load_subject
    from temperament.subject.open import OpenSubject

    # float32 whatever the device prefers: the same text has the same score everywhere.
    subject = load_subject(name, precision="float32")
    if not isinstance(subject, OpenSubject):
        message = f"'{name}' was asked to read texts by its hidden states: an endpoint has none at hand."
        raise RequestError(message)
    return HiddenStates(subject)
