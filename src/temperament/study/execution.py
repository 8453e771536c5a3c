"""Running a study: fit, ask, score, report. A cell is complete or absent, and a killed run goes on where it was."""

import hashlib
import shutil
import time
import tomllib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from temperament.errors import BadFileError, MismatchError, TemperamentError
from temperament.opinion.row import Opinions, load_opinions
from temperament.record import Generation, read_json, to_json, write_text
from temperament.settings import read_toml
from temperament.study.plan import Cell, MethodPlan, Study, condition_of
from temperament.study.progress import Reporter, Silent

STUDY, RESULTS, TIMING, PROVENANCE = "study.toml", "results.json", "timing.json", "provenance.json"


def run_study(study: Study, folder: Path, reporter: Reporter | None = None) -> Path:
    """Run a study, or what is left of it, and write its report.

    Returns:
        The path of ``report.html``.

    Raises:
        MismatchError: the folder holds a run of another study, or another process is running there.
        BadFileError: the folder holds something else.
        TemperamentError: whatever the work itself raises; what is complete stays.
    """
    from temperament.report import render

    reporter = reporter or Silent()
    with _claimed(folder, study):
        if not (folder / RESULTS).exists():
            _work(study, folder, reporter)
        else:
            reporter.say(f"{folder} is complete: nothing is run again.")
        return render(folder)


@dataclass(frozen=True)
class Bench:
    """What a run works with."""

    study: Study
    folder: Path
    opinions: Opinions
    subject: Any
    reporter: Reporter
    clock: "Clock"

    @property
    def shaping(self) -> Opinions:
        """The rows that edits may be fitted to: no topic of them is asked or trains a classifier."""
        return self.opinions.split("shape")

    def edit_folder(self, cell: Cell) -> Path:
        """Where a cell's edit is kept."""
        return self.folder / "edits" / cell.edit

    def store(self, cell: Cell) -> Path:
        """Where a cell's records are kept."""
        return self.folder / "records" / f"{cell.name}.jsonl"


class Clock:
    """Durations by name, kept in ``timing.json`` over all processes that worked on the run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds: dict[str, float] = read_json(path, dict[str, float]) if path.exists() else {}

    @contextmanager
    def measured(self, name: str) -> Generator[None]:
        """Add the duration of the block to what is kept under a name."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 3)
            self.seconds["peak_memory_gb"] = round(max(self.seconds.get("peak_memory_gb", 0.0), _peak_memory()), 3)
            write_text(self.path, to_json(self.seconds))


def _work(study: Study, folder: Path, reporter: Reporter) -> None:
    from temperament.study.scoring import score_run
    from temperament.subject.base import Subject

    clock = Clock(folder / TIMING)
    opinions = study_opinions(study)
    items = study_items(study, opinions)
    cells = study.cells()
    if any(not (folder / "records" / f"{cell.name}.jsonl").exists() for cell in cells):
        with clock.measured("loading"):
            plan = study.subject
            subject = Subject.load(plan.model, plan.precision, trust_remote_code=plan.trust_remote_code)
        bench = Bench(study, folder, opinions, subject, reporter, clock)
        _write_provenance(bench)
        _announce(bench, cells, len(items))
        for method in study.method:
            for seed in study.seeds:
                _fit(bench, method, [cell for cell in cells if (cell.method, cell.seed) == (method.name, seed)])
        for cell in cells:
            _ask(bench, cell, items)
    reporter.begin("scoring", 1)
    with clock.measured("scoring"):
        score_run(study, opinions, folder)
    reporter.end()


def study_opinions(study: Study) -> Opinions:
    """The opinions of a study, thinned as its plan says."""
    opinions = load_opinions(study.opinions.path)
    limit = study.opinions.questions_per_answer
    if limit is None:
        return opinions
    seen: dict[tuple[str, str], int] = {}
    kept: list[Any] = []
    for row in opinions:
        key = (row.split, row.answer)
        seen[key] = seen.get(key, 0) + 1
        if row.split != "shape" or seen[key] <= limit:
            kept.append(row)
    return Opinions(kept, opinions.name)


def study_items(study: Study, opinions: Opinions) -> tuple[Any, ...]:
    """The questions of a study: of each topic as many as its plan says, the forms of question taking turns."""
    from temperament.measure.interview import items_of

    plan = study.interview
    items = items_of(opinions.split(plan.split))
    if not items:
        message = f"{opinions.name} has no rows in the split '{plan.split}', so there is nothing to ask."
        raise BadFileError(message)
    topics = list(dict.fromkeys(item.topic for item in items))[: plan.topics]
    found: list[Any] = []
    for number, topic in enumerate(topics):
        mine = [item for item in items if item.topic == topic]
        count = min(plan.questions_per_topic or len(mine), len(mine))
        found += [mine[(number + place) % len(mine)] for place in range(count)]
    return tuple(found)


def _fit(bench: Bench, plan: MethodPlan, cells: Sequence[Cell]) -> None:
    """Fit the edits that are missing, all targets of a method and a seed at once."""
    from temperament.edit.store import load_edit
    from temperament.shape.protocol import FitProgress, Workspace
    from temperament.shape.registry import make_method

    mine = [cell for cell in cells if cell.condition == condition_of(plan)]
    missing = {cell.edit: cell for cell in mine if not bench.edit_folder(cell).exists()}
    if not missing:
        return
    if plan.name == "adapter":
        edit = load_edit(plan.path or "")
        edit.check(bench.subject)
        for cell in missing.values():
            edit.save(bench.edit_folder(cell))
        return
    seed = mine[0].seed
    method = make_method(plan.name, plan.preset, plan.settings, seed)
    names = ", ".join(str(cell.target) for cell in missing.values())
    bench.reporter.begin(f"fitting {plan.name} ({names})", 1000)

    def watch(progress: FitProgress) -> None:
        bench.reporter.advance(1000 * progress.step // progress.steps, str(progress))

    checkpoint = (
        bench.folder / "checkpoints" / f"{plan.name}-{condition_of(plan)}-s{seed}.safetensors".replace(" ", "-")
    )
    with bench.clock.measured(f"fitting {plan.name} {condition_of(plan)} s{seed}"):
        targets = [cell.target for cell in missing.values() if cell.target]
        edits = method.fit_each(bench.subject, targets, bench.shaping, Workspace(checkpoint, watch=watch))
    for cell, edit in zip(missing.values(), edits, strict=True):
        _write_training(bench, cell, edit)
        edit.save(bench.edit_folder(cell))
    shutil.rmtree(checkpoint.parent, ignore_errors=True)
    bench.reporter.end()


def _ask(bench: Bench, cell: Cell, items: Sequence[Any]) -> None:
    """Ask every item under a cell's edit, unless that is done."""
    from temperament.edit.store import load_edit
    from temperament.measure.interview import Interview

    store = bench.store(cell)
    if store.exists():
        return
    interview = Interview(tuple(items), bench.study.generation(cell.seed))
    bench.reporter.begin(f"asking {cell.name}", len(items))

    def progress(done: int, _total: int) -> None:
        bench.reporter.advance(done)

    with bench.clock.measured(f"asking {cell.name}"):
        if cell.method == "base":
            interview.administer(bench.subject, store, progress)
        else:
            with (cell.strength * load_edit(bench.edit_folder(cell))).applied(bench.subject) as shaped:
                interview.administer(shaped, store, progress)
    bench.reporter.end()


def _write_training(bench: Bench, cell: Cell, edit: Any) -> None:
    origin = edit.origin
    finding = {
        "method": cell.method,
        "condition": cell.condition,
        "target": {"trait": cell.target.trait, "pole": cell.target.pole} if cell.target else None,
        "seed": cell.seed,
        "rows": origin.rows,
        "tokens": origin.tokens,
        "steps": origin.history,
    }
    write_text(bench.folder / "findings" / f"training-{cell.edit}.json", to_json(finding))


def _write_provenance(bench: Bench) -> None:
    from temperament.provenance import hardware, versions

    rows = b"".join(msgspec.json.encode(row) for row in bench.opinions)
    subject = bench.subject
    found = {
        "subject": {"name": subject.name, "fingerprint": subject.fingerprint, "precision": subject.precision},
        "opinions": {
            "name": bench.opinions.name,
            "rows": len(bench.opinions),
            "sha256": hashlib.sha256(rows).hexdigest(),
        },
        "seeds": bench.study.seeds,
        "versions": versions(),
        "hardware": hardware(),
    }
    path = bench.folder / PROVENANCE
    if path.exists() and (before := read_json(path, dict[str, Any])) != msgspec.to_builtins(found):
        changed = [
            key for key in ("subject", "opinions", "versions") if before.get(key) != msgspec.to_builtins(found[key])
        ]
        if changed:
            message = (
                f"{bench.folder} was begun with other {' and '.join(changed)} than are here now, and its cells would "
                f"not be comparable: use another folder (--out), or restore what was there (see {path})."
            )
            raise MismatchError(message)
    write_text(path, to_json(found))


def _announce(bench: Bench, cells: Sequence[Cell], items: int) -> None:
    """Say what is left to do, how long it will take and how much memory it needs."""
    from temperament.study.estimate import Work, forecast

    asked = [cell for cell in cells if not bench.store(cell).exists()]
    unfitted = {cell.edit: cell for cell in cells if cell.target and not bench.edit_folder(cell).exists()}
    tokens, parameters = _training_work(bench, list(unfitted.values()))
    generation: Generation = bench.study.generation(0)
    work = Work(tokens, len(asked) * items, min(items, 64), generation, parameters)
    text = f"{len(unfitted)} edits to fit, {len(asked)} of {len(cells)} cells to ask, {items} questions each"
    bench.reporter.say(f"{bench.subject.name} in {bench.subject.precision}: {text}")
    bench.reporter.say(f"this takes {forecast(bench.subject, work)}.")


def _training_work(bench: Bench, cells: Sequence[Cell]) -> tuple[int, int]:
    """Training tokens of the edits that are missing, and the parameters that train at once."""
    from temperament.shape.qlora import QLora
    from temperament.shape.registry import make_method

    tokens, parameters = 0, 0
    for plan in bench.study.method:
        method = make_method(plan.name, plan.preset, plan.settings) if plan.name != "adapter" else None
        mine = [cell.target for cell in cells if cell.condition == condition_of(plan) and cell.method == plan.name]
        if isinstance(method, QLora):
            tokens += sum(method.training_tokens(bench.subject, each, bench.shaping) for each in mine if each)
            parameters = max(parameters, len(mine) * method.parameters(bench.subject))
    return tokens, parameters


@contextmanager
def _claimed(folder: Path, study: Study) -> Generator[None]:
    """Hold a run's folder: one process at a time, one study in it."""
    from filelock import FileLock, Timeout

    text = study.to_toml()
    _check_folder(folder, text)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        message = f"{folder} is in use by another process: wait for it, or use another folder (--out)."
        raise MismatchError(message) from None
    try:
        write_text(folder / STUDY, text)
        yield
    except OSError as error:
        message = (
            f"{folder} cannot be written to: {error}. Make room or choose another folder; what is complete is kept."
        )
        raise TemperamentError(message) from error
    finally:
        lock.release()


def _check_folder(folder: Path, text: str) -> None:
    """Raises where the folder holds a run of another study, or no run at all."""
    if folder.is_file():
        message = f"{folder} is a file: give a folder for the run (--out)."
        raise BadFileError(message)
    if not folder.exists() or not any(path.name != ".lock" for path in folder.iterdir()):
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


def _flat(value: Any, place: str = "") -> dict[str, Any]:
    """A nested table as one of paths to values."""
    if isinstance(value, dict):
        pairs = cast(dict[str, Any], value).items()
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        pairs = ((str(number), inner) for number, inner in enumerate(cast(list[Any], value)))
    else:
        return {place: value}
    return {path: found for key, inner in pairs for path, found in _flat(inner, f"{place}.{key}".lstrip(".")).items()}


def _peak_memory() -> float:
    import resource
    import sys

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
