"""A study's plan: what to shape, how, and what to ask; one TOML file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any, cast

from temperament.errors import RequestError, UnknownNameError
from temperament.explain.plan import ExplainPlan
from temperament.measure.inventory.plan import InventoryPlan
from temperament.measure.judge.plan import JudgePlan
from temperament.opinion.row import SHIPPED, Split
from temperament.record import Generation
from temperament.settings import build, override, read_toml, table_of
from temperament.study.strength import check_mix, check_strengths
from temperament.trait import Target, Trait, custom_traits, load_trait, register, table_of_trait, trait_from


@dataclass(frozen=True)
class SubjectPlan:
    """The model.

    Attributes:
        model: a hub id, a folder, ``builtin:NAME`` or an ``http(s)://`` endpoint.
        precision: auto, float32, bfloat16 or nf4.
        trust_remote_code: run code that comes with the model.
    """

    model: str = "builtin:smollm2"
    precision: str = "auto"
    trust_remote_code: bool = False


@dataclass(frozen=True)
class OpinionPlan:
    """The opinions.

    Attributes:
        path: a file or folder, or several that are taken together; 'shipped', or None, is the shipped Opinion QA.
        topics: of the split ``shape`` that edits are fitted to, in order; None is all.
        questions_per_answer: rows kept of each answer in the split ``shape``, which pairs an answer with several
            questions; None keeps all.
    """

    path: str | tuple[str, ...] | None = None
    topics: int | None = None
    questions_per_answer: int | None = None

    @classmethod
    def of(cls, paths: Sequence[str]) -> "OpinionPlan":
        """The opinions of some paths, as a command is given them; none are the shipped ones."""
        return cls(paths[0] if len(paths) == 1 else tuple(paths) or None)

    @property
    def paths(self) -> tuple[str, ...]:
        """The path or paths, as `load_opinions` takes them."""
        return (self.path,) if isinstance(self.path, str) else self.path or (SHIPPED,)


@dataclass(frozen=True)
class MethodPlan:
    """A way to shape.

    Attributes:
        name: of the method; or ``adapter``, an edit that is there already.
        preset: of its settings.
        path: of the edit, for ``adapter``; or of several, which are applied together.
        strengths: of its edits; None takes those of the study.
        settings: that differ from the preset; ``adapter`` knows ``condition``, and ``mix``, a strength for each path.
    """

    name: str
    preset: str = "default"
    path: str | tuple[str, ...] | None = None
    strengths: tuple[float, ...] | None = None
    settings: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        is_adapter = self.name == "adapter"
        if is_adapter != (self.path is not None):
            message = (
                "method 'adapter' needs the path of an edit: write path = \"FOLDER\"."
                if is_adapter
                else f"method '{self.name}' was given the path {self.path}: only 'adapter' has one."
            )
            raise RequestError(message)
        for key in self.settings if is_adapter else ():
            if key not in ("condition", "mix"):
                raise UnknownNameError(kind="setting", asked=key, known=("condition", "mix"), place="method adapter")
        if is_adapter:
            check_mix(self.paths, self.settings.get("mix"))
        if self.strengths is not None:
            object.__setattr__(self, "strengths", tuple(float(strength) for strength in self.strengths))
            check_strengths(self.strengths or ())

    @property
    def paths(self) -> tuple[str, ...]:
        """Of the edits of an adapter; none for a method."""
        return (self.path,) if isinstance(self.path, str) else self.path or ()


# What shapes a model or trains its judge is never asked.
ASKED_SPLITS: tuple[Split, ...] = ("validation", "test")


@dataclass(frozen=True)
class InterviewPlan:
    """What is asked, and how replies are drawn.

    Attributes:
        split: of the opinions whose questions are asked.
        questions_per_topic: of those; None asks all.
        topics: how many, in order; None is all.
        temperature: 0 is greedy.
        top_p: of the nucleus.
        max_new_tokens: of a reply.
    """

    split: Split = "test"
    questions_per_topic: int | None = None
    topics: int | None = None
    temperature: float = 0.7
    top_p: float = 0.9
    max_new_tokens: int = 150

    def __post_init__(self) -> None:
        if self.split not in ASKED_SPLITS:
            raise UnknownNameError(kind="split to ask", asked=self.split, known=ASKED_SPLITS)
        for name in ("questions_per_topic", "topics", "max_new_tokens"):
            if (value := getattr(self, name)) is not None and value < 1:
                message = f"interview.{name} is {value}: it needs to be at least 1."
                raise RequestError(message)
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            message = (
                f"interview.temperature is {self.temperature} and top_p {self.top_p}: the first needs to be at least "
                f"0, the second above 0 and at most 1."
            )
            raise RequestError(message)


@dataclass(frozen=True)
class MeasurePlan:
    """Who scores, and what the model is given to read.

    Attributes:
        embedder: of the trait classifier.
        answers: topics whose reference answers are read, for edit success.
        passages: neutral ones that are read, for drawdown.
        latent: cells read their own replies, for latent emojis.
        is_forced: the classifier may not be unsure, as in the paper: every reply reads as its most probable pole.
    """

    embedder: str = "builtin:smollm2"
    answers: int = 20
    passages: int = 16
    latent: bool = True
    is_forced: bool = False

    def __post_init__(self) -> None:
        for name in ("answers", "passages"):
            if (value := getattr(self, name)) < 0:
                message = f"measure.{name} is {value}: it needs to be at least 0, which reads none."
                raise RequestError(message)


@dataclass(frozen=True)
class Cell:
    """One condition of a study: which edit, at which strength, with which seed."""

    method: str
    condition: str = ""
    target: Target | None = None
    strength: float = 0.0
    seed: int = 0

    @property
    def edit(self) -> str:
        """Name of the edit's folder."""
        parts = [self.method, slug(self.condition)]
        parts += [self.target.trait, self.target.pole] if self.target else []
        return "-".join(filter(None, [*parts, f"s{self.seed}"]))

    @property
    def name(self) -> str:
        """Name of the cell's files."""
        if self.method == "base":
            return f"base-s{self.seed}"
        stem, _, seed = self.edit.rpartition("-")
        return f"{stem}-x{self.strength:g}-{seed}"


@dataclass(frozen=True)
class Study:
    """A plan of cells: subject x method x target x strength x seed, and the untouched model beside them.

    Attributes:
        name: of the study, also of its folder.
        title: for the report.
        traits: that are no Big Five ones; those of the targets are added, so that a run's folder explains itself.
        targets: ``trait`` or ``trait:pole``.
        strengths: of every edit.
        seeds: of fitting and of replies.
        method: ways to shape.
    """

    name: str
    title: str = ""
    traits: tuple[Trait, ...] = ()
    targets: tuple[str, ...] = ()
    strengths: tuple[float, ...] = (1.0,)
    seeds: tuple[int, ...] = (0,)
    subject: SubjectPlan = SubjectPlan()
    opinions: OpinionPlan = OpinionPlan()
    method: tuple[MethodPlan, ...] = ()
    interview: InterviewPlan = InterviewPlan()
    measure: MeasurePlan = MeasurePlan()
    inventory: InventoryPlan = InventoryPlan()
    judge: JudgePlan = JudgePlan()
    explain: ExplainPlan = ExplainPlan()

    def __post_init__(self) -> None:
        if not self.seeds:
            message = f"study '{self.name}' has no seeds: name at least one, such as seeds = [0]."
            raise RequestError(message)
        if min(self.seeds) < 0:
            message = f"seeds are {list(self.seeds)}: they need to be at least 0."
            raise RequestError(message)
        for trait in self.traits:
            register(trait)
        wanted = {target.trait for target in self.wanted}
        added = (trait for trait in custom_traits() if trait.name in wanted)
        object.__setattr__(self, "traits", tuple(dict.fromkeys((*self.traits, *added))))
        if any(plan.name != "adapter" for plan in self.method) and not self.targets:
            message = f"study '{self.name}' has methods and no targets: name some, such as targets = [\"openness\"]."
            raise RequestError(message)
        check_strengths(self.strengths)

    @property
    def wanted(self) -> tuple[Target, ...]:
        """The targets as values."""
        return tuple(Target.parse(target) for target in self.targets)

    def cells(self) -> list[Cell]:
        """The untouched model once a seed, and every edit at every strength."""
        found = [Cell("base", seed=seed) for seed in self.seeds]
        for plan, seed in product(self.method, self.seeds):
            wanted = self.wanted if plan.name != "adapter" or self.targets else (None,)
            strengths = self.strengths if plan.strengths is None else plan.strengths
            _check_dial(plan, strengths)
            _check_scope(plan)
            for target, strength in product(wanted, strengths):
                found.append(Cell(plan.name, condition_of(plan), target, strength, seed))
        if self.explain.lenses and not self.explained(found):
            there = sorted({cell.strength for cell in found if cell.method != "base"})
            message = (
                f"explain.strength is {self.explain.strength:g}, and study '{self.name}' has edits at {there}: "
                f"name one of these."
            )
            raise RequestError(message)
        names = [cell.name for cell in found]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            message = (
                f"study '{self.name}' has two cells of the name {twice}: name every target, strength and seed once, "
                f"and give methods that differ a 'condition' setting."
            )
            raise RequestError(message)
        return found

    def explained(self, cells: Sequence[Cell]) -> list[Cell]:
        """The edits that lenses look into: those at the strength that the plan names, and those without a dial."""
        from temperament.shape.registry import WITHOUT_DIAL

        edits = [cell for cell in cells if cell.method != "base"]
        return [cell for cell in edits if cell.strength == self.explain.strength or cell.method in WITHOUT_DIAL]

    def generation(self, seed: int) -> Generation:
        """How replies are drawn under a seed."""
        plan = self.interview
        return Generation(plan.temperature, plan.top_p, plan.max_new_tokens, seed)

    def to_toml(self) -> str:
        """The plan as a study file, defaults filled in, with the whole definition of every custom trait."""
        import tomli_w

        table = table_of(self)
        del table["traits"]
        traits = {"traits": [table_of_trait(trait) for trait in self.traits]} if self.traits else {}
        return tomli_w.dumps({**table, **traits}, indent=2)


def _check_dial(plan: MethodPlan, strengths: Sequence[float]) -> None:
    """Raises RequestError where a method that has no dial is to have another strength than 1."""
    if plan.name == "adapter" or all(strength == 1.0 for strength in strengths):
        return
    from temperament.shape.registry import NAMES, WITHOUT_DIAL

    if plan.name in WITHOUT_DIAL:
        message = (
            f"strengths {list(strengths)} were asked for: method '{plan.name}' has no dial. Give it strengths = [1.0] "
            f"of its own; a dial have {', '.join(name for name in NAMES if name not in WITHOUT_DIAL)}."
        )
        raise RequestError(message)


def _check_scope(plan: MethodPlan) -> None:
    """Raises RequestError where a method is to edit for one topic alone, on which a study never asks."""
    if plan.name == "adapter":
        return
    from temperament.shape.registry import make_method

    method = make_method(plan.name, plan.preset, plan.settings)
    if getattr(method, "scope", "global") == "topic":
        message = (
            f"method '{plan.name}' has scope 'topic': that makes one edit from the opinion on one topic, and a study "
            f'asks about other topics, so that no figure would be of it. Take scope = "global" in a study; an edit for '
            f"one topic is for `temperament fit`, or for an editor's edit()."
        )
        raise RequestError(message)


def condition_of(plan: MethodPlan) -> str:
    """The name in records of a method's settings."""
    if plan.name == "adapter":
        return str(plan.settings.get("condition", ""))
    from temperament.shape.registry import make_method

    return str(getattr(make_method(plan.name, plan.preset, plan.settings), "condition", ""))


def slug(text: str) -> str:
    """A text as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.+_]+", "-", text).strip("-.")


def presets() -> dict[str, Path]:
    """The study files that ship in the package, by name."""
    folder = Path(str(files("temperament.study") / "presets"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_study(source: str | Path, assignments: Sequence[str] = ()) -> Study:
    """A study from a TOML file or a preset's name, with ``a.b=value`` assignments; its custom traits are registered.

    Paths of opinions and traits in the file are looked for beside the file, then from the working folder.

    Raises:
        BadFileError: the file does not exist or is not TOML.
        UnknownNameError: a setting, trait, method or preset does not exist.
        RequestError: a value is of the wrong type, or the plan makes no sense.
    """
    path = Path(source)
    if not path.exists() and path.suffix != ".toml":
        known = presets()
        if str(source) not in known:
            raise UnknownNameError(kind="study preset", asked=str(source), known=known)
        path = known[str(source)]
    return study_from(override(_from_here(read_toml(path), path.parent), assignments), str(path.name))


def study_from(table: Mapping[str, Any], place: str) -> Study:
    """A study from a table; strengths may be written as whole numbers, traits as files or as whole definitions."""
    traits = _traits(table.get("traits", []), f"{place}.traits")
    rest = {key: value for key, value in table.items() if key != "traits"}
    study = build(Study, {"name": Path(place).stem, **rest}, place)
    return replace(study, traits=traits, strengths=tuple(float(strength) for strength in study.strengths))


def _traits(entries: Any, place: str) -> tuple[Trait, ...]:
    if not isinstance(entries, list) or not all(isinstance(entry, (str, dict)) for entry in cast(list[Any], entries)):
        message = f'{place} is {entries!r}: write a list of files, such as traits = ["playfulness.toml"].'
        raise RequestError(message)
    found = [
        load_trait(entry) if isinstance(entry, str) else trait_from(entry, f"{place}.{number}")
        for number, entry in enumerate(cast(list[Any], entries))
    ]
    # Before the study is built, because its targets are checked then.
    return tuple(register(trait) for trait in found)


def _from_here(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A study's table with the paths that lie beside its file as paths from the working folder."""
    found = dict(table)
    if "traits" in found:
        found["traits"] = _beside(found["traits"], folder)
    opinions = found.get("opinions")
    if isinstance(opinions, dict) and "path" in opinions:
        found["opinions"] = {**opinions, "path": _beside(opinions["path"], folder)}
    return found


def _beside(path: Any, folder: Path) -> Any:
    if isinstance(path, list):
        return [_beside(one, folder) for one in cast(list[Any], path)]
    is_beside = isinstance(path, str) and path not in ("", SHIPPED) and (folder / path).exists()
    return str(folder / path) if is_beside else path
