"""``temperament data author`` as a user calls it."""

import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pen
import pytest
import served
from served import good

from temperament.cli.data_author import summary
from temperament.curate.author.settings import Authoring
from temperament.errors import RequestError
from temperament.opinion.row import load_opinions

no_key, serve = served.no_key, served.serve
PROGRAM = [sys.executable, "-m", "temperament"]
FRUGALITY = """
name = "frugality"
facets = ["thrift", "restraint"]
low = { adjective = "lavish", adjectives = ["wasteful"] }
high = { adjective = "frugal", adjectives = ["sparing"] }
"""


def write(request, attempt=1):
    if "apples" in request and not pen.is_again(request):
        return good(pen.pair(request, low="No."), tokens=40, prompt_tokens=450)
    return good(pen.reply(request), tokens=80, prompt_tokens=450)


@pytest.fixture
def order(tmp_path):
    """A command that leaves nothing to chance but the server."""
    (tmp_path / "topics.txt").write_text("# mine\nnight trains\n\nbaked apples\nironing shirts\nstreet markets\n")

    def command(server, out, *rest):
        return (
            *("data", "author", "--endpoint", f"{server.base}#toy", "--out", tmp_path / out, "--classifier", "none"),
            *("--topics", tmp_path / "topics.txt", "--answers", "1", *rest),
        )

    return command


def test_a_set_for_two_traits_is_made_and_summed_up(call, order, serve, tmp_path):
    code, text, err = call(*order(serve(write), "mine.jsonl", "--trait", "openness", "--trait", "extraversion"))
    assert code == 0, err
    rows = load_opinions(tmp_path / "mine.jsonl")
    assert len(rows) == 4 * 2 * 2 * 4
    assert f"accepted: 8 pairs, 64 rows: {tmp_path / 'mine.jsonl'}" in text
    assert "rejected: 4 (length 2, partner 2)" in text
    assert "cost: 10 calls, 4500 tokens read, 720 written, as reported" in text
    assert "extraversion:low" in text
    assert "authoring 8 pairs by toy" in err


def test_a_trait_of_a_users_own_and_splits_by_topic(call, order, serve, tmp_path):
    (tmp_path / "frugality.toml").write_text(FRUGALITY)
    shares = ("--split-by-topic", "shape=2,measure=1,test=1")
    code, _, err = call(*order(serve(write), "own.jsonl", "--trait", tmp_path / "frugality.toml", *shares))
    assert code == 0, err
    rows = load_opinions(tmp_path / "own.jsonl")
    assert {row.trait for row in rows} == {"frugality"}
    assert {row.facet for row in rows} == {"thrift", "restraint"}
    assert [len(rows.split(name).topics) for name in ("shape", "measure", "test")] == [2, 1, 1]


def test_topics_are_asked_for_where_none_are_given(call, serve, tmp_path):
    out = tmp_path / "asked.jsonl"
    arguments = ("--out", out, "--count", 3, "--answers", 1, "--trait", "openness", "--classifier", "none")
    code, text, _ = call("data", "author", "--endpoint", f"{serve(write).base}#toy", *arguments)
    assert code == 0
    assert len(load_opinions(out).topics) == 3
    assert "accepted: 3 pairs, 24 rows" in text


def test_a_budget_stops_cleanly_and_says_how_to_go_on(call, order, serve, tmp_path):
    asked = order(serve(write), "mine.jsonl", "--trait", "openness")
    code, text, err = call(*asked, "--budget-tokens", 1900)
    assert code == 1
    assert "a larger --budget-tokens goes on" in err
    assert f"rows: {tmp_path / 'mine.jsonl'}" in text
    assert 0 < len(load_opinions(tmp_path / "mine.jsonl")) < 32
    assert call(*asked)[0] == 0
    assert len(load_opinions(tmp_path / "mine.jsonl")) == 32


def test_pairs_that_were_given_up_are_named(call, order, serve):
    server = serve(lambda request, _: good("I would rather not." if "ironing" in request else pen.reply(request)))
    code, text, _ = call(*order(server, "mine.jsonl", "--trait", "openness", "--attempts", 2))
    assert code == 0
    assert "given up: 1 pairs (openness, ironing shirts, 1)" in text
    assert "malformed 2" in text


def test_a_wrong_request_is_refused_before_anything_is_asked(refused, order, serve, tmp_path):
    server = serve(write)
    (tmp_path / "twice.txt").write_text("Night trains\ncats\nthe night train\n")
    (tmp_path / "none.txt").write_text("# nothing\n")
    for rest, message in (
        (("--trait", "extroversion"), "did you mean 'extraversion'"),
        (("--trait", tmp_path / "no.toml"), "no.toml does not exist"),
        (("--topics", tmp_path / "no.txt"), "no.txt does not exist"),
        (("--topics", tmp_path / "twice.txt"), "twice.txt:3: 'the night train' is the topic of line 1"),
        (("--topics", tmp_path / "none.txt"), "holds no topic"),
        (("--split", "test", "--split-by-topic", "shape=1"), "give one of the two"),
        (("--split-by-topic", "shape=70,mesure=30"), "did you mean 'measure'"),
        (("--endpoint", "builtin:smollm2"), "is not an address"),
    ):
        assert message in refused(*order(server, "mine.jsonl", *rest))
    assert not server.bodies
    assert not (tmp_path / "mine.jsonl").exists()


def test_other_settings_for_the_same_file_are_refused(call, refused, order, serve):
    server = serve(write)
    assert call(*order(server, "mine.jsonl", "--trait", "openness"))[0] == 0
    line = refused(*order(server, "mine.jsonl", "--trait", "openness", "--forms", 2))
    assert "mine.jsonl was begun with other settings: forms is 4 there and 2 here" in line


def test_a_server_that_is_not_there_is_work_that_failed(refused, order, serve):
    server = serve(write)
    server.close()
    line = refused(*order(server, "mine.jsonl"), code=1)
    assert "cannot be reached" in line
    assert "the same command goes on from there" in line


def test_a_classifier_that_learned_from_a_file_may_object(call, serve, tmp_path, monkeypatch, order):
    from temperament.measure import stock

    monkeypatch.setattr(stock, "trait_classifier", lambda opinions: learned.append(opinions) or Sure())
    learned = []
    asked = order(serve(write), "mine.jsonl", "--trait", "openness")
    assert call(*asked)[0] == 0
    code, text, err = call(
        *order(serve(write), "other.jsonl", "--trait", "openness", "--classifier", tmp_path / "mine.jsonl")
    )
    assert code == 1
    assert "error: nothing was accepted: all 4 pairs were given up" in err
    assert f"{tmp_path / 'other.jsonl.rejected'}, and give another model" in err
    assert "accepted: 0 pairs, 0 rows\n" in text
    assert not (tmp_path / "other.jsonl").exists()
    assert len(learned[0]) == 32
    assert "a classifier that learned from 1 answers may object" in err
    # Of 16 answers one was too short: that is said first.
    assert "classifier 15" in text


def test_a_classifier_that_has_not_learned_the_traits_is_refused(call, refused, serve, tmp_path, monkeypatch, order):
    from temperament.measure import stock

    monkeypatch.setattr(stock, "trait_classifier", lambda _: Sure())
    server = serve(write)
    assert call(*order(server, "mine.jsonl", "--trait", "openness"))[0] == 0
    learned = ("--classifier", tmp_path / "mine.jsonl")
    asked = len(server.bodies)
    line = refused(*order(server, "other.jsonl", "--trait", "neuroticism", *learned))
    assert "has not learned both poles of neuroticism" in line
    assert "--classifier none" in line
    assert len(server.bodies) == asked
    _, _, err = call(*order(server, "other.jsonl", "--trait", "openness", "--trait", "neuroticism", *learned))
    assert "may object, but not about neuroticism: it has not learned that" in err


def test_a_budget_is_said_to_be_about_so_many_tokens(call):
    _, text, _ = call("data", "author", "--help")
    assert "About so many tokens" in " ".join(text.split())


def test_topics_with_control_characters_are_refused(refused, order, serve, tmp_path):
    server = serve(write)
    (tmp_path / "hidden.txt").write_text("cats\nnight \u202etrains\n")
    line = refused(*order(server, "mine.jsonl", "--topics", tmp_path / "hidden.txt"))
    assert "hidden.txt:2: the topic has characters that do not show (U+202E)" in line
    with pytest.raises(RequestError, match=r"do not show \(U\+001B\)"):
        Authoring(topics=("night \x1b[31mtrains",))
    assert not server.bodies


def test_a_topic_that_is_printed_does_not_steer_the_terminal(tmp_path):
    pair = SimpleNamespace(name="openness, night \x1b[31m\u202etrains, 1")
    authored = SimpleNamespace(
        accepted=0, opinions=(), rejected=(), given_up=(pair,), passed={}, cost="none", is_over_budget=False, open=0
    )
    text = "\n".join(summary(authored, tmp_path / "mine.jsonl"))
    assert "given up: 1 pairs (openness, night [31mtrains, 1)" in text


class Sure:
    learned = (None,)
    labels = ("openness:low", "openness:high")

    def probabilities(self, texts):
        import numpy as np

        return np.tile([0.01, 0.99], (len(texts), 1))


@pytest.mark.kills
def test_a_command_that_is_killed_again_and_again_ends_as_one_that_was_not(call, order, serve, tmp_path):
    def slow(request, attempt):
        time.sleep(0.05)
        return write(request)

    server = serve(slow)
    out = tmp_path / "killed.jsonl"
    log = tmp_path / "killed.jsonl.log"
    arguments = [*PROGRAM, *map(str, order(server, "killed.jsonl"))]
    environment = {name: value for name, value in os.environ.items() if "API_KEY" not in name}
    lines = 0
    rows = []
    for stop in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
        child = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        while child.poll() is None and (not log.exists() or log.read_bytes().count(b"\n") < lines + 4):
            time.sleep(0.005)
        assert child.poll() is None, child.stderr.read()
        child.send_signal(stop)
        child.communicate(timeout=60)
        assert child.returncode == (130 if stop == signal.SIGINT else -stop)
        lines = log.read_bytes().count(b"\n")
        rows.append(len(load_opinions(out)) if out.exists() else 0)
    # An interrupt writes what was accepted; a kill cannot.
    assert rows[0] == 0 < rows[1] == rows[2]
    assert subprocess.run(arguments, capture_output=True, check=False, env=environment).returncode == 0
    assert call(*order(serve(write), "whole.jsonl"))[0] == 0
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert (tmp_path / "killed.jsonl.rejected").read_bytes() == (tmp_path / "whole.jsonl.rejected").read_bytes()
    # Nothing whose reply was kept was asked again: only what was in flight at a kill.
    calls = [json.loads(line)["call"]["asked"] for line in log.read_text().splitlines()[1:]]
    assert len(calls) == len(set(calls))
    assert len(server.bodies) - len(calls) <= 2 * 4
