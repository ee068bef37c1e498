"""Finds references (models, prompts, schemas, steps) inside a step's config, however deep they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from attar.api import ModelRef, PromptRef, SchemaRef, StepRef
from attar.recipe.loaded import YamlPath

Ref = ModelRef | StepRef | PromptRef | SchemaRef
REF_TYPES: tuple[type, ...] = (ModelRef, StepRef, PromptRef, SchemaRef)


def references(value: Any, path: YamlPath = ()) -> Iterator[tuple[YamlPath, Ref]]:
    """Every reference in a built config, with its path; in the order of the fields."""
    if isinstance(value, ModelRef | StepRef | PromptRef | SchemaRef):
        yield path, value
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from references(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from references(item, (*path, key))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from references(item, (*path, number))


def mentions(annotation: Any, kinds: tuple[type, ...]) -> bool:
    """Whether a field's annotation holds one of these types anywhere."""
    if isinstance(annotation, type) and not get_args(annotation):
        return issubclass(annotation, kinds)
    return any(mentions(part, kinds) for part in get_args(annotation))


def marked(model: type[BaseModel], marker: type) -> set[str]:
    """Names of the fields annotated with an instance of a marker class (`Runtime()`, `Operational()`)."""
    return {
        name
        for name, field in model.model_fields.items()
        if any(isinstance(note, marker) or note is marker for note in field.metadata)
    }


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The pydantic models that a field's annotation names, references left out."""
    if isinstance(annotation, type) and not get_args(annotation):
        if issubclass(annotation, BaseModel) and not issubclass(annotation, REF_TYPES):
            yield annotation
        return
    for part in get_args(annotation):
        yield from models_in(part)
