"""Small file operations that hold against a kill or a power cut at any point."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson


def fsync_folder(folder: Path) -> None:
    """Makes renames and new names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError:  # some network file systems refuse; the names are then as durable as they can be
        pass
    finally:
        os.close(fd)


def fsync_file(path: Path) -> None:
    """Makes a file's bytes durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Writes a file so that it holds either what it held before or all of the new bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    fsync_folder(path.parent)


def write_json_atomic(path: Path, value: Any) -> None:
    """Writes JSON, indented, so that the file is either the old one or the new one."""
    data = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE)
    write_bytes_atomic(path, data)


def process_started(pid: int) -> int | None:
    """When a process of this host started, in clock ticks since boot; None where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    after = stat.rpartition(")")[2].split()  # the command's name may hold anything
    return None if after[0] in "ZX" else int(after[19])
