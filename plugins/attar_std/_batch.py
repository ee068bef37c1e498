"""Arrow batches as rows, for steps whose work is Python per row."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def records_of(batch: pa.RecordBatch, names: Collection[str]) -> Iterator[dict[str, Any]]:
    """The batch's rows with the named columns only: what is not read is never turned into Python."""
    wanted = [name for name in batch.schema.names if name in names]
    if not wanted:
        return iter([{} for _ in range(batch.num_rows)])
    columns = [batch.column(name).to_pylist() for name in wanted]
    return (dict(zip(wanted, values, strict=True)) for values in zip(*columns, strict=True))
