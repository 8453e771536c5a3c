"""The stage after asking: what the untouched model and every cell make of texts that are given to them.

``readings/untouched.jsonl`` is made once a run; ``readings/CELL.jsonl`` holds what a cell's edit makes of the same
texts and what the untouched model makes of the cell's replies. Each is complete or absent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temperament.opinion.row import Opinions
from temperament.record import read_json, read_lines, read_records, to_json, write_lines, write_text
from temperament.study.plan import Cell, Study
from temperament.trait import Target

if TYPE_CHECKING:
    from temperament.measure.reading import Likelihood, Text

READINGS = "readings"
UNTOUCHED = "untouched"
# For a forecast: of text as it stands, and of the question and the template before it.
TOKENS_PER_WORD = 1.4
TOKENS_OF_PROMPT = 15


@dataclass(frozen=True)
class Library:
    """The texts of a run, and where it is kept what was made of them."""

    study: Study
    folder: Path
    opinions: Opinions

    @property
    def reason_path(self) -> Path:
        """Of the file that says why nothing can be read."""
        return self.folder / "findings" / "readings.json"

    @property
    def reason(self) -> str:
        """Why nothing can be read; empty where it can."""
        return str(read_json(self.reason_path, dict)["unread"]) if self.reason_path.exists() else ""

    def path(self, name: str) -> Path:
        """Where readings are kept, by the name of the cell or 'untouched'."""
        return self.folder / READINGS / f"{name}.jsonl"

    def missing(self, cells: Sequence[Cell]) -> list[str]:
        """What is not read yet, in the order in which it will be."""
        names = [UNTOUCHED, *(cell.name for cell in cells)]
        return [] if self.reason_path.exists() else [name for name in names if not self.path(name).exists()]

    def rows(self, name: str) -> "list[Likelihood]":
        """What was read; nothing where nothing could be."""
        from temperament.measure.reading import Likelihood

        return read_lines(self.path(name), Likelihood) if self.path(name).exists() else []

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

    def read_untouched(self, subject: Any, progress: Any) -> None:
        """Read what the untouched model reads once."""
        from temperament.measure.reading import Reading

        Reading(self.untouched_texts()).administer(subject, self.path(UNTOUCHED), progress)

    def read_cell(self, cell: Cell, subject: Any, edit: Any, progress: Any) -> None:
        """Have the untouched model read a cell's replies, and the cell the references of its target."""
        from temperament.measure.reading import Reading, replies_of

        replies = replies_of(read_records(self.folder / "records" / f"{cell.name}.jsonl"))
        references = () if edit is None else self.references([cell.target] if cell.target else [])
        total = len(replies) + len(references)
        read = Reading(replies).administer(subject, progress=lambda done, _: progress(done, total))
        read += Reading(references).administer(
            subject, progress=lambda done, _: progress(len(replies) + done, total), edit=edit
        )
        write_lines(self.path(cell.name), read)

    def write_reason(self, reason: str) -> None:
        """Keep why nothing can be read."""
        write_text(self.reason_path, to_json({"unread": reason}))

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
