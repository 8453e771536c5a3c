"""What lenses find, as values that are kept as JSON; nothing here needs a model."""

from temperament.explain.finding.cause import Alone, CauseFinding, Curve, Knockout, Step
from temperament.explain.finding.explanation import Arms, Explanation, Glow, Overlap
from temperament.explain.finding.projection import Attribution, Firing, Part, ProjectionFinding, Writing
from temperament.explain.finding.testimony import Named, Quote, TestimonyFinding, Witness
from temperament.explain.finding.unit import Change, Dot, Outlier, Reason, SiteCount, Unit, UnitFinding

__all__ = [
    "Alone",
    "Arms",
    "Attribution",
    "CauseFinding",
    "Change",
    "Curve",
    "Dot",
    "Explanation",
    "Firing",
    "Glow",
    "Knockout",
    "Named",
    "Outlier",
    "Overlap",
    "Part",
    "ProjectionFinding",
    "Quote",
    "Reason",
    "SiteCount",
    "Step",
    "TestimonyFinding",
    "Unit",
    "UnitFinding",
    "Witness",
    "Writing",
]
