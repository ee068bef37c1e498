"""What every step that asks a model shares: its references, its sampling, its answer schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from attar.api import Config, Context, ModelRef, PromptRef, PromptText, Row, SchemaRef
from attar_llm.sampling import SamplingOverrides


class AskConfig(Config):
    """Config of a step that asks a model."""

    model: ModelRef = Field(description="the model asked, an entry of models:")
    prompt: PromptRef = Field(description="prompt file, or {by: column, value: file, …}")
    sampling: SamplingOverrides = Field(SamplingOverrides(), description="set over the model's own sampling")


class FormConfig(AskConfig):
    """Config of a step that asks for an answer of a certain form. Judges have theirs in `on_fail`."""

    format_attempts: int = Field(
        2, ge=1, le=20, description="times the model is asked until its answer has the asked form"
    )


def prompt_of(ref: PromptRef, row: Row) -> PromptText | None:
    """The prompt file that applies to a row; None where none does (rendering it is what reports that)."""
    return ref.texts.get("" if ref.by is None else str(row.get(ref.by)))


def schema_of(output: SchemaRef | None, prompt: PromptRef, row: Row, ctx: Context) -> Mapping[str, Any] | None:
    """The answer's JSON Schema for a row: the step's `output`, else the prompt file's own `output`, else None."""
    if output is not None:
        return ctx.schema(output, row)
    text = prompt_of(prompt, row)
    return text.output if text else None


def known_schemas(output: SchemaRef | None, prompt: PromptRef) -> list[Mapping[str, Any]]:
    """All schemas an answer may have; empty where answers are plain text (or nothing is resolved yet)."""
    if output is not None:
        return list(output.schemas.values())
    own = [text.output for text in prompt.texts.values()]
    return [schema for schema in own if schema is not None]
