"""A step as `attar plugins show` prints it: what it does, its config, its columns."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

    from attar.registry import Registry

REFERENCES = ("model", "prompt", "output", "index")


def describe_step(registry: Registry, use: str) -> dict[str, Any]:
    """What there is to know of a step without a recipe.

    Raises:
        AttarError: no such step, or it cannot be imported.
    """
    found = registry.step(use)
    doc = inspect.cleandoc(found.__doc__ or "")
    return {
        "use": use,
        "kind": kind_text(found),
        "version": found.version,
        "summary": doc.partition("\n\n")[0].replace("\n", " "),
        "doc": doc,
        "config": config_fields(found.Config),
        "schema": _schema(found.Config),
        **_columns(found, use),
    }


def kind_text(found: type[Any]) -> str:
    """What a recipe author needs to know of a step's class: where it may stand."""
    from attar.plan.draft import kind_of

    kind = kind_of(found) or "step"
    if kind == "row":
        return "row step, expands" if found.expands else "row step"
    return f"{kind} step" if kind in ("dataset", "merge") else kind


def config_fields(config: type[BaseModel]) -> list[dict[str, Any]]:
    """Name, type, default and description of each config field; `where` tells `with:` from the step-level keys."""
    fields = []
    for name, field in config.model_fields.items():
        required = field.is_required()
        default = None if required else field.get_default(call_default_factory=True)
        fields.append(
            {
                "name": field.alias or name,
                "type": type_text(field.annotation),
                "required": required,
                "default": default,
                "description": field.description or "",
                "where": "step" if name in REFERENCES else "with",
            }
        )
    return fields


def type_text(annotation: Any) -> str:
    """`str | None`, `list[str]`, `Literal['a', 'b']`: a type without its modules and without pydantic's marks on it."""
    import types
    from typing import Annotated, Literal, Union, get_args, get_origin

    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is None or annotation is types.NoneType:
        return "None"
    if annotation is ...:
        return "..."
    if origin is Annotated:
        return type_text(args[0])
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(type_text(arg) for arg in args))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    name = getattr(origin or annotation, "__name__", None) or str(annotation).rpartition(".")[2]
    return f"{name}[{', '.join(type_text(arg) for arg in args)}]" if args else name


def step_text(described: Mapping[str, Any]) -> str:
    """The description as text."""
    parts = [f"{described['use']} ({described['kind']}, version {described['version']})", described["doc"]]
    for where, head in (("step", "Beside use:"), ("with", "Under with:")):
        lines = [_field_line(field) for field in described["config"] if field["where"] == where]
        if lines:
            parts.append(head + "\n" + "\n".join(lines))
    columns = [f"  {word} {_listed(described[word])}" for word in ("reads", "writes") if word in described]
    if columns:
        parts.append("Columns with the default config\n" + "\n".join(columns))
    else:
        parts.append("Columns depend on the config; `attar plan RECIPE` shows them for a recipe.")
    return "\n\n".join(part for part in parts if part)


def _field_line(field: Mapping[str, Any]) -> str:
    default = "" if field["required"] else f" = {_default_text(field['default'])}"
    need = " (required)" if field["required"] else ""
    line = f"  {field['name']}: {field['type']}{default}{need}"
    return f"{line}\n      {field['description']}" if field["description"] else line


def _default_text(value: Any) -> str:
    import json

    dump = getattr(value, "model_dump", None)
    plain = dump(mode="json", exclude_defaults=True) if dump is not None else value
    return json.dumps(plain, ensure_ascii=False, default=str)


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in columns.items()) or "none of its own"


def _schema(config: type[BaseModel]) -> dict[str, Any] | None:
    try:
        return config.model_json_schema()
    except Exception:  # a config with types that have no JSON Schema can still be used
        return None


def _columns(found: type[Any], use: str) -> dict[str, Any]:
    """`reads` and `writes` where the config needs nothing; {} where they cannot be told without a recipe."""
    try:
        step = found(found.Config())
        step.name = use.partition(".")[2]
        reads = dict(step.reads({}))
        return {"reads": reads, "writes": {k: v for k, v in step.writes(dict(reads)).items() if k not in reads}}
    except Exception:  # it needs a config, or columns to work on
        return {}
