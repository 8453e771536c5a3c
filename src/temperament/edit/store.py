"""Edits on disk: safetensors and JSON, never a pickle."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from torch import Tensor

from temperament.edit.activation import ActivationEdit, Shift
from temperament.edit.adapter import CONFIG, WEIGHTS, read_adapter, read_branches
from temperament.edit.base import Edit, Kind, Origin, Stack
from temperament.edit.context import ContextEdit
from temperament.edit.retrieval import retrieval_from
from temperament.edit.weight import WeightEdit
from temperament.errors import BadFileError, MismatchError
from temperament.record import folder_aside, read_json, to_json, write_text
from temperament.subject.anatomy import Place, Site
from temperament.subject.base import Message
from temperament.trait import BIG_FIVE, find_trait, register, table_of_trait, trait_from

PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")


class _Definitions(msgspec.Struct, omit_defaults=True):
    """The part of ``edit.json`` that has to be read first: custom traits, as their TOML files have them."""

    traits: list[dict[str, Any]] = []


class EditFile(_Definitions, kw_only=True):
    """The content of ``edit.json``."""

    kind: Kind
    origin: Origin
    strength: float
    fingerprint: str
    content: dict[str, Any]


def save_edit(
    edit: Edit,
    folder: Path,
    content: Mapping[str, Any],
    tensors: Mapping[str, Mapping[str, Tensor]] | None = None,
    documents: Mapping[str, Any] | None = None,
) -> None:
    """Write an edit into a folder: aside, then renamed, so that a folder under its name is whole.

    Args:
        edit: to be kept.
        folder: takes the edit; an edit that is there is replaced.
        content: what ``edit.json`` holds besides origin and strength.
        tensors: safetensors files by name.
        documents: further JSON files by name.

    Raises:
        BadFileError: the folder exists and is not an edit that could be replaced.
    """
    from safetensors.torch import save_file

    _check_free(folder)
    with folder_aside(folder) as aside:
        for name, group in (tensors or {}).items():
            # Copies: safetensors refuses tensors that share memory, as one direction at every layer does.
            copies = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in group.items()}
            save_file(copies, aside / name)
        for name, document in (documents or {}).items():
            write_text(aside / name, to_json(document))
        write_text(aside / "edit.json", to_json(_file(edit, dict(content))))


def save_stack(stack: Stack, folder: Path) -> None:
    """Write the parts of a stack into ``part-0``, ``part-1`` and so on."""
    names = [f"part-{number}" for number in range(len(stack.parts))]
    _check_free(folder)
    with folder_aside(folder) as aside:
        for name, part in zip(names, stack.parts, strict=True):
            part.save(aside / name)
        write_text(aside / "edit.json", to_json(_file(stack, {"parts": names})))


def load_edit(folder: Path | str) -> Edit:
    """An edit from its folder: one of ours, or a PEFT adapter trained anywhere.

    A custom trait that the edit is for is registered.

    Raises:
        BadFileError: the folder does not exist, holds no edit, is damaged, or holds pickled weights only.
        MismatchError: it is for a custom trait that this process knows by another definition.
    """
    folder = Path(folder)
    if not folder.is_dir():
        message = f"{folder} is no folder with an edit: give one that holds edit.json or {CONFIG}."
        raise BadFileError(message)
    if not (folder / "edit.json").exists():
        return _load_adapter(folder)
    _define(folder / "edit.json")
    file = read_json(folder / "edit.json", EditFile)
    try:
        edit = _from_file(folder, file)
    except (KeyError, ValueError, TypeError) as error:
        message = f"{folder / 'edit.json'} is damaged: what it says of a {file.kind} edit cannot be read ({error!r})."
        raise BadFileError(message) from None
    if edit.fingerprint != file.fingerprint:
        message = f"{folder} is damaged: its tensors are not those that edit.json names. Save or fetch it again."
        raise BadFileError(message)
    return edit


def _define(path: Path) -> None:
    """Register the custom traits of an edit, before its target is read."""
    for number, table in enumerate(read_json(path, _Definitions).traits):
        try:
            register(trait_from(table, f"{path}.traits.{number}"))
        except MismatchError as error:
            message = f"{path}: {error}"
            raise MismatchError(message) from None


def _from_file(folder: Path, file: EditFile) -> Edit:
    content, origin, strength = file.content, file.origin, file.strength
    match file.kind:
        case "context" if "demonstrations" in content:
            return retrieval_from(origin, strength, content, _tensors(folder / "edit.safetensors"))
        case "context":
            turns = tuple(msgspec.convert(content["turns"], list[Message]))
            return ContextEdit(origin, strength, system=content["system"], turns=turns)
        case "weight":
            # The scale of adapter_config.json has the strength in it: here both are read from edit.json.
            branches = read_branches(folder, _tensors(folder / WEIGHTS))
            return WeightEdit(origin, strength, branches=branches, scale=content["scale"])
        case "activation":
            return ActivationEdit(origin, strength, shifts=_shifts(folder), tokens=content["tokens"])
        case "stack":
            return Stack(origin, strength, parts=tuple(load_edit(folder / name) for name in content["parts"]))


def _load_adapter(folder: Path) -> WeightEdit:
    if not (folder / WEIGHTS).exists():
        pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
        if pickles:
            message = (
                f"{folder} holds its weights as {pickles[0]}, a pickle, which can run code when it is read and is "
                f"refused: convert it to {WEIGHTS} with safetensors where you trust it."
            )
            raise BadFileError(message)
        message = f"{folder} holds no edit: expected edit.json, or {CONFIG} with {WEIGHTS}."
        raise BadFileError(message)
    config: dict[str, Any] = read_json(folder / CONFIG, dict)
    return read_adapter(folder, _tensors(folder / WEIGHTS), config)


def _tensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        message = f"{path} cannot be read as safetensors: {error}. Fetch or save it again."
        raise BadFileError(message) from None


def _shifts(folder: Path) -> dict[Site, Shift]:
    tensors = _tensors(folder / "edit.safetensors")
    shifts: dict[Site, Shift] = {}
    for name, tensor in tensors.items():
        part, place, layer = name.split(".")
        if part == "add":
            site = Site(int(layer), msgspec.convert(place, Place))
            shifts[site] = Shift(tensor, tensors.get(f"clamp.{place}.{layer}"))
    return shifts


def _file(edit: Edit, content: dict[str, Any]) -> EditFile:
    target = edit.origin.target
    traits = [find_trait(target.trait)] if target else []
    return EditFile(
        kind=edit.kind,
        origin=edit.origin,
        strength=edit.strength,
        fingerprint=edit.fingerprint,
        content=content,
        traits=[table_of_trait(trait) for trait in traits if trait not in BIG_FIVE],
    )


def _check_free(folder: Path) -> None:
    """Raises BadFileError where something that is no edit would be replaced."""
    is_ours = folder.is_dir() and ((folder / "edit.json").exists() or not any(folder.iterdir()))
    if folder.exists() and not is_ours:
        message = f"{folder} exists and is no edit: choose another folder, so that nothing of yours is replaced."
        raise BadFileError(message)
