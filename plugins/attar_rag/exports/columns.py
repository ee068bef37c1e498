"""Columns an export reads, and how `datasets` is told their types."""

from __future__ import annotations

from typing import Any

import orjson

from attar.api import ParsedType, parse_type

MESSAGES = "list<struct<role:string,content:string>>"

Feature = dict[str, Any]
"""A feature without its name, as the front matter of a dataset card writes it: {"dtype": "string"}, {"list": …}."""

TEXT: Feature = {"dtype": "string"}


def has_thoughts(kind: str | None) -> bool:
    """Whether messages of this type may hold thoughts (json may hold anything)."""
    found = None if kind is None else parse_type(kind)
    if found is None or found.kind != "list" or found.item is None or found.item.kind != "struct":
        return True
    return any(name == "thought" for name, _ in found.item.fields)


def is_split_key(kind: str) -> bool:
    """Whether a column of this type names documents: text, whole numbers, or a list of either."""
    found = parse_type(kind)
    item = found.item if found.kind == "list" else found
    return item is not None and item.kind in ("string", "int")


def holds_json(kind: ParsedType) -> bool:
    """Whether there is `json` anywhere in a type: such a column is exported as JSON text."""
    if kind.kind in ("json", "any"):
        return True
    if kind.item is not None and holds_json(kind.item):
        return True
    return any(holds_json(item) for _, item in kind.fields)


def plain(value: Any, kind: ParsedType) -> Any:
    """A value as Arrow holds it, with the JSON text in it read."""
    if value is None:
        return None
    if kind.kind in ("json", "any"):
        return orjson.loads(value)
    if kind.item is not None:
        item = kind.item
        return [plain(one, item) for one in value]
    if kind.fields:
        return {name: plain(value.get(name), item) for name, item in kind.fields}
    return value


def json_text(value: Any) -> str | None:
    """JSON text of a value; null stays null."""
    return None if value is None else orjson.dumps(value).decode()


def feature(kind: ParsedType) -> Feature:
    """The feature of a carried column."""
    if holds_json(kind):
        return TEXT
    if kind.kind == "list":
        assert kind.item is not None
        return list_of(feature(kind.item))
    if kind.kind == "struct":
        return {"struct": [{"name": name, **feature(item)} for name, item in kind.fields]}
    return {"dtype": {"int": "int64", "float": "float64"}.get(kind.kind, kind.kind)}


def list_of(item: Feature) -> Feature:
    """The feature of a list: scalars and structs are written without a level of their own."""
    if item.keys() == {"dtype"}:
        return {"list": item["dtype"]}
    return {"list": item["struct"] if item.keys() == {"struct"} else item}


def structs(*names: str) -> Feature:
    """The feature of a list of structs of texts."""
    return list_of({"struct": [{"name": name, **TEXT} for name in names]})
