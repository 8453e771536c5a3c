"""Methods by name, as the command line and study files call them."""

from collections.abc import Mapping
from typing import Any

from temperament.errors import RequestError, UnknownNameError
from temperament.settings import build, table_of
from temperament.shape.protocol import Method

NAMES = ("qlora",)


def make_method(name: str, preset: str = "default", settings: Mapping[str, Any] | None = None, seed: int = 0) -> Method:
    """A method with the settings of a preset, changed where asked.

    Raises:
        UnknownNameError: there is no such method, preset or setting.
        RequestError: a setting is of the wrong type, or the seed is among the settings.
    """
    if name not in NAMES:
        raise UnknownNameError(kind="method", asked=name, known=NAMES)
    if settings and "seed" in settings:
        message = f"method {name}.seed is {settings['seed']!r}: give a seed as --seed, or as seeds of a study."
        raise RequestError(message)
    from temperament.shape.qlora import QLora

    table = {**table_of(QLora.preset(preset)), **(settings or {}), "seed": seed}
    if settings and "condition" not in settings:
        table["condition"] = f"{preset}, changed"
    return build(QLora, table, f"method {name}")
