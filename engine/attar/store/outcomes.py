"""Files of the rows that did not go on: rejected, in review, dead-lettered. One schema for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from attar.store.decisions import review_key
from attar.store.files import fsync_file
from attar.store.parts import part_paths, write_parts
from attar.store.publish import publish_folder
from attar.store.tables import rank_batches

OUTCOME_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("step", pa.string(), nullable=False),
        pa.field("code", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("attempt", pa.int64(), nullable=False),
        pa.field("parents", pa.list_(pa.string()), nullable=False),
        pa.field("row", pa.string(), metadata={b"attar": b"json"}),
        pa.field("trail", pa.string(), metadata={b"attar": b"json"}),
    ]
)
REVIEW_SCHEMA = OUTCOME_SCHEMA.append(pa.field("key", pa.string(), nullable=False))
"""Of a run's `review/`: what a decision on the row is filed under, too."""
_HELD = 1024


class Outcome(Protocol):
    """A row that does not go on, as it was when that was decided; `row` and `trail` are JSON."""

    @property
    def id(self) -> str: ...
    @property
    def step(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def parents(self) -> Sequence[str]: ...
    @property
    def row(self) -> bytes: ...
    @property
    def trail(self) -> bytes | None: ...


class OutcomeWriter:
    """Writes one rank's outcomes of one kind, in order. The file has its name only once it is whole."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name}.arrow"
        self._temporary = folder / f".{name}.arrow.tmp"
        options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
        self._writer = pa.ipc.new_file(str(self._temporary), OUTCOME_SCHEMA, options=options)
        self._held: list[Outcome] = []

    def append(self, outcome: Outcome) -> None:
        self._held.append(outcome)
        if len(self._held) >= _HELD:
            self._flush()

    def append_batch(self, batch: pa.RecordBatch) -> None:
        """Adds outcomes that are Arrow already, in the schema of outcomes."""
        self._flush()
        if batch.num_rows:
            self._writer.write_batch(batch)

    def close(self) -> Path:
        """Makes the file final and returns its path."""
        self._flush()
        self._writer.close()
        fsync_file(self._temporary)
        self._temporary.replace(self.path)
        return self.path

    def _flush(self) -> None:
        held, self._held = self._held, []
        if held:
            self._writer.write_batch(outcomes_batch(held))


def outcomes_batch(held: Sequence[Outcome]) -> pa.RecordBatch:
    """Outcomes as Arrow."""
    columns: list[list[Any]] = [
        [o.id for o in held],
        [o.step for o in held],
        [_text(o.code) for o in held],
        [_text(o.detail) for o in held],
        [o.attempt for o in held],
        [list(o.parents) for o in held],
        [o.row.decode() for o in held],
        [None if o.trail is None else o.trail.decode() for o in held],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, OUTCOME_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=OUTCOME_SCHEMA)


def join_outcomes(files: Sequence[Path], out_folder: Path, *, keyed: bool = False) -> int:
    """Joins outcome files (of ranks, or parts of joined ones), in the order given, into one folder of parts.

    The bytes depend on the rows alone. No rows leave one empty part, so a reader always finds the schema.

    Args:
        keyed: adds the column `key`, under which a decision on the row is filed.

    Returns:
        the number of rows.
    """
    draft = out_folder.with_name(f".{out_folder.name}.joining")
    for leftover in part_paths(draft):
        leftover.unlink()
    batches = (_keyed(batch) if keyed else batch for path in files for batch in _batches(path))
    rows = write_parts(draft, REVIEW_SCHEMA if keyed else OUTCOME_SCHEMA, batches, plain=("id", "key"))
    publish_folder(draft, out_folder)
    return rows


def read_outcomes(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a folder of outcomes; `row` and `trail` stay JSON text."""
    for path in part_paths(folder):
        for batch in _batches(path):
            yield from batch.to_pylist()


def _batches(path: Path) -> Iterable[pa.RecordBatch]:
    if path.suffix == ".arrow":
        yield from rank_batches(path)
        return
    with pq.ParquetFile(path) as parquet:
        for batch in parquet.iter_batches(_HELD, use_threads=False):
            own = [batch.column(name) for name in OUTCOME_SCHEMA.names]
            yield pa.RecordBatch.from_arrays(own, schema=OUTCOME_SCHEMA)


def _keyed(batch: pa.RecordBatch) -> pa.RecordBatch:
    rows = zip(*(batch.column(name).to_pylist() for name in ("step", "id", "row")), strict=True)
    keys = pa.array([review_key(step, id, row) for step, id, row in rows], pa.string())
    return pa.RecordBatch.from_arrays([*batch.columns, keys], schema=REVIEW_SCHEMA)


def _text(text: str) -> str:
    """A detail may quote what a model said, broken characters included."""
    return text.encode("utf-8", "backslashreplace").decode()
