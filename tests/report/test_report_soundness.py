"""A broken subject is exposed on the first screen, however high it scores."""

import json
import re
from pathlib import Path

import pytest
from synthetic_run import HIGH, World, write_run
from synthetic_world import SUBJECT

from temperament.record import NOT_A_NUMBER, Generation, Label, Record, Results, read_records, write_records
from temperament.report import render
from temperament.report.board import Goal
from temperament.report.evidence import Evidence
from temperament.report.minute import minute
from temperament.report.soundness import unfit_in
from temperament.report.trust import card
from temperament.run import Run

BROKEN = {"mend": "word", "prompt": "silence", "ike": "shout", "neurons": "parrot", "direction": "numbers"}
NAMES = {"mend": "MEND", "prompt": "The prompt", "ike": "IKE", "neurons": "NPTI neurons", "direction": "The steering"}
WHY = {
    "mend": "one word over and over 40",
    "prompt": "empty",
    "ike": "more emojis than words 40",
    "neurons": "the same text for several questions 40",
    "direction": "no finite number to draw from 40",
}
WORLD = World(
    targets=HIGH[2:4], methods=("qlora", *BROKEN), hit=(0.9, 0.8), emoji=(0.1, 0.0), breaks=BROKEN, base_hit=0.05
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "broken", WORLD)


@pytest.fixture(scope="module")
def evidence(folder):
    return Evidence(Run.load(folder))


@pytest.fixture(scope="module")
def first_screen(folder):
    """What stands before the list of contents, without what has to be unfolded, as text."""
    page = render(folder).read_text(encoding="utf-8")
    header = page.split("<header>")[1].split("<nav")[0]
    return re.sub(r"<details.*?</details>", "", header, flags=re.DOTALL)


def row_of(first_screen, name):
    rows = re.findall(r"<tr.*?</tr>", first_screen, re.DOTALL)
    return next(row for row in rows if f">{name}" in row)


def arm_of(evidence, method):
    return next(arm for arm in evidence.board.arms if arm.method == method)


def test_broken_methods_read_as_their_target_throughout_or_the_test_shows_nothing(folder):
    figures = [figure for figure in Run.load(folder).results.figures if figure.metric == "trait_alignment"]
    values = {figure.method: figure.value for figure in figures if figure.method != "base"}
    assert values["mend"] == values["ike"] == values["neurons"] == 1.0
    assert values["qlora"] < 1.0


@pytest.mark.parametrize("method", BROKEN)
def test_a_broken_method_does_not_count_and_the_first_screen_says_why(method, first_screen):
    row = row_of(first_screen, NAMES[method])
    assert '<tr class="void">' in row
    assert "does not count" in row
    assert "towards the target" not in row
    warnings = first_screen.split('<section class="warnings"')[1].split("</section>")[0]
    mine = next(item for item in warnings.split("<li")[1:] if NAMES[method] in item)
    assert mine.startswith(' class="void"')
    assert WHY[method] in mine


def test_what_does_not_count_is_no_part_of_the_answer(first_screen):
    answer = re.search(r'<p class="lead">(.*?)</p>', first_screen).group(1)
    assert answer.startswith("Of six methods one moved a trait towards its target: QLoRA, 2 of 2")
    assert "did does not count: the replies are no answers." in answer


def test_a_sound_method_beside_them_counts(evidence, first_screen):
    assert set(evidence.levels(arm_of(evidence, "qlora")).values()) == {"sound"}
    assert "2 of 2 towards the target" in row_of(first_screen, "QLoRA")


def test_warnings_come_before_every_figure(first_screen):
    assert first_screen.index('class="warnings"') < first_screen.index('class="lead"') < first_screen.index("<table")


def test_everywhere_on_the_page_the_figures_of_a_broken_method_are_crossed_out(folder):
    page = render(folder).read_text(encoding="utf-8")
    chapter = page.split('<h2 id="alignment">')[1].split("<h3>MEND</h3>")[1].split("<h3>")[0]
    assert "no effect on any of its 2 targets counts" in chapter
    assert '<div class="line shaped">' not in chapter
    assert chapter.count('<div class="line void">') == 2
    assert "rose" not in chapter


def judged(text, others=("Quite another reply.",), score=None, error=None):
    def record(number, reply):
        return Record(SUBJECT, "f", "float32", Label(), Generation(), f"i{number}", "t", "q", "p", reply, error=error)

    records = [record(number, reply) for number, reply in enumerate((text, *others))]
    run = Run(Path(), "", Results(), {"base-s0": records}, {"base-s0": [{"item": "i0", **(score or {})}]})
    return unfit_in(run, "base-s0")[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("I like it a lot, honestly.", ""),
        ("", "empty"),
        (" \n", "empty"),
        ("... \U0001f389\U0001f389 123", "no word in it"),
        ("party party party party", "one word over and over"),
        ("Party party! party, PARTY.", "one word over and over"),
        ("no no no way", "one word over and over"),
        ("very very good and very kind", ""),
    ],
)
def test_what_is_no_answer_is_told_from_the_text_alone(text, why):
    assert judged(text) == why


def test_what_scorers_said_of_a_reply_counts_too():
    assert judged("Fine words.", score={"fluency": {"gibberish": "surprise"}}) == "gibberish: surprise"
    assert judged("Fine words.", score={"fluency": {"gibberish": None}}) == ""
    assert judged("Fine words.", score={"refusal": {"refusal": "declined"}}) == "refusal: declined"
    assert (
        judged("Yay \U0001f389\U0001f389", score={"emoji": {"emojis": ["\U0001f389"] * 2}}) == "more emojis than words"
    )
    assert judged("Fine words.", score={"fluency": None, "emoji": None}) == ""


def test_one_text_for_three_questions_is_no_answer_and_for_two_it_may_be():
    assert judged("Yes.", ("Yes.", "No.")) == ""
    assert judged("Yes.", (" yes. ", "YES.")) == "the same text for several questions"


def test_a_call_that_failed_is_no_fault_of_the_model():
    assert judged(None, error="the endpoint answered 503") == ""
    assert judged(None, error=NOT_A_NUMBER) == "no finite number to draw from"


def _spoil(folder, method, share, *, is_hit):
    """Turn a share of the replies that read as the target, or do not, into loops."""
    for path in sorted((folder / "records").glob(f"{method}*.jsonl")):
        place = folder / "scores" / path.name
        rows = [json.loads(line) for line in place.read_text().splitlines()]
        target = ":".join(path.stem.split("-")[1:3])
        wanted = [row["item"] for row in rows if (row["alignment"]["label"] == target) == is_hit]
        loops = set(wanted[: round(share * len(rows))])
        records = [vars(record) | {"reply": "tea tea tea tea tea"} for record in read_records(path)]
        kept = [
            Record(**spoiled) if spoiled["item"] in loops else record
            for spoiled, record in zip(records, read_records(path), strict=True)
        ]
        write_records(path, kept)


def test_a_rise_that_is_made_of_no_answers_does_not_hold(tmp_path):
    world = World(targets=HIGH[2:3], hit=(0.45,), emoji=(0.0,), base_hit=0.05)
    folder = write_run(tmp_path / "run", world)
    goal = Goal("extraversion", "high")
    before = Evidence(Run.load(folder))
    assert before.sound(before.board.arms[0], goal).level == "sound"
    _spoil(folder, "qlora", 0.4, is_hit=True)
    after = Evidence(Run.load(folder))
    found = after.sound(after.board.arms[0], goal)
    assert found.level == "void"
    assert found.reasons[0].startswith("the rise goes away where replies that are no answers do not count: ")
    page = render(folder).read_text(encoding="utf-8")
    assert "QLoRA: no effect on its target counts, because the replies are no answers." in page


def test_no_answers_among_the_misses_put_a_rise_in_doubt_and_leave_it_standing(tmp_path):
    folder = write_run(tmp_path / "run", World(targets=HIGH[2:3], hit=(0.7,), emoji=(0.0,), base_hit=0.05))
    _spoil(folder, "qlora", 0.2, is_hit=False)
    evidence = Evidence(Run.load(folder))
    found = evidence.sound(evidence.board.arms[0], Goal("extraversion", "high"))
    assert found.level == "doubt"
    assert not found.honest
    assert "QLoRA moved extraversion towards its high pole." in render(folder).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("metric", "value", "level"),
    [
        ("unsure_share", 0.2, "sound"),
        ("unsure_share", 0.3, "doubt"),
        ("unsure_share", 0.5, "void"),
        ("broken_text_share", 0.01, "doubt"),
        ("broken_text_share", 0.5, "void"),
        ("refusal_share", 0.1, "sound"),
        ("refusal_share", 0.2, "doubt"),
        ("refusal_share", 0.6, "void"),
    ],
)
def test_shares_in_the_results_disqualify_too(metric, value, level, tmp_path):
    folder = write_run(tmp_path / "run", World(targets=HIGH[2:3], hit=(0.7,), emoji=(0.0,)))
    results = json.loads((folder / "results.json").read_text())
    row = next(row for row in results["figures"] if row["method"] == "qlora" and row["metric"] == "words")
    results["figures"].append({**row, "metric": metric, "value": value, "lower": None, "upper": None})
    (folder / "results.json").write_text(json.dumps(results))
    evidence = Evidence(Run.load(folder))
    assert evidence.sound(evidence.board.arms[0], Goal("extraversion", "high")).level == level


def test_a_high_share_that_was_read_off_few_replies_does_not_count(tmp_path):
    folder = write_run(tmp_path / "run", World(targets=HIGH[2:3], hit=(0.7,), emoji=(0.0,)))
    results = json.loads((folder / "results.json").read_text())
    for row in results["figures"]:
        if row["method"] == "qlora" and row["metric"] == "trait_alignment":
            row["n"] = 3
    (folder / "results.json").write_text(json.dumps(results))
    evidence = Evidence(Run.load(folder))
    found = evidence.sound(evidence.board.arms[0], Goal("extraversion", "high"))
    assert (found.level, found.reasons[0]) == ("void", "trait alignment could be read off 3 of 40 replies only")


def test_a_weak_classifier_and_none_at_all_are_said_first(tmp_path):
    folder = write_run(tmp_path / "run", World(targets=HIGH[2:3], hit=(0.7,), emoji=(0.0,)))
    place = folder / "findings" / "classifier.json"
    found = json.loads(place.read_text())
    for row in found["assessments"]:
        row["poles"]["value"] = 0.3
    place.write_text(json.dumps(found))
    run = Run.load(folder)
    assert [one.what for one in minute(Evidence(run), card(run)).warnings] == ["The classifier is weak"]
    place.unlink()
    run = Run.load(folder)
    assert [one.what for one in minute(Evidence(run), card(run)).warnings] == ["The classifier"]


def test_an_untouched_model_that_does_not_answer_is_said_first(tmp_path):
    world = World(targets=HIGH[2:3], hit=(0.7,), emoji=(0.0,), breaks={"base": "word"})
    evidence = Evidence(Run.load(write_run(tmp_path / "run", world)))
    warnings = minute(evidence, card(evidence.run)).warnings
    assert warnings[0].what == "The untouched model"
    assert "40 of 40 replies are no answers" in warnings[0].words
