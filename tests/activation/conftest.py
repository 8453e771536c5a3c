"""A decoder whose gates are known."""

import pytest
from planted import plant


@pytest.fixture(scope="session")
def hand_made():
    """A tiny LLaMA without attention, with two units that fire on one token each."""
    return plant()
