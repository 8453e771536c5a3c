import threading
import time

import pytest

from temperament.errors import RequestError
from temperament.subject.pace import Pace


class Clock:
    """A clock that stands still but while somebody sleeps."""

    def __init__(self):
        self.now = 100.0

    def sleep(self, seconds):
        self.now += seconds


def paced(per_minute):
    clock = Clock()
    return Pace(per_minute, lambda: clock.now, clock.sleep), clock


def test_calls_are_spread_evenly_over_the_minute():
    pace, clock = paced(30.0)
    began: list[float] = []
    for _ in range(4):
        pace.wait()
        began.append(clock.now - 100)
    assert began == [0, 2, 4, 6]


def test_time_that_passed_without_calls_is_not_made_up_for():
    pace, clock = paced(60.0)
    pace.wait()
    clock.now += 10
    pace.wait()
    assert clock.now == 110
    pace.wait()
    assert clock.now == 111


def test_without_a_limit_nobody_waits_but_for_a_server_that_asks_for_it():
    pace, clock = paced(None)
    pace.wait()
    pace.wait()
    assert clock.now == 100
    pace.hold(7.0)
    pace.hold(3.0)
    pace.wait()
    assert clock.now == 107
    pace.wait()
    assert clock.now == 107


def test_threads_share_one_pace():
    pace, began = Pace(1200.0), []

    def call():
        pace.wait()
        began.append(time.monotonic())

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(began) - min(began) >= 4 * 0.05 - 0.01


@pytest.mark.parametrize("wrong", [0.0, -3.0])
def test_a_limit_that_lets_nothing_through_is_refused(wrong):
    with pytest.raises(RequestError, match="calls a minute"):
        Pace(wrong)
