"""What all benchmarks share: running a tool as processes of its own, measuring them from outside, and one table.

Everything is measured from outside the tool: requests by the stand-in server, CPU and memory by reading /proc for the
tool's whole process tree. So attar, the hand-written clients and the peers are measured alike.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results"  # git-ignored
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20


@dataclass(slots=True)
class Measured:
    """One run of a tool.

    Attributes:
        began, ended: time.monotonic() of its start and end.
        cpu: user and system seconds of all its processes, start-up included.
        rss, pss: peak sum over all its processes, bytes. RSS counts shared pages once per process, PSS shares them.
        samples: (time, cpu seconds so far) of the tree.
    """

    code: int
    began: float
    ended: float
    cpu: float
    rss: int
    pss: int
    samples: list[tuple[float, float]] = field(default_factory=list)
    tail: str = ""

    def cpu_between(self, start: float, end: float) -> float:
        """CPU seconds used between two moments, by linear interpolation of the samples."""
        return self._cpu_at(end) - self._cpu_at(start)

    def _cpu_at(self, moment: float) -> float:
        before = (self.began, 0.0)
        for sample in [*self.samples, (self.ended, self.cpu)]:
            if sample[0] >= moment:
                share = (moment - before[0]) / max(sample[0] - before[0], 1e-9)
                return before[1] + share * max(0.0, sample[1] - before[1])
            before = sample
        return self.cpu


class _Sampler(threading.Thread):
    """Reads /proc for a process tree while it runs. Processes that were orphaned stay in it by their session."""

    def __init__(self, root: int, cpu_every: float, memory_every: float) -> None:
        super().__init__(daemon=True)
        self._root = root
        self._cpu_every = cpu_every
        self._memory_every = memory_every
        self._over = threading.Event()
        self._known = {root}
        self._last: dict[int, float] = {}
        self.samples: list[tuple[float, float]] = []
        self.rss = self.pss = 0

    def run(self) -> None:
        memory_due = 0.0
        while not self._over.wait(self._cpu_every):
            now = time.monotonic()
            tree = self._tree()
            for pid, stat in tree.items():
                # utime and stime; children are in the tree themselves while they live, and stay in _last after.
                self._last[pid] = (int(stat[11]) + int(stat[12])) / TICK
            self.samples.append((now, sum(self._last.values())))
            if now >= memory_due:
                memory_due = now + self._memory_every
                self.rss = max(self.rss, sum(int(stat[21]) * PAGE for stat in tree.values()))
                self.pss = max(self.pss, sum(map(_pss, tree)))

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _tree(self) -> dict[int, list[bytes]]:
        stats: dict[int, list[bytes]] = {}
        for name in os.listdir("/proc"):  # noqa: PTH208 (often: pathlib costs twice the time)
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                        stats[int(name)] = file.read().rpartition(b")")[2].split()
                except OSError:
                    continue
        grown = True
        while grown:
            more = {pid for pid, stat in stats.items() if pid not in self._known and int(stat[1]) in self._known}
            more |= {pid for pid, s in stats.items() if pid not in self._known and int(s[3]) == self._root}
            self._known |= more
            grown = bool(more)
        return {pid: stat for pid, stat in stats.items() if pid in self._known}


def _pss(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def measure(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    cpu_every: float = 0.05,
    memory_every: float = 0.2,
    timeout: float = 1800,
    expect: Sequence[int] = (0,),
) -> Measured:
    """Runs a command to its end and measures its whole process tree.

    Raises:
        RuntimeError: it ended with another exit code than expected; holds the end of its output.
    """
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command],
            env={**os.environ, **(env or {})},
            cwd=cwd or ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        sampler = _Sampler(process.pid, cpu_every, memory_every)
        sampler.start()
        deadline = began + timeout
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                os.killpg(process.pid, 9)
            time.sleep(0.005)
        ended = time.monotonic()
        process.returncode = code = os.waitstatus_to_exitcode(status)
        sampler.stop()
        output.seek(0)
        tail = output.read()[-6000:].decode("utf-8", "replace")
    if code not in expect:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {code}:\n{tail}")
    # wait4 knows of reaped descendants; the samples know of those that were not reaped (a guard, a detached server).
    cpu = max(usage.ru_utime + usage.ru_stime, sampler.samples[-1][1] if sampler.samples else 0.0)
    rss = max(sampler.rss, usage.ru_maxrss * 1024)
    return Measured(code, began, ended, cpu, rss, sampler.pss, sampler.samples, tail)


def attar_command() -> list[str]:
    """The attar of this Python's environment, as a user runs it."""
    beside = Path(sys.executable).with_name("attar")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "attar"]


def published_at(path: Path) -> float:
    """When a file was written, on the scale of time.monotonic()."""
    return path.stat().st_mtime - time.time() + time.monotonic()


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder for one run, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"attar-bench-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_rows(path: Path, count: int) -> Path:
    """`count` short rows as JSON lines: text and number."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            json.dump({"text": f"subject {number:07d} of the field", "number": number}, file)
            file.write("\n")
    return path


def run_attar(
    recipe: str, rows: Path, runs: Path, *, url: str = "", extra: Sequence[str] = (), expect: Sequence[int] = (0,)
) -> tuple[Measured, dict[str, Any], float]:
    """Runs a recipe of benchmarks/recipes by the command line; its measures, results.json and moment of publish."""
    command = [*attar_command(), "run", HERE / "recipes" / f"{recipe}.yaml", "-p", f"rows={rows}", "--runs", runs]
    measured = measure([*command, "--quiet", *extra], env={"BENCH_URL": url}, expect=expect)
    (file,) = runs.glob("*/*/results.json")
    return measured, json.loads(file.read_text()), published_at(file)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": next(
            (
                line.partition(":")[2].strip()
                for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")
            ),
            platform.machine(),
        ),
        "load_before": [round(x, 2) for x in os.getloadavg()],
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {key: median(run[key] for run in runs) for key in runs[0]}


def median_ratio(ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]], key: str) -> float:
    """The median over pairs of ours / theirs: a slow minute of the machine slows both sides of a pair."""
    return median(a[key] / b[key] for a, b in zip(ours, theirs, strict=True))


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A plain Markdown table."""
    cells = [[_cell(c) for c in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def report(name: str, text: str, data: Mapping[str, Any]) -> None:
    """Prints the table and keeps table and figures under benchmarks/results/."""
    print(text, flush=True)
    RESULTS.mkdir(exist_ok=True)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    record = {"benchmark": name, "at": stamp, "machine": machine(), **data}
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")


def progress(text: str) -> None:
    """One line for whoever waits."""
    print(text, file=sys.stderr, flush=True)
