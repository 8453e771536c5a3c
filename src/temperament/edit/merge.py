"""Merging: a weight edit written into a copy of the weights, for tools that know nothing of edits."""

import secrets
import shutil
from pathlib import Path
from typing import Any, cast

import torch

from temperament.edit.base import Edit, Stack
from temperament.edit.weight import WeightEdit
from temperament.errors import BadFileError, RequestError, SeamError
from temperament.subject.base import Subject
from temperament.subject.open import OpenSubject, quiet


def export_merged(subject: Subject, edit: Edit, folder: Path) -> Path:
    """Write the subject with a weight edit merged in, as a folder that transformers loads.

    The subject itself stays as it is.

    Raises:
        RequestError: the edit is no weight edit, or the subject is 4-bit, whose weights cannot take a small change.
        BadFileError: the folder exists and is not empty.
    """
    parts = edit.parts if isinstance(edit, Stack) else (edit,)
    merged = [part if part is edit else edit.strength * part for part in parts]
    for part in merged:
        if not isinstance(part, WeightEdit):
            message = (
                f"{part.origin.method} changes no weights, so it cannot be merged: apply it when you ask the model."
            )
            raise RequestError(message)
        part.check(subject)
    if not isinstance(subject, OpenSubject):
        message = f"{subject.name} cannot be exported: its weights are not at hand."
        raise SeamError(message)
    if subject.precision == "nf4":
        message = "a merge into 4-bit weights would round the edit away: load the model with --precision bfloat16."
        raise RequestError(message)
    folder = folder.absolute()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        message = f"{folder} is not empty: give another folder, so that nothing of yours is replaced."
        raise BadFileError(message)
    _write(subject, [part for part in merged if isinstance(part, WeightEdit)], folder)
    return folder


def _write(subject: OpenSubject, edits: list[WeightEdit], folder: Path) -> None:
    model = cast(Any, subject.model)
    state = dict(model.state_dict())
    for path in dict.fromkeys(path for edit in edits for path in edit.branches):
        # Summed in float32 and rounded once.
        delta = torch.stack([edit.delta(path) for edit in edits if path in edit.branches]).sum(dim=0)
        if subject.anatomy.is_transposed(path):
            delta = delta.T
        weight = state[f"{path}.weight"]
        state[f"{path}.weight"] = (weight.float() + delta.to(weight.device)).to(weight.dtype)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Not ``tempfile``: its folders can be read by nobody else, and the model would stay so.
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.aside")
    aside.mkdir()
    try:
        with quiet():
            model.save_pretrained(aside, state_dict=state)
            subject.tokenizer.save_pretrained(aside)
        if folder.exists():
            folder.rmdir()
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
