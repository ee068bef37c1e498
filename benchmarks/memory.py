"""Memory stays flat: peak memory with all rows over that with a tenth of them.

    python benchmarks/memory.py [--rows 1000000] [--calls 200000] [--workers 1]

`rows`: short rows through read → derive → filter → write. `calls`: rows through one model call each, against the
stand-in server. Peaks are summed over all processes of the run, sampled five times a second.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness as h

from attar.testing.stand_in import StandInServer

LIMIT = 1.5


def peak(recipe: str, count: int, url: str, workers: int) -> dict[str, float]:
    """Peak memory and time of one run over `count` rows."""
    with h.scratch(f"memory-{recipe}") as folder:
        rows = h.write_rows(folder / "rows.jsonl", count)
        extra = ["--workers", str(workers)]
        measured, results, _ = h.run_attar(recipe, rows, folder / "runs", url=url, extra=extra)
        kept = results["outputs"]["dataset"]["rows"]
        wanted = count if recipe == "w1" else count // 2
        if kept != wanted:
            raise RuntimeError(f"{kept} rows arrived, expected {wanted}")
        seconds = measured.ended - measured.began
        return {
            "rows": count,
            "rss_mib": measured.rss / h.MIB,
            "pss_mib": measured.pss / h.MIB,
            "seconds": seconds,
            "rows_per_second": count / seconds,
        }


def run(rows: int = 1_000_000, calls: int = 200_000, workers: int = 1) -> dict[str, Any]:
    """Both cases, a tenth first; the record that is kept."""
    record: dict[str, Any] = {"workers": workers}
    with StandInServer.start(responder="echo") as server:
        for name, recipe, count in (("rows", "rows", rows), ("calls", "w1", calls)):
            few = peak(recipe, count // 10, server.url, workers)
            server.reset()
            h.progress(f"memory {name}: {few['rows']:,} rows, {few['rss_mib']:.0f} MiB, {few['seconds']:.0f} s")
            many = peak(recipe, count, server.url, workers)
            server.reset()
            h.progress(f"memory {name}: {many['rows']:,} rows, {many['rss_mib']:.0f} MiB, {many['seconds']:.0f} s")
            ratios = {f"{key}_ratio": many[key] / few[key] for key in ("rss_mib", "pss_mib")}
            record[name] = {"few": few, "many": many, **ratios}
    return record


def show(record: dict[str, Any]) -> str:
    lines = []
    for name in ("rows", "calls"):
        few, many = record[name]["few"], record[name]["many"]
        for key, what in (("rss_mib", "RSS"), ("pss_mib", "PSS")):
            lines.append(
                (
                    f"{name}: peak {what} summed, MiB",
                    f"{many['rows']:,} rows: {many[key]:.0f}",
                    f"{few['rows']:,} rows: {few[key]:.0f}",
                    record[name][f"{key}_ratio"],
                    "≤ 1.5",
                )
            )
        lines.append((f"{name}: rows/s, whole process", many["rows_per_second"], few["rows_per_second"], "", ""))
    title = f"Memory, {record['workers']} worker(s)\n\n"
    return title + h.table(["", "all", "a tenth", "ratio", "asked for"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    record = run(args.rows, args.calls, args.workers)
    h.report("memory", show(record), record)


if __name__ == "__main__":
    main()
