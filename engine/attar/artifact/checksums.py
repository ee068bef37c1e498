"""`sha256sums.txt` of a run: what `sha256sum -c` needs to tell whether a copy is whole.

The file never lies: before anything it names is replaced by something else, it is taken away, and it is written again
when all is in place. A run that finds everything as it was leaves it untouched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from attar.store.files import fsync_folder, write_bytes_atomic

NAME = "sha256sums.txt"
_CHUNK = 4 << 20


class Checksums:
    """The checksums of one run's folder, gathered while its outputs are published."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / NAME
        self._sums: dict[str, str] = {}
        self._before = self._read()

    def cover(self, name: str, draft: Path) -> None:
        """Notes the files of an output that is about to be put in the place of `name`; streams each file once.

        Args:
            name: the folder, or file, of the run that the draft becomes.
            draft: where it lies now.
        """
        found = {"/".join((name, *path.relative_to(draft).parts)): sha256(path) for path in _files(draft)}
        self._note(name, found)

    def cover_bytes(self, name: str, data: bytes) -> None:
        """The same for a small file that is about to be written."""
        self._note(name, {name: hashlib.sha256(data).hexdigest()})

    def write(self) -> None:
        """Writes the file, unless it says so already."""
        data = "".join(_line(name, digest) for name, digest in sorted(self._sums.items())).encode()
        try:
            same = self._path.read_bytes() == data
        except OSError:
            same = False
        if not same:
            write_bytes_atomic(self._path, data)

    def _note(self, name: str, found: dict[str, str]) -> None:
        self._sums.update(found)
        before = {file: line for file, line in self._before.items() if file == name or file.startswith(f"{name}/")}
        if self._before and before != found:
            self._path.unlink(missing_ok=True)
            fsync_folder(self._folder)
            self._before = {}

    def _read(self) -> dict[str, str]:
        """Name → digest as the file has it; empty where there is none."""
        try:
            lines = self._path.read_bytes().decode().split("\n")[:-1]
        except (OSError, UnicodeDecodeError):
            return {}
        pairs = (line.removeprefix("\\").partition("  ") for line in lines)
        return {_unescaped(name): digest for digest, _, name in pairs}


def sha256(path: Path) -> str:
    """Of a file's bytes, hex; hashlib lets other threads run meanwhile."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def _line(name: str, digest: str) -> str:
    """One line as GNU coreutils writes it: a name with a backslash or a line break is escaped, and the line marked."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n"


def _unescaped(name: str) -> str:
    out, parts = "", iter(name)
    for char in parts:
        out += {"n": "\n", "r": "\r"}.get(after := next(parts, ""), after) if char == "\\" else char
    return out
