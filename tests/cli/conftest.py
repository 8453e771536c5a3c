"""The command line, called as the entry point calls it."""

import pytest
import tiny_study

from temperament.cli import main

place, scripted_embedder = tiny_study.place, tiny_study.scripted_embedder


@pytest.fixture
def call(capsys):
    """Call a command; gives its exit code, what it wrote to stdout, and what to stderr."""

    def run(*arguments):
        capsys.readouterr()
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code or 0
        written = capsys.readouterr()
        return code, written.out, written.err

    return run


@pytest.fixture
def refused(call):
    """Call a command that must be refused: exit code, one line on stderr, no traceback; gives that line."""

    def run(*arguments, code=2):
        found, out, err = call(*arguments)
        assert found == code, (out, err)
        (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
        assert "Traceback" not in out + err
        return line

    return run
