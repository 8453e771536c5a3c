"""Shape a language model's personality, measure whether it worked and what else changed, and see why.

What most work needs is named here; a name is loaded when it is first used, so that importing this package is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from temperament.edit.base import Edit
    from temperament.edit.profile import Profile
    from temperament.edit.store import load_edit
    from temperament.edit.sum import summed
    from temperament.errors import TemperamentError
    from temperament.explain.attribution import AttributionLens
    from temperament.explain.cause import CauseLens
    from temperament.explain.projection import ProjectionLens
    from temperament.explain.testimony import TestimonyLens
    from temperament.explain.text import Text
    from temperament.explain.unit import UnitLens
    from temperament.measure.alignment import alignment
    from temperament.measure.interview import Interview, items_of
    from temperament.opinion.row import Opinion, Opinions, load_opinions
    from temperament.record import GREEDY, Generation, Record
    from temperament.run import Run
    from temperament.shape.direction.method import Direction
    from temperament.shape.ike import Ike
    from temperament.shape.mend.method import Mend
    from temperament.shape.neurons.method import Neurons
    from temperament.shape.profile import fit_profile
    from temperament.shape.prompt import Prompt
    from temperament.shape.qlora import QLora
    from temperament.study.execution import run_study
    from temperament.study.plan import Study, load_study
    from temperament.subject.base import Reply, Subject
    from temperament.trait import Target, Trait, load_trait, register

_HOME = {
    "AttributionLens": "explain.attribution",
    "CauseLens": "explain.cause",
    "Direction": "shape.direction.method",
    "Edit": "edit.base",
    "GREEDY": "record",
    "Generation": "record",
    "Ike": "shape.ike",
    "Interview": "measure.interview",
    "Mend": "shape.mend.method",
    "Neurons": "shape.neurons.method",
    "Opinion": "opinion.row",
    "Opinions": "opinion.row",
    "Profile": "edit.profile",
    "ProjectionLens": "explain.projection",
    "Prompt": "shape.prompt",
    "QLora": "shape.qlora",
    "Record": "record",
    "Reply": "subject.base",
    "Run": "run",
    "Study": "study.plan",
    "Subject": "subject.base",
    "Target": "trait",
    "TemperamentError": "errors",
    "TestimonyLens": "explain.testimony",
    "Text": "explain.text",
    "Trait": "trait",
    "UnitLens": "explain.unit",
    "alignment": "measure.alignment",
    "fit_profile": "shape.profile",
    "items_of": "measure.interview",
    "load_edit": "edit.store",
    "load_opinions": "opinion.row",
    "load_study": "study.plan",
    "load_trait": "trait",
    "register": "trait",
    "run_study": "study.execution",
    "summed": "edit.sum",
}

__all__ = [
    "GREEDY",
    "AttributionLens",
    "CauseLens",
    "Direction",
    "Edit",
    "Generation",
    "Ike",
    "Interview",
    "Mend",
    "Neurons",
    "Opinion",
    "Opinions",
    "Profile",
    "ProjectionLens",
    "Prompt",
    "QLora",
    "Record",
    "Reply",
    "Run",
    "Study",
    "Subject",
    "Target",
    "TemperamentError",
    "TestimonyLens",
    "Text",
    "Trait",
    "UnitLens",
    "alignment",
    "fit_profile",
    "items_of",
    "load_edit",
    "load_opinions",
    "load_study",
    "load_trait",
    "register",
    "run_study",
    "summed",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        message = f"module 'temperament' has no attribute '{name}'"
        raise AttributeError(message)
    return getattr(import_module(f"temperament.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
