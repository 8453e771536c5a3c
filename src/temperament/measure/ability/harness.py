"""The bridge to lm-evaluation-harness, which is imported here and nowhere else, when it is used."""

import difflib
import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from temperament.errors import InstallError, RequestError, WorkError
from temperament.measure.ability.likelihood import continuations, documents
from temperament.measure.ability.prompt import Form, packed
from temperament.measure.ability.writing import completions, writing_of
from temperament.record import NOT_A_NUMBER
from temperament.subject.base import Progress, Subject

# What the harness is told where there is no number: an answer that nothing is less likely than.
IMPOSSIBLE = float("-inf")
# Task and number of a document.
Document = tuple[str, int]


@dataclass(frozen=True)
class Answers:
    """What the harness made of a subject's answers.

    Attributes:
        samples: of each task, a mapping for each document and filter.
        results: what else it says: its own figures, versions and settings of tasks.
        failures: why a document has no answer.
    """

    samples: dict[str, list[dict[str, Any]]]
    results: dict[str, Any]
    failures: dict[Document, str] = field(default_factory=dict[Document, str])


def require_harness() -> str:
    """The version of the harness that is installed.

    Raises:
        InstallError: there is none, or one of the packages that it needs is missing.
    """
    try:
        import_module("lm_eval.evaluator")
        return str(import_module("lm_eval").__version__)
    except ImportError as error:
        message = (
            f"ability is measured with lm-evaluation-harness, which is not installed ({error}): "
            f"pip install 'temperament[ability]'."
        )
        raise InstallError(message) from None


def load_tasks(names: Sequence[str], include: Path | None = None, seed: int = 0) -> Any:
    """Tasks and groups of the harness, with their documents.

    Args:
        names: of tasks, groups or tags; ``*`` stands for anything.
        include: folder with task files of one's own. They may run code of theirs.
        seed: of what a task shuffles when it is loaded.

    Raises:
        InstallError: the harness is not installed.
        RequestError: no task has that name.
        WorkError: a task's documents cannot be had.
    """
    require_harness()
    manager, known = _manager(names, include)
    tasks: list[Any] = []
    with own_draws(seed):
        for name in dict.fromkeys(known):
            try:
                tasks += manager.load([name])["tasks"].values()
            except Exception as error:
                # Wide on purpose: files, the hub's client and a task's own code let errors of any kind through.
                message = (
                    f"the documents of task '{name}' cannot be had: {_reason(error)}. Most tasks read theirs from the "
                    f"Hugging Face hub: check the network, or use tasks of your own with --include FOLDER."
                )
                raise WorkError(message) from error
    return {"tasks": {task.task_name: task for task in tasks}, "groups": {}, "group_map": {}}


def answer_tasks(
    subject: Subject,
    tasks: Any,
    form: Form,
    settings: tuple[int | None, int | None, int],
    progress: Progress | None = None,
) -> Answers:
    """Have a subject do tasks, under whatever is applied to it.

    Args:
        subject: answers.
        tasks: from `load_tasks`.
        form: how it reads what it is asked.
        settings: examples that are shown, or None for as many as a task says; documents of each task, or None for all;
            and the seed of both and of what is drawn.
        progress: is told requests of one kind, of all of that kind.

    Raises:
        RequestError: a task asks what cannot be done with this subject.
    """
    shown, limit, seed = settings
    for task in tasks["tasks"].values():
        if shown is not None and task.get_config("num_fewshot") != 0:
            task.set_config(key="num_fewshot", value=shown)
        elif task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=seed)
    failures: dict[Document, str] = {}
    with own_draws(seed), np.errstate(invalid="ignore"):
        try:
            results = import_module("lm_eval.evaluator").evaluate(
                lm=subject_model(subject, form, failures, seed, progress),
                task_dict=tasks,
                limit=limit,
                bootstrap_iters=0,
                apply_chat_template=form == "chat",
                fewshot_as_multiturn=form == "chat",
            )
        except ValueError as error:
            # Tasks that run what a model wrote, or show it pictures.
            message = f"the harness refuses these tasks: {_reason(error)}. Leave them out."
            raise RequestError(message) from error
    return Answers(results.pop("samples"), results, failures)


def subject_model(
    subject: Subject, form: Form, failures: dict[Document, str], seed: int = 0, progress: Progress | None = None
) -> Any:
    """A subject as a model of the harness; it answers under whatever is applied to it.

    Args:
        subject: answers.
        form: how it reads what it is asked.
        failures: takes why a document has no answer; the harness is told the worst one then.
        seed: of what is drawn.
        progress: is told requests of one kind, of all of that kind.
    """

    class SubjectModel(import_module("lm_eval.api.model").LM):
        """Passes the harness's requests on to the subject."""

        @property
        def tokenizer_name(self) -> str:
            """Names what makes text of conversations."""
            return subject.fingerprint

        def apply_chat_template(self, chat_history: Any, add_generation_prompt: bool = True) -> str:  # noqa: FBT001, FBT002
            """The conversation as one string, not rendered yet; a last turn of the assistant tells what is begun."""
            del add_generation_prompt
            return packed(chat_history)

        def loglikelihood(self, requests: Any) -> list[tuple[float, bool]]:
            """How likely each continuation is, and whether the model would have written it."""
            pairs = [(request.args[0], request.args[1]) for request in requests]
            found = continuations(subject, pairs, form, progress)
            broken = [one.log_probability is None for one in found]
            _note(failures, requests, [NOT_A_NUMBER if is_broken else None for is_broken in broken])
            return [
                (IMPOSSIBLE if one.log_probability is None else one.log_probability, one.is_greedy) for one in found
            ]

        def loglikelihood_rolling(self, requests: Any) -> list[float]:
            """How likely each document is."""
            found = documents(subject, [request.args[0] for request in requests], form, progress)
            _note(failures, requests, [NOT_A_NUMBER if one is None else None for one in found])
            return [IMPOSSIBLE if one is None else one for one in found]

        def generate_until(self, requests: Any) -> list[str]:
            """What the model writes."""
            asked = [(request.args[0], writing_of(request.args[1], seed)) for request in requests]
            found = completions(subject, asked, form, progress)
            _note(failures, requests, [reply.error if reply.text is None else None for reply in found])
            return [reply.text or "" for reply in found]

    return SubjectModel()


@contextmanager
def own_draws(seed: int) -> Generator[None]:
    """Draws of Python and numpy begin with a seed, and go on afterwards as if there had been none."""
    before, other = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(other)


def _manager(names: Sequence[str], include: Path | None) -> tuple[Any, list[str]]:
    """Who knows all the names, and the tasks that they stand for; the harness's own are looked up only if needed."""
    make = import_module("lm_eval.tasks").TaskManager
    if include is not None:
        own = make(include_path=str(include), include_defaults=False)
        found = [own.match_tasks([name]) for name in names]
        if all(found):
            return own, [task for some in found for task in some]
    manager = make(include_path=str(include) if include else None)
    found = [manager.match_tasks([name]) for name in names]
    if all(found):
        return manager, [task for some in found for task in some]
    unknown = next(name for name, some in zip(names, found, strict=True) if not some)
    near = difflib.get_close_matches(unknown, manager.all_tasks, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    message = (
        f"task '{unknown}' does not exist in lm-evaluation-harness {require_harness()}: {hint}'lm-eval ls tasks' lists "
        f"them, and --include FOLDER adds files of your own."
    )
    raise RequestError(message)


def _note(failures: dict[Document, str], requests: Any, reasons: Sequence[str | None]) -> None:
    for request, reason in zip(requests, reasons, strict=True):
        if reason is not None:
            failures[request.task_name, request.doc_id] = reason


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ").rstrip(".")
