"""The answer first: the verdict, and four questions with their figures and controls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from temperament.report.emoji import scientific
from temperament.report.explain_curve import FEWEST_FOR_BAND, ORDERS, Curve, Step, is_beyond_random, main_steps
from temperament.report.explain_site import share_changed, sites_of, spread
from temperament.report.explain_testimony import Witness, witnesses_of
from temperament.report.explain_text import excludes, includes, known_numbers, part_of, percent, percentile, visible
from temperament.report.family import LEVEL, probability
from temperament.report.finding import estimate_of, number_of, rows_of, text_of
from temperament.report.wording import estimate, number
from temperament.run import Row
from temperament.stats import Estimate

CHANGED = "Which units changed?"
WRITES = "Do they write emojis?"
CAUSE = "Does removing them remove the emojis more than removing random ones?"
SAYS = "Does the model\u2019s testimony agree?"
UNKNOWN = "Not measured."
YES = "Yes."
BACK = "The edit takes emojis away, and setting the units back brings them back."
NONE = {WRITES: "No: there is none that could.", CAUSE: "There is nothing to remove."}
NOTHING = (
    "Nothing to trace: no unit changed on both halves of the topics, so that there is none to follow to an emoji, "
    "to remove, or to move."
)


@dataclass(frozen=True)
class Answer:
    """One question: the answer in a word or two, and the figures that it rests on."""

    question: str
    head: str
    words: str

    @property
    def is_known(self) -> bool:
        """Whether there are figures."""
        return self.head != UNKNOWN


def reasons_of(explanation: Row) -> list[tuple[str, str]]:
    """What could not be had, and why, each once."""
    rows = [
        row
        for part in (explanation, part_of(explanation, "cause"), part_of(explanation, "testimony"))
        for row in rows_of(part.get("missing"))
    ]
    found = [(visible(text_of(row, "name")), visible(text_of(row, "reason"))) for row in rows]
    return [one for one in dict.fromkeys(found) if any(one)]


def verdict(explanation: Row) -> str:
    """In words; where nothing was looked for, this is said."""
    cause, units = part_of(explanation, "cause"), part_of(explanation, "units")
    if said := visible(text_of(cause, "verdict")).strip():
        return f"{said[:1].upper()}{said[1:]}" + ("" if said.endswith((".", "!", "?")) else ".")
    if _is_nothing(units):
        return NOTHING
    if units:
        return "Units changed; whether they are the cause of anything was not tried."
    return "What changed inside was not measured."


def answers(explanation: Row) -> list[Answer]:
    """The four questions, in order."""
    reasons, units = reasons_of(explanation), part_of(explanation, "units")
    found = [
        _changed(units, reasons),
        _writes(part_of(explanation, "projection"), reasons),
        _cause(part_of(explanation, "cause"), reasons),
        _says(part_of(explanation, "testimony"), reasons),
    ]
    return [replace(answer, head=NONE[answer.question]) if _is_idle(answer, units) else answer for answer in found]


def _is_idle(answer: Answer, units: Row) -> bool:
    """Whether a question has no object, because no unit changed: that is an answer."""
    return not answer.is_known and answer.question in NONE and _is_nothing(units)


def _is_nothing(units: Row) -> bool:
    """Whether units were looked for, and none had changed."""
    sites = sites_of(units)
    return bool(sites) and not any(site.confirmed for site in sites) and not rows_of(units.get("changes"))


def _unknown(question: str, reasons: Sequence[tuple[str, str]], *names: str) -> Answer:
    said = [reason for name, reason in reasons if any(one in name.lower() for one in names)]
    return Answer(question, UNKNOWN, _sentence(said[0]) if said else "")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def _changed(units: Row, reasons: Sequence[tuple[str, str]]) -> Answer:
    sites = sites_of(units)
    confirmed, total, share = share_changed(sites)
    if not total:
        return _unknown(CHANGED, reasons, "unit")
    null = number_of(units, "null")
    chance = (
        "How many the same procedure confirms where nothing changed was not measured."
        if null is None
        else f"Where nothing changed, the same procedure confirms {percent(null)}."
    )
    if not confirmed:
        words = f"Of {total:,} units not one changed on both halves of the topics. {chance}"
        return Answer(CHANGED, "None.", words)
    places, kinds = spread(sites)
    by_kind = f" By kind: {kinds}." if kinds else ""
    words = f"That is {share}: {places}.{by_kind} {chance}"
    if null is not None and confirmed / total <= null:
        return Answer(CHANGED, "No more than where nothing changed.", f"{confirmed:,} of {total:,} units. {words}")
    return Answer(CHANGED, f"{confirmed:,} of {total:,} units.", words)


def _writes(projection: Row, reasons: Sequence[tuple[str, str]]) -> Answer:
    found, matched = estimate_of(projection.get("emoji")), known_numbers(projection.get("matched"))
    if found is None or found.value is None:
        return _unknown(WRITES, reasons, "projection", "write")
    p = number_of(projection, "p")
    beside = f"; random units of the same sites {_range(matched, signed=True)}" if matched else ""
    words = (
        f"In the direction of their change, what they write moves the beginnings of emojis by "
        f"{estimate(found, signed=True)} standard deviations of the vocabulary{beside}; p {probability(p)}."
    )
    if p is None:
        return Answer(WRITES, "Not known.", words)
    return Answer(WRITES, "Yes, more than random units." if p < LEVEL else "No more than random units do.", words)


def _range(values: Sequence[float], *, signed: bool = False) -> str:
    """Median, and the bounds of 95 of 100 draws, or of all where they are few."""
    tail = 0.025 if len(values) >= FEWEST_FOR_BAND else 0.0
    middle, low, high = (number(percentile(values, share), signed=signed) for share in (0.5, tail, 1 - tail))
    return f"{middle} ({low} to {high}, {len(values):,} draws)"


def _cause(cause: Row, reasons: Sequence[tuple[str, str]]) -> Answer:
    found = main_steps(cause)
    if not found and (said := text_of(cause, "verdict")):
        head = "Not known." if "cannot be measured" in said else NONE[CAUSE]
        return Answer(CAUSE, head, "The verdict says why.")
    if not found:
        return _unknown(CAUSE, reasons, "cause", "ablation", "curves")
    heads = [_head(curve, step, len(found)) for curve, step in found]
    words = [_effects(curve, step) for curve, step in found]
    if len(found) == 1:
        return Answer(CAUSE, heads[0], words[0])
    told = [
        f"{ORDERS[curve.order].capitalize()}: {head[0].lower()}{head[1:]} {said}"
        for (curve, _), head, said in zip(found, heads, words, strict=True)
    ]
    told.append(f"Of {len(found)} orders each counts where p is below {LEVEL / len(found):g}.")
    # A yes of any order is one; what it is not is first said of those that changed most.
    shown = {head: ORDERS[curve.order] for (curve, _), head in zip(found, heads, strict=True) if head in {YES, BACK}}
    if heads[0] in shown or not shown:
        return Answer(CAUSE, heads[0], " ".join(told))
    head, units = next(iter(shown.items()))
    return Answer(CAUSE, f"Yes, {units}." if head == YES else head.replace("the units", units), " ".join(told))


def _head(curve: Curve, step: Step | None, orders: int) -> str:
    whole = curve.whole
    if includes(whole):
        return NONE[CAUSE]
    value = None if step is None else step.effect.value
    if step is None or value is None:
        return "Not known."
    # The right way is that of the whole: away from what the edit did.
    towards = -1.0 if whole is None or not whole.value else whole.value
    if value * towards < 0 and excludes(step.effect):
        return "No: it does the reverse."
    if step.p is None:
        return "Not known."
    if not is_beyond_random(step.p, orders):
        return "Not shown: removing random ones may do as much."
    shown = YES if towards < 0 else BACK
    return shown if excludes(step.effect) else "More than random ones, but texts differ so much that it may be nothing."


def _effects(curve: Curve, step: Step | None) -> str:
    if step is None:
        return "Without these units some texts have no figure."
    share = curve.share(step)
    part = f", {percent(share)} of what removing the whole edit does" if share is not None and share > 0 else ""
    random = f"; {len(step.random):,} random sets by {step.middle}" if step.random else "; no random sets were drawn"
    effect = f"{curve.outcome_name} changes by {scientific(step.effect, signed=True)}"
    words = f"Without the first {step.count:,}, {effect}{part}"
    whole = ""
    if includes(curve.whole):
        whole = f" Removing the whole edit changes it by {scientific(curve.whole, signed=True)}, which includes 0."
    least = ", the least that so many sets can give" if step.p == 1 / (len(step.random) + 1) else ""
    return f"{words}{random}; p {probability(step.p)}{least}{step.others}.{whole}"


def _says(testimony: Row, reasons: Sequence[tuple[str, str]]) -> Answer:
    if not testimony:
        return _unknown(SAYS, reasons, "testimony")
    agreement = estimate_of(testimony.get("agreement"))
    witnesses = witnesses_of(testimony)
    listed = _named(witnesses)
    if agreement is None or agreement.value is None:
        if leaning := _leans(testimony):
            return replace(leaning, words=f"{leaning.words} {listed}")
        why = [reason for name, reason in reasons if name in {"agreement", "removal"}]
        said = f"Whether removal bears it out is withheld{': ' + why[0].rstrip('.') if why else ''}."
        return Answer(SAYS, "Not known.", f"{said} {listed}")
    words = f"What it names goes with what removal shows by {estimate(agreement)}, where chance is 0.50."
    leaning = _leans(testimony)
    more = f"{words} {leaning.words}" if leaning else words
    return Answer(SAYS, _agrees(agreement), f"{more} {listed}")


def _agrees(agreement: Estimate) -> str:
    if not excludes(agreement, 0.5):
        return "No more than chance."
    return YES if (agreement.value or 0.0) > 0.5 else "No: less than chance."


def _leans(testimony: Row) -> Answer | None:
    """What the shaped model leans to name, beside others; None where nothing is known of it."""
    rows = rows_of(testimony.get("leanings"))
    agreement = estimate_of(rows[0].get("agreement")) if rows else None
    if agreement is None or agreement.value is None:
        return None
    others = "; ".join(f"{one.name} {one.agreement}" for one in witnesses_of(testimony, "leanings")[1:])
    words = (
        f"The tokens that it leans to name (by likelihood, asked for its personality against for anything) go with "
        f"what removal shows by {estimate(agreement)}, where chance is 0.50{f' ({others})' if others else ''}."
    )
    head = _agrees(agreement)
    return Answer(SAYS, f"By likelihood: {head[0].lower()}{head[1:]}", words)


def _named(witnesses: Sequence[Witness]) -> str:
    """What the shaped model names, beside its controls."""
    if not witnesses:
        return "Nobody was asked."
    first = witnesses[0]
    emojis = "; ".join(f"{witness.name} {witness.emoji}" for witness in witnesses)
    return (
        f"{first.name[:1].upper()}{first.name[1:]} {first.summary}. Of the tokens that were named, these shares are "
        f"emojis: {emojis}. Of its named emojis that are listed for a pole, those of this pole: {first.fitting}; "
        f"drawn at random {first.chance}."
    )
