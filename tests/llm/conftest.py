"""A context that answers from a script, so that a step's own logic is tested without an engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined

from attar.api import Answer, PromptPart, PromptRef, PromptText, Retry, Row, RowError, SchemaRef, Usage


class ScriptedContext:
    """Answers `chat` with `script(call)`: a str, a JSON value, an Answer, or a RowError to raise.

    A JSON value is checked against the schema, as the engine does: a test that scripts an impossible answer fails.
    """

    retry = Retry()

    def __init__(self, script: Callable[[Mapping[str, Any]], Any]) -> None:
        self.script = script
        self.calls: list[dict[str, Any]] = []

    def messages(self, prompt: PromptRef, row: Row, **extra: Any) -> list[dict[str, Any]]:
        text = prompt.texts["" if prompt.by is None else str(row[prompt.by])]
        environment = Environment(undefined=StrictUndefined)
        return [
            {"role": part.role, "content": environment.from_string(part.text).render({**row, **extra})}
            for part in text.parts
        ]

    def schema(self, ref: SchemaRef | None, row: Row) -> Mapping[str, Any] | None:
        return None if ref is None else ref.schemas["" if ref.by is None else str(row[ref.by])]

    async def chat(self, model: str, messages: Any, **options: Any) -> Answer:
        call = {"model": model, "messages": messages, "text": messages[-1]["content"], **options}
        self.calls.append(call)
        said = self.script(call)
        if isinstance(said, RowError):
            raise said
        if isinstance(said, Answer):
            return said
        if options.get("schema") is None:
            return Answer(str(said), usage=Usage(1, 2, 0))
        import jsonschema

        jsonschema.validate(said, options["schema"])
        return Answer(json.dumps(said), value=said)


@pytest.fixture
def scripted() -> type[ScriptedContext]:
    return ScriptedContext


@pytest.fixture
def prompt() -> Callable[..., dict[str, Any]]:
    """A resolved prompt reference as the engine hands it to a config."""

    def make(text: str = "Write.", output: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        one = PromptText(file="p.md", parts=(PromptPart(role="user", text=text),), output=output, **more)
        return {"files": {"": "p.md"}, "texts": {"": one}}

    return make


@pytest.fixture
def schema() -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A resolved schema reference."""

    def make(content: Mapping[str, Any]) -> dict[str, Any]:
        return {"files": {"": "s.json"}, "schemas": {"": content}}

    return make
