"""Units held at their mean while a model writes: what becomes of its replies, beside random sets."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from temperament.activation.forcing import applied
from temperament.edit.base import Edit
from temperament.explain.ablation import Levels, Setting
from temperament.explain.consequence import change, level, mean_change, rank_p
from temperament.explain.finding import Curve, Reason, Step, Unit
from temperament.explain.text import Text
from temperament.measure.emoji import emojis
from temperament.measure.length import words
from temperament.record import Generation
from temperament.stats import Estimate, share
from temperament.subject.base import Progress, as_conversation
from temperament.subject.open import OpenSubject

# With fewer sets no p-value could come below 0.05.
FEWEST = 20

EMOJI_SHARE = "emoji_share"

Score = Callable[[Sequence[str]], Sequence[float | None]]


@dataclass(frozen=True, eq=False)
class Trial:
    """Units that are tried while replies are written.

    Attributes:
        place: of the units, or ``all``.
        top: the units.
        random: sets that are matched to them.
        levels: what every unit of their sites is held at.
        order: of the units, as in `Curve`.
    """

    place: str
    top: tuple[Unit, ...]
    random: tuple[tuple[Unit, ...], ...]
    levels: Levels
    order: str = "change"


def askable(
    subject: OpenSubject, edit: Edit, texts: Sequence[Text], generation: Generation
) -> tuple[list[Text], Reason | None]:
    """The texts whose questions leave room for a reply in the model's window, with the edit and without it.

    Args:
        subject: untouched.
        edit: that may make prompts longer.
        texts: whose questions are to be asked.
        generation: how long replies may be.

    Returns:
        The texts, and a reason where some or all of them cannot be asked.
    """
    fits = [True] * len(texts)
    for each in (None, edit):
        with applied(each, subject):
            for number, text in enumerate(texts):
                prompt = subject.encode(as_conversation(text.question), text.answer).prompt
                fits[number] &= len(prompt) + generation.max_new_tokens <= subject.window
    kept = [text for text, does_fit in zip(texts, fits, strict=True) if does_fit]
    if len(kept) == len(texts):
        return kept, None
    reason = (
        f"{len(texts) - len(kept)} of {len(texts)} prompts leave no room for {generation.max_new_tokens} new tokens in "
        f"the model's window of {subject.window}, and were not asked."
    )
    return kept, Reason("generated", reason)


def confirmed(
    subject: OpenSubject,
    edit: Edit,
    texts: Sequence[Text],
    trial: Trial,
    generation: Generation,
    scores: Mapping[str, Score],
    progress: Progress | None = None,
) -> tuple[Curve, ...]:
    """Let the edited model reply with the units held, and with each random set held.

    Every question of the texts is asked once in each condition; a row draws the same random numbers in all of them.

    Args:
        subject: untouched.
        edit: whose replies are changed.
        texts: whose questions are asked.
        trial: the units.
        generation: how replies are drawn.
        scores: by the name of the outcome, beside ``emoji_share`` and ``words``; None for a reply without a score.
        progress: is told how many replies were written, of how many.
    """
    asked = list(dict.fromkeys((text.topic, text.question) for text in texts))
    topics = [topic for topic, _ in asked]
    conditions: list[tuple[Edit | None, tuple[Unit, ...]]] = [(None, ()), (edit, ()), (edit, trial.top)]
    conditions += [(edit, some) for some in trial.random]
    rows: list[dict[str, list[float]]] = []
    for number, (each, units) in enumerate(conditions):
        with applied(each, subject), Setting.to_levels(units, trial.levels).applied(subject):
            replies = subject.reply([question for _, question in asked], generation)
        rows.append(_scored([reply.text for reply in replies], scores))
        if progress:
            progress((number + 1) * len(asked), len(conditions) * len(asked))
    return tuple(_curve(name, trial, [row[name] for row in rows], topics, generation.seed) for name in rows[0])


def _scored(replies: Sequence[str | None], scores: Mapping[str, Score]) -> dict[str, list[float]]:
    """A number for each reply, by outcome; NaN where there is none."""
    known = [text for text in replies if text is not None]
    every: dict[str, Sequence[float | None]] = {
        EMOJI_SHARE: [float(bool(emojis(text))) for text in known],
        "words": [float(words(text)) for text in known],
        **{name: score(known) for name, score in scores.items()},
    }
    found: dict[str, list[float]] = {}
    for name, values in every.items():
        left = iter(values)
        some = [None if text is None else next(left) for text in replies]
        found[name] = [math.nan if value is None else float(value) for value in some]
    return found


def _curve(name: str, trial: Trial, rows: Sequence[Sequence[float]], topics: Sequence[str], seed: int) -> Curve:
    untouched, edited, held, *drawn = rows
    whole = change(edited, untouched, topics, seed)
    random = tuple(effect for one in drawn if (effect := mean_change(edited, one)) is not None)
    effect = change(edited, held, topics, seed)
    p = rank_p(effect.value, random, whole.value or 0.0) if len(random) >= FEWEST else None
    start = _share(edited, topics) if name == EMOJI_SHARE else level(edited, topics, seed)
    step = Step(len(trial.top), effect, random, p)
    return Curve("ablation", "mean", trial.place, name, start, whole, (step,), trial.order)


def _share(values: Sequence[float], topics: Sequence[str]) -> Estimate:
    """Of the replies that there are."""
    known = [(bool(value), topic) for value, topic in zip(values, topics, strict=True) if math.isfinite(value)]
    return share([hit for hit, _ in known], [topic for _, topic in known])
