"""Runs one stage: counts its input, cuts it into ranks, hands them to datatrove, joins what they made."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from attar.api import Source
from attar.execute.batches import BatchGraph, ReadBatches
from attar.execute.executor import StageExecutor
from attar.execute.faults import blamed_on
from attar.execute.job import StageJob
from attar.execute.options import OnEvent, RunOptions
from attar.execute.prepared import Prepared
from attar.execute.ranks import OUTCOMES, rank_records
from attar.execute.stage import ReadRows, RowGraph, WriteShard, source_context
from attar.execute.whole import WholeDataset, WriteOut
from attar.models import ServedModel
from attar.models.guard import start_time
from attar.plan.types import Stage
from attar.store.ledger import Ledger
from attar.store.tables import StoredTable, join_ranks
from attar.store.workspace import join_outcomes, write_json_atomic

WATCH_SECONDS = 0.5


class StageRunner:
    """Runs stages of one prepared plan, one after the other."""

    def __init__(
        self,
        prepared: Prepared,
        options: RunOptions,
        served: Mapping[str, ServedModel],
        on_event: OnEvent,
        stop_file: Path,
    ) -> None:
        self._prepared = prepared
        self._options = options
        self._served = served
        self._on_event = on_event
        self._stop_file = stop_file
        self._watcher: Watcher | None = None

    def run(self, stage: Stage) -> Mapping[str, Any]:
        """Runs a stage to its end and returns its closing record (stage.json).

        Raises:
            Interrupted: the user asked to stop.
            AttarError: what must stop the run.
        """
        self._watcher = None
        folder = self._prepared.stage_folder(stage)
        began = time.monotonic()
        (folder / "stage.json").unlink(missing_ok=True)
        job = self._job(stage, folder)
        total = self._total(job)
        job = replace(job, total=total)
        tasks = self._tasks(stage, total)
        _reset_unless_same(folder, tasks)
        self._on_event({"type": "stage_started", "index": stage.index, "steps": list(stage.steps), "total": total})
        with self._watch(stage, folder, total):
            StageExecutor(self.pipeline(job), folder / "datatrove", tasks, min(self._options.workers, tasks)).run()
        return self._join(stage, folder, time.monotonic() - began)

    def pipeline(self, job: StageJob) -> Sequence[Any]:
        """The datatrove pipeline of a stage."""
        if job.stage.kind == "sink":
            return [WriteOut(job)]
        if job.stage.kind != "rows":
            return [WholeDataset(job)]
        if job.stage.batch:
            return [ReadBatches(job), BatchGraph(job)]
        return [ReadRows(job), RowGraph(job), WriteShard(job)]

    def _job(self, stage: Stage, folder: Path) -> StageJob:
        prepared = self._prepared
        plan = prepared.plan
        used = {model for step in stage.steps for model in plan.steps[step].models}
        reads = {*stage.inputs, *(side for step in stage.steps for side in plan.steps[step].side.values())}
        return StageJob(
            plan=plan,
            stage=stage,
            folder=folder,
            journal=prepared.workspace.journal,
            writer=f"{prepared.run_name}-{stage.index}",
            total=None,
            limit=self._options.limit,
            served={name: self._served[name] for name in sorted(used)},
            workers=self._options.workers,
            tables={step: prepared.table(step) for step in sorted(reads)},
            owner=os.getpid(),
            owner_started=start_time(os.getpid()),
            stop_file=self._stop_file,
        )

    def _total(self, job: StageJob) -> int | None:
        if job.stage.kind != "rows":
            return sum(len(StoredTable(job.tables[name])) for name in job.stage.inputs)
        first = job.plan.steps[job.stage.steps[0]]
        if first.kind != "source":
            return len(StoredTable(job.tables[job.stage.inputs[0]]))
        assert isinstance(first.step, Source)
        with blamed_on(first.name, first.use):
            total = first.step.count(source_context(job, first.name))
        if total is not None and job.limit is not None:
            return min(total, job.limit)
        return total

    def _tasks(self, stage: Stage, total: int | None) -> int:
        if stage.kind != "rows" or total is None:
            return 1
        wanted = self._options.shards or self._options.workers
        return max(1, min(wanted, total))

    # -- joining -----------------------------------------------------------------------------------------------

    def _join(self, stage: Stage, folder: Path, seconds: float) -> Mapping[str, Any]:
        plan = self._prepared.plan
        ranks = folder / "ranks"
        rows = {}
        for tap in stage.taps:
            files = sorted((ranks / "taps" / tap).glob("[0-9]*"))
            rows[tap] = join_ranks(files, folder / "out" / "taps" / tap, plan.steps[tap].columns)
        for kind in OUTCOMES:
            join_outcomes(sorted((ranks / kind).glob("[0-9]*")), folder / "out" / kind)
        ledger = Ledger()
        usage: dict[str, dict[str, Any]] = {}
        shortfalls: list[Any] = []
        for record in rank_records(folder):
            ledger.merge(Ledger.from_json(record["ledger"]))
            add_usage(usage, record["usage"])
            shortfalls += record["shortfalls"]
        counted = ledger.to_json()
        transport = sum(reason.get("transport", {}).get("count", 0) for reason in counted["reasons"].values())
        record = {
            "steps": list(stage.steps),
            "ledger": counted,
            "usage": usage,
            "shortfalls": shortfalls,
            "rows": rows,
            "transport": transport,
            "seconds": round(seconds, 3),
        }
        write_json_atomic(folder / "stage.json", record)
        for leftover in ("ranks", "progress", "datatrove"):
            shutil.rmtree(folder / leftover, ignore_errors=True)
        return record

    # -- watching ----------------------------------------------------------------------------------------------

    @contextmanager
    def _watch(self, stage: Stage, folder: Path, total: int | None) -> Iterator[None]:
        """Reports progress from the ranks' notes while the block runs."""
        done = threading.Event()
        self._watcher = watcher = Watcher(stage, folder, total, self._on_event)

        def watch() -> None:
            while not done.wait(WATCH_SECONDS):
                watcher.look()

        thread = threading.Thread(target=watch, name="attar-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            watcher.look()

    def unfinished(self) -> Mapping[str, Any]:
        """What the ranks of the stage that was stopped last said of themselves, as a closing record."""
        watcher = self._watcher
        counts = watcher.steps if watcher is not None else {}
        usage = watcher.usage if watcher is not None else {}
        return {"ledger": {"counts": counts, "reasons": {}}, "usage": usage, "shortfalls": [], "rows": {}}


class Watcher:
    """Adds up the ranks' progress notes and tells the display."""

    def __init__(self, stage: Stage, folder: Path, total: int | None, on_event: OnEvent) -> None:
        self._stage = stage
        self._folder = folder / "progress"
        self._total = total
        self._on_event = on_event
        self._began = time.monotonic()
        self._samples: list[tuple[float, int, int]] = []
        self._told: set[str] = set()
        self.steps: dict[str, dict[str, int]] = {}
        self.usage: dict[str, Any] = {}

    def look(self) -> None:
        """Tells what is new since the last look."""
        for path in sorted(self._folder.glob("*.notices")):
            for text in path.read_text(encoding="utf-8").splitlines():
                if text not in self._told:  # every worker may notice the same
                    self._told.add(text)
                    self._on_event({"type": "notice", "text": text})
        steps: dict[str, dict[str, int]] = {}
        usage: dict[str, dict[str, Any]] = {}
        done = 0
        for path in sorted(self._folder.glob("*.json")):
            try:
                note = orjson.loads(path.read_bytes())
            except (OSError, orjson.JSONDecodeError):
                continue
            done += note["done"]
            add_usage(usage, note["meter"])
            for step, counts in note["ledger"].items():
                mine = steps.setdefault(step, {})
                for field, n in counts.items():
                    mine[field] = mine.get(field, 0) + n
        self.steps, self.usage = steps, usage
        tokens = sum(u.get("completion_tokens", 0) for u in usage.values())
        now = time.monotonic()
        self._samples = [*self._samples[-20:], (now, done, tokens)]
        first = self._samples[0]
        span = max(now - first[0], 1e-6)
        rate = (done - first[1]) / span
        self._on_event(
            {
                "type": "progress",
                "stage": self._stage.index,
                "steps": {name: steps.get(name, {}) for name in self._stage.steps},
                "done": done,
                "total": self._total,
                "in_flight": sum(u.get("in_flight", 0) for u in usage.values()),
                "requests": sum(u.get("requests", 0) for u in usage.values()),
                "journal_hits": sum(u.get("journal_hits", 0) for u in usage.values()),
                "tokens_per_second": round((tokens - first[2]) / span, 1),
                "eta_seconds": round((self._total - done) / rate, 1) if self._total is not None and rate > 0 else None,
            }
        )


def add_usage(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Adds one meter's snapshot (step → counts, and counts by model) to another's."""
    for name, value in more.items():
        if isinstance(value, Mapping):
            add_usage(into.setdefault(name, {}), value)
        elif isinstance(value, int | float):
            into[name] = into.get(name, 0) + value
        else:
            into[name] = value


def _reset_unless_same(folder: Path, tasks: int) -> None:
    """Ranks of an interrupted try are kept only where the cut into shards is the same."""
    layout = folder / "layout.json"
    try:
        same = orjson.loads(layout.read_bytes())["shards"] == tasks
    except (OSError, orjson.JSONDecodeError, KeyError):
        same = False
    if not same:
        for part in ("ranks", "progress", "datatrove", "out"):
            shutil.rmtree(folder / part, ignore_errors=True)
        write_json_atomic(layout, {"shards": tasks})
