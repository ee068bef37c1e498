"""What templates read inside params and structs: `params.tone`, `essay_ok.scores.mean`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from attar.api import Columns, ParsedType, PromptText, parse_type
from attar.registry import suggest

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")


class Use(NamedTuple):
    """`name.field.field` in a template, with the place of the last field looked at."""

    fields: tuple[str, ...]
    line: int
    column: int


class FieldFault(NamedTuple):
    """A field that is not there. `line` and `column` count from 1 within the text."""

    message: str
    help: str
    field: str
    line: int
    column: int


def param_faults(text: PromptText, params: Mapping[str, object]) -> Iterator[FieldFault]:
    """`params.x` in a prompt where the recipe has no param x."""
    if "params" not in text.variables:
        return
    for part in text.parts:
        for use in uses(part.text, "params"):
            name = use.fields[0]
            if name not in params:
                help = suggest(name, params, "params") or "declare it under `params:`"
                line, column = part.line + use.line - 1, use.column
                yield FieldFault(f"no parameter {name!r} in this recipe", help, name, line, column)


def struct_faults(template: str, incoming: Columns, names: Iterable[str]) -> Iterator[FieldFault]:
    """`column.field` where the column is a struct without that field. Names that the template itself assigns are left
    alone, and so is what follows anything but a struct."""
    for name in names:
        kind = incoming.get(name)
        if kind is None or not kind.startswith("struct<"):
            continue
        if re.search(rf"\{{%-?\s*(?:for|set|macro)\b[^%]*\b{re.escape(name)}\b\s*(?:,|=|\bin\b)", template):
            continue
        for use in uses(template, name):
            fault = _missing_field(name, parse_type(kind), use)
            if fault is not None:
                yield fault


def _missing_field(name: str, kind: ParsedType, use: Use) -> FieldFault | None:
    path, column = name, use.column
    for field in use.fields:
        if kind.kind != "struct":
            return None
        fields = dict(kind.fields)
        if field not in fields:
            return FieldFault(
                f"{path!r} has no field {field!r}", suggest(field, fields, "fields"), field, use.line, column
            )
        kind = fields[field]
        path = f"{path}.{field}"
        column += len(field) + 1
    return None


def uses(template: str, name: str) -> Iterator[Use]:
    """Every `name.field…` in a template's tags (or in an expression, which has none), calls of methods aside; the
    column is that of the first field."""
    tags = list(_TAG.finditer(template))
    pieces = [(tag.start(), tag[0]) for tag in tags] if tags or "{" in template else [(0, template)]
    pattern = re.compile(rf"(?<![\w.]){re.escape(name)}((?:\.[A-Za-z_]\w*)+)(\s*\()?")
    for start, piece in pieces:
        blank = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), piece)
        for match in pattern.finditer(blank):
            fields = match[1][1:].split(".")
            if match[2]:
                fields = fields[:-1]
            if fields:
                at = start + match.start(1) + 1
                line = template.count("\n", 0, at) + 1
                yield Use(tuple(fields), line, at - (template.rfind("\n", 0, at) + 1) + 1)
