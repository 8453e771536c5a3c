"""All comparisons one after the other, each in a process of its own, and one table of them: ``make bench``."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.row import COLUMNS, is_met, table

HERE = Path(__file__).parent
PARTS = ("generation", "steering", "neurons", "training")


def main() -> None:
    """Run the parts that were asked for; exits with 1 where one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help=f"parts, separated by commas or spaces; default: {' '.join(PARTS)}")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    asked = parser.parse_args()
    only: list[str] = asked.only.replace(",", " ").split() or list(PARTS)
    unknown = sorted(set(only) - set(PARTS))
    if unknown:
        parser.error(f"'{unknown[0]}' is no part: take {', '.join(PARTS)}.")
    asked.results.mkdir(parents=True, exist_ok=True)
    failed = [part for part in only if not run(part, asked.results / f"{part}.json", asked.device)]
    report(only, asked.results)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
        sys.exit(1)


def run(part: str, out: Path, device: str) -> bool:
    """Run one part; returns whether it wrote its rows."""
    print(f"\n== {part}", flush=True)
    out.unlink(missing_ok=True)
    program = [sys.executable, "-m", f"benchmarks.{part}", "--out", str(out)]
    if device != "cpu":
        program += ["--device", device]
    return subprocess.run(program, check=False, cwd=HERE.parent).returncode == 0 and out.exists()


def report(parts: list[str], results: Path) -> None:
    """One table of what the parts wrote, and how many goals were met."""
    rows = [
        {**dict.fromkeys(COLUMNS), **row}
        for part in parts
        if (results / f"{part}.json").exists()
        for row in json.loads((results / f"{part}.json").read_text())
    ]
    if not rows:
        return
    verdicts = [is_met(row) for row in rows]
    print(f"\n== all\n{table(rows)}\n\ngoals met: {verdicts.count(True)}, missed: {verdicts.count(False)}")


if __name__ == "__main__":
    main()
