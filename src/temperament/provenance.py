"""Where results come from: versions of software, and the machine."""

import os
import platform
from importlib import metadata

PACKAGES = (
    "temperament",
    "torch",
    "transformers",
    "safetensors",
    "bitsandbytes",
    "sentence-transformers",
    "scikit-learn",
    "scipy",
    "numpy",
    "emoji",
)


def versions() -> dict[str, str]:
    """Versions of Python and of every installed package that results depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, str]:
    """The machine, as far as results and durations depend on it."""
    import torch

    found = {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found
