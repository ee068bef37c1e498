"""Folders of parquet parts: `part-00000.parquet`, … with fixed cuts, so equal rows give equal bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_FILE = 100_000
ROW_GROUP = 10_000
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
        rows_per_file, row_group: where to cut; memory holds one row group.
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
        self.rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._pending.append(batch)
        self._pending_rows += batch.num_rows
        while self._pending_rows >= (size := self._next_group()):
            self._flush(size)

    def close(self) -> int:
        """Writes the rest (one empty part where there was no row) and returns the number of rows."""
        if self._pending_rows:
            self._flush(self._pending_rows)
        if not self._files and self._writer is None:
            self._open()
        self._end_file()
        return self.rows

    def _next_group(self) -> int:
        return min(self._row_group, self._rows_per_file - self._in_file)

    def _flush(self, size: int) -> None:
        table = pa.Table.from_batches(self._pending, self._schema)
        rest = table.slice(size)
        self._pending = rest.to_batches() if rest.num_rows else []
        self._pending_rows = rest.num_rows
        if self._writer is None:
            self._open()
        assert self._writer is not None
        self._writer.write_table(table.slice(0, size).combine_chunks(), row_group_size=size)
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
