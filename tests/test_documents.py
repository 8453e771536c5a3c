"""What the README shows is true: its Python runs, its commands are accepted, its study file is a study."""

import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path

import click
import pytest

from temperament.cli import COMMANDS
from temperament.opinion.row import load_opinions
from temperament.opinion.situation import load_passages, load_portraits, load_situations
from temperament.study.plan import study_from
from temperament.subject.tiny import save_tiny
from temperament.trait import every_target, trait_from

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    return [text for name, text in fenced if name == language]


def commands() -> list[str]:
    lines = [line for block in blocks("") for line in block.splitlines()]
    return [line.split("  #")[0].strip() for line in lines if line.startswith("temperament ")]


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    (code,) = blocks("python")
    folder = save_tiny(tmp_path / "tiny")
    monkeypatch.setattr("temperament.measure.alignment.default_classifier", AlwaysTheFirstPole)
    assert len([line for line in code.splitlines() if line.strip() and not line.startswith("from")]) == 6
    exec(code.replace("builtin:smollm2", str(folder)), {})
    assert capsys.readouterr().out.strip().endswith("n = 1")


@pytest.mark.parametrize("line", commands())
def test_the_commands_of_the_readme_are_accepted(line):
    name, *rest = shlex.split(line)[1:]
    command = getattr(import_module(f"temperament.cli.{name}"), name)
    assert name in COMMANDS
    context = command.make_context(name, rest, resilient_parsing=False)
    assert isinstance(context, click.Context)


def test_the_trait_of_the_readme_is_a_trait():
    text, _, _ = blocks("toml")
    assert trait_from(tomllib.loads(text), "playfulness.toml").adjectives("high") == ("playful", "witty", "teasing")


def test_the_study_of_the_readme_is_a_study():
    _, text, more = blocks("toml")
    study = study_from(tomllib.loads(text), "my.toml")
    assert len(study.cells()) == 3 + 2 * 2 * 3
    study = study_from({**tomllib.loads(text), **tomllib.loads(more)}, "my.toml")
    assert len(study.cells()) == 3 + 2 * 3 * 3
    assert study.inventory.inventory == "short"
    assert study.judge.is_remote


def test_the_tree_of_the_readme_is_the_tree():
    tree = next(block for block in blocks("") if block.startswith("src/temperament/"))
    named = set(re.findall(r"^  ([a-z]+)/", tree, flags=re.MULTILINE))
    rooms = {path.parent.name for path in (ROOT / "src" / "temperament").glob("*/__init__.py")}
    assert named == rooms


def test_the_readme_says_what_the_data_hold():
    rows = load_opinions()
    answers = {(row.topic, row.answer) for row in rows}
    situations, portraits, passages = load_situations(), load_portraits(), load_passages()
    beside = f"{len(situations)} situations, {len(portraits)} portraits and {len(passages)} neutral passages"
    said = " ".join(README.split())
    assert f"{len(answers):,} answers on {len(rows.topics)} topics" in said
    assert beside in said


class AlwaysTheFirstPole:
    """A classifier that sees openness:low everywhere."""

    labels = tuple(str(target) for target in every_target())

    def probabilities(self, texts):
        import numpy as np

        found = np.zeros((len(texts), 10))
        found[:, 0] = 1.0
        return found
