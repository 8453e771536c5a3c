"""What most work needs can be imported from the package itself, and is loaded when it is first used."""

import subprocess
import sys

import pytest

import temperament

METHODS = {"Prompt", "Ike", "Mend", "QLora", "Neurons", "Direction"}


def test_every_method_and_the_profile_have_a_public_name():
    from temperament.shape.registry import NAMES

    assert METHODS | {"Profile"} <= set(temperament.__all__)
    assert {getattr(temperament, name)().name for name in METHODS} == set(NAMES)


@pytest.mark.parametrize("name", temperament.__all__)
def test_every_public_name_is_there(name):
    assert getattr(temperament, name).__doc__
    assert name in dir(temperament)


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'temperament' has no attribute 'Prompts'"):
        _ = temperament.Prompts


def test_the_profile_needs_no_torch():
    code = "import sys, temperament; temperament.Profile.parse('O=1'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
