"""One mistake found in a user's input, as data; the text is built from it (see render.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a text file. `line` and `column` count from 1; `end_column` is exclusive, 0 when unknown."""

    file: str
    line: int = 1
    column: int = 1
    end_column: int = 0


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What was found, where, what was expected and what to do next.

    Attributes:
        code: stable, `E1xx` YAML and files, `E2xx` language, `E3xx` plugins and config, `E4xx` graph,
            `E5xx` columns and prompts, `E6xx` models, `E7xx` run time; `W…` for warnings.
        message: one sentence; says what was found and what was expected.
        span: the place, or None where there is none (a command-line value).
        help: what to do next, imperative; may be empty.
        path: the YAML path of the value, for editors (`("steps", "essay", "with", "rows")`).
    """

    code: str
    message: str
    span: Span | None = None
    help: str = ""
    path: tuple[str | int, ...] = ()
    severity: Severity = "error"


class AttarError(Exception):
    """A user's mistake, or several; carries diagnostics and the exit code, never a traceback for the user."""

    def __init__(self, diagnostics: Sequence[Diagnostic], exit_code: int = 2) -> None:
        super().__init__(list(diagnostics), exit_code)
        self.diagnostics = list(diagnostics)
        self.exit_code = exit_code

    def __str__(self) -> str:
        return "; ".join(d.message for d in self.diagnostics)


def fail(code: str, message: str, *, help: str = "", span: Span | None = None, exit_code: int = 2) -> AttarError:
    """Builds the error for a single mistake."""
    return AttarError([Diagnostic(code, message, span, help)], exit_code)
