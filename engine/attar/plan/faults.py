"""Gathers diagnostics while a recipe is planned, each at its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from attar.api import ConfigProblem
from attar.errors import AttarError, Diagnostic, Severity, Span
from attar.recipe.loaded import LoadedRecipe, LoadedStep, YamlPath

REFS = ("model", "prompt", "output", "index")


def in_order(found: Iterable[Diagnostic], own: str) -> list[Diagnostic]:
    """Diagnostics as they are shown: those without a place, the recipe's by line, then those of other files."""

    def place(one: Diagnostic) -> tuple[int, str, int, int]:
        span = one.span
        return (0, "", 0, 0) if span is None else (1 if span.file == own else 2, span.file, span.line, span.column)

    return sorted(found, key=place)


class Faults:
    """A list of diagnostics, without repetitions: a fault in a repeated step is told once, not once a round."""

    def __init__(self, loaded: LoadedRecipe) -> None:
        self._loaded = loaded
        self._found: dict[tuple[str, str, Span | None], Diagnostic] = {}
        self._written: dict[str, dict[str, str]] = {}

    def all(self) -> list[Diagnostic]:
        return in_order(self._found.values(), self._loaded.places.value(self._loaded.file, ()).file)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def any_error(self) -> bool:
        return any(found.severity == "error" for found in self._found.values())

    def has(self, code: str) -> bool:
        return any(found.code == code for found in self._found.values())

    def add(self, diagnostic: Diagnostic) -> None:
        self._found.setdefault((diagnostic.code, diagnostic.message, diagnostic.span), diagnostic)

    def step(
        self,
        step: LoadedStep,
        path: YamlPath,
        code: str,
        message: str,
        help: str = "",
        *,
        key: bool = False,
        severity: Severity = "error",
    ) -> None:
        """A fault at a path below a step's entry; `key` marks the key instead of the value."""
        places = self._loaded.places
        full = (*step.path, *path)
        span = places.key(step.file, full) if key else places.value(step.file, full)
        self.add(Diagnostic(code, message, span, help, full, severity))

    def span(self, step: LoadedStep, path: YamlPath) -> Span:
        """The place of the value at a path below a step's entry."""
        return self._loaded.places.value(step.file, (*step.path, *path))

    def word(self, step: LoadedStep, path: YamlPath, text: object, word: str) -> Span:
        """The place of a word inside a value; of the whole value where it stands folded, escaped or on more lines."""
        span = self.span(step, path)
        match = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) if isinstance(text, str) else None
        length = span.end_column - span.column
        if match is None or length not in (len(str(text)), len(str(text)) + 2):
            return span
        start = span.column + match.start() + (length != len(str(text)))
        return replace(span, column=start, end_column=start + len(word))

    def wrote(self, step: LoadedStep, absolute: str, written: str) -> None:
        """Remembers how a path that a step gets absolute stands in the recipe, so that messages show it so."""
        names = self._written.setdefault(step.name, {})
        full, short = Path(absolute), Path(written)
        while not short.is_absolute() and full != full.parent:
            names.setdefault(str(full), str(short))
            if short.name in ("", ".."):
                break
            full, short = full.parent, short.parent

    def as_written(self, step: LoadedStep, text: str) -> str:
        """A message with the step's absolute paths as the recipe writes them."""
        for full, short in sorted(self._written.get(step.name, {}).items(), key=lambda pair: -len(pair[0])):
            text = short.join(re.split(rf"{re.escape(full)}(?![\w-])", text))
        return text

    def problem(self, step: LoadedStep, problem: ConfigProblem) -> None:
        """What a step itself says of its config."""
        field = problem.field
        path = field if field and field[0] in step.refs else ("with", *field) if field else ()
        message, help = self.as_written(step, problem.message), self.as_written(step, problem.help)
        self.step(step, path, problem.code, message, help, key=not field)

    def error(self, error: AttarError, span: Span | None, path: YamlPath = ()) -> None:
        """An error raised without a place, put where it was caused."""
        for found in error.diagnostics:
            self.add(replace(found, span=found.span or span, path=found.path or path))

    def locate(self, step: LoadedStep) -> tuple[Callable[[YamlPath], Span], Callable[[YamlPath], Span]]:
        """Functions that give the place of the key, and of the value, at a path of the step's config or its refs."""
        places = self._loaded.places

        def full(path: YamlPath) -> YamlPath:
            if path and path[0] in step.refs:
                return (*step.path, *path)
            return (*step.path, "with", *path)

        return (lambda path: places.key(step.file, full(path))), (lambda path: places.value(step.file, full(path)))
