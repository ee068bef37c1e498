"""std.read: rows from files."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from attar.api import BatchSource, Columns, Config, ConfigProblem, Context, Key, ParsedType, RecipePath, Reject

from ._files import DataFile, filesystem, find_files, is_remote
from ._fit import Column, Fit, infer_text
from ._index import Index, build, load
from ._parquet import batches as parquet_batches
from ._parquet import columns_of, straight, to_records
from ._records import Mark, Options, check_encoding, chunks, csv_header
from ._types import Seen, arrow_array, arrow_type, merge_all, parse_columns, settle
from ._types import infer as infer_value

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLE = 1000
OWN_ID = "source_id"


class ReadConfig(Config):
    path: Annotated[str | list[str], RecipePath()] = Field(
        ...,
        description="a file, a folder (read with all below it), a glob, a URL (s3://, hf://, …), or a list of these",
    )
    format: Literal["auto", "jsonl", "json", "parquet", "csv", "tsv", "text"] = Field(
        "auto",
        description="auto tells by the name (.jsonl, .json, .parquet, .csv, .tsv, .txt, .md, also with .gz or .zst)",
    )
    id: str | None = Field(
        None,
        description="column whose value (string or int) identifies a row; without it, file name and record number do",
    )
    columns: dict[str, str] | None = Field(
        None,
        description="the columns to read and their types (`text: string, year: int?`); others are left out. "
        "Without it, types come from the first 1,000 records and a record that does not fit them is dead-lettered",
    )
    map: dict[str, str] = Field(
        default_factory=dict, description="new column name → name in the file, such as `persona: input persona`"
    )
    must_have: tuple[str, ...] = Field(
        (), description="columns that the file must name even where their type allows null, so that a slip is told"
    )
    text_column: str = Field(
        "text", description="column that takes the content of .txt and .md files, one row per file"
    )
    encoding: str = Field("utf-8", description="how text files are encoded")
    max_row_bytes: int = Field(
        32 * 1024 * 1024, ge=1, description="a larger record is rejected as too_large instead of filling the memory"
    )


class Read(BatchSource[ReadConfig]):
    """Reads JSONL, JSON, Parquet, CSV, TSV, or text files (one row per file: its content and its `path`).

    Rows come in the order of the files (folders and globs sorted by relative name) and of the records in them. A row's
    key is its id column's value, else its file's name relative to `path` and its record number, so moving the folder
    keeps every row id. A record that cannot be read is dead-lettered in its place: `invalid_json`, `invalid_csv`,
    `torn` (the file ends early), `encoding`, `not_object`, `schema` (does not fit its columns), `missing_id`,
    `duplicate_id` (the first one stays), `too_large`. Blank lines are no records. Text is taken as it is, not
    normalised.

    A column `id` of the file is called `source_id` unless `map` says otherwise: `id` is what attar calls its own.
    Compressed files cannot be entered in the middle, so each shard decompresses from the start.
    """

    Config = ReadConfig

    def __init__(self, config: ReadConfig) -> None:
        super().__init__(config)
        self._layout: tuple[list[DataFile], list[Column]] | None = None

    # what is checked and known before a row is read

    def inputs(self) -> Sequence[str]:
        try:
            return [file.url for file in self._files()]
        except ConfigProblem:
            if self.config.columns is None or not any(map(is_remote, self._paths())):
                raise
            return self._paths()  # a place that cannot be listed now: a recipe can be checked without the network

    def writes(self, incoming: Columns) -> Columns:
        return {column.name: column.kind.text() for column in self._open()[1]}

    def _files(self) -> list[DataFile]:
        paths = [self.config.path] if isinstance(self.config.path, str) else self.config.path
        if not paths:
            raise ConfigProblem(("path",), "path names no file", "name a file, a folder or a glob", "E311")
        return find_files(paths, self.config.format)

    def _open(self) -> tuple[list[DataFile], list[Column]]:
        """Files and columns, found once."""
        if self._layout is None:
            try:
                codecs.lookup(self.config.encoding)
            except LookupError:
                raise ConfigProblem(("encoding",), f"unknown encoding {self.config.encoding!r}", "try utf-8") from None
            if self.config.columns is not None and all(map(is_remote, self._paths())):
                for path in self._paths():
                    filesystem(path)
                declared = self._declared(None)  # nothing has to be fetched to check the recipe
                return [], declared
            files = self._files()
            for file in files:
                if not file.remote:
                    check_encoding(file, self.config.encoding)
            self._layout = files, self._columns(files)
        return self._layout

    def _paths(self) -> list[str]:
        return [self.config.path] if isinstance(self.config.path, str) else self.config.path

    def _columns(self, files: Sequence[DataFile]) -> list[Column]:
        for file in files:
            if file.format in ("csv", "tsv"):
                header = csv_header(file, self._options())
                twice = next((name for n, name in enumerate(header) if name in header[:n]), None)
                if twice is not None:  # the name may be empty
                    raise ConfigProblem(
                        ("path",), f"{file.name!r} names column {twice!r} twice in its header", "", "E502"
                    )
        if self.config.columns is not None:
            return self._declared(files)
        found = self._infer(files)
        names: dict[str, str] = {}
        for new, source in self.config.map.items():
            if found and source not in found:
                raise self._unknown(("map", new), source, found)
            if source in names:
                message = f"column {source!r} of the file has two new names, {names[source]!r} and {new!r}"
                raise ConfigProblem(("map", new), message, "keep one; std.derive makes a copy", "E502")
            names[source] = new
        for name in found:
            names.setdefault(name, OWN_ID if name == "id" else name)
        result: dict[str, Column] = {}
        for source, kind in found.items():
            if kind is None:
                raise ConfigProblem(
                    ("path",),
                    f"column {source!r} has a type that attar does not read",
                    "list the columns you want under columns:",
                    "E501",
                )
            new = names[source]
            if new in result:
                raise ConfigProblem(
                    ("map",),
                    f"two columns of the file are called {new!r}",
                    "name one of them otherwise in map:",
                    "E502",
                )
            result[new] = Column(new, source, kind)
        if self.config.id is not None and found:
            self._id_source(list(result.values()))
        for name in self.config.must_have if found else ():
            if name not in result:
                raise self._unknown(("must_have",), name, result)
        return list(result.values())

    def _declared(self, files: Sequence[DataFile] | None) -> list[Column]:
        assert self.config.columns is not None
        try:
            kinds = parse_columns(self.config.columns)
        except ValueError as error:
            name, message = error.args
            raise ConfigProblem(("columns", name), message, "types: string int float bool json list<T>") from None
        if not kinds:
            raise ConfigProblem(("columns",), "columns is empty", "list the columns to read, or leave columns out")
        for new in self.config.map:
            if new not in kinds:
                raise ConfigProblem(
                    ("map", new), f"map names {new!r}, which columns does not list", "add it to columns"
                )
        for name in self.config.must_have:
            if name not in kinds:
                raise ConfigProblem(
                    ("must_have",), f"must_have names {name!r}, which columns does not list", "add it to columns"
                )
        if "id" in kinds:
            raise ConfigProblem(
                ("columns", "id"),
                "`id` is attar's own column",
                f"call it otherwise, with map: {{{OWN_ID}: id}}",
                "E502",
            )
        sources = {name: self.config.map.get(name, name) for name in kinds}
        if OWN_ID in kinds and OWN_ID not in self.config.map:
            sources[OWN_ID] = "id"
        if files:
            for name, source in sources.items():
                present = self._names(files[0])
                if present and source not in present and (not kinds[name].nullable or name in self.config.must_have):
                    field = ("map", name) if name in self.config.map else ("columns", name)
                    raise self._unknown(field, source, present)
        return [Column(name, sources[name], kind) for name, kind in kinds.items()]

    def _names(self, file: DataFile) -> Sequence[str]:
        """Column names of a file as far as its form fixes them; empty where it does not."""
        if file.format == "parquet":
            return list(columns_of(file))
        if file.format in ("csv", "tsv"):
            return csv_header(file, self._options())
        if file.format == "text":
            return [self.config.text_column, "path"]
        names: dict[str, None] = {}
        for chunk in chunks(file, self._options(), Mark(0, 0)):
            for record in chunk.records[:SAMPLE]:
                if isinstance(record, dict):
                    names.update(dict.fromkeys(record))
            break
        return list(names)

    def _unknown(
        self, field: Sequence[str | int], name: str, known: Sequence[str] | Mapping[str, Any]
    ) -> ConfigProblem:
        import difflib

        near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
        help = "did you mean " + " or ".join(map(repr, near)) + "?" if near else f"the file has: {', '.join(known)}"
        return ConfigProblem(field, f"the file has no column {name!r}", help, "E501")

    def _infer(self, files: Sequence[DataFile]) -> dict[str, ParsedType | None]:
        """Types by the first 1,000 records, or by a Parquet file's own schema."""
        seen: dict[str, Seen] = {}
        left = SAMPLE
        unreadable: set[str] = set()
        for file in files:
            if left <= 0:
                break
            if file.format == "parquet":
                before = bool(seen)
                present = columns_of(file)
                for name in seen.keys() - present.keys():
                    seen[name] = merge_all([seen[name], Seen(None, True)])
                for name, kind in present.items():
                    if kind is None:
                        unreadable.add(name)
                    null = kind is None or kind.nullable or (before and name not in seen)
                    one = Seen(kind._replace(nullable=False) if kind else None, null)
                    seen[name] = merge_all([seen[name], one]) if name in seen else one
                continue
            for chunk in chunks(file, self._options(), Mark(0, 0)):
                records = [record for record in chunk.records[:left] if type(record) is dict]
                left -= len(chunk.records)
                self._see(file, records, seen)
                if left <= 0:
                    break
        text = any(file.format in ("csv", "tsv") for file in files)
        result: dict[str, ParsedType | None] = {}
        for name, one in seen.items():
            kind = settle(one)
            if text and kind.kind in ("json", "string"):
                kind = ParsedType("string")  # every field of a CSV file is at least text, an empty one too
            result[name] = None if name in unreadable else kind
        if not result and all(file.format == "text" for file in files):
            return {self.config.text_column: ParsedType("string"), "path": ParsedType("string")}
        return result

    def _see(self, file: DataFile, records: Sequence[Mapping[str, Any]], seen: dict[str, Seen]) -> None:
        if file.format in ("csv", "tsv"):
            records = infer_text(records)
        elif file.format == "text":
            records = self._texts(records)
        before = bool(seen)
        names = dict.fromkeys(name for record in records for name in record)
        for name in [*seen, *(n for n in names if n not in seen)]:
            values = [infer_value(record.get(name)) for record in records]
            if name in seen:
                values.insert(0, seen[name])
            elif before:
                values.append(Seen(None, True))
            seen[name] = merge_all(values)

    def _texts(self, records: Sequence[Any]) -> list[Any]:
        name = self.config.text_column
        return [
            {name: record["text"], "path": record["path"]} if type(record) is dict else record for record in records
        ]

    def _options(self) -> Options:
        return Options(self.config.encoding, self.config.max_row_bytes)

    # rows

    def count(self, ctx: Context) -> int | None:
        return self._index(ctx).records

    def _index(self, ctx: Context) -> Index:
        files, columns = self._ready()
        index = load(ctx.scratch, files)
        if index is None:
            key = None
            if self.config.id is not None:
                source = self._id_source(columns)
                key = lambda record: _key_of(record, source)  # noqa: E731
            index = build(ctx.scratch, files, self._options(), key)
        return index

    def _ready(self) -> tuple[list[DataFile], list[Column]]:
        files, columns = self._open()
        if not files:
            files = self._files()
            self._layout = files, columns
        return files, columns

    def _id_source(self, columns: Sequence[Column]) -> str:
        """Name in the file of the id column: `id:` may give either its new name or the file's."""
        wanted = self.config.id
        assert wanted is not None
        for column in columns:
            if wanted in (column.name, column.source):
                return column.source
        if self.config.columns is not None:
            return self.config.map.get(wanted, wanted)
        raise self._unknown(("id",), wanted, [column.source for column in columns])

    def rows(self, start: int, stop: int | None, ctx: Context) -> Iterator[tuple[Key, Mapping[str, Any] | Reject]]:
        for keys, columns, rejects in self._fitted(start, stop, ctx):
            names = list(columns)
            if not names:  # nothing could be inferred, since no record is good
                yield from ((key, rejects.get(place, {})) for place, key in enumerate(keys))
            for place, values in enumerate(zip(*columns.values(), strict=True)):
                bad = rejects.get(place)
                yield keys[place], dict(zip(names, values, strict=True)) if bad is None else bad

    def batches(
        self, start: int, stop: int | None, ctx: Context
    ) -> Iterator[tuple[list[Key], pa.RecordBatch, dict[int, Reject]]]:
        import pyarrow as pa

        _, columns = self._ready()
        types = {column.name: column.kind for column in columns}
        schema = pa.schema([pa.field(name, arrow_type(kind)) for name, kind in types.items()])
        for keys, values, rejects in self._fitted(start, stop, ctx, bulk=True):
            if isinstance(values, pa.RecordBatch):
                yield keys, values, rejects
                continue
            arrays = [arrow_array(values[name], kind) for name, kind in types.items()]
            yield keys, pa.record_batch(arrays, schema=schema), rejects

    def _fitted(
        self, start: int, stop: int | None, ctx: Context, bulk: bool = False
    ) -> Iterator[tuple[list[Key], Any, dict[int, Reject]]]:
        """Keys, columns (as lists by name) and rejected places of consecutive records; in bulk, where the file's own
        columns do as they are, a record batch in their stead."""
        files, columns = self._ready()
        index = self._index(ctx) if start > 0 or self.config.id is not None else None
        source = self._id_source(columns) if self.config.id is not None else None
        base = 0
        for place, file in enumerate(files):
            count = index.files[place].records if index else None
            if stop is not None and base >= stop:
                return
            if count is not None and base + count <= start:
                base += count
                continue
            begin, end = max(start - base, 0), None if stop is None else stop - base
            fit = self._fit(file, columns)
            read = 0
            for first, records in self._slice(
                file, index.files[place].before(begin) if index else Mark(0, 0), begin, end
            ):
                keys: list[Key] = [(file.name, number) for number in range(first, first + len(records))]
                read = first + len(records)
                if not isinstance(records, list):
                    whole = straight(records, columns, self.config.columns is None) if bulk and source is None else None
                    if whole is not None:
                        yield keys, whole, {}
                        continue
                    records = to_records(records)
                values, rejects = fit(records)
                if source is not None:
                    assert index is not None
                    self._identify(keys, records, rejects, source, index, base + first)
                    for bad in rejects:
                        for column in values.values():
                            column[bad] = None
                for bad, why in rejects.items():
                    where = f"{file.name}, record {first + bad + 1:,}"
                    rejects[bad] = Reject(why.code, f"{where}: {why.detail}")
                yield keys, values, rejects
            base += count if count is not None else read

    def _fit(self, file: DataFile, columns: Sequence[Column]) -> Fit:
        return Fit(columns, self.config.columns is None, file.format in ("csv", "tsv"))

    def _slice(self, file: DataFile, mark: Mark, begin: int, end: int | None) -> Iterator[tuple[int, Any]]:
        """Records begin ≤ i < end of one file, as (number of the first, records); those of Parquet as a batch."""
        if file.format == "parquet":
            columns = self._ready()[1]
            wanted = [column.source for column in columns] if self.config.columns is not None else None
            if wanted is not None and self.config.id is not None:
                wanted.append(self._id_source(columns))
            yield from parquet_batches(file, begin, end, wanted)
            return
        for chunk in chunks(file, self._options(), mark):
            first, records = chunk.mark.record, chunk.records
            if end is not None and first >= end:
                return
            if first < begin:
                records = records[begin - first :]
                first = begin
            if end is not None:
                records = records[: end - first]
            if records:
                yield first, self._texts(records) if file.format == "text" else records

    def _identify(
        self,
        keys: list[Key],
        records: Sequence[Any],
        rejects: dict[int, Reject],
        source: str,
        index: Index,
        base: int,
    ) -> None:
        """Replaces keys by ids. A record without a usable id of its own keeps its place as its key."""
        for place, record in enumerate(records):
            if place in rejects:
                continue
            key = _key_of(record, source)
            if key is None:
                found = record.get(source)
                what = "no id" if found is None else f"id is {type(found).__name__}, expected string or int"
                rejects[place] = Reject("missing_id", f"column {source!r}: {what}")
            elif (first := index.duplicates.get(base + place)) is not None:
                rejects[place] = Reject("duplicate_id", f"{key!r} first seen at record {first + 1}")
            else:
                keys[place] = key


def _key_of(record: Any, source: str) -> str | int | None:
    if type(record) is not dict:
        return None
    value = record.get(source)
    if type(value) is int or (isinstance(value, str) and value):
        return value
    return None
