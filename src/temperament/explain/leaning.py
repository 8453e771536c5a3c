"""What a model leans to name: testimony by likelihood, for models too small to keep to what they are asked for."""

from collections.abc import Sequence
from dataclasses import replace

from temperament.activation.forcing import Exchange, log_probabilities
from temperament.edit.base import Edit
from temperament.explain.hearing import Heard
from temperament.explain.testimony_prompt import ANYTHING, conversation_about
from temperament.explain.testimony_token import content_of
from temperament.subject.base import Progress
from temperament.subject.open import OpenSubject

# Tokens of an answer that are named, of as many at least that say something: half of them would be no choice.
NAMED, OF = 3, 6


def leanings(
    subject: OpenSubject, edit: Edit | None, requests: Sequence[Heard], progress: Progress | None = None
) -> list[Heard]:
    """Which tokens of each answer a model would sooner name when it is asked for its personality than for anything.

    Both requests are put before the model, and each word and emoji of the answer that says something is given to it as
    the beginning of its reply. The three with the largest ratio of probabilities count as named. How common a token is,
    how long, and how easily the model repeats it are the same under both requests.

    Args:
        subject: untouched; the edit is applied and taken away here.
        edit: of the witness.
        requests: as the witness would be asked them; answers with fewer than six such tokens name none.
        progress: is told how many answers were read, of how many.

    Returns:
        The requests with what is named; ``reply`` is empty, because nothing was said. It is None, with the reason,
        where an answer does not fit into the model's window.

    Source: Holtzman et al. 2021, arXiv 2104.08315 (probabilities relative to those under a request that asks for
    nothing in particular).
    """
    found: list[Heard] = []
    for number, row in enumerate(requests):
        found.append(_leaning(subject, edit, row))
        if progress:
            progress(number + 1, len(requests))
    return found


def _leaning(subject: OpenSubject, edit: Edit | None, row: Heard) -> Heard:
    tokens = [token.text for token in content_of(row.answer).values()]
    if len(tokens) < OF:
        return replace(row, reply="")
    asked, plain = (
        _sums(subject, edit, [Exchange(conversation, token) for token in tokens])
        for conversation in (
            conversation_about(row.question, row.answer, (), row.form),
            conversation_about(row.question, row.answer, (), row.form, ANYTHING),
        )
    )
    known = [
        (first - second, token)
        for first, second, token in zip(asked, plain, tokens, strict=True)
        if first is not None and second is not None
    ]
    if len(known) < len(tokens):
        return replace(row, error=f"the request and the answer do not fit into the window of {subject.window} tokens.")
    # Of equals the first.
    order = sorted(range(len(known)), key=lambda place: -known[place][0])
    named = tuple(known[place][1] for place in order[:NAMED])
    return replace(row, reply="", named=named, in_answer=(True,) * len(named))


def _sums(subject: OpenSubject, edit: Edit | None, exchanges: Sequence[Exchange]) -> list[float | None]:
    """The log-probability of each token, all its pieces together."""
    found = log_probabilities(subject, exchanges, edit)
    return [None if one is None else float(one.double().sum()) for one in found]
