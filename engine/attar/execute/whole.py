"""Steps that need all rows at once: dataset and merge steps, and sinks. One task each.

Every input row must come out as a Row, a Drop or a parent of a New; a step that loses one fails the run by name.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from datatrove.pipeline.base import PipelineStep

from attar.api import DatasetStep, Drop, MergeStep, New, Row, Sink
from attar.errors import AttarError, fail
from attar.execute.context import Facts, StepContext
from attar.execute.faults import blamed_on
from attar.execute.job import StageJob
from attar.execute.process import enter_worker
from attar.execute.ranks import RankFiles
from attar.execute.results import Emitted, OutcomeRow, RowResult, json_of
from attar.identity import merged_id
from attar.store.tables import StoredTable

CHUNK = 1024


class WholeDataset(PipelineStep):  # type: ignore[misc]
    """Runs a dataset or merge step over its finished inputs."""

    name = "dataset"
    type = "attar"

    def __init__(self, job: StageJob) -> None:
        super().__init__()
        self.job = job

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[None]:
        job = self.job
        enter_worker(job)
        planned = job.plan.steps[job.stage.steps[0]]
        tables = {name: StoredTable(job.tables[name]) for name in planned.inputs}
        context = StepContext(Facts.of(job), planned.name, side=planned.side)
        files = RankFiles(job, rank)
        account = Account(planned.name, tables)
        if isinstance(planned.step, MergeStep):
            made = planned.step.merge(tables, context)
        else:
            assert isinstance(planned.step, DatasetStep)
            made = planned.step.apply(tables[planned.inputs[0]], context)
        results: list[RowResult] = []
        with blamed_on(planned.name, planned.use):
            for item in made:
                results.append(account.take(item))
                if len(results) >= CHUNK:
                    files.write(results)
                    files.progress({})
                    results = []
        files.write(results)
        account.close(files)
        shortfalls = [{"step": planned.name, "what": what, "count": count} for what, count in context.shortfalls]
        files.close({}, shortfalls)
        files.progress({}, force=True)
        yield from ()


class WriteOut(PipelineStep):  # type: ignore[misc]
    """Runs a sink over the finished output of the step before it."""

    name = "sink"
    type = "attar"

    def __init__(self, job: StageJob) -> None:
        super().__init__()
        self.job = job

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[None]:
        job = self.job
        enter_worker(job)
        planned = job.plan.steps[job.stage.steps[0]]
        assert isinstance(planned.step, Sink)
        rows = StoredTable(job.tables[planned.inputs[0]])
        out = job.folder / "out" / "sink"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        context = StepContext(Facts.of(job), planned.name, out=out)
        with blamed_on(planned.name, planned.use):
            planned.step.write(rows, context)
        files = RankFiles(job, rank)
        for field in ("in", "accepted"):
            files.ledger.count(planned.name, field, len(rows))
        files.close({})
        yield from ()


class Account:
    """Sees to it that every input row is accounted for exactly once, and makes results of what a step yields."""

    def __init__(self, step: str, tables: Mapping[str, StoredTable]) -> None:
        self._step = step
        self._tables = tables
        self._fates = 0
        self._fated: set[bytes] = set()
        self._merged: set[bytes] = set()
        self._trails: dict[str, bytes] | None = None

    def take(self, item: Row | Drop | New) -> RowResult:
        step = self._step
        if isinstance(item, Drop):
            row, why = item
            self._fate(row.id)
            outcome = OutcomeRow(
                "rejected", row.id, step, why.code, why.detail, 1, row.parents, json_of(row), self._trail(row.id)
            )
            return RowResult(
                [],
                [outcome],
                [(step, "in", 1), (step, "rejected", 1)],
                [(step, "rejected", why.code, row.id, why.detail)],
            )
        if isinstance(item, New):
            parents = tuple(item.parents)
            for parent in parents:
                self._merged.add(bytes.fromhex(parent))
            id = merged_id(parents, step, item.key)
            emitted = Emitted(step, id, parents, self._joined_trail(parents), item.columns)
            return RowResult([emitted], [], [(step, "made", 1)], [])
        self._fate(item.id)
        emitted = Emitted(step, item.id, item.parents, self._trail(item.id), item)
        return RowResult([emitted], [], [(step, "in", 1), (step, "accepted", 1)], [])

    def close(self, files: RankFiles) -> None:
        """Counts the rows that went into new ones, and demands that none is missing.

        Raises:
            AttarError: E722, the step lost rows or gave a row two fates.
        """
        only_merged = len(self._merged - self._fated)
        files.ledger.count(self._step, "in", only_merged)
        files.ledger.count(self._step, "accepted", only_merged)
        arrived = sum(len(table) for table in self._tables.values())
        accounted = self._fates + only_merged
        if accounted != arrived:
            raise self._fault(f"{arrived} rows came in, {accounted} came out as a row, a drop or a parent of a new row")

    def _fate(self, id: str) -> None:
        self._fates += 1
        key = bytes.fromhex(id)
        if len(self._tables) == 1 and key in self._fated:  # several inputs may bring one id twice
            raise self._fault(f"row {id} came out twice")
        self._fated.add(key)

    def _fault(self, what: str) -> AttarError:
        return fail(
            "E722",
            f"step {self._step!r} did not account for its rows: {what}",
            help="this is a fault of the step's plugin: report it to its authors",
            exit_code=1,
        )

    def _trail(self, id: str) -> bytes | None:
        if self._trails is None:
            self._trails = {}
            for table in self._tables.values():
                for _, row, _, trail, _ in table.slice(0, None):
                    if trail is not None:
                        self._trails[row] = trail
        return self._trails.get(id)

    def _joined_trail(self, parents: tuple[str, ...]) -> bytes | None:
        entries = [entry for parent in parents if (trail := self._trail(parent)) for entry in orjson.loads(trail)]
        return orjson.dumps(entries) if entries else None
