"""Files of a release: what is written is counted and summed on its way to the disk, so nothing is read again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = 20_000
"""Rows of a Parquet row group, and of what is held in memory."""


class Written(NamedTuple):
    """A file of the release; `path` from its folder, with slashes. `rows` is None where it holds none."""

    path: str
    bytes: int
    sha256: str
    rows: int | None = None


class SummedFile:
    """A new file for writing; knows its size and SHA-256."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._sum = hashlib.sha256()
        self._size = 0
        self.closed = False

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self._file.write(data)
        self._sum.update(data)
        self._size += size
        return size

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self.closed = True

    def written(self, path: str, rows: int | None = None) -> Written:
        return Written(path, self._size, self._sum.hexdigest(), rows)


def write_text(folder: Path, name: str, text: str) -> Written:
    """Writes a small file."""
    file = SummedFile(folder / name)
    file.write(text.encode())
    file.close()
    return file.written(name)


def groups(batches: Iterator[pa.RecordBatch], rows_per_file: int) -> Iterator[tuple[bool, pa.RecordBatch]]:
    """The rows in pieces of GROUP, cut where a file ends, too: the same pieces however the batches came.

    Yields:
        whether a new file begins, and the piece. Where there are no rows, nothing.
    """
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    rows = in_file = 0

    def piece(size: int) -> pa.RecordBatch:
        nonlocal held, rows
        taken = pa.Table.from_batches(held)
        rest = taken.slice(size)
        held, rows = rest.to_batches(), rest.num_rows
        return taken.slice(0, size).combine_chunks().to_batches()[0]

    for batch in batches:
        if batch.num_rows:
            held.append(batch)
            rows += batch.num_rows
        while rows >= (size := min(GROUP, rows_per_file - in_file)):
            yield in_file == 0, piece(size)
            in_file = (in_file + size) % rows_per_file
    if rows:
        yield in_file == 0, piece(rows)


class ParquetParts:
    """Compact files: id, persona, domain."""

    def __init__(self, folder: Path) -> None:
        import pyarrow as pa

        self._folder = folder / "parquet"
        self._folder.mkdir()
        self.schema = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("id", "persona", "domain")])
        self._writer: Any = None
        self._file: SummedFile | None = None
        self._rows = 0
        self.written: list[Written] = []

    def begin(self) -> None:
        """Ends the file that is open, and opens the next."""
        import pyarrow.parquet as pq

        self.end()
        self._file = SummedFile(self._folder / self._name())
        # ids and texts never repeat, so a dictionary would only be tried in vain
        self._writer = pq.ParquetWriter(
            self._file, self.schema, compression="zstd", compression_level=3, use_dictionary=["domain"]
        )
        self._rows = 0

    def add(self, piece: pa.RecordBatch) -> None:
        self._writer.write_batch(piece, row_group_size=GROUP)
        self._rows += piece.num_rows

    def end(self) -> None:
        if self._file is not None:
            self._writer.close()
            self._file.close()
            self.written.append(self._file.written(f"parquet/{self._name()}", self._rows))
            self._file = None

    def _name(self) -> str:
        return f"part-{len(self.written):05d}.parquet"


class JsonlParts:
    """Detailed files, one object per line."""

    def __init__(self, folder: Path, compression: str) -> None:
        self._folder = folder / "jsonl"
        self._folder.mkdir()
        self._compression = compression
        self._stack = ExitStack()
        self._file: SummedFile | None = None
        self._out: Any = None
        self._rows = 0
        self.written: list[Written] = []

    def begin(self) -> None:
        """Ends the file that is open, and opens the next."""
        self.end()
        self._file = SummedFile(self._folder / self._name())
        self._out = self._file
        if self._compression == "zst":
            import zstandard

            writer = zstandard.ZstdCompressor(level=3).stream_writer(self._file, closefd=False)  # type: ignore[arg-type]
            self._out = self._stack.enter_context(writer)
        self._rows = 0

    def add(self, lines: memoryview, rows: int) -> None:
        self._out.write(lines)
        self._rows += rows

    def end(self) -> None:
        if self._file is not None:
            self._stack.close()
            self._file.close()
            self.written.append(self._file.written(f"jsonl/{self._name()}", self._rows))
            self._file = None

    def _name(self) -> str:
        return f"part-{len(self.written):05d}.jsonl" + (".zst" if self._compression == "zst" else "")
