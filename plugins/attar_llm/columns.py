"""From the JSON Schema of an answer to the columns it becomes, and from an answer to values of those types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from attar.api import ParsedType, Type, nullable, parse_type

_SCALARS = {"string": "string", "integer": "int", "number": "float", "boolean": "bool"}
_UNSAFE = frozenset(" ,:<>?\t\n")
_DEEPEST = 16


def columns_of(schema: Mapping[str, Any], column: str) -> dict[str, Type]:
    """Columns that an answer of this schema becomes.

    The top-level properties of an object schema become columns, optional ones nullable. Any other schema (a list, a
    scalar, an object with open keys) becomes the one column named `column`.
    """
    resolved = _resolve(schema, schema)
    properties = _properties(resolved)
    if not properties:
        return {column: type_of(schema, schema)}
    required = set(resolved.get("required", ()))
    types = {name: type_of(part, schema) for name, part in properties.items()}
    return {name: kind if name in required else nullable(kind) for name, kind in types.items()}


def merged_columns(schemas: Sequence[Mapping[str, Any]], column: str) -> dict[str, Type]:
    """Columns of rows whose schema is chosen by a column's value.

    What not every schema has is nullable; what two schemas type differently is `json`.
    """
    every = [columns_of(schema, column) for schema in schemas]
    merged: dict[str, Type] = {}
    for columns in every:
        for name, kind in columns.items():
            known = merged.get(name, kind)
            if known.rstrip("?") == kind.rstrip("?"):
                merged[name] = nullable(kind) if "?" in (known[-1], kind[-1]) else kind
            else:
                merged[name] = "json?" if "?" in (known[-1], kind[-1]) else "json"
    return {
        name: kind if all(name in columns for columns in every) else nullable(kind) for name, kind in merged.items()
    }


def type_of(schema: Any, root: Mapping[str, Any], depth: int = 0) -> Type:
    """The Type of one schema; `json` for whatever has no column form (open objects, mixed types, recursion)."""
    schema = _resolve(schema, root)
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return "json"
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return _type_of_choice(schema[word], root, depth)
    kind = schema.get("type")
    if isinstance(kind, list):
        parts = [part for part in kind if part != "null"]
        base = type_of({**schema, "type": parts[0]}, root, depth) if len(parts) == 1 else "json"
        return nullable(base) if "null" in kind else base
    if kind is None:
        return _type_of_values(schema)
    if kind in _SCALARS:
        return _SCALARS[kind]
    if kind == "array":
        return _type_of_list(schema, root, depth)
    if kind == "object":
        return _type_of_object(schema, root, depth)
    return "json"


def shaped(value: Any, kind: ParsedType) -> Any:
    """A value of an answer as its column holds it: ints as floats where the column is float, absent fields as null,
    fields the schema does not name left out."""
    if value is None or kind.kind in ("json", "any", "string", "bool"):
        return value
    if kind.kind == "float":
        return float(value)
    if kind.kind == "int":
        return int(value)
    if kind.kind == "list" and kind.item is not None:
        item = kind.item
        return [shaped(part, item) for part in value]
    return {name: shaped(value.get(name), part) for name, part in kind.fields}


def answer_columns(value: Any, schema: Mapping[str, Any], column: str, columns: Mapping[str, Type]) -> dict[str, Any]:
    """The columns of one answer that is valid for `schema`, typed as `columns` says; absent ones are null."""
    values = value if _properties(_resolve(schema, schema)) else {column: value}
    return {name: shaped(values.get(name), _parsed(kind)) for name, kind in columns.items()}


@lru_cache(maxsize=1024)
def _parsed(kind: Type) -> ParsedType:
    return parse_type(kind)


def _resolve(schema: Any, root: Mapping[str, Any]) -> Any:
    """Follows local references (`#/$defs/…`), a bounded number of times: a loop of references is `json`."""
    for _ in range(_DEEPEST):
        ref = schema.get("$ref") if isinstance(schema, Mapping) else None
        if not isinstance(ref, str):
            return schema
        if not ref.startswith("#"):
            return None
        target: Any = root
        for part in ref[1:].strip("/").split("/") if ref.strip("#/") else ():
            target = target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
        schema = target
    return None


def _properties(schema: Any) -> Mapping[str, Any]:
    if isinstance(schema, Mapping) and schema.get("type", "object") == "object":
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            return properties
    return {}


def _type_of_choice(options: Any, root: Mapping[str, Any], depth: int) -> Type:
    kinds = [type_of(option, root, depth + 1) for option in options if not _is_null(option)]
    may_be_null = any(_is_null(option) for option in options) or any(kind.endswith("?") for kind in kinds)
    bases = {kind.rstrip("?") for kind in kinds}
    base = bases.pop() if len(bases) == 1 else "json"
    return nullable(base) if may_be_null else base


def _is_null(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "null"


def _type_of_values(schema: Mapping[str, Any]) -> Type:
    """The type of a schema that only lists its values."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(values, list) or not values:
        return "json"
    kinds = {type(value) for value in values if value is not None}
    names = {str: "string", bool: "bool", int: "int", float: "float"}
    base = names.get(kinds.pop(), "json") if len(kinds) == 1 else "json"
    return nullable(base) if None in values else base


def _type_of_list(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Type:
    if "items" not in schema or "prefixItems" in schema:
        return "json"
    item = type_of(schema["items"], root, depth + 1)
    return "json" if item.rstrip("?") == "json" else f"list<{item}>"


def _type_of_object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Type:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties or any(_UNSAFE & set(name) for name in properties):
        return "json"
    required = set(schema.get("required", ()))
    fields = []
    for name, part in properties.items():
        kind = type_of(part, root, depth + 1)
        fields.append(f"{name}:{kind if name in required else nullable(kind)}")
    return f"struct<{','.join(fields)}>"
