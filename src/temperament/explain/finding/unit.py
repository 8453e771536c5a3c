"""What an edit did to units, and why something could not be had."""

from dataclasses import dataclass

from temperament.subject.anatomy import Place, Site


@dataclass(frozen=True)
class Reason:
    """A figure that could not be had, and why."""

    name: str
    reason: str


@dataclass(frozen=True, order=True)
class Unit:
    """One neuron of a gate, or one dimension of what a part of a block adds or of the stream.

    Attributes:
        layer: 0-based block.
        place: as in `Site`.
        number: 0-based, at its site.
    """

    layer: int
    place: Place
    number: int

    @property
    def site(self) -> Site:
        """Where it is."""
        return Site(self.layer, self.place)

    def __str__(self) -> str:
        return f"{self.place} {self.layer}.{self.number}"


@dataclass(frozen=True)
class Change:
    """What an edit did to a unit.

    Attributes:
        unit: which.
        kind: ``newly activated``, ``amplified``, ``suppressed`` or ``sign-flipped``.
        firing: share of tokens with an activation above 0, before and after.
        mean: of the activation over topics, before and after; a topic is the mean of its texts.
        high: its 95th percentile, before and after.
        effect: the mean change by the standard deviation over tokens, pooled over before and after (Cohen's d), on the
            half that reports, as all but ``selected``; above 0 is higher after.
        normalised: the same of activations divided by the root mean square of their site at each token.
        selected: the same as ``effect``, on the half that selected, by which changes are ranked.
        p: of the paired t-test over topics, on the half that reports, two-sided.
        q: the same after Benjamini-Hochberg over what was selected.
    """

    unit: Unit
    kind: str
    firing: tuple[float, float]
    mean: tuple[float, float]
    high: tuple[float, float]
    effect: float
    normalised: float
    selected: float
    p: float
    q: float


@dataclass(frozen=True)
class SiteCount:
    """How many units of a site changed.

    Attributes:
        layer: of the site.
        place: of the site.
        units: that it has.
        selected: significant on the half that selects, after Benjamini-Hochberg over all units of all sites; as
            ``confirmed`` and ``kinds`` without dimensions that stand out in the untouched model.
        confirmed: of these, significant on the other half, too, in the same direction.
        kinds: confirmed ones by kind.
        outliers: confirmed dimensions that stand out in the untouched model, which the others do not count.
    """

    layer: int
    place: Place
    units: int
    selected: int
    confirmed: int
    kinds: dict[str, int]
    outliers: int = 0


@dataclass(frozen=True)
class Dot:
    """A confirmed unit in the map of all."""

    unit: Unit
    effect: float


@dataclass(frozen=True)
class Outlier:
    """A dimension that stands out in the untouched model.

    Attributes:
        unit: which.
        ratio: its root mean square activation by the median one of its site.
    """

    unit: Unit
    ratio: float


@dataclass(frozen=True)
class UnitFinding:
    """Units before and after, on the same texts.

    Attributes:
        source: of the texts: ``own`` replies of the edited model, or ``given`` answers.
        texts: that were read, by half: the one that selects, the one that reports.
        topics: the same of topics.
        tokens: in all.
        level: of the false discovery rate.
        sites: counts, in order.
        changes: the confirmed units with the largest effects on the half that selects, largest first, outliers left
            out: so that those on the half that reports were not picked for their size.
        dots: more of them, for the map.
        outliers: dimensions that stand out.
        null: share of all units that the procedure confirms between two halves of the texts on the untouched model,
            where nothing changed; its test is unpaired. None where a group has too few topics to select anything.
        flipped: share of all units that the same paired procedure confirms where each topic's change has a random sign,
            so that topics agree by chance only; the mean of 20 draws. None where a half has too few topics.
    """

    source: str
    texts: tuple[int, int]
    topics: tuple[int, int]
    tokens: int
    level: float
    sites: tuple[SiteCount, ...]
    changes: tuple[Change, ...]
    dots: tuple[Dot, ...]
    outliers: tuple[Outlier, ...]
    null: float | None = None
    flipped: float | None = None
