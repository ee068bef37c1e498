"""Prompt and schema files that steps name: found, read and checked once each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attar.api import PromptText
from attar.errors import AttarError, Diagnostic, Span
from attar.plan.schema_check import schema_faults
from attar.recipe.files import find
from attar.registry import Registry


class Files:
    """Loads files named in a recipe; each is read once, however many steps use it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._prompts: dict[Path, tuple[PromptText | None, list[Diagnostic]]] = {}
        self._schemas: dict[Path, tuple[dict[str, Any] | None, list[Diagnostic]]] = {}

    def prompt(self, name: str, folder: Path, span: Span) -> tuple[PromptText | None, list[Diagnostic]]:
        """A prompt file and what is wrong with it; a missing file is told at `span`, the rest in the file itself."""
        path, found = self._find(name, folder, span)
        if path is None:
            return None, found
        if path not in self._prompts:
            from attar.recipe.prompts import load_prompt

            self._prompts[path] = load_prompt(path, plugins=self._root)
        return self._prompts[path]

    def schema(self, name: str, folder: Path, span: Span) -> tuple[dict[str, Any] | None, list[Diagnostic]]:
        """A JSON Schema (or rubric) file, JSON or YAML, and what is wrong with it."""
        path, found = self._find(name, folder, span)
        if path is None:
            return None, found
        if path not in self._schemas:
            self._schemas[path] = read_schema(path)
        return self._schemas[path]

    def _root(self, namespace: str) -> Path | None:
        return self._registry.plugin_root(namespace) if namespace in self._registry.names() else None

    def _find(self, name: str, folder: Path, span: Span) -> tuple[Path | None, list[Diagnostic]]:
        try:
            return find(name, folder, span, self._root)
        except AttarError as error:  # a plugin that cannot be used
            return None, [Diagnostic(d.code, d.message, span, d.help) for d in error.diagnostics]


def _json_fault(text: str, position: int) -> tuple[str, str]:
    """What is wrong at a place where JSON cannot go on (Python's own words differ between its versions)."""
    if position >= len(text.rstrip()):
        return "it ends too early", "close its brackets and quotes"
    found = text[position]
    before = text[:position].rstrip()
    if found in "}]" and before.endswith(","):
        return "a comma stands before a closing bracket", "remove the comma"
    if found == ",":
        return "a comma closes a list or an object that is not finished", "remove it, or put a value before it"
    if found == "'":
        return "a text stands in single quotes", "use double quotes"
    return f"unexpected {found!r}", "a comma, a colon or a quote may be missing before it"


def read_schema(path: Path) -> tuple[dict[str, Any] | None, list[Diagnostic]]:
    """Reads a schema file and checks that it is a JSON Schema."""
    import json

    from attar.recipe.document import decode, parse, shown_path

    shown = shown_path(path)
    text, found = decode(path, shown)
    if text is None:
        return None, found
    if path.suffix in (".yaml", ".yml"):
        document, found = parse(text, path, shown)
        if document is None or any(one.severity == "error" for one in found):
            return None, found
        data: Any = document.data
    else:
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            span = Span(shown, error.lineno, error.colno)
            what, help = _json_fault(text, error.pos)
            return None, [Diagnostic("E120", f"{shown} is not JSON: {what}", span, help)]
        if not isinstance(data, dict):
            what = "a list" if isinstance(data, list) else "a single value"
            return None, [Diagnostic("E121", f"expected a JSON Schema (an object), found {what}", Span(shown))]
        document, _ = parse(text, path, shown)  # JSON is YAML: this gives places
    faults = []
    for where, message, help in schema_faults(data):
        span = document.value_span(where) if document is not None else Span(shown)
        faults.append(Diagnostic("E122", message, span, help, where))
    return (None if faults else data), [*found, *faults]
