"""Real kills: a study that was killed again and again ends as one that was never disturbed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).parent / "killing.py"


@pytest.mark.kills
def test_a_study_that_is_killed_at_every_stage_ends_as_one_that_was_not(place, finished, outcome, tmp_path):
    folder = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(place / "tiny.toml"), str(folder), "1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    kills = json.loads(done.stdout)
    assert len(kills) >= 5
    assert {"beginning", "fitting", "asking", "reading"} <= set(kills)
    assert outcome(folder) == outcome(finished)
