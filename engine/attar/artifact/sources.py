"""What a plan's steps were told: their prompts and their rubrics, for a card to name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from attar.api import PromptRef, SchemaRef
from attar.plan.refs import references
from attar.plan.types import Plan


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file and the steps that send it."""

    file: str
    version: str
    note: str
    digest: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rubric:
    """A rubric and the steps that write or judge by it. `name` is "" for criteria that stand in the recipe itself."""

    name: str
    version: str
    note: str
    guidance: str
    criteria: tuple[Mapping[str, Any], ...]
    steps: tuple[str, ...]


def prompts_of(plan: Plan) -> list[Prompt]:
    """Every prompt file of a plan, in the order of the steps."""
    steps: dict[str, list[str]] = {}
    texts: dict[str, tuple[str, Any]] = {}
    for name, planned in plan.steps.items():
        for _, ref in references(planned.step.config):
            if isinstance(ref, PromptRef):
                for key, text in ref.texts.items():
                    texts.setdefault(text.digest, (_named(ref.files.get(key, text.file)), text))
                    steps.setdefault(text.digest, []).append(name)
    return [
        Prompt(file, str(text.version or ""), _line(text.note or ""), digest, tuple(dict.fromkeys(steps[digest])))
        for digest, (file, text) in texts.items()
    ]


def rubrics_of(plan: Plan) -> list[Rubric]:
    """Every rubric of a plan: those of files, known by their criteria, and lists of criteria in the recipe."""
    found: dict[str, tuple[Mapping[str, Any], list[str]]] = {}
    for name, planned in plan.steps.items():
        for content in _rubrics(planned.step.config):
            key = repr([content.get("name"), content.get("version"), content.get("criteria")])
            found.setdefault(key, (content, []))[1].append(name)
    return [
        Rubric(
            str(content.get("name") or ""),
            str(content.get("version") or ""),
            _line(str(content.get("note") or "")),
            str(content.get("guidance") or ""),
            tuple(content["criteria"]),
            tuple(dict.fromkeys(steps)),
        )
        for content, steps in found.values()
    ]


def _rubrics(config: Any) -> Iterator[Mapping[str, Any]]:
    for _, ref in references(config):
        if isinstance(ref, SchemaRef):
            yield from (schema for schema in ref.schemas.values() if isinstance(schema.get("criteria"), list))
    own = getattr(config, "criteria", None)
    if isinstance(own, list | tuple) and own:
        yield {"criteria": [one.model_dump() if hasattr(one, "model_dump") else one for one in own]}


def _named(file: str) -> str:
    """As the recipe names it; of a path of one machine the last part alone."""
    path = PurePath(file)
    return path.name if path.is_absolute() else file


def _line(text: str) -> str:
    return " ".join(text.split())
