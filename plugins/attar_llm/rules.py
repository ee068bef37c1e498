"""Small expressions over scores: `clarity >= 4 and mean >= 0.8`."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any


class RuleError(ValueError):
    """The expression cannot be read, or fails over the values it is given."""


# attar.api.expressions brings jinja2, which costs 40 ms to import: only recipes with rules pay for it.


def unknown_names(text: str, known: Set[str]) -> list[str]:
    """Names the expression uses that are not known, sorted.

    Raises:
        RuleError: the text is no expression.
    """
    from attar.api.expressions import ExpressionError, compile_expression, expression_variables

    try:
        compile_expression(text)
        return sorted(expression_variables(text) - known)
    except ExpressionError as error:
        raise RuleError(str(error)) from None


def holds(text: str, values: Mapping[str, Any]) -> bool:
    """Whether the expression is true of the values.

    Raises:
        RuleError: it cannot be read or worked out.
    """
    from attar.api.expressions import ExpressionError, compile_expression

    try:
        return bool(compile_expression(text)(values))
    except ExpressionError as error:
        raise RuleError(str(error)) from None
