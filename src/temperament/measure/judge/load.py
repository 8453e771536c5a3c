"""From settings to a judge."""

from pathlib import Path

from temperament.errors import RequestError
from temperament.measure.judge.base import Judge
from temperament.measure.judge.cache import Cache
from temperament.measure.judge.plan import JudgePlan
from temperament.subject.base import Subject
from temperament.subject.builtin import cache_folder


def load_judge(plan: JudgePlan, cache: Path | None = None, subject: Subject | None = None) -> Judge:
    """The judge of a plan.

    Args:
        plan: names a model.
        cache: file that keeps what judges said, for all runs; None takes the one of this machine's user.
        subject: that is loaded already and serves where it is the plan's model, so that it is not loaded twice.

    Raises:
        RequestError: the plan has no model, or one that can be neither asked nor read.
        EndpointError: the server does not answer as it should.
    """
    if not plan.model:
        message = 'a judge was asked for and none is named: write model = "http://HOST/v1#MODEL" or another model.'
        raise RequestError(message)
    kept = Cache(cache or default_cache())
    if plan.is_remote:
        from temperament.measure.judge.remote import RemoteJudge
        from temperament.subject.endpoint import EndpointSubject

        endpoint = EndpointSubject(plan.model, per_minute=plan.calls_per_minute)
        return RemoteJudge(endpoint, kept, plan.at_once, plan.max_new_tokens)
    from temperament.measure.judge.local import LocalJudge
    from temperament.subject.open import OpenSubject

    is_here = subject is not None and (subject.name, plan.precision) in {
        (plan.model, subject.precision),
        (plan.model, "auto"),
    }
    judge = subject if is_here else Subject.load(plan.model, plan.precision)
    if not isinstance(judge, OpenSubject):
        message = f"{plan.model} cannot judge: it is neither an endpoint nor a model whose weights are at hand."
        raise RequestError(message)
    return LocalJudge(judge, kept)


def default_cache() -> Path:
    """Where what judges said is kept between runs."""
    return cache_folder() / "judge.sqlite"
