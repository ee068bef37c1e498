"""Folders of parquet parts: `part-00000.parquet`, … with fixed cuts, so equal rows give equal bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Array = np.ndarray[Any, np.dtype[np.int64]]

ROWS_PER_FILE = 100_000
ROW_GROUP = 10_000
GROUP_BYTES = 32 << 20
"""Text in a row group: rows with long texts make smaller groups, or memory would hold 10,000 documents."""
SUFFIX = ".parquet"


def part_name(number: int) -> str:
    return f"part-{number:05d}{SUFFIX}"


def part_paths(folder: Path) -> list[Path]:
    """The parts of a folder, in order."""
    return sorted(folder.glob("part-*" + SUFFIX))


class PartsWriter:
    """Writes batches of any size as parts whose files and row groups are cut at fixed row numbers.

    Args:
        folder: where the parts go; must exist and hold none yet.
        schema: of every batch.
        rows_per_file, row_group: where to cut; memory holds one row group. A group also ends behind the row with which
            it has GROUP_BYTES of text: by its rows alone, so equal rows are still cut alike.
        plain: columns whose values never repeat (ids), written without a dictionary.
    """

    def __init__(
        self,
        folder: Path,
        schema: pa.Schema,
        rows_per_file: int = ROWS_PER_FILE,
        row_group: int = ROW_GROUP,
        plain: Sequence[str] = (),
    ) -> None:
        self._folder = folder
        self._schema = schema
        self._rows_per_file = rows_per_file
        self._row_group = row_group
        self._dictionary: Any = [name for name in schema.names if name not in plain] or False
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self._writer: pq.ParquetWriter | None = None
        self._in_file = 0
        self._files = 0
        self._pending_bytes = 0
        self.rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        sizes = text_bytes(batch)
        begin, end = 0, batch.num_rows
        while begin < end:
            most = min(end, begin + self._next_group() - self._pending_rows)
            heavy = int(np.searchsorted(sizes, sizes[begin] + GROUP_BYTES - self._pending_bytes))
            cut = max(begin + 1, min(most, heavy))
            self._pending.append(batch.slice(begin, cut - begin))
            self._pending_rows += cut - begin
            self._pending_bytes += int(sizes[cut] - sizes[begin])
            if self._pending_rows >= self._next_group() or self._pending_bytes >= GROUP_BYTES:
                self._flush()
            begin = cut

    def close(self) -> int:
        """Writes the rest (one empty part where there was no row) and returns the number of rows."""
        if self._pending_rows:
            self._flush()
        if not self._files and self._writer is None:
            self._open()
        self._end_file()
        return self.rows

    def _next_group(self) -> int:
        return min(self._row_group, self._rows_per_file - self._in_file)

    def _flush(self) -> None:
        size = self._pending_rows
        table = pa.Table.from_batches(self._pending, self._schema)
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0
        if self._writer is None:
            self._open()
        assert self._writer is not None
        self._writer.write_table(table.combine_chunks(), row_group_size=size)
        self._in_file += size
        self.rows += size
        if self._in_file >= self._rows_per_file:
            self._end_file()

    def _open(self) -> None:
        self._writer = pq.ParquetWriter(
            self._folder / part_name(self._files),
            self._schema,
            compression="zstd",
            compression_level=3,
            use_dictionary=self._dictionary,
        )

    def _end_file(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._files += 1
            self._in_file = 0


def text_bytes(batch: pa.RecordBatch) -> Array:
    """Bytes of text in a batch's rows, added up: entry i is that of the first i rows. Numbers do not count."""
    sums: Array = np.add.reduce([np.zeros(batch.num_rows + 1, np.int64), *map(_bytes, batch.columns)])
    return sums


def _bytes(array: pa.Array) -> Array:
    """The same of one column; texts within lists and structs count too."""
    kind = array.type
    rows = len(array)
    sums: Array = np.zeros(rows + 1, np.int64)
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_list(kind):
        offsets = np.frombuffer(array.buffers()[1], np.int32, rows + 1, 4 * array.offset) if rows else sums
        within = offsets if not pa.types.is_list(kind) else _bytes(array.values)[offsets]
        sums = np.subtract(within, within[0], dtype=np.int64)
    elif pa.types.is_struct(kind):
        sums = np.add.reduce([sums, *(_bytes(array.field(i)) for i in range(kind.num_fields))])
    return sums


def write_parts(
    folder: Path,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    rows_per_file: int = ROWS_PER_FILE,
    row_group: int = ROW_GROUP,
    plain: Sequence[str] = (),
) -> int:
    """Writes batches as parts into a folder (made when missing) and returns the number of rows.

    Publish the folder afterwards (`publish_folder`): until then a kill leaves a part of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writer = PartsWriter(folder, schema, rows_per_file, row_group, plain)
    for batch in batches:
        writer.write(batch)
    return writer.close()
