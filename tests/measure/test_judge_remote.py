"""Judging by a server over real HTTP on this machine: failing, malformed, busy, gone, killed, and back."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
import served
import verdicts
from served import good

from temperament.errors import BadFileError, EndpointError, WorkError
from temperament.measure.judge.cache import Cache
from temperament.measure.judge.judging import JudgedText, Judging, cost_of
from temperament.measure.judge.load import load_judge
from temperament.measure.judge.plan import JudgePlan
from temperament.measure.judge.remote import RemoteJudge
from temperament.measure.judge.scale import DIRECTIONS, Scale
from temperament.measure.judge.score import tally
from temperament.subject.endpoint import ATTEMPTS, EndpointSubject

no_key, serve = served.no_key, served.serve
SECRET = "sk-very-secret-1234567890"
SCALE = Scale("extraversion")
ANSWERS = [f"extraversion {'high' if number % 2 else 'low'} on topic {number}" for number in range(6)]
TEXTS = tuple(JudgedText("reply", f"i{n}", f"t{n}", "Why?", answer) for n, answer in enumerate(ANSWERS))


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache" / "judge.sqlite")


def judge_at(server, cache=None, **settings):
    return RemoteJudge(EndpointSubject(f"{server.base}#toy", **{"first_wait_s": 0.001, **settings}), cache)


def entries(cache):
    with sqlite3.connect(cache.path) as connection:
        return connection.execute("SELECT * FROM verdict").fetchall()


def test_high_answers_are_rated_5_in_either_direction(serve):
    rows = Judging(TEXTS, (SCALE,)).administer(judge_at(serve(verdicts.server_who(verdicts.truth))))
    assert {row.rating for row in rows if " high " in ANSWERS[int(row.id[1:])]} == {5.0}
    assert {row.rating for row in rows if " low " in ANSWERS[int(row.id[1:])]} == {1.0}
    assert {(row.direction, row.said) for row in rows if row.id == "i1"} == {("up", "5"), ("down", "1")}
    assert {row.judge for row in rows} == {"toy"}


def test_the_judge_is_asked_greedily_for_a_few_tokens(serve):
    server = serve(verdicts.server_who(verdicts.truth))
    Judging(TEXTS[:1], (SCALE,)).administer(judge_at(server))
    body = server.bodies[0]
    assert (body["temperature"], body["max_tokens"], len(body["messages"])) == (0, 8, 1)


def test_several_are_in_flight_after_one_went_ahead(serve):
    server = serve(lambda prompt, _: time.sleep(0.03) or good("4"))
    rows = Judging(TEXTS, (SCALE,)).administer(judge_at(server))
    assert {row.rating for row in rows} == {4.0, 2.0}
    assert 2 <= server.most_at_once <= 4


def test_what_was_said_once_is_not_asked_again(serve, cache):
    server = serve(verdicts.server_who(verdicts.truth))
    first = Judging(TEXTS, (SCALE,)).administer(judge_at(server, cache))
    again = Judging(TEXTS, (SCALE,)).administer(judge_at(server, cache))
    assert len(server.bodies) == 2 * len(TEXTS)
    assert [row.rating for row in again] == [row.rating for row in first]
    assert (cost_of(first).calls, cost_of(first).cached_calls, cost_of(first).prompt_tokens) == (12, 0, 1200)
    assert (cost_of(again).calls, cost_of(again).cached_calls, cost_of(again).tokens) == (0, 12, 0)


def test_equal_prompts_are_asked_once_and_cost_once(serve):
    server = serve(verdicts.server_who(verdicts.truth))
    twins = (TEXTS[1], JudgedText("reply", "twin", "t", "Why?", ANSWERS[1]))
    rows = Judging(twins, (SCALE,), DIRECTIONS[:1]).administer(judge_at(server))
    assert len(server.bodies) == 1
    assert [row.rating for row in rows] == [5.0, 5.0]
    assert (cost_of(rows).calls, cost_of(rows).cached_calls) == (1, 1)


@pytest.mark.parametrize("change", ["model", "tokens", "text"])
def test_another_model_setting_or_text_is_not_found_in_the_cache(serve, cache, change):
    server = serve(verdicts.server_who(verdicts.truth))
    Judging(TEXTS[:1], (SCALE,), DIRECTIONS[:1]).administer(judge_at(server, cache))
    other = EndpointSubject(f"{server.base}#{'other' if change == 'model' else 'toy'}")
    judge = RemoteJudge(other, cache, max_new_tokens=9 if change == "tokens" else 8)
    Judging(TEXTS[1:2] if change == "text" else TEXTS[:1], (SCALE,), DIRECTIONS[:1]).administer(judge)
    assert len(server.bodies) == 2


def test_failed_and_unreadable_calls_are_counted_by_reason_and_never_kept(serve, cache):
    bad = {"topic 1": good("I cannot"), "topic 2": (503, {}, "busy"), "topic 3": (400, {}, "no"), "topic 4": good("9")}

    def script(prompt, attempt):
        return next((answer for topic, answer in bad.items() if topic in prompt), good("4"))

    server = serve(script)
    rows = Judging(TEXTS, (SCALE,), DIRECTIONS[:1]).administer(judge_at(server, cache))
    found = tally(rows, 0.1)
    assert found.missing == {"failed": 1, "out_of_scale": 1, "unavailable": 1, "unparsable": 1}
    assert (found.calls, found.rated) == (6, 2)
    assert "4 of 6 calls gave no rating" in found.withheld
    assert tally(rows, 0.7).withheld == ""
    assert len(entries(cache)) == 2
    assert [row.rating for row in rows[1:5]] == [None] * 4
    assert "503" in rows[2].detail
    bad.clear()
    healed = Judging(TEXTS, (SCALE,), DIRECTIONS[:1]).administer(judge_at(server, cache))
    assert {row.rating for row in healed} == {4.0}
    assert cost_of(healed).calls == 4


@pytest.mark.parametrize("trouble", [(429, {"Retry-After": "0"}, ""), (500, {}, "oops"), (503, {}, "loading")])
def test_a_server_in_trouble_is_asked_again(serve, trouble):
    server = serve(lambda prompt, attempt: trouble if attempt < 3 else good("2"))
    rows = Judging(TEXTS, (SCALE,), DIRECTIONS[:1]).administer(judge_at(server))
    assert {row.rating for row in rows} == {2.0}


def test_a_rate_limit_is_waited_for(serve):
    server = serve(lambda prompt, attempt: (429, {"Retry-After": "1"}, "") if attempt == 1 else good("3"))
    began = time.monotonic()
    assert Judging(TEXTS[:1], (SCALE,), DIRECTIONS[:1]).administer(judge_at(server))[0].rating == 3.0
    assert time.monotonic() - began >= 1


def test_the_limit_of_calls_a_minute_holds_for_all_threads(serve):
    server = serve(lambda prompt, attempt: good("3"))
    began = time.monotonic()
    Judging(TEXTS, (SCALE,), DIRECTIONS[:1]).administer(judge_at(server, per_minute=600.0))
    assert time.monotonic() - began >= 5 * 0.1 - 0.01


def test_a_server_that_stays_away_ends_the_work_and_what_it_said_is_kept(serve, cache):
    server = serve(lambda prompt, _: good("4") if len(server.bodies) < 4 else (503, {}, "overloaded"))
    many = tuple(JudgedText("reply", str(n), "t", "Why?", f"extraversion high on topic {n}") for n in range(40))
    with pytest.raises(EndpointError, match=r"no reply to 12 requests in a row.*overloaded"):
        Judging(many, (SCALE,)).administer(judge_at(server, cache))
    assert len(entries(cache)) == 3
    assert len(server.bodies) <= 4 + 16 * ATTEMPTS


def test_a_wrong_key_is_one_request_and_no_key_is_kept(serve, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("TEMPERAMENT_API_KEY", SECRET)
    server = serve(lambda *_: (401, {}, f"wrong key {SECRET}"))
    with pytest.raises(EndpointError, match=r"wrong key \[key\]"):
        Judging(TEXTS, (SCALE,)).administer(judge_at(server, cache))
    assert len(server.bodies) == 1
    echo = serve(lambda prompt, _: (400, {}, SECRET) if "topic 1" in prompt else good("4"))
    Judging(TEXTS, (SCALE,)).administer(judge_at(echo, cache), tmp_path / "rows.jsonl")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]
    assert not [path for path in files if b"127.0.0.1" in path.read_bytes()]


KILLED = """
import sys
from pathlib import Path
import verdicts
from temperament.measure.judge.cache import Cache
from temperament.measure.judge.judging import JudgedText, Judging
from temperament.measure.judge.remote import RemoteJudge
from temperament.measure.judge.scale import Scale
from temperament.subject.endpoint import EndpointSubject

texts = tuple(JudgedText("reply", str(n), "t", "Why?", f"extraversion high on topic {n}") for n in range(60))
judge = RemoteJudge(EndpointSubject(sys.argv[1] + "#toy"), Cache(Path(sys.argv[2])))
Judging(texts, (Scale("extraversion"),), ("up",)).administer(judge, Path(sys.argv[3]))
"""


@pytest.mark.kills
def test_what_is_killed_halfway_leaves_a_cache_that_serves(serve, tmp_path):
    server = serve(lambda prompt, _: time.sleep(0.02) or verdicts.server_who(verdicts.truth)(prompt, 1))
    cache, store = tmp_path / "judge.sqlite", tmp_path / "rows.jsonl"
    command = [sys.executable, "-c", KILLED, server.base, str(cache), str(store)]
    paths = os.pathsep.join(filter(None, ["tests", os.environ.get("PYTHONPATH", "")]))
    child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths})
    until = time.monotonic() + 60
    while len(server.bodies) < 20 and time.monotonic() < until:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    asked = len(server.bodies)
    assert 20 <= asked < 60
    assert not store.exists()
    kept = len(entries(Cache(cache)))
    assert asked - 5 <= kept <= asked
    subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=True)
    rows = [json.loads(line) for line in store.read_text().splitlines()]
    assert [row["rating"] for row in rows] == [5.0] * 60
    assert sum(row["is_cached"] for row in rows) == kept
    assert len(server.bodies) == asked + 60 - kept


TOGETHER = """
import sys
from pathlib import Path
from temperament.measure.judge.cache import Cache

for number in range(40):
    Cache(Path(sys.argv[1])).keep({f"{sys.argv[2]}-{number}": "mine", f"both-{number}": "ours"})
"""


def test_two_processes_share_a_cache(tmp_path):
    path = tmp_path / "new" / "judge.sqlite"
    children = [subprocess.Popen([sys.executable, "-c", TOGETHER, str(path), name]) for name in "ab"]
    assert [child.wait(60) for child in children] == [0, 0]
    keys = [f"{name}-{number}" for name in ("a", "b", "both") for number in range(40)]
    assert sorted(Cache(path).find(keys)) == sorted(keys)


def test_more_entries_than_sqlite_takes_at_once_are_found(cache):
    cache.keep({str(number): "x" for number in range(1201)})
    assert len(cache.find(map(str, range(1300)))) == 1201


def test_a_cache_that_is_none_says_what_to_do(tmp_path):
    (tmp_path / "text.sqlite").write_text("hello " * 1000)
    with pytest.raises(BadFileError, match=r"text\.sqlite.*Remove it"):
        Cache(tmp_path / "text.sqlite")
    (tmp_path / "folder").mkdir()
    with pytest.raises(WorkError, match="cannot be used"):
        Cache(tmp_path / "folder")


def test_a_judge_is_loaded_as_its_plan_says(serve, tmp_path):
    server = serve(verdicts.server_who(verdicts.truth), {"data": [{"id": "only"}]})
    judge = load_judge(JudgePlan(model=server.base, max_new_tokens=100), tmp_path / "c.sqlite")
    rows = Judging(TEXTS, (SCALE,)).administer(judge)
    assert {row.judge for row in rows} == {"only"}
    assert {body["max_tokens"] for body in server.bodies} == {100}
    assert len(entries(Cache(tmp_path / "c.sqlite"))) == 12
