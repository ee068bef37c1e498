"""Runs a few rows beside the recipe's real runs and tells what was asked of models and what they said.

The rows go through the same stages as in a run, so what is shown is what a run would send. Answers are kept in the
recipe's own journal (a later run does not pay for them again); everything else is thrown away.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attar.api import Answer, RowError
from attar.execute.job import StageJob
from attar.execute.options import OnEvent, RunOptions
from attar.execute.outputs import summarise
from attar.execute.prepared import prepare
from attar.execute.ranks import Notices
from attar.execute.running import StageRunner
from attar.execute.stage import ReadRows, RowGraph, WriteShard
from attar.models import Call, Meter, ModelClient, ServedModel
from attar.plan.types import Plan, Stage
from attar.store.journal import Journal


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question to a model and what came of it.

    Attributes:
        asked: messages of a chat; else the prompt or the texts as one user message.
        attempt: which try of the row at this step it was, from 1.
        answer: None where there was none; then `error` says why.
    """

    step: str
    row: str
    model: str
    asked: Sequence[Mapping[str, Any]]
    schema: Mapping[str, Any] | None
    answer: Answer | None
    error: str = ""
    attempt: int = 1


OnExchange = Callable[[Exchange], None]


def preview(plan: Plan, options: RunOptions, on_exchange: OnExchange, on_event: OnEvent) -> Mapping[str, Any]:
    """Runs the first `options.limit` rows through all stages.

    Args:
        plan: a checked plan.
        options: `backend`, `in_flight`, `limit` and `runs` count; work is done in this process.
        on_exchange: told of every question, in the order in which the answers came.
        on_event: told of notices.

    Returns:
        ledger, reasons and usage as in results.json, of these rows alone.
    """
    options = replace(options, workers=1, shards=1, fresh=False)
    kept = prepare(plan, options)
    for text in kept.gate_notices():
        on_event({"type": "notice", "text": text})
    with tempfile.TemporaryDirectory(prefix="attar-try-") as scratch:
        prepared = prepare(plan, replace(options, runs=Path(scratch)))
        journal = prepared.workspace.journal if kept.rehearsal else kept.workspace.journal
        records = []
        with (
            nullcontext() if kept.rehearsal else _locked(kept.workspace.lock_path),
            prepared.servers(plan.stages, on_event) as served,
        ):
            from attar.store.journal import build_index

            build_index(journal)
            stop_file = prepared.workspace.folder / "stop"
            runner = _PreviewRunner(prepared, options, served, _nothing, stop_file)
            runner.listen(on_exchange, journal)
            records = [runner.run(stage) for stage in prepared.plan.stages if stage.kind != "sink"]
        return summarise(prepared, records, {})


def _nothing(event: Mapping[str, Any]) -> None:
    pass


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    from attar.store.lock import OwnerLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with OwnerLock(path):
        yield


class _PreviewRunner(StageRunner):
    """Runs stages as ever, with a graph that listens and the journal it is told to use."""

    def listen(self, on_exchange: OnExchange, journal: Path) -> None:
        self._on_exchange = on_exchange
        self._journal = journal

    def _job(self, stage: Stage, folder: Path) -> StageJob:
        job = super()._job(stage, folder)
        return replace(job, journal=self._journal, writer=f"try-{job.writer}")

    def pipeline(self, job: StageJob) -> Sequence[Any]:
        if job.stage.kind == "rows" and not job.stage.batch:
            return [ReadRows(job), _ListeningGraph(job, self._on_exchange), WriteShard(job)]
        return super().pipeline(job)


class _ListeningGraph(RowGraph):
    def __init__(self, job: StageJob, on_exchange: OnExchange) -> None:
        super().__init__(job)
        self.on_exchange = on_exchange

    async def open_client(
        self, served: Mapping[str, ServedModel], journal: Journal, meter: Meter, notice: Notices
    ) -> ModelClient:
        client = _ListeningClient(served, journal, meter, notice=notice)
        client.on_exchange = self.on_exchange
        await client.__aenter__()
        return client


class _ListeningClient(ModelClient):
    """A client that tells of every chat and completion."""

    on_exchange: OnExchange

    async def chat(self, call: Call, seeds: Callable[[int], int], format_attempts: int = 2) -> Answer:
        try:
            answer = await super().chat(call, seeds, format_attempts)
        except RowError as error:
            self._tell(call, call.messages, None, error)
            raise
        self._tell(call, call.messages, answer)
        return answer

    async def complete(self, call: Call, seed: int) -> Answer:
        asked = [{"role": "prompt", "content": call.prompt}]
        try:
            answer = await super().complete(call, seed)
        except RowError as error:
            self._tell(call, asked, None, error)
            raise
        self._tell(call, asked, answer)
        return answer

    def _tell(
        self, call: Call, asked: Sequence[Mapping[str, Any]], answer: Answer | None, error: RowError | None = None
    ) -> None:
        why = f"{error.code}: {error.detail}" if error is not None else ""
        self.on_exchange(Exchange(call.step, call.row, call.model, list(asked), call.schema, answer, why, call.attempt))
