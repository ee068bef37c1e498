"""Records of one file, in order, in chunks. What cannot be read is a Reject in its place: none is lost or moved."""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from attar.api import ConfigProblem, Reject

from ._files import DataFile, is_utf8, open_bytes, open_plain, seekable

BLOCK = 1 << 20
ROWS = 4096
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Mark(NamedTuple):
    """`record` is the first record at byte `offset` of the file's content; reading can start there."""

    record: int
    offset: int


class Options(NamedTuple):
    """How files are read: text encoding and the largest record in bytes."""

    encoding: str
    max_row_bytes: int


class Chunk(NamedTuple):
    """Consecutive records.

    Attributes:
        mark: number of the first record, and the byte offset where it can be found again (-1: nowhere).
        records: JSON values as they stand in the file, or Rejects.
    """

    mark: Mark
    records: list[Any]


class _TooLarge(NamedTuple):
    size: int


def chunks(file: DataFile, options: Options, start: Mark) -> Iterator[Chunk]:
    """Records of a file from a mark on."""
    readers = {"jsonl": _jsonl, "json": _json, "csv": _csv, "tsv": _csv, "text": _text, "parquet": _parquet}
    return readers[file.format](file, options, start)


def check_encoding(file: DataFile, encoding: str) -> None:
    """Refuses UTF-16 where UTF-8 is expected: every line would be rejected, and the cause would be hard to see.

    Raises:
        ConfigProblem: the file starts with a UTF-16 byte order mark.
    """
    if file.format == "parquet" or file.compression or not is_utf8(encoding):
        return
    with open_plain(file) as raw:
        head = raw.read(2)
    if head in _UTF16:
        raise ConfigProblem(
            ("path",), f"{file.name!r} is UTF-16, not UTF-8", "add encoding: utf-16, or save it as UTF-8", "E311"
        )


def _blocks(file: DataFile, options: Options, offset: int) -> Iterator[tuple[int, list[Any], bool]]:
    """Lines without their line feed: (offset of the first, lines, whether the last one has no line feed)."""
    with open_bytes(file, options.encoding) as raw:
        at = 0
        if offset and seekable(file, options.encoding):
            raw.seek(offset)
            at = offset
        carry, skipped = b"", 0
        broken: Exception | None = None
        while True:
            data, error = _fill(raw) if broken is None else (b"", broken)
            if not data and error is not None:
                yield at, [Reject("torn", f"{file.name} cannot be read on: {error or type(error).__name__}")], True
                return
            broken = error
            if not data:
                break
            cut = data.rfind(b"\n")
            if skipped:
                first = data.find(b"\n")
                if first < 0:
                    skipped += len(data)
                    continue
                yield at, [_TooLarge(skipped + first)], False
                at += skipped + first + 1
                skipped, data = 0, data[first + 1 :]
                cut = data.rfind(b"\n")
            if cut < 0:
                carry += data
                if len(carry) > options.max_row_bytes:
                    skipped, carry = len(carry), b""
                continue
            lines: list[Any] = (carry + data[:cut]).split(b"\n")
            size = len(carry) + cut + 1
            carry = data[cut + 1 :]
            yield at, lines, False
            at += size
        if skipped:
            yield at, [_TooLarge(skipped)], True
        elif carry:
            yield at, [carry], True


def _fill(raw: Any) -> tuple[bytes, Exception | None]:
    """The next block, and what went wrong after it: of a damaged archive, all that can be read is read."""
    read = getattr(raw, "read1", raw.read)
    pieces, size = [], 0
    try:
        while size < BLOCK and (piece := read(BLOCK - size)):
            pieces.append(piece)
            size += len(piece)
    except Exception as error:  # zlib, gzip and zstd each raise their own
        return b"".join(pieces), error
    return b"".join(pieces), None


def _jsonl(file: DataFile, options: Options, start: Mark) -> Iterator[Chunk]:
    record, skip = (start.record, 0) if seekable(file, options.encoding) else (0, start.record)
    for offset, lines, open_end in _blocks(file, options, start.offset):
        records = _parse_lines(offset, lines, open_end, options.max_row_bytes)
        mark = Mark(record, offset)
        record += len(records)
        if record <= skip:
            continue
        if mark.record < skip:
            records, mark = records[skip - mark.record :], Mark(skip, -1)
        if records:
            yield Chunk(mark, records)


def _parse_lines(offset: int, lines: list[Any], open_end: bool, limit: int) -> list[Any]:
    if offset == 0 and lines and isinstance(lines[0], bytes) and lines[0].startswith(codecs.BOM_UTF8):
        lines[0] = b"   " + lines[0][3:]  # same length, so that byte offsets stay true
    loads = orjson.loads
    try:
        if max(map(len, lines)) <= limit:
            return [loads(line) for line in lines if line and not line.isspace()]
    except (orjson.JSONDecodeError, AttributeError):
        pass
    records = []
    for number, line in enumerate(lines):
        if not isinstance(line, bytes):
            records.append(line if isinstance(line, Reject) else _too_large(line.size, limit))
        elif len(line) > limit:
            records.append(_too_large(len(line), limit))
            offset += len(line) + 1
        else:
            if line and not line.isspace():
                records.append(_parse_line(line, offset, open_end and number == len(lines) - 1))
            offset += len(line) + 1
    return records


def _too_large(size: int, limit: int) -> Reject:
    return Reject("too_large", f"{size:,} bytes, more than max_row_bytes: {limit:,}")


def _parse_line(line: bytes, offset: int, open_end: bool) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as broken:
            if not (open_end and broken.end == len(line)):
                return _broken_text(offset + broken.start)
        if open_end:
            return Reject("torn", f"the last line ends early, {len(line):,} bytes into it: {error.msg}")
        return Reject("invalid_json", f"{error.msg}, at byte {offset + error.pos} of the file")


def _broken_text(at: int) -> Reject:
    return Reject("encoding", f"byte {at} of the file is not valid UTF-8")


def count_lines(file: DataFile, options: Options) -> tuple[int, list[Mark]]:
    """Records of a JSONL file and marks into it, without parsing a line."""
    record = 0
    marks: list[Mark] = []
    for offset, lines, _ in _blocks(file, options, 0):
        if not marks or record - marks[-1].record >= ROWS:
            marks.append(Mark(record, offset))
        record += sum(1 for line in lines if line and not (isinstance(line, bytes) and _blank(line, offset)))
    return record, marks


def _blank(line: bytes, offset: int) -> bool:
    return line.isspace() or (offset == 0 and line.startswith(codecs.BOM_UTF8) and not line[3:].strip())


def _json(file: DataFile, options: Options, start: Mark) -> Iterator[Chunk]:
    """A JSON array, one object, or JSONL under another name. Arrays are read whole: large data belongs in JSONL."""
    with open_bytes(file, options.encoding) as raw:
        try:
            data = raw.read()
        except Exception as error:
            data = b""
            records: list[Any] = [Reject("torn", f"{file.name} cannot be read on: {error or type(error).__name__}")]
        else:
            records = _whole(data.removeprefix(codecs.BOM_UTF8), options.max_row_bytes)
    del data
    for first in range(start.record, len(records), ROWS):
        yield Chunk(Mark(first, -1), records[first : first + ROWS])


def _whole(data: bytes, limit: int) -> list[Any]:
    head = data[:64].lstrip()[:1]
    if not data.strip():
        return []
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if head == b"{":
            lines: list[Any] = data.split(b"\n")
            open_end = bool(lines[-1])
            return _parse_lines(0, lines if open_end else lines[:-1], open_end, limit)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as broken:
            text = data[: broken.start].decode("utf-8")
            return [*_leading(text), _broken_text(broken.start)]
        found = _leading(text) if head == b"[" else []
        return [*found, Reject("invalid_json", f"{error.msg}, at character {error.pos}; nothing is read after it")]
    return value if isinstance(value, list) else [value]


def _leading(text: str) -> list[Any]:
    """The elements of a JSON array that stand before its first mistake."""
    from json import JSONDecoder

    decode = JSONDecoder(strict=True).raw_decode
    found: list[Any] = []
    at = text.find("[") + 1
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        try:
            value, at = decode(text, at)
        except (ValueError, RecursionError):
            return found
        found.append(value)


def _text(file: DataFile, options: Options, start: Mark) -> Iterator[Chunk]:
    if start.record > 0:
        return
    with open_bytes(file, options.encoding) as raw:
        try:
            data = raw.read(options.max_row_bytes + 1)
            record: Any
            if len(data) > options.max_row_bytes:
                record = Reject("too_large", f"more than max_row_bytes: {options.max_row_bytes:,}")
            else:
                record = {"text": data.removeprefix(codecs.BOM_UTF8).decode("utf-8"), "path": file.name}
        except UnicodeDecodeError as broken:
            record = _broken_text(broken.start)
        except Exception as error:
            record = Reject("torn", f"{file.name} cannot be read on: {error or type(error).__name__}")
    yield Chunk(Mark(0, 0), [record])


class _Overrun(Exception):
    """A quoted field runs past the largest record."""


class _Lines:
    """Decoded lines for the csv module. Remembers where it is, the lines of the present record, and what is wrong with
    them; can go back to the record's second line."""

    def __init__(self, file: DataFile, options: Options, offset: int) -> None:
        self._blocks = _blocks(file, options, offset)
        self._lines: deque[Any] = deque()
        self._limit = options.max_row_bytes
        self.at = offset if seekable(file, options.encoding) else 0
        self.taken: list[Any] = []
        self.size = 0
        self.bad: Reject | None = None

    def __iter__(self) -> _Lines:
        return self

    def start(self) -> int:
        """Begins a record; the offset of its first line."""
        self.taken, self.size, self.bad = [], 0, None
        return self.at

    def again(self, start: int) -> None:
        """Goes back to the second line of the present record."""
        self._lines.extendleft(reversed(self.taken[1:]))
        self.at = start + _size(self.taken[0])

    def __next__(self) -> str:
        while not self._lines:
            offset, lines, _ = next(self._blocks)
            self.at = offset
            self._lines.extend(lines)
        line = self._lines.popleft()
        start, size = self.at, _size(line)
        self.taken.append(line)
        self.at += size
        self.size += size
        if isinstance(line, _TooLarge):
            self.bad = _too_large(line.size, self._limit)
            return "\n" if len(self.taken) > 1 else "too large\n"
        if isinstance(line, Reject):
            self.bad = line
            return "torn\n"
        if self.size > self._limit and len(self.taken) > 1:
            raise _Overrun
        try:
            text: str = line.decode("utf-8")
        except UnicodeDecodeError as broken:
            self.bad = self.bad or _broken_text(start + broken.start)
            text = line.decode("utf-8", "replace")
        return (text.removeprefix("\ufeff") if start == 0 else text) + "\n"


def _size(line: Any) -> int:
    """Bytes of a line with its line feed."""
    if isinstance(line, bytes):
        return len(line) + 1
    return line.size + 1 if isinstance(line, _TooLarge) else 0


def csv_header(file: DataFile, options: Options) -> list[str]:
    """Column names of a CSV or TSV file; empty for an empty file."""
    for record in _csv_rows(file, options, 0):
        return [] if isinstance(record[1], Reject) else record[1]
    return []


def _csv_rows(file: DataFile, options: Options, offset: int) -> Iterator[tuple[int, Any]]:
    """(offset, fields or Reject) of each record, the header included where the offset is 0."""
    csv.field_size_limit(2**31 - 1)  # the module's own limit of 128 KiB would raise; ours gives a Reject
    delimiter = "\t" if file.format == "tsv" else ","
    lines = _Lines(file, options, offset)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        start = lines.start()
        try:
            fields: Any = next(reader)
        except StopIteration:
            return
        except (csv.Error, _Overrun) as error:
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            if len(lines.taken) > 1 and lines.bad is None:
                # A quote that never closes would swallow all that follows: its own line is given up, not the rest.
                lines.again(start)
                fields = Reject("invalid_csv", f"the quote opened in the line at byte {start} of the file never closes")
            else:
                fields = lines.bad or Reject("invalid_csv", f"{error}, in the line at byte {start} of the file")
        if fields == []:
            continue
        if lines.size > options.max_row_bytes and not isinstance(fields, Reject):
            fields = _too_large(lines.size, options.max_row_bytes)
        yield start, lines.bad or fields


def _csv(file: DataFile, options: Options, start: Mark) -> Iterator[Chunk]:
    header = csv_header(file, options)
    if not header:
        return
    seeks = seekable(file, options.encoding) and start.offset > 0
    record, skip = (start.record, start.record) if seeks else (-1, start.record)  # -1: the header itself
    mark = Mark(skip, -1)
    records: list[Any] = []
    for offset, fields in _csv_rows(file, options, start.offset if seeks else 0):
        if record >= skip:
            if not records:
                mark = Mark(record, offset)
            records.append(_csv_record(header, fields))
            if len(records) >= ROWS:
                yield Chunk(mark, records)
                records = []
        record += 1
    if records:
        yield Chunk(mark, records)


def _csv_record(header: Sequence[str], fields: Any) -> Any:
    if isinstance(fields, Reject):
        return fields
    if len(fields) != len(header):
        return Reject("schema", f"{len(fields)} fields where the header names {len(header)}")
    return dict(zip(header, fields, strict=True))


def _parquet(file: DataFile, options: Options, start: Mark) -> Iterator[Chunk]:
    from ._parquet import batches, to_records

    for first, batch in batches(file, start.record, None, None):
        yield Chunk(Mark(first, -1), to_records(batch))
