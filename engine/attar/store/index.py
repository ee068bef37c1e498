"""The journal's index: one file of sorted 32-byte entries over all segments, built once and read through mmap.

Entry: key(16) segment(4) offset(8) length(4), keys ascending as bytes. Keys are hashes, hence evenly spread: a key's
place is guessed from its value and searched for nearby. The file is replaced as a whole; processes that hold the older
one open keep reading it.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from attar.store.files import fsync_folder
from attar.store.segments import Entry, scan, segment_paths

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

NAME = "index.idx"
_MAGIC = b"ATTARIX1"
_HEAD = struct.Struct("<8sQQQ")  # magic, entries, offset and length of the JSON note at the end
_ENTRY = struct.Struct("<16sIQI")
_HIGH = struct.Struct(">Q")
_BATCH = 1 << 20
"""Entries sorted at a time: 32 MiB; more are merged into the file in several passes."""
_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What the index covers: distinct keys, segment files, damaged regions that were skipped."""

    records: int
    segments: int
    torn: int


class Place(NamedTuple):
    """Where a record lies."""

    segment: str
    offset: int
    length: int


class Index:
    """The index as a reader sees it. A missing or unreadable file is an empty index: the segments are the truth."""

    def __init__(self, folder: Path) -> None:
        self.segments: list[dict[str, Any]] = []
        self.count = 0
        self._map: mmap.mmap | None = None
        try:
            with (folder / NAME).open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            magic, count, note_at, note_length = _HEAD.unpack_from(self._map)
            if (
                magic != _MAGIC
                or note_at != _HEAD.size + count * _ENTRY.size
                or len(self._map) != note_at + note_length
            ):
                raise ValueError("not an index")
            self.segments = orjson.loads(self._map[note_at : note_at + note_length])["segments"]
            self.count = count
        except (OSError, ValueError, KeyError, struct.error):
            self.close()

    def find(self, key: bytes) -> Place | None:
        """Where the key's record lies."""
        data, count = self._map, self.count
        if data is None or not count:
            return None
        head, size = _HEAD.size, _ENTRY.size
        high = _HIGH.unpack_from(key)[0]
        guess = (high * count) >> 64
        # The place of a hash among n others strays from its mean by at most √(n/4), so 4 deviations nearly always do.
        reach = 2 * math.isqrt(count) + 8
        low, top = max(0, guess - reach), min(count, guess + reach)
        at = head + low * size
        if low and data[at : at + 16] > key:
            low = 0
        at = head + (top - 1) * size
        if top < count and data[at : at + 16] < key:
            top = count
        while low < top:
            middle = (low + top) >> 1
            at = head + middle * size
            found = data[at : at + 16]
            if found < key:
                low = middle + 1
            elif found > key:
                top = middle
            else:
                _, segment, offset, length = _ENTRY.unpack_from(data, at)
                return Place(self.segments[segment]["name"], offset, length)
        return None

    def entries(self) -> npt.NDArray[np.void]:
        """All entries as a structured array over the mapped file; the caller must drop it before `close`."""
        import numpy as np

        if self._map is None or not self.count:
            return np.empty(0, _dtype())
        return np.frombuffer(self._map, _dtype(), self.count, _HEAD.size)

    def close(self) -> None:
        self.count = 0
        if self._map is not None:
            self._map.close()
            self._map = None


def build_index(folder: Path) -> IndexInfo:
    """Brings the index up to date with the segments; reads only what was added since it was last built.

    Run it while nobody writes (the run's owner, at start). Memory stays near 200 MiB however long the journal.
    """
    paths = segment_paths(folder)
    old = Index(folder)
    known = {segment["name"]: i for i, segment in enumerate(old.segments)}
    sizes = {path.name: path.stat().st_size for path in paths}
    if any(sizes.get(s["name"], -1) < s["size"] for s in old.segments):  # pruned or cut: begin anew
        old.close()
        known = {}
        (folder / NAME).unlink(missing_ok=True)
        old = Index(folder)
    segments = [dict(segment) for segment in old.segments]
    todo = [path for path in paths if path.name not in known or segments[known[path.name]]["size"] < sizes[path.name]]
    if not todo:
        info = _info(old.count, segments)
        old.close()
        return info
    for path in todo:
        if path.name not in known:
            known[path.name] = len(segments)
            segments.append({"name": path.name, "size": 0, "end": 0, "torn": 0})
    packed = bytearray()
    old.close()
    for path in todo:
        number = known[path.name]
        segment = dict(segments[number])
        for found in scan(path, segment["end"]):
            if isinstance(found, Entry):
                packed += _ENTRY.pack(found.key, number, found.offset, found.end - found.offset)
                segment["end"] = found.end
                if len(packed) >= _BATCH * _ENTRY.size:
                    # Segments keep their old marks until they are read whole: a kill here costs only time.
                    _merge(folder, packed, segments)
                    packed = bytearray()
            else:
                segment["torn"] += found
        segment["size"] = sizes[path.name]
        segments[number] = segment
    return _info(_merge(folder, packed, segments), segments)


def _info(count: int, segments: list[dict[str, Any]]) -> IndexInfo:
    return IndexInfo(count, len(segments), sum(segment["torn"] for segment in segments))


def _dtype() -> Any:
    import numpy as np

    fields = [("high", ">u8"), ("low", ">u8"), ("segment", "<u4"), ("offset", "<u8"), ("length", "<u4")]
    return np.dtype(fields)


def _merge(folder: Path, packed: bytearray, segments: list[dict[str, Any]]) -> int:
    """Writes a new index file of the present one's entries and the packed ones; returns the number of keys."""
    import numpy as np

    old = Index(folder)
    present = old.entries()
    fresh = _first_of_each(np.frombuffer(packed, _dtype()))
    temporary = folder / f".{NAME}.{os.getpid()}"
    with temporary.open("wb") as file:
        file.write(bytes(_HEAD.size))
        count = 0
        for block in _blocks(present, fresh):
            block.tofile(file)
            count += len(block)
        note = orjson.dumps({"segments": segments})
        file.write(note)
        file.seek(0)
        file.write(_HEAD.pack(_MAGIC, count, _HEAD.size + count * _ENTRY.size, len(note)))
        file.flush()
        os.fsync(file.fileno())
    del present
    old.close()
    temporary.replace(folder / NAME)
    fsync_folder(folder)
    return count


def _blocks(present: npt.NDArray[np.void], fresh: npt.NDArray[np.void]) -> Iterator[npt.NDArray[np.void]]:
    """The union of two sorted arrays in sorted blocks; of equal keys the earlier record stays."""
    import numpy as np

    at = 0
    high = fresh["high"].astype(np.uint64)
    for start in range(0, len(present), _BLOCK):
        block = present[start : start + _BLOCK]
        last = start + _BLOCK >= len(present)
        # Keys with equal upper halves could straddle the cut; they are one in 2⁶⁴ and cost only a missed duplicate.
        until = len(fresh) if last else int(np.searchsorted(high, block["high"][-1], "right"))
        if until > at:
            both = np.empty(len(block) + until - at, _dtype())  # `concatenate` would give up the byte order
            both[: len(block)] = block
            both[len(block) :] = fresh[at:until]
            block = _first_of_each(both)
        yield block
        at = until
    if not len(present):
        yield fresh


def _first_of_each(entries: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Entries sorted by key, one per key: that with the lowest segment number, then offset."""
    import numpy as np

    if not len(entries):
        return entries
    low, high = entries["low"].astype(np.uint64), entries["high"].astype(np.uint64)
    order = np.lexsort((entries["offset"], entries["segment"], low, high))
    high, low = high[order], low[order]
    keep = np.ones(len(order), bool)
    keep[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return entries[order[keep]]
