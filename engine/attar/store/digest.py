"""The dataset digest: one number for ids, values and order of a dataset, whatever its files look like."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import orjson

from attar.api import json_lines, text_bytes
from attar.store.arrow import from_batch

if TYPE_CHECKING:
    import pyarrow as pa

    from attar.api import RowSet

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
_LANGUAGE = b"attar dataset 1\n"


def dataset_digest(rows: RowSet) -> str:
    """blake2b-128 (hex) over the canonical JSON of each row, `id` included, in order.

    Independent of files, ranks, row groups and the order of columns. JSON columns count by their parsed value, floats
    by their shortest decimal form. Not-a-number and the infinities, which JSON has not, are told apart in columns of
    type float; inside lists, structs and JSON they count as null.
    """
    return batches_digest(rows.batches())


def batches_digest(batches: Iterable[pa.RecordBatch]) -> str:
    """The same over Arrow batches that hold the user's columns and `id`."""
    digest = hashlib.blake2b(_LANGUAGE, digest_size=16)
    for batch in batches:
        odd = _odd_floats(batch)
        if not odd:
            digest.update(text_bytes(json_lines(batch, sort_keys=True, end="\n")))
            continue
        rows = from_batch(batch)
        for name in odd:
            for row in rows:
                value = row[name]
                if value is not None and not math.isfinite(value):
                    row[name] = {"$float": repr(value)}
        digest.update(b"".join([orjson.dumps(row, option=_OPTIONS) for row in rows]))
    return digest.hexdigest()


def _odd_floats(batch: pa.RecordBatch) -> list[str]:
    """Names of float columns that hold values JSON has not."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return [
        field.name
        for field in batch.schema
        if pa.types.is_floating(field.type) and pc.all(pc.is_finite(batch.column(field.name))).as_py() is False
    ]
