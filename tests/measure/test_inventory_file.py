"""Inventories from files: what ships, the form of the IPIP, one's own, and errors that name the entry."""

import json
from collections import Counter

import pytest

from temperament.errors import BadFileError, RequestError, UnknownNameError
from temperament.measure.inventory.inventory import Inventory
from temperament.measure.inventory.plan import InventoryPlan
from temperament.measure.inventory.statement import first_person
from temperament.settings import build, table_of
from temperament.trait import BIG_FIVE, Trait, register

# Of the shape of the published files; the statements are made up for this test.
PUBLISHED = [
    {"id": "a1", "text": "Collect old maps", "keyed": "plus", "domain": "O", "facet": 1},
    {"id": "b2", "text": "Don't water the plants", "keyed": "minus", "domain": "C", "facet": 3},
    {"text": "Would sing on a bus", "keyed": "plus", "domain": "E", "facet": 6, "num": 7},
]


def written(tmp_path, content, name="mine.json"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_what_ships_touches_every_facet_once_for_and_once_against():
    inventory = Inventory.load()
    assert inventory.name == "short"
    assert inventory.traits == tuple(trait.name for trait in BIG_FIVE)
    found = Counter((one.trait, one.facet, one.keyed) for one in inventory.statements)
    wanted = {(trait.name, facet, keyed) for trait in BIG_FIVE for facet in trait.facets for keyed in ("plus", "minus")}
    assert found == Counter(wanted)
    assert min(Counter(one.trait for one in inventory.statements).values()) >= 10
    assert len({one.id for one in inventory.statements}) == len({one.text for one in inventory.statements}) == 60
    assert all(one.text.startswith("I ") and one.text.endswith(".") for one in inventory.statements)


def test_what_ships_says_that_it_was_never_tried_on_people():
    assert "Never tried on people" in Inventory.load("short").note


def test_a_published_file_is_read_in_the_first_person_with_facets_by_name(tmp_path):
    found = Inventory.load(written(tmp_path, PUBLISHED, "tiny_ipip.json"))
    assert found.name == "tiny_ipip"
    assert [(one.id, one.text, one.trait, one.facet, one.keyed) for one in found.statements] == [
        ("a1", "I collect old maps.", "openness", "imagination", "plus"),
        ("b2", "I don't water the plants.", "conscientiousness", "dutifulness", "minus"),
        ("extraversion-3", "I would sing on a bus.", "extraversion", "cheerfulness", "plus"),
    ]
    assert found.statements[1].topic == "conscientiousness, dutifulness"


def test_without_facets_a_statement_is_its_own_topic(tmp_path):
    entries = [{key: value for key, value in entry.items() if key != "facet"} for entry in PUBLISHED]
    assert [one.topic for one in Inventory.load(written(tmp_path, entries)).statements] == [
        "a1",
        "b2",
        "extraversion-3",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [("Like tea", "I like tea."), ("I'm late!", "I'm late!"), ("My hat fits. ", "My hat fits."), ("I am", "I am.")],
)
def test_a_statement_gets_its_subject_once(text, said):
    assert first_person(text) == said


def test_ones_own_is_about_a_custom_trait_as_a_list_a_table_or_csv(tmp_path):
    register(Trait("playfulness", "earnest", "playful"))
    rows = [
        {"text": "Jokes come to me.", "trait": "playfulness", "keyed": "+", "facet": "wit"},
        {"text": "I never tease, not even friends.", "trait": "playfulness", "keyed": "minus"},
    ]
    as_list = Inventory.load(written(tmp_path, rows))
    table = {"name": "Play", "note": "Two statements.", "items": rows}
    as_table = Inventory.load(written(tmp_path, table, "table.json"))
    lines = ("text,trait,keyed,facet", "Jokes come to me.,playfulness,+,wit")
    sheet = "\ufeff" + "\n".join((*lines, '"I never tease, not even friends.",playfulness,-,', ""))
    as_csv = Inventory.load(written(tmp_path, sheet, "mine.csv"))
    assert as_list.statements == as_table.statements == as_csv.statements
    assert (as_table.name, as_table.note) == ("Play", "Two statements.")
    assert [(one.id, one.text, one.facet, one.keyed) for one in as_csv.statements] == [
        ("playfulness-1", "Jokes come to me.", "wit", "plus"),
        ("playfulness-2", "I never tease, not even friends.", "", "minus"),
    ]


GOOD = {"text": "I hum.", "trait": "extraversion", "keyed": "plus"}


@pytest.mark.parametrize(
    ("content", "error", "match"),
    [
        ("[", BadFileError, r"mine\.json is not valid JSON"),
        ([], BadFileError, r"mine\.json holds no statements"),
        ({"name": "x"}, BadFileError, r"mine\.json holds no list of entries"),
        ({"item": []}, UnknownNameError, r"mine\.json: key 'item' does not exist: did you mean 'items'"),
        ([GOOD, 7], BadFileError, r"mine\.json: entry 2 is 7: it needs a table"),
        ([GOOD, {"trait": "openness", "keyed": "plus"}], BadFileError, r"mine\.json: entry 2 has no text"),
        ([GOOD | {"text": " "}], BadFileError, r"entry 1 has no text"),
        ([GOOD | {"keyed": "yes"}], BadFileError, r"entry 1: keyed is 'yes': write plus or minus"),
        (
            [GOOD | {"trait": "opennes"}],
            BadFileError,
            r"entry 1: trait 'opennes' does not exist: did you mean 'openness'",
        ),
        ([GOOD | {"facett": "x"}], UnknownNameError, r"entry 1: key 'facett' does not exist: did you mean 'facet'"),
        ([GOOD | {"facet": 7}], UnknownNameError, r"entry 1: facet of extraversion '7' .* a number from 1 to 6"),
        ([GOOD | {"facet": "trust"}], UnknownNameError, r"entry 1: facet of extraversion 'trust'"),
        ([{"text": "Sing", "domain": "Q", "keyed": "plus"}], UnknownNameError, r"entry 1: domain 'Q'"),
        ([GOOD | {"id": "a"}, GOOD | {"id": "a"}], BadFileError, r"entry 2: the id 'a' occurs twice"),
    ],
)
def test_an_error_names_file_and_entry(tmp_path, content, error, match):
    with pytest.raises(error, match=match):
        Inventory.load(written(tmp_path, content))


def test_a_file_or_a_name_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(BadFileError, match=r"none\.json does not exist"):
        Inventory.load(tmp_path / "none.json")
    with pytest.raises(UnknownNameError, match="inventory 'shrt' does not exist: did you mean 'short'"):
        Inventory.load("shrt")
    path = tmp_path / "latin.csv"
    path.write_bytes("text,trait,keyed\ncaf\xe9,openness,plus".encode("latin-1"))
    with pytest.raises(BadFileError, match=r"latin\.csv is not a CSV file in UTF-8"):
        Inventory.load(path)


def test_forms_are_named_once_and_at_least_one_each():
    with pytest.raises(RequestError, match="labels are"):
        Inventory.load(labels=())
    with pytest.raises(RequestError, match="orders are"):
        InventoryPlan(orders=("accurate-first", "accurate-first"))


def test_a_study_names_inventory_labels_and_orders():
    plan = build(InventoryPlan, {"inventory": "short", "labels": ["digits"]}, "study.inventory")
    assert (plan.labels, plan.forms) == (("digits",), 2)
    assert build(InventoryPlan, table_of(plan), "again") == plan
    with pytest.raises(RequestError, match=r"study\.inventory\.labels is \['digit'\]"):
        build(InventoryPlan, {"labels": ["digit"]}, "study.inventory")


def test_a_fingerprint_goes_with_statements_and_forms(tmp_path):
    inventory = Inventory.load(written(tmp_path, PUBLISHED))
    assert inventory.fingerprint == Inventory.load(written(tmp_path, PUBLISHED, "copy.json")).fingerprint
    assert inventory.fingerprint != Inventory.load(tmp_path / "mine.json", labels=("words",)).fingerprint
    assert inventory.fingerprint != Inventory.load(written(tmp_path, PUBLISHED[:2], "two.json")).fingerprint
