"""A peer for steering, in an environment of its own: it does what it reads from standard input and tells the time.

Run as ``python peer.py LIBRARY FOLDER DEVICE``. Each line that it reads is JSON: ``{"do": "fit", ...}`` or
``{"do": "reply", ...}``; each line that it writes is ``{"seconds": ..., "computed": ...}``. It imports nothing of ours.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer


class Library(Protocol):
    """A steering library."""

    def fit(self, pairs: Sequence[tuple[str, str]]) -> object:
        """A vector a layer, from texts of both poles."""

    def steered(self, layer: int, reply: Callable[[Any], None]) -> None:
        """Generate under the vector of one layer."""


class Repeng:
    """https://github.com/vgel/repeng: its defaults, which are the first principal component of paired differences."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer, self.vector = model, tokenizer, None

    def fit(self, pairs: Sequence[tuple[str, str]]) -> object:
        """A vector for every layer but the first."""
        from repeng import ControlVector, DatasetEntry

        entries = [DatasetEntry(positive=shown, negative=other) for shown, other in pairs]
        self.vector = ControlVector.train(self.model, self.tokenizer, entries)
        return self.vector

    def steered(self, layer: int, reply: Callable[[Any], None]) -> None:
        """Generate with the layer wrapped."""
        from repeng import ControlModel

        assert self.vector is not None
        wrapped = ControlModel(self.model, [layer])
        try:
            wrapped.set_control(self.vector, 0.1)
            reply(wrapped)
        finally:
            wrapped.unwrap()


class SteeringVectors:
    """https://github.com/steering-vectors/steering-vectors: differences of means at the last token, in batches."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer, self.vector = model, tokenizer, None

    def fit(self, pairs: Sequence[tuple[str, str]]) -> object:
        """A vector for every layer but the first."""
        from steering_vectors import train_steering_vector

        layers = list(range(1, self.model.config.num_hidden_layers))
        # Its default is a batch of one.
        self.vector = train_steering_vector(self.model, self.tokenizer, list(pairs), layers=layers, batch_size=32)
        return self.vector

    def steered(self, layer: int, reply: Callable[[Any], None]) -> None:
        """Generate with the layer hooked."""
        from steering_vectors import SteeringVector

        assert self.vector is not None
        with SteeringVector({layer: self.vector.layer_activations[layer]}).apply(self.model, multiplier=0.1):
            reply(self.model)


LIBRARIES: dict[str, Callable[[Any, Any], Library]] = {"repeng": Repeng, "steering-vectors": SteeringVectors}


def load(folder: Path, device: str) -> tuple[Any, Any]:
    """The model and the tokenizer; random weights where the folder has none."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = AutoConfig.from_pretrained(folder)
    dtype = getattr(torch, json.loads((folder / "config.json").read_text())["torch_dtype"])
    if list(folder.glob("*.safetensors")):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    else:
        with torch.device(device):
            model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    return model.eval().to(device), tokenizer


def reply(model: Any, tokenizer: Any, texts: Sequence[str], tokens: int) -> None:
    """A greedy batch of replies of equal length."""
    batch = tokenizer(list(texts), add_special_tokens=False, return_tensors="pt", padding=True, padding_side="left")
    ids, mask = (batch[name].to(model.device) for name in ("input_ids", "attention_mask"))
    with torch.inference_mode():
        output = model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=False,
            max_new_tokens=tokens,
            pad_token_id=tokenizer.pad_token_id,
        )
    assert output.shape[1] == ids.shape[1] + tokens
    tokenizer.batch_decode(output[:, ids.shape[1] :], skip_special_tokens=True)


def main() -> None:
    """Work until standard input ends."""
    name, folder, device = sys.argv[1:]
    told = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no answer
    model, tokenizer = load(Path(folder), device)
    model.generation_config.eos_token_id = None
    library = LIBRARIES[name](model, tokenizer)
    for line in sys.stdin:
        asked = json.loads(line)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        start, computed = time.perf_counter(), time.process_time()
        if asked["do"] == "fit":
            library.fit([(shown, other) for shown, other in asked["pairs"]])
        else:
            library.steered(
                asked["layer"], partial(reply, tokenizer=tokenizer, texts=asked["texts"], tokens=asked["tokens"])
            )
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times = {"seconds": time.perf_counter() - start, "computed": time.process_time() - computed}
        print(json.dumps(times), file=told, flush=True)


if __name__ == "__main__":
    main()
