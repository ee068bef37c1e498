"""W1 and W2 for attar's peers, each from PyPI in an environment of its own, and one table of ratios.

    python benchmarks/peers/run.py [--only NAME …] [--times 3] [--rows 5000] [--chain 1000]

W1: 5,000 rows, one call each, 256 in flight, a server that answers at once. W2: 1,000 rows, question → answer →
verdict → translation, a server of 256 slots that batches continuously, 256 in flight; the regeneration of attar's own
W2 is left out, because most peers cannot express it. Before each run of a tool the hand-written client runs, and ratios
are to that run. Environments are made in .venv-peers/ (git-ignored) on first use.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import harness as h
import w2

from attar.testing.stand_in import StandInServer

HERE = Path(__file__).resolve().parent
VENVS = h.ROOT / ".venv-peers"
IN_FLIGHT = 256


class Peer(NamedTuple):
    adapter: str
    packages: tuple[str, ...]
    note: str


PEERS = {
    "data-designer": Peer("adapter_data_designer.py", ("data-designer==0.9.6",), "buffer_size = all rows"),
    # requests: imported by distilabel, not declared by it
    "distilabel": Peer("adapter_distilabel.py", ("distilabel[openai]==1.5.3", "requests"), "batches of 256"),
    "curator": Peer("adapter_curator.py", ("bespokelabs-curator==0.1.31",), "step after step; rate limits lifted"),
    "sdg-hub": Peer("adapter_sdg_hub.py", ("sdg-hub==0.9.4",), "max_concurrency = 256"),
}


def environment(name: str) -> Path:
    """The peer's Python, installed where it is not yet."""
    folder = VENVS / name
    python = folder / "bin" / "python"
    stamp = folder / ".ready"
    wanted = "\n".join(PEERS[name].packages)
    if not stamp.exists() or stamp.read_text() != wanted:
        h.progress(f"installing {', '.join(PEERS[name].packages)}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS[name].packages], check=True)
        stamp.write_text(wanted)
    return python


def server_for(work: str, seed: int) -> StandInServer:
    if work == "w1":
        return StandInServer.start(responder="words(12)")
    return StandInServer.start(**{**w2.SERVER, "markers": {}}, slots=IN_FLIGHT, seed=seed)


def once(name: str, work: str, rows: Path, count: int, seed: int) -> dict[str, float]:
    """One run of a tool ("raw", "attar" or a peer); its figures."""
    with h.scratch(f"{work}-{name}") as folder, server_for(work, seed) as server:
        out = folder / "out.jsonl"
        if name == "attar":
            recipe = "w1" if work == "w1" else "chain"
            measured, results, published = h.run_attar(recipe, rows, folder / "runs", url=server.url)
            arrived = results["outputs"]["dataset"]["rows"]
        else:
            python = Path(sys.executable) if name == "raw" else environment(name)
            script = h.HERE / "baselines" / "chain_raw.py" if name == "raw" else HERE / PEERS[name].adapter
            command = [python, script, work, rows, out, str(IN_FLIGHT)]
            env = {"BENCH_URL": server.url, "HOME": str(folder), "NO_COLOR": "1"}
            measured = h.measure(command, env=env, cwd=folder, timeout=900)
            published = h.published_at(out)
            with out.open("rb") as file:
                arrived = sum(1 for _ in file)
        stats = server.stats()
        if arrived != count:
            raise RuntimeError(f"{arrived} of {count} rows arrived\n{measured.tail[-1500:]}")
        calls = stats["answers"]
        step = w2.SERVER["step_seconds"] + w2.SERVER["step_seconds_per_sequence"] * IN_FLIGHT  # type: ignore[operator]
        floor = stats["completion_tokens"] / IN_FLIGHT * step
        span = published - stats["first"]
        return {
            "calls": calls,
            "rows_per_second": count / span,
            "rows_per_second_whole": count / (measured.ended - measured.began),
            "cpu_ms": 1000 * measured.cpu_between(stats["first"], published) / calls,
            "cpu_ms_whole": 1000 * measured.cpu / calls,
            "rss_mib": measured.rss / h.MIB,
            "pss_mib": measured.pss / h.MIB,
            "start": stats["first"] - measured.began,
            "span_over_floor": span / floor if work == "w2" else 0.0,
        }


def run(names: list[str], times: int, rows: int, chain: int) -> dict[str, Any]:
    """All tools, each beside the hand-written client; the record that is kept."""
    record: dict[str, Any] = {"times": times, "rows": rows, "chain": chain, "tools": {}}
    with h.scratch("peers") as folder:
        files = {"w1": (h.write_rows(folder / "w1.jsonl", rows), rows)}
        files["w2"] = (h.write_rows(folder / "w2.jsonl", chain), chain)
        for name in names:
            mine: dict[str, list[dict[str, float]]] = {"w1": [], "w2": []}
            beside: dict[str, list[dict[str, float]]] = {"w1": [], "w2": []}
            failure = ""
            try:
                if name != "attar":
                    environment(name)
                for turn in range(times):
                    for work, (file, count) in files.items():
                        beside[work].append(once("raw", work, file, count, turn))
                        mine[work].append(once(name, work, file, count, turn))
                        h.progress(f"{name} {work}: {mine[work][-1]['rows_per_second']:.0f} rows/s")
            except (RuntimeError, subprocess.CalledProcessError, OSError) as error:
                failure = str(error)
                h.progress(f"{name}: {failure[-2000:]}")
            record["tools"][name] = {"runs": mine, "raw": beside, "failure": failure[-2000:]}
    return record


def show(record: dict[str, Any]) -> str:
    lines = []
    for name, one in record["tools"].items():
        row: list[Any] = [name]
        w1, w2_runs = one["runs"]["w1"], one["runs"]["w2"]
        if w1:
            beside = one["raw"]["w1"][: len(w1)]
            m = h.medians(w1)
            row += [
                m["rows_per_second"],
                f"{100 * h.median_ratio(w1, beside, 'rows_per_second'):.1f} %",
                f"{100 * h.median_ratio(w1, beside, 'rows_per_second_whole'):.1f} %",
                f"{h.median_ratio(w1, beside, 'cpu_ms'):.1f}×",
                f"{h.median_ratio(w1, beside, 'cpu_ms_whole'):.1f}×",
                f"{m['rss_mib']:.0f} / {m['pss_mib']:.0f}",
                m["start"],
            ]
        else:
            row += ["failed"] + [""] * 6
        if w2_runs:
            beside = one["raw"]["w2"][: len(w2_runs)]
            row += [f"{h.median_ratio(w2_runs, beside, 'span_over_floor'):.2f}×"]
        else:
            row += ["failed"]
        lines.append(row)
    head = [
        "",
        "W1 rows/s",
        "of the raw client's",
        "whole process",
        "CPU per call to raw",
        "whole process ",
        "RSS / PSS MiB",
        "first request after s",
        "W2 span to raw",
    ]
    title = f"Peers, medians of {record['times']} runs, each beside the hand-written client\n\n"
    notes = [f"- {name}: {PEERS[name].note}" for name in record["tools"] if name in PEERS]
    notes += [
        f"- {name} failed: {one['failure'].splitlines()[0]}" for name, one in record["tools"].items() if one["failure"]
    ]
    return title + h.table(head, lines) + "\n\n" + "\n".join(notes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=["attar", *PEERS], default=["attar", *PEERS])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--chain", type=int, default=1000)
    args = parser.parse_args()
    record = run(args.only, args.times, args.rows, args.chain)
    h.report("peers", show(record), record)


if __name__ == "__main__":
    main()
