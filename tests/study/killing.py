"""Runs a study in child processes, kills them at chosen moments, and lets the last one finish.

    python killing.py STUDY.toml FOLDER SEED

Forked children need no second import of torch; each is a process of its own, and SIGKILL spares it nothing.
Prints a JSON list of what lay in the folder when a child was killed.
"""

import functools
import json
import os
import random
import signal
import sys
import time
from importlib import import_module
from pathlib import Path

import torch

from temperament import cli
from temperament.measure import classifier, interview
from temperament.shape import protocol
from temperament.study import execution, family, plan
from temperament.subject.base import Subject

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_study import bag_of_words

# What must lie in the folder before a child is killed; then it gets a moment more, drawn at random.
STAGES = (
    ("beginning", ".lock"),
    ("fitting", "checkpoints/*.safetensors"),
    ("fitting", "checkpoints/*.safetensors"),
    ("fitted", "edits/*"),
    ("asking", "records/*.partial"),
    ("asking", "records/qlora*.partial"),
    ("asked", "records/qlora*-x2-*.jsonl"),
    ("reading", "readings/untouched.jsonl"),
    ("reading", "readings/qlora*.jsonl"),
    ("scoring", "findings/classifier.json"),
)


def warm(study):
    """Import before the children are forked what each of them would import on its own."""
    work = plan.load_study(study)
    Subject.load(work.subject.model, work.subject.precision)
    opinions = execution.study_opinions(work)
    classifier.fit_classifier(opinions, bag_of_words)
    assert family.CHANGES
    for room in ("scoring", "crosstalk", "dose", "latent"):
        import_module(f"temperament.study.{room}")
    import_module("temperament.measure.latent")
    import_module("temperament.report.page")
    import_module("temperament.cli.study")


def stop_when(folder, pattern):
    """Stop this process at the first file it opens or renames after something has appeared."""
    waiting = [True]

    def watch(event, _arguments):
        if waiting and event in ("open", "os.rename") and any(folder.glob(pattern)):
            waiting.clear()
            os.kill(os.getpid(), signal.SIGSTOP)

    sys.addaudithook(watch)


def run(study, folder, pattern=None):
    """The command, in a child that stops where a pattern appears; gives its process id."""
    child = os.fork()
    if child:
        return child
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    if pattern:
        stop_when(folder, pattern)
    code = 1
    try:
        cli.main(["study", study, "--out", str(folder)])
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        os._exit(code)


def kill(child, moment):
    """Kill a child a moment after it has stopped; False where it ended first."""
    if not os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1]):
        return False
    os.kill(child, signal.SIGCONT)
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main(study, folder, seed):
    """Kill at every stage, then finish."""
    torch.set_num_threads(1)
    warm(study)
    classifier.load_embedder = lambda _name: bag_of_words
    interview.CHUNK = 1
    protocol.Workspace = functools.partial(protocol.Workspace, seconds=0.0)
    draw, kills = random.Random(seed), []
    for stage, pattern in STAGES:
        if kill(run(study, folder, pattern), draw.uniform(0, 0.05)):
            kills.append(stage)
    code = os.waitstatus_to_exitcode(os.waitpid(run(study, folder), 0)[1])
    print(json.dumps(kills))
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
