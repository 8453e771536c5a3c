"""Environments of peers that need other versions than ours: made once, and anew where what they hold changes."""

import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

HOME = Path(__file__).parent.parent / ".venvs-bench"


def python_of(name: str, *steps: Sequence[str]) -> Path:
    """The interpreter of an environment.

    Args:
        name: of its folder.
        steps: what pip is told to install, in order; each pins torch, so that no other build of it is fetched.
    """
    folder = HOME / name
    wanted = hashlib.sha256(repr(steps).encode()).hexdigest()
    stamp, python = folder / ".installed", folder / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted and python.exists():
        return python
    print(f"making an environment for {name} in {folder}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    for step in steps:
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *step], check=True)
    stamp.write_text(wanted)
    return python
