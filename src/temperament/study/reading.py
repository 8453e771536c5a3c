"""The stage after asking: what the untouched model and every cell make of texts that are given to them.

``readings/untouched.jsonl`` is made once a run; ``readings/CELL.jsonl`` holds what a cell's edit makes of the same
texts and what the untouched model makes of the cell's replies. Each is complete or absent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from temperament.record import read_lines, write_lines
from temperament.study.plan import Cell
from temperament.study.stage import Progress, Stage
from temperament.trait import Target

if TYPE_CHECKING:
    from temperament.measure.protocol import Measurement
    from temperament.measure.reading import Likelihood, Text

UNTOUCHED = "untouched"
# For a forecast: of text as it stands, and of the question and the template before it.
TOKENS_PER_WORD = 1.4
TOKENS_OF_PROMPT = 15


@dataclass(frozen=True)
class Readings(Stage):
    """What the untouched model and every cell make of texts that are given to them."""

    name = "readings"
    doing = "reading"
    scorer = "reading"

    def names(self, cells: Sequence[Cell]) -> list[str]:
        """The untouched model reads some texts once, for all cells."""
        return [UNTOUCHED, *super().names(cells)]

    def refusal(self, subject: Any) -> str:
        """A subject without weights at hand cannot read."""
        from temperament.measure.reading import closed_reason
        from temperament.subject.open import OpenSubject

        return "" if isinstance(subject, OpenSubject) else closed_reason(subject)

    def run(self, cell: Cell | None, subject: Any, edit: Any, progress: Progress) -> None:
        """Read for a cell, or once for all."""
        if cell is None:
            self._read_untouched(subject, progress)
        else:
            self._read_cell(cell, subject, edit, progress)

    def rows(self, name: str) -> "list[Likelihood]":
        """What was read; nothing where nothing could be."""
        from temperament.measure.reading import Likelihood

        return read_lines(self.path(name), Likelihood) if self.path(name).exists() else []

    def surprises(self, cell: Cell) -> dict[str, float]:
        """How surprising the untouched model finds each reply of a cell, in nats a token, by item."""
        replies = [row for row in self.rows(cell.name) if row.kind == "reply"]
        return {row.id: -row.log_probability for row in replies if row.log_probability is not None}

    def measure(self, cell: Cell, base: Cell, target: Target | None) -> "list[Measurement]":
        """Edit success and its change, drawdown, and the perplexity of neutral text."""
        from temperament.measure.effect import effects, success_change
        from temperament.measure.protocol import Measurement

        del base
        untouched = self.rows(UNTOUCHED)
        read = untouched if cell.method == "base" else self.rows(cell.name)
        found = effects(read, untouched, target)
        if cell.method != "base" and target and any(one.metric == "edit_success" for one in found):
            found.append(Measurement("edit_success_change", success_change(read, untouched, target)))
        return found

    def references(self, targets: Sequence[Target]) -> "tuple[Text, ...]":
        """Answers of some targets and their opposite poles, and neutral passages."""
        from temperament.measure.reading import answers_of, passages

        plan = self.study.measure
        asked = self.opinions.split(self.study.interview.split)
        return (*answers_of(asked, targets, plan.answers), *passages(plan.passages))

    def untouched_texts(self) -> "tuple[Text, ...]":
        """What the untouched model reads once: the answers of all targets, passages, and what tries the gibberish."""
        from temperament.measure.gibberish import probes

        return (*self.references(self.study.wanted), *probes(self.opinions, self.study.interview.split))

    def _read_untouched(self, subject: Any, progress: Progress) -> None:
        """Read what the untouched model reads once."""
        from temperament.measure.reading import Reading

        Reading(self.untouched_texts()).administer(subject, self.path(UNTOUCHED), progress)

    def _read_cell(self, cell: Cell, subject: Any, edit: Any, progress: Progress) -> None:
        """Have the untouched model read a cell's replies, and the cell the references of its target."""
        from temperament.measure.reading import Reading, replies_of

        replies = replies_of(self.records(cell))
        references = () if edit is None else self.references([cell.target] if cell.target else [])
        total = len(replies) + len(references)
        read = Reading(replies).administer(subject, progress=lambda done, _: progress(done, total))
        read += Reading(references).administer(
            subject, progress=lambda done, _: progress(len(replies) + done, total), edit=edit
        )
        write_lines(self.path(cell.name), read)

    def tokens(self, cells: Sequence[Cell], replies: float) -> int:
        """About how many tokens go through the model for what is not read yet, ``replies`` of a cell included."""
        missing = set(self.missing(cells))
        texts = list(self.untouched_texts()) if UNTOUCHED in missing else []
        unread = [cell for cell in cells if cell.name in missing]
        for cell in unread:
            if cell.method != "base":
                mine = self.references([cell.target] if cell.target else [])
                # Passages are read with and without the edit.
                texts += [*mine, *(text for text in mine if text.kind == "passage")]
        return round(replies * len(unread)) + sum(map(_tokens, texts))


def _tokens(text: "Text") -> int:
    from temperament.measure.reading import PASSAGE_TOKENS

    length = round(TOKENS_PER_WORD * len(text.text.split()))
    return TOKENS_OF_PROMPT + (min(length, PASSAGE_TOKENS) if text.kind == "passage" else length)
