"""Small expressions over scores (`clarity >= 4 and mean >= 0.8`), sandboxed and strict about names."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class RuleError(ValueError):
    """The expression cannot be read, or fails over the values it is given."""


@lru_cache(maxsize=256)
def _compiled(text: str) -> tuple[Callable[..., Any], frozenset[str]]:
    # jinja2 costs 40 ms to import: only recipes with rules pay for it.
    from jinja2 import StrictUndefined, TemplateSyntaxError, meta
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(undefined=StrictUndefined)
    try:
        names = meta.find_undeclared_variables(environment.parse("{{ (" + text + ") }}"))
        return environment.compile_expression(text, undefined_to_none=False), frozenset(names)
    except TemplateSyntaxError as error:
        raise RuleError(f"{text!r} is no expression: {error.message}") from error


def unknown_names(text: str, known: Set[str]) -> list[str]:
    """Names the expression uses that are not known, sorted.

    Raises:
        RuleError: the text is no expression.
    """
    return sorted(_compiled(text)[1] - known)


def holds(text: str, values: Mapping[str, Any]) -> bool:
    """Whether the expression is true of the values.

    Raises:
        RuleError: it cannot be read or evaluated.
    """
    from jinja2 import TemplateError

    expression, _ = _compiled(text)
    try:
        return bool(expression(**values))
    except (TemplateError, TypeError, ValueError, ZeroDivisionError) as error:
        raise RuleError(f"{text!r} cannot be worked out: {error}") from error
