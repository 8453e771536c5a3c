"""Tiny random subjects from the real configurations of real architectures: for tests and for trying things out."""

from pathlib import Path
from typing import Any, cast

import torch

from temperament.errors import UnknownNameError
from temperament.subject.open import OpenSubject

HIDDEN, LAYERS, HEADS, WIDTH = 32, 3, 4, 64
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]

_COMMON = {
    "hidden_size": HIDDEN,
    "intermediate_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "max_position_embeddings": 512,
}
_GROUPED = {**_COMMON, "num_key_value_heads": 2, "head_dim": 8}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": _GROUPED,
    "mistral": _GROUPED,
    "qwen2": _GROUPED,
    "qwen3": _GROUPED,
    "gemma": _GROUPED,
    "gemma2": _GROUPED,
    "phi3": _GROUPED,
    "olmo2": _GROUPED,
    "gpt_neox": _COMMON,
    "gpt2": {"n_embd": HIDDEN, "n_layer": LAYERS, "n_head": HEADS, "n_positions": 512},
}


def tiny_subject(architecture: str = "llama", seed: int = 0) -> OpenSubject:
    """A random decoder of about a hundred thousand parameters with a byte-level tokenizer and a chat template.

    Raises:
        UnknownNameError: the architecture is not in ``ARCHITECTURES``.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    if architecture not in ARCHITECTURES:
        raise UnknownNameError(kind="architecture", asked=architecture, known=ARCHITECTURES)
    tokenizer = byte_tokenizer()
    special = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    config = AutoConfig.for_model(architecture, vocab_size=len(tokenizer), **special, **ARCHITECTURES[architecture])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return OpenSubject.of(model, tokenizer, f"tiny:{architecture}")


def byte_tokenizer() -> Any:
    """A tokenizer with a token a byte, as byte-level BPE without merges."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *alphabet])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    inner.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token=SPECIAL[0], eos_token=SPECIAL[1], additional_special_tokens=SPECIAL[2:]
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def save_tiny(folder: Path, architecture: str = "llama", seed: int = 0) -> Path:
    """Write a tiny subject as an ordinary model folder."""
    subject = tiny_subject(architecture, seed)
    cast(Any, subject.model).save_pretrained(folder)
    subject.tokenizer.save_pretrained(folder)
    return folder
