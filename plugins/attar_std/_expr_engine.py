"""The one place that knows where expressions come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined)


def compile_expression(text: str) -> Callable[[Mapping[str, Any]], Any]:
    """A function from a row's columns to the expression's value."""
    run = _environment().compile_expression(text, undefined_to_none=False)
    return lambda row: run(**row)


def expression_variables(text: str) -> set[str]:
    """Names the expression reads from the row."""
    from jinja2 import meta

    return set(meta.find_undeclared_variables(_environment().parse("{{ (" + text + ") }}")))
