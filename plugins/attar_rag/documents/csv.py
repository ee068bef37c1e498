"""CSV with a header: a record is a document."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from attar.api import Reject

from .formats import Found, Options, decoded, of_record


def read(path: Path, options: Options) -> Iterator[Found | Reject]:
    text = decoded(path.read_bytes(), options.encoding)
    if isinstance(text, Reject):
        yield text
        return
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    number = -1
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Reject("invalid_csv", f"line {reader.line_num}: {error}; what follows is not read")
            return
        if header is None:
            header = values
            continue
        if not values:
            continue
        number += 1
        if len(values) != len(header):
            yield Reject("invalid_csv", f"line {reader.line_num}: {len(values)} fields, the header has {len(header)}")
            continue
        yield of_record(dict(zip(header, values, strict=True)), options, number)
