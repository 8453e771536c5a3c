"""Whether the replies behind a figure are answers at all: what is none must not make a method look good.

A classifier gives every text a trait, gibberish and a row of emojis too. So before an effect is believed the replies
are looked at: how many are no answers, and whether the effect is still there when these count as misses.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from temperament.record import Record
from temperament.report.board import Arm, Board, Goal, Pair, verdict_of
from temperament.report.finding import finding, number_of, rows_of, text_of
from temperament.report.sample import base_cells, cells_of
from temperament.report.wording import counted, estimate, number
from temperament.run import Row, Run
from temperament.stats import Estimate, paired_difference

# Shares of replies that are no answers: from the first on a figure does not count, above the second it is in doubt.
# The second is the floor on clean text at which arXiv 2509.04794 calibrates strengths.
VOID, DOUBT = 0.5, 0.1
FEWEST_WORDS = 4  # of a reply that can be one word over and over
FEWEST_ALIKE = 3  # questions with one and the same reply
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
Level = Literal["void", "doubt", "sound"]
LEVELS: tuple[Level, ...] = ("void", "doubt", "sound")
# Shares that stand in results.json: words, from which share on they make a figure void, above which they put it in
# doubt, and the scorer whose scores of each reply say more.
SHARES: dict[str, tuple[str, float, float, str]] = {
    "gibberish_share": ("of the replies are gibberish", VOID, DOUBT, "fluency"),
    "refusal_share": ("of the replies are refusals", VOID, DOUBT, "refusal"),
    "unsure_share": ("of the replies are ones that the classifier cannot place", VOID, 0.25, ""),
    "broken_share": (
        "of the replies never came, because the model was left without a finite number",
        VOID,
        0.0,
        "fluency",
    ),
    "same_reply_share": ("of the replies are one and the same", VOID, 0.25, "fluency"),
    "broken_text_share": ("of the texts it was given to read leave the model without a finite number", VOID, 0.0, ""),
}


@dataclass(frozen=True)
class Replies:
    """The replies of some cells.

    Attributes:
        asked: questions.
        missing: calls that failed, which is no fault of the model.
        unfit: replies that are no answers, by why.
    """

    asked: int
    missing: int
    unfit: Counter[str]

    @property
    def share(self) -> float | None:
        """Of the replies that came or broke, those that are no answers; None where there is none."""
        came = self.asked - self.missing
        return self.unfit.total() / came if came else None

    @property
    def words(self) -> str:
        """Such as '38 of 40 replies are no answers (gibberish: repetition 30, empty 8)'."""
        kinds = ", ".join(f"{why} {count}" for why, count in self.unfit.most_common())
        return f"{self.count} replies are no answers" + (f" ({kinds})" if kinds else "")

    @property
    def count(self) -> str:
        """Such as '38 of 40'."""
        return f"{self.unfit.total()} of {self.asked - self.missing}"


@dataclass(frozen=True)
class Soundness:
    """How far the figures of an arm and a goal can be believed.

    Attributes:
        reasons: why they do not count or are in doubt, worst first; none where they are sound.
        honest: change of trait alignment by seed where hits that are no answers count as misses; none where no hit is.
    """

    level: Level
    reasons: list[str]
    replies: Replies
    honest: list[tuple[int, Estimate]]


class Answers:
    """The replies of a run, and why some of them are no answers; each cell is looked at once."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._unfit: dict[str, list[str]] = {}

    def unfit(self, cell: str) -> list[str]:
        """Of each record of a cell why its reply is no answer; empty where it is one, or is missing."""
        if cell not in self._unfit:
            self._unfit[cell] = unfit_in(self.run, cell)
        return self._unfit[cell]

    def replies(self, cells: Iterable[str]) -> Replies:
        """The replies of some cells, and which of them are no answers."""
        names = list(cells)
        unfit = Counter(why for name in names for why in self.unfit(name) if why)
        records = [record for name in names for record in self.run.cells[name]]
        missing = sum(record.reply is None and not record.is_broken for record in records)
        return Replies(len(records), missing, unfit)


def soundness(answers: Answers, board: Board, arm: Arm, goal: Goal) -> Soundness:
    """What is to be believed of an arm and a goal, over its seeds."""
    run = answers.run
    cells = cells_of(run, arm, goal)
    replies, before = answers.replies(cells), answers.replies(base_cells(run, arm))
    known = {name for cell in cells for row in run.scores.get(cell, [])[:1] for name in row}
    found = [*_by_replies(replies, before), *_by_readings(board, arm, goal, replies)]
    found += [*_by_shares(board, arm, goal, known), *_by_collapse(run, arm, goal)]
    honest = _honest_changes(answers, arm, goal)
    rose = verdict_of([pair for pair in board.pairs(arm, "trait_alignment") if pair.goal == goal]) == "towards"
    is_lost = any(one.lower is None or one.lower <= 0 for _, one in honest)
    if rose and is_lost and all(level != "void" for level, _ in found):
        words = "; ".join(estimate(one, signed=True) for _, one in honest)
        found.append(("void", f"the rise goes away where replies that are no answers do not count: {words}"))
    found.sort(key=lambda one: LEVELS.index(one[0]))
    return Soundness(found[0][0] if found else "sound", [words for _, words in found], replies, honest)


def unfit_in(run: Run, cell: str) -> list[str]:
    """Of each record of a cell why its reply is no answer; empty where it is one, or is missing."""
    records = run.cells[cell]
    scores = {str(row.get("item")): row for row in run.scores.get(cell, [])}
    texts = Counter(_plain(record.reply) for record in records if record.reply)
    return [_why(record, scores.get(record.item, {}), texts) for record in records]


def _why(record: Record, score: Row, texts: Counter[str]) -> str:
    if record.reply is None:
        return "no finite number to draw from" if record.is_broken else ""
    words = _WORD.findall(record.reply.casefold())
    if not words:
        return "no word in it" if record.reply.strip() else "empty"
    return _by_words(words, score) or _by_scores(score) or _by_others(record.reply, texts)


def _by_words(words: Sequence[str], score: Row) -> str:
    emojis: Any = _part(score, "emoji").get("emojis")
    if isinstance(emojis, list) and len(emojis) > len(words):
        return "more emojis than words"
    if len(words) >= FEWEST_WORDS and max(map(words.count, set(words))) > len(words) / 2:
        return "one word over and over"
    return ""


def _by_scores(score: Row) -> str:
    if reason := _part(score, "fluency").get("gibberish"):
        return f"gibberish: {reason}"
    kind = _part(score, "refusal").get("refusal")
    return f"refusal: {kind}" if kind else ""


def _by_others(reply: str, texts: Counter[str]) -> str:
    return "the same text for several questions" if texts[_plain(reply)] >= FEWEST_ALIKE else ""


def _by_replies(replies: Replies, before: Replies) -> list[tuple[Level, str]]:
    share = replies.share
    if share is None or share <= DOUBT:
        return []
    beside = f"; of the untouched model\u2019s {before.count}" if before.asked else ""
    return [("void" if share >= VOID else "doubt", f"{replies.words}{beside}")]


def _by_readings(board: Board, arm: Arm, goal: Goal, replies: Replies) -> list[tuple[Level, str]]:
    """Whether most replies play no part in the figure, because they are missing or blank."""
    figures = [pair.after for pair in board.pairs(arm, "trait_alignment") if pair.goal == goal]
    read = sum(figure.n for figure in figures if figure is not None)
    if not figures or not replies.asked or read > replies.asked * (1 - DOUBT):
        return []
    level: Level = "doubt" if read > replies.asked * (1 - VOID) else "void"
    return [(level, f"trait alignment could be read off {read} of {counted(replies.asked, 'reply', 'replies')} only")]


def _by_shares(board: Board, arm: Arm, goal: Goal, known: Collection[str]) -> list[tuple[Level, str]]:
    found: list[tuple[Level, str]] = []
    for metric, (words, void, doubt, scorer) in SHARES.items():
        if scorer in known:
            continue
        pairs = [pair for pair in board.pairs(arm, metric) if pair.goal == goal]
        values = [(pair.after.value, pair) for pair in pairs if pair.after is not None and pair.after.value is not None]
        if not values:
            continue
        value, pair = max(values, key=lambda one: one[0])
        if value > doubt:
            level: Level = "void" if value >= void else "doubt"
            found.append((level, f"{number(value)} {words}{_beside(pair)}"))
    return found


def _by_collapse(run: Run, arm: Arm, goal: Goal) -> list[tuple[Level, str]]:
    """Whether the run's own rule puts the arm behind a collapse; a rise of gibberish is said already."""
    wanted = (arm.subject, arm.method, arm.condition, goal.trait, goal.pole, "trait_alignment")
    names = ("subject", "method", "condition", "trait", "pole", "metric")
    for row in rows_of(finding(run, "dose").get("doses")):
        collapse = _part(row, "collapse")
        strength, reason = number_of(collapse, "strength"), text_of(collapse, "reason")
        is_mine = tuple(text_of(row, name) for name in names) == wanted
        if is_mine and strength is not None and arm.strength >= strength and "gibberish" not in reason:
            return [("doubt", f"from strength {strength:g} on it falls apart: {reason}")]
    return []


def _beside(pair: Pair) -> str:
    before = pair.before
    return "" if before is None or before.value is None else f" (untouched {number(before.value)})"


def _honest_changes(answers: Answers, arm: Arm, goal: Goal) -> list[tuple[int, Estimate]]:
    """The paired change of trait alignment by seed, where a hit counts only if its reply is an answer."""
    if not goal.trait:
        return []
    run = answers.run
    bases = {run.cells[name][0].generation.seed: name for name in base_cells(run, arm)}
    found: list[tuple[int, Estimate]] = []
    for name in cells_of(run, arm, goal):
        seed = run.cells[name][0].generation.seed
        after, before = _hits(answers, name, goal), _hits(answers, bases.get(seed, ""), goal)
        if not any(is_hit and why for _, is_hit, why in after.values()):
            continue
        items = [item for item in after if item in before]
        first, second = ([float(hits[item][1] and not hits[item][2]) for item in items] for hits in (before, after))
        found.append((seed, paired_difference(first, second, [after[item][0] for item in items])))
    return found


def _hits(answers: Answers, cell: str, goal: Goal) -> dict[str, tuple[str, bool, str]]:
    """By item: the topic, whether the reply reads as the goal, and why it is no answer, if it is none."""
    if not cell:
        return {}
    labels = {str(row.get("item")): _part(row, "alignment").get("label") for row in answers.run.scores.get(cell, [])}
    pairs: Sequence[tuple[Record, str]] = list(zip(answers.run.cells[cell], answers.unfit(cell), strict=True))
    wanted = f"{goal.trait}:{goal.pole}"
    return {
        record.item: (record.topic, labels[record.item] == wanted, why)
        for record, why in pairs
        if labels.get(record.item)
    }


def _part(row: Row, name: str) -> Row:
    found: Any = row.get(name)
    return found if isinstance(found, dict) else {}


def _plain(text: str | None) -> str:
    return " ".join((text or "").casefold().split())
