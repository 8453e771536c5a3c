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
    "use_bdlora",
    "kasa_config",
    "monteclora_config",
)
# Ways to begin that move the frozen weights too: without PEFT's conversion the factors alone are not the change.
MOVING = ("pissa", "olora", "corda", "loftq", "lora_ga")


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
    branches = read_branches(folder, tensors)
    try:
        scales = {path: _scale(path, branch.rank, config) for path, branch in branches.items()}
    except (TypeError, ValueError, re.error) as error:
        message = f"{folder / CONFIG} has a lora_alpha or alpha_pattern that cannot be read: {error}."
        raise BadFileError(message) from None
    # The most common scale stays a number of its own; zero would be lost in a quotient.
    common = Counter(scale for scale in scales.values() if scale != 0.0).most_common(1)
    scale = common[0][0] if common else 0.0
    for path, other in scales.items():
        if other != scale:
            branches[path] = LowRank(branches[path].down, branches[path].up * (other / scale))
    origin = Origin("adapter", subject=str(config.get("base_model_name_or_path") or ""), settings=dict(config))
    return WeightEdit(origin, branches=branches, scale=scale)


def read_branches(folder: Path, tensors: Mapping[str, Tensor]) -> dict[str, LowRank]:
    """The factors of an adapter by path, as they are in its file.

    Raises:
        BadFileError: the file holds something else, or half of a pair.
    """
    branches: dict[str, LowRank] = {}
    for name, down in tensors.items():
        match = re.fullmatch(r"(?:base_model\.model\.)?(.+)\.lora_A(?:\.default)?\.weight", name)
        if match is None:
            if not re.search(r"\.lora_B(\.default)?\.weight$", name):
                message = f"{folder / WEIGHTS} holds '{name}', which is no part of a plain LoRA adapter."
                raise BadFileError(message)
            continue
        up_name = name.replace(".lora_A.", ".lora_B.")
        if up_name not in tensors:
            message = f"{folder / WEIGHTS} has '{name}' without '{up_name}': the file is damaged."
            raise BadFileError(message)
        up = tensors[up_name]
        if down.ndim != 2 or up.ndim != 2 or down.shape[0] != up.shape[1]:
            message = (
                f"{folder / WEIGHTS} has factors of shapes {list(down.shape)} and {list(up.shape)} at {match[1]}: "
                f"a low-rank branch needs [rank, input] and [output, rank]."
            )
            raise BadFileError(message)
        branches[match[1]] = LowRank(down, up)
    alone = next((name for name in tensors if ".lora_B." in name and name.replace("_B.", "_A.") not in tensors), None)
    if alone is not None:
        message = f"{folder / WEIGHTS} has '{alone}' without its lora_A: the file is damaged."
        raise BadFileError(message)
    if not branches:
        message = f"{folder / WEIGHTS} holds no LoRA tensors."
        raise BadFileError(message)
    return branches


def _check_config(folder: Path, config: Mapping[str, Any]) -> None:
    if config.get("peft_type") != "LORA":
        message = f"{folder / CONFIG} is of type {config.get('peft_type')}: only LORA adapters can be applied."
        raise BadFileError(message)
    foreign = [name for name in FOREIGN if config.get(name)]
    if config.get("bias", "none") != "none":
        foreign.append("bias")
    begun = str(config.get("init_lora_weights") or "").lower()
    if begun.startswith(MOVING):
        foreign.append(f"init_lora_weights '{begun}'")
    if foreign:
        message = (
            f"{folder / CONFIG} uses {', '.join(foreign)}, which a low-rank branch cannot express: "
            f"merge the adapter with PEFT and load the merged model as a subject."
        )
        raise BadFileError(message)


def _scale(path: str, rank: int, config: Mapping[str, Any]) -> float:
    """Source: PEFT, LoRA: alpha / rank, or alpha / sqrt(rank) when rank-stabilised (Kalajdzievski 2023, 2312.03732)."""
    alpha = config.get("lora_alpha")
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", path):
            alpha = value
            break
    alpha = 8.0 if alpha is None else float(alpha)
    return alpha / (rank**0.5 if config.get("use_rslora") else rank)


def _targets(paths: list[str]) -> dict[str, Any]:
    """Names of the adapted maps inside a block, and the layers: exactly those, or PEFT invents the missing ones.

    The last name alone will not do: GPT-2 has a ``c_proj`` in the attention and another in the MLP.
    """
    layers: dict[str, set[int]] = {}
    for path in paths:
        match = re.search(r"\.(\d+)\.", path)
        if match is None:
            return {"target_modules": sorted(paths)}
        layers.setdefault(path[match.end() :], set()).add(int(match[1]))
    first, *rest = layers.values()
    if any(other != first for other in rest):
        return {"target_modules": sorted(paths)}
    return {"target_modules": sorted(layers), "layers_to_transform": sorted(first)}
