"""Bulk work without models: a stage whose steps all take Arrow batches runs on batches, about twenty times faster than
row by row. The rules (ledger, outcomes, row ids) are those of the row graph."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datatrove.pipeline.base import PipelineStep

from attar.api import BatchSource, Reject, Row, RowError, RowStep
from attar.execute.context import Facts, StepContext
from attar.execute.faults import blamed_on, kept_its_word
from attar.execute.job import StageJob
from attar.execute.options import Interrupted
from attar.execute.process import enter_worker, stop_check
from attar.execute.ranks import RankFiles
from attar.execute.refused import note_reasons, outcome_batch
from attar.execute.results import OutcomeRow, json_of
from attar.execute.stage import source_context
from attar.identity import row_ids
from attar.store.arrow import from_batch, to_batch, to_schema
from attar.store.outcomes import outcomes_batch
from attar.store.tables import HIDDEN, StoredTable, hidden_batch

if TYPE_CHECKING:
    from attar.plan.types import PlannedStep


class Part(NamedTuple):
    """Rows on their way: user's columns, and beside them what the engine keeps of each row, as Arrow arrays."""

    batch: pa.RecordBatch
    ids: pa.Array
    parents: pa.Array
    trails: pa.Array
    ordinals: pa.Array
    """place of each row in the entering batch"""

    def only(self, mask: pa.Array) -> Part:
        return Part(*(one.filter(mask) for one in self))

    def stored(self) -> pa.RecordBatch:
        return hidden_batch(self.batch, self.ids, self.parents, self.trails)


class EnteringBatch(NamedTuple):
    part: Part
    bad: Mapping[int, Reject]
    keys: Sequence[Any] = ()


class Ended(NamedTuple):
    """Rows that do not go on: of one kind, with their places in the entering batch."""

    kind: str
    outcomes: pa.RecordBatch
    ordinals: pa.Array


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
                n = len(keys)
                end += n
                ids = pa.array(row_ids(first.name, keys), pa.string())
                parents = pa.ListArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), n + 1), pa.nulls(0, pa.string()))
                yield EnteringBatch(Part(batch, ids, parents, pa.nulls(n, pa.binary()), _places(n)), bad, keys)
            kept_its_word(first.name, first.use, start, stop, end)
            return
        table = StoredTable(self.job.tables[self.job.stage.inputs[0]])
        for stored in table.batch_slice(start, stop):
            columns = stored.select([name for name in stored.schema.names if name not in HIDDEN])
            ids, parents, trails = (stored.column(name) for name in HIDDEN)
            yield EnteringBatch(Part(columns, ids, parents, trails, _places(stored.num_rows)), {})


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
        ended: list[Ended] = []
        count = files.ledger.count
        env: dict[str, Part] = {}
        if first.kind == "source":
            count(first.name, "in", total)
            if entering.bad:
                ended.append(_unreadable(first.name, entering))
                good = np.ones(total, bool)
                good[list(entering.bad)] = False
                part = part.only(pa.array(good))
            count(first.name, "accepted", len(part.ids))
            count(first.name, "made", len(part.ids))
            env[first.name] = part._replace(batch=_conform(part.batch, first))
        else:
            env[job.stage.inputs[0]] = part
        for name in job.stage.steps[1:] if first.kind == "source" else job.stage.steps:
            planned = job.plan.steps[name]
            arrived = env[planned.inputs[0]]
            env[name], more = apply_step(planned, arrived, facts)
            count(name, "in", len(arrived.ids))
            count(name, "accepted", len(env[name].ids))
            ended += more
        for tap in job.stage.taps:
            files.append_batch(tap, env[tap].stored())
        for one in ended:
            note_reasons(files.ledger, one.outcomes, one.kind, pc.add(one.ordinals, files.order))
        for kind in dict.fromkeys(one.kind for one in ended):
            files.append_outcomes(kind, _in_order([one for one in ended if one.kind == kind]))
        files.done += total


def apply_step(planned: PlannedStep, arrived: Part, facts: Facts) -> tuple[Part, list[Ended]]:
    """One step over one batch: what goes on, and the rows that do not. A batch that fails is tried row by row."""
    step = planned.step
    assert isinstance(step, RowStep)
    if not len(arrived.ids):
        empty = pa.RecordBatch.from_pylist([], schema=to_schema(planned.columns))
        return arrived._replace(batch=empty), []
    try:
        made = step.apply_batch(arrived.batch, StepContext(facts, planned.name))
        columns = {name: arrived.batch.column(name) for name in arrived.batch.schema.names} | dict(made.columns)
        batch = _conform(
            pa.RecordBatch.from_arrays([columns[n] for n in planned.columns], names=list(planned.columns)), planned
        )
        left = arrived._replace(batch=batch)
        codes = None if made.reject is None else made.reject.drop_null()
        if codes is not None and len(codes):
            left = left.only(pc.is_null(made.reject))
        if any(array.null_count and not f.nullable for array, f in zip(left.batch.columns, batch.schema, strict=True)):
            return _row_by_row(planned, step, arrived, facts)
    except Exception:
        return _row_by_row(planned, step, arrived, facts)
    if codes is None or not len(codes):
        return left, []
    out = pc.is_valid(made.reject)
    refused = arrived.only(out)
    details = None if made.detail is None else made.detail.filter(out)
    outcomes = outcome_batch(refused.stored(), planned.name, codes, details)
    return left, [Ended("rejected", outcomes, refused.ordinals)]


def _unreadable(step: str, entering: EnteringBatch) -> Ended:
    """Records of a source that could not be read."""
    bad = sorted(entering.bad.items())
    rows = [
        OutcomeRow(
            "dead",
            entering.part.ids[i].as_py(),
            step,
            why.code,
            why.detail,
            1,
            (),
            json_of({"record": entering.keys[i]}),
            None,
        )
        for i, why in bad
    ]
    return Ended("dead", outcomes_batch(rows), pa.array([i for i, _ in bad], pa.int64()))


def _in_order(ended: Sequence[Ended]) -> pa.RecordBatch:
    """Outcomes of one kind in the order in which their rows came in."""
    if len(ended) == 1:
        return ended[0].outcomes
    ordinals = np.concatenate([one.ordinals.to_numpy() for one in ended])
    outcomes = pa.Table.from_batches([one.outcomes for one in ended]).combine_chunks().to_batches()[0]
    return outcomes.take(pa.array(np.argsort(ordinals, kind="stable")))


def _places(n: int) -> pa.Array:
    return pa.array(np.arange(n, dtype=np.int64))


def _row_by_row(planned: PlannedStep, step: RowStep[Any], arrived: Part, facts: Facts) -> tuple[Part, list[Ended]]:
    ids, parents, trails = (one.to_pylist() for one in (arrived.ids, arrived.parents, arrived.trails))

    async def all_rows() -> tuple[list[bool], list[dict[str, Any]], list[tuple[int, OutcomeRow]]]:
        kept: list[bool] = []
        made: list[dict[str, Any]] = []
        ended: list[tuple[int, OutcomeRow]] = []
        for i, columns in enumerate(from_batch(arrived.batch)):
            context = StepContext(facts, planned.name, ids[i])
            kind, code, detail = "dead", "", ""
            kept.append(False)
            try:
                answer = await step.apply(Row(ids[i], columns, tuple(parents[i])), context)
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
                        kept[-1] = True
                        made.append(row)
                        continue
            except RowError as error:
                code, detail = error.code, error.detail
            except Exception as error:
                code, detail = "exception", f"{type(error).__name__}: {error}"
            one = tuple(parents[i])
            out = OutcomeRow(kind, ids[i], planned.name, code, detail, 1, one, json_of(columns), trails[i])
            ended.append((i, out))
        return kept, made, ended

    kept, made, ended = asyncio.run(all_rows())
    batch, _ = to_batch(made, planned.columns)
    left = arrived.only(pa.array(kept))._replace(batch=batch)
    found = []
    for kind in dict.fromkeys(outcome.kind for _, outcome in ended):
        some = [(i, outcome) for i, outcome in ended if outcome.kind == kind]
        ordinals = arrived.ordinals.take(pa.array([i for i, _ in some], pa.int64()))
        found.append(Ended(kind, outcomes_batch([outcome for _, outcome in some]), ordinals))
    return left, found


def _conform(batch: pa.RecordBatch, planned: PlannedStep) -> pa.RecordBatch:
    """The batch in the step's declared column order and types."""
    schema = to_schema(planned.columns)
    if batch.schema.equals(schema):
        return batch
    arrays = [batch.column(field.name).cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
