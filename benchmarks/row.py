"""Rows: what was measured against what, how often, and whether a goal was met."""

import argparse
import ctypes
import gc
import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

COLUMNS = ("name", "ours", "peer", "ratio", "unit", "repetitions", "goal", "note")


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        name: part and comparison, as ``generation: sampled replies``.
        ours: median over the repetitions.
        peer: of what it is compared with; None where there is nothing.
        ratio: ours divided by peer, the median of the ratios within repetitions.
        unit: of ``ours`` and ``peer``.
        repetitions: ours and the peer's of each.
        goal: ``at least X`` or ``at most X``, about the ratio; empty where there is none.
        note: what was compared, and what else was seen.
    """

    name: str
    ours: float
    peer: float | None
    ratio: float | None
    unit: str
    repetitions: tuple[tuple[float, float | None], ...]
    goal: str = ""
    note: str = ""


@dataclass(frozen=True)
class Spent:
    """Time of a piece of work.

    Attributes:
        seconds: by the clock.
        computed: seconds of all cores; beside other work on the machine they change less.
    """

    seconds: float
    computed: float


def spent(work: Callable[[], object]) -> Spent:
    """Do a piece of work, to its end on a GPU too."""
    _wait()
    start, computed = time.perf_counter(), time.process_time()
    work()
    _wait()
    return Spent(time.perf_counter() - start, time.process_time() - computed)


def take_turns(works: Mapping[str, Callable[[], Spent]], repetitions: int) -> dict[str, list[Spent]]:
    """Each piece of work once a repetition, so that what slows the machine down slows them all.

    Every second repetition goes backwards: none of them always comes after the same other.
    """
    found: dict[str, list[Spent]] = {name: [] for name in works}
    for number in range(repetitions):
        for name in list(works)[:: -1 if number % 2 else 1]:
            found[name].append(works[name]())
            print(f"  {number + 1}/{repetitions} {name}: {found[name][-1].seconds:.2f} s", flush=True)
    return found


def compared(
    name: str, unit: str, times: tuple[Sequence[Spent], Sequence[Spent]], amount: float | None, **told: str
) -> Row:
    """A row from the times of ours and of a peer.

    Args:
        name: of the row.
        unit: of an amount a second; of time where there is no amount.
        times: ours and the peer's, by repetition.
        amount: of work in each.
        told: goal and note.
    """
    ours, peer = ([amount / each.seconds if amount else each.seconds for each in some] for some in times)
    by_cores = [a.computed / b.computed for a, b in zip(*times, strict=True) if b.computed]
    if by_cores:
        share = 1 / median(by_cores) if amount else median(by_cores)
        told["note"] = f"{told.get('note', '')} (by time of the cores {share:.2f})".strip()
    return row_of(name, unit, ours, peer, **told)


def row_of(name: str, unit: str, ours: Sequence[float], peer: Sequence[float], **told: str) -> Row:
    """A row from the values of ours and of a peer, by repetition."""
    ratio = median(a / b for a, b in zip(ours, peer, strict=True))
    return Row(name, median(ours), median(peer), ratio, unit, tuple(zip(ours, peer, strict=True)), **told)


def is_met(row: Mapping[str, Any]) -> bool | None:
    """Whether the ratio keeps to the goal; None without one. A goal that is a number is the least ratio."""
    goal, ratio = row.get("goal"), row.get("ratio")
    if not goal or ratio is None:
        return None
    if not isinstance(goal, str):
        return ratio >= goal
    kind, _, bound = goal.rpartition(" ")
    if kind not in ("at least", "at most"):
        message = f"'{goal}' is no goal: write 'at least 1.5' or 'at most 1.05'."
        raise ValueError(message)
    return ratio >= float(bound) if kind == "at least" else ratio <= float(bound)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as text, with notes below."""
    lines: list[tuple[str, ...]] = [("", "ours", "peer", "ratio", "unit", "goal", "")]
    for row in rows:
        verdict = {True: "met", False: "MISSED", None: ""}[is_met(row)]
        numbers = tuple(_shown(row.get(column)) for column in ("ours", "peer", "ratio"))
        lines.append((str(row["name"]), *numbers, str(row["unit"]), str(row.get("goal") or ""), verdict))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        "  ".join(cell.rjust(width) if 1 <= column <= 3 else cell.ljust(width) for column, (cell, width) in enumerate(
            zip(line, widths, strict=True)
        )).rstrip()
        for line in lines
    ]  # fmt: skip
    notes = [f"{row['name']}: {row['note']}" for row in rows if row.get("note")]
    return "\n".join([*text, "", *notes])


def write(rows: Sequence[Row], path: Path | None) -> None:
    """Print the table; write the rows as JSON where there is a path."""
    print(table([asdict(row) for row in rows]), flush=True)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The arguments that every part has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the rows there, as JSON")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--model", choices=("smollm2", "tiny", "7b"), help="default: smollm2, on cuda 7b")
    parser.add_argument("--repetitions", type=int, default=3)
    return parser


@contextmanager
def peak_memory(device: str) -> Generator[list[float]]:
    """The most memory in MB that was taken in the block beyond what was taken before; empty where nobody counts it."""
    found: list[float] = []
    before = _memory(device, is_new=True)
    yield found
    after = _memory(device, is_new=False)
    if before is not None and after is not None:
        # Of less than 1 MB nothing can be said.
        found.append(max(1.0, (after - before) / 1e6))


def _memory(device: str, *, is_new: bool) -> float | None:
    """Memory in bytes: what is taken now, as the count begins, then the most since."""
    if device == "cuda":
        import torch

        if is_new:
            torch.cuda.reset_peak_memory_stats()
        return float(torch.cuda.memory_allocated() if is_new else torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    if is_new:
        _give_back()
        # Linux lowers the high-water mark to what is taken now.
        Path("/proc/self/clear_refs").write_text("5")
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return float(fields["VmRSS" if is_new else "VmHWM"].split()[0]) * 1024


def _give_back() -> None:
    """Give freed memory back, so that the next piece of work takes anew what it needs."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
