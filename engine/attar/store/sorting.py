"""External merge sort of Arrow batches: sorted runs on disk, merged with a heap; memory holds one run."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_OUT_ROWS = 4096
_RUN_BATCH = 1024


def sorted_batches(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema, keys: Sequence[str], folder: Path, bound: int
) -> Iterator[pa.RecordBatch]:
    """All rows of `batches` in ascending order of the keys; stable; nulls first, then NaN, then values.

    Args:
        folder: where runs are kept while merging.
        bound: bytes of Arrow data that are sorted in memory at once.

    Raises:
        ValueError: a key is no column, or its type has no order.
    """
    _check(schema, keys)
    runs: list[Path] = []
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size >= bound:
            runs.append(_write_run(_sorted(held, schema, keys), folder / f"run-{len(runs):05d}.arrow"))
            held, size = [], 0
    last = _sorted(held, schema, keys)
    if not runs:
        yield from last.to_batches(_OUT_ROWS)
        return
    if last.num_rows:
        runs.append(_write_run(last, folder / f"run-{len(runs):05d}.arrow"))
    del held, last
    yield from _merged(runs, schema, keys)
    for run in runs:
        run.unlink(missing_ok=True)


def _check(schema: pa.Schema, keys: Sequence[str]) -> None:
    for key in keys:
        if key not in schema.names:
            raise ValueError(f"cannot sort by {key!r}: there is no such column")
        field = schema.field(key)
        kind = field.type
        plain = pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)
        if not (plain or pa.types.is_boolean(kind)) or (field.metadata or {}).get(b"attar") == b"json":
            raise ValueError(f"cannot sort by {key!r}: values of type {kind} have no order")


def _sorted(held: list[pa.RecordBatch], schema: pa.Schema, keys: Sequence[str]) -> pa.Table:
    table = pa.Table.from_batches(held, schema)
    if not keys or not table.num_rows:
        return table
    # The rank puts nulls before NaN before values; an explicit last key keeps ties in order, whatever sort Arrow picks.
    ordered: dict[str, Any] = {}
    for i, key in enumerate(keys):
        column = table.column(key)
        ordered[f"rank{i}"] = _rank(column)
        ordered[f"value{i}"] = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
    ordered["place"] = _count(table)
    return table.take(pc.sort_indices(pa.table(ordered), sort_keys=[(name, "ascending") for name in ordered]))


def _rank(column: pa.ChunkedArray) -> pa.ChunkedArray:
    rank = pc.cast(pc.is_valid(column), pa.int8())
    if pa.types.is_floating(column.type):
        rank = pc.add(rank, pc.cast(_no_nan(column), pa.int8()))
    return rank


def _no_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.invert(pc.fill_null(pc.is_nan(column), True))


def _count(table: pa.Table) -> pa.Array:
    import numpy as np

    return pa.array(np.arange(table.num_rows))


def _write_run(table: pa.Table, path: Path) -> Path:
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    with pa.ipc.new_file(str(path), table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=_RUN_BATCH)
    return path


class _Run:
    """One run being merged: its present batch, the place in it, and the batch's number among those at hand."""

    def __init__(self, path: Path, number: int, keys: Sequence[str]) -> None:
        self._reader = pa.ipc.open_file(pa.OSFile(str(path), "rb"))
        self._next = 0
        self._keys = keys
        self.number = number
        self.batch: pa.RecordBatch | None = None
        self.values: list[tuple[Any, ...]] = []
        self.at = 0
        self.base = -1

    def load(self) -> bool:
        if self._next >= self._reader.num_record_batches:
            self.batch = None
            return False
        self.batch = self._reader.get_batch(self._next)
        self._next += 1
        columns = [map(_key, self.batch.column(key).to_pylist()) for key in self._keys]
        self.values = list(zip(*columns, strict=True))
        self.at = 0
        self.base = -1
        return True


def _merged(paths: list[Path], schema: pa.Schema, keys: Sequence[str]) -> Iterator[pa.RecordBatch]:
    runs = [_Run(path, number, keys) for number, path in enumerate(paths)]
    heap = [(run.values[0], run.number) for run in runs if run.load()]
    heapq.heapify(heap)
    pool: list[pa.RecordBatch] = []
    pooled = 0
    picked: list[int] = []
    while heap:
        _, number = heap[0]
        run = runs[number]
        assert run.batch is not None
        if run.base < 0:
            run.base = pooled
            pool.append(run.batch)
            pooled += run.batch.num_rows
        picked.append(run.base + run.at)
        run.at += 1
        if run.at < len(run.values) or run.load():
            heapq.heapreplace(heap, (run.values[run.at], number))
        else:
            heapq.heappop(heap)
        if len(picked) >= _OUT_ROWS:
            yield from pa.Table.from_batches(pool, schema).take(picked).combine_chunks().to_batches()
            pool, pooled, picked = [], 0, []
            for other in runs:
                other.base = -1
    if picked:
        yield from pa.Table.from_batches(pool, schema).take(picked).combine_chunks().to_batches()


def _key(value: Any) -> tuple[Any, ...]:
    if value is None:
        return (0,)
    if isinstance(value, float) and math.isnan(value):
        return (1,)
    return (2, value)
