"""Writes a folder of new files as a whole, over nothing that is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attar.errors import fail


def write_project(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Writes files (path in the folder → text or bytes).

    Raises:
        AttarError: E704, the folder holds something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise fail("E704", f"{folder} exists and is not empty", help="choose another name, or remove it first")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
