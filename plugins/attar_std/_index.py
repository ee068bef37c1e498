"""Where each record stands and which ids come twice: made once by `count`, shared by every shard through scratch."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ._files import DataFile
from ._parquet import count_rows
from ._records import Mark, Options, chunks, count_lines

NAME = "index.json"
_BUCKETS = 16
_FLUSH = 1 << 15


class FileIndex(NamedTuple):
    """Records of one file, and marks from which it can be read, ascending."""

    name: str
    records: int
    marks: list[Mark]

    def before(self, record: int) -> Mark:
        """The last mark at or before a record."""
        found = Mark(0, 0)
        for mark in self.marks:
            if mark.record > record:
                break
            found = mark
        return found


class Index(NamedTuple):
    """All files' indexes and, for each record whose id came before, the record that had it first (both counted over
    all files)."""

    files: list[FileIndex]
    duplicates: dict[int, int]

    @property
    def records(self) -> int:
        return sum(file.records for file in self.files)


def load(folder: Path, files: Sequence[DataFile]) -> Index | None:
    """The index kept in a folder, or None where there is none for these files."""
    try:
        data = orjson.loads((folder / NAME).read_bytes())
        found = [FileIndex(name, records, [Mark(*mark) for mark in marks]) for name, records, marks in data["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if [file.name for file in found] != [file.name for file in files]:
        return None
    return Index(found, {int(k): v for k, v in data["duplicates"].items()})


def build(
    folder: Path, files: Sequence[DataFile], options: Options, key: Callable[[Any], str | int | None] | None
) -> Index:
    """Counts and marks the records of all files, and keeps the result in the folder.

    Args:
        folder: where the index and its temporary files go.
        files: in reading order.
        options: how to read them.
        key: id of a record, or None for a record without a usable one; None where rows have no id column.
    """
    ids = Ids(folder) if key else None
    found = [_index_file(file, options, key, ids) for file in files]
    index = Index(found, ids.duplicates() if ids else {})
    data = {
        "files": [[f.name, f.records, [list(m) for m in f.marks]] for f in found],
        "duplicates": {str(k): v for k, v in index.duplicates.items()},
    }
    temporary = folder / f"{NAME}.{os.getpid()}"
    temporary.write_bytes(orjson.dumps(data))
    temporary.replace(folder / NAME)
    return index


def _index_file(
    file: DataFile, options: Options, key: Callable[[Any], str | int | None] | None, ids: Ids | None
) -> FileIndex:
    if key is None or ids is None:
        if file.format == "parquet":
            return FileIndex(file.name, count_rows(file), [])
        if file.format == "jsonl":
            return FileIndex(file.name, *count_lines(file, options))
    count = 0
    marks: list[Mark] = []
    for chunk in chunks(file, options, Mark(0, 0)):
        if chunk.mark.offset >= 0 and (not marks or chunk.mark.record - marks[-1].record >= 4096):
            marks.append(chunk.mark)
        count += len(chunk.records)
        if key is not None and ids is not None:
            ids.add(map(key, chunk.records))
    return FileIndex(file.name, count, marks)


class Ids:
    """Finds ids that come twice. Keeps 16-byte digests in bucket files, so that memory stays flat; a bucket at a time
    is sorted in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._at = 0
        self._buffers = [array("Q") for _ in range(_BUCKETS)]

    def _path(self, bucket: int) -> Path:
        return self._folder / f"ids.{os.getpid()}.{bucket}"

    def add(self, ids: Iterator[str | int | None]) -> None:
        """Takes the ids of the next records, in order."""
        for value in ids:
            if value is not None:
                text = f"{type(value).__name__[0]}{value}".encode("utf-8", "surrogatepass")
                digest = hashlib.blake2b(text, digest_size=16).digest()
                buffer = self._buffers[digest[0] % _BUCKETS]
                buffer.frombytes(digest)
                buffer.append(self._at)
                if len(buffer) >= 3 * _FLUSH:
                    self._flush(digest[0] % _BUCKETS)
            self._at += 1

    def _flush(self, bucket: int) -> None:
        with self._path(bucket).open("ab") as file:
            self._buffers[bucket].tofile(file)
        self._buffers[bucket] = array("Q")

    def duplicates(self) -> dict[int, int]:
        """Second and later record of each id → its first record."""
        result: dict[int, int] = {}
        for bucket, buffer in enumerate(self._buffers):
            rows = array("Q")
            path = self._path(bucket)
            if path.exists():
                rows.frombytes(path.read_bytes())
                path.unlink()
            rows.extend(buffer)
            self._buffers[bucket] = array("Q")
            result.update(_repeats(rows))
        return dict(sorted(result.items()))


def _repeats(rows: array[int]) -> Iterator[tuple[int, int]]:
    import numpy as np

    if not len(rows):
        return
    table = np.frombuffer(rows, dtype=np.uint64).reshape(-1, 3)
    order = np.lexsort((table[:, 2], table[:, 1], table[:, 0]))
    table = table[order]
    same = (table[1:, 0] == table[:-1, 0]) & (table[1:, 1] == table[:-1, 1])
    first = 0
    for place in np.flatnonzero(same).tolist():
        if place == 0 or not same[place - 1]:
            first = int(table[place, 2])
        yield int(table[place + 1, 2]), first
