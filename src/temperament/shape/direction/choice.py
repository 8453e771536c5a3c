"""Choosing a layer and a gain on some topics, under a floor on fluency, and reporting what they do on others."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from temperament.activation.forcing import Exchange
from temperament.edit.activation import ActivationEdit
from temperament.errors import RequestError, TrainingError
from temperament.opinion.row import Opinions, Split
from temperament.opinion.split import split_by_topic
from temperament.shape.likelihood import divergence, perplexity, pole_likelihoods
from temperament.shape.pair import Pair
from temperament.stats import Estimate, average
from temperament.subject.base import Subject
from temperament.subject.open import OpenSubject

# A score of a user's own: the subject under a candidate, and opinions of both poles on topics that the vector has not
# seen; higher is better.
Score = Callable[[Subject, Opinions], float]


@dataclass(frozen=True)
class Trial:
    """A layer and a gain that were tried.

    Attributes:
        perplexity: of neutral passages, as a multiple of the untouched model's; None where it is no finite number.
        is_fluent: it keeps the floor.
        score: what the choice goes by; None where it was not asked.
    """

    layer: int
    gain: float
    perplexity: float | None
    is_fluent: bool
    score: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What an edit does on topics that its vector has not seen.

    Attributes:
        topics: how many.
        effect: the rise of ``p+ - p-``, by topic.
        target_rise: the rise of ``p+`` alone: where it falls, the other pole only fell further.
        perplexity: of neutral passages, as a multiple of the untouched model's; None where it is no finite number.
        divergence: of neutral passages from the untouched model, in nats a token; None where it is no finite number.
        score: of a user's own score, as a rise; None where there is none.
    """

    topics: int
    effect: Estimate
    target_rise: Estimate
    perplexity: float | None
    divergence: float | None
    score: float | None = None


@dataclass(frozen=True)
class Choice:
    """How a layer and a gain were found.

    Attributes:
        criterion: ``likelihood``, ``score`` for one that was passed in, or ``settings`` where nothing was to choose.
        layer: 0-based.
        gain: in mean lengths of the activation at that layer.
        perplexity_limit: the floor, as a multiple of the untouched model's.
        tried: by layer and gain; gains above one that broke the floor at a layer are not tried.
        chosen_on: the outcome on the topics that the choice was made on, with the vector that it was made with; None
            where nothing was to choose.
        reported_on: the outcome of the edit on topics that had no say; None where there were too few topics.
    """

    criterion: str
    layer: int
    gain: float
    perplexity_limit: float
    tried: tuple[Trial, ...]
    chosen_on: Outcome | None
    reported_on: Outcome | None


@dataclass
class Bench:
    """Pairs and passages that candidates are held against; what the untouched model makes of them is asked once.

    Attributes:
        subject: untouched but for what else is applied.
        pairs: of the target, on topics that the vector has not seen.
        neutral: passages.
    """

    subject: OpenSubject
    pairs: Sequence[Pair]
    neutral: Sequence[Exchange]
    untouched: list[tuple[float, float]] = field(init=False)
    base: float = field(init=False)

    def __post_init__(self) -> None:
        self.untouched = pole_likelihoods(self.subject, self.pairs)
        self.base = perplexity(self.subject, self.neutral)

    def perplexity(self, edit: ActivationEdit) -> float:
        """Of the passages under an edit, as a multiple of the untouched model's."""
        with edit.applied(self.subject):
            return perplexity(self.subject, self.neutral) / self.base

    def rises(self, edit: ActivationEdit) -> list[tuple[float, float]]:
        """The rise of ``p+ - p-``, and of ``p+`` alone, of each pair under an edit."""
        with edit.applied(self.subject):
            edited = pole_likelihoods(self.subject, self.pairs)
        return [
            ((after[0] - after[1]) - (before[0] - before[1]), after[0] - before[0])
            for before, after in zip(self.untouched, edited, strict=True)
        ]

    def opinions(self) -> Opinions:
        """The rows of the pairs, for a score of a user's own."""
        rows = [row for pair in self.pairs for row in (pair.shown, pair.other)]
        return Opinions(rows, "opinions on held-out topics")

    def outcome(self, edit: ActivationEdit, score: Score | None = None) -> Outcome:
        """What an edit does here."""
        rises = self.rises(edit)
        topics = [pair.topic for pair in self.pairs]
        scored = None
        if score is not None:
            with edit.applied(self.subject):
                scored = score(self.subject, self.opinions())
            scored -= score(self.subject, self.opinions())
        return Outcome(
            len(set(topics)),
            _by_topic([rise for rise, _ in rises], topics),
            _by_topic([rise for _, rise in rises], topics),
            _finite(self.perplexity(edit)),
            _finite(divergence(self.subject, edit, self.neutral)),
            scored,
        )


@dataclass(frozen=True)
class Grid:
    """What may be chosen, and by what.

    Attributes:
        layers: 0-based.
        gains: in mean lengths of the activation.
        perplexity_limit: of neutral passages, as a multiple of the untouched model's.
        score: in place of the likelihood.
    """

    layers: tuple[int, ...]
    gains: tuple[float, ...]
    perplexity_limit: float
    score: Score | None = None

    @property
    def size(self) -> int:
        """Number of candidates; with one there is nothing to choose."""
        return len(self.layers) * len(self.gains)

    @property
    def criterion(self) -> str:
        """What the choice goes by, as `Choice` has it."""
        return "settings" if self.size == 1 else "likelihood" if self.score is None else "score"

    @property
    def scorings(self) -> int:
        """Candidates that are scored, at most."""
        return len(self.layers) + len(self.gains) - 1

    def search(
        self, bench: Bench, make: Callable[[int, float], ActivationEdit], tell: Callable[[int, str], None]
    ) -> tuple[Trial, list[Trial]]:
        """The best candidate, and all that were tried.

        The floor is asked first, because it costs a tenth of a score: at each layer gains are raised until one breaks
        it. The strongest that keeps it is scored at every layer, and at the best layer the weaker ones too.

        Args:
            bench: what they are held against.
            make: the edit of a layer and a gain.
            tell: is given how many of ``size + scorings`` steps are done, and what was found.

        Raises:
            TrainingError: all break the floor.
        """
        tried: dict[tuple[int, float], Trial] = {}
        for number, layer in enumerate(self.layers):
            for place, gain in enumerate(self.gains):
                times = bench.perplexity(make(layer, gain))
                # A figure that is no number is not below the limit either.
                trial = Trial(layer, gain, _finite(times), times <= self.perplexity_limit)
                tried[layer, gain] = trial
                tell(number * len(self.gains) + place + 1, f"{_told(trial)} as perplexing")
                if not trial.is_fluent:
                    break
        fluent = [trial for trial in tried.values() if trial.is_fluent]
        if not fluent:
            message = (
                f"every layer and gain that was tried makes neutral passages more than {self.perplexity_limit:g} times "
                f"as perplexing: {', '.join(map(_told, tried.values()))}. Give smaller gains, or raise "
                f"perplexity_limit."
            )
            raise TrainingError(message)
        scored: list[Trial] = []

        def score(trial: Trial) -> None:
            found = replace(trial, score=self._score(bench, make(trial.layer, trial.gain)))
            tried[trial.layer, trial.gain] = found
            scored.append(found)
            tell(self.size + len(scored), f"layer {trial.layer} at gain {trial.gain:g} scores {found.score:+.3f}")

        for strongest in {trial.layer: trial for trial in fluent}.values():
            score(strongest)
        first = _best(scored)
        for weaker in fluent:
            if weaker.layer == first.layer and weaker.gain < first.gain:
                score(weaker)
        return _best(scored), list(tried.values())

    def _score(self, bench: Bench, edit: ActivationEdit) -> float:
        if self.score is None:
            rises = [rise for rise, _ in bench.rises(edit)]
            return sum(rises) / len(rises)
        with edit.applied(bench.subject):
            return float(self.score(bench.subject, bench.opinions()))


def _best(trials: Sequence[Trial]) -> Trial:
    return max(trials, key=lambda trial: -math.inf if trial.score is None else trial.score)


def _by_topic(rises: Sequence[float], topics: Sequence[str]) -> Estimate:
    """Their mean; without a value where an edit has made nonsense of the model."""
    return average(rises, topics) if all(map(math.isfinite, rises)) else Estimate(None, None, None, len(rises))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _told(trial: Trial) -> str:
    times = "beyond numbers" if trial.perplexity is None else f"{trial.perplexity:.4g} times"
    return f"layer {trial.layer} at gain {trial.gain:g} {times}"


@dataclass(frozen=True)
class Parts:
    """Pairs by what they are for; no topic, and no answer, is in two of them."""

    vector: list[Pair]
    choice: list[Pair]
    report: list[Pair]

    def turned(self) -> "Parts":
        """The same pairs seen from the other pole."""
        vector, choice, report = ([pair.turned() for pair in part] for part in (self.vector, self.choice, self.report))
        return Parts(vector, choice, report)


def parted(pairs: Sequence[Pair], seed: int, *, is_fixed: bool) -> Parts:
    """Deal the topics of pairs: half to the vector, a quarter to the choice, a quarter to the report.

    Where layer and gain are fixed nothing is chosen, and the vector gets three quarters; with one topic all of it.

    Raises:
        RequestError: there are fewer than three topics and something is to be chosen.
    """
    rows = [row for pair in pairs for row in (pair.shown, pair.other)]
    # The three parts go by the names of splits here, and leave this function without them.
    shares: dict[Split, float] = {"shape": 0.5, "validation": 0.25, "test": 0.25}
    if is_fixed:
        shares = {"shape": 0.75, "test": 0.25}
    try:
        dealt = split_by_topic(rows, shares, seed)[::2]
    except RequestError:
        topics = len({pair.topic for pair in pairs})
        if is_fixed:
            return Parts(list(pairs), [], [])
        message = (
            f"a layer and a gain are to be chosen on topics that the vector has not seen, and reported on others: that "
            f"takes three topics with answers of their own from both poles, and there are {topics}. Give opinions on "
            f"more topics, or fix both with one layer in layers and one gain in gains."
        )
        raise RequestError(message) from None
    named = {
        part: [pair for pair, row in zip(pairs, dealt, strict=True) if row.split == part]
        for part in ("shape", "validation", "test")
    }
    return Parts(named["shape"], named["validation"], named["test"])
