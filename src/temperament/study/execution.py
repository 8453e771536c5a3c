"""Running a study: fit, ask, score, report. A cell is complete or absent, and a killed run goes on where it was."""

import hashlib
import shutil
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import msgspec

from temperament.errors import BadFileError, MismatchError
from temperament.opinion.row import Opinion, Opinions, load_opinions
from temperament.record import Generation, Label, read_json, to_json, write_text
from temperament.study.claim import PROVENANCE, RESULTS, TIMING, check_provenance, claimed
from temperament.study.order import stages_of
from temperament.study.plan import Cell, MethodPlan, Study, condition_of, slug
from temperament.study.progress import Reporter, Silent
from temperament.study.stage import Stage

CHECKPOINTS = "checkpoints"


def run_study(study: Study, folder: Path, reporter: Reporter | None = None) -> Path:
    """Run a study, or what is left of it, and write its report.

    Returns:
        The path of ``report.html``.

    Raises:
        MismatchError: the folder holds a run of another study, other edits or opinions than are here now, or
            another process is running there; another model, too, where something is left to ask.
        BadFileError: the folder holds something else.
        WorkError: the folder cannot be written to.
        TemperamentError: whatever the work itself raises; what is complete stays.
    """
    from temperament.report import render

    reporter = reporter or Silent()
    study.cells()  # A plan that makes no sense is refused before it leaves a trace.
    with claimed(folder, study):
        _check_adapters(study, folder)
        if not (folder / RESULTS).exists():
            _work(study, folder, reporter)
        else:
            check_provenance(folder, {"opinions": _described(study_opinions(study))})
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

    def edit(self, cell: Cell) -> Any:
        """A cell's edit at its strength, which multiplies the one that the edit was saved at; None of the base."""
        from temperament.edit.store import load_edit

        return None if cell.method == "base" else cell.strength * load_edit(self.edit_folder(cell))

    def store(self, cell: Cell) -> Path:
        """Where a cell's records are kept."""
        return self.folder / "records" / f"{cell.name}.jsonl"


class Clock:
    """Durations by name, kept in ``timing.json`` over all processes that worked on the run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds: dict[str, float] = read_json(path, dict) if path.exists() else {}

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
    check_provenance(folder, {"opinions": _described(opinions)})
    items = study_items(study, opinions)
    check_measurable(study, opinions)
    cells = study.cells()
    stages = stages_of(study, folder, opinions)
    unasked = any(not (folder / "records" / f"{cell.name}.jsonl").exists() for cell in cells)
    if unasked or any(stage.missing(cells) for stage in stages):
        with clock.measured("loading"):
            plan = study.subject
            subject = Subject.load(plan.model, plan.precision, trust_remote_code=plan.trust_remote_code)
        bench = Bench(study, folder, opinions, subject, reporter, clock)
        for stage in stages:
            stage.check(subject)
        _write_provenance(bench)
        _announce(bench, stages, cells, len(items))
        for method in study.method:
            for seed in study.seeds:
                _fit(bench, method, [cell for cell in cells if (cell.method, cell.seed) == (method.name, seed)])
        for cell in cells:
            _ask(bench, stages, cell, items)
        for stage in stages:
            _do(bench, stage, cells)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    reporter.begin("scoring", 1)
    with clock.measured("scoring"):
        score_run(study, opinions, folder)
    reporter.end()


def study_opinions(study: Study) -> Opinions:
    """The opinions of a study, the split ``shape`` thinned as its plan says."""
    plan = study.opinions
    opinions = load_opinions(*plan.paths)
    _check_splits(opinions)
    topics = set(opinions.split("shape").topics[: plan.topics])
    seen: Counter[str] = Counter()
    kept: list[Opinion] = []
    for row in opinions:
        if row.split == "shape":
            seen[row.answer] += 1
            if row.topic not in topics or seen[row.answer] > (plan.questions_per_answer or len(opinions)):
                continue
        kept.append(row)
    return Opinions(kept, opinions.name)


def _check_splits(opinions: Opinions) -> None:
    """Raises BadFileError where a topic is in two splits: what shaped a model must not measure it."""
    first: dict[str, str] = {}
    for row in opinions:
        if (other := first.setdefault(row.topic.casefold(), row.split)) != row.split:
            message = (
                f"the topic '{row.topic}' of {opinions.name} is in the splits '{other}' and '{row.split}': a topic "
                f"that shapes a model must not measure it. Keep each topic in one split."
            )
            raise BadFileError(message)


def check_measurable(study: Study, opinions: Opinions) -> None:
    """Raises RequestError where the classifier could not be fitted, or could not see a target; before any long work."""
    from temperament.measure.classifier import check_learned, learnable

    labels = learnable(opinions)
    for target in study.wanted:
        check_learned(target, labels)


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
    from temperament.shape.protocol import FitProgress, Workspace
    from temperament.shape.registry import make_method
    from temperament.study.mix import adapter_of

    mine = [cell for cell in cells if cell.condition == condition_of(plan)]
    missing = {cell.edit: cell for cell in mine if not bench.edit_folder(cell).exists()}
    if not missing:
        return
    if plan.name == "adapter":
        edit = adapter_of(plan)
        edit.check(bench.subject)
        for cell in missing.values():
            edit.save(bench.edit_folder(cell))
        return
    # All of them also where some are there: dropout draws for the targets of a fitting together, so that one alone
    # would become another edit than in a run that was never stopped. The checkpoint of an ended fitting makes it quick.
    fitted = {cell.edit: cell for cell in mine}
    seed = mine[0].seed
    method = make_method(plan.name, plan.preset, plan.settings, seed)
    names = ", ".join(str(cell.target) for cell in fitted.values())
    bench.reporter.begin(f"fitting {plan.name} ({names})", 1000)

    def watch(progress: FitProgress) -> None:
        bench.reporter.advance(1000 * progress.step // progress.steps, str(progress))

    checkpoint = bench.folder / CHECKPOINTS / f"{plan.name}-{slug(condition_of(plan))}-s{seed}.safetensors"
    with bench.clock.measured(f"fitting {plan.name} {condition_of(plan)} s{seed}"):
        targets = [cell.target for cell in fitted.values() if cell.target]
        edits = method.fit_each(bench.subject, targets, bench.shaping, Workspace(checkpoint, watch=watch))
    for cell, edit in zip(fitted.values(), edits, strict=True):
        if cell.edit in missing:
            _write_training(bench, cell, edit)
            edit.save(bench.edit_folder(cell))
    shutil.rmtree(checkpoint.parent, ignore_errors=True)
    bench.reporter.end()


def _ask(bench: Bench, stages: Sequence[Stage], cell: Cell, items: Sequence[Any]) -> None:
    """Ask every item under a cell's edit, unless that is done."""
    from temperament.measure.interview import Interview

    store = bench.store(cell)
    if store.exists():
        return
    for stage in stages:
        stage.forget(cell)
    edit = bench.edit(cell)
    interview = Interview(tuple(items), bench.study.generation(cell.seed), _label(cell, edit))
    bench.reporter.begin(f"asking {cell.name}", len(items))

    def progress(done: int, _total: int) -> None:
        bench.reporter.advance(done)

    with (
        bench.clock.measured(f"asking {cell.name}"),
        edit.applied(bench.subject) if edit else nullcontext(bench.subject) as shaped,
    ):
        interview.administer(shaped, store, progress)
    bench.reporter.end()


def _do(bench: Bench, stage: Stage, cells: Sequence[Cell]) -> None:
    """Do what a stage has not done yet; where it cannot be done with the subject, the run says why."""
    if reason := stage.refusal(bench.subject):
        stage.write_reason(reason)
        return
    by_name = {cell.name: cell for cell in cells}
    for name in stage.missing(cells):
        bench.reporter.begin(f"{stage.doing} {name}", 100)

        def progress(done: int, total: int) -> None:
            bench.reporter.advance(100 * done // max(total, 1))

        with bench.clock.measured(f"{stage.doing} {name}"):
            cell = by_name.get(name)
            stage.run(cell, bench.subject, bench.edit(cell) if cell else None, progress)
        bench.reporter.end()


def _label(cell: Cell, edit: Any) -> Label:
    """A cell's records carry the cell's own name, whatever an edit that was made elsewhere calls itself."""
    if edit is None:
        return Label()
    trait, pole = (cell.target.trait, cell.target.pole) if cell.target else (None, None)
    return Label(cell.method, cell.condition, trait, pole, cell.strength, edit.fingerprint[:16])


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

    subject = bench.subject
    found = {
        "subject": {"name": subject.name, "fingerprint": subject.fingerprint, "precision": subject.precision},
        "opinions": _described(bench.opinions),
        "seeds": bench.study.seeds,
        "versions": versions(),
        "hardware": hardware(),
    }
    check_provenance(bench.folder, {key: found[key] for key in ("subject", "opinions", "versions")})
    write_text(bench.folder / PROVENANCE, to_json(found))


def _described(opinions: Opinions) -> dict[str, Any]:
    rows = b"".join(msgspec.json.encode(row) for row in opinions)
    return {"name": opinions.name, "rows": len(opinions), "sha256": hashlib.sha256(rows).hexdigest()}


def _check_adapters(study: Study, folder: Path) -> None:
    """Raises MismatchError where the edit at an adapter's path is no longer the one that the run was begun with."""
    plans = [plan for plan in study.method if plan.paths and all(Path(path).is_dir() for path in plan.paths)]
    for plan, cell in product(plans, study.cells()):
        kept = folder / "edits" / cell.edit
        if (cell.method, cell.condition) != (plan.name, condition_of(plan)) or not kept.exists():
            continue
        from temperament.edit.store import load_edit
        from temperament.study.mix import adapter_of

        there, here = load_edit(kept), adapter_of(plan)
        if (there.fingerprint, there.strength) != (here.fingerprint, here.strength):
            message = (
                f"{folder} was begun with another edit than lies in {', '.join(plan.paths)} now: use another folder "
                f"(--out), or remove that one to measure anew."
            )
            raise MismatchError(message)


def _announce(bench: Bench, stages: Sequence[Stage], cells: Sequence[Cell], items: int) -> None:
    """Say what is left to do, how long it will take and how much memory it needs."""
    from temperament.study.estimate import REPLY_SHARE, Work, forecast

    asked = [cell for cell in cells if not bench.store(cell).exists()]
    unfitted = {cell.edit: cell for cell in cells if cell.target and not bench.edit_folder(cell).exists()}
    generation: Generation = bench.study.generation(0)
    replies = items * REPLY_SHARE * generation.max_new_tokens
    read = sum(stage.tokens(cells, replies) for stage in stages)
    work = Work(_efforts(bench, list(unfitted.values())), len(asked) * items, min(items, 64), generation, read)
    text = f"{len(unfitted)} edits to fit, {len(asked)} of {len(cells)} cells to ask, {items} questions each"
    bench.reporter.say(f"{bench.subject.name} in {bench.subject.precision}: {text}")
    bench.reporter.say(f"this takes {forecast(bench.subject, work)}.")


def _efforts(bench: Bench, cells: Sequence[Cell]) -> tuple[Any, ...]:
    """What the fittings of the edits that are missing ask of the model; refuses what cannot be fitted, beforehand."""
    from temperament.shape.registry import make_method

    found: list[Any] = []
    for plan, seed in product(bench.study.method, bench.study.seeds):
        mine = [cell for cell in cells if (cell.method, cell.condition) == (plan.name, condition_of(plan))]
        targets = [cell.target for cell in mine if cell.target and cell.seed == seed]
        if plan.name != "adapter" and targets:
            method = make_method(plan.name, plan.preset, plan.settings, seed)
            found.append(method.effort(bench.subject, targets, bench.shaping))
    return tuple(found)


def _peak_memory() -> float:
    import resource
    import sys

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
