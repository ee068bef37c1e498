"""JSON Schemas for editors and CI: of the recipe language, and of the config of every installed step and format.

`python -m attar.plan.json_schemas [--check] [FOLDER]` writes them, or says which are out of date.
"""

from __future__ import annotations

import inspect
import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import PydanticJsonSchemaWarning

from attar.errors import AttarError
from attar.plan.faults import REFS
from attar.plan.refs import REF_TYPES, mentions
from attar.recipe.language import Recipe
from attar.registry import Registry

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_PARAM = {"type": "string", "pattern": r"^\$\{params\.[A-Za-z_][A-Za-z0-9_]*\}$", "description": "a parameter's value"}
_BY = {
    "anyOf": [
        {"type": "string", "description": "a file, relative to this one; also bundled:… and <plugin>:…"},
        {
            "type": "object",
            "description": "the file is chosen by a column's value",
            "properties": {"by": {"type": "string", "description": "the column"}},
            "required": ["by"],
            "additionalProperties": {"type": "string"},
        },
    ]
}
_LITERAL = frozenset({"attar", "name", "params", "include", "use", "as"})
"""Keys below which `${params.x}` is not allowed, or is no matter of types."""


def schemas(registry: Registry | None = None) -> dict[str, str]:
    """File name → text of every schema: `recipe.schema.json`, `steps/<use>.json`, `formats/<format>.json`.

    The same plugins give the same texts, to the byte. Plugins that cannot be used are left out.
    """
    registry = registry or Registry.load()
    files: dict[str, Any] = {}
    steps: list[dict[str, Any]] = []
    for use in registry.steps():
        try:
            cls = registry.step(use)
        except AttarError:
            continue
        refs = {name: field for name, field in cls.Config.model_fields.items() if _is_ref(name, field)}
        schema = _config_schema(cls.Config, f"with of {use}", inspect.getdoc(cls), leave_out=refs)
        files[f"steps/{use}.json"] = schema
        rule: dict[str, Any] = {"properties": {"with": {"$ref": f"steps/{use}.json"}}}
        if needed := [name for name, field in refs.items() if field.is_required()]:
            rule["required"] = needed
        if schema.get("required"):
            rule["required"] = [*rule.get("required", []), "with"]
        rule["properties"] |= {name: False for name in REFS if name not in refs}
        steps.append(_when("use", use, rule))
    formats: list[dict[str, Any]] = []
    for name in registry.exporters():
        cls = registry.exporter(name)
        files[f"formats/{name}.json"] = _config_schema(cls.Config, f"with of format {name}", inspect.getdoc(cls))
        formats.append(_when("format", name, {"properties": {"with": {"$ref": f"formats/{name}.json"}}}))
    files["recipe.schema.json"] = _recipe_schema(registry, steps, formats)
    return {name: json.dumps(files[name], ensure_ascii=False, indent=2) + "\n" for name in sorted(files)}


def _is_ref(name: str, field: Any) -> bool:
    return name in REFS and mentions(field.annotation, REF_TYPES)


def _when(key: str, value: str, then: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {key: {"const": value}}, "required": [key]}, "then": then}


def _recipe_schema(registry: Registry, steps: list[dict[str, Any]], formats: list[dict[str, Any]]) -> dict[str, Any]:
    schema = _interpolated(Recipe.model_json_schema(by_alias=True))
    parts = schema["$defs"]
    step = parts["StepSpec"]
    step["properties"]["use"] = _named(
        registry.steps(), "the step, <plugin>.<step>", r"^[a-z][a-z0-9_-]*\.[A-Za-z0-9_]+$"
    )
    for name in ("prompt", "output"):
        step["properties"][name] = _BY
    step["allOf"] = steps
    output = parts["OutputSpec"]
    output["properties"]["format"] = {
        **_named(registry.exporters(), "how the rows are written", r"^[A-Za-z0-9_.-]+$"),
        "default": "parquet",
    }
    output["allOf"] = formats
    return {"$schema": DRAFT, "$id": "recipe.schema.json", **schema, "title": "attar recipe"}


def _named(known: Sequence[str], description: str, pattern: str) -> dict[str, Any]:
    """A name: those installed here complete in an editor, others of the right form are let through."""
    return {"description": description, "anyOf": [{"enum": list(known)}, {"type": "string", "pattern": pattern}]}


def _config_schema(
    config: type[BaseModel], title: str, description: str | None, leave_out: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    schema = _interpolated(_json_schema(config))
    for name in leave_out or {}:
        schema.get("properties", {}).pop(name, None)
        if name in schema.get("required", []):
            schema["required"].remove(name)
    if not schema.get("required", True):
        del schema["required"]
    for name in ("PromptRef", "SchemaRef"):
        if name in schema.get("$defs", {}):
            schema["$defs"][name] = _BY
    _drop_unused(schema)
    schema.pop("title", None)
    schema.pop("description", None)
    text = {"description": description} if description else {}
    return {"$schema": DRAFT, "title": title, **text, **schema}


def _json_schema(config: type[BaseModel]) -> dict[str, Any]:
    """pydantic's schema; of a config it has none for (types of a plugin's own), that of any mapping."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PydanticJsonSchemaWarning)  # a default that is no JSON is left out
        try:
            return config.model_json_schema(by_alias=True)
        except PydanticInvalidForJsonSchema:
            return {"type": "object"}


def _interpolated(schema: Any, key: str = "") -> Any:
    """The schema, with `${params.x}` allowed wherever something other than free text is expected."""
    if isinstance(schema, list):
        return [_interpolated(item, key) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for word, part in schema.items():
        if word == "properties":
            made[word] = {name: part[name] if name in _LITERAL else _property(part[name], name) for name in part}
        elif word == "$defs":
            made[word] = {name: part[name] if name == "Param" else _interpolated(part[name]) for name in part}
        elif word in ("items", "additionalProperties") and isinstance(part, dict):
            made[word] = _property(part, key)
        elif word in ("anyOf", "oneOf", "allOf", "prefixItems"):
            made[word] = _interpolated(part, key)
        else:
            made[word] = part
    made.pop("title", None)
    return made


def _property(schema: Any, name: str) -> Any:
    made = _interpolated(schema, name)
    if not isinstance(made, dict) or _takes_any_text(made):
        return made
    kept = {word: made.pop(word) for word in ("description", "default") if word in made}
    if "anyOf" in made:
        return {**kept, **made, "anyOf": [*made["anyOf"], _PARAM]}
    return {**kept, "anyOf": [made, _PARAM]}


def _takes_any_text(schema: dict[str, Any]) -> bool:
    if not schema.keys() - {"description", "default"}:
        return True
    if schema.get("type") == "string":
        return "enum" not in schema and "const" not in schema and "pattern" not in schema
    return any(_takes_any_text(part) for part in schema.get("anyOf", ()))


def _drop_unused(schema: dict[str, Any]) -> None:
    """Removes definitions that nothing refers to any more."""
    parts = schema.get("$defs", {})
    while True:
        used = {name for name in parts if f'"#/$defs/{name}"' in json.dumps(_without(schema, name))}
        if used == set(parts):
            break
        for name in set(parts) - used:
            del parts[name]
    if "$defs" in schema and not parts:
        del schema["$defs"]


def _without(schema: dict[str, Any], name: str) -> dict[str, Any]:
    return {**schema, "$defs": {key: part for key, part in schema["$defs"].items() if key != name}}


def stale(folder: Path, registry: Registry | None = None) -> list[str]:
    """Names of the schema files that are missing, out of date, or of a step that is no longer there."""
    files = schemas(registry)
    found = [
        name
        for name, text in files.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]
    for kind in ("steps", "formats"):
        found += [
            f"{kind}/{path.name}"
            for path in sorted((folder / kind).glob("*.json"))
            if f"{kind}/{path.name}" not in files
        ]
    return found


def write(folder: Path, registry: Registry | None = None) -> list[str]:
    """Writes what is stale, removes what is no longer there; returns the names of both."""
    files = schemas(registry)
    changed = stale(folder, registry)
    for name in changed:
        path = folder / name
        if name in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[name], encoding="utf-8")
        else:
            path.unlink()
    return changed


def main(arguments: Sequence[str]) -> int:
    folder = Path(next((text for text in arguments if not text.startswith("-")), "schemas"))
    if "--check" in arguments:
        old = stale(folder)
        if old:
            print(f"out of date in {folder}: {', '.join(old)}; write them with: attar schema", file=sys.stderr)
        return 1 if old else 0
    for name in write(folder):
        print(folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
