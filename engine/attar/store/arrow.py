"""Rows as Arrow: our type strings as an Arrow schema, and lists of rows as record batches and back.

Conversion works on whole columns, since this lies on the path of every row; only when a column does not fit are the
rows looked at one by one, to name the bad ones. Values are never bent into a type (a string is no number, a bool no
int); an int may become a float.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import orjson
import pyarrow as pa

from attar.api.json_lines import decoder
from attar.api.types import Columns, ParsedType, parse_type

JSON_MARK = {b"attar": b"json"}
_SCALARS: dict[str, Any] = {
    "string": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "json": pa.string(),
    "any": pa.string(),
}
_NONE = type(None)
_EXACT: dict[str, frozenset[type]] = {
    "string": frozenset((str,)),
    "int": frozenset((int,)),
    "float": frozenset((float, int)),
    "bool": frozenset((bool,)),
    "list": frozenset((list, tuple)),
    "struct": frozenset((dict,)),
}
_schemas: dict[tuple[tuple[str, str], ...], pa.Schema] = {}
_parsed: dict[str, ParsedType] = {}


def to_schema(columns: Columns) -> pa.Schema:
    """The Arrow schema of columns. `json` and `any` are strings that hold JSON text, marked in the field's metadata."""
    key = tuple(columns.items())
    schema = _schemas.get(key)
    if schema is None:
        schema = _schemas[key] = pa.schema([_field(name, _parse(text)) for name, text in key])
    return schema


def from_schema(schema: pa.Schema) -> dict[str, str]:
    """Our columns for an Arrow schema; a type we have no name for is `any`."""
    return {field.name: _type_of(field).text() for field in schema}


def to_batch(rows: Sequence[Mapping[str, Any]], columns: Columns) -> tuple[pa.RecordBatch, dict[int, str]]:
    """Converts rows; a column that a row lacks is null.

    Returns:
        the batch of the rows that fit, and the position and reason of each that does not.
    """
    schema = to_schema(columns)
    types = [(name, _parse(text)) for name, text in columns.items()]
    try:
        return _convert(rows, types, schema), {}
    except (_Misfit, TypeError, ValueError, OverflowError, pa.ArrowException):
        pass
    bad: dict[int, str] = {}
    good: list[Mapping[str, Any]] = []
    for position, row in enumerate(rows):
        why = _why_not(row, types, schema)
        if why is None:
            good.append(row)
        else:
            bad[position] = why
    return _convert(good, types, schema), bad


def from_batch(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows of a batch as dicts, JSON columns parsed."""
    names = batch.schema.names
    if not names:
        return [{} for _ in range(batch.num_rows)]
    columns = [column_values(batch.column(i), batch.schema.field(i)) for i in range(len(names))]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def column_values(array: pa.Array, field: pa.Field) -> list[Any]:
    """The values of a column as Python objects, JSON parsed."""
    values: list[Any] = array.to_pylist()
    decode = decoder(field)
    return values if decode is None else [None if value is None else decode(value) for value in values]


# -- schemas -------------------------------------------------------------------------------------------------------


def _parse(text: str) -> ParsedType:
    parsed = _parsed.get(text)
    if parsed is None:
        parsed = _parsed[text] = parse_type(text)
    return parsed


def _field(name: str, parsed: ParsedType) -> pa.Field:
    if parsed.kind == "list":
        assert parsed.item is not None
        kind = pa.list_(_field("item", parsed.item))
    elif parsed.kind == "struct":
        kind = pa.struct([_field(inner, of) for inner, of in parsed.fields])
    else:
        kind = _SCALARS[parsed.kind]
    mark = JSON_MARK if parsed.kind in ("json", "any") else None
    return pa.field(name, kind, nullable=parsed.nullable, metadata=mark)


def _type_of(field: pa.Field) -> ParsedType:
    kind, null = field.type, field.nullable
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if field.metadata and field.metadata.get(b"attar") == b"json":
        return ParsedType("json", null)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return ParsedType("string", null)
    if pa.types.is_integer(kind):
        return ParsedType("int", null)
    if pa.types.is_floating(kind):
        return ParsedType("float", null)
    if pa.types.is_boolean(kind):
        return ParsedType("bool", null)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return ParsedType("list", null, item=_type_of(kind.value_field))
    if pa.types.is_struct(kind) and kind.num_fields:
        inner = [kind.field(i) for i in range(kind.num_fields)]
        return ParsedType("struct", null, fields=tuple((f.name, _type_of(f)) for f in inner))
    return ParsedType("any", null)


# -- to Arrow ------------------------------------------------------------------------------------------------------


class _Misfit(Exception):
    """Some value does not fit; which one is found row by row."""


def _convert(rows: Sequence[Mapping[str, Any]], types: list[tuple[str, ParsedType]], schema: pa.Schema) -> Any:
    if not types:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(rows), pa.struct([])))
    arrays = []
    for i, (name, parsed) in enumerate(types):
        try:
            values = [row[name] for row in rows]
        except KeyError:
            values = [row.get(name) for row in rows]
        if not _check(values, parsed):
            values = [_dicts(value) for value in values]
        encode = _encoder(parsed)
        if encode is not None:
            values = [encode(value) for value in values]
        arrays.append(pa.array(values, schema.field(i).type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _check(values: list[Any], parsed: ParsedType) -> bool:
    """Looks at the set of types in a column: a few nanoseconds a value, and stricter than Arrow itself.

    Returns:
        whether all mappings are dicts, the only ones Arrow takes.

    Raises:
        _Misfit: some value does not fit.
    """
    kind = parsed.kind
    if kind in ("json", "any"):
        return True  # null is a JSON value too
    found = set(map(type, values))
    if _NONE in found:
        if not parsed.nullable:
            raise _Misfit
        found.discard(_NONE)
    usual = found <= _EXACT[kind]
    if not usual and not all(_is(kind, value) for value in values if value is not None):
        raise _Misfit
    plain = usual or kind != "struct"
    if kind == "list" and parsed.item is not None:
        plain &= _check(list(chain.from_iterable(value for value in values if value is not None)), parsed.item)
    elif kind == "struct":
        present = [value for value in values if value is not None]
        for name, of in parsed.fields:
            plain &= _check([value.get(name) for value in present], of)
    return plain


def _dicts(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _dicts(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_dicts(inner) for inner in value]
    return value


def _is(kind: str, value: Any) -> bool:
    """Whether a value of an unusual class (a subclass, a numpy scalar that is one) fits a kind."""
    if kind == "string":
        return isinstance(value, str)
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "list":
        return isinstance(value, list | tuple)
    return isinstance(value, Mapping)


def _encoder(parsed: ParsedType) -> Callable[[Any], Any] | None:
    """How values become what Arrow takes, or None where they already are: JSON as text, mappings as dicts."""
    if parsed.kind in ("json", "any"):
        null = None if parsed.nullable else "null"
        return lambda value: null if value is None else orjson.dumps(value, default=_plain).decode()
    if parsed.kind == "list" and parsed.item is not None:
        each = _encoder(parsed.item)
        if each is None:
            return None
        return lambda value: None if value is None else [each(v) for v in value]
    if parsed.kind == "struct":
        inner = [(name, _encoder(of)) for name, of in parsed.fields]
        if all(encode is None for _, encode in inner):
            return None

        def encode_struct(value: Any) -> Any:
            if value is None:
                return None
            return {n: value.get(n) if encode is None else encode(value.get(n)) for n, encode in inner}

        return encode_struct
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _why_not(row: Mapping[str, Any], types: list[tuple[str, ParsedType]], schema: pa.Schema) -> str | None:
    for i, (name, parsed) in enumerate(types):
        value = row.get(name)
        why = _misfit(value, parsed, name)
        if why is not None:
            return why
        try:
            encode = _encoder(parsed)
            value = _dicts(value) if parsed.kind in ("list", "struct") else value
            pa.array([value if encode is None else encode(value)], schema.field(i).type)
        except (TypeError, ValueError, OverflowError, pa.ArrowException) as error:
            return f"{name}: {_say(error)}"
    return None


def _say(error: Exception) -> str:
    if isinstance(error, UnicodeError) or "surrogates" in str(error):
        return "text with a broken character (a lone surrogate)"
    return str(error)


def _misfit(value: Any, parsed: ParsedType, where: str) -> str | None:
    if parsed.kind in ("json", "any"):
        return None
    if value is None:
        return None if parsed.nullable else f"{where}: expected {parsed.text()}, found null"
    if not _is(parsed.kind, value):
        return f"{where}: expected {parsed.text()}, found {type(value).__name__} {_short(value)}"
    if parsed.kind == "list" and parsed.item is not None:
        for i, inner in enumerate(value):
            if (why := _misfit(inner, parsed.item, f"{where}[{i}]")) is not None:
                return why
    for name, of in parsed.fields:
        if (why := _misfit(value.get(name), of, f"{where}.{name}")) is not None:
            return why
    return None


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "…"
