"""An undisturbed run of the tiny study, and copies of it to be damaged."""

import shutil

import pytest
import tiny_study

place, scripted_embedder = tiny_study.place, tiny_study.scripted_embedder


@pytest.fixture(scope="session")
def finished(place, tmp_path_factory):
    """An undisturbed run of the tiny study; look, do not touch."""
    from temperament.study.execution import run_study
    from temperament.study.plan import load_study

    folder = tmp_path_factory.mktemp("runs") / "finished"
    run_study(load_study(place / "tiny.toml"), folder)
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the undisturbed run, to be damaged."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture(scope="session")
def outcome():
    """What has to be equal between equal runs: the bytes of every file but durations and report, by path."""

    def read(folder):
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name not in ("timing.json", "report.html", ".lock")
        }

    return read
