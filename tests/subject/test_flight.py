import threading
import time
from collections import deque

import pytest

from temperament.errors import EndpointError
from temperament.subject.base import Reply
from temperament.subject.cost import Cost, estimated_tokens
from temperament.subject.flight import LOST_AT_MOST, Flight


def followed(flight, requests, found):
    """Note each request that has an outcome, also where an error follows."""
    for request, _ in flight.outcomes(deque(requests)):
        found.append(request)


LOST = Reply(None, "", error="busy", is_unavailable=True)


def said(request):
    return Reply(f"re: {request}", "")


def test_outcomes_are_given_out_as_they_come_and_one_request_goes_ahead_alone():
    lock, flying, most = threading.Lock(), 0, [0]

    def ask(request):
        nonlocal flying
        with lock:
            flying += 1
            most.append(flying)
        time.sleep(0.1 if request == 1 else 0.02)
        with lock:
            flying -= 1
        return said(request)

    flight = Flight("server", ask, at_once=3)
    found = flight.outcomes(deque(range(6)))
    assert next(found)[0] == 0
    assert max(most) == 1
    rest = [request for request, _ in found]
    assert sorted(rest) == [1, 2, 3, 4, 5]
    assert rest[0] != 1
    assert max(most) == 3


@pytest.mark.parametrize(("is_patient", "times"), [(True, 3), (False, 1)])
def test_a_request_that_found_nobody_is_asked_again_by_the_patient_alone(is_patient, times):
    asked = []

    def ask(request):
        asked.append(request)
        return LOST if request == "b" and asked.count("b") < 3 else said(request)

    found = dict(Flight("server", ask, is_patient=is_patient).outcomes(deque("abc")))
    assert asked.count("b") == times
    assert (found["b"].text is None) == (not is_patient)
    assert set(found) == {"a", "b", "c"}


def test_a_server_that_is_lost_too_often_in_a_row_ends_the_work():
    found = []
    with pytest.raises(EndpointError, match=r"server gave no reply to 12 requests in a row.*busy"):
        followed(Flight("server", lambda request: LOST if request else said(0)), range(99), found)
    assert LOST_AT_MOST <= len(found) <= LOST_AT_MOST + 4


def test_a_failure_is_raised_after_what_was_in_flight_was_given_out():
    def ask(request):
        if request == 1:
            raise EndpointError("gone")
        time.sleep(0.05)
        return said(request)

    found = []
    with pytest.raises(EndpointError, match="gone"):
        followed(Flight("server", ask, at_once=3), range(9), found)
    assert {0, 2, 3} <= set(found) < set(range(9))


def test_without_room_it_ends_early_and_says_nothing():
    flight = Flight("server", said, room=lambda flying, request: request < 2)
    assert [request for request, _ in flight.outcomes(deque(range(5)))] == [0, 1]


def test_a_cost_has_a_price_and_says_what_was_kept():
    cost = Cost(calls=3, prompt_tokens=2_000_000, completion_tokens=500_000, estimated_calls=0, cached_calls=4)
    assert cost.price(0.5, 2.0) == 2.0
    assert str(cost) == "4 answers kept from before, 3 calls, 2000000 tokens read, 500000 written, as reported"
    assert [estimated_tokens(text) for text in ("", "abc", "abcde")] == [0, 1, 2]
