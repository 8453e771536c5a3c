"""Help is quick and complete, and the exit codes are what scripts rely on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from temperament.cli import COMMANDS
from temperament.cli.data import COMMANDS as DATA_COMMANDS

PROGRAM = [sys.executable, "-m", "temperament"]
DATA = tuple(("data", name) for name in DATA_COMMANDS)


def test_the_installed_program_answers_help_at_once():
    """Wanted: 0.3 s. The bound is wider because machines that run tests are busy."""
    program = Path(sys.executable).with_name("temperament")
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([program, "--help"], capture_output=True, check=True)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.5


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS), *DATA], ids=" ".join)
def test_every_help_explains_itself_without_torch(command, call):
    code, out, err = call(*command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith("Usage: ")
    assert len(out.splitlines()) > 5


def test_no_help_imports_torch():
    code = (
        "import sys\nfrom temperament.cli import COMMANDS, main\nfrom temperament.cli.data import COMMANDS as DATA\n"
        "for command in [[], *([name] for name in COMMANDS), *(['data', name] for name in DATA)]:\n"
        "    try: main([*command, '--help'])\n"
        "    except SystemExit as ended: assert not ended.code\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_version_is_told(call):
    code, out, _ = call("--version")
    assert code == 0
    assert "0.1.0" in out


def test_the_list_of_commands_is_that_of_the_modules(call):
    folder = Path(sys.modules["temperament.cli"].__file__).parent
    shared = {"__init__", "audit_table", "lazy", "option", "output", "progress", "shaped"}
    names = {path.stem for path in folder.glob("*.py")} - shared
    assert names == {module for lines in (COMMANDS, DATA_COMMANDS) for module, _ in lines.values()}
    assert all(f"  {name} " in call("--help")[1] for name in COMMANDS)
    assert all(f"  {name} " in call("data", "--help")[1] for name in DATA_COMMANDS)


def test_a_process_ends_with_code_0_1_or_2(tmp_path):
    wanted = {
        ("models",): 0,
        ("report", str(tmp_path)): 2,
        ("reply", "Hello?", "--subject", "some-organisation/a-model"): 1,
    }
    for arguments, code in wanted.items():
        done = subprocess.run(
            [*PROGRAM, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        assert done.returncode == code, done.stderr
        assert done.stderr.startswith("error: ") == (code > 0)
        assert "Traceback" not in done.stderr


def test_an_interrupted_command_says_that_what_is_complete_is_kept():
    code = (
        "import click, temperament.cli as cli\n"
        "@click.command()\n"
        "def slow():\n    print('begun', flush=True)\n    import time; time.sleep(60)\n"
        "cli.Lazy.get_command = lambda *_: slow\n"
        "cli.main(['study'])"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "stopped: what is complete is kept, and the same command goes on from there" in err
    assert "Traceback" not in err


def test_an_unknown_command_gets_the_nearest(refused):
    assert "command 'studdy' does not exist: did you mean 'study'" in refused("studdy")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit", "qlora"), "Missing option '--target'"),
        (("reply",), "Missing argument 'QUESTION...'"),
        (("reply", "Hello?", "--temprature", "1"), "--temperature"),
        (("reply", "Hello?", "--temperature", "-1"), "-1"),
        (("reply", "Hello?", "--strength", "strong"), "'strong' is not a valid float"),
        (("data", "import", "x.csv", "--out", "x", "--split", "train"), "'train' is not one of"),
    ],
)
def test_a_wrong_option_is_a_wrong_request(arguments, message, call):
    code, _, err = call(*arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
