"""Bulk work without models: a stage whose steps all take Arrow batches runs on batches, about twenty times faster than
row by row. The rules (ledger, outcomes, row ids) are those of the row graph."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
from datatrove.pipeline.base import PipelineStep

from attar.api import BatchSource, Reject, Row, RowError, RowStep
from attar.execute.context import Facts, StepContext
from attar.execute.faults import blamed_on, kept_its_word
from attar.execute.job import StageJob
from attar.execute.options import Interrupted
from attar.execute.process import enter_worker, stop_check
from attar.execute.ranks import RankFiles
from attar.execute.results import OutcomeRow, json_of
from attar.execute.stage import source_context
from attar.identity import row_id
from attar.store.arrow import from_batch, to_batch, to_schema
from attar.store.tables import HIDDEN, StoredTable, hidden_batch

if TYPE_CHECKING:
    from attar.plan.types import PlannedStep


class Part(NamedTuple):
    """Rows on their way: user's columns, and beside them what the engine keeps of each row."""

    batch: pa.RecordBatch
    ids: list[str]
    parents: list[list[str]]
    trails: list[bytes | None]

    def take(self, positions: list[int]) -> Part:
        return Part(
            self.batch.take(pa.array(positions, pa.int64())),
            [self.ids[i] for i in positions],
            [self.parents[i] for i in positions],
            [self.trails[i] for i in positions],
        )


class EnteringBatch(NamedTuple):
    part: Part
    bad: Mapping[int, Reject]
    keys: Sequence[Any] = ()


class ReadBatches(PipelineStep):  # type: ignore[misc]
    """Yields the batches of a rank's slice."""

    name = "batches"
    type = "attar"

    def __init__(self, job: StageJob) -> None:
        super().__init__()
        self.job = job

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[EnteringBatch]:
        enter_worker(self.job)
        start, stop = self.job.slice(rank, world_size)
        first = self.job.plan.steps[self.job.stage.steps[0]]
        if first.kind == "source":
            source = first.step
            assert isinstance(source, BatchSource)
            found = iter(source.batches(start, stop, source_context(self.job, first.name)))
            end = start
            while True:
                with blamed_on(first.name, first.use):
                    some = next(found, None)
                if some is None:
                    break
                keys, batch, bad = some
                ids = [row_id(first.name, key) for key in keys]
                end += len(ids)
                yield EnteringBatch(Part(batch, ids, [[] for _ in ids], [None] * len(ids)), bad, keys)
            kept_its_word(first.name, first.use, start, stop, end)
            return
        table = StoredTable(self.job.tables[self.job.stage.inputs[0]])
        for stored in table.batch_slice(start, stop):
            part = Part(
                stored.select([name for name in stored.schema.names if name not in HIDDEN]),
                stored.column("__id").to_pylist(),
                stored.column("__parents").to_pylist(),
                stored.column("__trail").to_pylist(),
            )
            yield EnteringBatch(part, {})


class BatchGraph(PipelineStep):  # type: ignore[misc]
    """Takes each batch through the stage's steps and writes what comes of it."""

    name = "batch graph"
    type = "attar"

    def __init__(self, job: StageJob) -> None:
        super().__init__()
        self.job = job

    def run(self, data: Iterator[EnteringBatch], rank: int = 0, world_size: int = 1) -> Iterator[None]:
        job = self.job
        files = RankFiles(job, rank, job.slice(rank, world_size)[0])
        facts = Facts.of(job)
        stopping = stop_check(job, None)
        for entering in data:
            if stopping():
                raise Interrupted
            self._one(entering, files, facts)
            files.progress({})
        files.close({})
        files.progress({}, force=True)
        yield from ()

    def _one(self, entering: EnteringBatch, files: RankFiles, facts: Facts) -> None:
        job = self.job
        first = job.plan.steps[job.stage.steps[0]]
        part = entering.part
        total = len(part.ids)
        outcomes: list[tuple[int, OutcomeRow]] = []
        ordinal_of = {id: i for i, id in enumerate(part.ids)}
        count = files.ledger.count
        env: dict[str, Part] = {}
        if first.kind == "source":
            count(first.name, "in", total)
            count(first.name, "dead", len(entering.bad))
            for i, why in entering.bad.items():
                record = json_of({"record": entering.keys[i]})
                outcomes.append(
                    (i, OutcomeRow("dead", part.ids[i], first.name, why.code, why.detail, 1, (), record, None))
                )
                files.ledger.reason(first.name, "dead", why.code, part.ids[i], why.detail, files.order + i)
            if entering.bad:
                part = part.take([i for i in range(total) if i not in entering.bad])
            count(first.name, "accepted", len(part.ids))
            count(first.name, "made", len(part.ids))
            env[first.name] = part._replace(batch=_conform(part.batch, first))
        else:
            env[job.stage.inputs[0]] = part
        for name in job.stage.steps[1:] if first.kind == "source" else job.stage.steps:
            planned = job.plan.steps[name]
            arrived = env[planned.inputs[0]]
            left, ended = apply_step(planned, arrived, facts)
            count(name, "in", len(arrived.ids))
            count(name, "accepted", len(left.ids))
            for outcome in ended:
                at = ordinal_of[outcome.id]
                count(name, outcome.kind, 1)
                files.ledger.reason(name, outcome.kind, outcome.code, outcome.id, outcome.detail, files.order + at)
                outcomes.append((at, outcome))
            env[name] = left
        for tap in job.stage.taps:
            out = env[tap]
            files.append_batch(tap, hidden_batch(out.batch, out.ids, out.parents, out.trails))
        outcomes.sort(key=lambda pair: pair[0])
        files.write_outcomes(outcome for _, outcome in outcomes)
        files.done += total


def apply_step(planned: PlannedStep, arrived: Part, facts: Facts) -> tuple[Part, list[OutcomeRow]]:
    """One step over one batch: what goes on, and the rows that do not. A batch that fails is tried row by row."""
    step = planned.step
    assert isinstance(step, RowStep)
    if not arrived.ids:
        empty = pa.RecordBatch.from_pylist([], schema=to_schema(planned.columns))
        return arrived._replace(batch=empty), []
    try:
        made = step.apply_batch(arrived.batch, StepContext(facts, planned.name))
        columns = {name: arrived.batch.column(name) for name in arrived.batch.schema.names} | dict(made.columns)
        batch = _conform(
            pa.RecordBatch.from_arrays([columns[n] for n in planned.columns], names=list(planned.columns)), planned
        )
        codes = made.reject.to_pylist() if made.reject is not None else None
    except Exception:
        return _row_by_row(planned, step, arrived, facts)
    if codes is None or not any(code is not None for code in codes):
        return arrived._replace(batch=batch), []
    out = [i for i, code in enumerate(codes) if code is not None]
    kept = arrived._replace(batch=batch).take([i for i, code in enumerate(codes) if code is None])
    refused = arrived.take(out)
    rows = from_batch(refused.batch)
    ended = [_ended("rejected", refused, k, planned.name, str(codes[i]), "", rows[k]) for k, i in enumerate(out)]
    return kept, ended


def _ended(kind: str, part: Part, i: int, step: str, code: str, detail: str, columns: Mapping[str, Any]) -> OutcomeRow:
    parents = tuple(part.parents[i])
    return OutcomeRow(kind, part.ids[i], step, code, detail, 1, parents, json_of(columns), part.trails[i])


def _row_by_row(planned: PlannedStep, step: RowStep[Any], arrived: Part, facts: Facts) -> tuple[Part, list[OutcomeRow]]:
    async def all_rows() -> tuple[list[int], list[dict[str, Any]], list[OutcomeRow]]:
        kept: list[int] = []
        made: list[dict[str, Any]] = []
        ended: list[OutcomeRow] = []
        for i, columns in enumerate(from_batch(arrived.batch)):
            parents = tuple(arrived.parents[i])
            context = StepContext(facts, planned.name, arrived.ids[i])
            kind, code, detail = "dead", "", ""
            try:
                answer = await step.apply(Row(arrived.ids[i], columns, parents), context)
                if isinstance(answer, Reject):
                    kind, code, detail = "rejected", answer.code, answer.detail
                else:
                    assert not isinstance(answer, list)
                    merged = {**columns, **answer}
                    row = {name: merged.get(name) for name in planned.columns}
                    _, misfit = to_batch([row], planned.columns)
                    if misfit:
                        code, detail = "schema", misfit[0]
                    else:
                        kept.append(i)
                        made.append(row)
                        continue
            except RowError as error:
                code, detail = error.code, error.detail
            except Exception as error:
                code, detail = "exception", f"{type(error).__name__}: {error}"
            ended.append(_ended(kind, arrived, i, planned.name, code, detail, columns))
        return kept, made, ended

    kept, made, ended = asyncio.run(all_rows())
    batch, _ = to_batch(made, planned.columns)
    left = arrived.take(kept)
    return left._replace(batch=batch), ended


def _conform(batch: pa.RecordBatch, planned: PlannedStep) -> pa.RecordBatch:
    """The batch in the step's declared column order and types."""
    schema = to_schema(planned.columns)
    if batch.schema.equals(schema):
        return batch
    arrays = [batch.column(field.name).cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
