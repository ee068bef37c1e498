"""The dataset digest: one number for ids, values and order of a dataset, whatever its files look like."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import orjson

from attar.store.arrow import from_batch

if TYPE_CHECKING:
    import pyarrow as pa

    from attar.api import RowSet

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
_LANGUAGE = b"attar dataset 1\n"


def dataset_digest(rows: RowSet) -> str:
    """blake2b-128 (hex) over the canonical JSON of each row, `id` included, in order.

    Independent of files, ranks, row groups and the order of columns. JSON columns count by their parsed value, floats
    by their shortest decimal form (not-a-number and the infinities as null).
    """
    return batches_digest(rows.batches())


def batches_digest(batches: Iterable[pa.RecordBatch]) -> str:
    """The same over Arrow batches that hold the user's columns and `id`."""
    digest = hashlib.blake2b(_LANGUAGE, digest_size=16)
    for batch in batches:
        digest.update(b"".join([orjson.dumps(row, option=_OPTIONS) for row in from_batch(batch)]))
    return digest.hexdigest()
