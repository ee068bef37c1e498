"""Rows put aside on disk, for steps whose data may be larger than memory."""

from __future__ import annotations

import hashlib
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from attar.api import Row

CHUNK = 512
HELD = 100_000
"""Rows of the smaller side that are held in memory at once."""


def digest(text: str) -> bytes:
    """16 bytes that stand for a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def number(text: str) -> int:
    """An even spread of texts over 0 … 2⁶⁴-1, the same everywhere."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def pack(row: Row) -> tuple[Any, ...]:
    """A row as what pickles small."""
    return row.id, dict(row), row.parents, row.attempt


def unpack(packed: tuple[Any, ...]) -> Row:
    """The row again."""
    return Row(*packed)


class Spill:
    """Lists of anything picklable, appended to and read back in order; in temporary files, gone with it."""

    def __init__(self, parts: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="attar-")
        self._held: list[list[Any]] = [[] for _ in range(parts)]
        self._files: list[BinaryIO | None] = [None] * parts

    def __enter__(self) -> Spill:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for file in self._files:
            if file is not None:
                file.close()
        self._folder.cleanup()

    def add(self, part: int, item: Any) -> None:
        """Appends to one part."""
        held = self._held[part]
        held.append(item)
        if len(held) >= CHUNK:
            file = self._files[part]
            if file is None:
                file = self._files[part] = (Path(self._folder.name) / str(part)).open("w+b")
            pickle.dump(held, file, pickle.HIGHEST_PROTOCOL)
            held.clear()

    def read(self, part: int) -> Iterator[Any]:
        """The items of a part, in order. Nothing may be added to it any more."""
        if self._files[part] is not None:
            self._files[part].flush()  # type: ignore[union-attr]
            with (Path(self._folder.name) / str(part)).open("rb") as file:
                while True:
                    try:
                        items = pickle.load(file)
                    except EOFError:
                        break
                    yield from items
        yield from self._held[part]
