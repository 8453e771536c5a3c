"""Each question is asked once and kept, and a killed interview ends as an undisturbed one would."""

import random

import pytest

from temperament.errors import BadFileError, MismatchError, RequestError
from temperament.measure.interview import CHUNK, Interview, Item, items_of
from temperament.measure.protocol import Instrument
from temperament.opinion.row import Opinion, Opinions
from temperament.record import Generation, Label, read_records, write_records
from temperament.subject.scripted import ScriptedSubject

ITEMS = tuple(Item(f"item-{number}", f"topic {number // 4}", f"Question {number}?") for number in range(2 * CHUNK + 6))


def say(conversation, seed):
    text = conversation[-1]["content"]
    return None if "13" in text else f"{text} {random.Random(seed).random()}"


class KilledError(Exception):
    """Stands for a killed process."""


class CountingSubject(ScriptedSubject):
    """Counts what it is asked, and is killed after a number of replies."""

    def __init__(self, script=say, killed_after=10**9):
        super().__init__(script)
        self.fingerprint = "same weights"
        self.asked = 0
        self.killed_after = killed_after

    def _reply(self, conversations, seeds, generation, progress):
        if self.asked + len(conversations) > self.killed_after:
            raise KilledError
        self.asked += len(conversations)
        return super()._reply(conversations, seeds, generation, progress)


def test_items_are_unique_questions_in_order_with_stable_ids():
    def row(topic, question, pole):
        return Opinion("openness", pole, "", topic, question, "Answer.", "test", "x")

    opinions = Opinions(
        [row("Tea & cake", "Tea?", "low"), row("Tea & cake", "Tea?", "high"), row("Rain", "Tea?", "low")], "test"
    )
    items = items_of(opinions)
    assert [(item.topic, item.question) for item in items] == [("Tea & cake", "Tea?"), ("Rain", "Tea?")]
    assert items[0].id == "tea-cake-2b2bc79a"
    assert items[0].id != items[1].id


def test_every_item_is_asked_once_and_a_failed_reply_keeps_its_error():
    subject = CountingSubject()
    records = Interview(ITEMS, Generation(seed=5)).administer(subject)
    assert [record.item for record in records] == [item.id for item in ITEMS]
    assert subject.asked == len(ITEMS)
    assert records[13].reply is None
    assert "no reply" in records[13].error
    assert records[0].reply.startswith("Question 0?")
    assert records[0].generation.seed == 5
    assert (records[0].fingerprint, records[0].precision, records[0].topic) == ("same weights", "scripted", "topic 0")


def test_records_carry_the_label_of_the_moment():
    subject = CountingSubject()
    label = Label("prompt", trait="openness", pole="high", strength=1.0)
    with subject.labelled(label):
        records = Interview(ITEMS[:2]).administer(subject)
    assert {record.label for record in records} == {label}


def test_a_finished_store_is_read_and_nothing_is_asked(tmp_path):
    store = tmp_path / "base.jsonl"
    first = Interview(ITEMS).administer(CountingSubject(), store)
    again = CountingSubject()
    assert Interview(ITEMS).administer(again, store) == first == read_records(store)
    assert again.asked == 0
    assert [path.name for path in tmp_path.iterdir()] == ["base.jsonl"]


@pytest.mark.parametrize("torn", ["", '{"subject": "scri'])
def test_a_killed_interview_continues_and_ends_the_same(tmp_path, torn):
    undisturbed = Interview(ITEMS).administer(CountingSubject(), tmp_path / "whole.jsonl")
    store = tmp_path / "killed.jsonl"
    with pytest.raises(KilledError):
        Interview(ITEMS).administer(CountingSubject(killed_after=CHUNK), store)
    partial = tmp_path / "killed.jsonl.partial"
    assert not store.exists()
    with partial.open("a") as file:
        file.write(torn)
    subject = CountingSubject()
    assert Interview(ITEMS).administer(subject, store) == undisturbed
    assert subject.asked == len(ITEMS) - CHUNK
    assert store.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not partial.exists()


@pytest.mark.parametrize("kept", [1, CHUNK - 1, CHUNK + 5, 2 * CHUNK, len(ITEMS) - 1, len(ITEMS)])
def test_a_partial_chunk_is_asked_again(tmp_path, kept):
    undisturbed = Interview(ITEMS).administer(CountingSubject())
    store = tmp_path / "killed.jsonl"
    write_records(tmp_path / "killed.jsonl.partial", undisturbed[:kept])
    subject = CountingSubject()
    assert Interview(ITEMS).administer(subject, store) == undisturbed
    assert subject.asked == (0 if kept == len(ITEMS) else len(ITEMS) - kept // CHUNK * CHUNK)


@pytest.mark.parametrize("name", ["cell.jsonl", "cell.jsonl.partial"])
def test_records_of_another_run_are_refused_and_the_difference_named(tmp_path, name):
    write_records(tmp_path / name, Interview(ITEMS).administer(CountingSubject()))
    store = tmp_path / "cell.jsonl"

    with pytest.raises(MismatchError, match="generation"):
        Interview(ITEMS, Generation(seed=1)).administer(CountingSubject(), store)
    other = CountingSubject()
    other.fingerprint = "other weights"
    with pytest.raises(MismatchError, match=r"fingerprint is 'same weights', and here it is 'other weights'"):
        Interview(ITEMS).administer(other, store)
    shaped = CountingSubject()
    with shaped.labelled(Label("prompt")), pytest.raises(MismatchError, match="label"):
        Interview(ITEMS).administer(shaped, store)
    with pytest.raises(MismatchError, match=r":1 .* item is 'item-0', and here it is 'item-1'"):
        Interview((*ITEMS[1:], ITEMS[0])).administer(CountingSubject(), store)
    with pytest.raises(MismatchError, match=f"{len(ITEMS)} records and the interview has 3 items"):
        Interview(ITEMS[:3]).administer(CountingSubject(), store)


def test_a_store_that_lacks_records_is_refused(tmp_path):
    store = tmp_path / "cell.jsonl"
    write_records(store, Interview(ITEMS).administer(CountingSubject())[:-1])
    with pytest.raises(MismatchError, match=f"{len(ITEMS) - 1} records"):
        Interview(ITEMS).administer(CountingSubject(), store)


def test_a_damaged_line_is_named(tmp_path):
    store = tmp_path / "cell.jsonl"
    store.write_text("not a record\n")
    with pytest.raises(BadFileError, match=r"cell\.jsonl:1"):
        Interview(ITEMS).administer(CountingSubject(), store)


def test_progress_counts_all_items_and_never_goes_back(tmp_path):
    steps = []
    store = tmp_path / "killed.jsonl"
    with pytest.raises(KilledError):
        Interview(ITEMS).administer(CountingSubject(killed_after=CHUNK), store)
    Interview(ITEMS).administer(CountingSubject(), store, lambda done, total: steps.append((done, total)))
    assert steps[0] == (CHUNK, len(ITEMS))
    assert steps[-1] == (len(ITEMS), len(ITEMS))
    assert steps == sorted(set(steps))


def test_an_interview_without_items_or_with_equal_ids_is_refused():
    with pytest.raises(RequestError, match="at least one item"):
        Interview(())
    with pytest.raises(RequestError, match="'item-0' occurs 2 times"):
        Interview((ITEMS[0], ITEMS[0]))


def test_it_is_an_instrument():
    assert isinstance(Interview(ITEMS), Instrument)
