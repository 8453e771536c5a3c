"""The stages of a study, in the order in which they are done."""

from pathlib import Path

from temperament.opinion.row import Opinions
from temperament.study.explanation import Explanations
from temperament.study.inventory import Inventories
from temperament.study.judge import Judgements
from temperament.study.latent import Latent
from temperament.study.plan import Study
from temperament.study.reading import Readings
from temperament.study.stage import Stage


def stages_of(study: Study, folder: Path, opinions: Opinions) -> tuple[Stage, ...]:
    """What a study does after asking."""
    found: list[Stage] = [Readings(study, folder, opinions)]
    if study.measure.latent:
        found.append(Latent(study, folder, opinions))
    if study.inventory.inventory:
        found.append(Inventories(study, folder, opinions))
    if study.judge.model:
        found.append(Judgements(study, folder, opinions))
    if study.explain.lenses:
        found.append(Explanations(study, folder, opinions))
    return tuple(found)
