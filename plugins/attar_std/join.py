"""std.join: columns of one step's rows added to another's, by key."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Drop, MergeStep, New, Reject, Row, RowSet, nullable

from ._fitting import common
from ._spill import HELD, Spill, number, pack, unpack
from ._types import to_json
from .columns import unknown

Item = Row | Drop | New


class JoinConfig(Config):
    on: str | list[str] | dict[str, str] = Field(
        ..., min_length=1, description="key column or columns; or left name → right name where they differ"
    )
    how: Literal["inner", "left"] = Field(
        "inner", description="left: a left row without a match stays, with nulls; inner: it is rejected as no_match"
    )
    many: Literal["error", "first", "all"] = Field(
        "error",
        description="what if several right rows have one key: stop the run; take the first; make one row of each pair",
    )
    columns: list[str] | None = Field(
        None, min_length=1, description="right columns to add; by default all but the key"
    )
    prefix: str = Field("", description="put before the names of the right columns")


class _Side(NamedTuple):
    left: list[str]
    right: list[str]
    added: dict[str, str]  # new name → right name


class Join(MergeStep[JoinConfig]):
    """Joins two steps' rows: `from: [left, right]`. Matched pairs become new rows, in the order of the left rows, with
    both as parents; the key of a new row is its pair, so its id depends on nothing else.

    Rows without a match are rejected as `no_match` (with `how: left`, left ones stay as they are, with nulls), right
    rows passed over by `many: first` as `duplicate_key`. A null key matches nothing. Larger than memory: both sides are
    split by a hash of the key so that 100,000 right rows are held at a time.
    """

    Config = JoinConfig

    def merged(self, incoming: Mapping[str, Columns]) -> Columns:
        if len(incoming) != 2:
            raise ConfigProblem((), f"joins two steps, found {len(incoming)}", "write from: [left, right]", "E410")
        (_, left), (_, right) = incoming.items()
        sides = self._sides(left, right)
        for mine, theirs in zip(sides.left, sides.right, strict=True):
            if common(left[mine], right[theirs]) is None:
                raise ConfigProblem(
                    ("on",),
                    f"key {mine!r} is {left[mine]} on the left, {theirs!r} is {right[theirs]} on the right",
                    "derive one of them as the other's type",
                    "E503",
                )
        new = {name: right[source] for name, source in sides.added.items()}
        for name in new:
            if name in left:
                raise ConfigProblem(
                    ("columns",),
                    f"column {name!r} comes from both sides",
                    "choose columns:, or give a prefix: for the right ones",
                    "E502",
                )
        if self.config.how == "left":
            new = {name: nullable(kind) for name, kind in new.items()}
        return {**left, **new}

    def _sides(self, left: Columns, right: Columns) -> _Side:
        on = self.config.on
        pairs = dict.fromkeys([on], on) if isinstance(on, str) else on if isinstance(on, dict) else {n: n for n in on}
        for mine, theirs in pairs.items():
            if mine not in left:
                raise unknown(("on",), mine, left)
            if theirs not in right:
                raise unknown(("on",), theirs, right)
        for n, name in enumerate(self.config.columns or ()):
            if name not in right:
                raise unknown(("columns", n), name, right)
        chosen = self.config.columns or [name for name in right if name not in pairs.values()]
        return _Side(list(pairs), list(pairs.values()), {self.config.prefix + name: name for name in chosen})

    def merge(self, inputs: Mapping[str, RowSet], ctx: Context) -> Iterator[Item]:
        left, right = inputs.values()
        sides = self._sides(left.columns, right.columns)
        parts = max(1, -(-len(right) // HELD))
        if parts == 1:
            keyed = ((n, _key(row, sides.left), row) for n, row in enumerate(left))
            late: list[tuple[int, Drop]] = []
            for _, item in self._part(keyed, ((n, row) for n, row in enumerate(right)), sides, late):
                yield item
            yield from (drop for _, drop in sorted(late, key=lambda pair: pair[0]))
            return
        with Spill(parts) as lefts, Spill(parts) as rights, Spill(parts) as joined, Spill(parts) as dropped:
            for n, row in enumerate(right):
                rights.add(number(_key(row, sides.right) or "") * parts >> 64, (n, pack(row)))
            for n, row in enumerate(left):
                lefts.add(number(_key(row, sides.left) or "") * parts >> 64, (n, pack(row)))
            for part in range(parts):
                mine = ((n, _key(row := unpack(packed), sides.left), row) for n, packed in lefts.read(part))
                theirs = ((n, unpack(packed)) for n, packed in rights.read(part))
                late = []
                for n, item in self._part(mine, theirs, sides, late):
                    joined.add(part, (n, _pack(item)))
                for n, drop in sorted(late, key=lambda pair: pair[0]):
                    dropped.add(part, (n, _pack(drop)))
            for spill in (joined, dropped):  # each part is in order, so that merging restores the order of the input
                for _, packed in heapq.merge(*(spill.read(part) for part in range(parts)), key=lambda item: item[0]):
                    yield _unpack(packed)

    def _part(
        self,
        left: Iterator[tuple[int, str | None, Row]],
        right: Iterator[tuple[int, Row]],
        sides: _Side,
        late: list[tuple[int, Drop]],
    ) -> Iterator[tuple[int, Item]]:
        """Joins what fits in memory. `late` takes the right rows that no new row has as a parent."""
        held: dict[str, list[tuple[int, Row]]] = {}
        for n, row in right:
            key = _key(row, sides.right)
            if key is None:
                late.append((n, Drop(row, Reject("no_match", "its key is null"))))
            elif key in held and self.config.many == "first":
                late.append((n, Drop(row, Reject("duplicate_key", f"key {key} came before"))))
            elif key in held and self.config.many == "error":
                raise ConfigProblem(
                    ("many",), f"key {key} stands in several right rows", "choose many: first or many: all", "E723"
                )
            else:
                held.setdefault(key, []).append((n, row))
        used: set[str] = set()
        for n, key, row in left:
            matches = held.get(key, ()) if key is not None else ()
            if matches and key is not None:
                used.add(key)
                for _, other in matches:
                    yield n, New((row.id, other.id), f"{row.id} {other.id}", {**row, **_taken(other, sides.added)})
            elif self.config.how == "left":
                yield n, Row(row.id, {**row, **dict.fromkeys(sides.added)}, row.parents, row.attempt)
            else:
                yield n, Drop(row, Reject("no_match", "its key is null" if key is None else f"no right row has {key}"))
        for key, rows in held.items():
            if key not in used:
                late.extend((n, Drop(row, Reject("no_match", f"no left row has {key}"))) for n, row in rows)


def _taken(row: Row, names: Mapping[str, str]) -> dict[str, Any]:
    return {name: row[source] for name, source in names.items()}


def _key(row: Row, names: Sequence[str]) -> str | None:
    """A key as comparable text; None where a part is null. 1 and 1.0 are one key."""
    values = [row[name] for name in names]
    if any(value is None for value in values):
        return None
    values = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
    return to_json(values[0] if len(values) == 1 else values)


def _pack(item: Item) -> tuple[Any, ...]:
    if isinstance(item, New):
        return ("new", *item)
    if isinstance(item, Drop):
        return ("drop", pack(item.row), *item.why)
    return ("row", pack(item))


def _unpack(packed: tuple[Any, ...]) -> Item:
    kind, *rest = packed
    if kind == "new":
        return New(*rest)
    return Drop(unpack(rest[0]), Reject(*rest[1:])) if kind == "drop" else unpack(rest[0])
