"""A run's folder: one process at a time, one study in it, and nothing of anybody else's touched."""

import errno
import shutil
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec

from temperament.errors import BadFileError, MismatchError, WorkError
from temperament.record import read_json, write_text
from temperament.settings import read_toml
from temperament.study.plan import Study

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
STUDY, RESULTS, TIMING, PROVENANCE = "study.toml", "results.json", "timing.json", "provenance.json"


@contextmanager
def claimed(folder: Path, study: Study) -> Generator[None]:
    """Hold a run's folder: one process at a time, one study in it."""
    from filelock import FileLock, Timeout

    text = study.to_toml()
    lock = FileLock(folder / ".lock")
    try:
        _check_folder(folder, text)
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        # What a killed process was writing aside.
        for path in [path for path in folder.rglob(".*.aside") if path.exists()]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        write_text(folder / STUDY, text)
        yield
    except Timeout:
        message = f"{folder} is in use by another process: wait for it, or use another folder (--out)."
        raise MismatchError(message) from None
    except OSError as error:
        advice = "Make room there or choose another folder; what" if error.errno in NO_ROOM else "What"
        message = (
            f"the run in {folder} was stopped by the system: {error}. {advice} is complete is kept, and the same "
            f"command goes on from it."
        )
        raise WorkError(message) from error
    finally:
        if lock.is_locked:
            _leave(folder)
        lock.release()


def _leave(folder: Path) -> None:
    """Take the study's file away where no work was begun, so that a plan that is mended may use the folder."""
    if not (folder / PROVENANCE).exists():
        for name in (STUDY, TIMING):
            (folder / name).unlink(missing_ok=True)


def _check_folder(folder: Path, text: str) -> None:
    """Raises where the folder holds a run of another study, or no run at all."""
    if folder.is_file():
        message = f"{folder} is a file: give a folder for the run (--out)."
        raise BadFileError(message)
    if not folder.exists() or not any(not _is_passing(path) for path in folder.iterdir()):
        return
    if not (folder / STUDY).exists():
        message = f"{folder} holds files and no run: give another folder (--out), so that nothing of yours is changed."
        raise BadFileError(message)
    there, here = _flat(read_toml(folder / STUDY)), _flat(tomllib.loads(text))
    changed = [
        f"{key} is {there.get(key, 'not set')} there and {here.get(key, 'not set')} here"
        for key in dict.fromkeys([*here, *there])
        if there.get(key) != here.get(key)
    ]
    if changed:
        message = (
            f"{folder} holds a run of another study: {'; '.join(changed)}. Give another folder (--out), "
            f"or remove that one to run anew."
        )
        raise MismatchError(message)


def _is_passing(path: Path) -> bool:
    """Whether a file is the lock, or what a process that was killed at its very beginning left."""
    return path.name == ".lock" or (path.name.startswith(f".{STUDY}.") and path.suffix == ".aside")


def _flat(value: Any, place: str = "") -> dict[str, Any]:
    """A nested table as one of paths to values."""
    if isinstance(value, dict):
        pairs = cast(dict[str, Any], value).items()
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        pairs = ((str(number), inner) for number, inner in enumerate(cast(list[Any], value)))
    else:
        return {place: value}
    return {path: found for key, inner in pairs for path, found in _flat(inner, f"{place}.{key}".lstrip(".")).items()}


def check_provenance(folder: Path, found: dict[str, Any]) -> None:
    """Raises MismatchError where a run was begun with something else than is here now."""
    path = folder / PROVENANCE
    before = read_json(path, dict) if path.exists() else found
    changed = [key for key, value in found.items() if before.get(key) != msgspec.to_builtins(value)]
    if changed:
        message = (
            f"{folder} was begun with other {' and '.join(changed)} than are here now, and its cells would "
            f"not be comparable: use another folder (--out), or restore what was there (see {path})."
        )
        raise MismatchError(message)
