"""W1: 5,000 rows, one call each, 256 in flight, a server that answers at once: what attar itself costs.

    python benchmarks/w1.py [--pairs 5] [--rows 5000] [--in-flight 256]

Each pair runs the hand-written client and attar (its journal on) after one another against one fresh server, in turns
of order. Rates run from the server's first request to the last file of the tool: results.json for attar, the answers'
file for the client. Ratios are medians over pairs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness as h

from attar.testing.stand_in import StandInServer

LIMITS = {"rate": 0.60, "cpu": 2.0, "memory_mib": 250.0}


def figures(measured: h.Measured, stats: dict[str, Any], published: float) -> dict[str, float]:
    """Rates and costs of one run. `cpu_ms` and `rate` from first request to publish; `…_whole` with start-up."""
    calls = stats["answers"]
    span = published - stats["first"]
    return {
        "rate": calls / span,
        "rate_whole": calls / (measured.ended - measured.began),
        "span": span,
        "cpu_ms": 1000 * measured.cpu_between(stats["first"], published) / calls,
        "cpu_ms_whole": 1000 * measured.cpu / calls,
        "rss_mib": measured.rss / h.MIB,
        "pss_mib": measured.pss / h.MIB,
        "start": stats["first"] - measured.began,
        "requests": stats["requests"],
    }


def check(stats: dict[str, Any], rows: int) -> None:
    if stats["answers"] != rows or stats["requests"] != rows or stats["repeated"]:
        raise RuntimeError(f"the tool did not make exactly {rows} calls: {stats}")


def raw(rows: Path, count: int, in_flight: int, server: StandInServer) -> dict[str, float]:
    server.reset()
    with h.scratch("w1-raw") as folder:
        out = folder / "out.jsonl"
        client = h.HERE / "baselines" / "w1_raw.py"
        measured = h.measure([sys.executable, client, rows, out, str(in_flight)], env={"BENCH_URL": server.url})
        stats = server.stats()
        check(stats, count)
        return figures(measured, stats, h.published_at(out))


def attar(rows: Path, count: int, in_flight: int, server: StandInServer) -> dict[str, float]:
    server.reset()
    with h.scratch("w1-attar") as folder:
        extra = ["--in-flight", str(in_flight)]
        measured, results, published = h.run_attar("w1", rows, folder, url=server.url, extra=extra)
        stats = server.stats()
        check(stats, count)
        if results["outputs"]["dataset"]["rows"] != count:
            raise RuntimeError(f"{results['outputs']['dataset']['rows']} of {count} rows arrived")
        return figures(measured, stats, published)


def run(pairs: int = 5, count: int = 5000, in_flight: int = 256) -> dict[str, Any]:
    """Runs the pairs; the record that is kept."""
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    with h.scratch("w1") as folder, StandInServer.start(responder="echo") as server:
        rows = h.write_rows(folder / "rows.jsonl", count)
        for pair in range(pairs):
            sides = [(theirs, raw), (ours, attar)]
            for record, side in sides if pair % 2 == 0 else reversed(sides):
                record.append(side(rows, count, in_flight, server))
            h.progress(
                f"W1 pair {pair + 1}: raw {theirs[-1]['rate']:,.0f} rows/s, attar {ours[-1]['rate']:,.0f} rows/s"
            )
    return {
        "rows": count,
        "in_flight": in_flight,
        "attar": ours,
        "raw": theirs,
        "rate_ratio": h.median_ratio(ours, theirs, "rate"),
        "cpu_ratio": h.median_ratio(ours, theirs, "cpu_ms"),
        "cpu_ratio_whole": h.median_ratio(ours, theirs, "cpu_ms_whole"),
        "memory_mib": h.medians(ours)["rss_mib"],
    }


def show(record: dict[str, Any]) -> str:
    a, b = h.medians(record["attar"]), h.medians(record["raw"])
    n = len(record["attar"])
    lines = [
        ("rows/s, first request to publish", a["rate"], b["rate"], record["rate_ratio"], "≥ 0.60"),
        ("rows/s, whole process", a["rate_whole"], b["rate_whole"], a["rate_whole"] / b["rate_whole"], ""),
        ("CPU ms per call, first request to publish", a["cpu_ms"], b["cpu_ms"], record["cpu_ratio"], "≤ 2"),
        ("CPU ms per call, whole process", a["cpu_ms_whole"], b["cpu_ms_whole"], record["cpu_ratio_whole"], ""),
        ("peak RSS summed, MiB", a["rss_mib"], b["rss_mib"], a["rss_mib"] / b["rss_mib"], "≤ 250 MiB"),
        ("peak PSS summed, MiB", a["pss_mib"], b["pss_mib"], a["pss_mib"] / b["pss_mib"], ""),
        ("seconds to the first request", a["start"], b["start"], a["start"] / b["start"], ""),
    ]
    title = f"W1: {record['rows']:,} rows, {record['in_flight']} in flight, medians of {n} interleaved pairs\n\n"
    return title + h.table(["", "attar", "raw client", "ratio", "asked for"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--in-flight", type=int, default=256)
    args = parser.parse_args()
    record = run(args.pairs, args.rows, args.in_flight)
    h.report("w1", show(record), record)


if __name__ == "__main__":
    main()
