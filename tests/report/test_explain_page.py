"""What lenses found has a chapter: the answer first, every figure beside its control, and text that stays text."""

import json
import random
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from synthetic_explanation import (
    HOSTILE,
    PARTY,
    WITHHELD,
    Reason,
    arms,
    cause,
    explanation,
    near,
    nothing_found,
    plain,
    units_alone,
    write_arms,
    write_explanation,
)
from synthetic_run import HIGH, World, write_run

from temperament.errors import BadFileError
from temperament.explain.finding import Alone, CauseFinding, Explanation, Unit
from temperament.report import render
from temperament.report.evidence import Evidence
from temperament.report.explain import explained
from temperament.report.explain_answer import CAUSE, CHANGED, NOTHING, SAYS, UNKNOWN, WRITES, answers, verdict
from temperament.run import Run

CELL = "qlora-extraversion-high-x1-s0"
WORLD = World(targets=HIGH[2:3], hit=(0.9,), emoji=(0.4,), base_hit=0.05)


class Tags(HTMLParser):
    """Collects tags, and what stands in the attributes that could load something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A run without explanations."""
    return write_run(tmp_path_factory.mktemp("runs") / "bare", WORLD)


@pytest.fixture(scope="module")
def folder(bare, tmp_path_factory):
    """A run with everything explained."""
    place = shutil.copytree(bare, tmp_path_factory.mktemp("runs") / "inside")
    write_explanation(place, explanation(CELL))
    write_arms(place, arms())
    return place


@pytest.fixture(scope="module")
def page(folder):
    return render(folder).read_text(encoding="utf-8")


def chapter(page):
    """The chapter, on one line."""
    return re.sub(r"\s+", " ", page.split('<h2 id="inside">')[1].split("<h2 ")[0])


def part(page, title):
    """What stands under a heading of the chapter."""
    return chapter(page).split(f"<h4>{title}</h4>")[1].split("<h4>")[0]


@pytest.fixture
def shown(bare, tmp_path):
    """Gives the chapter of a run with the explanation given."""

    def show(found: Explanation) -> str:
        place = shutil.copytree(bare, tmp_path / "run", dirs_exist_ok=True)
        write_explanation(place, found)
        return render(place).read_text(encoding="utf-8")

    return show


def said(found, question):
    """Head and words of an answer, without a page."""
    (one,) = (one for one in answers(plain(found)) if one.question == question)
    return one.head, one.words


def answer(page, question):
    """Head and words of an answer."""
    found = re.search(rf"<dt>{re.escape(question)}</dt><dd><b>(.*?)</b> (.*?)</dd>", chapter(page))
    assert found, question
    return found.groups()


def test_a_run_without_explanations_has_no_such_chapter(bare):
    page = render(bare).read_text(encoding="utf-8")
    assert 'id="inside"' not in page
    assert 'href="#inside"' not in page


def test_the_verdict_and_four_answers_come_before_any_picture(page):
    head = chapter(page).split("<h4>")[0]
    assert "The 100 most changed gate units carry 44 %" in head
    assert re.findall("<dt>(.*?)</dt>", head) == [CHANGED, WRITES, CAUSE, SAYS]
    assert "<svg" not in head


def test_the_first_answer_counts_by_place_and_kind_and_says_what_chance_gives(page, folder):
    sites = json.loads((folder / "findings" / "explain" / f"{CELL}.json").read_text())["units"]["sites"]
    confirmed, units = (sum(site[name] for site in sites) for name in ("confirmed", "units"))
    head, words = answer(page, CHANGED)
    assert head == f"{confirmed:,} of {units:,} units."
    for place, name in (("gate", "gate units"), ("mlp", "outputs of the MLP")):
        assert f"{sum(site['confirmed'] for site in sites if site['place'] == place):,} {name}" in words
    assert f"{sum(site['kinds'].get('suppressed', 0) for site in sites):,} suppressed" in words
    assert "Where nothing changed, the same procedure confirms 0.04 %." in words


def test_the_second_answer_stands_beside_random_units(page):
    head, words = answer(page, WRITES)
    assert head == "Yes, more than random units."
    assert "+0.62 (+0.47 to +0.77)" in words
    assert re.search(r"random units of the same sites [+\u2212]0\.0\d \(\u22120\.1\d to \+0\.\d\d, 199 draws\)", words)
    assert words.endswith("p 0.005.")


def test_the_third_answer_is_of_the_count_that_the_verdict_names(page):
    head, words = answer(page, CAUSE)
    assert head == "Yes."
    assert "Without the first 100, latent emoji mass changes by \u22125.3e-03 (\u22126.5e-03 to \u22124.1e-03)" in words
    assert "44 % of what removing the whole edit does" in words
    assert "199 random sets by \u2212" in words
    assert "p 0.005, the least that so many sets can give." in words


def test_the_fourth_answer_has_all_witnesses(page):
    head, words = answer(page, SAYS)
    assert head == "Yes."
    assert "by 0.67 (0.61 to 0.73), where chance is 0.50" in words
    assert "The shaped model names 2 emojis (1 fit) among the 5 tokens that it names most" in words
    assert "are emojis: the shaped model 0.35 (0.25 to 0.45); the untouched model 0.02 (0.00 to 0.04)" in words
    assert "the shaped model offered decoys 0.10" in words
    assert "those of this pole: 0.31 (0.21 to 0.41); drawn at random 0.12 (0.02 to 0.22)" in words


def changed_cause(**steps):
    """The explanation with the step changed that the verdict rests on."""
    found = explanation(CELL)
    first = found.cause.curves[0]
    curve = replace(first, steps=(*first.steps[:2], replace(first.steps[2], **steps), *first.steps[3:]))
    p = curve.steps[2].p
    return replace(found, cause=replace(found.cause, curves=(curve, *found.cause.curves[1:]), verdict_p=p))


def test_removal_that_does_no_more_than_random_sets_is_no():
    assert said(changed_cause(p=0.3), CAUSE)[0] == "Not shown: removing random ones may do as much."


def two_orders(change, effect):
    """The same with units in two orders, with a p-value for each."""
    found = changed_cause(p=change)
    first = found.cause.curves[0]
    steps = (*first.steps[:2], replace(first.steps[2], p=effect), *first.steps[3:])
    second = replace(first, order="effect", steps=steps)
    return replace(found, cause=replace(found.cause, curves=(*found.cause.curves, second)))


def test_units_in_a_second_order_answer_beside_the_first():
    head, words = said(two_orders(0.4, 0.005), CAUSE)
    assert head == "Yes, those with the largest expected effects."
    assert words.startswith(
        "Those that changed most: not shown: removing random ones may do as much. Without the first 100, "
    )
    assert " Those with the largest expected effects: yes. Without the first 100, " in words
    assert words.endswith("Of 2 orders each counts where p is below 0.025.")
    assert said(two_orders(0.005, 0.005), CAUSE)[0] == "Yes."
    assert said(two_orders(0.03, 0.03), CAUSE)[0] == "Not shown: removing random ones may do as much."
    # An order whose figures were all withheld was a chance to find something, too.
    withheld = two_orders(0.03, None)
    curves = [
        replace(curve, steps=tuple(replace(step, effect=WITHHELD) for step in curve.steps))
        if curve.order == "effect"
        else curve
        for curve in withheld.cause.curves
    ]
    head, words = said(replace(withheld, cause=replace(withheld.cause, curves=tuple(curves))), CAUSE)
    assert head == "Not shown: removing random ones may do as much."
    assert "Those with the largest expected effects: not known. Without these units some texts have no figure." in words


def test_units_with_large_expected_effects_have_a_table_of_their_own(shown):
    found = explanation(CELL)
    first, second = Unit(29, "gate", 7), Unit(28, "gate", 9)
    alone = (
        Alone(first, near(-0.004, 0.001), "effect", -0.007),
        Alone(second, near(0.0, 0.001), "effect", -0.006),
        *found.cause.alone,
    )
    writing = replace(found.projection.writings[0], unit=first, fires=())
    projection = replace(found.projection, writings=(*found.projection.writings, writing))
    html = shown(replace(found, cause=replace(found.cause, alone=alone), projection=projection))
    table = html.partition('aria-label="Units with the largest expected effects"')[2].partition("</table>")[0]
    rows = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', table)
    assert rows == [("gate 29.7", "\u22127.0e-03"), ("gate 28.9", "\u22126.0e-03")]
    assert HOSTILE not in html
    most = html.partition('aria-label="Units that changed most"')[2].partition("</table>")[0]
    assert "gate 29.7<" not in most
    assert "Units with the largest expected effects" not in shown(found)


def test_other_changed_units_stand_beside_the_random_sets(shown):
    found = changed_cause(changed=(-0.003, -0.001, -0.002))
    words = (
        "p 0.005, the least that so many sets can give; other changed units: median \u22122.0e-03 (all 3 sets between"
    )
    assert words in said(found, CAUSE)[1]
    assert "p 0.005; other changed units: median \u22122.0e-03 (all 3 sets between" in chapter(shown(found))
    assert "other changed units" not in said(explanation(CELL), CAUSE)[1]


def test_what_could_not_be_measured_is_not_said_to_be_nothing():
    words = "Whether units are the cause of emojis cannot be measured here: it cannot be seen."
    found = replace(explanation(CELL), cause=CauseFinding((), (), (), words, None, (Reason("curves", words),)))
    assert said(found, CAUSE) == ("Not known.", "The verdict says why.")


@pytest.mark.parametrize("p", [0.005, 1.0, None])
def test_removal_that_brings_more_emojis_is_the_reverse(p):
    head, words = said(changed_cause(effect=near(0.008, 0.001), p=p), CAUSE)
    assert head == "No: it does the reverse."
    assert "of what removing the whole edit does" not in words


def test_an_edit_that_takes_emojis_away_is_not_said_to_bring_them():
    found = two_orders(0.4, 0.005)
    curves = [
        replace(
            curve,
            whole=near(0.0121, 0.002),
            steps=tuple(replace(one, effect=near(0.005, 0.001)) for one in curve.steps),
        )
        for curve in found.cause.curves
    ]
    head, _ = said(replace(found, cause=replace(found.cause, curves=tuple(curves))), CAUSE)
    assert head == (
        "The edit takes emojis away, and setting those with the largest expected effects back brings them back."
    )


def test_removal_that_may_do_nothing_is_no_plain_yes():
    head, _ = said(changed_cause(effect=near(-0.001, 0.002)), CAUSE)
    assert head.startswith("More than random ones, but")


def test_an_edit_that_brought_no_emojis_has_nothing_to_remove():
    found = explanation(CELL)
    curves = tuple(replace(curve, whole=near(-1e-6, 1e-4)) for curve in found.cause.curves)
    head, words = said(replace(found, cause=replace(found.cause, curves=curves)), CAUSE)
    assert head == "There is nothing to remove."
    assert "which includes 0" in words


def test_a_p_that_is_withheld_decides_nothing():
    assert said(changed_cause(p=None), CAUSE)[0] == "Not known."


@pytest.mark.parametrize(
    ("agreement", "head"),
    [(near(0.6), "No more than chance."), (near(0.3), "No: less than chance."), (WITHHELD, "Not known.")],
)
def test_agreement_is_beside_a_half(agreement, head):
    found = explanation(CELL)
    assert said(replace(found, testimony=replace(found.testimony, agreement=agreement)), SAYS)[0] == head


def test_agreement_that_is_withheld_says_why():
    found = explanation(CELL).testimony
    found = replace(found, agreement=WITHHELD, missing=(Reason("removal", "no trait score was given."),))
    _, words = said(replace(explanation(CELL), testimony=found), SAYS)
    assert words.startswith("Whether removal bears it out is withheld: no trait score was given. The shaped model")


def leaning(agreement):
    """The explanation with witnesses by likelihood, and a shaped model that cannot be understood."""
    found = explanation(CELL)
    first, second, *_ = found.testimony.witnesses
    read = (replace(first, agreement=agreement, quotes=()), replace(second, agreement=near(0.5), quotes=()))
    return replace(found, testimony=replace(found.testimony, agreement=WITHHELD, leanings=read))


@pytest.mark.parametrize(
    ("agreement", "head"),
    [
        (near(0.7), "By likelihood: yes."),
        (near(0.55), "By likelihood: no more than chance."),
        (near(0.3), "By likelihood: no: less than chance."),
        (WITHHELD, "Not known."),
    ],
)
def test_a_model_that_cannot_say_it_is_asked_by_likelihood(agreement, head):
    found, words = said(leaning(agreement), SAYS)
    assert found == head
    assert ("leans to name" in words) == (agreement.value is not None)


def test_what_models_lean_to_name_has_a_table(shown):
    html = shown(leaning(near(0.7)))
    table = html.partition('aria-label="What models lean to name"')[2].partition("</table>")[0]
    assert re.findall(r'<th scope="row">(.*?)</th>', table) == ["the shaped model", "the untouched model"]
    assert "0.70 (0.60 to 0.80)" in table
    assert HOSTILE not in html
    assert "What models lean to name" not in shown(explanation(CELL))


def test_units_that_write_no_more_than_random_ones_are_no_answer():
    found = explanation(CELL)
    assert (
        said(replace(found, projection=replace(found.projection, p=0.4)), WRITES)[0] == "No more than random units do."
    )


def test_nothing_found_reads_as_a_clear_negative_answer(shown):
    page = shown(nothing_found(CELL))
    assert f'<p class="lead">{NOTHING}</p>' in page
    assert answer(page, CHANGED)[0] == "None."
    assert "Of 97,920 units not one changed on both halves" in answer(page, CHANGED)[1]
    assert answer(page, WRITES)[0] == "No: there is none that could."
    assert answer(page, CAUSE)[0] == "There is nothing to remove."
    assert answer(page, SAYS) == (UNKNOWN, "Testimony was not asked for.")
    assert "<h4>" not in chapter(page)
    assert "None<" not in chapter(page).replace("<b>None.<", "")


def test_an_edit_that_moves_no_emojis_has_a_verdict_and_nothing_to_remove():
    words = "The edit does not raise the latent emoji mass, so there is nothing to trace."
    nothing = CauseFinding((), (), (), words, None, (Reason("curves", words),))
    found = replace(explanation(CELL), cause=nothing)
    assert verdict(plain(found)) == words
    assert said(found, CAUSE) == ("There is nothing to remove.", "The verdict says why.")


def test_confirmed_units_no_more_than_the_null_are_no_change():
    found = explanation(CELL)
    assert (
        said(replace(found, units=replace(found.units, null=0.05)), CHANGED)[0] == "No more than where nothing changed."
    )


@pytest.mark.parametrize(
    ("lens", "title", "question"),
    [
        ("units", "Where units changed", CHANGED),
        ("projection", None, WRITES),
        ("cause", "Taken out, and put in", CAUSE),
        ("testimony", "What the model says of its own answers", SAYS),
        ("attributions", "Where an emoji comes from", None),
        ("overlaps", "Whether sets of units coincide", None),
        ("glows", "How probable an emoji is, token by token", None),
    ],
)
def test_a_lens_that_was_not_used_leaves_its_reason_and_no_picture(lens, title, question, shown, page):
    nothing = () if lens in {"attributions", "overlaps", "glows"} else None
    reason = Reason(lens, "this <lens> could not look.")
    found = shown(replace(explanation(CELL), **{lens: nothing}, missing=(reason,)))
    if title:
        assert f"<h4>{title}</h4>" in chapter(page)
        assert f"<h4>{title}</h4>" not in chapter(found)
    if question:
        assert answer(found, question) == (UNKNOWN, "This &lt;lens&gt; could not look.")
    else:
        assert f"<li><b>{lens}</b>: this &lt;lens&gt; could not look.</li>" in chapter(found)


def test_nothing_at_all_is_still_a_page(shown):
    page = shown(Explanation("builtin:smollm2", CELL, {}))
    assert "What changed inside was not measured." in chapter(page)
    assert [answer(page, question)[0] for question in (CHANGED, WRITES, CAUSE, SAYS)] == [UNKNOWN] * 4


def test_model_text_stays_text(page, folder):
    tags = Tags()
    tags.feed(page)
    assert not tags.tags & {"script", "img", "iframe", "object", "link", "base", "form"}
    assert not any(name.startswith("on") for name in tags.attributes)
    assert all(link.startswith("#") for link in tags.links)
    assert chapter(page).count("&lt;script&gt;alert(3)&lt;/script&gt;") > 10
    assert HOSTILE in tags.text


def test_characters_that_turn_or_hide_are_in_sight(page):
    found = chapter(page)
    assert not set(found) & set("\u202e\u202c\u2066\u2069\u200e\u200f")
    assert "\u27e8U+202E\u27e9reversed\u27e8U+202C\u27e9" in found
    assert '<code class="token">\u27e8U+200D\u27e9</code>' in found
    assert '<code class="token">\u2423party</code>' in found
    assert '<code class="token">\u21b5\u21b5</code>' in found


def test_equal_folders_give_equal_pages_and_small_ones(folder, page, tmp_path):
    again = shutil.copytree(folder, tmp_path / "again")
    assert render(again).read_text(encoding="utf-8") == page
    assert len(page.encode()) < 1_000_000


def test_many_edits_share_the_page(bare, tmp_path):
    place = shutil.copytree(bare, tmp_path / "run")
    for number in range(3):
        write_explanation(place, explanation(f"edit-{number:02}", number))
    page = render(place).read_text(encoding="utf-8")
    table = chapter(page).split('aria-label="What changed inside, in short"')[1].split("</table>")[0]
    links = re.findall(r'<a href="#(inside-\d+)">edit-\d\d</a>', table)
    assert links == [f"inside-{number}" for number in range(1, 4)]
    assert all(f'<h3 id="{link}">' in page for link in links)


def test_an_edit_bears_the_name_of_its_cell(page, bare, tmp_path):
    assert '<h3 id="inside-1">QLoRA: extraversion, high, seed 0</h3>' in page
    place = shutil.copytree(bare, tmp_path / "run")
    write_explanation(place, explanation("by-hand"))
    assert '<h3 id="inside-1">by-hand</h3>' in render(place).read_text(encoding="utf-8")


def test_an_edit_whose_replies_are_no_answers_does_not_count(tmp_path):
    world = replace(WORLD, breaks={"qlora": "word"})
    place = write_run(tmp_path / "run", world)
    write_explanation(place, explanation(CELL))
    assert explained(Evidence(Run.load(place)))[0].level == "void"
    assert "<b>Does not count</b> The replies of this edit are no answers" in chapter(render(place).read_text())


@pytest.mark.parametrize(
    "content", ["{}", '{"units": 3, "cause": {"curves": [{"steps": [{"count": 0}]}]}, "glows": [{}], "overlaps": [{}]}']
)
def test_a_finding_of_another_form_leaves_a_page(content, bare, tmp_path):
    place = shutil.copytree(bare, tmp_path / "run")
    (place / "findings" / "explain").mkdir()
    (place / "findings" / "explain" / f"{CELL}.json").write_text(content)
    assert "What changed inside was not measured." in chapter(render(place).read_text(encoding="utf-8"))


def test_a_finding_that_is_damaged_is_refused(bare, tmp_path):
    place = shutil.copytree(bare, tmp_path / "run")
    (place / "findings" / "explain").mkdir()
    (place / "findings" / "explain" / f"{CELL}.json").write_text('{"units": ')
    with pytest.raises(BadFileError, match=CELL):
        render(place)


def test_arms_stand_beside_every_other_division_of_the_seeds(page):
    found = chapter(page).split("Whether two ways to shape change other units")[1]
    assert "<b>qlora and qlora on shuffled labels</b>, gate units, 3 and 3 seeds" in found
    assert "no difference beyond their seeds" in found
    assert "p 0.10; so few runs can give no p below 0.10" in found
    assert found.count('class="draw"') == 9
    assert "412, by chance 8.4." in found


def test_arms_alone_have_a_chapter(bare, tmp_path):
    place = shutil.copytree(bare, tmp_path / "run")
    write_arms(place, [replace(arms()[0], p=0.01)])
    found = render(place).read_text(encoding="utf-8")
    assert "they differ beyond their seeds" in chapter(found)
    assert 'href="#inside"' in found
    assert "Also found: arms" not in found


def test_every_picture_has_words_for_those_who_cannot_see_it(page):
    for svg in re.findall(r"<svg[^>]*>", chapter(page)):
        assert "aria-label" in svg or "aria-hidden" in svg or "viewBox" in svg or 'overflow="visible"' in svg
    for label in re.findall(r'role="img" aria-label="([^"]*)"', chapter(page)):
        assert len(label) > 20


def test_random_sets_that_are_few_are_drawn_one_by_one(page):
    found = part(page, "Taken out, and put in")
    written = found.split("The same on replies that are written")[1]
    assert written.count('class="random"') == 20
    assert '<polygon class="band"' not in written
    given = found.split("The same on replies")[0].split("</p>", 1)[1]
    assert given.count('<polygon class="band"') == 4
    assert given.count('class="random"') == 3 * 4 * 19 + 5 * 19


def test_the_tokens_that_a_model_named_are_marked_where_they_are_emojis(page):
    found = part(page, "What the model says of its own answers")
    assert f'<span class="emoji"><code class="token">{PARTY}</code>&nbsp;11 <small>emoji, fits</small></span>' in found
    assert "<small>emoji, does not fit</small>" in found
    assert found.count('<th scope="row">') == 5
    assert "offered decoys named 0.60 (0.50 to 0.70) of the offered tokens of the answer and 0.55" in found
    assert "Word for word: the shaped model, 2 testimonies" in found
    assert "&middot; not understood</figcaption>" in found


def test_overlaps_have_chance_beside_them(page):
    found = part(page, "Whether sets of units coincide")
    assert "1 of 2 pairs of sets share more units than chance would give" in found
    assert "<td><b>64</b></td><td>19.5</td><td>below 0.001</td>" in found
    assert "<td>21</td><td>19.5</td><td>0.40</td>" in found


def test_an_attribution_says_what_its_parts_leave_over(page):
    found = part(page, "Where an emoji comes from")
    assert "which leaves an error of +0.010" in found or "which leaves an error of +1.0e-02" in found
    assert f"<mark>{PARTY}</mark>" in found
    assert "Parts of the model, the 12 heaviest of 61" in found


def test_generated_curves_are_not_taken_for_the_main_ones():
    found = replace(cause(random.Random(1)), curves=(), verdict="")
    assert said(replace(explanation(CELL), cause=found), CAUSE)[0] == UNKNOWN


def test_further_seeds_have_a_row_and_no_chapter_of_their_own(bare, tmp_path):
    place = shutil.copytree(bare, tmp_path / "run")
    write_explanation(place, explanation(CELL))
    write_explanation(place, units_alone("further"))
    found = chapter(render(place).read_text(encoding="utf-8"))
    assert re.findall(r'<h3 id="(inside-\d)">', found) == ["inside-2"]
    assert '<tr id="inside-1"><th scope="row">further</th>' in found.split("<h3>Further seeds</h3>")[1]


def test_units_alone_are_a_chapter_where_there_is_nothing_else(shown):
    found = chapter(shown(units_alone(CELL)))
    assert '<h3 id="inside-1">' in found
    assert "whether they are the cause of anything was not tried" in found
    assert "Further seeds" not in found
