"""How a tokenizer spells: the bytes that each token writes, whatever kind of vocabulary it is from."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

Spelling = Sequence[bytes | None]

_BYTE = re.compile("<0x([0-9A-Fa-f]{2})>")
_WORD_MARK = "\u2581"


def spell(tokenizer: Any) -> Spelling:
    """The bytes of every token, by its number; None for special tokens, which write nothing, and for gaps.

    What turns tokens into text is read from the tokenizer's own decoder: byte-level BPE (a character a byte, in the
    alphabet of GPT-2), SentencePiece (a mark for the space, and tokens such as ``<0xF0>`` for single bytes), word
    pieces, or whole words, which are parted by a space. A tokenizer that has none to show (one without the tokenizers
    library below) is taken for SentencePiece.

    Source: Radford et al. 2019, Language Models are Unsupervised Multitask Learners, section 2.2 (bytes as characters);
    Kudo and Richardson 2018, arXiv 1808.06226 (SentencePiece).
    """
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    bytes_of = _speller(tokenizer)
    spelled: list[bytes | None] = [None] * (max(vocabulary.values(), default=-1) + 1)
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    special |= set(tokenizer.all_special_ids)
    for token, number in vocabulary.items():
        if number not in special:
            spelled[number] = bytes_of(token) or None
    return spelled


def _speller(tokenizer: Any) -> Callable[[str], bytes]:
    inner = getattr(tokenizer, "backend_tokenizer", None)
    if inner is None:
        return _pieces([{"type": "Metaspace", "replacement": _WORD_MARK}, {"type": "ByteFallback"}])
    parts = json.loads(inner.to_str())
    decoders = _flat(parts["decoder"], "decoders")
    if any(part["type"] == "ByteLevel" for part in (*decoders, *_flat(parts["pre_tokenizer"], "pretokenizers"))):
        return _byte_level()
    for part in decoders:
        if part["type"] == "WordPiece":
            return _word_pieces(part["prefix"])
    return _pieces(decoders) if decoders else lambda token: f" {token}".encode()


def _flat(part: Any, inner: str) -> list[dict[str, Any]]:
    """The parts of a sequence of sequences."""
    if not part:
        return []
    return [each for one in part[inner] for each in _flat(one, inner)] if part["type"] == "Sequence" else [part]


def _byte_level() -> Callable[[str], bytes]:
    """Bytes that can be printed stand for themselves, the others for the characters from U+0100, in order."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [number for number in range(0x100) if number not in printable]
    alphabet = {chr(number): number for number in printable}
    alphabet |= {chr(0x100 + place): number for place, number in enumerate(others)}

    def bytes_of(token: str) -> bytes:
        # Tokens that were added later are plain text.
        return bytes(alphabet[one] for one in token) if all(one in alphabet for one in token) else token.encode()

    return bytes_of


def _word_pieces(prefix: str) -> Callable[[str], bytes]:
    def bytes_of(token: str) -> bytes:
        return (token.removeprefix(prefix) if token.startswith(prefix) else f" {token}").encode()

    return bytes_of


def _pieces(decoders: Sequence[dict[str, Any]]) -> Callable[[str], bytes]:
    kinds = {part["type"] for part in decoders}
    replaced = [(part["replacement"], " ") for part in decoders if part["type"] == "Metaspace"]
    replaced += [(part["suffix"], " ") for part in decoders if part["type"] == "BPEDecoder"]
    for part in decoders:
        if part["type"] == "Replace" and "String" in part["pattern"]:
            replaced.append((part["pattern"]["String"], part["content"]))

    def bytes_of(token: str) -> bytes:
        byte = _BYTE.fullmatch(token) if "ByteFallback" in kinds else None
        if byte:
            return bytes((int(byte[1], 16),))
        for mark, text in replaced:
            token = token.replace(mark, text)
        return token.encode()

    return bytes_of
