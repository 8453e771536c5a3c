"""Inventories: every statement rated once in every form, by probability where the weights are at hand."""

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import msgspec

from temperament.edit.base import Edit
from temperament.errors import BadFileError, MismatchError, UnknownNameError
from temperament.measure.inventory.choice import choices
from temperament.measure.inventory.rating import Rating
from temperament.measure.inventory.statement import Statement, read_sheet
from temperament.measure.inventory.wording import LABELS, ORDERS, Form, Labels, Order, forms_of
from temperament.record import Generation, read_lines, write_lines
from temperament.subject.base import Progress, Reply, Subject
from temperament.subject.open import OpenSubject

SHORT = "short"
# Tokens of a reply: more than any option with its label takes.
LONGEST_REPLY = 24
REFUSED = "the reply picks no option"


@dataclass(frozen=True)
class Inventory:
    """Instrument that has a subject rate statements about itself.

    Each statement is put into the chat template once for every set of labels and every order of the options, so that a
    preference for a place or a label can be told from what is said about oneself.

    Attributes:
        name: of the inventory.
        statements: in order.
        note: what a reader of its scores should know.
        labels: what options are answered with.
        orders: in which options are shown.

    Raises:
        RequestError: there are no labels or no orders, or one is named twice.

    Source: Goldberg et al. 2006, doi:10.1016/j.jrp.2005.08.007 (International Personality Item Pool, its five options);
    Gupta et al. 2024, arXiv 2309.08163 (ratings of models depend on the order of the options and on the prompt).
    Departs: IPIP items come in sheets; here every statement is asked alone, so that none is read in the light of
    another.
    """

    name: str
    statements: tuple[Statement, ...]
    note: str = ""
    labels: tuple[Labels, ...] = LABELS
    orders: tuple[Order, ...] = ORDERS

    def __post_init__(self) -> None:
        forms_of(self.labels, self.orders)

    @classmethod
    def load(
        cls, source: Path | str = SHORT, labels: Sequence[Labels] = LABELS, orders: Sequence[Order] = ORDERS
    ) -> "Inventory":
        """The inventory that ships, or one of a file.

        Args:
            source: 'short', or the path of a file as `read_sheet` takes it; a file of that name is given as './short'.
            labels: what options are answered with.
            orders: in which options are shown.

        Raises:
            UnknownNameError: no inventory of that name ships, and there is no such file.
            BadFileError: the file is malformed; with file and entry.
            RequestError: there are no labels or no orders, or one is named twice.
        """
        if str(source) == SHORT:
            path = Path(str(files("temperament.measure.inventory") / "short.json"))
        else:
            path = Path(source)
            if not path.exists() and not path.suffix and len(path.parts) == 1:
                advice = "A file of your own is given by its path."
                raise UnknownNameError(kind="inventory", asked=str(source), known=(SHORT,), advice=advice)
        sheet = read_sheet(path)
        return cls(sheet.name, sheet.statements, sheet.note, tuple(labels), tuple(orders))

    @property
    def forms(self) -> tuple[Form, ...]:
        """Every set of labels in every order."""
        return forms_of(self.labels, self.orders)

    @property
    def traits(self) -> tuple[str, ...]:
        """That the statements are about, in order of first appearance."""
        return tuple(dict.fromkeys(statement.trait for statement in self.statements))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the statements and the forms."""
        return hashlib.sha256(msgspec.json.encode([self.statements, self.labels, self.orders])).hexdigest()

    def administer(
        self,
        subject: Subject,
        store: Path | None = None,
        progress: Progress | None = None,
        edit: Edit | None = None,
    ) -> list[Rating]:
        """Have every statement rated in every form.

        Of an open subject the probabilities of the options are read, one pass a rating. Any other gives a greedy reply,
        which is parsed strictly: what is no option is a refusal, and a call that failed is missing.

        Args:
            subject: with whatever edits are applied at this moment.
            store: file of JSON lines that keeps the ratings, whole or not at all; one that exists is read instead.
            progress: told how many ratings are made, of how many.
            edit: that is applied as well while the subject rates.

        Raises:
            MismatchError: the store holds the ratings of another inventory, or of other forms.
            RequestError: the subject's tokenizer cannot tell two options apart.
        """
        blank = [_blank(statement, form) for form in self.forms for statement in self.statements]
        if store is not None and store.exists():
            return _kept(store, blank)
        with nullcontext() if edit is None else edit.applied(subject):
            if isinstance(subject, OpenSubject):
                ratings = self._read(subject, blank, progress)
            else:
                ratings = self._hear(subject, blank, progress)
        if store is not None:
            write_lines(store, ratings)
        return ratings

    def _read(self, subject: OpenSubject, blank: Sequence[Rating], progress: Progress | None) -> list[Rating]:
        ratings: list[Rating] = []
        for form in self.forms:
            found = choices(
                subject,
                [form.question(statement.text) for statement in self.statements],
                form.spellings,
                _from(len(ratings), len(blank), progress),
            )
            for rating, (masses, error) in zip(blank[len(ratings) :], found, strict=False):
                # What rounding makes of all the mass may be more than all.
                outside = None if masses is None else round(max(0.0, 1.0 - sum(masses)), 6)
                ratings.append(replace(rating, probabilities=masses, outside=outside, error=error))
        return ratings

    def _hear(self, subject: Subject, blank: Sequence[Rating], progress: Progress | None) -> list[Rating]:
        every = [(form, statement) for form in self.forms for statement in self.statements]
        questions = [form.question(statement.text) for form, statement in every]
        replies = subject.reply(questions, Generation(temperature=0.0, max_new_tokens=LONGEST_REPLY), progress)
        return [_heard(rating, form, reply) for rating, (form, _), reply in zip(blank, every, replies, strict=True)]


def _blank(statement: Statement, form: Form) -> Rating:
    return Rating(
        id=f"{statement.id}-{form}",
        item=statement.id,
        topic=statement.topic,
        trait=statement.trait,
        keyed=statement.keyed,
        labels=form.labels,
        order=form.order,
        probabilities=None,
        outside=None,
    )


def _heard(rating: Rating, form: Form, reply: Reply) -> Rating:
    if reply.text is None:
        return replace(rating, error=reply.error)
    picked = form.parse(reply.text)
    if picked is None:
        return replace(rating, outside=1.0, reply=reply.text, error=REFUSED)
    shares = tuple(float(option == picked) for option in range(len(form.names)))
    return replace(rating, probabilities=shares, outside=0.0, reply=reply.text)


def _kept(store: Path, blank: Sequence[Rating]) -> list[Rating]:
    """The ratings of a store."""
    ratings = read_lines(store, Rating)
    if [(one.id, one.trait, one.keyed) for one in ratings] == [(one.id, one.trait, one.keyed) for one in blank]:
        return ratings
    if not ratings:
        message = f"{store} is empty: remove it, and the statements are rated again."
        raise BadFileError(message)
    message = (
        f"{store} holds {len(ratings)} ratings that begin with '{ratings[0].id}', and {len(blank)} that begin with "
        f"'{blank[0].id}' were asked for: it belongs to another inventory, or to other labels and orders. Give another "
        f"path, or remove it."
    )
    raise MismatchError(message)


def _from(done: int, total: int, progress: Progress | None) -> Progress | None:
    return None if progress is None else lambda more, _: progress(done + more, total)
