"""Pictures of what changed inside are the right way round, and their words say what is seen."""

import random
import re
from dataclasses import replace

import pytest
from synthetic_explanation import WITHHELD, cause, curve, explanation, glow, near, plain, units

from temperament.explain.finding import CauseFinding, Dot, SiteCount, Unit
from temperament.report.explain_curve import Step, main_steps, pictures
from temperament.report.explain_glow import FLOOR, depth, glows
from temperament.report.explain_map import panels
from temperament.report.explain_scatter import scatter
from temperament.report.explain_strip import Axis, bars, intervals, knockouts
from temperament.report.explain_text import in_line, percent, percentile, token, visible
from temperament.report.explain_unit import top_units


def causal(*curves):
    return plain(CauseFinding(curves, (), (), "", None))


def rows_of_units(*effects, layers=4):
    """A finding with a gate unit for each layer and effect."""
    sites = [SiteCount(layer, "gate", 10, 5, 2 if layer == 3 else 0, {}) for layer in range(layers)]
    dots = [Dot(Unit(layer, "gate", number), effect) for layer, number, effect in effects]
    return plain({"sites": sites, "dots": dots, "changes": [], "outliers": []})


def test_a_unit_stands_in_its_layer_and_at_its_number_on_the_side_of_its_effect():
    (panel,) = panels(rows_of_units((3, 9, 0.5), (3, 0, -0.5)), 10)
    assert panel.higher == "M950 875h0"
    assert panel.lower == "M50 875h0"
    assert panel.ticks[0] == ("0", 12.5)
    assert "in layer 3." in panel.words


def test_a_place_where_nothing_changed_has_no_map():
    found = rows_of_units()
    for site in found["sites"]:
        site["confirmed"] = 0
    assert panels(found, 10) == []


def test_dots_that_do_not_fit_are_those_with_the_smallest_effects():
    (panel,) = panels(rows_of_units((3, 9, 0.5), (3, 0, -0.1)), 1)
    assert panel.higher
    assert not panel.lower
    assert "1 of them are drawn" in panel.words


def test_units_of_the_table_are_in_the_map_once():
    found = plain(units(random.Random(0)))
    drawn = sum(len(re.findall("M", panel.higher + panel.lower)) for panel in panels(found, 10_000))
    spots = {str(row["unit"]) for row in (*found["changes"], *found["dots"])}
    assert drawn == len(spots)


def test_a_mean_that_rose_lies_above_the_line_and_one_that_fell_below():
    rows = [
        {"unit": {"layer": 0, "place": "gate", "number": number}, "kind": kind, "mean": list(mean)}
        for number, (kind, mean) in enumerate((("amplified", (1.0, 3.0)), ("suppressed", (3.0, 1.0))))
    ]
    found = scatter({"changes": rows}, 10)
    rose, fell = found.marks
    # From the left and from above: on the line of no change both add up to 100.
    assert rose.x + rose.y < 100 < fell.x + fell.y
    assert rose.x < fell.x
    assert found.kinds == [("amplified", 1), ("suppressed", 1)]
    assert "1 lie above the line" in found.words


def test_a_large_mean_hides_no_small_one():
    rows = [
        {"unit": {"layer": 0, "place": "gate", "number": number}, "kind": "amplified", "mean": [value, value]}
        for number, value in enumerate((0.0, 0.1, 0.2, 500.0))
    ]
    places = [mark.x for mark in scatter({"changes": rows}, 10).marks]
    assert places == sorted(places)
    assert places[1] - places[0] > 3


def test_a_fall_goes_down_and_a_rise_goes_up():
    draw = random.Random(0)
    falling, rising = pictures(causal(curve("ablation", draw), curve("transplant", draw)))
    assert [point.x for point in falling.points] == sorted(point.x for point in falling.points)
    assert falling.zero < falling.points[0].y < falling.points[-1].y < falling.whole
    assert rising.zero > rising.points[0].y > rising.points[-1].y > rising.whole
    assert falling.points[0].x == 0
    assert falling.points[-1].x == 100
    assert all(point.top < point.y < point.bottom for point in falling.points)


def test_the_band_holds_nineteen_of_twenty_random_sets():
    draw = random.Random(0)
    found = curve("ablation", draw)
    (picture,) = pictures(causal(found))
    corners = [tuple(map(float, corner.split(","))) for corner in picture.band.split()]
    assert len(corners) == 2 * len(found.steps)
    low, high = corners[0][1], corners[-1][1]
    assert low > high
    by_count = dict(zip((10, 30, 100, 300, 1000), picture.lines, strict=True))
    assert by_count[100].random.count("95\u00a0% between") == 1
    assert by_count[30].random.count("(all between") == 1
    assert picture.words.startswith("100 units change latent emoji mass")
    assert by_count[100].random in picture.words


def test_pictures_in_sight_are_the_first_of_emojis_of_each_kind():
    found = pictures(plain(cause(random.Random(0))))
    assert [picture.is_main for picture in found] == [True, False, True, False]


def test_a_share_is_withheld_where_the_whole_cannot_be_told_from_0():
    draw = random.Random(0)
    found = causal(curve("ablation", draw))
    assert pictures(found)[0].lines[2].share == "44\u00a0%"
    found["curves"][0]["whole"] = plain(near(-0.001, 0.002))
    assert pictures(found)[0].lines[-1].share == "withheld"


def test_the_main_step_is_of_the_leading_place_and_has_most_random_sets():
    draw = random.Random(0)
    curves = (curve("ablation", draw, outcome="fluency"), curve("ablation", draw), curve("ablation", draw, place="all"))
    found = causal(*curves)
    ((one, step),) = main_steps(found)
    assert (one.place, one.outcome, step.count) == ("gate", "latent_emoji_mass", 100)
    found["main"] = 30
    assert main_steps(found)[0][1].count == 30
    found["curves"][1]["steps"][1]["effect"] = plain(WITHHELD)
    assert main_steps(found)[0][1] is None


def test_each_order_of_units_has_a_main_step_and_a_picture_in_sight():
    draw = random.Random(0)
    second = replace(curve("ablation", draw), order="effect")
    found = causal(curve("ablation", draw), second, curve("transplant", draw))
    assert [(one.order, step.count) for one, step in main_steps(found)] == [("change", 100), ("effect", 100)]
    shown = pictures(found)
    assert [picture.is_main for picture in shown] == [True] * 3
    assert shown[0].title.endswith("untouched model (gate units)")
    assert shown[1].title.endswith("untouched model (gate units; those with the largest expected effects first)")


def test_a_few_random_sets_are_given_from_the_lowest_to_the_highest():
    assert Step(10, near(1.0), [3.0, 1.0, 2.0], None).middle == "+2.000 (all between +1.000 and +3.000)"
    assert Step(10, near(1.0), [], None).middle == "none"


def test_of_many_random_sets_the_outer_twentieth_is_left_out():
    assert Step(10, near(1.0), [float(number) for number in range(201)], None).ends == (5.0, 195.0)


def test_a_single_count_stands_in_the_middle():
    found = curve("ablation", random.Random(0))
    row = causal(found)
    row["curves"][0]["steps"] = row["curves"][0]["steps"][:1]
    (picture,) = pictures(row)
    assert picture.points[0].x == 50
    assert picture.band == ""
    assert len(picture.singles) == 19


@pytest.mark.parametrize(("value", "wanted"), [(None, 0.0), (0.0, 0.0), (FLOOR, 0.0), (1e-3, 0.5), (1.0, 1.0)])
def test_tints_are_even_for_each_power_of_ten(value, wanted):
    assert depth(value) == wanted


def test_a_glow_says_where_it_is_highest_and_leaves_the_inside_of_an_emoji_out():
    (found,) = glows({"glows": [plain(glow(random.Random(0)))]}, 3)
    assert [row.name for row in found.rows] == ["untouched", "edited", "edited, without the top units"]
    before, after, without = found.rows
    assert all(one.depth > other.depth for one, other in zip(after.tints, before.tints, strict=True) if one.depth)
    assert all(one.depth <= other.depth for one, other in zip(without.tints, after.tints, strict=True))
    assert after.tints[4].words == "inside an emoji, or not measured"
    assert "highest" in after.words


def test_a_position_behind_the_last_token_is_the_end():
    row = {"topic": "", "pieces": ["a", "b"], "before": [1e-5, 1e-4, 0.5], "after": [], "without": []}
    (found,) = glows({"glows": [row]}, 1)
    assert len(found.rows) == 1
    assert [tint.text for tint in found.rows[0].tints] == ["a", "b", "(end)"]
    assert found.rows[0].words.endswith("at the end")


def test_bars_go_to_the_side_of_their_sign_heaviest_first():
    rows = [{"name": "small", "value": 0.5}, {"name": "less", "value": -1.0}, {"name": "most", "value": 3.0}]
    found = bars("Parts", rows, 2)
    most, less = found.rows
    assert (most.name, less.name, found.total) == ("most", "less", 3)
    assert found.zero == 25.0
    assert (most.left, most.width, most.is_less) == (25.0, 75.0, False)
    assert (less.left, less.width, less.is_less) == (0.0, 25.0, True)


def test_intervals_share_an_axis_on_which_0_is_in_sight():
    found = intervals("", [("a", near(-0.5, 0.5)), ("b", None)])
    assert (found.rows[0].left, found.rows[0].at, found.rows[0].right, found.zero) == (0.0, 50.0, 100.0, 100.0)
    assert (found.rows[1].at, found.rows[1].words) == (None, "withheld")


def test_knockouts_are_by_kind_and_name_the_largest():
    by_layer, by_module = knockouts(plain(cause(random.Random(0))))
    assert len(by_layer.rows) == 30
    assert "Without layer 29 latent emoji mass changes most: by \u2212" in by_layer.words
    assert "Without down_proj" in by_module.words


def test_an_axis_without_values_has_room():
    assert Axis([]).at(0.0) == 50.0


def test_top_units_are_joined_with_what_they_write():
    found = plain(explanation("edit"))
    table = top_units(found, 5)
    assert len(table.rows) == 5
    assert table.total == 60
    first = found["units"]["changes"][0]
    assert table.rows[0].name == f"gate {first['unit']['layer']}.{first['unit']['number']}"
    assert table.rows[0].towards[0] == "\u2423party"
    assert table.rows[0].effect.startswith("+" if first["effect"] > 0 else "\u2212")
    (firing,) = table.rows[0].firings
    assert [piece.text for piece in firing.pieces if piece.is_most] == [" party"]
    assert firing.highest == "5.00"
    assert table.rows[0].alone.startswith("\u22122.0e-04")


def test_units_whose_writing_was_followed_stand_first():
    found = plain(explanation("edit"))
    last = found["projection"]["writings"][-1]
    found["projection"]["writings"] = [last]
    assert top_units(found, 2).rows[0].name.endswith(f".{last['unit']['number']}")
    assert top_units(found, 2).rows[1].towards == []


def test_units_without_a_projection_still_have_a_table():
    table = top_units({**plain(explanation("edit")), "projection": None}, 5)
    assert not table.has_writing
    assert table.rows[0].emoji == "\u2013"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain \u00e9", "plain \u00e9"),
        ("\u202eturned", "\u27e8U+202E\u27e9turned"),
        ("\x1b[2J", "\u27e8U+001B\u27e9[2J"),
        ("\u2066a\u2069", "\u27e8U+2066\u27e9a\u27e8U+2069\u27e9"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
        ("\U000e0061", "\u27e8U+E0061\u27e9"),
        ("\U0001f3f4\U000e0067\U000e007f", "\U0001f3f4\U000e0067\U000e007f"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_characters_that_steer_are_in_sight_and_emojis_stay_whole(text, wanted):
    assert visible(text) == wanted


@pytest.mark.parametrize(
    ("piece", "wanted"),
    [
        ("", "(nothing)"),
        (" a", "\u2423a"),
        ("\n", "\u21b5"),
        ("\u200d", "\u27e8U+200D\u27e9"),
        ("\ufe0f", "\u27e8U+FE0F\u27e9"),
        ("\t\u202e", "\u21e5\u27e8U+202E\u27e9"),
    ],
)
def test_a_token_shows_its_spaces(piece, wanted):
    assert token(piece) == wanted


def test_text_in_line_has_no_line_ends():
    assert in_line("a\nb\r\t") == "a\u21b5b\u240d\u21e5"


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0"), (0.0004, "0.04"), (0.0207, "2.1"), (0.05, "5"), (0.476, "48"), (0.999, "99.9"), (1.0, "100")],
)
def test_percent_has_as_many_places_as_it_needs(share, words):
    assert percent(share) == f"{words}\u00a0%"


def test_percentiles_lie_between_the_nearest():
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([0.0, 1.0], 0.25) == 0.25
    assert percentile([7.0], 0.975) == 7.0
