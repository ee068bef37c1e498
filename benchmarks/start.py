"""How long a user waits: `attar --help` and `attar validate recipes/persona_essays.yaml`, medians of ten.

    python benchmarks/start.py [--times 10]

Wall seconds mean something on an idle core only; CPU seconds stand beside them.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness as h

COMMANDS = {
    "attar --help": (["--help"], 0.3),
    "attar validate persona_essays": (["validate", str(h.ROOT / "recipes" / "persona_essays.yaml")], 0.6),
}


def run(times: int = 10) -> dict[str, Any]:
    """Both commands, in turns; the record that is kept."""
    record: dict[str, Any] = {"times": times, "load": os.getloadavg()[0], "commands": {}}
    walls: dict[str, list[float]] = {name: [] for name in COMMANDS}
    cpus: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(times + 1):
        for name, (words, _) in COMMANDS.items():
            measured = h.measure([*h.attar_command(), *words], cpu_every=10)
            if turn:  # the first fills the disk cache
                walls[name].append(measured.ended - measured.began)
                cpus[name].append(measured.cpu)
    for name, (_, limit) in COMMANDS.items():
        record["commands"][name] = {
            "wall": median(walls[name]),
            "best": min(walls[name]),
            "cpu": median(cpus[name]),
            "limit": limit,
        }
    return record


def show(record: dict[str, Any]) -> str:
    lines = [
        (name, one["wall"], one["best"], one["cpu"], f"≤ {one['limit']} s") for name, one in record["commands"].items()
    ]
    title = f"Start, medians of {record['times']}, load {record['load']:.2f} before\n\n"
    return title + h.table(["", "wall s", "best s", "CPU s", "asked for"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10)
    args = parser.parse_args()
    record = run(args.times)
    h.report("start", show(record), record)


if __name__ == "__main__":
    main()
