"""What a reader needs in order to know how far the figures can be trusted."""

import tomllib
from dataclasses import dataclass
from typing import Any

from temperament.record import Figure, Record
from temperament.report.board import BASE
from temperament.report.finding import estimate_of, number_of, rows_of
from temperament.report.table import Matrix, confusion
from temperament.report.wording import amount, number
from temperament.run import Row, Run

CONTROLS = {
    "neutral": "an edit fitted to neutral text, which shows what any training does",
    "shuffled": "an edit fitted to shuffled trait labels, which shows what the form of the data does",
}
MOST_CHARACTERS = 300
SHOWN_OF_CARD = {"assessments", "embedder", "traitless", "emoji"}
# Findings that say why a stage of the study could not be done.
STAGES = ("readings", "latent", "inventory", "judge")
EMOJI_EFFECTS = ("changed", "changed_pole", "unsure_before", "unsure_after")
# Findings that have a place of their own on the page, by the beginning of their names.
SHOWN_FINDINGS = (
    *("additivity", "ability", "arms", "budget", "classifier", "crosstalk", "dose", "emoji", "explain", "family"),
    *("fluency", "inventory", "judge", "latent", "readings", "training-"),
)


@dataclass(frozen=True)
class Assessment:
    """How often the classifier is right on some answers on topics that it has not seen; in words.

    Attributes:
        sure: of how many it is sure; empty where it cannot be unsure.
        share: on which it was right for the pole, as a number; None where it was not kept.
        error: of its calibration, as a number.
    """

    rows: str
    answers: str
    topics: str
    poles: str
    traits: str
    calibration: str
    sure: str
    share: float | None
    error: float | None


@dataclass(frozen=True)
class Traitless:
    """What the classifier makes of texts that show no trait, in words."""

    texts: str
    is_learned: str
    unsure: str
    unsure_of_new: str


@dataclass(frozen=True)
class Card:
    """The classifier's card.

    Attributes:
        chosen: the assessment that the page speaks of: on the split ``test``, whose questions a study asks, or else
            the first.
        confusion: of the chosen assessment; None where it was not kept.
        traitless: what it makes of texts that show no trait; nothing where it cannot be unsure.
        emoji: what emojis alone do to its readings: texts, and in words how often readings and poles change, and how
            often it is unsure before and after.
        others: settings of the classifier, as names and texts.
    """

    embedder: str
    chosen: Assessment | None
    assessments: list[Assessment]
    confusion: Matrix | None
    traitless: list[Traitless]
    emoji: list[tuple[str, list[str]]]
    others: list[tuple[str, str]]


@dataclass(frozen=True)
class Verified:
    """Texts of which it is known what they are, and the share that the rule calls gibberish, in words."""

    texts: str
    is_gibberish: bool
    called: str
    n: int


@dataclass(frozen=True)
class Choice:
    """What a reply could be read as: how many poles the classifier tells apart, and of how many traits.

    Attributes:
        poles: 0 where the run does not say.
        traits: 0 where the run does not say.
    """

    poles: int
    traits: int

    @property
    def among_poles(self) -> str:
        """Such as 'ten poles'."""
        return amount(self.poles, "pole") if self.poles else "the poles that the classifier knows"

    @property
    def among_traits(self) -> str:
        """Such as 'five traits'."""
        return amount(self.traits, "trait") if self.traits else "their traits"

    @property
    def chance_poles(self) -> float | None:
        """How often a guess is right; None where it is not known."""
        return 1 / self.poles if self.poles else None

    @property
    def chance_traits(self) -> float | None:
        """How often a guess of the trait is right; None where it is not known."""
        return 1 / self.traits if self.traits else None


@dataclass(frozen=True)
class Extent:
    """How much was asked.

    Attributes:
        missing: replies that are not there.
        reasons: why, each with how often.
    """

    topics: int
    questions: int
    replies: int
    missing: int
    reasons: list[tuple[str, int]]
    seeds: list[int]
    controls_missing: list[str]


def card(run: Run) -> Card | None:
    """The classifier's card; None where the run has none."""
    found = run.findings.get("classifier")
    if not found:
        return None
    rows: list[Row] = [row for row in found.get("assessments") or [] if isinstance(row, dict)]
    chosen = next((row for row in rows if row.get("rows") == "test"), rows[0] if rows else {})
    return Card(
        embedder=str(found.get("embedder") or ""),
        chosen=_assessment(chosen) if chosen else None,
        assessments=[_assessment(row) for row in rows],
        confusion=confusion(chosen.get("confusion")),
        traitless=[
            Traitless(
                str(row.get("texts")),
                _plain(row.get("is_learned")),
                _in_words(row.get("unsure")),
                _in_words(row["unsure_of_new"]) if row.get("unsure_of_new") else "",
            )
            for row in rows_of(found.get("traitless"))
        ],
        emoji=[
            (str(row.get("texts")), [_in_words(row.get(name)) for name in EMOJI_EFFECTS])
            for row in rows_of(found.get("emoji"))
        ],
        others=flat({key: value for key, value in found.items() if key not in SHOWN_OF_CARD}),
    )


def gibberish(run: Run) -> list[Verified]:
    """What the rule for gibberish calls texts that are known to be clean or not; none where it was not tried."""
    rows: Any = run.findings.get("fluency", {}).get("known")
    return [
        Verified(str(row.get("texts") or ""), bool(row.get("is_gibberish")), _in_words(called), _count(called))
        for row in (rows if isinstance(rows, list) else [])
        for called in [row.get("called")]
    ]


def unread(run: Run) -> str:
    """Why the model was not given something to read, or not asked; empty where it was, or the run does not say."""
    reasons = [str(run.findings.get(name, {}).get("unread") or "") for name in STAGES]
    return " ".join(dict.fromkeys(filter(None, reasons)))


def choice(run: Run) -> Choice:
    """What the classifier of a run told apart: from its card, or else from the shares of all poles."""
    poles: Any = run.findings.get("classifier", {}).get("poles")
    found = {str(pole) for pole in poles} if isinstance(poles, list) else set[str]()
    for figure in () if found else run.results.figures:
        if figure.metric == "pole_share":
            found.add(f"{figure.measured_trait}:{figure.measured_pole}")
    return Choice(len(found), len({pole.partition(":")[0] for pole in found}))


def extent(run: Run) -> Extent:
    """How many topics, questions, seeds and replies a run has, and which controls it lacks."""
    records = run.records
    lacking: dict[str, int] = {}
    for record in records:
        if record.reply is None:
            reason = record.error or "not recorded"
            lacking[reason] = lacking.get(reason, 0) + 1
    shaped = [record.label for record in records if record.label.method != BASE]
    named = " ".join(f"{label.method} {label.condition}" for label in shaped)
    return Extent(
        topics=len({record.topic for record in records}),
        questions=len({record.item for record in records}),
        replies=len(records),
        missing=sum(lacking.values()),
        reasons=sorted(lacking.items(), key=lambda one: (-one[1], one[0])),
        seeds=sorted({record.generation.seed for record in records}),
        controls_missing=[why for word, why in CONTROLS.items() if word not in named],
    )


def other_figures(run: Run, shown: set[str]) -> list[Figure]:
    """Figures of metrics that have no place of their own on the page."""
    figures = run.results.figures
    return [figure for figure in figures if figure.metric.removesuffix("_change") not in shown]


def other_findings(run: Run) -> list[tuple[str, list[tuple[str, str]]]]:
    """Findings that have no place of their own on the page, as names and texts."""
    return [(name, flat(row)) for name, row in run.findings.items() if not name.startswith(SHOWN_FINDINGS)]


def flat(row: Row) -> list[tuple[str, str]]:
    """A nested value as names and texts, such as 'versions, torch' and '2.13'."""
    return [(key.replace("_", " "), _clipped(value)) for key, value in _flat(row)]


def study_name(run: Run) -> str:
    """What the study calls itself, or what its folder is called."""
    try:
        settings = tomllib.loads(run.settings)
    except tomllib.TOMLDecodeError:
        settings = {}
    study: Any = settings.get("study")
    name = settings.get("title") or settings.get("name") or (study.get("name") if isinstance(study, dict) else study)
    return name if isinstance(name, str) and name else run.folder.resolve().name


def precisions(records: list[Record]) -> list[str]:
    """The precisions that the subjects were loaded in, in order of appearance."""
    return list(dict.fromkeys(record.precision for record in records))


def _flat(value: object, key: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [one for name, inner in value.items() for one in _flat(inner, f"{key}, {name}" if key else str(name))]
    if isinstance(value, list) and any(isinstance(inner, (dict, list)) for inner in value):
        return [one for index, inner in enumerate(value, start=1) for one in _flat(inner, f"{key} {index}")]
    if isinstance(value, list):
        return [(key, ", ".join(_plain(inner) for inner in value))]
    return [(key, _plain(value))]


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "not recorded"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _clipped(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} \u2026"


def _assessment(row: Row) -> Assessment:
    return Assessment(
        rows=str(row.get("rows") or "not recorded"),
        answers=_plain(row.get("answers")),
        topics=_plain(row.get("topics")),
        poles=_in_words(row.get("poles")),
        traits=_in_words(row.get("traits")),
        calibration=_in_words(row.get("calibration_error")),
        sure=_in_words(row["sure"]) if row.get("sure") else "",
        share=found.value if (found := estimate_of(row.get("poles"))) else None,
        error=number_of(row, "calibration_error"),
    )


def _count(value: object) -> int:
    n: Any = value.get("n") if isinstance(value, dict) else None
    return n if isinstance(n, int) else 0


def _in_words(value: object) -> str:
    """An estimate or a number as it stands in a card."""
    if isinstance(value, dict):
        point, lower, upper = (value.get(key) for key in ("value", "lower", "upper"))
        if isinstance(lower, (int, float)) and isinstance(upper, (int, float)):
            return f"{_in_words(point)} ({number(lower)} to {number(upper)})"
        return f"{_in_words(point)} (interval withheld)"
    return number(value) if isinstance(value, (int, float)) else "not recorded"
