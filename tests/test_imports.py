"""Imports follow the arrow of the design, and what has to be quick imports nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import temperament

PACKAGE = Path(temperament.__file__).parent
# A room may import those that stand before it; rooms in one set never import one another.
FLOW = (
    {"errors"},
    {"record"},
    {"settings", "provenance", "stats"},
    {"trait"},
    {"run"},
    {"opinion", "report"},
    {"subject"},
    {"edit"},
    {"activation"},
    {"shape", "measure"},
    {"curate", "explain"},
    {"study"},
    {"cli"},
    {"__main__"},
)
RANK = {room: rank for rank, rooms in enumerate(FLOW) for room in rooms}


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """Rooms of the package that a module imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.split(".")[0] == "temperament" and "." in name)


def modules():
    return [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def test_every_room_has_its_place_in_the_flow():
    assert {room_of(path) for path in modules()} == set(RANK)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_arrow(path):
    room = room_of(path)
    assert [other for other in imported(path) if other != room and RANK[other] >= RANK[room]] == []


def test_the_report_imports_values_and_statistics_only():
    found = {other for path in modules() if room_of(path) == "report" for other in imported(path)}
    assert found - {"report"} <= {"errors", "trait", "record", "stats", "run"}


def test_shaping_and_measuring_never_import_one_another():
    for room, other in (("shape", "measure"), ("measure", "shape")):
        assert other not in {found for path in modules() if room_of(path) == room for found in imported(path)}


@pytest.mark.parametrize(
    "name", ["temperament", "temperament.cli", "temperament.report", "temperament.run", "temperament.study.plan"]
)
def test_what_has_to_be_quick_imports_nothing_heavy(name):
    heavy = ("torch", "transformers", "sklearn", "pandas", "sentence_transformers")
    code = (
        f"import sys, {name}, temperament.record, temperament.opinion.row, temperament.opinion.format.export\n"
        f"print([heavy for heavy in {heavy} if heavy in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_no_part_postpones_its_annotations():
    """The run-time type checker of the tests reads them."""
    found = [path for path in modules() if "from __future__ import annotations" in path.read_text(encoding="utf-8")]
    assert found == []
