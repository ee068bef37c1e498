"""Whether a file is a JSON Schema that a model server can be asked for. A check of structure by hand: it knows the
keywords that matter for answers, gives the path of each fault, and costs nothing to import."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Fault = tuple[tuple[str | int, ...], str, str]
TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_ONE = (
    "items",
    "additionalProperties",
    "not",
    "contains",
    "propertyNames",
    "if",
    "then",
    "else",
    "unevaluatedProperties",
)
_MANY = ("anyOf", "oneOf", "allOf", "prefixItems")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


def schema_faults(schema: Any) -> Iterator[Fault]:
    """(path, message, help) of everything that makes `schema` no valid JSON Schema."""
    yield from _faults(schema, (), schema)


def _faults(schema: Any, path: tuple[str | int, ...], root: Any) -> Iterator[Fault]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        yield path, f"expected a schema (an object), found {_found(schema)}", 'such as {"type": "string"}'
        return
    yield from _type(schema, path)
    for word in _MAPS:
        if word in schema:
            part = schema[word]
            if not isinstance(part, Mapping):
                yield (*path, word), f"{word!r}: expected an object of schemas, found {_found(part)}", ""
                continue
            for name, one in part.items():
                yield from _faults(one, (*path, word, str(name)), root)
    for word in _ONE:
        if word in schema:
            yield from _faults(schema[word], (*path, word), root)
    for word in _MANY:
        if word in schema:
            part = schema[word]
            if not isinstance(part, list) or not part:
                yield (*path, word), f"{word!r}: expected a list of schemas, found {_found(part)}", ""
                continue
            for number, one in enumerate(part):
                yield from _faults(one, (*path, word, number), root)
    yield from _values(schema, path)
    yield from _reference(schema, path, root)


def _type(schema: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[Fault]:
    if "type" not in schema:
        return
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    for kind in kinds:
        if kind not in TYPES:
            from attar.registry.names import nearest

            near = nearest(str(kind), TYPES) or {
                "int": "integer",
                "float": "number",
                "bool": "boolean",
                "str": "string",
                "dict": "object",
                "list": "array",
            }.get(str(kind))
            help = f"did you mean {near!r}?" if near else f"use one of {', '.join(TYPES)}"
            yield (*path, "type"), f"{kind!r} is no type of JSON Schema", help


def _values(schema: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[Fault]:
    required = schema.get("required")
    if required is not None:
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            yield (*path, "required"), f"'required': expected a list of names, found {_found(required)}", ""
        elif (
            isinstance(properties := schema.get("properties"), Mapping) and schema.get("additionalProperties") is False
        ):
            for number, name in enumerate(required):
                if name not in properties:
                    from attar.registry.names import suggest

                    message = f"{name!r} is required but no property, and no others are allowed: no answer can be valid"
                    yield (*path, "required", number), message, suggest(name, properties, "properties")
    if "enum" in schema and (not isinstance(schema["enum"], list) or not schema["enum"]):
        yield (*path, "enum"), f"'enum': expected a list of values, found {_found(schema['enum'])}", ""
    for word in _COUNTS:
        value = schema.get(word)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            yield (*path, word), f"{word!r}: expected a whole number from 0, found {value!r}", ""
    for word in _NUMBERS:
        value = schema.get(word)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            yield (*path, word), f"{word!r}: expected a number, found {value!r}", ""
    if "pattern" in schema:
        try:
            re.compile(schema["pattern"])
        except (re.error, TypeError) as error:
            yield (*path, "pattern"), f"'pattern' is no regular expression: {error}", ""


def _reference(schema: Mapping[str, Any], path: tuple[str | int, ...], root: Any) -> Iterator[Fault]:
    ref = schema.get("$ref")
    if ref is None:
        return
    if not isinstance(ref, str) or not ref.startswith("#"):
        yield (*path, "$ref"), f"'$ref' must stay in its file ('#/$defs/…'), found {ref!r}", "copy the part under $defs"
        return
    here = root
    for part in ref[1:].strip("/").split("/") if ref.strip("#/") else ():
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(here, Mapping) and name in here:
            here = here[name]
        else:
            yield (*path, "$ref"), f"'$ref' {ref!r} leads nowhere", ""
            return


def _found(value: Any) -> str:
    if isinstance(value, list):
        return "an empty list" if not value else "a list"
    return "an object" if isinstance(value, Mapping) else repr(value)
