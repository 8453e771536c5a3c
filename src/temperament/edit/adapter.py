"""PEFT's files for low-rank adapters: writing ours, reading anybody's.

The format is small and stable: tensors named by path, and a JSON file; reading it directly keeps PEFT's import of six
seconds, and its wrapping of the model, out of the way. Tests load our files with PEFT and PEFT's files here.
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from temperament.edit.base import Origin
from temperament.edit.weight import LowRank, WeightEdit
from temperament.errors import BadFileError

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."
# What an adapter may have that a low-rank branch has not; each must be absent or off.
FOREIGN = (
    "use_dora",
    "modules_to_save",
    "layer_replication",
    "lora_bias",
    "use_qalora",
    "alora_invocation_tokens",
    "target_parameters",
    "trainable_token_indices",
    "arrow_config",
)


def adapter_files(edit: WeightEdit) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """The tensors and the configuration of a PEFT adapter with the effect of an edit at its strength."""
    tensors: dict[str, Tensor] = {}
    for path, branch in edit.branches.items():
        tensors[f"{PREFIX}{path}.lora_A.weight"] = branch.down.contiguous()
        tensors[f"{PREFIX}{path}.lora_B.weight"] = branch.up.contiguous()
    ranks = {path: branch.rank for path, branch in edit.branches.items()}
    common = Counter(ranks.values()).most_common(1)[0][0]
    factor = edit.scale * edit.strength
    others = {path: rank for path, rank in ranks.items() if rank != common}
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": edit.origin.subject,
        "r": common,
        "lora_alpha": factor * common,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": bool(edit.origin.settings.get("fan_in_fan_out", False)),
        "inference_mode": True,
        "rank_pattern": others,
        "alpha_pattern": {path: factor * rank for path, rank in others.items()},
        "use_rslora": False,
        **_targets(list(edit.branches)),
    }
    return {WEIGHTS: tensors}, config


def read_adapter(folder: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> WeightEdit:
    """A PEFT adapter, trained anywhere, as a weight edit.

    Raises:
        BadFileError: it is no LoRA adapter, or has parts that a low-rank branch cannot express.
    """
    _check_config(folder, config)
    branches: dict[str, LowRank] = {}
    scales: dict[str, float] = {}
    for name, down in tensors.items():
        match = re.fullmatch(r"(?:base_model\.model\.)?(.+)\.lora_A(?:\.default)?\.weight", name)
        if match is None:
            if not re.search(r"\.lora_B(\.default)?\.weight$", name):
                message = f"{folder / WEIGHTS} holds '{name}', which is no part of a plain LoRA adapter."
                raise BadFileError(message)
            continue
        path, up_name = match[1], name.replace(".lora_A.", ".lora_B.")
        if up_name not in tensors:
            message = f"{folder / WEIGHTS} has '{name}' without '{up_name}': the file is damaged."
            raise BadFileError(message)
        branches[path] = LowRank(down, tensors[up_name])
        scales[path] = _scale(path, down.shape[0], config)
    if not branches:
        message = f"{folder / WEIGHTS} holds no LoRA tensors."
        raise BadFileError(message)
    common = Counter(scales.values()).most_common(1)[0][0]
    for path, scale in scales.items():
        if scale != common:
            branches[path] = LowRank(branches[path].down, branches[path].up * (scale / common))
    origin = Origin("adapter", subject=str(config.get("base_model_name_or_path") or ""), settings=dict(config))
    return WeightEdit(origin, branches=branches, scale=common)


def _check_config(folder: Path, config: Mapping[str, Any]) -> None:
    if config.get("peft_type") != "LORA":
        message = f"{folder / CONFIG} is of type {config.get('peft_type')}: only LORA adapters can be applied."
        raise BadFileError(message)
    foreign = [name for name in FOREIGN if config.get(name)]
    if config.get("bias", "none") != "none":
        foreign.append("bias")
    if foreign:
        message = (
            f"{folder / CONFIG} uses {', '.join(foreign)}, which a low-rank branch cannot express: "
            f"merge the adapter with PEFT and load the merged model as a subject."
        )
        raise BadFileError(message)


def _scale(path: str, rank: int, config: Mapping[str, Any]) -> float:
    """Source: PEFT, LoRA: alpha / rank, or alpha / sqrt(rank) when rank-stabilised (Kalajdzievski 2023, 2312.03732)."""
    alpha = float(config.get("lora_alpha") or 8)
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", path):
            alpha = float(value)
    return alpha / (rank**0.5 if config.get("use_rslora") else rank)


def _targets(paths: list[str]) -> dict[str, Any]:
    """Names of the adapted maps, in the short form that other tools expect where it says the same."""
    layers: dict[str, set[int]] = {}
    for path in paths:
        match = re.search(r"\.(\d+)\.", path)
        if match is None:
            return {"target_modules": sorted(paths)}
        layers.setdefault(path[match.end() :], set()).add(int(match[1]))
    first, *rest = layers.values()
    names = sorted({name.rpartition(".")[2] for name in layers})
    if any(other != first for other in rest) or len(names) != len(layers):
        return {"target_modules": sorted(paths)}
    if first == set(range(len(first))):
        return {"target_modules": names}
    return {"target_modules": names, "layers_to_transform": sorted(first)}
