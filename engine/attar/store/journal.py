"""What was paid for is written down before it is used: an append-only journal, one segment file per writer.

Every process appends to a segment of its own, one `write` per record, so a killed process loses nothing it has
acknowledged; a thread makes it durable once a second. Readers share one sorted index built at start (`build_index`).
"""

from __future__ import annotations

import os
import re
import threading
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from attar.store.files import fsync_folder
from attar.store.index import NAME, Index, IndexInfo, build_index
from attar.store.segments import HEADER, SUFFIX, Entry, decode, encode, key_bytes, scan, segment_paths

__all__ = ["IndexInfo", "Journal", "Record", "build_index", "prune", "records"]

SYNC_SECONDS = 1.0
OPEN_SEGMENTS = 64


class Record(NamedTuple):
    """One record: its key as 32 hex digits, its kind and its value."""

    key: str
    kind: str
    value: Any


class Journal:
    """One writer's view: everything indexed, and what it appended itself. Safe to use from several threads.

    Args:
        folder: the journal's folder; made when missing.
        writer: a name for people; the segment's name adds process id and time, so no two processes share one.
    """

    def __init__(self, folder: Path, writer: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._writer = re.sub(r"[^A-Za-z0-9_.]+", "_", writer) or "writer"
        self._index = Index(folder)
        self._own = OwnKeys()
        self._lock = threading.Lock()
        self._fd = -1
        self._at = 0
        self._segments: dict[str, int] = {}
        self._dirty = threading.Event()
        self._closed = threading.Event()
        self._syncer: threading.Thread | None = None

    def get(self, key: str) -> Any | None:
        """The value filed under a key, or None. Of several the first one counts."""
        wanted = key_bytes(key)
        place = self._index.find(wanted)
        if place is not None:
            with self._lock:
                record = os.pread(self._segment(place.segment), place.length, place.offset)
            found = decode(record)
            if found is not None and found[0] == wanted:
                return found[2]
        if self._fd < 0:
            return None
        with self._lock:
            return self._get_own(wanted)

    def put(self, key: str, kind: str, value: Any) -> Any:
        """Appends a record; when it returns, the record outlives the process.

        Returns:
            the value that counts: an earlier one where this writer already filed one under the key.

        Raises:
            TypeError: the value is not JSON.
            OSError: the disk refused the write; nothing was filed.
        """
        wanted = key_bytes(key)
        record = encode(wanted, kind, value)
        with self._lock:
            if self._fd < 0:
                self._open_segment()
            else:
                earlier = self._get_own(wanted)
                if earlier is not None:
                    return earlier
            at = self._at
            self._append(record)
            self._own.add(wanted, at)
        self._dirty.set()
        return value

    def sync(self) -> None:
        """Makes all that was put so far durable against power loss."""
        if self._fd >= 0 and self._dirty.is_set():
            self._dirty.clear()  # before the sync: what is put meanwhile is dirty again
            os.fdatasync(self._fd)

    def close(self) -> None:
        """Syncs and lets go of all files. Closing twice does nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._dirty_wake()
        if self._syncer is not None:
            self._syncer.join()
        with self._lock:
            if self._fd >= 0:
                os.fdatasync(self._fd)
                os.close(self._fd)
                self._fd = -1
            for fd in self._segments.values():
                os.close(fd)
            self._segments.clear()
        self._index.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- inside, under the lock ----------------------------------------------------------------------------------

    def _open_segment(self) -> None:
        if self._closed.is_set():
            raise ValueError("the journal is closed")
        while self._fd < 0:
            name = f"{self._writer}-{os.getpid()}-{time.time_ns()}{SUFFIX}"
            try:
                self._fd = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            except FileExistsError:
                continue
        fsync_folder(self._folder)
        self._syncer = threading.Thread(target=self._keep_synced, name="attar-journal", daemon=True)
        self._syncer.start()

    def _append(self, record: bytes) -> None:
        written = 0
        try:
            while written < len(record):  # a full disk or a signal may cut a write short
                written += os.write(self._fd, record[written:] if written else record)
        except OSError:
            os.ftruncate(self._fd, self._at)
            raise
        self._at += written

    def _get_own(self, wanted: bytes) -> Any | None:
        for at in self._own.find(wanted):
            head = os.pread(self._fd, HEADER.size, at)
            length = HEADER.unpack(head)[1]
            found = decode(head + os.pread(self._fd, length, at + HEADER.size))
            if found is not None and found[0] == wanted:
                return found[2]
        return None

    def _segment(self, name: str) -> int:
        fd = self._segments.get(name)
        if fd is None:
            if len(self._segments) >= OPEN_SEGMENTS:
                oldest = next(iter(self._segments))
                os.close(self._segments.pop(oldest))
            fd = self._segments[name] = os.open(self._folder / name, os.O_RDONLY)
        return fd

    # -- the syncing thread --------------------------------------------------------------------------------------

    def _keep_synced(self) -> None:
        while not self._closed.is_set():
            self._dirty.wait()
            if self._closed.is_set():
                return
            try:
                self.sync()
            except OSError:  # tried again in a second; `close` raises it
                self._dirty.set()
            self._closed.wait(SYNC_SECONDS)

    def _dirty_wake(self) -> None:
        self._dirty.set()


class OwnKeys:
    """Which keys this writer appended, and where: 16 bytes a key, found again in a few microseconds.

    Recent keys lie in a dict; full dicts become sorted pairs of arrays (first half of the key, offset), and arrays of
    like size are merged up to a bound, so a million keys are 16 MB in all, and merging never
    needs much more.
    """

    RECENT = 1 << 14
    LARGEST = 1 << 18

    def __init__(self) -> None:
        self._recent: dict[int, int | list[int]] = {}
        self._levels: list[tuple[array[int], array[int]]] = []

    def add(self, key: bytes, offset: int) -> None:
        half = int.from_bytes(key[:8], "big")
        present = self._recent.get(half)
        if present is None:
            self._recent[half] = offset
        else:  # two keys with equal halves
            self._recent[half] = [*present, offset] if isinstance(present, list) else [present, offset]
        if len(self._recent) >= self.RECENT:
            self._freeze()

    def find(self, key: bytes) -> list[int]:
        """Offsets of records that may have this key, the oldest first."""
        half = int.from_bytes(key[:8], "big")
        found: list[int] = []
        for halves, offsets in self._levels:
            at = bisect_left(halves, half)
            while at < len(halves) and halves[at] == half:
                found.append(offsets[at])
                at += 1
        recent = self._recent.get(half)
        if recent is not None:
            found += recent if isinstance(recent, list) else [recent]
        return found

    def _freeze(self) -> None:
        import numpy as np

        pairs = [
            (half, offset) for half, at in self._recent.items() for offset in (at if isinstance(at, list) else [at])
        ]
        pairs.sort()
        self._recent = {}
        self._levels.append((array("Q", [half for half, _ in pairs]), array("Q", [at for _, at in pairs])))
        while len(self._levels) > 1 and len(self._levels[-2][0]) <= min(self.LARGEST, 2 * len(self._levels[-1][0])):
            later, earlier = self._levels.pop(), self._levels.pop()
            halves = np.concatenate([np.frombuffer(earlier[0], np.uint64), np.frombuffer(later[0], np.uint64)])
            order = np.argsort(halves, kind="stable")
            offsets = np.concatenate([np.frombuffer(earlier[1], np.uint64), np.frombuffer(later[1], np.uint64)])
            merged = array("Q"), array("Q")
            merged[0].frombytes(halves[order].tobytes())
            merged[1].frombytes(offsets[order].tobytes())
            self._levels.append(merged)


def records(folder: Path) -> Iterator[Record]:
    """All sound records of all segments, oldest segment first; a key that was put twice comes twice."""
    for path in segment_paths(folder):
        with path.open("rb") as file:
            for entry in scan(path):
                if isinstance(entry, Entry):
                    file.seek(entry.offset)
                    found = decode(file.read(entry.end - entry.offset))
                    if found is not None:
                        yield Record(found[0].hex(), found[1], found[2])


def prune(folder: Path, keep: Callable[[str], bool] | Collection[str]) -> int:
    """Rewrites the segments with only the records whose key (32 hex digits, or as put) is kept.

    Run it while nobody writes. A kill at any point leaves every kept record in place.

    Returns:
        the number of records left out.
    """
    if callable(keep):
        wanted = keep
    else:
        kept = {key_bytes(key).hex() for key in keep}
        wanted = kept.__contains__
    (folder / NAME).unlink(missing_ok=True)  # first: it knows places that are about to change
    dropped = 0
    for path in segment_paths(folder):
        entries = [entry for entry in scan(path) if isinstance(entry, Entry)]
        left = [entry for entry in entries if wanted(entry.key.hex())]
        if len(left) == len(entries):
            continue
        dropped += len(entries) - len(left)
        temporary = path.with_name(f".{path.name}.tmp")
        with path.open("rb") as old, temporary.open("wb") as new:
            for entry in left:
                old.seek(entry.offset)
                new.write(old.read(entry.end - entry.offset))
            new.flush()
            os.fsync(new.fileno())
        if left:
            temporary.replace(path)
        else:
            path.unlink()
            temporary.unlink()
    if folder.is_dir():
        fsync_folder(folder)
    build_index(folder)
    return dropped
