"""std.sample, std.thin, std.shuffle, std.sort, std.limit: which rows, and in which order."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, DatasetStep, Drop, New, Reject, Row, RowSet, RowStep

from ._spill import HELD, Spill, number, pack, unpack


def place(seed: int, id: str) -> int:
    """Where a row stands in the order of this seed: depends on nothing but the two."""
    return number(f"{seed}:{id}")


class SampleConfig(Config):
    n: int | None = Field(None, ge=0, description="rows that stay")
    share: float | None = Field(None, ge=0, le=1, description="share of the rows that stays, rounded to a whole row")
    seed: int = Field(0, description="another seed, another sample")


class Sample(DatasetStep[SampleConfig]):
    """Keeps exactly `n` rows, or exactly a `share` of them, chosen by a hash of row id and seed: the choice does not
    hang on their order. Rows stay in order; the others are rejected as `not_sampled`."""

    Config = SampleConfig

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if (self.config.n is None) == (self.config.share is None):
            yield ConfigProblem((), "give one of n and share", "n: rows; share: a part of them, such as 0.1")

    def apply(self, rows: RowSet, ctx: Context) -> Iterator[Row | Drop | New]:
        n = self.config.n if self.config.n is not None else int((self.config.share or 0) * len(rows) + 0.5)
        seed = self.config.seed
        lowest = heapq.nsmallest(n, ((place(seed, row.id), row.id) for row in rows))
        last = lowest[-1] if lowest else None
        del lowest
        for row in rows:
            if last is not None and (place(seed, row.id), row.id) <= last:
                yield row
            else:
                yield Drop(row, Reject("not_sampled"))


class ThinConfig(Config):
    share: float = Field(..., ge=0, le=1, description="chance of each row to stay")
    seed: int = Field(0, description="another seed, another choice")


class Thin(RowStep[ThinConfig]):
    """Keeps about a share of the rows, each by a hash of its id and the seed: row by row, so nothing has to be waited
    for, and a row's fate does not hang on others. The rest is rejected as `not_sampled`."""

    Config = ThinConfig

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        return {} if place(self.config.seed, row.id) < self.config.share * 2**64 else Reject("not_sampled")


class ShuffleConfig(Config):
    seed: int = Field(0, description="another seed, another order")


class Shuffle(DatasetStep[ShuffleConfig]):
    """Puts rows in the order of a hash of row id and seed: the same rows come in the same order wherever they stood."""

    Config = ShuffleConfig

    def apply(self, rows: RowSet, ctx: Context) -> Iterator[Row | Drop | New]:
        parts = max(1, -(-len(rows) // HELD))
        with Spill(parts) as spill:
            for row in rows:
                at = place(self.config.seed, row.id)
                spill.add(at * parts >> 64, (at, pack(row)))
            for part in range(parts):
                held = sorted(spill.read(part), key=lambda item: (item[0], item[1][0]))
                for _, packed in held:
                    yield unpack(packed)


class SortConfig(Config):
    by: str | list[str] = Field(..., min_length=1, description="column or columns, the first one first")
    descending: bool = Field(False, description="largest first")


class Sort(DatasetStep[SortConfig]):
    """Sorts rows by columns; equal ones keep their order (with `descending`, reverse it)."""

    Config = SortConfig

    @property
    def _keys(self) -> list[str]:
        return [self.config.by] if isinstance(self.config.by, str) else self.config.by

    def reads(self, incoming: Columns) -> Columns:
        return dict.fromkeys(self._keys, "any")

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        for name in self._keys:
            if incoming.get(name, "string").startswith(("list", "struct", "json")):
                yield ConfigProblem(("by",), f"{name!r} is {incoming[name]}, which has no order", "derive one", "E503")

    def apply(self, rows: RowSet, ctx: Context) -> Iterator[Row | Drop | New]:
        ordered = rows.sorted_by(*self._keys)
        if not self.config.descending:
            yield from ordered
            return
        parts = max(1, -(-len(rows) // HELD))
        with Spill(parts) as spill:
            for n, row in enumerate(ordered):
                spill.add(n // HELD, pack(row))
            for part in reversed(range(parts)):
                yield from map(unpack, reversed(list(spill.read(part))))


class LimitConfig(Config):
    n: int = Field(..., ge=0, description="rows that stay, counted from the first")


class Limit(DatasetStep[LimitConfig]):
    """Keeps the first `n` rows; the others are rejected as `over_limit`."""

    Config = LimitConfig

    def apply(self, rows: RowSet, ctx: Context) -> Iterator[Row | Drop | New]:
        for count, row in enumerate(rows):
            yield row if count < self.config.n else Drop(row, Reject("over_limit"))
