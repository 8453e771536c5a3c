"""Requests in flight: several at once to a server, and what came of each as soon as it is there."""

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from temperament.errors import EndpointError
from temperament.subject.base import Reply
from temperament.subject.endpoint import AT_ONCE

LOST_AT_MOST = 12  # requests in a row to a server that answers none of them
Request = TypeVar("Request")
# Told what is in flight and what would be next, it says whether that may start now.
Room = Callable[[Sequence[Request], Request], bool]


class Flight(Generic[Request]):
    """Asks by several threads; of one flight after another it remembers whether the server answers.

    Attributes:
        has_answered: some request had an outcome; before that one goes ahead alone, so that a wrong key or name is one
            request and one error.

    Args:
        name: of the server, for messages.
        ask: makes one request.
        at_once: requests in flight.
        room: holds requests back; None starts whatever there is a thread for.
        is_patient: a request that finds the server unavailable has no outcome and is asked again before the next one.
            Otherwise that is its outcome.
        has_spoken: it is known that the server has given a reply with text.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[Request], Reply],
        at_once: int = AT_ONCE,
        room: Room[Request] | None = None,
        *,
        is_patient: bool = False,
        has_spoken: bool = False,
    ) -> None:
        self.has_answered = False
        self._name, self._ask, self._at_once, self._room = name, ask, at_once, room
        self._is_patient, self._has_spoken = is_patient, has_spoken
        self._lost = 0

    def outcomes(self, waiting: deque[Request]) -> Iterator[tuple[Request, Reply]]:
        """Each request that was started with its reply, in the order in which these come.

        It ends early, without an error, where there is no room for more.

        Raises:
            EndpointError: the server cannot be reached, refuses the request, or stays unavailable; what was in flight
                is waited for and given out before.
        """
        failure: BaseException | None = None
        flying: dict[Future[Reply], Request] = {}
        with _pool(self._at_once) as pool:
            while True:
                while failure is None and waiting and self.has_room(list(flying.values()), waiting[0]):
                    request = waiting.popleft()
                    flying[pool.submit(self._ask, request)] = request
                if not flying:
                    break
                try:
                    done, _ = wait(flying, return_when=FIRST_COMPLETED)
                except KeyboardInterrupt as stop:
                    # What is in flight is paid for: it is waited for and kept. A second interrupt ends that, too.
                    if failure is not None:
                        raise
                    failure = stop
                    continue
                for future in done:
                    request = flying.pop(future)
                    trouble = future.exception() or self._trouble(future.result())
                    if trouble is not None:
                        failure = failure or trouble
                    elif self._is_patient and future.result().is_unavailable:
                        waiting.appendleft(request)
                    else:
                        self.has_answered = True
                        yield request, future.result()
        if failure is not None:
            raise failure

    def has_room(self, flying: Sequence[Request], request: Request) -> bool:
        """Whether one more may start beside those in flight."""
        if len(flying) >= (self._at_once if self.has_answered else 1):
            return False
        return self._room is None or self._room(flying, request)

    def _trouble(self, reply: Reply) -> EndpointError | None:
        """What to say of a server that has been unavailable for too long, or that has never said anything."""
        is_lost = reply.is_unavailable or (reply.text is None and not self._has_spoken)
        self._has_spoken |= reply.text is not None
        self._lost = self._lost + 1 if is_lost else 0
        if self._lost < LOST_AT_MOST:
            return None
        message = (
            f"{self._name} gave no reply to {self._lost} requests in a row, the last time because {reply.error}. "
            f"Look after the server."
        )
        return EndpointError(message)


@contextlib.contextmanager
def _pool(at_once: int) -> Generator[ThreadPoolExecutor]:
    """Threads that start nothing after the block has failed."""
    pool = ThreadPoolExecutor(at_once)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
