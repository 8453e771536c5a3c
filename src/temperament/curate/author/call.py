"""Asking: several requests in flight, every outcome in the log, and about no more tokens than the budget allows.

What a request will cost is estimated before it is made, and what it has cost where the server does not report it.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from temperament.curate.author.reply import encodable
from temperament.curate.author.store import Call, Log
from temperament.record import Generation
from temperament.subject.base import Reply, Subject
from temperament.subject.cost import Cost, estimated_tokens
from temperament.subject.endpoint import AT_ONCE, EndpointSubject
from temperament.subject.flight import Flight


@dataclass(frozen=True)
class Request:
    """What is asked.

    Attributes:
        about: the pair, or ``topics``.
        attempt: 1 for the first; the seed of the reply goes with it, so that equal words may get another reply.
    """

    about: str
    attempt: int
    text: str


# Where a request stands among all, and the request.
Placed = tuple[int, Request]


def cost_of(calls: Iterable[Call]) -> Cost:
    """The sum over outcomes."""
    known = list(calls)
    return Cost(
        calls=len(known),
        prompt_tokens=sum(call.prompt_tokens for call in known),
        completion_tokens=sum(call.completion_tokens for call in known),
        estimated_calls=sum(call.is_estimated for call in known),
    )


class Asker:
    """Asks a subject, or the log where it knows the answer.

    An endpoint is asked by several threads; any other subject gets batches. A request that finds the server
    unavailable has no outcome: it is asked again before the next one, and where that goes on the work stops.

    Attributes:
        is_spent: the budget has stopped a request.
    """

    def __init__(
        self,
        subject: Subject,
        log: Log,
        generation: Generation,
        budget_tokens: int | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        self.is_spent = False
        self._subject, self._log, self._generation = subject, log, generation
        self._budget = budget_tokens
        self._spent = cost_of(log.calls).tokens
        has_spoken = any(call.reply is not None for call in log.calls)
        self._flight: Flight[Placed] = Flight(
            subject.name, self._ask, at_once, self._is_affordable, is_patient=True, has_spoken=has_spoken
        )

    def outcomes(self, requests: Sequence[Request]) -> Iterator[tuple[int, Call]]:
        """The place and outcome of each request: first those that the log knows, then the others as they come.

        It ends early, without an error, where the budget is spent.

        Args:
            requests: all of the same attempt.

        Raises:
            EndpointError: the server cannot be reached, refuses the request, or stays unavailable; what was in flight
                is waited for and given out before.
        """
        unknown: deque[Placed] = deque()
        for place, request in enumerate(requests):
            known = self._log.find(request.about, request.attempt, self._hash(request))
            if known is None:
                unknown.append((place, request))
            else:
                yield place, known
        source = self._flight.outcomes if isinstance(self._subject, EndpointSubject) else self._batches
        for (place, request), reply in source(unknown):
            call = self._call(request, reply)
            self._log.add(call)
            self._spent += call.prompt_tokens + call.completion_tokens
            yield place, call

    def _batches(self, waiting: deque[Placed]) -> Iterator[tuple[Placed, Reply]]:
        while True:
            batch: list[Placed] = []
            while waiting and self._flight.has_room(batch, waiting[0]):
                batch.append(waiting.popleft())
            if not batch:
                return
            # The seed goes with the attempt, so that equal words may get another reply.
            replies = self._subject.reply([request.text for _, request in batch], self._drawn(batch[0][1]))
            self._flight.has_answered = True
            yield from zip(batch, replies, strict=True)

    def _is_affordable(self, flying: Sequence[Placed], following: Placed) -> bool:
        """Whether the budget allows one more request at its longest, as estimated."""
        if self._budget is not None:
            worst = sum(self._most_tokens(request) for _, request in (*flying, following))
            # What is in flight may turn out shorter: then the next look finds room again.
            self.is_spent = self._spent + worst > self._budget
        return not self.is_spent

    def _ask(self, placed: Placed) -> Reply:
        request = placed[1]
        return self._subject.reply([request.text], self._drawn(request))[0]

    def _drawn(self, request: Request) -> Generation:
        return replace(self._generation, seed=self._generation.seed + request.attempt - 1)

    def _most_tokens(self, request: Request) -> int:
        return estimated_tokens(request.text) + self._generation.max_new_tokens

    def _call(self, request: Request, reply: Reply) -> Call:
        prompt, written = reply.prompt_tokens, reply.tokens
        return Call(
            about=request.about,
            attempt=request.attempt,
            asked=self._hash(request),
            reply=None if reply.text is None else encodable(reply.text),
            error=None if reply.error is None else encodable(reply.error),
            is_finished=reply.is_finished,
            prompt_tokens=estimated_tokens(reply.prompt) if prompt is None else prompt,
            completion_tokens=estimated_tokens(reply.text or "") if written is None else written,
            is_estimated=prompt is None or written is None,
        )

    def _hash(self, request: Request) -> str:
        return hashlib.sha256(request.text.encode()).hexdigest()[:16]
