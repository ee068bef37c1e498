"""Arrow batches as rows, for steps whose work is Python per row."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from attar.api import Columns, parse_type

from ._types import json_decoder

if TYPE_CHECKING:
    import pyarrow as pa


def records_of(batch: pa.RecordBatch, names: Collection[str], types: Columns) -> Iterator[dict[str, Any]]:
    """The batch's rows with the named columns only: what is not read is never turned into Python.

    Args:
        batch: the rows.
        names: columns wanted.
        types: types of the columns that arrive; `json` ones, text in Arrow, become the values they hold.
    """
    wanted = [name for name in batch.schema.names if name in names]
    if not wanted:
        return iter([{} for _ in range(batch.num_rows)])
    columns = []
    for name in wanted:
        decode = json_decoder(parse_type(types[name])) if name in types else None
        values = batch.column(name).to_pylist()
        columns.append(values if decode is None else [decode(value) for value in values])
    return (dict(zip(wanted, values, strict=True)) for values in zip(*columns, strict=True))
