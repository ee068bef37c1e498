"""std.write and the output formats parquet, jsonl and csv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import BaseModel, Field

from attar.api import Config, ConfigProblem, Context, RecipePath, RowSet, Sink

from ._files import filesystem, is_remote, kind_of
from ._out import EXTENSIONS, Format, arrow_schema, open_local, open_remote, write_table

if TYPE_CHECKING:
    import pyarrow as pa

C = TypeVar("C", bound=BaseModel)


class ParquetConfig(Config):
    rows_per_file: int = Field(100_000, ge=1, description="rows in each file of the output")
    compression: Literal["zstd", "snappy", "gzip", "none"] = Field("zstd", description="Parquet's own compression")


class JsonlConfig(Config):
    rows_per_file: int = Field(100_000, ge=1, description="rows in each file of the output")
    compression: Literal["none", "gz", "zst"] = Field("none", description="how the files are compressed")


class CsvConfig(Config):
    rows_per_file: int = Field(100_000, ge=1, description="rows in each file of the output")
    compression: Literal["none", "gz", "zst"] = Field("none", description="how the files are compressed")
    delimiter: str = Field(",", min_length=1, max_length=1, description="between the fields")


class _Exporter(Sink[C]):
    """Writes part-00000, part-00001, … into the output's folder; with no rows, one file that holds the schema."""

    def _format(self) -> Format:
        raise NotImplementedError

    def _rows(self) -> int:
        return int(self.config.rows_per_file)  # type: ignore[attr-defined]

    def write(self, rows: RowSet, ctx: Context) -> None:
        schema = arrow_schema(rows.columns)
        target = self._format()
        parts = _parts(rows.batches(), schema, self._rows())
        for number, part in enumerate(parts):
            write_table(target, ctx.out / f"part-{number:05d}{target.extension}", schema, rows.columns, part)


class ParquetExporter(_Exporter[ParquetConfig]):
    """Parquet files of 100,000 rows; the default format of an output."""

    Config = ParquetConfig

    def _format(self) -> Format:
        return Format("parquet", self.config.compression)


class JsonlExporter(_Exporter[JsonlConfig]):
    """JSON Lines, one object per row; `json` columns as the JSON they hold."""

    Config = JsonlConfig

    def _format(self) -> Format:
        return Format("jsonl", self.config.compression)


class CsvExporter(_Exporter[CsvConfig]):
    """CSV with a header line; lists, structs and json as JSON text, null as an empty field."""

    Config = CsvConfig

    def _format(self) -> Format:
        return Format("csv", self.config.compression, self.config.delimiter)


class WriteConfig(Config):
    path: Annotated[str, RecipePath()] = Field(
        ..., min_length=1, description="file to write: a path, or a URL (s3://, hf://, …)"
    )
    format: Literal["auto", "parquet", "jsonl", "csv", "tsv"] = Field(
        "auto", description="auto tells by the name: .parquet, .jsonl, .csv, .tsv; the last three also with .gz or .zst"
    )


class Write(Sink[WriteConfig]):
    """Writes its rows to one file of your choice, beside the run's own outputs. A local file is written under another
    name and put in place when it is complete, so a reader sees the old one or the new one."""

    Config = WriteConfig

    def check(self, incoming: Mapping[str, str]) -> Iterator[ConfigProblem]:
        path = self.config.path
        kind, compression = kind_of(path)
        if self.config.format == "auto" and kind not in EXTENSIONS:
            known = ", ".join(f".{name}" for name in EXTENSIONS)
            yield ConfigProblem(
                ("path",), f"the name {path!r} does not tell the format", f"end it in {known}, or add format:"
            )
        if compression and (kind == "parquet" or self.config.format == "parquet"):
            yield ConfigProblem(("path",), "Parquet compresses by itself", f"drop the ending of {path!r}")
        if is_remote(path):
            try:
                filesystem(path)
            except ConfigProblem as problem:
                yield problem
        elif Path(path).is_dir():
            yield ConfigProblem(("path",), f"{path!r} is a folder", "name a file in it")

    def write(self, rows: RowSet, ctx: Context) -> None:
        path = self.config.path
        kind, compression = kind_of(path)
        name = kind if self.config.format == "auto" else self.config.format
        assert name is not None
        if name == "parquet":
            target = Format("parquet", "zstd")
        else:
            target = Format(
                "jsonl" if name == "jsonl" else "csv", compression or "none", "\t" if name == "tsv" else ","
            )
        schema = arrow_schema(rows.columns)
        with open_remote(path) if is_remote(path) else open_local(Path(path)) as file:
            write_table(target, file, schema, rows.columns, rows.batches())


def _parts(batches: Iterator[pa.RecordBatch], schema: pa.Schema, size: int) -> Iterator[Iterator[pa.RecordBatch]]:
    """The batches cut into parts of `size` rows; at least one part."""
    held: list[pa.RecordBatch] = []

    def part() -> Iterator[pa.RecordBatch]:
        left = size
        while left:
            batch = held.pop() if held else next(batches, None)
            if batch is None:
                return
            if batch.num_rows > left:
                held.append(batch.slice(left))
                batch = batch.slice(0, left)
            left -= batch.num_rows
            if batch.num_rows:
                yield batch

    yield part()
    while True:
        while not held:
            batch = next(batches, None)
            if batch is None:
                return
            if batch.num_rows:
                held.append(batch)
        yield part()
