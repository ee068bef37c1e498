"""Rows written as Parquet, JSONL or CSV, without holding more than a batch."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

import orjson

from attar.api import ParsedType, parse_type

from ._files import filesystem
from ._types import arrow_field, json_decoder, to_json

if TYPE_CHECKING:
    import pyarrow as pa

EXTENSIONS = ("parquet", "jsonl", "csv", "tsv")


class Format(NamedTuple):
    """A file format: parquet, jsonl or csv; its compression ("none" for none); the delimiter of CSV."""

    name: str
    compression: str = "none"
    delimiter: str = ","

    @property
    def extension(self) -> str:
        packed = "" if self.name == "parquet" or self.compression == "none" else f".{self.compression}"
        return f".{self.name}{packed}"


def arrow_schema(columns: Mapping[str, str]) -> pa.Schema:
    """Schema of what a sink gets: `id` (the engine's) first, then the user's columns."""
    import pyarrow as pa

    fields = [pa.field("id", pa.string())]
    for name, text in columns.items():
        if name != "id":
            fields.append(arrow_field(name, parse_type(text)))
    return pa.schema(fields)


@contextmanager
def open_local(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name only when it is complete and on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def open_remote(url: str) -> Iterator[BinaryIO]:
    """A file behind a URL. Object stores show it when it is closed; a failed write is discarded where they can."""
    fs, path = filesystem(url)
    file = fs.open(path, "wb")
    try:
        yield file
    except BaseException:
        if hasattr(file, "discard"):
            file.discard()
        raise
    file.close()


def write_table(
    target: Format,
    place: Path | BinaryIO,
    schema: pa.Schema,
    columns: Mapping[str, str],
    batches: Iterable[pa.RecordBatch],
) -> None:
    """Writes one file.

    Args:
        target: the format.
        place: a path, or a file opened for writing bytes (left open).
        schema: what the file's columns are.
        columns: their types, by which `json` columns are told from text.
        batches: the rows; columns are taken by name.
    """
    with ExitStack() as stack:
        file = stack.enter_context(place.open("wb")) if isinstance(place, Path) else place
        if target.name == "parquet":
            _parquet(target, file, schema, batches)
            return
        packed = _pack(file, target.compression, stack)
        kinds = {name: parse_type(text) for name, text in columns.items()}
        if target.name == "jsonl":
            _jsonl(packed, schema, kinds, batches)
        else:
            _csv(packed, target.delimiter, schema, kinds, batches)


def _pack(file: BinaryIO, compression: str, stack: ExitStack) -> BinaryIO:
    if compression == "gz":  # no time and no name in it: the same rows make the same bytes
        return cast(BinaryIO, stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0)))
    if compression == "zst":
        import zstandard

        return stack.enter_context(zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False))
    return file


def _aligned(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    arrays = []
    for field in schema:
        array = batch.column(field.name)
        arrays.append(array if array.type == field.type else array.cast(field.type))
    return pa.record_batch(arrays, schema=schema)


def _parquet(target: Format, file: BinaryIO, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, schema, compression=target.compression) as writer:
        held: list[pa.RecordBatch] = []
        rows = size = 0

        def flush() -> None:
            nonlocal held, rows, size
            writer.write_table(pa.Table.from_batches(held, schema), row_group_size=max(rows, 1))
            held, rows, size = [], 0, 0

        for batch in batches:  # row groups by size, not as the batches happen to come
            held.append(_aligned(batch, schema))
            rows += batch.num_rows
            size += batch.nbytes
            if rows >= 100_000 or size >= 64 * 1024 * 1024:
                flush()
        if rows:
            flush()


def _jsonl(
    file: BinaryIO, schema: pa.Schema, kinds: Mapping[str, ParsedType], batches: Iterable[pa.RecordBatch]
) -> None:
    decoders = {name: found for name, kind in kinds.items() if (found := json_decoder(kind, orjson.Fragment))}
    for batch in batches:
        lines = []
        for record in _aligned(batch, schema).to_pylist():
            for name, decode in decoders.items():
                record[name] = decode(record[name])
            lines.append(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        file.write(b"".join(lines))


def _csv(
    file: BinaryIO,
    delimiter: str,
    schema: pa.Schema,
    kinds: Mapping[str, ParsedType],
    batches: Iterable[pa.RecordBatch],
) -> None:
    import pyarrow as pa

    nested = {
        field.name: json_decoder(kinds[field.name], orjson.Fragment) or (lambda value: value)
        for field in schema
        if field.name in kinds and pa.types.is_nested(field.type)
    }
    flags = {field.name for field in schema if pa.types.is_boolean(field.type)}
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(schema.names)
    for batch in batches:
        columns = []
        for field, array in zip(schema, _aligned(batch, schema).columns, strict=True):
            values = array.to_pylist()
            if field.name in nested:
                decode = nested[field.name]
                values = [None if v is None else to_json(decode(v)) for v in values]
            elif field.name in flags:
                values = [None if v is None else str(v).lower() for v in values]
            columns.append(values)
        writer.writerows(zip(*columns, strict=True))
        file.write(text.getvalue().encode())
        text.seek(0)
        text.truncate()
    file.write(text.getvalue().encode())
