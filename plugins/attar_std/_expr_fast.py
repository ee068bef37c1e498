"""Simple expressions as plain Python: for bulk work, where Jinja's set-up per call costs ten times the work itself.

Only what means the same in both: columns, constants, comparisons, `and or not`, arithmetic, `~`, `a if b else c`, and a
few filters of text. Anything else is left to Jinja, and so is every row on which the Python form fails, so that values
and faults are those of the sandbox. The source below is made of these nodes alone: names become lookups in the row, and
constants are passed in, never written out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_BINARY = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "FloorDiv": "//", "Mod": "%", "And": "and", "Or": "or"}
_COMPARE = {"eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "in": "in", "notin": "not in"}
_TEXT = {"lower": "lower", "upper": "upper", "trim": "strip"}


class _Other(Exception):
    """The expression holds something that is left to Jinja."""


def compile_fast(text: str) -> Callable[[Mapping[str, Any]], Any] | None:
    """The expression as a Python function that may fail where Jinja would not; None where it is not simple."""
    from jinja2 import Environment, TemplateSyntaxError, nodes

    try:
        tree = Environment(autoescape=False).parse("{{ (" + text + ") }}")
    except TemplateSyntaxError:
        return None
    output = tree.find(nodes.Output)
    if output is None or len(output.nodes) != 1 or len(tree.body) != 1:
        return None
    constants: list[Any] = []
    try:
        source = _source(output.nodes[0], constants)
    except _Other:
        return None
    space = {"__builtins__": {}, "c": constants, "len": len, "text": _text, "join": _join}
    made: Callable[[Mapping[str, Any]], Any] = eval(f"lambda r: {source}", space)
    return made


def _text(value: Any) -> str:
    if type(value) is not str:
        raise _Other
    return value


def _join(*values: Any) -> str:
    return "".join(map(str, values))


def _source(node: Any, constants: list[Any]) -> str:
    kind = type(node).__name__
    if kind in ("Const", "TemplateData"):
        constants.append(node.value if kind == "Const" else node.data)
        return f"c[{len(constants) - 1}]"
    if kind == "Name" and node.ctx == "load":
        constants.append(node.name)
        return f"r[c[{len(constants) - 1}]]"
    if kind in _BINARY:
        return f"({_source(node.left, constants)} {_BINARY[kind]} {_source(node.right, constants)})"
    if kind in ("Not", "Neg", "Pos"):
        sign = {"Not": "not ", "Neg": "-", "Pos": "+"}[kind]
        return f"({sign}{_source(node.node, constants)})"
    if kind == "Compare":
        parts = [f"{_COMPARE[operand.op]} {_source(operand.expr, constants)}" for operand in node.ops]
        return f"({_source(node.expr, constants)} {' '.join(parts)})"
    if kind == "CondExpr" and node.expr2 is not None:
        test, yes, no = (_source(part, constants) for part in (node.test, node.expr1, node.expr2))
        return f"({yes} if {test} else {no})"
    if kind == "Concat":
        return f"join({', '.join(_source(part, constants) for part in node.nodes)})"
    if kind == "Filter" and node.node is not None and not (node.args or node.kwargs or node.dyn_args):
        inner = _source(node.node, constants)
        if node.name in ("length", "count"):
            return f"len({inner})"
        if node.name in _TEXT:
            return f"text({inner}).{_TEXT[node.name]}()"
    raise _Other
