"""Types of values that come from outside: inferred, checked, and turned into Arrow.

Three rules hold everywhere in this plugin: an int fits a float column; a column whose values do not agree is `json`;
and nothing is coerced beyond that, so that a wrong value is seen rather than bent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from attar.api import Columns, ParsedType, parse_type

if TYPE_CHECKING:
    import pyarrow as pa

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
_FIELD = re.compile(r"[^\s:,<>?]+")
MAX_FIELDS = 100
"""A struct with more keys than this is a map in disguise, and `json`."""


class Misfit(Exception):
    """A value does not fit its type; the text says where and what was found."""


class Seen(NamedTuple):
    """What inference knows of a place: its type without `?`, and whether a null or a gap was seen. None: only nulls."""

    kind: ParsedType | None
    null: bool = False


def infer(value: Any) -> Seen:
    """Type of one JSON value."""
    if value is None:
        return Seen(None, True)
    kind = type(value)
    if kind is str:
        return Seen(ParsedType("string"))
    if kind is bool:
        return Seen(ParsedType("bool"))
    if kind is int:
        return Seen(ParsedType("int" if INT_MIN <= value <= INT_MAX else "json"))
    if kind is float:
        return Seen(ParsedType("float"))
    if isinstance(value, list | tuple):
        item = merge_all(map(infer, value))
        return Seen(ParsedType("list", item=_plain(item) if item.kind else None))
    if isinstance(value, Mapping):
        if not value or len(value) > MAX_FIELDS or not all(isinstance(k, str) and _FIELD.fullmatch(k) for k in value):
            return Seen(ParsedType("json"))
        fields = tuple((name, _plain(infer(item))) for name, item in value.items())
        return Seen(ParsedType("struct", fields=fields))
    return Seen(ParsedType("json"))


def merge_all(seen: Iterable[Seen]) -> Seen:
    """The narrowest type that holds all of them."""
    result = Seen(None, False)
    for one in seen:
        result = merge(result, one)
    return result


def merge(a: Seen, b: Seen) -> Seen:
    """The narrowest type that holds both."""
    return Seen(_join(a.kind, b.kind), a.null or b.null)


def _plain(seen: Seen) -> ParsedType:
    # "any" stands for "only nulls so far" inside lists and structs; `settle` turns what remains of it into json.
    return (seen.kind or ParsedType("any"))._replace(nullable=seen.null)


def _join(a: ParsedType | None, b: ParsedType | None) -> ParsedType | None:
    if a is None or b is None:
        return a or b
    null = a.nullable or b.nullable
    a, b = a._replace(nullable=False), b._replace(nullable=False)
    if a == b:
        return a._replace(nullable=null)
    if a.kind == "any" or b.kind == "any":
        return (b if a.kind == "any" else a)._replace(nullable=null)
    if {a.kind, b.kind} == {"int", "float"}:
        return ParsedType("float", null)
    if a.kind == b.kind == "list":
        return ParsedType("list", null, item=_join(a.item, b.item))
    if a.kind == b.kind == "struct":
        left, right = dict(a.fields), dict(b.fields)
        if len(left.keys() | right.keys()) > MAX_FIELDS:
            return ParsedType("json", null)
        fields = []
        for name in [*left, *(n for n in right if n not in left)]:
            one, two = left.get(name), right.get(name)
            joined = _join(one, two)
            assert joined is not None
            fields.append((name, joined if one and two else joined._replace(nullable=True)))
        return ParsedType("struct", null, fields=tuple(fields))
    return ParsedType("json", null)


def settle(seen: Seen) -> ParsedType:
    """The final type: what was never seen with a value is nullable json."""
    kind = seen.kind or ParsedType("json", True)
    return _settle(kind._replace(nullable=kind.nullable or seen.null))


def _settle(kind: ParsedType) -> ParsedType:
    if kind.kind == "any":
        return ParsedType("json", True)
    if kind.kind == "list":
        return kind._replace(item=_settle(kind.item) if kind.item else ParsedType("json", True))
    if kind.kind == "struct":
        return kind._replace(fields=tuple((name, _settle(item)) for name, item in kind.fields))
    return kind


_SIMPLE = {"string": str, "int": int, "float": float, "bool": bool}


def fitter(kind: ParsedType, closed: bool = False) -> Callable[[Any], Any]:
    """A function that returns the value as the type holds it, or raises Misfit.

    Args:
        kind: the type.
        closed: an unknown struct field is a Misfit rather than left out.
    """
    inner = _fitter(kind, closed)
    if kind.kind == "any":
        return inner

    def fit(value: Any) -> Any:
        if value is None:
            if kind.nullable:
                return None
            raise Misfit(f"expected {kind.text()}, found null")
        return inner(value)

    return fit


def _fitter(kind: ParsedType, closed: bool) -> Callable[[Any], Any]:
    text = kind._replace(nullable=False).text()
    if kind.kind in ("any", "json"):
        return lambda value: value
    if kind.kind == "float":

        def number(value: Any) -> Any:
            if type(value) is float:
                return value
            if type(value) is int:
                return float(value)
            raise Misfit(f"expected float, found {say(value)}")

        return number
    if kind.kind == "int":

        def integer(value: Any) -> Any:
            if type(value) is int and INT_MIN <= value <= INT_MAX:
                return value
            raise Misfit(f"expected int, found {say(value)}")

        return integer
    if kind.kind in _SIMPLE:
        want = _SIMPLE[kind.kind]

        def scalar(value: Any) -> Any:
            if type(value) is want or (want is str and isinstance(value, str)):
                return value
            raise Misfit(f"expected {text}, found {say(value)}")

        return scalar
    if kind.kind == "list":
        item = fitter(kind.item or ParsedType("json", True), closed)

        def items(value: Any) -> Any:
            if not isinstance(value, list | tuple):
                raise Misfit(f"expected {text}, found {say(value)}")
            try:
                return [item(one) for one in value]
            except Misfit as problem:
                raise Misfit(f"in a list: {problem}") from None

        return items
    fields = {name: fitter(one, closed) for name, one in kind.fields}

    def struct(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise Misfit(f"expected {text}, found {say(value)}")
        if closed and (extra := [name for name in value if name not in fields]):
            raise Misfit(f"unknown field {extra[0]!r}")
        result = {}
        for name, one in fields.items():
            try:
                result[name] = one(value.get(name))
            except Misfit as problem:
                raise Misfit(f"field {name!r}: {problem}") from None
        return result

    return struct


def say(value: Any) -> str:
    """A value as messages show it: its type and its first characters."""
    names = {str: "string", int: "int", float: "float", bool: "bool", list: "list", dict: "object", type(None): "null"}
    shown = repr(value)
    return f"{names.get(type(value), type(value).__name__)} {shown if len(shown) <= 60 else shown[:57] + '…'}"


def parse_columns(columns: Columns) -> dict[str, ParsedType]:
    """Parsed types of declared columns.

    Raises:
        ValueError: (column, message) of the first type that cannot be parsed.
    """
    result = {}
    for name, text in columns.items():
        try:
            result[name] = parse_type(text)
        except ValueError as error:
            raise ValueError(name, str(error)) from None
    return result


def arrow_type(kind: ParsedType) -> pa.DataType:
    """The Arrow type of a column: int64, float64, bool, string (json too), list, struct."""
    import pyarrow as pa

    if kind.kind == "list":
        assert kind.item is not None
        return pa.list_(arrow_field("item", kind.item))
    if kind.kind == "struct":
        return pa.struct([arrow_field(name, item) for name, item in kind.fields])
    return {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}.get(kind.kind, pa.string())


def arrow_field(name: str, kind: ParsedType) -> pa.Field:
    """The Arrow field of a column. JSON text is marked as such, so that it can be told from other text."""
    import pyarrow as pa

    return pa.field(name, arrow_type(kind), metadata={b"attar": b"json"} if kind.kind in ("json", "any") else None)


def arrow_array(values: Sequence[Any], kind: ParsedType) -> pa.Array:
    """Values of one column as Arrow; `json` becomes JSON text."""
    import pyarrow as pa

    encode = _encoder(kind)
    return pa.array(values if encode is None else [encode(v) for v in values], arrow_type(kind))


def to_json(value: Any) -> str:
    """JSON text of a value."""
    return orjson.dumps(value, default=_plain_json, option=orjson.OPT_NON_STR_KEYS).decode()


def _plain_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return float(value)
    return list(value)


def _encoder(kind: ParsedType) -> Callable[[Any], Any] | None:
    if kind.kind in ("json", "any"):
        return lambda value: None if value is None else to_json(value)
    if kind.kind == "list" and kind.item is not None and (item := _encoder(kind.item)):
        return lambda value: None if value is None else [item(one) for one in value]
    if kind.kind == "struct":
        inner = {name: found for name, one in kind.fields if (found := _encoder(one))}
        if inner:
            return lambda value: (
                None
                if value is None
                else {name: (inner[name](one) if name in inner else one) for name, one in value.items()}
            )
    return None


def json_decoder(kind: ParsedType, load: Callable[[str], Any] = orjson.loads) -> Callable[[Any], Any] | None:
    """A function that turns the JSON text which Arrow holds for `json` values back into them; None: nothing to do.

    Args:
        kind: the column's type.
        load: what to make of the text.
    """
    if kind.kind == "json":
        return lambda value: None if value is None else load(value)
    if kind.kind == "list" and kind.item is not None and (item := json_decoder(kind.item, load)):
        return lambda value: None if value is None else [item(one) for one in value]
    if kind.kind == "struct":
        inner = {name: found for name, one in kind.fields if (found := json_decoder(one, load))}
        if inner:
            return lambda value: (
                None
                if value is None
                else {name: (inner[name](one) if name in inner else one) for name, one in value.items()}
            )
    return None
