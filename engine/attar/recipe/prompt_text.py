"""A loaded prompt file, as values. They stand here, and not in `attar.api`, because the loader makes them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class PromptPart(BaseModel):
    """One message of a prompt file; `text` is a Jinja template, `line` its first line in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    text: str
    line: int = 1


class PromptText(BaseModel):
    """A loaded prompt file.

    Attributes:
        file: path as the user would name it, for messages.
        parts: messages in order.
        inputs: declared input names, or None where the front matter declares none.
        output: raw `output:` of the front matter (a schema path already resolved to its content), or None.
        version, note: from the front matter.
        rehearse: Jinja template of a made-up answer, for the rehearsal backend, or None.
        digest: blake2b-128 of the file's bytes, hex.
        variables: names the templates use, each with (line, column) of its first use.
        rehearse_variables: names that only `rehearse` uses, likewise; its own functions are left out.
        params: parameters of the recipe that the file uses (`x` of `params.x`), likewise; for checks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    parts: tuple[PromptPart, ...]
    inputs: tuple[str, ...] | None = None
    output: dict[str, Any] | None = None
    version: str = "1"
    note: str = ""
    rehearse: str | None = None
    digest: str = ""
    variables: dict[str, tuple[int, int]] = Field(default_factory=dict)
    rehearse_variables: dict[str, tuple[int, int]] = Field(default_factory=dict)
    params: dict[str, tuple[int, int]] = Field(default_factory=dict)
