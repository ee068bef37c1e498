"""Records put into columns of declared types; what does not fit becomes a Reject in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from attar.api import ParsedType, Reject

from ._types import INT_MAX, INT_MIN, Misfit, fitter, say

_FAST: dict[str, set[type]] = {"string": {str}, "bool": {bool}, "int": {int}, "float": {float}}


class Column(NamedTuple):
    """One column that leaves: its name, the name it has in the file, its type."""

    name: str
    source: str
    kind: ParsedType


class Fitted(NamedTuple):
    """Columns of equal length (null at rejected places), and the rejected places."""

    columns: dict[str, list[Any]]
    rejects: dict[int, Reject]


class Fit:
    """Checks records against columns.

    Args:
        columns: what leaves.
        closed: a key that no column takes makes the record unfit (types were inferred), else it is left out.
        texts: values are text that has yet to be read as its type (CSV).
    """

    def __init__(self, columns: Sequence[Column], closed: bool, texts: bool) -> None:
        self.columns = columns
        self._known = {column.source for column in columns}
        self._closed = closed
        self._fitters = [fitter(column.kind, closed) for column in columns]
        self._readers: list[Callable[[Any], Any] | None] = [reader(c.kind) if texts else None for c in columns]

    def __call__(self, records: Sequence[Any]) -> Fitted:
        rejects: dict[int, Reject] = {}
        if {type(record) for record in records} - {dict}:
            records, rejects = _objects(records)
        if self._closed and not set().union(*records) <= self._known:
            for place, record in enumerate(records):
                if place not in rejects and (extra := [k for k in record if k not in self._known]):
                    rejects[place] = Reject(
                        "schema", f"column {extra[0]!r} is new here: declare it under columns, with the others"
                    )
        columns = {}
        for column, fit, read in zip(self.columns, self._fitters, self._readers, strict=True):
            values = [record.get(column.source) for record in records]
            if read is not None or not _fits(values, column.kind):
                values = _slow(column, values, fit, read, rejects)
            columns[column.name] = values
        if rejects:
            for values in columns.values():
                for place in rejects:
                    values[place] = None
        return Fitted(columns, rejects)


def _objects(records: Sequence[Any]) -> tuple[list[Any], dict[int, Reject]]:
    rejects, kept = {}, []
    for place, record in enumerate(records):
        if type(record) is not dict:
            bad = record if isinstance(record, Reject) else Reject("not_object", f"expected an object: {say(record)}")
            rejects[place] = bad
            record = {}
        kept.append(record)
    return kept, rejects


def _fits(values: list[Any], kind: ParsedType) -> bool:
    if kind.kind in ("json", "any"):
        return kind.nullable or None not in values
    types: set[type] = set(map(type, values))
    if kind.nullable:
        types.discard(type(None))
    if types - _FAST.get(kind.kind, set()):
        return False
    if kind.kind == "int":
        numbers = [v for v in values if v is not None] if kind.nullable else values
        return not numbers or (max(numbers) <= INT_MAX and min(numbers) >= INT_MIN)
    return True


def _slow(
    column: Column,
    values: list[Any],
    fit: Callable[[Any], Any],
    read: Callable[[Any], Any] | None,
    rejects: dict[int, Reject],
) -> list[Any]:
    result = []
    for place, value in enumerate(values):
        fitted = None
        if place not in rejects:
            try:
                fitted = fit(read(value) if read else value)
            except Misfit as problem:
                rejects[place] = Reject("schema", f"column {column.name!r}: {problem}")
        result.append(fitted)
    return result


def reader(kind: ParsedType) -> Callable[[Any], Any] | None:
    """Reads text as a type: an empty field is null for all but strings; lists, structs and json stand as JSON."""
    if kind.kind == "string":
        return None

    def read(text: Any) -> Any:
        if text is None or text == "":
            return None
        value = from_text(text) if kind.kind in ("int", "float", "bool") else _json(text, kind)
        if kind.kind == "float" and type(value) is int:
            return float(value)
        return value

    return read


def _json(text: str, kind: ParsedType) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if kind.kind == "json":
            return text
        raise Misfit(f"expected {kind.text()} as JSON, found {say(text)}") from None


def from_text(text: str) -> Any:
    """An int, float or bool where the text is just how one is written, else the text: `007` and `1e5x` stay text."""
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    body = text[1:] if text.startswith("-") else text
    if body.isascii() and body.isdigit() and (body == "0" or body[0] != "0") and len(body) < 19:
        return int(text)
    if body[:1].isdigit() and body.isascii():
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        if type(value) is float:
            return value
    return text


def infer_text(records: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """CSV records with each value as what it looks like, for type inference; an empty field as null."""
    return [{name: None if text == "" else from_text(text) for name, text in record.items()} for record in records]
