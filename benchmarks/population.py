"""How fast `personas.population` makes persons, and whether the last one costs more than the first.

    python benchmarks/population.py [--persons 400000] [--times 5]

Rates are per second of one core: of CPU time of one process (wall time beside it). The source alone makes rendered
Arrow batches; the whole run is `attar run recipes/population.yaml` with one worker, from start-up to the published
Parquet and the skew report, CPU of all its processes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness as h

EVERY = 370_000_000
TARGET = 100_000
TABLES = ("india", "indonesia")
PAIRS = 300
COLD = """
from attar.testing import FakeContext, build
from attar_personas.population.source import Population
source = build(Population, {"table": "personas:tables/india.yaml", "seed": 1})
((key, row),) = source.rows(NUMBER, NUMBER + 1, FakeContext())
assert key == row["person"] == NUMBER and len(row["persona"]) > 100
"""


def alone(table: str, persons: int, times: int) -> dict[str, float]:
    """Persons per CPU second and per second of the source alone, from the middle of the population."""
    import pyarrow as pa

    from attar.testing import FakeContext, build
    from attar_personas.population.source import Population

    pa.set_cpu_count(1)
    source = build(Population, {"table": f"personas:tables/{table}.yaml", "seed": 1})
    context = FakeContext()
    list(source.batches(0, 1, context))  # the table is read
    runs = []
    for turn in range(times):
        start = EVERY // 2 + turn * persons
        cpu, wall, made, size = time.process_time(), time.perf_counter(), 0, 0
        for _, batch, _ in source.batches(start, start + persons, context):
            made += batch.num_rows
            size += batch.column("persona").nbytes
        spent, took = time.process_time() - cpu, time.perf_counter() - wall
        runs.append({"cpu_rate": made / spent, "wall_rate": made / took, "bytes": size / made})
    return h.medians(runs)


def whole(persons: int, times: int) -> dict[str, float]:
    """The same of a whole attar run, and its peak memory in MiB."""
    recipe = h.ROOT / "recipes" / "population.yaml"
    runs = []
    for _ in range(times):
        with h.scratch("population") as folder:
            words = ["--runs", folder, "--workers", "1", "--quiet", "-p", f"count={persons}"]
            found = h.measure([*h.attar_command(), "run", recipe, *words])
        wall = found.ended - found.began
        runs.append({"cpu_rate": persons / found.cpu, "wall_rate": persons / wall, "rss": found.rss / 2**20})
    return h.medians(runs)


def first_and_last(times: int) -> dict[str, Any]:
    """Times of person 0 and of the last person, by turns: of a ready source, and of processes of their own."""
    from attar.testing import FakeContext, build
    from attar_personas.population.source import Population

    source = build(Population, {"table": "personas:tables/india.yaml", "seed": 1})
    context = FakeContext()
    numbers = (0, EVERY - 1)
    ready: dict[int, list[float]] = {number: [] for number in numbers}
    for turn in range(PAIRS + 1):
        for number in numbers if turn % 2 else reversed(numbers):
            began = time.perf_counter()
            list(source.rows(number, number + 1, context))
            if turn:
                ready[number].append(time.perf_counter() - began)
    cold: dict[int, list[float]] = {number: [] for number in numbers}
    for turn in range(times + 1):
        for number in numbers:
            found = h.measure([sys.executable, "-c", COLD.replace("NUMBER", str(number))], cpu_every=10)
            if turn:
                cold[number].append(found.cpu)
    return {
        "ready_ms": {str(n): 1000 * median(ready[n]) for n in numbers},
        "ready_ratio": median(b / a for a, b in zip(ready[0], ready[EVERY - 1], strict=True)),
        "cold_cpu_s": {str(n): median(cold[n]) for n in numbers},
        "cold_ratio": median(b / a for a, b in zip(cold[0], cold[EVERY - 1], strict=True)),
    }


def run(persons: int = 400_000, times: int = 5) -> dict[str, Any]:
    """All of it; the record that is kept."""
    record: dict[str, Any] = {"persons": persons, "times": times, "load": h.machine()["load_before"][0]}
    record["alone"] = {}
    for table in TABLES:
        h.progress(f"source alone, {table}")
        record["alone"][table] = alone(table, persons, times)
    h.progress("whole run")
    record["whole"] = whole(persons, min(times, 3))
    h.progress("first and last person")
    record["ends"] = first_and_last(times)
    return record


def show(record: dict[str, Any]) -> str:
    lines = [
        (f"source alone, {table}", one["cpu_rate"], one["wall_rate"], f"≥ {TARGET:,}", one["cpu_rate"] >= TARGET)
        for table, one in record["alone"].items()
    ]
    found = record["whole"]
    lines.append(("attar run with skew report", found["cpu_rate"], found["wall_rate"], "", ""))
    title = (
        f"Population, {record['persons']:,} rendered persons, medians of {record['times']}, load {record['load']}\n\n"
    )
    rates = h.table(["", "persons per CPU second", "per second", "asked for", "met"], lines)
    ends = record["ends"]
    rows = [
        ("ready source, ms", *ends["ready_ms"].values(), ends["ready_ratio"]),
        ("own process, CPU s", *ends["cold_cpu_s"].values(), ends["cold_ratio"]),
    ]
    return title + rates + "\n\n" + h.table(["one person", "person 0", f"person {EVERY - 1:,}", "ratio"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=400_000)
    parser.add_argument("--times", type=int, default=5)
    args = parser.parse_args()
    record = run(args.persons, args.times)
    h.report("population", show(record), record)


if __name__ == "__main__":
    main()
