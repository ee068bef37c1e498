"""JSON lines: a line is a document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from attar.api import Reject

from .formats import Found, Options, decoded, of_record


def read(path: Path, options: Options) -> Iterator[Found | Reject]:
    number = -1
    with path.open("rb") as file:
        for line, data in enumerate(file, 1):
            if not data.strip():
                continue
            number += 1
            text = decoded(data, options.encoding, line)
            if isinstance(text, Reject):
                yield text
                continue
            try:
                record = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                yield Reject("invalid_json", f"line {line}: {error}")
                continue
            yield of_record(record, options, number)
