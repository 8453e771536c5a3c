"""All that was found of an edit, and of arms of a study."""

from dataclasses import dataclass

from temperament.explain.finding.cause import CauseFinding
from temperament.explain.finding.projection import Attribution, ProjectionFinding
from temperament.explain.finding.testimony import TestimonyFinding
from temperament.explain.finding.unit import Reason, UnitFinding


@dataclass(frozen=True)
class Overlap:
    """How many units two sets share.

    Attributes:
        first: name of a set.
        second: name of the other.
        layer: of the units; None is all layers.
        sizes: of both.
        units: that there are.
        shared: that both have.
        expected: by chance.
        p: of as many or more, hypergeometric; over all layers, of the sum of layers.
    """

    first: str
    second: str
    layer: int | None
    sizes: tuple[int, int]
    units: int
    shared: int
    expected: float
    p: float


@dataclass(frozen=True)
class Glow:
    """The probability of an emoji at each token of a reply.

    Attributes:
        topic: of the reply.
        pieces: what was written.
        before: latent mass at each position in the untouched model; None inside an emoji.
        after: in the edited one.
        without: in the edited one with the first hundred gate units held at their mean in the untouched model, in the
            order of units that the verdict begins with; empty where there are none.
    """

    topic: str
    pieces: tuple[str, ...]
    before: tuple[float | None, ...]
    after: tuple[float | None, ...]
    without: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """All that was found of one edit; ``findings/explain/CELL.json``.

    Attributes:
        subject: name of the model.
        edit: name of the cell.
        settings: of the lenses.
        units: before and after, on the edited model's own replies.
        given: the same on replies of the untouched model.
        projection: what they write.
        attributions: of emojis that were written, or of the likeliest beginnings of one.
        cause: by intervention.
        testimony: in context.
        overlaps: with neurons found otherwise.
        glows: emoji probability over replies.
        missing: what could not be had.
    """

    subject: str
    edit: str
    settings: dict[str, str]
    units: UnitFinding | None = None
    given: UnitFinding | None = None
    projection: ProjectionFinding | None = None
    attributions: tuple[Attribution, ...] = ()
    cause: CauseFinding | None = None
    testimony: TestimonyFinding | None = None
    overlaps: tuple[Overlap, ...] = ()
    glows: tuple[Glow, ...] = ()
    missing: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Arms:
    """Whether two ways to shape change other units, beyond what seeds do.

    Attributes:
        first: name of an arm.
        second: of the other.
        seeds: of each.
        place: of the units.
        distance: mean squared difference of the arms' mean effects.
        relabelled: the same under every other division of the runs into two arms.
        p: share of the divisions, the real one among them, with a distance at least as large.
        beyond: units whose difference exceeds that of every other division.
        expected: how many that are by chance alone, as other divisions have it.
    """

    first: str
    second: str
    seeds: tuple[int, int]
    place: str
    distance: float
    relabelled: tuple[float, ...]
    p: float
    beyond: int
    expected: float
