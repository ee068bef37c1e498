"""W2: 1,000 rows, question → answer → judge with up to 3 attempts → translation, a server of 256 slots.

    python benchmarks/w2.py [--pairs 5] [--rows 1000] [--slots 256]

How full a tool keeps a server that batches continuously: its span over that of a hand-written client that runs each
row as one coroutine, with as many requests in flight as the server has slots, and with four times as many. Whether a
judge passes (p = 0.7) and how long an answer is (log-normal, median 64 tokens) follows from each request's key; both
send the very same requests, which is checked. `floor` is the span of a server that is full from its first step to its
last with the same tokens.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness as h

from attar.testing.stand_in import StandInServer

LIMIT = 1.03
# A step of 8 ms and 20 µs a sequence: 13 ms with 256, about what an 8B model takes on one large GPU.
SERVER = {
    "mode": "batching",
    "step_seconds": 0.008,
    "step_seconds_per_sequence": 0.00002,
    "median_tokens": 64,
    "sigma": 0.5,
    "responder": "words(12)",
    "markers": {"Judge it.": "judge(0.7)"},
}


def figures(measured: h.Measured, stats: dict[str, Any], published: float, slots: int) -> dict[str, float]:
    step = SERVER["step_seconds"] + SERVER["step_seconds_per_sequence"] * slots  # type: ignore[operator]
    span = published - stats["first"]
    floor = stats["completion_tokens"] / slots * step
    return {
        "span": span,
        "floor": floor,
        "span_over_floor": span / floor,
        "served": stats["span"],
        "requests": stats["requests"],
        "tokens": stats["completion_tokens"],
        "mean_batch": stats["batching"]["mean_batch"],
        "max_in_flight": stats["max_in_flight"],
        "cpu_ms": 1000 * measured.cpu / stats["answers"],
        "rss_mib": measured.rss / h.MIB,
    }


Keys = dict[str, int]


def raw(rows: Path, in_flight: int, slots: int, seed: int) -> tuple[dict[str, float], Keys]:
    with h.scratch("w2-raw") as folder, StandInServer.start(**SERVER, slots=slots, seed=seed) as server:
        out = folder / "out.jsonl"
        client = h.HERE / "baselines" / "w2_raw.py"
        command = [sys.executable, client, rows, out, str(in_flight)]
        measured = h.measure(command, env={"BENCH_URL": server.url}, cpu_every=0.25, memory_every=1)
        return figures(measured, server.stats(), h.published_at(out), slots), server.keys()["tries"]


def attar(rows: Path, count: int, in_flight: int, slots: int, seed: int) -> tuple[dict[str, float], Keys]:
    with h.scratch("w2-attar") as folder, StandInServer.start(**SERVER, slots=slots, seed=seed) as server:
        extra = ["--in-flight", str(in_flight)]
        measured, results, published = h.run_attar("w2", rows, folder, url=server.url, extra=extra)
        if results["outputs"]["dataset"]["rows"] != count:
            raise RuntimeError(f"{results['outputs']['dataset']['rows']} of {count} rows arrived")
        stats = server.stats()
        if stats["repeated"]:
            raise RuntimeError(f"{stats['repeated']} requests were paid twice")
        return figures(measured, stats, published, slots), server.keys()["tries"]


def run(pairs: int = 5, count: int = 1000, slots: int = 256, depths: tuple[int, ...] = (1, 4)) -> dict[str, Any]:
    """Runs the pairs for each depth (in flight over slots); the record that is kept."""
    record: dict[str, Any] = {"rows": count, "slots": slots, "server": SERVER, "depths": {}}
    with h.scratch("w2") as folder:
        rows = h.write_rows(folder / "rows.jsonl", count)
        for depth in depths:
            ours: list[dict[str, float]] = []
            theirs: list[dict[str, float]] = []
            for pair in range(pairs):
                in_flight, seed = depth * slots, 100 * depth + pair
                if pair % 2 == 0:
                    b, their_keys = raw(rows, in_flight, slots, seed)
                    a, our_keys = attar(rows, count, in_flight, slots, seed)
                else:
                    a, our_keys = attar(rows, count, in_flight, slots, seed)
                    b, their_keys = raw(rows, in_flight, slots, seed)
                if our_keys != their_keys:
                    common = len(our_keys.keys() & their_keys.keys())
                    raise RuntimeError(
                        f"not the same work: {len(our_keys)}, {len(their_keys)} keys, {common} in common"
                    )
                ours.append(a)
                theirs.append(b)
                h.progress(
                    f"W2 ×{depth} pair {pair + 1}: raw {b['span']:.2f} s ({b['requests']:.0f} requests, floor"
                    f" {b['floor']:.2f}), attar {a['span']:.2f} s ({a['requests']:.0f}, {a['floor']:.2f})"
                )
            record["depths"][str(depth)] = {
                "attar": ours,
                "raw": theirs,
                "span_ratio": h.median_ratio(ours, theirs, "span"),
                "same_work_ratio": h.median_ratio(ours, theirs, "span_over_floor"),
            }
    return record


def show(record: dict[str, Any]) -> str:
    lines = []
    for depth, one in record["depths"].items():
        a, b = h.medians(one["attar"]), h.medians(one["raw"])
        name = f"in flight = {depth} × slots"
        lines += [
            (f"span, s; {name}", a["span"], b["span"], one["span_ratio"], "≤ 1.03"),
            (
                f"span over a full server's; {name}",
                a["span_over_floor"],
                b["span_over_floor"],
                one["same_work_ratio"],
                "",
            ),
            (f"mean batch; {name}", a["mean_batch"], b["mean_batch"], a["mean_batch"] / b["mean_batch"], ""),
            (f"requests; {name}", a["requests"], b["requests"], a["requests"] / b["requests"], ""),
        ]
    n = len(next(iter(record["depths"].values()))["attar"])
    title = f"W2: {record['rows']:,} rows, {record['slots']} slots, medians of {n} interleaved pairs\n\n"
    return title + h.table(["", "attar", "raw client", "ratio", "asked for"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=256)
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 4], help="in flight over slots")
    args = parser.parse_args()
    record = run(args.pairs, args.rows, args.slots, tuple(args.depths))
    h.report("w2", show(record), record)


if __name__ == "__main__":
    main()
