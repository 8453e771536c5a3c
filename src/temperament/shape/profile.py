"""Fitting several traits at once, each at a strength of its own."""

from temperament.edit.base import Stack
from temperament.edit.profile import Profile
from temperament.errors import RequestError
from temperament.opinion.row import Opinions
from temperament.shape.protocol import Method, Workspace
from temperament.shape.registry import NAMES, WITHOUT_DIAL
from temperament.subject.base import Subject


def fit_profile(
    method: Method, subject: Subject, profile: Profile, opinions: Opinions, workspace: Workspace = Workspace()
) -> Stack:
    """An edit for each target of a profile, fitted together where the method can, and stacked at their strengths.

    Raises:
        RequestError: the method has no dial and a strength is not 1; before anything is fitted. And whatever the
            method raises.
    """
    check_dial(method.name, profile)
    return profile.stack(method.fit_each(subject, list(profile), opinions, workspace))


def check_dial(method: str, profile: Profile) -> None:
    """Raises RequestError where a method has no dial and the profile asks for a strength other than 1."""
    for target, strength in profile.items():
        if method in WITHOUT_DIAL and strength != 1.0:
            with_dial = ", ".join(name for name in NAMES if name not in WITHOUT_DIAL)
            message = (
                f"{target} at strength {strength:g} was asked for: {method} has no dial. Write +1 or -1, or take a "
                f"method with a dial: {with_dial}."
            )
            raise RequestError(message)
