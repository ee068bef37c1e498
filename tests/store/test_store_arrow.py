"""Rows to Arrow and back: nothing bent into a type, bad rows named, good rows kept."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.api import Row
from attar.api.types import parse_type
from attar.store.arrow import from_batch, from_schema, to_batch, to_schema

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INT64 = st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | INT64 | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
SCALARS = {"string": TEXT, "int": INT64, "float": st.floats(allow_nan=False), "bool": st.booleans(), "json": JSON}


def types(depth: int = 2) -> st.SearchStrategy[str]:
    base = st.sampled_from(sorted(SCALARS))
    if depth:
        inner = types(depth - 1)
        base = base | inner.map(lambda t: f"list<{t}>")
        base = base | st.lists(inner, min_size=1, max_size=3).map(
            lambda ts: "struct<" + ",".join(f"f{i}:{t}" for i, t in enumerate(ts)) + ">"
        )
    return st.tuples(base, st.booleans()).map(lambda pair: pair[0] + "?" * pair[1])


def values(text: str) -> st.SearchStrategy[Any]:
    parsed = parse_type(text)
    if parsed.kind == "list":
        assert parsed.item is not None
        found: st.SearchStrategy[Any] = st.lists(values(parsed.item.text()), max_size=3)
    elif parsed.kind == "struct":
        found = st.fixed_dictionaries({name: values(of.text()) for name, of in parsed.fields})
    else:
        found = SCALARS[parsed.kind]
    return st.none() | found if parsed.nullable else found


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_rows_of_any_type_come_back(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(types(), min_size=1, max_size=3))
    columns = {f"c{i}": kind for i, kind in enumerate(kinds)}
    row = st.fixed_dictionaries({name: values(kind) for name, kind in columns.items()})
    rows = data.draw(st.lists(row, max_size=5))
    batch, bad = to_batch(rows, columns)
    assert bad == {}
    assert batch.schema.equals(to_schema(columns), check_metadata=True)
    batch.validate(full=True)
    assert from_batch(batch) == rows
    assert from_schema(batch.schema) == columns


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", 3),
        ("string", b"bytes"),
        ("string", None),
        ("string", "\ud83d"),
        ("int", "3"),
        ("int", True),
        ("int", 3.0),
        ("int", 2**63),
        ("float", "1.5"),
        ("float", False),
        ("float", 2**60 + 1),
        ("bool", 1),
        ("list<int>", [1, None]),
        ("list<int>", "12"),
        ("list<int>", [True]),
        ("list<string>", {"a": 1}),
        ("struct<a:int>", {"a": "1"}),
        ("struct<a:int>", {}),
        ("struct<a:int>", [1]),
        ("struct<a:list<struct<b:string>>>", {"a": [{"b": "x"}, {"b": 1}]}),
        ("json", {"a": "\udfff"}),
        ("json", object()),
    ],
)
def test_a_value_that_does_not_fit_makes_its_row_bad_and_no_other(kind: str, value: Any) -> None:
    good = {"string": "a", "int": 1, "float": 1.0, "bool": True, "json": [1]}
    fits = good.get(kind) or {"list": [], "struct": {"a": 1}}[parse_type(kind).kind]
    if kind.startswith("struct<a:list"):
        fits = {"a": []}
    batch, bad = to_batch([{"x": fits, "y": 1}, {"x": value, "y": 2}, {"x": fits, "y": 3}], {"x": kind, "y": "int"})
    assert set(bad) == {1}
    assert bad[1].startswith("x")
    assert from_batch(batch) == [{"x": fits, "y": 1}, {"x": fits, "y": 3}]


def test_reasons_say_where_and_what() -> None:
    _, bad = to_batch([{"a": [{"b": "नमस्ते"}]}], {"a": "list<struct<b:int>>"})
    assert bad == {0: "a[0].b: expected int, found str '\\u0928\\u092e\\u0938\\u094d\\u0924\\u0947'"}


def test_ints_become_floats_and_missing_columns_null() -> None:
    batch, bad = to_batch([{"f": 2}, {"f": 2.5, "n": 1}], {"f": "float", "n": "int?"})
    assert not bad
    assert from_batch(batch) == [{"f": 2.0, "n": None}, {"f": 2.5, "n": 1}]


def test_rows_need_not_be_dicts_nor_texts_plain() -> None:
    class Text(str):
        pass

    rows: list[Mapping[str, Any]] = [
        Row("id", {"t": Text("सुगंध\x00"), "s": MappingProxyType({"a": 1}), "l": (1, 2)}),
        MappingProxyType({"t": "b", "s": {"a": 2, "extra": 3}, "l": []}),
    ]
    batch, bad = to_batch(rows, {"t": "string", "s": "struct<a:int>", "l": "list<int>"})
    assert not bad
    assert from_batch(batch) == [{"t": "सुगंध\x00", "s": {"a": 1}, "l": [1, 2]}, {"t": "b", "s": {"a": 2}, "l": []}]


def test_a_json_null_is_not_an_empty_value() -> None:
    batch, bad = to_batch([{"j": None}, {"j": "x"}], {"j": "json"})
    assert not bad
    assert batch.column(0).to_pylist() == ["null", '"x"']
    assert from_batch(batch) == [{"j": None}, {"j": "x"}]


def test_rows_without_columns_keep_their_number() -> None:
    batch, bad = to_batch([{"a": 1}, {}], {})
    assert (batch.num_rows, bad) == (2, {})
    assert from_batch(batch) == [{}, {}]


def test_foreign_schemas_get_our_names() -> None:
    schema = pa.schema(
        [
            ("a", pa.int16()),
            ("b", pa.large_string()),
            ("c", pa.float32()),
            ("d", pa.dictionary(pa.int32(), pa.string())),
            ("e", pa.timestamp("s")),
            pa.field("f", pa.list_(pa.field("item", pa.int8(), nullable=False)), nullable=False),
        ]
    )
    assert from_schema(schema) == {
        "a": "int?",
        "b": "string?",
        "c": "float?",
        "d": "string?",
        "e": "any?",
        "f": "list<int>",
    }
