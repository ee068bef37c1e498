"""Expressions as steps use them: compiled once per process, faults of a row turned into its rejection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from attar.api import ConfigProblem, RowError
from attar.api.expressions import ExpressionError, compile_expression, expression_variables

from ._expr_fast import compile_fast


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
            ExpressionError: an undefined name, or an operation that fails on these values.
        """
        if self._run is None:
            self._run = _compile(self.text)
        return self._run(row)

    def of_row(self, row: Mapping[str, Any]) -> Any:
        """As a call, with every fault as the row's own.

        Raises:
            RowError: `expression`; the detail says what went wrong.
        """
        try:
            return self(row)
        except ExpressionError as error:
            raise RowError("expression", " ".join(str(error).split())) from None

    def variables(self) -> set[str]:
        """Names it reads; empty where it cannot be compiled (`problems` says so)."""
        try:
            return expression_variables(self.text)
        except ExpressionError:
            return set()

    def problems(self, field: Sequence[str | int]) -> Iterator[ConfigProblem]:
        """A mistake in its text, if there is one."""
        try:
            compile_expression(self.text)
        except ExpressionError as error:
            yield ConfigProblem(
                field, str(error), "expressions are Jinja without braces: text | length > 20 and lang == 'hi'", "E520"
            )


def _compile(text: str) -> Callable[[Mapping[str, Any]], Any]:
    slow = compile_expression(text)
    fast = compile_fast(text)
    if fast is None:
        return slow

    def run(row: Mapping[str, Any]) -> Any:
        try:
            return fast(row)
        except Exception:
            return slow(row)  # the same fault, told as the sandbox tells it

    return run
