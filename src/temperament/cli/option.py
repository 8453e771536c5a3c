"""Options that several commands share."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def subject(default: str | None = "builtin:smollm2") -> Decorator:
    """``--subject`` and ``--precision``."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        function = click.option(
            "--precision",
            default="auto",
            show_default=True,
            help="auto, float32, bfloat16 or nf4 (4-bit).",
        )(function)
        return click.option(
            "--subject",
            "model",
            default=default,
            show_default=True,
            help="The model: a hub id, a folder, builtin:NAME, or http(s)://HOST/v1[#MODEL].",
        )(function)

    return wrap


def edit(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--edit`` and ``--strength``."""
    function = click.option(
        "--strength",
        type=float,
        default=1.0,
        show_default=True,
        help="0 is the untouched model, 1 the edit as saved; less, more and negative work too, but for prompt and ike.",
    )(function)
    return click.option(
        "--edit", "edit", type=click.Path(), default=None, help="Folder of an edit, or of any PEFT LoRA adapter."
    )(function)


def generation(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--temperature``, ``--top-p``, ``--max-new-tokens`` and ``--seed``."""
    function = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the draw.")(
        function
    )
    function = click.option(
        "--max-new-tokens",
        type=click.IntRange(min=1),
        default=150,
        show_default=True,
        help="Length of a reply, at most.",
    )(function)
    function = click.option(
        "--top-p",
        type=click.FloatRange(0, 1, min_open=True),
        default=0.9,
        show_default=True,
        help="Mass of the nucleus.",
    )(function)
    return click.option(
        "--temperature", type=click.FloatRange(min=0), default=0.7, show_default=True, help="0 is greedy."
    )(function)


def trait(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--trait``: makes custom traits known before the command begins; the command itself takes no argument for it."""

    @wraps(function)
    def informed(*arguments: Any, trait_files: tuple[str, ...], **options: Any) -> Any:
        from temperament.trait import load_trait, register

        for file in trait_files:
            register(load_trait(file))
        return function(*arguments, **options)

    return click.option(
        "--trait",
        "trait_files",
        multiple=True,
        type=click.Path(),
        metavar="FILE.toml",
        help="A trait of your own; may be given several times.",
    )(informed)


def opinions(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--opinions``, which may be given several times."""
    return click.option(
        "--opinions",
        multiple=True,
        type=click.Path(),
        help="JSON lines or CSV; several are taken together, and 'shipped' is Opinion QA. [default: shipped]",
    )(function)
