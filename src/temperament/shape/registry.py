"""Methods by name, as the command line and study files call them."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from temperament.errors import RequestError, UnknownNameError
from temperament.settings import build, table_of
from temperament.shape.protocol import Method

# Where each method lives; loaded when it is asked for, because most of them load torch.
HOMES = {
    "direction": "direction.method.Direction",
    "ike": "ike.Ike",
    "prompt": "prompt.Prompt",
    "mend": "mend.method.Mend",
    "neurons": "neurons.method.Neurons",
    "qlora": "qlora.QLora",
}
NAMES = tuple(HOMES)
# What they change is read by the model, or it is not: there is nothing in between.
WITHOUT_DIAL = ("prompt", "ike")


def method_class(name: str) -> type[Any]:
    """The class of a method; raises UnknownNameError where there is none of that name."""
    if name not in HOMES:
        raise UnknownNameError(kind="method", asked=name, known=NAMES)
    module, _, kind = HOMES[name].rpartition(".")
    return getattr(import_module(f"temperament.shape.{module}"), kind)


def make_method(name: str, preset: str = "default", settings: Mapping[str, Any] | None = None, seed: int = 0) -> Method:
    """A method with the settings of a preset, changed where asked.

    Raises:
        UnknownNameError: there is no such method, preset or setting.
        RequestError: a setting is of the wrong type, or the seed is among the settings.
    """
    kind = method_class(name)
    if settings and "seed" in settings:
        message = f"method {name}.seed is {settings['seed']!r}: give a seed as --seed, or as seeds of a study."
        raise RequestError(message)
    table = {**table_of(kind.preset(preset)), **(settings or {}), "seed": seed}
    if settings and "condition" not in settings:
        table["condition"] = f"{preset}, changed"
    return cast(Method, build(kind, table, f"method {name}"))
