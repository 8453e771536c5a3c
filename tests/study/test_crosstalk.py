"""Cross-talk says which traits moved and which way, and noise does not make an edit look unspecific."""

import random
from dataclasses import replace

import numpy as np
import pytest
from made_run import TOPICS, edited, noisy, probabilities, score, write_cell

from temperament.errors import BadFileError
from temperament.record import Label, Results, read_json
from temperament.study.crosstalk import FINDING, CrossTalk, crosstalk_of, specificity, write_crosstalk

OTHERS = ("openness", "conscientiousness", "agreeableness", "neuroticism")


def made(folder, *cells):
    """A run of the untouched model and some edits: labels and what replies read as."""
    write_cell(folder, Label(), noisy({}, draw=random.Random("untouched")))
    for number, (label, means) in enumerate(cells):
        write_cell(folder, label, noisy(means, draw=random.Random(f"edit {number}")))
    return crosstalk_of(folder).rows


def row_of(rows, reading="probability", **wanted):
    (found,) = [row for row in rows if row.reading == reading and all(getattr(row, k) == v for k, v in wanted.items())]
    return found


def changes(row):
    return {change.measured_trait: change.estimate for change in row.changes}


def test_changes_have_the_sign_of_the_high_pole_and_the_own_effect_that_of_the_target(tmp_path):
    means = {"extraversion": 0.15, "neuroticism": -0.1}
    rows = made(tmp_path, (edited(), means), (edited(pole="low"), means))
    for pole, sign in (("high", 1), ("low", -1)):
        row = row_of(rows, pole=pole)
        assert changes(row)["extraversion"].lower > 0.1
        assert changes(row)["neuroticism"].upper < -0.05
        assert changes(row)["openness"].lower < 0 < changes(row)["openness"].upper
        assert row.own.value == pytest.approx(sign * changes(row)["extraversion"].value)
    assert row_of(rows, pole="high").specificity.value == pytest.approx(0.15**2 / (0.15**2 + 0.1**2), abs=0.15)
    backwards = row_of(rows, pole="low")
    assert (backwards.specificity.value, backwards.reason) == (None, "the target's trait moved towards the other pole")


def test_an_edit_without_an_effect_on_its_target_has_no_specificity(tmp_path):
    row = row_of(made(tmp_path, (edited(), {"openness": 0.2})))
    assert row.specificity.value is None
    assert row.reason == "the effect on the target cannot be told from none"
    assert changes(row)["openness"].lower > 0.1


def drawn(means, draw, topics, each=2):
    """Changes of five traits, one a reply, and the topics of the replies."""
    names = ("extraversion", *OTHERS)
    values = np.repeat(draw.normal(0, 0.15, (topics, 5)), each, axis=0) + draw.normal(0, 0.3, (topics * each, 5))
    table = values + np.array(means)
    return {name: list(table[:, place]) for place, name in enumerate(names)}, [
        f"{number // each}" for number in range(topics * each)
    ]


def test_noise_does_not_make_an_edit_look_unspecific():
    draw = np.random.default_rng(0)
    found, naive = [], []
    for _ in range(60):
        moved, topics = drawn((0.4, 0, 0, 0, 0), draw, topics=12)
        found.append(specificity(moved, "extraversion", topics))
        squares = [np.mean(values) ** 2 for values in moved.values()]
        naive.append(squares[0] / sum(squares))
    assert np.mean([one.value for one in found]) > 0.96
    assert np.mean(naive) < 0.93
    assert all(one.upper == 1.0 and 0 <= one.lower <= one.value for one in found)


def test_intervals_of_specificity_hold_the_truth():
    draw, means = np.random.default_rng(1), (0.4, 0.15, -0.15, 0.1, 0)
    truth = means[0] ** 2 / sum(mean**2 for mean in means)
    held, wide = 0, []
    for _ in range(100):
        one = specificity(*_named(drawn(means, draw, topics=16)))
        held += one.lower <= truth <= one.upper
        wide.append(one.upper - one.lower)
    assert held >= 93
    # An interval of everything would hold the truth too.
    assert np.mean(wide) < 0.75


def _named(found):
    moved, topics = found
    return moved, "extraversion", topics


def test_specificity_without_noise_is_the_share_of_squares():
    draw = np.random.default_rng(2)
    moved = {"extraversion": [0.3] * 40, "openness": [-0.1] * 40}
    moved = {name: [value + draw.normal(0, 1e-4) for value in values] for name, values in moved.items()}
    found = specificity(moved, "extraversion", [str(number // 2) for number in range(40)])
    assert found.value == pytest.approx(0.9, abs=1e-3)
    assert found.lower == pytest.approx(found.upper, abs=5e-3)
    assert specificity(moved, "openness", [str(number // 2) for number in range(40)]).value == pytest.approx(
        0.1, abs=1e-3
    )
    assert specificity(moved, "extraversion", ["tea"] * 40).value is None


def test_what_others_lose_because_the_target_takes_their_room_is_said(tmp_path):
    before = probabilities({"openness": 0.1})
    # Extraversion has 0.2 of the whole, and then 0.6: the others keep half of theirs.
    after = {pole: value * 0.5 for pole, value in before.items()}
    after |= {"extraversion:high": 0.55, "extraversion:low": 0.05}
    for label, found in ((Label(), before), (edited(), after)):
        write_cell(tmp_path, label, lambda *_, found=found: {"alignment": {"label": "unsure", "probabilities": found}})
    row = row_of(crosstalk_of(tmp_path).rows)
    by_trait = {change.measured_trait: change for change in row.changes}
    assert by_trait["openness"].estimate.value == pytest.approx(-0.05)
    assert by_trait["openness"].displaced == pytest.approx(-0.05)
    assert by_trait["neuroticism"].displaced == pytest.approx(0.0)
    assert by_trait["extraversion"].displaced is None


def test_the_share_of_labels_is_read_too_and_unsure_is_neither_pole(tmp_path):
    labels = {0: "extraversion:high", 1: "extraversion:low", 2: "unsure"}
    write_cell(tmp_path, Label(), lambda _topic, _number: score({}, "unsure"))
    write_cell(tmp_path, edited(), lambda _topic, number: score({}, labels[number if number < 2 else 0]))
    row = row_of(crosstalk_of(tmp_path).rows, reading="share")
    assert changes(row)["extraversion"].value == pytest.approx(1 / 3)
    assert changes(row)["openness"].value == 0.0
    assert row.own.n == row.asked == 36


def test_replies_that_one_side_lacks_are_left_out_and_counted(tmp_path):
    write_cell(tmp_path, Label(), lambda _topic, number: None if number == 0 else score({}))
    write_cell(tmp_path, edited(), lambda topic, _number: score({"extraversion": 0.1}) if topic != TOPICS[0] else None)
    row = row_of(crosstalk_of(tmp_path).rows)
    assert (row.asked, row.own.n) == (36, 22)
    assert row.own.value == pytest.approx(0.1)


def test_an_edit_that_nobody_could_read_has_no_figures(tmp_path):
    write_cell(tmp_path, Label(), noisy({}))
    write_cell(tmp_path, edited(), lambda *_: None)
    row = row_of(crosstalk_of(tmp_path).rows)
    assert (row.own.value, row.reason) == (None, "no reply could be read both before and after")


def test_seeds_are_pooled_each_with_its_own_untouched_model_and_subjects_are_not(tmp_path):
    for seed, start in ((0, 0.0), (1, 0.1)):
        write_cell(tmp_path, Label(), lambda *_, at=start: score({"extraversion": at}), seed)
        write_cell(tmp_path, edited(), lambda *_, at=start: score({"extraversion": at + 0.05}), seed)
    write_cell(tmp_path, Label(), lambda *_: score({"extraversion": -0.2}), subject="other")
    write_cell(tmp_path, replace(edited(), method="mend"), lambda *_: score({"extraversion": 0.1}), subject="other")
    rows = crosstalk_of(tmp_path).rows
    mine = row_of(rows, subject="made")
    assert (mine.seeds, mine.own.n) == ((0, 1), 72)
    assert mine.own.value == pytest.approx(0.05)
    assert row_of(rows, subject="other").own.value == pytest.approx(0.3)


def test_strengths_conditions_and_edits_without_a_target(tmp_path):
    cells = [(edited(strength), {"extraversion": 0.1 * strength}) for strength in (0.5, 1.0)]
    cells += [(edited(condition="shuffled"), {}), (Label("adapter", "found", strength=1.0), {})]
    rows = made(tmp_path, *cells)
    assert {(row.method, row.condition, row.strength) for row in rows} == {
        ("qlora", "", 0.5),
        ("qlora", "", 1.0),
        ("qlora", "shuffled", 1.0),
    }
    assert len(rows) == 6


def test_a_trait_of_which_one_pole_is_known_has_no_direction(tmp_path):
    found = {
        "alignment": {
            "label": "unsure",
            "probabilities": {"extraversion:high": 0.4, "openness:low": 0.3, "openness:high": 0.3},
        }
    }
    write_cell(tmp_path, Label(), lambda *_: found)
    write_cell(tmp_path, edited(), lambda *_: found)
    row = row_of(crosstalk_of(tmp_path).rows)
    assert [change.measured_trait for change in row.changes] == ["openness"]
    assert row.reason == "the classifier does not read both poles of extraversion"


def test_records_without_scores_are_an_error_that_names_the_file(tmp_path):
    name = write_cell(tmp_path, Label(), noisy({}))
    (tmp_path / "scores" / f"{name}.jsonl").unlink()
    with pytest.raises(BadFileError, match=f"{name}.jsonl does not exist"):
        crosstalk_of(tmp_path)


def test_the_finding_of_a_run_agrees_with_its_figures(copied):
    found = write_crosstalk(copied)
    assert read_json(copied / FINDING, CrossTalk) == found
    assert len(found.rows) == 2 * 4
    figures = [one for one in read_json(copied / "results.json", Results).figures if one.metric == "pole_share"]

    def reads(method, trait, strength, measured):
        shares = {
            one.measured_pole: one.value
            for one in figures
            if (one.method, one.trait, one.strength, one.measured_trait) == (method, trait, strength, measured)
        }
        return shares["high"] - shares["low"]

    for row in found.rows:
        for change in row.changes if row.reading == "share" else ():
            moved = reads(row.method, row.trait, row.strength, change.measured_trait)
            assert change.estimate.value == pytest.approx(
                moved - reads("base", row.trait, 0.0, change.measured_trait), abs=1e-9
            )
