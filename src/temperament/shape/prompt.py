"""Prompts: telling a model who it is.

Source: *portrait* is P2 of Jiang et al. 2023, arXiv 2206.07550; *graded* is the nine levels of Serapio-Garcia et al.
2023, arXiv 2307.00184; *simple* is the baseline of both (SCIENCE.md 2.1).
Departs: portraits are written beforehand, twelve a pole, where P2 has the model write one from words; the
graded prompt takes the adjectives of the trait, which are fewer than the 104 markers. All wordings are our own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from temperament.edit.base import Edit
from temperament.edit.context import ContextEdit
from temperament.errors import RequestError, UnknownNameError
from temperament.opinion.row import Opinions
from temperament.opinion.situation import load_portraits
from temperament.shape.protocol import Effort, FitProgress, Workspace, origin_of
from temperament.shape.wording import GRADED, PORTRAIT, PORTRAIT_OF_WORDS, QUALIFIERS, SIMPLE, listed
from temperament.subject.base import Subject
from temperament.trait import Pole, Target, find_trait

Kind = Literal["simple", "portrait", "graded"]
PRESETS = ("default", "simple", "portrait", "graded")
LEVELS, NEUTRAL, HIGHEST = range(1, 10), 5, 9


@dataclass(frozen=True)
class Prompt:
    """Tell a model, in its system prompt, that it shows a target.

    Opinions are not read, and the model is not asked: every subject can be told something.

    Attributes:
        kind: ``simple`` names the pole in one adjective; ``portrait`` describes a person who shows it, and a trait
            without portraits by its adjectives; ``graded`` says how much of each adjective.
        level: of a graded prompt: 1, extremely the other pole, 5, neither, to 9, extremely the target.
        portraits: a file of them, as JSON lines; empty for those that are shipped.
        seed: chooses the portrait: the one with this number, counted round.
        condition: name of these settings in records.
    """

    kind: Kind = "portrait"
    level: int = HIGHEST
    portraits: str = ""
    seed: int = 0
    condition: str = "default"

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            message = f"level is {self.level}: it needs to be 1, the other pole, to 9, the target; 5 is neither."
            raise RequestError(message)
        for name, kind, usual in (("level", "graded", HIGHEST), ("portraits", "portrait", "")):
            if getattr(self, name) != usual and self.kind != kind:
                message = (
                    f"{name} is {getattr(self, name)!r} and kind '{self.kind}': only '{kind}' reads it. Take that kind."
                )
                raise RequestError(message)

    @classmethod
    def preset(cls, name: str) -> "Prompt":
        """``default``, ``simple``, ``portrait`` or ``graded``.

        The default is the portrait, because it is the stronger of the two published baselines that have no dial (9.43
        against 8.39 on PersonalityBench, SCIENCE.md 2.5): what a method gains over prompts is said of the best one.

        Raises:
            UnknownNameError: there is no such preset.
        """
        match name:
            case "default":
                return cls()
            case "simple" | "portrait" | "graded":
                return cls(kind=name, condition=name)
            case _:
                raise UnknownNameError(kind="preset", asked=name, known=PRESETS)

    @property
    def name(self) -> str:
        """As on the command line and in records."""
        return "prompt"

    def fit(self, subject: Subject, target: Target, opinions: Opinions, workspace: Workspace = Workspace()) -> Edit:
        """A prompt for one target; see ``fit_each``."""
        return self.fit_each(subject, [target], opinions, workspace)[0]

    def fit_each(
        self,
        subject: Subject,
        targets: Sequence[Target],
        opinions: Opinions,  # noqa: ARG002 - a prompt is written from words
        workspace: Workspace = Workspace(),
    ) -> list[Edit]:
        """A prompt for each target.

        Raises:
            RequestError: the file of portraits has none of a target.
            BadFileError: the file of portraits cannot be read.
        """
        edits: list[Edit] = []
        for target in targets:
            edits.append(ContextEdit(origin_of(self, subject, target), system=self.text(target)))
            if workspace.watch:
                workspace.watch(FitProgress(len(edits), len(targets)))
        return edits

    def effort(
        self,
        subject: Subject,  # noqa: ARG002 - it is not asked
        targets: Sequence[Target],  # noqa: ARG002
        opinions: Opinions,  # noqa: ARG002
    ) -> Effort:
        """None at all."""
        return Effort()

    def text(self, target: Target) -> str:
        """What the model is told of a target."""
        match self.kind:
            case "simple":
                return SIMPLE.format(adjective=find_trait(target.trait).adjective(target.pole))
            case "portrait":
                return PORTRAIT.format(text=self._portrait(target))
            case "graded":
                return GRADED.format(words=graded_words(target, self.level))

    def _portrait(self, target: Target) -> str:
        found = [portrait.text for portrait in load_portraits(self.portraits or None) if portrait.target == target]
        if found:
            return found[self.seed % len(found)]
        if self.portraits:
            message = f"{self.portraits} has no portrait of {target}: add one, or take kind 'simple' or 'graded'."
            raise RequestError(message)
        return PORTRAIT_OF_WORDS.format(words=listed(find_trait(target.trait).adjectives(target.pole)))


def graded_words(target: Target, level: int) -> str:
    """The adjectives of a trait at one of nine levels: 1, the other pole, to 9, the pole of the target."""
    trait = find_trait(target.trait)
    other: Pole = "low" if target.pole == "high" else "high"
    if level == NEUTRAL:
        # The poles need not have as many adjectives: those without a partner are left out.
        pairs = zip(trait.adjectives(other), trait.adjectives(target.pole), strict=False)
        return listed([f"neither {one} nor {its}" for one, its in pairs])
    pole = target.pole if level > NEUTRAL else other
    qualifier = QUALIFIERS[HIGHEST - max(level, 10 - level)]
    return listed([f"{qualifier}{adjective}" for adjective in trait.adjectives(pole)])
