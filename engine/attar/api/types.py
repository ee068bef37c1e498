"""Column types as strings: `string int float bool json list<T> struct<a:T,b:T>`, `?` after a type = nullable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Type = str
Columns = Mapping[str, Type]

SCALARS = ("string", "int", "float", "bool", "json", "any")


class ParsedType(NamedTuple):
    """A parsed Type: `kind` is a scalar name, "list" or "struct"; `item` for lists; `fields` for structs."""

    kind: str
    nullable: bool = False
    item: ParsedType | None = None
    fields: tuple[tuple[str, ParsedType], ...] = ()

    def text(self) -> Type:
        if self.kind == "list":
            assert self.item is not None
            base = f"list<{self.item.text()}>"
        elif self.kind == "struct":
            base = "struct<" + ",".join(f"{n}:{t.text()}" for n, t in self.fields) + ">"
        else:
            base = self.kind
        return base + ("?" if self.nullable else "")


def parse_type(text: Type) -> ParsedType:
    """Parses a Type.

    Raises:
        ValueError: the text is no type; the message says what was expected.
    """
    parsed, rest = _parse(text.replace(" ", ""))
    if rest:
        raise ValueError(f"{text!r} is not a type: unexpected {rest!r}")
    return parsed


def nullable(text: Type) -> Type:
    """The same type, allowing nulls."""
    return text if text.endswith("?") else text + "?"


def _parse(text: str) -> tuple[ParsedType, str]:
    if text.startswith("list<"):
        item, rest = _parse(text[5:])
        base, rest = ParsedType("list", item=item), _expect(rest, ">", text)
    elif text.startswith("struct<"):
        fields: list[tuple[str, ParsedType]] = []
        rest = text[7:]
        while True:
            name, colon, rest = rest.partition(":")
            if not colon or not name:
                raise ValueError(f"{text!r} is not a type: expected struct<name:type,…>")
            kind, rest = _parse(rest)
            fields.append((name, kind))
            if rest.startswith(","):
                rest = rest[1:]
                continue
            break
        base, rest = ParsedType("struct", fields=tuple(fields)), _expect(rest, ">", text)
    else:
        for name in SCALARS:
            if text.startswith(name):
                base, rest = ParsedType(name), text[len(name) :]
                break
        else:
            raise ValueError(f"{text!r} is not a type; expected one of {', '.join(SCALARS)}, list<T>, struct<a:T>")
    if rest.startswith("?"):
        return base._replace(nullable=True), rest[1:]
    return base, rest


def _expect(rest: str, char: str, text: str) -> str:
    if not rest.startswith(char):
        raise ValueError(f"{text!r} is not a type: expected {char!r}")
    return rest[1:]
