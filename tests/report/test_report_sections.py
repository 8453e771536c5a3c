"""What instruments, judges and statistics found has a place on the page, and none where there is nothing."""

import json
import re
import shutil

import pytest
from synthetic_finding import at, judge_of
from synthetic_run import HIGH, World, write_run

from temperament.record import to_json
from temperament.report import render
from temperament.report.board import Goal
from temperament.report.evidence import Evidence
from temperament.report.family import probability
from temperament.report.judge import judge_card
from temperament.run import Run

WORLD = World(
    targets=HIGH[1:3],
    methods=("qlora", "mend"),
    strengths=(0.5, 1.0, 2.0),
    hit=(0.7, 0.9),
    emoji=(0.0, 0.4),
    base_hit=0.05,
    breaks={"mend": "word"},
    has_all=True,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "all", WORLD)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A run with everything in it, of two cells."""
    world = World(targets=HIGH[2:3], hit=(0.9,), emoji=(0.4,), base_hit=0.05, has_all=True)
    return write_run(tmp_path_factory.mktemp("runs") / "small", world)


@pytest.fixture(scope="module")
def page(folder):
    return render(folder).read_text(encoding="utf-8")


def section(page, name):
    return re.sub(r"\s+", " ", page.split(f'<h2 id="{name}">')[1].split("<h2 ")[0])


def changed(folder, tmp_path, name, change):
    """The page of a copy of the run with a finding changed."""
    shutil.copytree(folder, tmp_path / "run")
    place = tmp_path / "run" / "findings" / f"{name}.json"
    found = json.loads(place.read_text())
    change(found)
    place.write_text(json.dumps(found))
    return render(tmp_path / "run").read_text(encoding="utf-8")


def test_the_strongest_strength_that_is_sound_stands_for_a_method(folder):
    evidence = Evidence(Run.load(folder))
    qlora, mend = evidence.board.ways.values()
    assert evidence.levels(qlora[2])[Goal("extraversion", "high")] == "doubt"
    assert evidence.chosen(qlora).strength == 1.0
    assert evidence.chosen(mend).strength == 2.0


def test_a_dose_has_a_picture_of_each_target_and_its_turning_points(page):
    part = section(page, "dose")
    assert part.count("<figure>") == 2 * 2
    ticks = re.findall(r'<span style="left:([\d.]+)%">([\d.]+)</span>', part.split("</figure>")[0])
    assert ticks == [("0.0", "0"), ("25.0", "0.5"), ("50.0", "1"), ("100.0", "2")]
    assert part.count('class="hollow"') == 2 * 2 * 2
    assert "gibberish rises by more than 0.1" in part
    assert "<code>findings/dose.json</code>" in part


def test_a_picture_is_the_right_way_up(page, folder):
    part = section(page, "dose").split("<h3>")[1].split("</figure>")[1]
    effect = part.split('<g class="curve effect">')[1].split("</g>")[0]
    heights = [float(y) for y in re.findall(r'<circle cx="[\d.]+%" cy="([\d.]+)%"', effect)]
    values = [
        figure.value
        for figure in Run.load(folder).results.figures
        if figure.metric == "trait_alignment" and figure.trait == "extraversion" and figure.method in {"base", "qlora"}
    ]
    assert heights == [pytest.approx(100 - 100 * value, abs=0.01) for value in values]
    assert heights[0] > heights[-1]


def test_one_strength_has_no_dose(tmp_path):
    page = render(write_run(tmp_path / "run", World(targets=HIGH[:1], hit=(0.5,), emoji=(0.0,)))).read_text()
    assert 'id="dose"' not in page
    assert 'href="#dose"' not in page


def test_crosstalk_has_every_trait_and_the_index_of_every_row(page, folder):
    part = section(page, "crosstalk").split("<h3>MEND</h3>")[0]
    rows = json.loads((folder / "findings" / "crosstalk.json").read_text())["rows"]
    mine = [row for row in rows if row["method"] == "qlora" and row["reading"] == "probability"]
    first = part.split("</table>")[0]
    assert first.count("<tr>") == len(mine) + 1
    assert first.count('class="own ') == len(mine)
    for row in mine:
        if row["specificity"]["value"] is not None:
            assert f'<span class="value">{row["specificity"]["value"]:.2f}</span>' in first
        else:
            assert row["reason"] in first


def test_latent_mass_has_both_bounds_before_and_after(page):
    part = section(page, "emojis").split("<h3>MEND</h3>")[0].split('aria-label="Latent emoji mass"')[1]
    rows = re.findall(r"<tr class=\"(\w+)\"><th scope=\"row\">(.*?)</th>(.*?)</tr>", part.split("</table>")[0])
    assert [(kind, name) for kind, name, _ in rows] == [
        ("untouched", "untouched"),
        *(
            ("shaped", f"{trait}, high, {strength}")
            for trait in ("conscientiousness", "extraversion")
            for strength in ("0.5", "1", "2")
        ),
    ]
    places = [[float(place) for place in re.findall(r'<circle cx="([\d.]+)%"', row)] for _, _, row in rows]
    assert all(lower < upper for lower, upper in places)
    assert places[0][0] < places[1][0] < places[2][0] < places[3][0]
    assert re.search(r"\d\.\de-05", rows[0][2])


def test_self_reports_stand_with_their_biases_reliability_and_convergence(page):
    part = section(page, "self")
    assert "What a model says of itself need not be how it writes" in part
    for words in (
        "agreement, whatever is said",
        "leaning to later options",
        "effect of the labels",
        "outside the options",
    ):
        assert words in part
    assert part.split("<h3>MEND</h3>")[0].count('<td class="own">') == 6
    assert "0.80 (0.70 to 0.90)" in part
    assert "omega is withheld" in part
    assert "+0.30 (\u22120.20 to +0.80)" in part


def test_a_calibration_stands_beside_every_judged_score(page):
    part = section(page, "judge")
    rows = re.findall(
        r'<th scope="row">(?:conscientiousness|extraversion), high.*?</tr>', part.replace("</tr> <tr", "</tr>\n<tr")
    )
    assert len(rows) == 2 * 2 * 3
    assert all("0.90 (0.85 to 0.95)" in row for row in rows)
    assert "600 calls, 120,000 tokens read and 600 written, at a price of 0.25" in part


@pytest.mark.parametrize(("area", "level"), [(0.9, "sound"), (0.6, "doubt"), (0.52, "void"), (0.2, "void")])
def test_a_judge_counts_as_far_as_it_tells_the_poles_apart(area, level, small, tmp_path):
    shutil.copytree(small, tmp_path / "run")
    card = judge_of(World(area=area))
    (tmp_path / "run" / "findings" / "judge.json").write_text(to_json(card))
    assert judge_card(Run.load(tmp_path / "run")).level == level
    page = render(tmp_path / "run").read_text(encoding="utf-8")
    header = page.split("<nav")[0]
    assert ("<strong>The judge</strong>" in header) == (level != "sound")
    assert ("judged by adjectives" in header) == (level != "void")


def test_a_stage_that_could_not_be_done_says_why(small, tmp_path):
    shutil.copytree(small, tmp_path / "run")
    (tmp_path / "run" / "findings" / "latent.json").write_text('{"unread": "some endpoint gives no probabilities."}')
    assert "some endpoint gives no probabilities." in section(render(tmp_path / "run").read_text(), "else")


def test_personality_bench_stands_beside_the_ratings(small, tmp_path):
    shutil.copytree(small, tmp_path / "run")
    place = tmp_path / "run" / "results.json"
    results = json.loads(place.read_text())
    row = next(row for row in results["figures"] if row["method"] == "qlora" and row["metric"] == "judge_score")
    for metric, value in (("personality_bench_mean", 8.2), ("personality_bench_variance", 1.5)):
        new = {"metric": metric, "measured_pole": None, "value": value, "lower": value - 1, "upper": value + 1}
        results["figures"].append({**row, **new})
    place.write_text(json.dumps(results))
    page = render(tmp_path / "run").read_text(encoding="utf-8")
    assert "<td>8.20 (7.20 to 9.20); variance 1.50 (0.50 to 2.50)</td>" in section(page, "judge")
    assert "Other figures" not in page


def test_a_judge_that_nobody_tried_is_in_doubt(small, tmp_path):
    shutil.copytree(small, tmp_path / "run")
    (tmp_path / "run" / "findings" / "judge.json").unlink()
    page = render(tmp_path / "run").read_text(encoding="utf-8")
    assert "nobody has tried it" in page.split("<nav")[0]
    assert "not calibrated" in section(page, "judge")


def test_tests_are_corrected_sorted_and_do_not_count_where_replies_are_no_answers(page, folder):
    part = section(page, "statistics")
    family = json.loads((folder / "findings" / "family.json").read_text())["rows"]
    assert f"{len(family)} changes (" in part
    standing = sum(row["p_adjusted"] < 0.05 and row["method"] != "mend" for row in family)
    assert f"{standing} of {len(family)} stand, without those whose replies are no answers." in part
    rows = re.findall(r'<tr> ?<th scope="row">.*?</tr>', part)
    assert len(rows) == len(family)
    assert all("<td>McNemar</td>" in row and ">n&nbsp;=&nbsp;" in row for row in rows)
    broken = [row for row in rows if ">MEND</a>" in row]
    assert broken
    assert all("does not count" in row for row in broken)
    assert "Of trait alignment, with n = 40 on 8 topics you can see differences" in page.split("<nav")[0]


def test_the_first_screen_says_how_many_moves_stand_after_the_correction(folder, tmp_path, page):
    assert "2 of 2 towards the target; 2 after correction" in page

    def lose(found):
        for row in found["rows"]:
            if row["trait"] == "extraversion":
                row["p_adjusted"] = 0.2

    assert "2 of 2 towards the target; 1 after correction" in changed(folder, tmp_path, "family", lose)


@pytest.mark.parametrize(
    ("p", "words"), [(None, "withheld"), (0.0001, "below 0.001"), (0.0234, "0.023"), (0.4, "0.40"), (1.0, "1.00")]
)
def test_a_p_is_never_0(p, words):
    assert probability(p) == words


@pytest.mark.parametrize(
    ("name", "anchor"), [("dose", None), ("crosstalk", None), ("family", "statistics"), ("inventory", None)]
)
def test_a_finding_that_is_not_there_leaves_a_page(name, anchor, small, tmp_path):
    shutil.copytree(small, tmp_path / "run")
    (tmp_path / "run" / "findings" / f"{name}.json").unlink()
    page = render(tmp_path / "run").read_text(encoding="utf-8")
    assert anchor is None or f'id="{anchor}"' not in page
    assert "None" not in re.sub(r"<(style|pre).*?</\1>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("name", ["dose", "crosstalk", "family", "inventory", "judge"])
@pytest.mark.parametrize("content", ["{}", '{"rows": 3, "doses": [1, {}], "reliability": "x", "traits": null}'])
def test_a_finding_of_another_form_leaves_a_page(name, content, small, tmp_path):
    shutil.copytree(small, tmp_path / "run")
    (tmp_path / "run" / "findings" / f"{name}.json").write_text(content)
    assert "The personality of" in render(tmp_path / "run").read_text(encoding="utf-8")


def test_budgets_tasks_and_other_findings_are_shown(small, tmp_path):
    shutil.copytree(small, tmp_path / "run")
    estimate = {"value": 1.1, "lower": 1.0, "upper": 1.2, "n": 16}
    cost = {"limit": "perplexity", "most": 1.25, "estimate": estimate, "measured_trait": None}
    budget = {"strength": 0.75, "binding": "kl", "confirmation": {"costs": [cost]}, "is_confirmed": True, "note": ""}
    (tmp_path / "run" / "findings" / "budget-warm.json").write_text(json.dumps({"budget": budget}))
    task = {"task": "arc", "metric": "acc", "untouched": vars(at(0.5)), "edited": vars(at(0.4)), "broken": [0, 3]}
    label = {"method": "qlora", "condition": "", "trait": "openness", "pole": "high", "strength": 1.0}
    ability = {"label": label, "figures": [{**task, "change": vars(at(-0.1))}]}
    (tmp_path / "run" / "findings" / "ability.json").write_text(json.dumps(ability))
    (tmp_path / "run" / "findings" / "refusal.json").write_text('{"patterns": 43}')
    page = render(tmp_path / "run").read_text(encoding="utf-8")
    part = section(page, "else")
    assert "warm: strength 0.75, stopped by neutral text moved" in part
    assert "1.10 (1.00 to 1.20)</td><td>1.25</td>" in part
    assert "Ability: qlora openness high at strength 1" in part
    assert "\u22120.10 (\u22120.20 to 0.00)</td><td>0 and 3</td>" in part
    assert "Also found: refusal" in section(page, "trust")
