"""NPTI: find the neurons that tell the poles of a trait apart, and move them while the model replies.

Source: Deng et al. 2025, Neuron-based Personality Trait Induction in Large Language Models (ICLR 2025).
Departs from the released code: every neuron that passes is moved, where 10 % are dropped at random at every call,
without a seed; prefill and decoding are told apart by the subject's marks, not by a number of rows; both poles come
from one search; and the first token of a reply is steered too, so the position that it is read off, the last of the
prompt, is steered and counted. From the paper: situations and portraits are our own, and replies are shorter by
default.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from temperament.edit.base import Edit
from temperament.errors import BadFileError, RequestError, UnknownNameError
from temperament.opinion.row import Opinions
from temperament.record import Generation
from temperament.shape.neurons.finding import TraitNeurons, check_gated, read_neurons
from temperament.shape.neurons.scene import Description, Scenes, Script, answers_given
from temperament.shape.neurons.search import Counted, Search, SearchWatch, find_neurons
from temperament.shape.neurons.selection import Rule, Selection
from temperament.shape.protocol import Effort, FitProgress, Workspace, opened, origin_of
from temperament.subject.base import Subject
from temperament.subject.open import BATCH, OpenSubject
from temperament.trait import Target

PRESETS = ("default", "paper", "effect", "answer")
# Steps of a search that a watcher is told.
STEPS = 100


@dataclass(frozen=True)
class Neurons:
    """Find and move the neurons of a trait.

    Attributes:
        tokens: that statistics are taken over: ``generated``, those that the model writes under a description of each
            pole; ``prompt``, what it reads before; ``all``, both; ``answer``, those of the opinions, and nothing is
            written.
        rule: that chooses neurons: ``difference`` in how often they fire, ``effect`` size and magnitude (DPN-LE),
            or the ``top`` ones.
        threshold: of ``difference``: how much more often, as a share of tokens.
        floor: of ``difference``: at least this share of all neurons a pole (2,000 of the 458,752 of LLaMA-3-8B).
        effect_size: of ``effect``: Cohen's d over tokens is above it. DPN-LE takes d over the last prompt tokens of
            1,000 texts; over tokens, the same bound is the stricter one.
        magnitude: of ``effect``: the means of the poles differ more than those of this share of the layer's neurons.
        top: of ``top``: how many, both poles together.
        gamma: the gain; the paper tries 0.6 to 1.5.
        description: of a pole, before each situation: a ``portrait`` (or adjectives, where the trait has none), all
            ``adjectives``, or the ``simple`` one that names the pole.
        situations: a file of them, as JSON lines of ours or of PersonalityBench; empty for those that are shipped,
            which cover the Big Five. Only the split ``find`` is asked.
        portraits: a file of them; empty for those that are shipped.
        questions: situations that are asked, drawn by the seed; 0 asks all.
        max_new_tokens: of a reply. The paper writes 500; with 100 a trait takes a small model a few minutes on a
            laptop.
        seed: of the draws.
        condition: name of these settings in records.
    """

    tokens: Counted = "generated"
    rule: Rule = "difference"
    threshold: float = 0.10
    floor: float = 0.00436
    effect_size: float = 0.8
    magnitude: float = 0.995
    top: int = 2000
    gamma: float = 1.4
    description: Description = "portrait"
    situations: str = ""
    portraits: str = ""
    questions: int = 0
    max_new_tokens: int = 100
    seed: int = 0
    condition: str = "default"

    def __post_init__(self) -> None:
        self._selection()
        for name, is_right, range_ in (
            ("gamma", self.gamma >= 0, "at least 0"),
            ("questions", self.questions >= 0, "at least 0, which is all of them"),
            ("max_new_tokens", self.max_new_tokens >= 1, "at least 1"),
        ):
            if not is_right:
                message = f"{name} is {getattr(self, name):g}: it needs to be {range_}."
                raise RequestError(message)
        if self.portraits and self.description != "portrait":
            message = (
                f"portraits is {self.portraits!r} and description '{self.description}': only 'portrait' reads them. "
                f"Take that description."
            )
            raise RequestError(message)

    @classmethod
    def preset(cls, name: str) -> "Neurons":
        """``default``; ``paper``, with replies of up to 500 tokens; ``effect``, by DPN-LE's rule; ``answer``.

        Raises:
            UnknownNameError: there is no such preset.
        """
        match name:
            case "default":
                return cls()
            case "paper":
                return cls(max_new_tokens=500, condition=name)
            case "effect":
                return cls(rule="effect", condition=name)
            case "answer":
                return cls(tokens="answer", condition=name)
            case _:
                raise UnknownNameError(kind="preset", asked=name, known=PRESETS)

    @property
    def name(self) -> str:
        """As on the command line and in records."""
        return "neurons"

    def fit(self, subject: Subject, target: Target, opinions: Opinions, workspace: Workspace = Workspace()) -> Edit:
        """An edit for one target; see ``fit_each``."""
        return self.fit_each(subject, [target], opinions, workspace)[0]

    def fit_each(
        self,
        subject: Subject,
        targets: Sequence[Target],
        opinions: Opinions,
        workspace: Workspace = Workspace(),
    ) -> list[Edit]:
        """An edit for each target, both poles of a trait from one search.

        Raises:
            SeamError: the subject's weights are not at hand, or it has no gated MLPs.
            RequestError: there is nothing to read for a trait, or no neuron tells its poles apart.
            BadFileError: a file of situations or portraits cannot be read.
            TrainingError: the logits are no finite numbers.
        """
        subject = opened(subject, self.name)
        check_gated(subject)
        scenes = self._scenes(subject, targets, opinions)
        found: dict[str, TraitNeurons] = {}
        for number, trait in enumerate(scenes):
            watch = _watching(workspace, number, len(scenes))
            found[trait] = self._found(subject, trait, scenes[trait], _own(workspace, number), watch)
            watch(1.0, trait)
        edits: list[Edit] = []
        for target in targets:
            neurons = found[target.trait]
            origin = origin_of(
                self,
                subject,
                target,
                rows=sum(len(texts) for texts in scenes[target.trait].values()),
                tokens=sum(neurons.tokens.values()),
                settings=neurons.summary(target.pole),
            )
            edits.append(neurons.edit_for(target.pole, self.gamma, origin))
        return edits

    def find(
        self, subject: Subject, trait: str, opinions: Opinions, workspace: Workspace = Workspace()
    ) -> TraitNeurons:
        """The neurons of a trait, with all that is known of them; raises what ``fit_each`` raises."""
        subject = opened(subject, self.name)
        check_gated(subject)
        scenes = self._scenes(subject, [Target(trait)], opinions)
        return self._found(subject, trait, scenes[trait], workspace, _watching(workspace, 0, 1))

    def effort(self, subject: Subject, targets: Sequence[Target], opinions: Opinions) -> Effort:
        """Tokens that are written, at most, and read: prompts once, and all texts once more for percentiles."""
        subject = opened(subject, self.name)
        scenes = self._scenes(subject, targets, opinions)
        texts = [text for poles in scenes.values() for each in poles.values() for text in each]
        given = sum(len(text) for text in texts)
        written = self.max_new_tokens * len(texts) if self.tokens in ("generated", "all") else 0
        passes = 3 if self.tokens == "all" else 2
        rows = max(len(each) for poles in scenes.values() for each in poles.values())
        return Effort(read=passes * given + (passes - 1) * written, written=written, rows=min(BATCH, rows))

    def _scenes(self, subject: OpenSubject, targets: Sequence[Target], opinions: Opinions) -> dict[str, Scenes]:
        traits = dict.fromkeys(target.trait for target in targets)
        if self.tokens == "answer":
            return {trait: answers_given(subject, trait, opinions) for trait in traits}
        script = Script(self.description, self.situations, self.portraits, self.questions, self.seed)
        return {trait: script.scenes(subject, trait) for trait in traits}

    def _found(
        self, subject: OpenSubject, trait: str, scenes: Scenes, workspace: Workspace, watch: SearchWatch
    ) -> TraitNeurons:
        """The neurons of a trait, from the checkpoint where it holds this very search."""
        identity = self._identity(subject, scenes)
        path = workspace.checkpoint
        if path and path.exists():
            try:
                neurons, note = read_neurons(path)
            except BadFileError:
                note, neurons = "", None
            if neurons is not None and note == identity:
                return neurons
        neurons = find_neurons(subject, trait, scenes, self._search(), watch)
        if path:
            neurons.save(path, identity)
        return neurons

    def _identity(self, subject: OpenSubject, scenes: Scenes) -> str:
        """What must be equal for a checkpoint to be of this search."""
        texts = {pole: [[text.prompt, text.answer] for text in each] for pole, each in scenes.items()}
        parts = [subject.fingerprint, subject.precision, self._search(), texts]
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()

    def _search(self) -> Search:
        generation = Generation(temperature=0.0, max_new_tokens=self.max_new_tokens, repetition_penalty=1.1)
        return Search(self.tokens, generation, self._selection())

    def _selection(self) -> Selection:
        return Selection(self.rule, self.threshold, self.floor, self.effect_size, self.magnitude, self.top)


def _own(workspace: Workspace, number: int) -> Workspace:
    """Searches that follow one another keep checkpoints of their own."""
    path = workspace.checkpoint
    if path is None or number == 0:
        return workspace
    return Workspace(path.with_name(f"{path.stem}-{number}{path.suffix}"), workspace.seconds, workspace.watch)


def _watching(workspace: Workspace, number: int, searches: int) -> SearchWatch:
    def watch(share: float, note: str) -> None:
        if workspace.watch:
            workspace.watch(FitProgress(round((number + share) * STEPS), searches * STEPS, note))

    return watch
