"""Helpers of bulk work: fates of many rows seen row by row, and row ids as numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attar.api.json_lines import decoder
from attar.api.rows import Drop, Fates, Reject, Row, RowSet

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def row_by_row(fates: Iterator[Fates], rows: RowSet) -> Iterator[Row | Drop]:
    """The same fates as rows and drops, in input order."""
    coming = iter(rows)
    for some in fates:
        codes: list[Any] = [None] * some.rows if some.reject is None else some.reject.to_pylist()
        details: list[Any] = [None] * some.rows if some.detail is None else some.detail.to_pylist()
        changes = {n: _values(array, rows.columns.get(n, "")) for n, array in (some.columns or {}).items()}
        for i in range(some.rows):
            row = next(coming)
            if codes[i] is not None:
                yield Drop(row, Reject(codes[i], details[i] or ""))
            elif changes:
                yield Row(row.id, {**row.columns, **{name: v[i] for name, v in changes.items()}}, row.parents)
            else:
                yield row


def id_words(ids: pa.Array) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The engine's row ids (32 hex digits each) as numbers: shape (rows, 2), first and second half of each id.

    Raises:
        ValueError: something else than 32 hex digits among them.
    """
    import numpy as np
    import pyarrow as pa

    texts = ids.cast(pa.large_string())
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    if texts.null_count or (np.diff(offsets) != 32).any():
        raise ValueError("these are no row ids: a row id has 32 hex digits")
    if not len(texts):
        return np.empty((0, 2), np.uint64)
    digits = bytes(memoryview(texts.buffers()[2])[int(offsets[0]) : int(offsets[-1])])
    octets = bytes.fromhex(digits.decode("ascii"))
    return np.frombuffer(octets, ">u8").astype(np.uint64).reshape(-1, 2)


def _values(array: pa.Array, known: str) -> list[Any]:
    import pyarrow as pa

    mark = {b"attar": b"json"} if known.rstrip("?") == "json" else None
    decode = decoder(pa.field("", array.type, metadata=mark))
    values: list[Any] = array.to_pylist()
    return values if decode is None else [None if value is None else decode(value) for value in values]
