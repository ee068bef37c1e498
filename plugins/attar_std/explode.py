"""std.explode: one row per item of a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Reject, Row, RowStep, parse_type


class ExplodeConfig(Config):
    column: str = Field(..., min_length=1, description="the list column")
    into: str | None = Field(None, description="column that takes the item; without it, the list's own name")
    position: str | None = Field(None, description="column that takes the item's number, from 0")
    spread: bool = Field(False, description="items are structs: each of their fields becomes a column")


class Explode(RowStep[ExplodeConfig]):
    """Makes one row per item of a list; the other columns are repeated, the list itself goes. A row whose list is empty
    or null is rejected as `empty_list`, so that it is not lost without a word."""

    Config = ExplodeConfig
    expands = True

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.column: "any"}

    def writes(self, incoming: Columns) -> Columns:
        name = self.config.column
        kept = {column: kind for column, kind in incoming.items() if column != name}
        kind = parse_type(incoming.get(name, "json"))
        if kind.kind not in ("list", "json", "any"):
            raise ConfigProblem(("column",), f"{name!r} is {incoming[name]}, not a list", "name a list column", "E503")
        item = kind.item.text() if kind.item is not None else "json?"
        new: dict[str, str] = {}
        if self.config.spread:
            if kind.item is None or kind.item.kind != "struct":
                raise ConfigProblem(
                    ("spread",), f"the items of {name!r} are {item}, not structs", "drop spread", "E503"
                )
            if self.config.into is not None:
                raise ConfigProblem(("into",), "into and spread are both given", "drop one of them")
            null = "?" if kind.item.nullable else ""
            new = {field: t.text().rstrip("?") + ("?" if t.nullable else null) for field, t in kind.item.fields}
        else:
            new[self.config.into or name] = item
        if self.config.position is not None:
            if self.config.position in new:
                raise ConfigProblem(
                    ("position",), f"{self.config.position!r} is the item's own column", "rename it", "E502"
                )
            new[self.config.position] = "int"
        return self.add(kept, new, ("into",) if self.config.into else ("column",))

    async def apply(self, row: Row, ctx: Context) -> Reject | list[Mapping[str, Any]]:
        items = row[self.config.column]
        if not isinstance(items, list | tuple):
            if items is not None:
                return Reject("not_a_list", f"column {self.config.column!r} holds {type(items).__name__}")
            items = ()
        if not items:
            return Reject("empty_list", f"column {self.config.column!r} holds nothing")
        rest = {name: value for name, value in row.items() if name != self.config.column}
        children: list[Mapping[str, Any]] = []
        for number, item in enumerate(items):
            child = {**rest, **(item or {})} if self.config.spread else {**rest, self._item: item}
            if self.config.position is not None:
                child[self.config.position] = number
            children.append(child)
        return children

    @property
    def _item(self) -> str:
        return self.config.into or self.config.column
