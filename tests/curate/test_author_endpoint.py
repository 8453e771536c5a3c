"""Authoring by a server over real HTTP on this machine: slow, failing, malformed, rate-limited, gone, and back."""

import random
import time

import pen
import pytest
import served
from served import good

from temperament.curate.author.author import author
from temperament.curate.author.settings import Authoring
from temperament.curate.author.store import log_path, rejected_path
from temperament.errors import EndpointError
from temperament.opinion.row import load_opinions
from temperament.subject.endpoint import ATTEMPTS, EndpointSubject
from temperament.subject.flight import LOST_AT_MOST

no_key, serve = served.no_key, served.serve
TOPICS = tuple(f"{pen.VOCABULARY[number]} shops" for number in range(6))
FEW = Authoring(traits=("extraversion", "openness"), topics=TOPICS, answers=1, forms=1)
SECRET = "sk-very-secret-1234567890"


def subject_of(server, **settings):
    return EndpointSubject(f"{server.base}#toy", **{"first_wait_s": 0.001, **settings})


def answer(request, **changes):
    return good(pen.pair(request, **changes), tokens=80, prompt_tokens=500)


def flawed(request, attempt=1):
    """The right replies but for four topics, until the reason is given; one of them has the answer of another."""
    if not pen.is_again(request):
        if TOPICS[1] in request:
            return answer(request, high=pen.text("one", 25), low=pen.text("smile", 25) + " \U0001f600")
        if TOPICS[2] in request:
            return answer(request, low="Too short.")
        if TOPICS[3] in request:
            return answer(request, high=pen.text("all the same", 28))
        if TOPICS[4] in request:
            return good('{"high": "I was cut o', "length", 600, 500)
    return answer(request)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "mine.jsonl"


@pytest.fixture
def whole(tmp_path, serve):
    """What is written when nothing disturbs the work."""
    path = tmp_path / "whole.jsonl"
    author(FEW, subject_of(serve(flawed)), path)
    return path


def same(out, whole):
    return out.read_bytes() == whole.read_bytes() and (
        rejected_path(out).read_bytes() == rejected_path(whole).read_bytes()
    )


def test_faults_are_mended_at_the_second_attempt(out, serve):
    authored = author(FEW, subject_of(serve(flawed)), out)
    assert (authored.accepted, authored.given_up) == (12, ())
    assert authored.reasons["malformed"] == authored.reasons["emoji"] == authored.reasons["length"] == 2
    # Both traits have the same answer on the topic: the first one in the plan keeps it.
    assert authored.reasons["duplicate"] == 1
    assert len({row.answer for row in load_opinions(out)}) == 24
    assert {row.source for row in authored.opinions} == {"toy"}


@pytest.mark.parametrize("seed", range(3))
def test_what_is_accepted_does_not_depend_on_which_reply_comes_first(seed, out, whole, serve):
    draw = random.Random(seed)

    def slow(request, attempt):
        time.sleep(draw.choice([0, 0, 0.02, 0.05]))
        return flawed(request)

    server = serve(slow)
    author(FEW, subject_of(server), out, at_once=5)
    assert same(out, whole)
    assert 2 <= server.most_at_once <= 5


def test_a_late_first_pair_keeps_an_answer_that_came_first_from_a_later_one(out, serve):
    same = pen.text("same", 28)

    def script(request, attempt):
        time.sleep(0.2 if TOPICS[0] in request and "extraversion" in request else 0)
        return answer(request, **({} if pen.is_again(request) else {"high": same}))

    author(FEW, subject_of(serve(script)), out)
    assert [(row.topic, row.trait) for row in load_opinions(out) if row.answer == same] == [(TOPICS[0], "extraversion")]


@pytest.mark.parametrize(
    "trouble", [(500, {}, "oops"), (429, {"Retry-After": "0"}, "slow down"), (503, {}, "loading"), (200, {}, b"<html>")]
)
def test_trouble_of_the_server_costs_nothing_but_time(trouble, out, whole, serve):
    draw = random.Random(0)
    server = serve(lambda request, _: trouble if draw.random() < 0.3 else flawed(request))
    authored = author(FEW, subject_of(server), out)
    assert out.read_bytes() == whole.read_bytes()
    # A reply that is no reply of the protocol is an outcome: it counts as an attempt.
    assert authored.reasons.get("no_reply", 0) > 0 if trouble[0] == 200 else "no_reply" not in authored.reasons


def test_a_rate_limit_is_waited_for(out, serve):
    server = serve(lambda request, attempt: (429, {"Retry-After": "1"}, "") if attempt == 1 else answer(request))
    began = time.monotonic()
    settings = Authoring(traits=("openness",), topics=TOPICS[:1], answers=1)
    assert author(settings, subject_of(server), out).accepted == 1
    assert time.monotonic() - began >= 1


def test_a_server_that_stays_busy_ends_the_work_and_no_pair_is_given_up_for_it(out, whole, serve):
    server = serve(lambda request, _: flawed(request) if len(server.bodies) < 8 else (503, {}, "overloaded"))
    with pytest.raises(EndpointError, match=r"no reply to 12 requests in a row.*overloaded.*goes on from there"):
        author(FEW, subject_of(server), out)
    kept = load_opinions(out)
    assert 0 < len(kept) < len(load_opinions(whole))
    assert len(server.bodies) <= 8 + (LOST_AT_MOST + 4) * ATTEMPTS
    author(FEW, subject_of(serve(flawed)), out)
    assert same(out, whole)


def test_a_server_that_says_nothing_from_the_beginning_ends_the_work(out, serve):
    server = serve(lambda *_: (200, {}, b"<html>welcome</html>"))
    with pytest.raises(EndpointError, match=r"no reply to 12 requests in a row.*malformed"):
        author(FEW, subject_of(server), out)


def test_a_topic_that_the_server_refuses_is_given_up_alone(out, serve):
    server = serve(lambda request, _: (400, {}, "not allowed") if TOPICS[2] in request else answer(request))
    authored = author(FEW, subject_of(server), out)
    assert {pair.topic for pair in authored.given_up} == {TOPICS[2]}
    assert authored.accepted == 10
    assert authored.reasons["no_reply"] == 2 * FEW.attempts
    assert "not allowed" in rejected_path(out).read_text()


@pytest.mark.parametrize("after", [1, 5, 9, 13])
def test_a_server_that_goes_away_leaves_what_it_wrote_and_another_place_goes_on(after, out, whole, serve):
    """The port is another one the second time: a rented machine has come back with another address."""

    def script(request, attempt):
        if len(server.bodies) == after:
            server.http.socket.close()
        return flawed(request)

    server = serve(script)
    with pytest.raises(EndpointError, match=r"cannot be reached.*What was accepted is in .*mine\.jsonl"):
        author(FEW, subject_of(server), out)
    answered = log_path(out).read_text().count('"about"')
    assert answered >= after - 1
    other = serve(flawed)
    author(FEW, subject_of(other), out)
    assert same(out, whole)
    assert len(other.bodies) == log_path(whole).read_text().count('"about"') - answered


def test_the_tokens_that_the_server_reports_are_counted(out, serve):
    settings = Authoring(traits=("openness",), topics=TOPICS, answers=1)
    cost = author(settings, subject_of(serve(lambda request, _: answer(request))), out).cost
    assert str(cost) == "6 calls, 3000 tokens read, 480 written, as reported"


def test_a_reply_without_text_costs_what_the_server_says(out, serve):
    settings = Authoring(traits=("openness",), topics=TOPICS[:2], answers=1, attempts=1)
    silent = good(None, "content_filter", 7, 500)
    server = serve(lambda request, _: silent if TOPICS[1] in request else answer(request))
    cost = author(settings, subject_of(server), out).cost
    assert (cost.completion_tokens, cost.prompt_tokens, cost.estimated_calls) == (87, 1000, 0)


def test_the_budget_is_not_overdrawn_with_several_requests_in_flight(out, serve):
    server = serve(lambda request, _: time.sleep(0.02) or answer(request))
    authored = author(FEW, subject_of(server), out, budget_tokens=5000)
    assert authored.is_over_budget
    assert 3000 < authored.cost.tokens <= 5000
    assert authored.cost.calls == len(server.bodies)


def test_an_equal_request_is_drawn_with_another_seed_at_another_attempt(out, serve):
    server = serve(lambda request, _: (400, {}, "no") if TOPICS[1] in request else answer(request))
    author(Authoring(traits=("openness",), topics=TOPICS[:2], answers=1), subject_of(server), out)
    refused = [body for body in server.bodies if TOPICS[1] in body["messages"][0]["content"]]
    assert len({body["messages"][0]["content"] for body in refused}) == 1
    assert len({body["seed"] for body in refused}) == len(refused) == 4


def test_a_wrong_key_is_one_request_and_no_key_is_written(out, serve, monkeypatch, tmp_path):
    monkeypatch.setenv("TEMPERAMENT_API_KEY", SECRET)
    server = serve(lambda *_: (401, {}, f"wrong key {SECRET}"))
    with pytest.raises(EndpointError, match=r"wrong key \[key\]"):
        author(FEW, subject_of(server), out)
    assert len(server.bodies) == 1
    echo = serve(
        lambda request, attempt: (400, {}, SECRET) if attempt == 1 and TOPICS[1] in request else answer(request)
    )
    author(FEW, subject_of(echo), out)
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert len(files) >= 3
    assert not [path for path in files if SECRET in path.read_text()]
    assert not [path for path in files if "127.0.0.1" in path.read_text()]
