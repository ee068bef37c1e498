"""Sandboxed expressions, as `when:` reads them, for steps whose config holds one."""

from attar.recipe.expressions import ExpressionError, compile_expression, expression_variables

__all__ = ["ExpressionError", "compile_expression", "expression_variables"]
