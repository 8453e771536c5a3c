"""The pace at which a server is called."""

import threading
import time
from collections.abc import Callable

from temperament.errors import RequestError


class Pace:
    """No more calls a minute than are allowed, evenly spread, and none while the server wants to be left alone.

    For any number of threads.

    Args:
        per_minute: calls; None sets no limit.
        clock: of seconds.
        sleep: waits so many seconds.

    Raises:
        RequestError: the limit is not above 0.
    """

    def __init__(
        self,
        per_minute: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if per_minute is not None and not per_minute > 0:
            message = f"{per_minute:g} calls a minute were asked for: allow more than 0, or set no limit."
            raise RequestError(message)
        self._apart_s = 60.0 / per_minute if per_minute else 0.0
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = clock()

    def wait(self) -> None:
        """Take the next turn, and wait for it."""
        with self._lock:
            now = self._clock()
            turn = max(self._next, now)
            self._next = turn + self._apart_s
        if turn > now:
            self._sleep(turn - now)

    def hold(self, seconds: float) -> None:
        """Let no call begin for so long, whichever thread makes it; those that have their turn already go on."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)
