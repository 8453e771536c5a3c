"""The models and texts that are measured: the built-in one, a tiny one, and one of the shape of a 7B model."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch

from temperament.opinion.row import load_opinions
from temperament.subject.base import Subject
from temperament.subject.open import OpenSubject, quiet
from temperament.subject.tiny import byte_tokenizer, tiny_subject

SHAPES: dict[str, dict[str, int]] = {
    "7b": {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "max_position_embeddings": 4096,
    }
}


def load(name: str | None, device: str) -> OpenSubject:
    """A subject by name: ``smollm2`` in float32 (bfloat16 on a GPU), ``tiny``, or random weights of a shape."""
    name = name or ("smollm2" if device == "cpu" else "7b")
    if name in SHAPES:
        return _random(name, device)
    if name == "tiny":
        subject = tiny_subject("llama")
    else:
        subject = cast(OpenSubject, Subject.load(f"builtin:{name}", "float32" if device == "cpu" else "auto"))
    subject.model.to(device)
    return subject


def export(subject: OpenSubject, folder: Path) -> Path:
    """Write a subject for a peer to load; of random weights only their shape."""
    subject.tokenizer.save_pretrained(folder)
    model = cast(Any, subject.model)
    with quiet():
        if subject.name in SHAPES:
            model.config.save_pretrained(folder)
        else:
            model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    # What older versions of transformers call it.
    config["torch_dtype"] = str(model.dtype).removeprefix("torch.")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def questions(count: int) -> list[str]:
    """Questions of Opinion QA, each once."""
    return list(dict.fromkeys(row.question for row in load_opinions().split("test")))[:count]


@contextmanager
def endless(subject: OpenSubject) -> Generator[None]:
    """Nothing ends a reply but its length: then both sides write as many tokens."""
    settings: Any = subject.model.generation_config
    before = subject.format.stop_tokens, settings.eos_token_id
    subject.format.stop_tokens, settings.eos_token_id = (), None
    try:
        yield
    finally:
        subject.format.stop_tokens, settings.eos_token_id = before


def _random(name: str, device: str) -> OpenSubject:
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = byte_tokenizer()
    config = AutoConfig.for_model(
        "llama", pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, **SHAPES[name]
    )
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16 if device == "cuda" else torch.float32)
    return OpenSubject.of(model, tokenizer, name)
