"""std.group: one new row out of several that share a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, DatasetStep, Drop, New, Reject, Row, RowSet, parse_type

from ._types import to_json

_NO_ORDER = ("json", "any", "list", "struct")


class GroupConfig(Config):
    by: str | list[str] = Field(..., min_length=1, description="column or columns whose values make a group; they stay")
    collect: list[str] | dict[str, str] = Field(
        ..., min_length=1, description="columns to collect, by name, or as name → what the collected one is called"
    )
    into: str | None = Field(None, description="one list of structs in place of a list for each collected column")
    ids: str | None = Field(None, description="collect the rows' ids too, under this name")
    name: str | None = Field(
        None, description="column for the group's own name: its values and, of several, its number"
    )
    size: int | None = Field(None, ge=1, description="rows of a group; without it, all that share the values")
    min_size: int = Field(1, ge=1, description="smaller groups are not made; their rows are rejected as `too_few`")
    remainder: Literal["drop", "keep"] = Field(
        "drop", description="rows left over after groups of `size`: rejected as `remainder`, or a smaller last group"
    )


class Group(DatasetStep[GroupConfig]):
    """Collects rows that share a value into new rows with lists: the others' columns go, `by` stays.

    Rows of a group are taken in the order in which they come, `size` at a time; groups come in the order of their
    values. The new row's id depends on its rows alone: the same rows make the same group. Rows without a value in any
    of `by` are rejected as `no_group`. `std.explode` takes a group apart again (`spread: true` after `into`). Sorts on
    disk; a group itself is held in memory.
    """

    Config = GroupConfig

    @property
    def _by(self) -> list[str]:
        return [self.config.by] if isinstance(self.config.by, str) else self.config.by

    @property
    def _collected(self) -> Mapping[str, str]:
        collect = self.config.collect
        return collect if isinstance(collect, dict) else {name: name for name in collect}

    def reads(self, incoming: Columns) -> Columns:
        return dict.fromkeys([*self._by, *self._collected], "any")

    def writes(self, incoming: Columns) -> Columns:
        fields = {new: incoming.get(old, "any") for old, new in self._collected.items()}
        if self.config.ids is not None:
            fields = {self.config.ids: "string", **fields}
        if self.config.into is None:
            lists = {name: f"list<{kind}>" for name, kind in fields.items()}
        else:
            lists = {self.config.into: "list<struct<" + ",".join(f"{k}:{t}" for k, t in fields.items()) + ">>"}
        # A row without a value makes no group, so the values of groups are never null.
        columns = {name: incoming[name].removesuffix("?") for name in self._by if name in incoming}
        if self.config.name is not None:
            lists = {self.config.name: "string", **lists}
        for name in lists:
            if name in columns:
                raise ConfigProblem(
                    ("collect",), f"column {name!r} is written twice: it is in `by`, too", "rename one", "E502"
                )
        return {**columns, **lists}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        names = [*self._collected.values(), *([config.ids] if config.ids is not None else [])]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield ConfigProblem(
                ("collect",), f"two collected columns are called {name!r}", "rename one of them", "E502"
            )
        if config.size is not None and config.min_size > config.size:
            yield ConfigProblem(
                ("min_size",),
                f"min_size {config.min_size} exceeds size {config.size}: no group can be made",
                "lower it",
            )
        if config.size is None and config.remainder == "keep":
            yield ConfigProblem(("remainder",), "without size nothing remains", "add size:, or take remainder away")
        for position, name in enumerate(self._by):
            kind = incoming.get(name, "string")
            if parse_type(kind).kind in _NO_ORDER:
                where = ("by",) if isinstance(config.by, str) else ("by", position)
                yield ConfigProblem(
                    where, f"{name!r} is {kind}, which cannot be sorted", "group by a plain value", "E503"
                )

    def apply(self, rows: RowSet, ctx: Context) -> Iterator[Row | Drop | New]:
        held: list[Row] = []
        values: tuple[Any, ...] = ()
        number = 0
        for row in rows.sorted_by(*self._by):
            here = tuple(row[name] for name in self._by)
            if any(value is None for value in here):
                empty = next(name for name, value in zip(self._by, here, strict=True) if value is None)
                yield Drop(row, Reject("no_group", f"column {empty!r} is null"))
                continue
            if held and here != values:
                yield from self._close(held, values, number)
                held = []
            if here != values:
                values, number = here, 0
            held.append(row)
            if len(held) == self.config.size:
                number += 1
                yield self._new(held, values, number)
                held = []
        if held:
            yield from self._close(held, values, number)

    def _close(self, held: list[Row], values: tuple[Any, ...], number: int) -> Iterator[Drop | New]:
        """The last rows of a value: fewer than `size`, where there is one."""
        config = self.config
        if config.size is not None and config.remainder == "drop":
            yield from (Drop(row, Reject("remainder", f"{len(held)} of {config.size} rows left over")) for row in held)
        elif len(held) < config.min_size:
            why = Reject("too_few", f"{len(held)} rows; at least {config.min_size} make a group")
            yield from (Drop(row, why) for row in held)
        else:
            yield self._new(held, values, number + 1)

    def _new(self, held: list[Row], values: tuple[Any, ...], number: int) -> New:
        config = self.config
        fields: dict[str, list[Any]] = {}
        if config.ids is not None:
            fields[config.ids] = [row.id for row in held]
        fields |= {new: [row[old] for row in held] for old, new in self._collected.items()}
        columns: dict[str, Any] = dict(zip(self._by, values, strict=True))
        if config.name is not None:
            plain = " / ".join(str(value) for value in values)
            columns[config.name] = plain if config.size is None else f"{plain} #{number}"
        if config.into is None:
            columns |= fields
        else:
            columns[config.into] = [
                dict(zip(fields, items, strict=True)) for items in zip(*fields.values(), strict=True)
            ]
        return New([row.id for row in held], to_json(list(values)), columns)
