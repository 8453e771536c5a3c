"""Where each figure comes from: the files of its cell, with the number of their rows."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from temperament.record import Figure, Label
from temperament.report.board import BASE, NAMES, Arm
from temperament.run import Run

# Folders of a run that hold no rows of cells.
NO_ROWS = frozenset({"edits", "checkpoints"})
CELL = "CELL"
Key = tuple[object, ...]


@dataclass(frozen=True)
class File:
    """A file of rows, as a path inside the run's folder."""

    path: str
    rows: int

    @property
    def folder(self) -> str:
        """In which it lies."""
        return self.path.partition("/")[0]


@dataclass(frozen=True)
class Source:
    """One cell.

    Attributes:
        anchor: of its row on the page.
        asked: questions that were asked.
        answered: of them those with a reply.
        rows: of the file of this cell in each folder.
    """

    anchor: str
    cell: str
    label: Label
    seed: int
    asked: int
    answered: int
    rows: dict[str, int]


@dataclass(frozen=True)
class Group:
    """The cells of one arm, or of the untouched model."""

    anchor: str
    name: str
    sources: list[Source]


@dataclass(frozen=True)
class Origin:
    """Which rows the figures of one scorer are made from.

    Attributes:
        metrics: that it gives.
        files: in words, ``CELL`` standing for the name of a cell.
    """

    scorer: str
    metrics: list[str]
    files: list[str]


class Sources:
    """The cells of a run by what was done to the model, and the files of each."""

    def __init__(self, run: Run) -> None:
        self._paths = _paths(run.folder)
        self._found: dict[Key, Source] = {}
        self._arms: dict[Key, list[Source]] = {}
        for name, records in run.cells.items():
            if not records:
                continue
            first = records[0]
            label, seed = first.label, first.generation.seed
            answered = sum(record.reply is not None for record in records)
            anchor = f"cell-{len(self._found) + 1}"
            rows = {file.folder: file.rows for file in self._paths.get(name, [])}
            source = Source(anchor, name, label, seed, len(records), answered, rows)
            self._found[(first.subject, *_key(label), seed)] = source
            self._arms.setdefault((first.subject, *_key(label)[:3]), []).append(source)

    def anchor(self, figure: Figure | None) -> str:
        """Of the row of the cell that a figure is of; empty where the run has no records of it."""
        if figure is None:
            return ""
        label = Label(figure.method, figure.condition, figure.trait, figure.pole, figure.strength)
        source = self._found.get((figure.subject, *_key(label), figure.seed))
        return source.anchor if source else ""

    def arm_anchor(self, arm: Arm) -> str:
        """Of the rows of an arm, whatever the target and seed; empty where the run has no records of it."""
        found = self._arms.get((arm.subject, arm.method, arm.condition, arm.strength))
        return f"from-{found[0].anchor}" if found else ""

    def base_anchor(self, subject: str) -> str:
        """Of the rows of the untouched model."""
        found = [own for key, own in self._arms.items() if key[:2] == (subject, BASE)]
        return f"from-{found[0][0].anchor}" if found else ""

    @property
    def groups(self) -> list[Group]:
        """All cells, the untouched model first."""
        order = sorted(self._arms.items(), key=lambda one: one[1][0].label.method != BASE)
        ways = Counter(key[:3] for key in self._arms)
        return [Group(f"from-{own[0].anchor}", _name(own[0].label, ways[key[:3]]), own) for key, own in order]

    @property
    def folders(self) -> list[str]:
        """In which cells have rows, records and scores first."""
        names = {folder for source in self._found.values() for folder in source.rows}
        return sorted(names, key=_rank)

    @property
    def shared(self) -> list[File]:
        """Files of rows that belong to no cell, such as what the untouched model made of given texts."""
        cells = {source.cell for source in self._found.values()}
        return [file for name, files in self._paths.items() if name not in cells for file in files]


def origins(run: Run) -> list[Origin]:
    """Which files the figures of each scorer are made from, in the order of the figures."""
    metrics: dict[str, dict[str, None]] = {}
    for figure in run.results.figures:
        metrics.setdefault(figure.scorer, {})[figure.metric] = None
    paths = [file.path for files in _paths(run.folder).values() for file in files]
    cells = set(run.cells)
    return [
        Origin(scorer, sorted(names), _files(scorer, run, _folders(paths, cells))) for scorer, names in metrics.items()
    ]


def _files(scorer: str, run: Run, folders: dict[str, list[str]]) -> list[str]:
    """Rows of replies and their scores, or those of a stage of its own that bears the scorer's name."""
    if any(scorer in row for rows in run.scores.values() for row in rows[:1]):
        return [f"records/{CELL}.jsonl", f"scores/{CELL}.jsonl under {scorer}"]
    stem = scorer.rstrip("s")
    mine = [folder for folder in folders if folder.rstrip("s") == stem or folder.startswith(stem)]
    found = [file for folder in mine for file in (f"{folder}/{CELL}.jsonl", *folders[folder])]
    return found or [f"records/{CELL}.jsonl"]


def _folders(paths: Iterable[str], cells: set[str]) -> dict[str, list[str]]:
    """Folders of rows, each with its files that belong to no cell."""
    found: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        shared = found.setdefault(folder, [])
        if name.removesuffix(".jsonl") not in cells:
            shared.append(path)
    return found


def _paths(folder: Path) -> dict[str, list[File]]:
    """Files of JSON lines one folder down, by the name of the cell."""
    found: dict[str, list[File]] = {}
    paths = [path for path in folder.glob("*/*.jsonl") if path.parent.name not in NO_ROWS]
    for path in sorted(paths, key=lambda path: (*_rank(path.parent.name), path.name)):
        if not path.name.startswith("."):
            rows = sum(bool(line.strip()) for line in path.read_bytes().split(b"\n"))
            found.setdefault(path.stem, []).append(File(f"{path.parent.name}/{path.name}", rows))
    return found


def _rank(folder: str) -> tuple[int, str]:
    return ({"records": 0, "scores": 1}.get(folder, 2), folder)


def _key(label: Label) -> tuple[object, ...]:
    """What makes a cell, but for subject and seed; the untouched model has no target, whichever it is measured for."""
    if label.method == BASE:
        return (BASE, label.condition, 0.0, "", "")
    return (label.method, label.condition, label.strength, label.trait or "", label.pole or "")


def _name(label: Label, strengths: int) -> str:
    """Of an arm, with its strength where it is not 1, or where there are several."""
    if label.method == BASE:
        return NAMES[BASE] + (f" ({label.condition})" if label.condition else "")
    arm = Arm("", label.method, label.condition, label.strength)
    return arm.name if label.strength == 1 and strengths == 1 else f"{arm.name} at strength {label.strength:g}"
