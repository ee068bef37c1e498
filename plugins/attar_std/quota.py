"""std.quota: keep what was promised of each cell, and say what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from attar.api import Columns, ConfigProblem, Context, DatasetStep, Drop, New, Reject, Row, RowSet

from ._axes import AxesConfig, axes_problems, cells_of
from ._quota import cell_name


class QuotaConfig(AxesConfig):
    pass


class Quota(DatasetStep[QuotaConfig]):
    """Keeps the first n rows of each cell, in slot order, where n is what std.slots with the same `rows` and `axes`
    promises of it. Later ones are rejected as `over_quota`, rows of no cell as `no_cell`. A cell that stays short is
    named and the run exits 1.

    Put it after steps that drop rows of the whole dataset (deduplication), with `spare:` in std.slots.
    """

    Config = QuotaConfig

    def reads(self, incoming: Columns) -> Columns:
        return dict.fromkeys(self.config.axes, "any")

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        yield from axes_problems(self.config)

    def apply(self, rows: RowSet, ctx: Context) -> Iterator[Row | Drop | New]:
        axes = list(self.config.axes)
        wanted = cells_of(self.config)
        kept: Counter[tuple[Any, ...]] = Counter()
        for row in rows.sorted_by("slot") if "slot" in rows.columns else rows:
            cell = tuple(row[axis] for axis in axes)
            if cell not in wanted:
                yield Drop(row, Reject("no_cell", cell_name(axes, cell)))
            elif kept[cell] >= wanted[cell]:
                yield Drop(row, Reject("over_quota", f"{cell_name(axes, cell)}: {wanted[cell]} are kept already"))
            else:
                kept[cell] += 1
                yield row
        for cell, count in wanted.items():
            if kept[cell] < count:
                ctx.shortfall(cell_name(axes, cell), count - kept[cell])
