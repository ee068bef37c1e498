"""Steps that need all rows at once: dataset and merge steps, and sinks. One task each.

Every input row must come out as a Row, a Drop or a parent of a New; a step that loses one fails the run by name.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from datatrove.pipeline.base import PipelineStep

from attar.api import DatasetStep, Drop, MergeStep, New, Reject, Row, Sink
from attar.errors import AttarError, fail
from attar.execute.bulk import BulkFates
from attar.execute.context import Facts, StepContext
from attar.execute.faults import blamed_on
from attar.execute.job import StageJob
from attar.execute.process import enter_worker, stop_check
from attar.execute.ranks import RankFiles
from attar.execute.results import Emitted, OutcomeRow, RowResult, json_of, shown
from attar.identity import merged_id
from attar.store.tables import StoredTable

if TYPE_CHECKING:
    from attar.plan.types import PlannedStep

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
        with blamed_on(planned.name, planned.use):
            if isinstance(planned.step, DatasetStep) and planned.step.can_batch():
                table = tables[planned.inputs[0]]
                fates = planned.step.apply_batches(table, context)
                BulkFates(planned, table, files).take_all(fates, stop_check(job, None))
            else:
                self._rows(planned, tables, context, files)
        shortfalls = [{"step": planned.name, "what": what, "count": count} for what, count in context.shortfalls]
        files.close({}, shortfalls)
        files.progress({}, force=True)
        yield from ()

    def _rows(
        self, planned: PlannedStep, tables: Mapping[str, StoredTable], context: StepContext, files: RankFiles
    ) -> None:
        account = Account(planned.name, tables)
        results: list[RowResult] = []
        if isinstance(planned.step, MergeStep):
            made = planned.step.merge(tables, context)
        else:
            assert isinstance(planned.step, DatasetStep)
            made = planned.step.apply(tables[planned.inputs[0]], context)
        for item in made:
            results.append(account.take(item))
            if len(results) >= CHUNK:
                files.write(results)
                files.progress({})
                results = []
        files.write(results)
        account.close(files)


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
        self._again: dict[bytes, int] = {}  # id → fates after the first
        self._merged: dict[bytes, bool] = {}  # parents of new rows; True once seen among what came in
        self._made: set[bytes] = set()
        self._sum = 0  # of the ids that were given a fate; another than that of what came in: one is foreign
        self._trails: dict[str, list[bytes]] | None = None

    def take(self, item: Row | Drop | New) -> RowResult:
        step = self._step
        if isinstance(item, Drop):
            row, why = item
            why = Reject(shown(why.code), shown(why.detail))
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
                self._merged[bytes.fromhex(parent)] = False
            id = merged_id(parents, step, item.key)
            if (made := bytes.fromhex(id)) in self._made:
                raise self._fault(f"two new rows have the parents {', '.join(parents)} and the key {item.key!r}")
            self._made.add(made)
            emitted = Emitted(step, id, parents, self._joined_trail(parents), item.columns)
            return RowResult([emitted], [], [(step, "made", 1)], [])
        self._fate(item.id)
        emitted = Emitted(step, item.id, item.parents, self._trail(item.id), item)
        return RowResult([emitted], [], [(step, "in", 1), (step, "accepted", 1)], [])

    def close(self, files: RankFiles) -> None:
        """Counts the rows that went into new ones, and demands that none is missing and none is foreign.

        Several inputs may bring one id, as branches of one step do: where it is a parent, all of them went into new
        rows but those that were given a fate of their own.

        Raises:
            AttarError: E722, the step lost rows or gave a row two fates.
        """
        own = own_sum = 0  # fates of rows that are parents, too
        for key in self._merged:
            if key in self._fated:
                own += 1 + self._again.get(key, 0)
                own_sum += int.from_bytes(key) * (1 + self._again.get(key, 0))
        arrived = parents = others_sum = 0
        for table in self._tables.values():
            for id in table.ids():
                key = bytes.fromhex(id)
                arrived += 1
                if key in self._merged:
                    self._merged[key] = True
                    parents += 1
                else:
                    others_sum += int.from_bytes(key)
        if own > parents or self._fates - own != arrived - parents:
            out = self._fates + parents - own
            raise self._fault(f"{arrived} rows came in, {out} came out as a row, a drop or a parent of a new row")
        if self._sum - own_sum != others_sum or not all(self._merged.values()):
            raise self._fault("a row, a drop or a parent of a new row is none of the rows that came in")
        files.ledger.count(self._step, "in", parents - own)
        files.ledger.count(self._step, "accepted", parents - own)

    def _fate(self, id: str) -> None:
        self._fates += 1
        key = bytes.fromhex(id)
        self._sum += int.from_bytes(key)
        if key in self._fated:
            if len(self._tables) == 1:  # several inputs may bring one id twice
                raise self._fault(f"row {id} came out twice")
            self._again[key] = self._again.get(key, 0) + 1
        self._fated.add(key)

    def _fault(self, what: str) -> AttarError:
        return fail(
            "E722",
            f"step {self._step!r} did not account for its rows: {what}",
            help="this is a fault of the step's plugin: report it to its authors",
            exit_code=1,
        )

    def _trail(self, id: str) -> bytes | None:
        trails = self._all_trails().get(id)
        return trails[0] if trails else None

    def _joined_trail(self, parents: tuple[str, ...]) -> bytes | None:
        trails = self._all_trails()
        entries: dict[bytes, None] = {}  # branches of one step share what was asked before they parted
        for parent in dict.fromkeys(parents):
            for trail in trails.get(parent, ()):
                entries.update(dict.fromkeys(map(orjson.dumps, orjson.loads(trail))))
        return b"[" + b",".join(entries) + b"]" if entries else None

    def _all_trails(self) -> Mapping[str, Sequence[bytes]]:
        if self._trails is None:
            self._trails = {}
            for table in self._tables.values():
                for _, row, _, trail, _ in table.slice(0, None):
                    if trail is not None:
                        self._trails.setdefault(row, []).append(trail)
        return self._trails
