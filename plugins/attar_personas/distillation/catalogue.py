"""The task catalogue: a YAML file, read through the recipe so that its content is part of the data's identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from attar.api import ConfigProblem, SchemaRef
from attar_personas.distillation.types import OUTPUT_TYPES, OutputType


class Task(BaseModel):
    """One task of a catalogue.

    Attributes:
        id: distinct in its file; what the model answers with.
        domain: a general field of the domain catalogue.
        context: the situation.
        function: what is asked of the writer.
        types: output types the task suits; default: all.
        languages: a note for writers and translators.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    domain: str = Field(min_length=1)
    context: str = Field(min_length=1)
    function: str = Field(min_length=1)
    types: tuple[OutputType, ...] = Field(OUTPUT_TYPES, min_length=1)
    languages: str = ""


class TaskCatalogue(BaseModel):
    """A catalogue file: `{name, version, note, tasks: […]}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    version: str = "1"
    note: str = ""
    tasks: tuple[Task, ...] = Field(min_length=1)


def load_tasks(ref: SchemaRef) -> TaskCatalogue | None:
    """The catalogue of a resolved reference; None where nothing is resolved yet.

    Raises:
        ValueError: the file holds no task catalogue; the message lists what is wrong with it.
    """
    if not ref.schemas:
        return None
    return _parsed(orjson.dumps(next(iter(ref.schemas.values())), option=orjson.OPT_NON_STR_KEYS))


@lru_cache(maxsize=16)
def _parsed(data: bytes) -> TaskCatalogue:
    try:
        return TaskCatalogue.model_validate_json(data)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:8]]
        raise ValueError("; ".join(faults)) from None


def task_problems(ref: SchemaRef, wanted: Mapping[str, Any]) -> Iterator[ConfigProblem]:
    """Mistakes in a step's `tasks` that show before anything runs.

    Args:
        ref: the reference to the catalogue.
        wanted: output types that rows may have; each needs a task that suits it.
    """
    if ref.by is not None:
        yield ConfigProblem(("tasks",), "a task catalogue is one file, not one by column", "name a single file")
        return
    file = next(iter(ref.files.values()), "")
    try:
        catalogue = load_tasks(ref)
    except ValueError as error:
        help = "a catalogue has name, version, note and tasks: [{id, domain, context, function, types, languages}]"
        yield ConfigProblem(("tasks",), f"{file} is no task catalogue: {error}", help)
        return
    if catalogue is None:
        return
    seen: set[str] = set()
    for task in catalogue.tasks:
        if task.id in seen:
            yield ConfigProblem(("tasks",), f"{file}: task id {task.id!r} is there twice", "rename one of the two")
        seen.add(task.id)
    for kind in wanted:
        if not any(kind in task.types for task in catalogue.tasks):
            yield ConfigProblem(("tasks",), f"{file}: no task suits the output type {kind!r}", "add one to its types")
