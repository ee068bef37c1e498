"""Parquet: a row is a document; only the columns that are asked for are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attar.api import Reject

from .formats import Found, Options, of_record


def read(path: Path, options: Options) -> Iterator[Found | Reject]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        yield Reject("torn", f"no whole Parquet file: {error}")
        return
    wanted = [name for name in (options.text, options.id, options.title, options.category) if name is not None]
    there = [name for name in wanted if name in file.schema_arrow.names]
    number = -1
    for batch in file.iter_batches(batch_size=256, columns=there or None):
        for record in batch.to_pylist():
            number += 1
            yield of_record(record, options, number)
