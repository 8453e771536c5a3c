import json
import time

import pytest
import served
from served import Answer, Server, good

from temperament.errors import EndpointError, RequestError
from temperament.record import Generation
from temperament.subject.endpoint import ATTEMPTS, EndpointSubject

no_key, serve = served.no_key, served.serve
SECRET = "sk-very-secret-1234567890"


def subject_of(server: Server, **settings) -> EndpointSubject:
    return EndpointSubject(f"{server.base}#toy", **{"first_wait_s": 0.001, **settings})


def test_replies_come_in_the_order_of_the_questions_however_slow_each_is(serve):
    def slow(question: str, attempt: int) -> Answer:
        time.sleep(0.1 if question in {"q1", "q2"} else 0.0)
        return good(f"re: {question}")

    server = serve(slow)
    questions = [f"q{number}" for number in range(10)]
    done: list[int] = []
    replies = subject_of(server).reply(questions, progress=lambda count, total: done.append(count))
    assert [reply.text for reply in replies] == [f"re: {question}" for question in questions]
    assert done == list(range(1, 11))
    assert 2 <= server.most_at_once <= 4


def test_the_request_says_what_the_generation_says(serve):
    server = serve()
    subject = subject_of(server)
    subject.reply(["Hé?", "Hé?"], Generation(temperature=0.5, top_p=0.8, max_new_tokens=7, seed=3))
    first, second = server.bodies
    assert first.pop("seed") != second["seed"]
    assert 0 <= second["seed"] < 2**31
    message = {"role": "user", "content": "Hé?"}
    assert first == {"model": "toy", "messages": [message], "temperature": 0.5, "top_p": 0.8, "max_tokens": 7}


def test_the_same_seed_is_sent_for_the_same_question(serve):
    server = serve()
    subject_of(server).reply(["a"])
    subject_of(server).reply(["a"])
    assert server.bodies[0] == server.bodies[1]


def test_a_reply_knows_its_prompt_its_length_and_whether_it_was_cut(serve):
    ends = {"cut": good("long", "length", 150, 9), "whole": good("short"), "silent": good("x", None, None)}
    cut, whole, silent = subject_of(serve(lambda question, _: ends[question])).reply(["cut", "whole", "silent"])
    assert (cut.is_finished, cut.tokens, cut.prompt_tokens) == (False, 150, 9)
    assert (whole.is_finished, whole.tokens, whole.prompt_tokens) == (True, 3, None)
    assert (silent.is_finished, silent.tokens) == (None, None)
    assert json.loads(cut.prompt) == [{"role": "user", "content": "cut"}]


@pytest.mark.parametrize(
    "trouble",
    [(429, {"Retry-After": "0"}, "busy"), (500, {}, "oops"), (503, {}, "loading"), (429, {"Retry-After": "soon"}, "")],
)
def test_a_busy_server_is_asked_again(serve, trouble):
    server = serve(lambda question, attempt: trouble if attempt < 3 else good("at last"))
    assert subject_of(server).reply(["a"])[0].text == "at last"
    assert server.attempts["a"] == 3


def test_retry_after_goes_before_the_own_back_off(serve):
    server = serve(lambda question, attempt: (429, {"Retry-After": "0"}, "") if attempt == 1 else good("yes"))
    began = time.monotonic()
    assert subject_of(server, first_wait_s=20.0).reply(["a"])[0].text == "yes"
    assert time.monotonic() - began < 5
    later = serve(lambda question, attempt: (429, {"Retry-After": "1"}, "") if attempt == 1 else good("yes"))
    began = time.monotonic()
    subject_of(later).reply(["a"])
    assert time.monotonic() - began >= 1


def test_a_server_that_asks_for_a_rest_is_left_alone_by_all_rows(serve):
    began: dict[tuple[str, int], float] = {}

    def script(question: str, attempt: int) -> Answer:
        began[question, attempt] = time.monotonic()
        if (question, attempt) == ("q1", 1):
            return 429, {"Retry-After": "1"}, ""
        time.sleep(0.2)
        return good("yes")

    replies = subject_of(serve(script)).reply([f"q{number}" for number in range(20)])
    assert {reply.text for reply in replies} == {"yes"}
    refused = began["q1", 1]
    # The other threads had calls on the way; without a common rest they would go on with a row each fifth of a second.
    assert not [moment for moment in began.values() if refused + 0.5 < moment < refused + 0.95]


def test_the_calls_a_minute_are_limited_attempts_that_failed_among_them(serve):
    server = serve(lambda question, attempt: (500, {}, "") if attempt == 1 else good("yes"))
    began = time.monotonic()
    subject_of(server, per_minute=1200.0).reply(["a", "b", "c"])
    assert len(server.bodies) == 6
    assert time.monotonic() - began >= 5 * 0.05 - 0.01


def test_a_server_that_stays_busy_leaves_a_missing_reply_with_the_reason(serve):
    server = serve(lambda question, _: (503, {}, "overloaded") if question == "b" else good("yes"))
    a, b, c = subject_of(server).reply(["a", "b", "c"])
    assert (a.text, b.text, c.text) == ("yes", None, "yes")
    assert "503" in b.error
    assert "overloaded" in b.error
    assert (a.is_unavailable, b.is_unavailable) == (False, True)
    assert server.attempts["b"] == ATTEMPTS


def test_a_reply_that_never_comes_is_missing_with_the_reason(serve):
    server = serve(lambda question, _: time.sleep(0.5) or good("late"))
    reply = subject_of(server, timeout_s=0.05).reply(["a"])[0]
    assert reply.text is None
    assert "in time" in reply.error


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>hello</html>", "malformed"),
        ({"choices": []}, "no choices"),
        ({"id": 1}, "malformed"),
        ([1, 2], "malformed"),
        (b"\xff\xfe", "malformed"),
        (good(None, "content_filter")[2], "content_filter"),
    ],
)
def test_a_malformed_answer_is_missing_with_the_reason(serve, content, reason):
    server = serve(lambda question, _: (200, {}, content) if question == "bad" else good("yes"))
    bad, fine = subject_of(server).reply(["bad", "fine"])
    assert bad.text is None
    assert not bad.is_unavailable
    assert reason in bad.error
    assert fine.text == "yes"


@pytest.mark.parametrize(("code", "advice"), [(401, "API_KEY"), (404, "after '#'"), (400, "settings")])
def test_a_refused_first_row_is_an_error_at_once(serve, code, advice):
    server = serve(lambda *_: (code, {}, {"error": {"message": "no"}}))
    with pytest.raises(EndpointError, match=advice):
        subject_of(server).reply(["a", "b", "c"])
    assert server.attempts.total() == 1


def test_a_row_that_is_refused_later_is_missing_alone(serve):
    server = serve(lambda question, _: (400, {}, "too long") if question == "b" else good("yes"))
    subject = subject_of(server)
    assert [reply.text for reply in subject.reply(["a", "b", "c"])] == ["yes", None, "yes"]
    refused = subject.reply(["b"])[0]
    assert "too long" in refused.error
    assert not refused.is_unavailable
    assert server.attempts["b"] == 2


def test_a_key_that_stops_working_ends_the_work(serve):
    server = serve(lambda question, _: good("yes") if question == "a" else (401, {}, "revoked"))
    with pytest.raises(EndpointError, match="revoked"):
        subject_of(server).reply(["a", "b", "c"])


def test_nobody_at_the_address_is_an_error_that_says_what_to_do(serve):
    server = serve()
    server.close()
    with pytest.raises(EndpointError, match=r"cannot be reached: .* that the server runs"):
        EndpointSubject(f"{server.base}#toy", first_wait_s=60.0).reply(["a", "b"])
    with pytest.raises(EndpointError, match="cannot be reached"):
        EndpointSubject(server.base)


def test_a_server_that_dies_on_the_way_is_an_error(serve):
    server = serve()
    subject = subject_of(server)
    subject.reply(["a"])
    server.close()
    with pytest.raises(EndpointError, match="cannot be reached"):
        subject.reply(["b"])


def test_a_server_with_one_model_needs_no_name(serve):
    server = serve(models={"object": "list", "data": [{"id": "org/only", "object": "model"}]})
    subject = EndpointSubject(server.base)
    assert subject.model == "org/only"
    assert subject.reply(["a"])[0].text == "re: a"
    assert server.bodies[0]["model"] == "org/only"


def test_a_server_with_several_models_needs_a_name(serve):
    server = serve(models={"data": [{"id": "one"}, {"id": "two"}]})
    with pytest.raises(RequestError, match=r"2 models: one, two\. Name one after '#': http.*#one"):
        EndpointSubject(server.base)


def test_a_server_without_a_list_of_models_needs_a_name(serve):
    with pytest.raises(EndpointError, match="#MODEL"):
        EndpointSubject(serve(models="nonsense").base)
    with pytest.raises(RequestError, match="no model"):
        EndpointSubject(serve(models={"data": []}).base)


def test_the_key_is_sent_and_shown_nowhere(serve, monkeypatch):
    echo = (401, {}, {"error": f"wrong key: Bearer {SECRET}"})
    server = serve(
        lambda question, _: echo if question == "denied" else (400, {}, SECRET) if question == "b" else good("a")
    )
    plain = subject_of(server).fingerprint
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    subject = subject_of(server)
    replies = subject.reply(["a", "b"])
    assert server.keys == [f"Bearer {SECRET}"] * 2
    with pytest.raises(EndpointError, match="wrong key") as caught:
        subject.reply(["denied"])
    assert subject.fingerprint == plain
    assert SECRET not in repr(subject) + repr(vars(subject)) + repr(replies) + str(caught.value)


def test_the_own_variable_goes_before_the_common_one(serve, monkeypatch):
    server = serve()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-another-place")
    monkeypatch.setenv("TEMPERAMENT_API_KEY", f"{SECRET}\n")
    subject_of(server).reply(["a"])
    assert server.keys == [f"Bearer {SECRET}"]


def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(serve, monkeypatch):
    monkeypatch.setenv("TEMPERAMENT_API_KEY", f"{SECRET}\u00e9")
    with pytest.raises(RequestError) as caught:
        subject_of(serve()).reply(["a"])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("address", ["http://", "ftp://host/v1#m", "http://host:port/v1#m", "localhost:8000/v1#m"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(RequestError, match="is not an address"):
        EndpointSubject(address)


@pytest.mark.parametrize("address", [f"http://me:{SECRET}@host/v1#m", f"http://host/v1?key={SECRET}#m"])
def test_a_key_in_the_address_is_refused_without_being_shown(address):
    with pytest.raises(RequestError, match="environment variable") as caught:
        EndpointSubject(address)
    assert SECRET not in str(caught.value)


def test_a_repetition_penalty_is_refused(serve):
    server = serve()
    with pytest.raises(RequestError, match="repetition penalty"):
        subject_of(server).reply(["a"], Generation(repetition_penalty=1.1))
    assert not server.bodies


def test_the_fingerprint_is_of_the_address_and_the_model():
    first = EndpointSubject("http://host/v1#m")
    assert first.precision == "remote"
    assert first.name == "http://host/v1#m"
    assert first.fingerprint == EndpointSubject("http://host/v1/#m").fingerprint
    assert first.fingerprint != EndpointSubject("http://host/v1#n").fingerprint
    assert first.fingerprint != EndpointSubject("http://other/v1#m").fingerprint


def test_no_question_is_no_request(serve):
    server = serve()
    assert subject_of(server).reply([]) == []
    assert not server.bodies
