"""A recipe written to a folder, and what loading it says."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from attar.errors import Diagnostic
from attar.recipe import load
from attar.recipe.loaded import LoadedRecipe


class Loaded(NamedTuple):
    recipe: LoadedRecipe | None
    found: list[Diagnostic]
    file: Path

    @property
    def places(self) -> list[tuple[str, int, int]]:
        """(code, line, column) of each diagnostic."""
        return [(d.code, d.span.line if d.span else 0, d.span.column if d.span else 0) for d in self.found]

    @property
    def only(self) -> Diagnostic:
        assert len(self.found) == 1, self.found
        return self.found[0]

    def marked(self, diagnostic: Diagnostic) -> str:
        """The text under the caret."""
        span = diagnostic.span
        assert span is not None
        line = Path(span.file).read_text(encoding="utf-8").split("\n")[span.line - 1]
        return line[span.column - 1 : span.end_column - 1 if span.end_column else None]

    @property
    def good(self) -> LoadedRecipe:
        assert self.recipe is not None and not self.found, self.found
        return self.recipe


Write = Callable[..., Loaded]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a recipe (dedented) and loads it; further files by keyword are written beside it first."""

    def writes(
        text: str | bytes,
        overrides: Mapping[str, Any] | None = None,
        name: str = "r.yaml",
        files: Mapping[str, str] | None = None,
    ) -> Loaded:
        for other, content in (files or {}).items():
            path = tmp_path / other
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(content), encoding="utf-8")
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        recipe, found = load(file, overrides or {})
        return Loaded(recipe, found, file)

    return writes


HEAD = "attar: 1\nname: x\n"
TAIL = "steps:\n  a: {use: std.read}\noutputs:\n  dataset: {from: a}\n"


@pytest.fixture
def with_tail(write: Write) -> Write:
    """As `write`, between a head of two lines (so the text begins on line 3) and a step and an output."""

    def writes(text: str, *args: Any, **kwargs: Any) -> Loaded:
        return write(HEAD + textwrap.dedent(text).lstrip("\n") + TAIL, *args, **kwargs)

    return writes
