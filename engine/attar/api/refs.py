"""Config field types that refer to something else in the recipe. The engine resolves them before a step is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import core_schema

from attar.recipe.prompt_text import PromptPart, PromptText


class _NameRef(str):
    """A name in the recipe, marked by its type so that the engine can find and check it."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(min_length=1))


class ModelRef(_NameRef):
    """Name of an entry of `models:`."""

    __slots__ = ()


class StepRef(_NameRef):
    """Name of another step whose finished output is read as a side table (`ctx.side`)."""

    __slots__ = ()


class Runtime:
    """Marks a Config field that cannot change the output (`threads: Annotated[int, Runtime()] = 4`): no fingerprint."""

    __slots__ = ()


class RecipePath:
    """Marks a Config field that holds a path or a list of paths (`path: Annotated[str, RecipePath()]`): what stands in
    the recipe is relative to the recipe's file; the step gets it absolute. URLs stay as they are."""

    __slots__ = ()


class _ByColumn(BaseModel):
    """`name` or `{by: column, value: name, …}`: one file, or one chosen by a column's value."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    by: str | None = None
    files: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"files": {"": value}}
        if isinstance(value, Mapping) and "files" not in value:
            by = value.get("by")
            files = {str(k): v for k, v in value.items() if k != "by"}
            if not isinstance(by, str) or not files:
                raise ValueError("expected a file name, or {by: <column>, <value>: <file>, …}")
            return {"by": by, "files": files}
        return value


class PromptRef(_ByColumn):
    """A prompt file, or one per value of a column. `texts` holds the loaded files once the engine has resolved them."""

    texts: dict[str, PromptText] = Field(default_factory=dict)


class SchemaRef(_ByColumn):
    """A JSON Schema file for structured output, or one per value of a column. `schemas` holds them once resolved."""

    schemas: dict[str, dict[str, Any]] = Field(default_factory=dict)


__all__ = ["ModelRef", "PromptPart", "PromptRef", "PromptText", "RecipePath", "Runtime", "SchemaRef", "StepRef"]
