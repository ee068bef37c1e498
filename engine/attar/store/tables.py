"""Finished rows on disk: what a rank writes, how ranks are joined, and how a table is read.

Stored columns are the user's, then three of the engine's own: the row's id, its parents' ids, and its trail (opaque
provenance, may be null).
"""

from __future__ import annotations

import os
import shutil
import weakref
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attar.api import Columns, Row
from attar.store.arrow import from_batch, from_schema, to_batch, to_schema
from attar.store.files import fsync_file
from attar.store.parts import ROW_GROUP, ROWS_PER_FILE, PartsWriter, part_paths
from attar.store.publish import publish_folder
from attar.store.sorting import sorted_batches

HIDDEN = ("__id", "__parents", "__trail")
_HIDDEN_FIELDS = (
    pa.field("__id", pa.string(), nullable=False),
    pa.field("__parents", pa.list_(pa.string()), nullable=False),
    pa.field("__trail", pa.binary()),
)
_UNIQUE = ("__id", "__parents", "__trail")
_READ_ROWS = 1024
_LEAST_READ = 16
_READ_BYTES = 8 << 20
"""Rows with long texts are read in smaller batches: of so many bytes, by what the file's footer says."""
SORT_BYTES = 64 << 20

StoredRow = tuple[int, str, tuple[str, ...], bytes | None, dict[str, Any]]


def stored_schema(columns: Columns) -> pa.Schema:
    """The schema of a stored table: the user's columns and the hidden ones."""
    return pa.schema([*to_schema(columns), *_HIDDEN_FIELDS])


def hidden_batch(
    batch: pa.RecordBatch,
    ids: Sequence[str] | pa.Array,
    parents: Sequence[Sequence[str]] | pa.Array,
    trails: Sequence[bytes | None] | pa.Array,
) -> pa.RecordBatch:
    """A batch of the user's columns with the hidden columns added; all of one length."""
    hidden = [
        values if isinstance(values, pa.Array) else pa.array(values, f.type)
        for values, f in zip((ids, parents, trails), _HIDDEN_FIELDS, strict=True)
    ]
    return pa.RecordBatch.from_arrays([*batch.columns, *hidden], schema=pa.schema([*batch.schema, *_HIDDEN_FIELDS]))


class RankWriter:
    """Writes the rows of one rank, in order, into one Arrow file. The file has its name only once it is whole.

    Args:
        folder: made when missing.
        name: of the file, without suffix; ranks are joined in the order of their names.
        columns: the user's columns.
    """

    def __init__(self, folder: Path, name: str, columns: Columns) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name}.arrow"
        self._temporary = folder / f".{name}.arrow.tmp"
        self._columns = columns
        self._schema = stored_schema(columns)
        options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
        self._writer = pa.ipc.new_file(str(self._temporary), self._schema, options=options)
        self._buffer: list[tuple[str, Sequence[str], bytes | None, Mapping[str, Any]]] = []
        self.rows = 0

    def append(self, id: str, parents: Sequence[str], trail: bytes | None, columns: Mapping[str, Any]) -> None:
        """Adds one row.

        Raises:
            ValueError: this row or one just before it does not fit the columns (rows are converted together).
        """
        self._buffer.append((id, parents, trail, columns))
        if len(self._buffer) >= _READ_ROWS:
            self._flush()

    def append_batch(self, batch: pa.RecordBatch) -> None:
        """Adds rows that already carry the hidden columns."""
        self._flush()
        self._write(batch)

    def close(self) -> Path:
        """Makes the file final and returns its path."""
        self._flush()
        self._writer.close()
        fsync_file(self._temporary)
        self._temporary.replace(self.path)
        return self.path

    def _flush(self) -> None:
        if not self._buffer:
            return
        rows, self._buffer = self._buffer, []
        batch, bad = to_batch([row[3] for row in rows], self._columns)
        if bad:
            position, why = next(iter(bad.items()))
            raise ValueError(f"row {rows[position][0]}: {why}")
        self._write(hidden_batch(batch, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]))

    def _write(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        if not batch.schema.equals(self._schema, check_metadata=True):
            batch = pa.RecordBatch.from_arrays([batch.column(n) for n in self._schema.names], schema=self._schema)
        self._writer.write_batch(batch)
        self.rows += batch.num_rows


def join_ranks(
    rank_files: Sequence[Path],
    out_folder: Path,
    columns: Columns,
    rows_per_file: int = ROWS_PER_FILE,
    row_group: int = ROW_GROUP,
) -> int:
    """Joins rank files, in the order given, into one table at `out_folder`; returns its number of rows.

    The bytes depend on the rows alone, not on how ranks cut them. The folder appears as a whole; running again after a
    kill writes it again. No rows leave one empty part that holds the schema.
    """
    draft = out_folder.with_name(f".{out_folder.name}.joining")
    _clear(draft)
    writer = PartsWriter(draft, stored_schema(columns), rows_per_file, row_group, plain=_UNIQUE)
    for path in rank_files:
        for batch in rank_batches(path):
            writer.write(batch)
    rows = writer.close()
    publish_folder(draft, out_folder)
    return rows


def rank_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The batches of one rank file."""
    with pa.OSFile(str(path), "rb") as source, pa.ipc.open_file(source) as reader:
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i)


class StoredTable:
    """A finished table; implements `attar.api.RowSet`. Opening it reads only the parts' footers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._paths = part_paths(folder)
        if not self._paths:
            raise FileNotFoundError(f"no table at {folder}: it holds no parts")
        self._footers: list[pq.FileMetaData] = [pq.read_metadata(path) for path in self._paths]
        self._ends: list[int] = list(accumulate(footer.num_rows for footer in self._footers))
        self.schema: pa.Schema = self._footers[0].schema.to_arrow_schema()
        self._names = [name for name in self.schema.names if name not in HIDDEN]
        self._columns = from_schema(pa.schema([self.schema.field(name) for name in self._names]))

    @property
    def columns(self) -> Mapping[str, str]:
        return self._columns

    def __len__(self) -> int:
        return self._ends[-1]

    def __iter__(self) -> Iterator[Row]:
        for _, id, parents, _, columns in self.slice(0, None, trails=False):
            yield Row(id, columns, parents)

    def ids(self) -> Iterator[str]:
        """The rows' ids, in order; reads nothing else."""
        for batch in self._read(0, None, ["__id"], _READ_ROWS * 8):
            yield from batch.column(0).to_pylist()

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Record batches of the user's columns, or of those named, plus `id` (string)."""
        names = self._names if columns is None else list(columns)
        for batch in self._read(0, None, [*names, "__id"], _READ_ROWS * 8):
            yield batch.rename_columns([*names, "id"])

    def sorted_by(self, *keys: str) -> StoredTable:
        """The same rows in ascending order of the named columns (`id` is one), nulls first, ties by present order.

        Sorts in pieces of 64 MiB on disk, beside this table; the copy is removed with the returned object.

        Raises:
            ValueError: a key is no column, or its type has no order (json, lists, structs).
        """
        if not keys:
            return self
        names = ["__id" if key == "id" and key not in self._columns else key for key in keys]
        writable = os.access(self.folder.parent, os.W_OK)
        folder = Path(mkdtemp(prefix=".sort-", dir=self.folder.parent if writable else None))
        try:
            writer = PartsWriter(folder, self.schema, plain=_UNIQUE)
            for batch in sorted_batches(self.batch_slice(0, None), self.schema, names, folder, SORT_BYTES):
                writer.write(batch)
            writer.close()
            copy = StoredTable(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        weakref.finalize(copy, shutil.rmtree, folder, ignore_errors=True)
        return copy

    def slice(self, start: int, stop: int | None, *, trails: bool = True) -> Iterator[StoredRow]:
        """Rows start ≤ i < stop: (ordinal, id, parents, trail, columns). Skips what lies before without reading it."""
        hidden = HIDDEN if trails else HIDDEN[:2]
        ordinal = start
        for batch in self._read(start, stop, [*self._names, *hidden], _READ_ROWS):
            ids = batch.column("__id").to_pylist()
            parents = batch.column("__parents").to_pylist()
            trail = batch.column("__trail").to_pylist() if trails else [None] * len(ids)
            rows = from_batch(batch.select(self._names))
            for i, id in enumerate(ids):
                yield ordinal, id, tuple(parents[i]), trail[i], rows[i]
                ordinal += 1

    def batch_slice(self, start: int, stop: int | None) -> Iterator[pa.RecordBatch]:
        """Rows start ≤ i < stop as Arrow batches, hidden columns included."""
        return self._read(start, stop, [*self._names, *HIDDEN], _READ_ROWS * 8)

    def histories(self) -> Iterator[pa.RecordBatch]:
        """The hidden columns alone: ids, parents and trails."""
        return self._read(0, None, list(HIDDEN), _READ_ROWS * 8)

    def _read(self, start: int, stop: int | None, names: list[str], most: int) -> Iterator[pa.RecordBatch]:
        stop = len(self) if stop is None else min(stop, len(self))
        file = bisect_right(self._ends, start)
        while start < stop:
            footer = self._footers[file]
            base = self._ends[file] - footer.num_rows
            groups: list[int] = []
            first = at = base
            for group in range(footer.num_row_groups):
                end = at + footer.row_group(group).num_rows
                if end > start and at < stop:
                    if not groups:
                        first = at
                    groups.append(group)
                at = end
            at = first
            size = min(most, max(_LEAST_READ, int(_READ_BYTES * footer.num_rows / max(_weight(footer), 1))))
            with pq.ParquetFile(self._paths[file], metadata=footer) as parquet:
                for batch in parquet.iter_batches(size, row_groups=groups, columns=names, use_threads=False):
                    end = at + batch.num_rows
                    if end > start:
                        low, high = max(start - at, 0), min(stop, end) - at
                        if high <= low:
                            break
                        part = batch if high - low == batch.num_rows else batch.slice(low, high - low)
                        yield part.select(names)
                    at = end
            start = self._ends[file]
            file += 1


def _weight(footer: pq.FileMetaData) -> int:
    """Bytes of a file's rows before compression."""
    return sum(footer.row_group(group).total_byte_size for group in range(footer.num_row_groups))


def _clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
