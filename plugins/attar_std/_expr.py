"""Expressions as steps use them: compiled once per process, faults of a row turned into its rejection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from attar.api import ConfigProblem, RowError

from ._expr_engine import compile_expression, expression_variables


class Expression:
    """One sandboxed expression over a row's columns. Pickles as its text."""

    __slots__ = ("_run", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._run: Callable[[Mapping[str, Any]], Any] | None = None

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        return None, {"text": self.text, "_run": None}

    def __call__(self, row: Mapping[str, Any]) -> Any:
        """The value for a row.

        Raises:
            Exception: whatever the expression runs into (an undefined name, a wrong type).
        """
        if self._run is None:
            self._run = compile_expression(self.text)
        return self._run(row)

    def of_row(self, row: Mapping[str, Any]) -> Any:
        """As a call, with every fault as the row's own.

        Raises:
            RowError: `expression`; the detail says what went wrong.
        """
        try:
            return self(row)
        except Exception as error:
            raise RowError("expression", f"{self.text}: {_line(error)}") from None

    def variables(self) -> set[str]:
        """Names it reads; empty where it cannot be compiled (`problems` says so)."""
        try:
            return expression_variables(self.text)
        except Exception:
            return set()

    def problems(self, field: Sequence[str | int]) -> Iterator[ConfigProblem]:
        """A mistake in its text, if there is one."""
        try:
            compile_expression(self.text)
        except Exception as error:
            yield ConfigProblem(
                field,
                f"the expression {self.text!r} cannot be read: {str(error).splitlines()[0]}",
                "expressions are Jinja without braces: text | length > 20 and lang == 'hi'",
                "E520",
            )


def _line(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
