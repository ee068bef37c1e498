"""How one record of the journal lies in a segment file, and how records are found again after a crash.

A record is `magic(4) length(4) crc(4) key(16) flags(1) kind length(1) kind payload`; `length` counts kind and payload,
`crc` is CRC-32 over everything after it. A reader that meets bytes which are no record (a torn tail, a damaged block)
looks for the next magic from there on: one damaged record never costs those behind it.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import zstandard

MAGIC = b"\xf5AtJ"  # 0xf5 never occurs in UTF-8, so no JSON text holds it
HEADER = struct.Struct("<4sII16sBB")
_TAIL = struct.Struct("<16sBB")
_CRC_FROM = 12
SUFFIX = ".seg"
COMPRESS_FROM = 2048
_COMPRESSED, _STDLIB_JSON = 1, 2
_local = threading.local()


class Entry(NamedTuple):
    """Where a record lies in its segment; `end` is the first byte after it."""

    key: bytes
    offset: int
    end: int


class Scan(NamedTuple):
    """What a segment holds. `end` is where the next scan may go on; `torn` counts damaged regions."""

    entries: list[Entry]
    end: int
    torn: int


def key_bytes(key: str) -> bytes:
    """The 16 bytes a key is filed under: itself where it is 32 hex digits (a request key), else its hash."""
    if len(key) == 32:
        try:
            return bytes.fromhex(key)
        except ValueError:
            pass
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def encode(key: bytes, kind: str, value: Any) -> bytes:
    """One whole record.

    Raises:
        TypeError: the value is not JSON.
        ValueError: the kind is longer than 255 bytes.
    """
    flags = 0
    try:
        payload = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # lone surrogates, integers beyond 64 bits: JSON all the same
        payload = json.dumps(value).encode("ascii")
        flags = _STDLIB_JSON
    if len(payload) > COMPRESS_FROM:
        small = _compressor().compress(payload)
        if len(small) < len(payload):
            payload, flags = small, flags | _COMPRESSED
    name = kind.encode()
    if len(name) > 255:
        raise ValueError(f"journal kind of {len(name)} bytes; at most 255 fit")
    tail = _TAIL.pack(key, flags, len(name)) + name + payload
    return MAGIC + struct.pack("<II", len(name) + len(payload), zlib.crc32(tail)) + tail


def decode(record: bytes) -> tuple[bytes, str, Any] | None:
    """Key, kind and value of a whole record; None where the bytes are no sound record."""
    if len(record) < HEADER.size:
        return None
    magic, length, crc, key, flags, name_length = HEADER.unpack_from(record)
    if magic != MAGIC or len(record) != HEADER.size + length or zlib.crc32(record[_CRC_FROM:]) != crc:
        return None
    at = HEADER.size + name_length
    payload = record[at:]
    if flags & _COMPRESSED:
        payload = _decompressor().decompress(payload)
    value = json.loads(payload) if flags & _STDLIB_JSON else orjson.loads(payload)
    return key, record[HEADER.size : at].decode(), value


def scan(path: Path, start: int = 0) -> Iterator[Entry | int]:
    """Walks a segment from byte `start`: an Entry per sound record, and at the very end the number of torn regions."""
    torn = 0
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size <= start:
            yield torn
            return
        data = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    view = memoryview(data)
    try:
        at = start
        unpack, header, crc32 = HEADER.unpack_from, HEADER.size, zlib.crc32
        while at < size:
            if at + header <= size:
                magic, length, crc, key, _, _ = unpack(view, at)
                end = at + header + length
                if magic == MAGIC and end <= size and crc32(view[at + _CRC_FROM : end]) == crc:
                    yield Entry(key, at, end)
                    at = end
                    continue
            torn += 1
            at = _next_record(data, view, at + 1, size)
    finally:
        view.release()
        data.close()
    yield torn


def _next_record(data: mmap.mmap, view: memoryview, at: int, size: int) -> int:
    """First place from `at` on where a sound record begins, or `size`."""
    while (at := data.find(MAGIC, at)) >= 0:
        if at + HEADER.size <= size:
            _, length, crc, *_ = HEADER.unpack_from(view, at)
            end = at + HEADER.size + length
            if end <= size and zlib.crc32(view[at + _CRC_FROM : end]) == crc:
                return at
        at += 1
    return size


def segment_paths(folder: Path) -> list[Path]:
    """The segments of a journal, oldest first: by the time in the name, then by name."""
    if not folder.is_dir():
        return []
    return sorted(folder.glob("*" + SUFFIX), key=lambda path: (started(path), path.name))


def started(path: Path) -> int:
    """When a segment was begun, in nanoseconds since 1970; 0 where its name does not tell."""
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0


def _compressor() -> zstandard.ZstdCompressor:
    made = getattr(_local, "compressor", None)
    if made is None:
        made = _local.compressor = zstandard.ZstdCompressor(level=1)
    return made


def _decompressor() -> zstandard.ZstdDecompressor:
    made = getattr(_local, "decompressor", None)
    if made is None:
        made = _local.decompressor = zstandard.ZstdDecompressor()
    return made
