"""Every figure leads to the files that it is made from, and what stands there is so."""

import re

import pytest
from synthetic_run import HIGH, World, write_run

from temperament.report import render
from temperament.report.source import Sources, origins
from temperament.run import Run

WORLD = World(targets=HIGH[:2], methods=("qlora", "mend"), hit=(0.6, 0.5), emoji=(0.0, 0.3), has_all=True, missing=0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "traced", WORLD)


@pytest.fixture(scope="module")
def page(folder):
    return render(folder).read_text(encoding="utf-8")


def rows_of_page(page):
    """By anchor: the cell, its rows by folder, and the replies in it."""
    table = page.split('aria-label="Cells and their files"')[1].split("</table>")[0]
    folders = [name.rstrip("/") for name in re.findall(r'<th scope="col">(.*?)</th>', table)[1:-1]]
    found = {}
    for anchor, cell, values in re.findall(r'<tr id="(.*?)"><th scope="row"><code>(.*?)</code></th>(.*?)</tr>', table):
        *counts, replies = re.findall(r"<td>(.*?)</td>", values)
        found[anchor] = (cell, dict(zip(folders, counts, strict=True)), replies)
    return found


def test_the_rows_that_are_given_are_those_of_the_files(folder, page):
    found = rows_of_page(page)
    assert {cell for cell, _, _ in found.values()} == {path.stem for path in (folder / "records").glob("*.jsonl")}
    for cell, counts, replies in found.values():
        assert set(counts) == {"records", "scores", "inventory", "judge", "latent", "readings"}
        for name, count in counts.items():
            lines = (folder / name / f"{cell}.jsonl").read_text().splitlines()
            assert int(count) == len(lines)
        records = Run.load(folder).cells[cell]
        assert replies == f"{sum(record.reply is not None for record in records)} of {len(records)}"


def test_an_n_leads_to_the_cell_that_the_figure_is_of(folder, page):
    cells = {anchor: cell for anchor, (cell, _, _) in rows_of_page(page).items()}
    part = page.split('<h2 id="alignment">')[1].split("<h3>MEND</h3>")[1].split("<h3>")[0].split("</ul>")[0]
    links = re.findall(r'<a class="n" href="#(.*?)">', part)
    assert [cells[link] for link in links] == [
        "base-s0",
        "mend-openness-high-x1-s0",
        "base-s0",
        "mend-conscientiousness-high-x1-s0",
    ]


def test_every_figure_of_the_results_has_a_cell(folder):
    run = Run.load(folder)
    sources = Sources(run)
    by_anchor = {source.anchor: source for group in sources.groups for source in group.sources}
    for figure in run.results.figures:
        source = by_anchor[sources.anchor(figure)]
        assert (source.label.method, source.seed) == (figure.method, figure.seed)
        assert figure.method == "base" or (source.label.trait, source.label.pole) == (figure.trait, figure.pole)


def test_every_n_on_the_page_is_a_link(page):
    body = page.split("</style>")[1]
    bare = re.findall(r"(?<!>)n&nbsp;=&nbsp;\d+", body)
    assert bare == []


def test_a_figure_without_records_has_no_link(folder, tmp_path):
    import shutil

    shutil.copytree(folder, tmp_path / "run")
    next((tmp_path / "run" / "records").glob("mend-openness*")).unlink()
    run = Run.load(tmp_path / "run")
    lost = next(figure for figure in run.results.figures if (figure.method, figure.trait) == ("mend", "openness"))
    assert Sources(run).anchor(lost) == ""
    page = render(tmp_path / "run").read_text(encoding="utf-8")
    links = set(re.findall(r'href="#(.*?)"', page))
    assert links <= set(re.findall(r'id="(.*?)"', page))


def test_a_scorer_leads_to_its_own_files(folder):
    found = {origin.scorer: origin.files for origin in origins(Run.load(folder))}
    assert found["alignment"] == ["records/CELL.jsonl", "scores/CELL.jsonl under alignment"]
    assert found["reading"] == ["readings/CELL.jsonl"]
    assert found["inventory"] == ["inventory/CELL.jsonl"]
    assert found["judge"] == ["judge/CELL.jsonl"]


def test_strengths_are_told_apart_where_there_are_several(tmp_path):
    world = World(targets=HIGH[:1], methods=("qlora",), strengths=(0.5, 1.0), hit=(0.5,), emoji=(0.0,))
    sources = Sources(Run.load(write_run(tmp_path / "run", world)))
    assert [group.name for group in sources.groups] == ["Untouched", "QLoRA at strength 0.5", "QLoRA at strength 1"]


def test_files_that_belong_to_no_cell_are_named_with_those_who_read_them(folder, tmp_path):
    import shutil

    shutil.copytree(folder, tmp_path / "run")
    (tmp_path / "run" / "readings" / "untouched.jsonl").write_text('{"id": 1}\n\n{"id": 2}\n')
    run = Run.load(tmp_path / "run")
    found = {origin.scorer: origin.files for origin in origins(run)}
    assert found["reading"] == ["readings/CELL.jsonl", "readings/untouched.jsonl"]
    assert [(file.path, file.rows) for file in Sources(run).shared] == [("readings/untouched.jsonl", 2)]
