"""JSON made of whole columns is byte for byte what orjson makes of the rows, and so is the dataset digest."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.api import json_lines, text_bytes
from attar.store.arrow import from_batch, to_batch
from attar.store.digest import batches_digest

COLUMNS = {
    "text": "string?",
    "zeta": "string",
    "n": "int?",
    "x": "float?",
    "yes": "bool?",
    "tags": "list<string?>?",
    "pair": "struct<b:string?,a:int?>?",
    "deep": "json?",
    "deeper": "list<json?>?",
    "with \"quote'": "int",
}
TEXT = st.text(st.sampled_from('ab"\\/\n\r\t\x00\x1f\x7f\u0085\u2028\ufeffé€हि😀 ')) | st.text(max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("cab"), inner, max_size=2),
    max_leaves=4,
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | TEXT,
            "zeta": TEXT,
            "n": st.none() | st.integers(-(2**63), 2**63 - 1),
            "x": st.none() | st.floats(),
            "yes": st.none() | st.booleans(),
            "tags": st.none() | st.lists(st.none() | TEXT, max_size=2),
            "pair": st.none() | st.fixed_dictionaries({"b": st.none() | TEXT, "a": st.none() | st.integers(0, 9)}),
            "deep": st.none() | JSON,
            "deeper": st.none() | st.lists(JSON, max_size=2),
            "with \"quote'": st.integers(0, 5),
        }
    ),
    max_size=8,
)


def batch_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    batch, bad = to_batch(rows, COLUMNS)
    assert not bad
    return batch


@settings(deadline=None, max_examples=150)
@given(ROWS, st.integers(0, 4), st.booleans())
def test_lines_are_those_of_orjson(rows: list[dict[str, Any]], start: int, sort_keys: bool) -> None:
    batch = batch_of(rows).slice(start)
    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_SORT_KEYS if sort_keys else 0)
    expected = [orjson.dumps(row, option=option) for row in from_batch(batch)]
    made = json_lines(batch, sort_keys=sort_keys, end="\n")
    assert [line.encode() for line in made.to_pylist()] == expected
    assert bytes(text_bytes(made)) == b"".join(expected)


@settings(deadline=None)
@given(ROWS)
def test_names_choose_and_rename(rows: list[dict[str, Any]]) -> None:
    made = json_lines(batch_of(rows), {"persona": "text", "n": "n"})
    assert [orjson.loads(line) for line in made.to_pylist()] == [{"persona": r["text"], "n": r["n"]} for r in rows]
    assert json_lines(batch_of(rows), {}).to_pylist() == ["{}"] * len(rows)


@settings(deadline=None)
@given(ROWS, st.integers(1, 3))
def test_the_digest_is_that_of_the_rows(rows: list[dict[str, Any]], size: int) -> None:
    batch = batch_of(rows)
    ids = pa.array([f"{n:032x}" for n in range(len(rows))], pa.string())
    whole = pa.RecordBatch.from_arrays([*batch.columns, ids], schema=batch.schema.append(pa.field("id", pa.string())))
    expected = hashlib.blake2b(b"attar dataset 1\n", digest_size=16)
    for row in from_batch(whole):
        if row["x"] is not None and (row["x"] != row["x"] or row["x"] in (float("inf"), float("-inf"))):
            row["x"] = {"$float": repr(row["x"])}
        expected.update(orjson.dumps(row, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))
    pieces = [whole.slice(at, size) for at in range(0, len(rows), size)]
    assert batches_digest(pieces) == batches_digest([whole]) == expected.hexdigest()


def test_broken_text_is_no_json() -> None:
    broken = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe"))
    with pytest.raises(pa.ArrowInvalid):
        json_lines(pa.record_batch([broken], ["text"]))
