"""What an expression's text tells of its type. Only what is certain: everything else is None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attar.api import ParsedType

STRING, INT, FLOAT, BOOL = (ParsedType(name) for name in ("string", "int", "float", "bool"))
_FILTERS = {
    **dict.fromkeys(
        (
            "lower",
            "upper",
            "title",
            "capitalize",
            "trim",
            "replace",
            "join",
            "string",
            "nfc",
            "tojson",
            "json",
            "truncate",
        ),
        STRING,
    ),
    **dict.fromkeys(("length", "count", "wordcount", "int", "words", "sentences", "chars"), INT),
    **dict.fromkeys(("float", "round"), FLOAT),
}


def type_of(text: str, columns: Mapping[str, ParsedType]) -> ParsedType | None:
    """The expression's type over columns of these types, or None where it cannot be told."""
    from jinja2 import Environment, TemplateSyntaxError, nodes

    try:
        tree = Environment(autoescape=False).parse("{{ (" + text + ") }}")  # parsed only, never rendered
    except TemplateSyntaxError:
        return None
    output = tree.find(nodes.Output)
    if output is None or len(output.nodes) != 1:
        return None
    return _of(output.nodes[0], columns)


def _of(node: Any, columns: Mapping[str, ParsedType]) -> ParsedType | None:
    from jinja2 import nodes

    if isinstance(node, nodes.Const | nodes.TemplateData):
        value = node.value if isinstance(node, nodes.Const) else node.data
        return {str: STRING, int: INT, float: FLOAT, bool: BOOL}.get(type(value))
    if isinstance(node, nodes.Name):
        return columns.get(node.name)
    if isinstance(node, nodes.Compare | nodes.Not | nodes.Test):
        return BOOL
    if isinstance(node, nodes.Concat):
        return STRING
    if isinstance(node, nodes.CondExpr):
        if node.expr2 is None:
            return None
        return _same(_of(node.expr1, columns), _of(node.expr2, columns))
    if isinstance(node, nodes.And | nodes.Or):
        return _same(_of(node.left, columns), _of(node.right, columns))
    if isinstance(node, nodes.Filter):
        if node.name in _FILTERS:
            return _FILTERS[node.name]
        return _of(node.node, columns) if node.name == "abs" and node.node is not None else None
    if isinstance(node, nodes.List):
        items = [_of(item, columns) for item in node.items]
        first = items[0] if items else None
        return ParsedType("list", item=first) if first and all(item == first for item in items) else None
    if isinstance(node, nodes.Add | nodes.Sub | nodes.Mul | nodes.Div | nodes.FloorDiv | nodes.Mod):
        return _arithmetic(node, _of(node.left, columns), _of(node.right, columns))
    if isinstance(node, nodes.Getattr | nodes.Getitem):
        return _field(node, _of(node.node, columns))
    return None


def _same(a: ParsedType | None, b: ParsedType | None) -> ParsedType | None:
    if a is None or b is None:
        return None
    null = a.nullable or b.nullable
    if a._replace(nullable=False) == b._replace(nullable=False):
        return a._replace(nullable=null)
    return ParsedType("float", null) if {a.kind, b.kind} == {"int", "float"} else None


def _arithmetic(node: Any, a: ParsedType | None, b: ParsedType | None) -> ParsedType | None:
    from jinja2 import nodes

    if a is None or b is None:
        return None
    kinds = {a.kind, b.kind}
    if kinds == {"string"} and isinstance(node, nodes.Add):
        return STRING
    if kinds <= {"int", "float"}:
        return FLOAT if isinstance(node, nodes.Div) or "float" in kinds else INT
    return None


def _field(node: Any, kind: ParsedType | None) -> ParsedType | None:
    from jinja2 import nodes

    if kind is None or kind.nullable:
        return None
    if kind.kind == "struct":
        name = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
        return dict(kind.fields).get(name) if isinstance(name, str) else None
    return None
