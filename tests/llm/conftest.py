"""Contexts that answer from a script, and references as the engine resolves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from attar.api import PromptPart, PromptText
from attar.testing.fakes import FakeContext


@pytest.fixture
def scripted() -> type[FakeContext]:
    """Call it with a function from a call to its answer: a text, a JSON value, an Answer, or a RowError to raise."""
    return FakeContext


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
