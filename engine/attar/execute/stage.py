"""A stage as a datatrove pipeline: ReadRows → RowGraph → WriteShard. Importable and picklable, for every executor.

The steps keep nothing of a rank on `self`: executors may use one object for several ranks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from datatrove.pipeline.base import PipelineStep

from attar.api import Reject, Source
from attar.execute.context import Facts, Pace, StepContext
from attar.execute.faults import blamed_on, kept_its_word
from attar.execute.job import StageJob
from attar.execute.process import enter_worker, new_event_loop, rare_collections, stop_check
from attar.execute.program import compile_stage
from attar.execute.ranks import Notices, RankFiles
from attar.execute.results import RowResult
from attar.execute.scope import Live
from attar.execute.walk import Walker
from attar.execute.window import DRAIN_SECONDS, Window, Work
from attar.identity import row_id
from attar.models import Meter, ModelClient, ServedModel
from attar.store.decisions import latest, read_decisions
from attar.store.journal import Journal
from attar.store.tables import StoredTable

CHUNK = 256
LEAST_WINDOW = 64


class Entering(NamedTuple):
    """One row that enters a stage. `columns` is a Reject where the source could not read the record, known by `key`."""

    ordinal: int
    id: str
    parents: tuple[str, ...]
    trail: bytes | None
    columns: Mapping[str, Any] | Reject
    key: Any = None


class Chunk(NamedTuple):
    """Results in input order, and the meter and the running counts at that moment."""

    results: list[RowResult]
    meter: Mapping[str, Any]
    live: Live


class ReadRows(PipelineStep):  # type: ignore[misc]
    """Yields the rows of a rank's slice: from the source, or from the finished output of an earlier stage."""

    name = "rows"
    type = "attar"

    def __init__(self, job: StageJob) -> None:
        super().__init__()
        self.job = job

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Entering]:
        enter_worker(self.job)
        start, stop = self.job.slice(rank, world_size)
        first = self.job.plan.steps[self.job.stage.steps[0]]
        if first.kind != "source":
            table = StoredTable(self.job.tables[self.job.stage.inputs[0]])
            for ordinal, id, parents, trail, columns in table.slice(start, stop):
                yield Entering(ordinal, id, parents, trail, columns)
            return
        source = first.step
        assert isinstance(source, Source)
        context = source_context(self.job, first.name)
        names = list(first.columns)
        records = iter(source.rows(start, stop, context))
        ordinal = start
        while True:
            with blamed_on(first.name, first.use):
                record = next(records, None)
            if record is None:
                break
            key, read = record
            if not isinstance(read, Reject) and len(read) != len(names):
                read = {name: read.get(name) for name in names}
            yield Entering(ordinal, row_id(first.name, key), (), None, read, key)
            ordinal += 1
        kept_its_word(first.name, first.use, start, stop, ordinal)


class RowGraph(PipelineStep):  # type: ignore[misc]
    """Walks each row through the stage's steps as one coroutine."""

    name = "graph"
    type = "attar"

    def __init__(self, job: StageJob) -> None:
        super().__init__()
        self.job = job

    def run(self, data: Iterator[Entering], rank: int = 0, world_size: int = 1) -> Iterator[Chunk]:
        job = self.job
        program = compile_stage(job.plan, job.stage)
        journal = Journal(job.journal, f"{job.writer}-{rank}")
        meter = Meter()
        served = {name: share(model, job.workers) for name, model in job.served.items()}
        runner = asyncio.Runner(loop_factory=new_event_loop)
        try:
            client = runner.run(self.open_client(served, journal, meter, Notices(job.folder, rank)))
            decisions = latest(read_decisions(job.journal, job.stage.steps))
            facts = Facts.of(job, client, journal, Pace(), decisions)

            def halt() -> None:
                facts.pace.halted = True
                client.halt()

            walker = Walker(program, facts)
            size = window_size(job, served)
            window = Window(_works(walker, data), size, stop_check(job, halt), halt, runner.get_loop(), facts.pace)
            try:
                with rare_collections():
                    while (results := runner.run(window.next_chunk(CHUNK))) is not None:
                        yield Chunk(results, meter.snapshot(), walker.live)
            finally:
                runner.run(_close(window, client, meter))
            yield Chunk([], meter.snapshot(), walker.live)
        finally:
            runner.close()
            journal.close()

    async def open_client(
        self, served: Mapping[str, ServedModel], journal: Journal, meter: Meter, notice: Notices
    ) -> ModelClient:
        """The client that the rows of this rank ask; a preview listens to it."""
        client = ModelClient(served, journal, meter, notice=notice)
        await client.__aenter__()
        return client


async def _close(window: Window, client: ModelClient, meter: Meter) -> None:
    """Ends the window, lets requests that a step sent on its own account arrive, and closes the client."""
    await window.close()
    deadline = time.monotonic() + DRAIN_SECONDS
    while meter.in_flight and time.monotonic() < deadline:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.02)
    await client.__aexit__(None, None, None)


def _works(walker: Walker, data: Iterator[Entering]) -> Iterator[Work]:
    for entering in data:
        columns = entering.columns
        if isinstance(columns, Reject):
            yield _unreadable(walker, entering.id, columns, entering.key)
        else:
            yield _walk(walker, entering, columns)


def _walk(walker: Walker, entering: Entering, columns: Mapping[str, Any]) -> Work:
    return lambda: walker.row(entering.ordinal, entering.id, entering.parents, entering.trail, columns)


def _unreadable(walker: Walker, id: str, why: Reject, key: Any) -> Work:
    async def result() -> RowResult:
        return walker.unreadable(id, why, {"record": key})

    return result


def window_size(job: StageJob, served: Mapping[str, ServedModel]) -> int:
    """Unfinished rows at once: enough to keep every server's limit full.

    Where a row asks once, little more than the limit is enough. Where it asks several times, rows wait for one another
    (for a judge while the writer is idle, and in the last rows' chains): then four times the limit.
    """
    limits: dict[str, int] = {}
    for model in served.values():
        server = model.server or model.name
        limits[server] = max(limits.get(server, 0), model.spec.in_flight)
    asking = sum(1 for step in job.stage.steps if job.plan.steps[step].models)
    return max(LEAST_WINDOW, int((4 if asking > 1 else 1.25) * sum(limits.values())))


def share(model: ServedModel, workers: int) -> ServedModel:
    """A worker's share of a server's in-flight limit."""
    if workers == 1:
        return model
    spec = model.spec.model_copy(update={"in_flight": max(1, model.spec.in_flight // workers)})
    return replace(model, spec=spec)


class WriteShard(PipelineStep):  # type: ignore[misc]
    """Writes what a rank made; the last step, so the rank counts as complete only once its files are final."""

    name = "shard"
    type = "attar"

    def __init__(self, job: StageJob) -> None:
        super().__init__()
        self.job = job

    def run(self, data: Iterator[Chunk], rank: int = 0, world_size: int = 1) -> Iterator[None]:
        files = RankFiles(self.job, rank, self.job.slice(rank, world_size)[0])
        meter: Mapping[str, Any] = {}
        for chunk in data:
            meter = chunk.meter
            if chunk.results:
                files.write(chunk.results)
            files.progress(meter, chunk.live)
        files.close(meter)
        files.progress(meter, force=True)
        yield from ()


def source_context(job: StageJob, step: str) -> StepContext:
    """The context of a source: no models, no journal, the stage's scratch folder."""
    job.scratch.mkdir(parents=True, exist_ok=True)
    return StepContext(Facts.of(job), step)
