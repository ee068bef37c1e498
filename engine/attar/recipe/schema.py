"""The JSON Schema of the recipe language, for editors; generated from the pydantic models alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attar.recipe.language import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PARAMETER = {"type": "string", "pattern": r"^\$\{params\.[A-Za-z_][A-Za-z0-9_-]*\}$"}
_NO_INTERPOLATION = ("Param",)


def recipe_schema(step_schemas: Mapping[str, Mapping[str, Any]] = {}) -> dict[str, Any]:
    """The language's schema.

    Args:
        step_schemas: for each `use:` name, the JSON Schema of that step's `with:` (its own `$defs` allowed). An editor
            then completes and checks `with:` for the step named in `use:`; other names stay allowed.

    Returns:
        A new schema; the same input always gives the same schema, key order included. Wherever a number, a truth
        value, a list or a choice is expected, a whole `${params.name}` is allowed too.
    """
    schema = Recipe.model_json_schema(by_alias=True)
    defs: dict[str, Any] = schema.pop("$defs")
    step, repeat = {"$ref": "#/$defs/StepSpec"}, {"$ref": "#/$defs/RepeatSpec"}
    entry = {"if": {"required": ["repeat"]}, "then": repeat, "else": step}
    schema["properties"]["steps"]["additionalProperties"] = {"type": "object", **entry}
    for name, definition in defs.items():
        if name not in _NO_INTERPOLATION:
            _allow_parameters(definition)
    for name in ("seed", "include"):
        schema["properties"][name] = _or_parameter(schema["properties"][name])
    for use in sorted(step_schemas):
        _add_step(use, step_schemas[use], defs)
    if step_schemas:
        defs["StepSpec"]["properties"]["use"] = {
            "anyOf": [{"enum": sorted(step_schemas)}, {"type": "string"}],
            "description": "the kind of step: `<plugin>.<step>`",
        }
        defs["StepSpec"]["allOf"] = [_when_used(use, step_schemas[use]) for use in sorted(step_schemas)]
    _drop_titles(schema)
    for definition in defs.values():
        _drop_titles(definition)
    return {"$schema": DIALECT, "title": "attar recipe", **schema, "$defs": defs}


def _def_name(use: str) -> str:
    return f"with.{use}"


def _add_step(use: str, schema: Mapping[str, Any], defs: dict[str, Any]) -> None:
    """Puts a step's schema among the definitions, and its own definitions beside it under names of their own."""
    prefix = _def_name(use)
    own = _renamed(schema, prefix)
    inner = own.pop("$defs", {})
    own.pop("$schema", None)
    _allow_parameters(own)
    defs[prefix] = own
    for name, definition in inner.items():
        _allow_parameters(definition)
        defs[f"{prefix}.{name}"] = definition


def _renamed(value: Any, prefix: str) -> Any:
    if isinstance(value, Mapping):
        made = {}
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str) and item.startswith("#/$defs/"):
                made[key] = f"#/$defs/{prefix}.{item.removeprefix('#/$defs/')}"
            else:
                made[key] = _renamed(item, prefix)
        return made
    return [_renamed(item, prefix) for item in value] if isinstance(value, list) else value


def _when_used(use: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    then: dict[str, Any] = {"properties": {"with": {"$ref": f"#/$defs/{_def_name(use)}"}}}
    if schema.get("required"):
        then["required"] = ["with"]
    return {"if": {"properties": {"use": {"const": use}}, "required": ["use"]}, "then": then}


def _allow_parameters(schema: dict[str, Any]) -> None:
    """Lets `${params.x}` stand for every value of an object's properties that is no text already."""
    for name, value in schema.get("properties", {}).items():
        schema["properties"][name] = _or_parameter(value)


def _or_parameter(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    inner = {**schema}
    if isinstance(inner.get("items"), dict):
        inner["items"] = _or_parameter(inner["items"])
    if isinstance(inner.get("additionalProperties"), dict):
        inner["additionalProperties"] = _or_parameter(inner["additionalProperties"])
    if "properties" in inner:
        inner["properties"] = {name: _or_parameter(value) for name, value in inner["properties"].items()}
    if _takes_text(inner):
        return inner
    outer = {key: inner.pop(key) for key in ("title", "description", "default") if key in inner}
    if inner.get("type") == "array":  # unlike anyOf, this lets an editor point at the item that is wrong
        return {**outer, "if": {"type": "string"}, "then": _PARAMETER, "else": inner}
    members = inner["anyOf"] if set(inner) == {"anyOf"} else [inner]
    return {**outer, "anyOf": [*members, _PARAMETER]}


def _takes_text(schema: Mapping[str, Any]) -> bool:
    """Whether a text is valid already, or no parameter can stand there at all (a mapping, a reference)."""
    if "anyOf" in schema:
        return any(_takes_text(member) for member in schema["anyOf"])
    if "$ref" in schema or "allOf" in schema or "oneOf" in schema or "if" in schema:
        return True
    if "enum" in schema or "const" in schema:
        return False
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return kinds == ["object"] or "string" in kinds or None in kinds


def _drop_titles(schema: Any) -> None:
    """Takes out the titles pydantic makes from names: they only repeat the key."""
    if not isinstance(schema, dict):
        return
    schema.pop("title", None)
    for key in ("properties", "patternProperties"):
        for value in schema.get(key, {}).values():
            _drop_titles(value)
    for key in ("items", "additionalProperties", "if", "then", "else", "not"):
        _drop_titles(schema.get(key))
    for key in ("anyOf", "allOf", "oneOf"):
        for value in schema.get(key, []):
            _drop_titles(value)
