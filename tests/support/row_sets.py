"""Rows in memory as sinks get them from the engine: Arrow batches, with JSON as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from attar.api import Row, RowSet
from attar.store.arrow import to_batch


class Rows:
    """A RowSet of some mappings; a row's id is its number in 32 digits.

    Args:
        columns: their types.
        rows: values by column; what is missing is null.
        size: rows of a batch.
    """

    def __init__(self, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], size: int = 3) -> None:
        self.columns = dict(columns)
        self._rows = [{**dict.fromkeys(columns), **row} for row in rows]
        self._size = size

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return (Row(f"{number:032x}", row) for number, row in enumerate(self._rows))

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        for start in range(0, len(self._rows), self._size):
            part = self._rows[start : start + self._size]
            batch, bad = to_batch(part, self.columns)
            assert not bad
            ids = pa.array([f"{start + n:032x}" for n in range(len(part))])
            batch = batch.append_column("id", ids)
            yield batch if columns is None else batch.select([*columns, "id"])

    def sorted_by(self, *keys: str) -> RowSet:
        raise NotImplementedError
