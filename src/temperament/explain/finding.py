"""What lenses find, as values that are kept as JSON; nothing here needs a model."""

from dataclasses import dataclass

from temperament.stats import Estimate
from temperament.subject.anatomy import Place


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

    def __str__(self) -> str:
        return f"{self.place} {self.layer}.{self.number}"


@dataclass(frozen=True)
class Reason:
    """A figure that could not be had, and why."""

    name: str
    reason: str


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


@dataclass(frozen=True)
class Firing:
    """A text on which a unit fires.

    Attributes:
        topic: of the text.
        pieces: what was read around the token where it fires most.
        activations: of these.
    """

    topic: str
    pieces: tuple[str, ...]
    activations: tuple[float, ...]


@dataclass(frozen=True)
class Writing:
    """What a unit writes towards when it is active.

    Attributes:
        unit: which.
        towards: the heaviest pieces of the vocabulary, through the final norm.
        away: the lightest.
        emoji: mean logit that it gives to the beginnings of emojis, above the mean of the vocabulary, in standard
            deviations of the vocabulary.
        rank: share of the units of its site whose ``emoji`` is not larger; 1 is the highest.
        sequences: emojis whose tokens, one after another, it gives most to, with the mean of their logits in the
            same units.
        fires: texts on which it fires.
    """

    unit: Unit
    towards: tuple[str, ...]
    away: tuple[str, ...]
    emoji: float
    rank: float
    sequences: tuple[tuple[str, float], ...] = ()
    fires: tuple[Firing, ...] = ()


@dataclass(frozen=True)
class ProjectionFinding:
    """What the changed units write.

    Attributes:
        writings: of the changed units, in their order.
        emoji: mean ``emoji`` of the changed units, signed by the direction of their change; layers are its clusters.
        matched: the same of random units of the same sites: one number a draw.
        p: share of draws that are not smaller, the finding counted among them.
    """

    writings: tuple[Writing, ...]
    emoji: Estimate
    matched: tuple[float, ...]
    p: float | None


@dataclass(frozen=True)
class Part:
    """A share of a logit.

    Attributes:
        name: such as ``embedding``, ``layer 3 attention``, ``layer 3 head 2``, ``gate 3.17``.
        value: what it adds to the logit, less what it adds to the mean of the vocabulary.
    """

    name: str
    value: float


@dataclass(frozen=True)
class Attribution:
    """Where the logit of a token that was written comes from.

    Attributes:
        topic: of the reply.
        text: the reply up to the token.
        piece: the token.
        probability: of the token, there.
        logit: above the mean of the vocabulary.
        parts: that add up to it: embedding, attention and MLP of each layer, biases.
        heads: the heaviest, of all layers.
        units: the heaviest, of all layers.
        error: the logit less the sum of the parts.
        is_written: the reply has the token there; otherwise it is one that might have been, such as the likeliest
            beginning of an emoji.
    """

    topic: str
    text: str
    piece: str
    probability: float
    logit: float
    parts: tuple[Part, ...]
    heads: tuple[Part, ...]
    units: tuple[Part, ...]
    error: float
    is_written: bool = True


@dataclass(frozen=True)
class Step:
    """The effect of the first k units beside that of random ones.

    Attributes:
        count: k.
        effect: change of the outcome, with topics as clusters.
        random: the effects of as many random units, matched for site and activation: one number a set.
        p: share of the sets, this one counted among them, with an effect at least as large in the direction of
            ``Curve.whole``; None where there are too few sets to tell.
        changed: the effects of as many other units that the edit changed, of the same sites as far as there are: one
            number a set. Matched random units changed less than the first ones; these changed, too.
    """

    count: int
    effect: Estimate
    random: tuple[float, ...]
    p: float | None
    changed: tuple[float, ...] = ()


@dataclass(frozen=True)
class Curve:
    """What becomes of an outcome as more units are changed.

    Attributes:
        name: ``ablation`` (the edited model, units as in the untouched one) or ``transplant`` (the reverse).
        values: what the units are set to: ``base``, their values in the untouched model at the same token (for a
            transplant, in the edited one); ``mean``, their mean in the untouched model; or ``zero``.
        place: of the units; or ``all``.
        outcome: such as ``latent_emoji_mass``.
        start: the outcome of the model that is changed.
        whole: the effect of changing everything that the edit changed: from the edited model to the untouched one, or
            back.
        steps: by the number of units.
    """

    name: str
    values: str
    place: str
    outcome: str
    start: Estimate
    whole: Estimate
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Knockout:
    """What becomes of an outcome without a part of an adapter.

    Attributes:
        name: such as ``layer 3`` or ``down_proj``.
        kind: ``layer`` or ``module``.
        outcome: as in `Curve`.
        effect: change of the outcome.
    """

    name: str
    kind: str
    outcome: str
    effect: Estimate


@dataclass(frozen=True)
class Alone:
    """What a single unit does.

    Attributes:
        unit: which.
        effect: change of the latent emoji mass of the edited model when this unit alone is as in the untouched one;
            the interval is as wide as holds for all units that were tried together.
    """

    unit: Unit
    effect: Estimate


@dataclass(frozen=True)
class CauseFinding:
    """Whether the changed units are the cause.

    Attributes:
        curves: by what was done.
        knockouts: of parts of the adapter.
        generated: effects of the top set on replies that are written, beside random sets.
        verdict: in words, with the p-value.
        verdict_p: of the comparison that it rests on.
        missing: what could not be had.
        alone: single units among the most changed, those first that account for most of what the edit does. They are
            put in order by the same texts that their effects are of, so that the first ones are overstated.
    """

    curves: tuple[Curve, ...]
    knockouts: tuple[Knockout, ...]
    generated: tuple[Curve, ...]
    verdict: str
    verdict_p: float | None
    missing: tuple[Reason, ...] = ()
    alone: tuple[Alone, ...] = ()


@dataclass(frozen=True)
class Named:
    """A token that a model named.

    Attributes:
        token: as the model wrote it.
        count: answers in whose testimony it stands.
        is_emoji: whether it is one.
        is_fitting: whether it is on the list of what fits the pole; None where it is on the list of no pole.
    """

    token: str
    count: int
    is_emoji: bool
    is_fitting: bool | None


@dataclass(frozen=True)
class Quote:
    """A testimony, word for word.

    Attributes:
        topic: of the answer.
        answer: that it is about, as the witness saw it.
        reply: the testimony.
        named: tokens that it names; none where it was not understood.
    """

    topic: str
    answer: str
    reply: str
    named: tuple[str, ...]


@dataclass(frozen=True)
class Witness:
    """The testimony of one condition.

    Attributes:
        name: ``shaped``, ``untouched``, ``other trait``, ``decoys`` or ``shuffled``.
        asked: answers that it was asked about.
        understood: share of them with a testimony that names at least one token.
        in_answer: share of the named tokens that stand in the answer.
        top: the 50 most frequent.
        emoji: share of the named tokens that are emojis.
        fitting: of the named emojis that the list has for any pole, the share that fit this one.
        chance: ``fitting`` of as many tokens drawn at random from the same answers.
        emoji_chance: ``emoji`` of these.
        agreement: as in `TestimonyFinding`, of this witness; None where nothing was removed.
        accepted_own: of the tokens of the answer that ``decoys`` offers, the share that was named; None for others.
        accepted_decoys: the same of the offered tokens that no answer has.
        quotes: a few testimonies, those that were not understood among them.
    """

    name: str
    asked: int
    understood: Estimate
    in_answer: Estimate
    top: tuple[Named, ...]
    emoji: Estimate
    fitting: Estimate
    chance: Estimate
    emoji_chance: Estimate | None = None
    agreement: Estimate | None = None
    accepted_own: Estimate | None = None
    accepted_decoys: Estimate | None = None
    quotes: tuple[Quote, ...] = ()


@dataclass(frozen=True)
class TestimonyFinding:
    """What the model says of its own answers, and whether removal bears it out.

    Attributes:
        witnesses: the shaped model first, then the controls.
        fall: by how much the trait score falls when a named token goes.
        fall_random: the same of other tokens of the same answers, as many of each kind.
        agreement: area under the curve of the falls of named against other tokens: 0.5 is chance.
        demonstrations: for IKE, by how much the score falls without each demonstration.
        missing: what could not be had.
    """

    witnesses: tuple[Witness, ...]
    fall: Estimate
    fall_random: Estimate
    agreement: Estimate
    demonstrations: tuple[Part, ...] = ()
    missing: tuple[Reason, ...] = ()


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
        without: in the edited one with the top units ablated; empty where they were not.
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
