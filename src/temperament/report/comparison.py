"""Two runs side by side, figure by figure."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from temperament.errors import MismatchError
from temperament.record import Figure
from temperament.run import Run

Key = tuple[object, ...]


@dataclass(frozen=True)
class Comparison:
    """The same figure of two runs; what it is of stands in ``first``, and in ``second`` but for the subject."""

    first: Figure
    second: Figure

    @property
    def difference(self) -> float | None:
        """Second less first; None where one is withheld."""
        if self.first.value is None or self.second.value is None:
            return None
        return self.second.value - self.first.value

    @property
    def has_overlap(self) -> bool | None:
        """Whether the intervals overlap; None where one is withheld.

        Intervals that do not overlap differ; those that overlap may still differ.
        """
        one, other = self.first, self.second
        if one.lower is None or one.upper is None or other.lower is None or other.upper is None:
            return None
        return one.lower <= other.upper and other.lower <= one.upper


def compare(first: Path, second: Path) -> list[Comparison]:
    """The figures that two runs share, in the order of the first.

    The subject is left aside, so that two models can be compared, unless a run has several.

    Raises:
        BadFileError: a folder is no run.
        MismatchError: the runs share no figure.
    """
    runs = Run.load(first), Run.load(second)
    subjects = [{figure.subject for figure in run.results.figures} for run in runs]
    key = _with_subject if max(map(len, subjects)) > 1 else _without_subject
    theirs = _by(key, runs[1].results.figures)
    shared = [Comparison(figure, theirs[key(figure)]) for figure in runs[0].results.figures if key(figure) in theirs]
    if not shared:
        message = (
            f"{first} and {second} share no figure: the first measures {_what(runs[0])}, the second {_what(runs[1])}. "
            "Compare runs with a method, target, strength, seed and metric in common."
        )
        raise MismatchError(message)
    return shared


def _by(key: Callable[[Figure], Key], figures: list[Figure]) -> dict[Key, Figure]:
    return {key(figure): figure for figure in figures}


def _without_subject(figure: Figure) -> Key:
    what = (figure.metric, figure.measured_trait, figure.measured_pole, figure.scorer)
    return (figure.method, figure.condition, figure.trait, figure.pole, figure.strength, figure.seed, *what)


def _with_subject(figure: Figure) -> Key:
    return (figure.subject, *_without_subject(figure))


def _what(run: Run) -> str:
    methods = dict.fromkeys(figure.method for figure in run.results.figures)
    return ", ".join(methods) or "nothing"
