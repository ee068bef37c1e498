"""Markdown and plain text: a file is a document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attar.api import Reject

from .formats import Found, Options, decoded


def read(path: Path, options: Options) -> Iterator[Found | Reject]:
    text = decoded(path.read_bytes(), options.encoding)
    yield text if isinstance(text, Reject) else Found(text)
