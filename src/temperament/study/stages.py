"""The stages of a study, in the order in which they are done."""

from pathlib import Path

from temperament.opinion.row import Opinions
from temperament.study.plan import Study
from temperament.study.reading import Readings
from temperament.study.stage import Stage


def stages_of(study: Study, folder: Path, opinions: Opinions) -> tuple[Stage, ...]:
    """What a study does after asking."""
    return (Readings(study, folder, opinions),)
