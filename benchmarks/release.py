"""A release of 20,000,000 personas: attar's time over a bare pyarrow + orjson script's, and its peak memory.

    python benchmarks/release.py [--rows 20000000] [--workers 1,2] [--folder DIR]

The people come from `personas.population`, made once (India's table) and
kept in DIR/people if a folder is named. There are 12 % more of them than are released, so that the cap of 100,000
binds: the normalised labels of India's table gather more than that in over a dozen domains. With fewer rows the
cap shrinks alike. Then, one after the other: attar with the first number of workers, the bare script, attar with the
other numbers, and the screen for personal data and names, alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness as h

ROWS = 20_000_000
CAP = 100_000
MORE = 1.12
PER_FILE = 1_000_000
SEED = 20


def people(folder: Path, count: int) -> float:
    """Makes Parquet files of `count` persons unless they are there; seconds it took."""
    done = folder / f"{count}.done"
    if done.exists():
        return float(done.read_text())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    starts = range(0, count, PER_FILE)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_some_people, [folder] * len(starts), starts, [min(s + PER_FILE, count) for s in starts]))
    seconds = time.monotonic() - began
    done.write_text(f"{seconds:.1f}")
    return seconds


def _some_people(folder: Path, start: int, stop: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from attar.testing import FakeContext, build
    from attar_personas.population.source import Population

    columns = ["persona", "domain", "synth_method", "confidence_score"]
    config = {"table": "personas:tables/india.yaml", "columns": columns, "count": stop}
    step = build(Population, config)
    step.writes({})
    writer: Any = None
    for _, batch, bad in step.batches(start, stop, FakeContext(step="people", seed=SEED)):
        assert not bad
        if writer is None:
            path = folder / f"people-{start // PER_FILE:05d}.parquet"
            writer = pq.ParquetWriter(path, batch.schema, compression="zstd")
        writer.write_table(pa.Table.from_batches([batch]))
    writer.close()


def attar(folder: Path, rows: int, cap: int, workers: int) -> dict[str, Any]:
    """One release by attar: seconds, memory, and what identifies its bytes. Removes it again."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="runs-") as name:
        runs = Path(name)
        command = [*h.attar_command(), "run", h.HERE / "recipes" / "release.yaml", "-p", f"rows={folder / 'people'}"]
        command += ["-p", f"cap={cap}", "-p", f"total={rows}", "--runs", runs, "--workers", str(workers), "--quiet"]
        measured = h.measure(command, memory_every=0.5, timeout=7200)
        (file,) = runs.glob("*/*/results.json")
        results = json.loads(file.read_text())
        out = file.parent / "release"
        figures = json.loads((out / "manifest.json").read_text())["figures"]
        return {
            "workers": workers,
            "seconds": measured.ended - measured.began,
            "cpu": measured.cpu,
            "pss_mib": measured.pss / h.MIB,
            "rss_mib": measured.rss / h.MIB,
            "rows": figures["rows"],
            "domains": figures["domains"],
            "domains_at_cap": figures["domains_at_cap"],
            "digest": results["outputs"]["release"]["digest"],
            "sums": hashlib.sha256((out / "sha256sums.txt").read_bytes()).hexdigest(),
            "bytes": sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
            "stages": [(stage["steps"], stage["seconds"]) for stage in results["stages"]],
            "ledger": results["ledger"],
            "reasons": {step: {c: r["count"] for c, r in codes.items()} for step, codes in results["reasons"].items()},
        }


def bare(folder: Path, rows: int, cap: int) -> dict[str, Any]:
    """The bare script, on the same files."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="bare-") as name:
        out = Path(name)
        script = h.HERE / "baselines" / "release_raw.py"
        command = [sys.executable, script, folder / "people", out, str(rows), str(cap)]
        measured = h.measure(command, memory_every=0.5, timeout=7200)
        return {
            "seconds": measured.ended - measured.began,
            "cpu": measured.cpu,
            "pss_mib": measured.pss / h.MIB,
            "rows": int(measured.tail.split()[-1]),
            "bytes": sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
        }


def screen(folder: Path) -> dict[str, Any]:
    """Seconds that `personas.screen` takes for all people, reading aside; one core."""
    import pyarrow.parquet as pq

    from attar.testing import FakeContext, build
    from attar_personas.screen.step import Screen

    step = build(Screen, {"names": "living"})
    context = FakeContext(step="screened")
    seconds, seen = 0.0, 0
    codes: dict[str, int] = {}
    for path in sorted((folder / "people").glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(8192, columns=["persona"]):
            began = time.process_time()
            made = step.apply_batch(batch, context)
            seconds += time.process_time() - began
            seen += batch.num_rows
            for code in [] if made.reject is None else made.reject.drop_null().to_pylist():
                codes[code] = codes.get(code, 0) + 1
    return {"rows": seen, "cpu_seconds": seconds, "us_per_row": seconds / seen * 1e6, "rejected": codes}


def run(rows: int, workers: list[int], folder: Path) -> dict[str, Any]:
    """All parts, one after the other; the record that is kept."""
    cap = max(1, CAP * rows // ROWS)
    count = int(rows * MORE)
    made = people(folder / "people", count)
    h.progress(f"release: {count:,} people in {made:.0f} s")
    ours = []
    theirs: dict[str, Any] = {}
    for number in workers:
        ours.append(attar(folder, rows, cap, number))
        h.progress(f"release: attar, {number} worker(s): {ours[-1]['seconds']:.0f} s, {ours[-1]['pss_mib']:.0f} MiB")
        if not theirs:  # between the runs it is compared with
            theirs = bare(folder, rows, cap)
            h.progress(f"release: bare script: {theirs['seconds']:.0f} s, {theirs['pss_mib']:.0f} MiB")
    screened = screen(folder)
    for one in [*ours, theirs]:
        if one["rows"] != rows:
            raise RuntimeError(f"{one['rows']} rows were released, expected {rows}")
    if ours[0]["domains_at_cap"] < 10:
        raise RuntimeError(f"the cap binds in {ours[0]['domains_at_cap']} domains only")
    same = len({(one["digest"], one["sums"]) for one in ours}) == 1
    return {
        "people": count,
        "cap": cap,
        "made_seconds": made,
        "attar": ours,
        "bare": theirs,
        "screen": screened,
        "same": same,
    }


def show(record: dict[str, Any]) -> str:
    theirs = record["bare"]
    rows = []
    for one in record["attar"]:
        name = f"attar, {one['workers']} worker(s)"
        rows.append(
            (name, one["seconds"], one["seconds"] / theirs["seconds"], one["cpu"], one["pss_mib"], one["digest"])
        )
    rows.append(("bare pyarrow + orjson", theirs["seconds"], 1.0, theirs["cpu"], theirs["pss_mib"], "–"))
    first, screened = record["attar"][0], record["screen"]
    hits = ", ".join(f"{count:,} {code}" for code, count in screened["rejected"].items()) or "none"
    lines = [
        f"Release of {first['rows']:,} personas out of {record['people']:,}; cap {record['cap']:,}, reached by "
        f"{first['domains_at_cap']:,} of {first['domains']:,} domains; {first['bytes'] / 1e9:.1f} GB written",
        "",
        h.table(["", "seconds", "to the bare script's", "CPU seconds", "peak PSS, MiB", "dataset digest"], rows),
        "",
        "Asked for: at most 4 times the bare script's seconds, at most 2,048 MiB. Same digest and same bytes of all "
        f"files for every number of workers: {'yes' if record['same'] else 'NO'}.",
        f"Screening apart: {screened['cpu_seconds']:,.0f} s of one core for {screened['rows']:,} personas "
        f"({screened['us_per_row']:.1f} µs each); rejected: {hits}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--workers", default="1,2", help="numbers of workers, one run each")
    parser.add_argument("--folder", type=Path, help="where to work, and to keep the people for another time")
    args = parser.parse_args()
    workers = [int(number) for number in args.workers.split(",")]
    if args.folder is not None:
        record = run(args.rows, workers, args.folder.resolve())
    else:
        with h.scratch("release") as folder:
            record = run(args.rows, workers, folder)
    h.report("release" if args.rows == ROWS else f"release-{args.rows}", show(record), record)


if __name__ == "__main__":
    main()
