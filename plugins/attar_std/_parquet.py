"""Parquet files: their columns' types, and their rows from any record on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from attar.api import ConfigProblem, ParsedType, Reject

from ._files import DataFile, open_plain
from ._fit import Column
from ._types import arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 8192


def open_parquet(file: DataFile) -> Any:
    """The file, opened.

    Raises:
        ConfigProblem: it is not a Parquet file, or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    raw = open_plain(file)
    try:
        return pq.ParquetFile(raw)
    except (pa.ArrowInvalid, OSError) as error:
        raw.close()
        raise ConfigProblem(("path",), f"{file.name!r} is not a readable Parquet file: {error}", "", "E311") from None


def count_rows(file: DataFile) -> int:
    """Rows by the file's footer."""
    with open_parquet(file) as opened:
        return int(opened.metadata.num_rows)


def columns_of(file: DataFile) -> dict[str, ParsedType | None]:
    """Types by the file's schema, nullable where its figures allow nulls; None for what no type of ours can hold."""
    with open_parquet(file) as opened:
        schema, metadata = opened.schema_arrow, opened.metadata
        nulls = _null_counts(metadata)
    result: dict[str, ParsedType | None] = {}
    for field in schema:
        kind = _kind_of(field)
        null = field.nullable and nulls.get(field.name, 1) != 0
        result[field.name] = kind._replace(nullable=null or kind.nullable) if kind else None
    return result


def _kind_of(field: pa.Field) -> ParsedType | None:
    return ParsedType("json") if _is_json(field) else _kind(field.type)


def _is_json(field: pa.Field) -> bool:
    """Whether a text column is marked as holding JSON, as attar's own files mark it."""
    return bool(field.metadata) and field.metadata.get(b"attar") == b"json"


def _null_counts(metadata: Any) -> dict[str, int]:
    """Nulls per flat column; a column without figures is left out."""
    counts: dict[str, int] = {}
    unknown = set()
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            name = column.path_in_schema
            if column.statistics is None or column.statistics.null_count is None or "." in name:
                unknown.add(name)
            else:
                counts[name] = counts.get(name, 0) + column.statistics.null_count
    return {name: count for name, count in counts.items() if name not in unknown}


def _kind(kind: pa.DataType) -> ParsedType | None:
    import pyarrow as pa

    t = pa.types
    if t.is_dictionary(kind):
        return _kind(kind.value_type)
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
        return ParsedType("string")
    if t.is_boolean(kind):
        return ParsedType("bool")
    if t.is_integer(kind):
        return ParsedType("int")
    if t.is_floating(kind):
        return ParsedType("float")
    if t.is_temporal(kind) or t.is_decimal(kind):
        return ParsedType("string")
    if t.is_null(kind):
        return ParsedType("json", True)
    if t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind):
        item = _nested(kind.value_field)
        return item and ParsedType("list", item=item._replace(nullable=True))
    if t.is_struct(kind) and kind.num_fields:
        fields = [(field.name, _nested(field)) for field in kind]
        if all(item for _, item in fields):
            return ParsedType("struct", fields=tuple((n, item._replace(nullable=True)) for n, item in fields if item))
    return None


def _nested(field: pa.Field) -> ParsedType | None:
    import pyarrow as pa

    return None if pa.types.is_temporal(field.type) or pa.types.is_decimal(field.type) else _kind_of(field)


def batches(
    file: DataFile, begin: int, end: int | None, columns: Sequence[str] | None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Rows begin ≤ i < end as (number of the first, batch); dates, times and decimals as text."""
    with open_parquet(file) as opened:
        metadata, at, groups = opened.metadata, 0, []
        first = None
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if at + rows > begin and (end is None or at < end):
                groups.append(group)
                first = at if first is None else first
            at += rows
        at = first or 0
        names = None if columns is None else [c for c in columns if c in opened.schema_arrow.names]
        if not groups:
            return
        for batch in opened.iter_batches(batch_size=ROWS, row_groups=groups, columns=names, use_threads=False):
            low, high = max(begin - at, 0), batch.num_rows if end is None else min(end - at, batch.num_rows)
            if low < high:
                yield at + low, _readable(batch.slice(low, high - low))
            at += batch.num_rows
            if end is not None and at >= end:
                return


def _readable(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa

    arrays, changed = [], False
    for array in batch.columns:
        kind = array.type
        if pa.types.is_dictionary(kind):
            array = array.dictionary_decode()
        elif pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
            array = array.cast(pa.string())
        changed = changed or array.type is not kind
        arrays.append(array)
    if not changed:
        return batch
    fields = [old.with_type(array.type) for old, array in zip(batch.schema, arrays, strict=True)]
    return pa.record_batch(arrays, schema=pa.schema(fields))


def straight(batch: pa.RecordBatch, columns: Sequence[Column], closed: bool) -> pa.RecordBatch | None:
    """The batch as the columns want it, without a look at single values; None where that needs one.

    Args:
        columns: what leaves.
        closed: a column of the file that none of them takes makes its records unfit.
    """
    import pyarrow as pa

    known = {column.source for column in columns}
    if closed and not set(batch.schema.names) <= known:
        return None
    arrays = []
    for column in columns:
        at = batch.schema.get_field_index(column.source)
        wanted = column.kind
        if at < 0 and wanted.nullable:
            arrays.append(pa.nulls(batch.num_rows, arrow_type(wanted)))
            continue
        found = _kind_of(batch.schema.field(at)) if at >= 0 else None
        same = found is not None and (found.kind == wanted.kind or (found.kind, wanted.kind) == ("int", "float"))
        if not same or wanted.kind not in ("string", "int", "float", "bool"):
            return None
        array = batch.column(at)
        if array.null_count and not wanted.nullable:
            return None
        try:
            array.validate(full=True)
            arrays.append(array.cast(arrow_type(wanted)))
        except pa.ArrowInvalid:
            return None
    fields = [pa.field(column.name, array.type) for column, array in zip(columns, arrays, strict=True)]
    return pa.record_batch(arrays, schema=pa.schema(fields))


def to_records(batch: pa.RecordBatch) -> list[Any]:
    """The batch as one dict per row; a Reject in the place of a row with text that is not UTF-8."""
    columns = []
    broken: dict[int, Reject] = {}
    for field, array in zip(batch.schema, batch.columns, strict=True):
        try:
            values = array.to_pylist()
        except UnicodeDecodeError:
            values = _readable_values(field.name, array, broken)
        decode = _decoder(field)
        columns.append(values if decode is None else list(map(decode, values)))
    if not columns:
        return [{} for _ in range(batch.num_rows)]
    records: list[Any] = [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]
    for place, why in broken.items():
        records[place] = why
    return records


def _readable_values(name: str, array: pa.Array, broken: dict[int, Reject]) -> list[Any]:
    values: list[Any] = []
    for place, value in enumerate(array):
        try:
            values.append(value.as_py())
        except UnicodeDecodeError:
            values.append(None)
            broken.setdefault(place, Reject("encoding", f"column {name!r} is not valid UTF-8"))
    return values


def _decoder(field: pa.Field) -> Callable[[Any], Any] | None:
    import pyarrow as pa

    if _is_json(field):
        return _loads
    if pa.types.is_list(field.type) and (item := _decoder(field.type.value_field)):
        return lambda value: None if value is None else [item(one) for one in value]
    if pa.types.is_struct(field.type):
        inner = {one.name: found for one in field.type if (found := _decoder(one))}
        if inner:
            return lambda value: value and {n: inner[n](one) if n in inner else one for n, one in value.items()}
    return None


def _loads(text: str | None) -> Any:
    try:
        return None if text is None else orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
