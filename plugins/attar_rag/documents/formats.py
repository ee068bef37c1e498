"""Which formats there are, and the module that reads each: `read(path, options)` yields its documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from attar.api import Reject

FORMATS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "plain",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".srt": "subtitles",
    ".vtt": "subtitles",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
"""Extension → format."""

RECORDS = frozenset({"jsonl", "csv", "parquet"})
"""Formats of which one file holds many documents."""

LIBRARIES = {"html": "trafilatura", "pdf": "pypdf", "docx": "docx"}
"""Format → module that reads it, of the extra `documents`."""

EXTRA_HELP = "pip install 'attar[documents]'"


@dataclass(frozen=True, slots=True)
class Found:
    """A document as its format's reader leaves it.

    Attributes:
        text: not yet cleaned.
        title: where the format knows one.
        name: what names it within its file; None in files that are one document.
        category: where the format knows one.
        wrapped: lines are broken by a page's width.
    """

    text: str
    title: str | None = None
    name: str | None = None
    category: str | None = None
    wrapped: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """What readers are told; columns are those of files with many documents."""

    encoding: str = "utf-8"
    text: str = "text"
    id: str | None = None
    title: str | None = None
    category: str | None = None


def documents(format: str, path: Path, options: Options) -> Iterator[Found | Reject]:
    """The documents of a file in order; a Reject in the place of one that cannot be read."""
    module = import_module(f".{'plain' if format == 'markdown' else format}", __package__)
    found: Iterator[Found | Reject] = module.read(path, options)
    return found


def decoded(data: bytes, encoding: str, line: int = 1) -> str | Reject:
    """Bytes as text, or `encoding` with the place of the first byte that is none.

    Args:
        line: number of the line at which `data` begins, for the message.
    """
    try:
        return data.decode("utf-8-sig" if encoding.replace("_", "-").lower() in ("utf-8", "utf8") else encoding)
    except UnicodeDecodeError as error:
        at = line + data.count(b"\n", 0, error.start)
        byte = data[error.start] if error.start < len(data) else 0
        return Reject("encoding", f"line {at}: byte 0x{byte:02X} at {error.start} is no {encoding}")


def of_record(record: Any, options: Options, number: int) -> Found | Reject:
    """A record (a mapping) as a document."""
    if not isinstance(record, dict):
        return Reject("not_object", f"record {number} is {type(record).__name__}, not an object")
    text = record.get(options.text)
    if text is not None and not isinstance(text, str):
        return Reject("schema", f"record {number}: {options.text!r} is {type(text).__name__}, not a text")
    if options.text not in record:
        near = ", ".join(sorted(map(str, record))[:8])
        return Reject("schema", f"record {number} has no {options.text!r}; it has: {near}")
    name = str(number)
    if options.id is not None:
        value = record.get(options.id)
        if value is None or isinstance(value, dict | list) or not str(value):
            return Reject("missing_id", f"record {number} has no {options.id!r}")
        name = str(value)
    return Found(text or "", _text(record, options.title), name, _text(record, options.category))


def _text(record: dict[str, Any], column: str | None) -> str | None:
    value = record.get(column) if column is not None else None
    return str(value) if value is not None else None
