"""From TOML to frozen dataclasses, and what is said to a key or a value that does not fit."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from temperament.errors import BadFileError, RequestError, UnknownNameError
from temperament.settings import build, override, parse_value, read_toml, table_of


@dataclass(frozen=True)
class Cup:
    size: int = 2
    kind: Literal["round", "square"] = "round"


@dataclass(frozen=True)
class Table:
    name: str
    height: float = 1.0
    guests: tuple[str, ...] = ()
    limit: int | None = None
    is_set: bool = False
    cup: Cup = Cup()
    cups: tuple[Cup, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


def test_a_table_becomes_a_dataclass_with_those_inside_it():
    found = build(Table, {"name": "long", "height": 2, "cup": {"size": 3}, "cups": [{"size": 1}, {}]}, "plan")
    assert found == Table("long", 2.0, cup=Cup(3), cups=(Cup(1), Cup()))
    assert build(Table, table_of(found), "plan") == found
    assert build(Table, {"name": "x", "guests": ["a", "b"], "limit": ""}, "plan").guests == ("a", "b")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": "x", "heigth": 1}, "plan: setting 'heigth' does not exist: did you mean 'height'"),
        ({"name": "x", "cup": {"sise": 1}}, "plan.cup: setting 'sise' does not exist: did you mean 'size'"),
        ({"name": "x", "cups": [{}, {"sise": 1}]}, r"plan.cups.1: setting 'sise' does not exist: did you mean 'size'"),
        ({"name": "x", "cup": {"kind": "rund"}}, "plan.cup: kind 'rund' does not exist: did you mean 'round'"),
    ],
)
def test_a_name_that_is_none_gets_the_nearest_and_its_place(table, message):
    with pytest.raises(UnknownNameError, match=message):
        build(Table, table, "plan")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": 3}, "plan.name is 3: expected `str`, got `int`"),
        ({"name": "x", "height": "tall"}, "plan.height is 'tall': expected `float`, got `str`"),
        ({"name": "x", "limit": 1.5}, "plan.limit is 1.5: expected `int | null`, got `float`"),
        ({"name": "x", "is_set": 1}, "plan.is_set is 1: expected `bool`, got `int`"),
        ({"name": "x", "guests": "one"}, "plan.guests is 'one': expected `array`, got `str`"),
        ({"name": "x", "guests": ["one", 2]}, "plan.guests is"),
        ({"name": "x", "cup": 3}, "plan.cup is 3: it needs a table"),
        ({"height": 2.0}, "plan: missing 1 required positional argument: 'name'"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_place_and_what_is_expected(table, message):
    with pytest.raises(RequestError, match=message.replace("|", r"\|")):
        build(Table, table, "plan")


def test_a_toml_file_that_is_none_is_named_with_its_line(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('name = "x"\nheight = = 2\n')
    with pytest.raises(BadFileError, match=r"plan\.toml is not valid TOML: .*line 2"):
        read_toml(path)
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(BadFileError, match=r"plan\.toml is not valid TOML"):
        read_toml(path)
    with pytest.raises(BadFileError, match="does not exist"):
        read_toml(tmp_path / "nowhere.toml")
    with pytest.raises(BadFileError, match="is a folder: give a TOML file"):
        read_toml(tmp_path)


def test_assignments_go_into_tables_and_lists_of_tables_and_leave_the_original_alone():
    table = {"seeds": [0], "method": [{"name": "qlora"}, {"name": "adapter"}]}
    found = override(table, ["seeds=[0,1]", "cup.size=3", "method.1.path=a/b c", "name = long = tall"])
    assert found == {
        "seeds": [0, 1],
        "cup": {"size": 3},
        "method": [{"name": "qlora"}, {"name": "adapter", "path": "a/b c"}],
        "name": "long = tall",
    }
    assert table == {"seeds": [0], "method": [{"name": "qlora"}, {"name": "adapter"}]}


@pytest.mark.parametrize("assignment", ["seeds", "=3", " =3", "seeds.0=3", "name.first=x", "method.7.path=x"])
def test_an_assignment_that_goes_nowhere_is_an_error_that_repeats_it(assignment):
    with pytest.raises(RequestError, match=f"--set {assignment}"):
        override({"seeds": [0], "name": "x", "method": [{}]}, [assignment])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1e-3", 1e-3),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ('"x"', "x"),
        ("low", "low"),
        ("", ""),
        ("a b", "a b"),
    ],
)
def test_a_value_is_toml_and_what_is_none_is_text(text, value):
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)
