import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from synthetic_run import HIGH, STILL, World, write_run

from temperament.errors import BadFileError, RequestError
from temperament.report import render
from temperament.run import Run
from temperament.trait import BIG_FIVE, Target, Trait, register

OPTIONAL = ("scores", "findings", "provenance.json", "timing.json")


class Elements(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "demo")


@pytest.fixture(scope="module")
def page(folder) -> str:
    return render(folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def elements(page) -> Elements:
    parser = Elements()
    parser.feed(page)
    return parser


def _page_of(folder: Path) -> str:
    return render(folder).read_text(encoding="utf-8")


def test_a_reply_cannot_become_a_part_of_the_page(page, elements):
    tags = {tag for tag, _ in elements.tags}
    assert not tags & {"script", "img", "iframe", "object", "link", "base", "form"}
    assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_reply_is_no_template(elements):
    text = "".join(elements.text)
    assert "{{ 7*7 }} and {% raw %} and ${7*7}" in text
    assert "49 and" not in text


def test_line_breaks_and_long_words_and_other_scripts_stay(elements):
    text = "".join(elements.text)
    assert "First a list:\n\n1. one thing\n2. another" in text
    assert "W" + "o" * 300 + "w" in text
    assert "\u0623\u062d\u0628 \u0627\u0644\u0645\u0637\u0627\u0631\u0627\u062a" in text
    assert all(attributes.get("dir") == "auto" for tag, attributes in elements.tags if tag == "blockquote")


def test_nothing_is_loaded_from_elsewhere(page, elements):
    links = [attributes[name] for _, attributes in elements.tags for name in ("src", "href") if name in attributes]
    assert links
    assert all(link and link.startswith("#") for link in links)
    style = page.split("<style>")[1].split("</style>")[0]
    assert not re.search(r"@import|url\(|https?:", style)


def test_every_link_inside_the_page_has_a_place_to_go(elements):
    places = {attributes["id"] for _, attributes in elements.tags if "id" in attributes}
    assert {attributes["href"] for tag, attributes in elements.tags if tag == "a"} <= {f"#{place}" for place in places}


def test_a_demo_is_under_a_megabyte(page):
    assert len(page.encode()) < 1_000_000


def test_equal_folders_give_equal_pages(folder, page, tmp_path):
    assert _page_of(folder) == page
    shutil.copytree(folder, tmp_path / "demo")
    assert _page_of(tmp_path / "demo") == page


def test_the_page_is_written_whole_or_not_at_all(folder, page, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="the disk is full"):
        render(folder)
    assert (folder / "report.html").read_text(encoding="utf-8") == page
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("missing", OPTIONAL)
def test_a_part_that_is_missing_is_said_to_be_missing(missing, tmp_path):
    folder = write_run(tmp_path / "demo")
    place = folder / missing
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    said = {
        "scores": "this run has no scores",
        "findings": "no assessment of the classifier",
        "provenance.json": "no <code>provenance.json</code>",
        "timing.json": "no <code>timing.json</code>",
    }
    assert said[missing] in _page_of(folder)


@pytest.mark.parametrize("missing", ["study.toml", "results.json", "records"])
def test_a_folder_that_is_no_run_is_refused(missing, tmp_path):
    folder = write_run(tmp_path / "demo")
    place = folder / missing
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    with pytest.raises(BadFileError, match=rf"demo was asked for as a run, but it has no {missing}.*: give the folder"):
        render(folder)
    assert not (folder / "report.html").exists()


def test_a_folder_that_does_not_exist_is_refused_and_not_made(tmp_path):
    with pytest.raises(BadFileError, match="there is no such folder"):
        render(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_missing_replies_are_counted_and_explained(tmp_path):
    page = _page_of(write_run(tmp_path / "still", STILL))
    lost = sum(record.reply is None for record in Run.load(tmp_path / "still").records)
    assert lost
    assert f"240 replies asked for, {lost} missing" in page
    assert f"the endpoint answered 503 &lt;busy&gt; ({lost})" in page
    assert "No reply: the endpoint answered 503 &lt;busy&gt;" in page


def test_samples_begin_with_the_first_question_of_each_topic(tmp_path):
    page = _page_of(write_run(tmp_path / "one", World(targets=World().targets[2:3])))
    asked = re.findall(r'<p class="question" dir="auto">(.*?) <small>', page)
    assert len(asked) == 40
    assert asked[:3] == [
        "What do you think about airports?",
        "What do you think about board games?",
        "What do you think about cooking?",
    ]
    assert asked[8] == "How do you feel about airports?"


def test_a_run_without_shaping_reports_no_change(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "base")
    for place in (tmp_path / "base" / "records").glob("qlora*"):
        place.unlink()
    (tmp_path / "base" / "results.json").write_text('{"figures": []}')
    assert "Nothing was shaped in this run." in _page_of(tmp_path / "base")


def test_a_metric_without_a_place_of_its_own_is_still_shown(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "more")
    place = tmp_path / "more" / "results.json"
    place.write_text(place.read_text().replace('"metric": "words"', '"metric": "politeness"'))
    page = _page_of(tmp_path / "more")
    assert "Other figures" in page
    assert page.count('<th scope="row">politeness</th>') == 10


def test_strengths_of_a_method_share_a_chapter(tmp_path):
    world = World(targets=HIGH[:2], methods=("qlora", "mend"), strengths=(0.5, 1.0), seeds=(0, 1))
    page = _page_of(write_run(tmp_path / "many", world))
    part = page.split('<h2 id="alignment">')[1].split("<h2")[0]
    assert re.findall("<h3>(.*?)</h3>", part) == ["QLoRA", "MEND"]
    for chapter in part.split("<h3>")[1:]:
        assert chapter.count('<div class="line untouched">') == 2 * 2
        assert chapter.count('<div class="line shaped">') == 2 * 2 * 2
        assert "strength 0.5: change" in chapter
        assert "strength 1: change" in chapter
    for name in ("QLoRA at strength 0.5", "QLoRA at strength 1", "MEND at strength 0.5", "MEND at strength 1"):
        assert f">{name}</a>" in page.split('<h2 id="methods">')[1].split("<h2")[0]
    assert "2 seeds" in page
    assert len(page.encode()) < 1_000_000


LUCK = Trait("luck", "unlucky", "lucky")


def _lucky_page(folder: Path, traits: tuple[Trait, ...]) -> str:
    """The page of a run that shaped luck, both poles, where the classifier knew some traits."""
    register(LUCK)
    targets = (Target("luck", "high"), Target("luck", "low"))
    page = _page_of(write_run(folder, World(targets=targets, hit=(0.6, 0.1), emoji=(0.0, 0.1), traits=traits)))
    return re.sub(r"\s+", " ", page)


def test_a_trait_of_ones_own_is_shown_as_one_of_the_five_is(tmp_path, registered):
    page = _lucky_page(tmp_path / "run", (*BIG_FIVE, LUCK))
    assert "<b>luck</b><span>high: lucky</span>" in page
    assert "<b>luck</b><span>low: unlucky</span>" in page
    assert "<h4>luck, low (unlucky)</h4>" in page
    assert "among twelve poles of six traits." in page
    assert "chance, 0.08" in page
    assert "among six traits, chance 0.17" in page
    assert "Base rate: guessing among twelve poles gives 0.08, among six traits 0.17" in page
    assert not re.search(r"\b(ten|five) (poles|traits)", page)
    head = re.findall(r'<th scope="colgroup" colspan="(\d)">(\w+)</th>', page)
    assert head[:6] == [("2", trait.name) for trait in (*BIG_FIVE, LUCK)]
    del registered["luck"]
    assert re.sub(r"\s+", " ", _page_of(tmp_path / "run")) == page


def test_one_trait_alone_leaves_no_choice_among_traits(tmp_path):
    page = _lucky_page(tmp_path / "run", (LUCK,))
    assert "among two poles of one trait." in page
    assert "chance, 0.50" in page
    assert "guessing among two poles gives 0.50; but the untouched model" in page
    assert "among two poles, emojis removed, chance 0.50" in page
    assert "among one trait" not in page.lower()


def test_a_run_of_the_five_speaks_of_ten_poles(page):
    assert "among ten poles of five traits." in page
    assert "chance, 0.10" in page
    assert "among five traits, chance 0.20" in page


def test_a_run_without_a_card_counts_the_poles_that_were_measured(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "findings")
    assert "among ten poles of five traits." in _page_of(tmp_path / "run")
    results = tmp_path / "run" / "results.json"
    results.write_text(results.read_text().replace('"pole_share"', '"latent_share"'))
    page = _page_of(tmp_path / "run")
    assert "is the target, among the poles that the classifier knows.</p>" in page
    assert "chance" not in page.split('id="trust"')[0].split("</style>")[1]


def test_a_definition_that_is_damaged_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "run")
    with (tmp_path / "run" / "study.toml").open("a") as file:
        file.write('[[traits]]\nname = "luck"\n[traits.low]\n')
    with pytest.raises(RequestError, match=r"study\.toml\.traits\.0\.low: missing"):
        render(tmp_path / "run")
