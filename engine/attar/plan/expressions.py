"""`when:` expressions: their syntax and the names they read."""

from __future__ import annotations


def expression_names(text: str) -> tuple[list[str], str | None]:
    """Names an expression reads, sorted, and what is wrong with it (None where it can be read)."""
    from attar.recipe.expressions import ExpressionError, check_expression, expression_variables

    fault = check_expression(text)
    if fault is not None:
        return [], f"`when` is no expression: {fault.message}"
    try:
        return sorted(expression_variables(text)), None
    except ExpressionError as error:
        return [], f"`when` is no expression: {error}"
