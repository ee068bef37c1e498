"""What one rank writes: tap tables, outcome tables, its ledger, its usage and its progress.

Nothing is final before `close`; datatrove marks the rank complete only after that, so a killed rank starts over and
its answers come from the journal.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from attar.execute.job import StageJob
from attar.execute.results import OutcomeRow, RowResult
from attar.execute.scope import Live
from attar.store.arrow import to_batch
from attar.store.ledger import Ledger
from attar.store.tables import RankWriter, hidden_batch
from attar.store.workspace import OutcomeWriter, write_json_atomic

PROGRESS_SECONDS = 0.4
OUTCOMES = ("rejected", "review", "dead")


class RankFiles:
    """Writes the results of one rank, in order. `first` is the number of the rank's first input row in the stage."""

    def __init__(self, job: StageJob, rank: int, first: int = 0) -> None:
        self._job = job
        self._rank = rank
        self._folder = job.folder / "ranks"
        self._columns = {tap: job.plan.steps[tap].columns for tap in job.stage.taps}
        self._taps = {
            tap: RankWriter(self._folder / "taps" / tap, rank_name(rank), columns)
            for tap, columns in self._columns.items()
        }
        self._outcomes: dict[str, OutcomeWriter] = {}
        self.ledger = Ledger()
        self.done = 0
        self._first = first
        self._progress_at = 0.0

    @property
    def order(self) -> int:
        """Number of the next input row within the stage: examples are chosen by it, whatever the shards."""
        return self._first + self.done

    def write(self, results: Sequence[RowResult]) -> None:
        """Adds results, in input order. Rows that do not fit their declared types become dead letters here."""
        taps: dict[str, list[tuple[int, Any]]] = {tap: [] for tap in self._taps}
        outcomes: list[tuple[int, OutcomeRow]] = []
        count = self.ledger.count
        for position, result in enumerate(results):
            for emitted in result.emitted:
                taps[emitted.tap].append((position, emitted))
            outcomes += [(position, outcome) for outcome in result.outcomes]
            for step, field, n in result.counts:
                count(step, field, n)
            for step, kind, code, row_id, detail in result.reasons:
                self.ledger.reason(step, kind, code, row_id, detail, self.order + position)
        for tap, rows in taps.items():
            if rows:
                outcomes += self._write_tap(tap, rows)
        if outcomes:
            outcomes.sort(key=lambda pair: pair[0])  # stable: input order, then the walk's order
            self.write_outcomes([outcome for _, outcome in outcomes])
        self.done += len(results)

    def _write_tap(self, tap: str, rows: list[tuple[int, Any]]) -> list[tuple[int, OutcomeRow]]:
        batch, bad = to_batch([emitted.columns for _, emitted in rows], self._columns[tap])
        misfits: list[tuple[int, OutcomeRow]] = []
        if bad:
            from attar.execute.results import json_of

            for i, why in sorted(bad.items()):
                position, emitted = rows[i]
                self.ledger.count(tap, "accepted", -1)
                self.ledger.count(tap, "dead", 1)
                self.ledger.reason(tap, "dead", "schema", emitted.id, why, self.order + position)
                misfits.append(
                    (
                        position,
                        OutcomeRow(
                            "dead",
                            emitted.id,
                            tap,
                            "schema",
                            why,
                            1,
                            emitted.parents,
                            json_of(emitted.columns),
                            emitted.trail,
                        ),
                    )
                )
            rows = [pair for i, pair in enumerate(rows) if i not in bad]
        emits = [emitted for _, emitted in rows]
        self._taps[tap].append_batch(
            hidden_batch(batch, [e.id for e in emits], [list(e.parents) for e in emits], [e.trail for e in emits])
        )
        return misfits

    def append_batch(self, tap: str, batch: Any) -> None:
        """Adds an Arrow batch that already carries the hidden columns."""
        self._taps[tap].append_batch(batch)

    def write_outcomes(self, outcomes: Iterable[OutcomeRow]) -> None:
        for outcome in outcomes:
            self._writer(outcome.kind).append(outcome)

    def append_outcomes(self, kind: str, batch: Any) -> None:
        """Adds an Arrow batch of outcomes of one kind."""
        self._writer(kind).append_batch(batch)

    def _writer(self, kind: str) -> OutcomeWriter:
        writer = self._outcomes.get(kind)
        if writer is None:
            writer = self._outcomes[kind] = OutcomeWriter(self._folder / kind, rank_name(self._rank))
        return writer

    def close(self, usage: Mapping[str, Any], shortfalls: Sequence[Mapping[str, Any]] = ()) -> None:
        """Makes everything final."""
        for tap in self._taps.values():
            tap.close()
        for writer in self._outcomes.values():
            writer.close()
        record = {"ledger": self.ledger.to_json(), "usage": usage, "shortfalls": list(shortfalls)}
        write_json_atomic(self._folder / "records" / f"{rank_name(self._rank)}.json", record)

    def progress(self, meter: Mapping[str, Any], live: Live | None = None, *, force: bool = False) -> None:
        """Leaves a note of how far the rank is, at most a few times a second, for the display."""
        now = time.monotonic()
        if not force and now - self._progress_at < PROGRESS_SECONDS:
            return
        self._progress_at = now
        note = {"done": self.done, "ledger": self.ledger.to_json()["counts"] if live is None else live, "meter": meter}
        path = self._job.folder / "progress" / f"{rank_name(self._rank)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(orjson.dumps(note))
        temporary.replace(path)


class Notices:
    """Leaves sentences for the user where the driver's watcher finds them."""

    def __init__(self, folder: Path, rank: int) -> None:
        self._path = folder / "progress" / f"{rank_name(rank)}.notices"

    def __call__(self, text: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(text.replace("\n", " ") + "\n")


def rank_name(rank: int) -> str:
    return f"{rank:05d}"


def rank_records(folder: Path) -> list[Mapping[str, Any]]:
    """The closing records of all ranks of a stage, in rank order."""
    return [orjson.loads(path.read_bytes()) for path in sorted((folder / "ranks" / "records").glob("*.json"))]
