"""std.slots: a row for each promised place of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pydantic import Field

from attar.api import Columns, ConfigProblem, Context, Key, Reject, Row, Source

from ._axes import AxesConfig, Values, Weights, axes_problems, cells_of, choice_problems, type_of_labels, weighed
from ._quota import Cell, Label, cell_name, largest_remainder

if TYPE_CHECKING:
    import numpy as np

_GOLDEN = 0x9E3779B97F4A7C15
_RESERVED = ("id", "slot", "cell")


class SlotsConfig(AxesConfig):
    spare: float | int = Field(
        0,
        ge=0,
        description="extra slots per cell, for steps after it that drop rows: below 1 a share of the cell's rows "
        "(rounded up), else a count. They come last; std.quota keeps what was asked for",
    )
    candidates: float | None = Field(
        None,
        ge=1,
        description="slots in all as a multiple of `rows` (1.02: 1,020 for 1,000), not with `spare`: those beyond are "
        "spare, shared out by the cells' sizes",
    )
    draw: dict[str, Weights | Values] = Field(
        default_factory=dict, description="column → values (or values with weights): one picked at random for each slot"
    )


class Slots(Source[SlotsConfig]):
    """Makes one row per slot, with exact quotas instead of weighted draws.

    Each axis is allotted by largest remainder, so its counts are exact; joint cells are balanced: with two axes every
    cell is the floor or ceiling of the product of the axes' exact shares; with more it is off by less than 2 where no
    axis but the first two has a label above one half (`_quota` says why). Slots of all cells are interleaved: the j-th
    of a cell's n slots stands at about (j + u) / n of the way, with another u for each cell, so any prefix is nearly
    balanced. Slot i depends on the config and i alone. A slot's key is its cell and its number in it, so asking for
    more rows keeps every slot there was.

    Columns: one per axis, one per `draw`, `slot` (number from 0) and `cell` (`tier=direct, persona=elder`). A judge may
    send a row back here: it keeps its cell, and the `draw` columns are drawn again.
    """

    Config = SlotsConfig
    fills = True

    def __init__(self, config: SlotsConfig) -> None:
        super().__init__(config)
        self._layout: tuple[list[Cell], np.ndarray[Any, Any], np.ndarray[Any, Any]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_layout": None}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        yield from axes_problems(self.config)
        if self.config.candidates is not None and self.config.spare:
            yield ConfigProblem(("spare",), "spare and candidates both say how many slots are spare", "keep one")
        for name, choices in self.config.draw.items():
            yield from choice_problems(("draw", name), choices)
        for field, names in (("axes", self.config.axes), ("draw", self.config.draw)):
            for name in names:
                if name in _RESERVED:
                    yield ConfigProblem(
                        (field, name), f"{name!r} is a column that slots makes itself", "rename it", "E502"
                    )
        for name in self.config.draw:
            if name in self.config.axes:
                yield ConfigProblem(("draw", name), f"{name!r} is an axis already", "rename one of them", "E502")

    def writes(self, incoming: Columns) -> Columns:
        chosen = {**self.config.axes, **self.config.draw}
        columns = {name: type_of_labels(list(choices)) or "json" for name, choices in chosen.items()}
        return {**columns, "slot": "int", "cell": "string"}

    def count(self, ctx: Context) -> int | None:
        return len(self._plan()[1])

    def _spares(self, counts: list[int]) -> list[int]:
        """Spare slots of each cell; an empty cell stays empty."""
        spare, candidates = self.config.spare, self.config.candidates
        if candidates is not None:
            beyond = -int(-(Fraction(str(candidates)) - 1) * sum(counts) // 1)
            return largest_remainder(beyond, [Fraction(count) for count in counts])
        if spare < 1:
            return [-int(-Fraction(str(spare)) * count // 1) for count in counts]
        return [int(spare) if count else 0 for count in counts]

    def _plan(self) -> tuple[list[Cell], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Cells; and for each slot, in order, its cell's number and its number in the cell."""
        if self._layout is None:
            import numpy as np

            counts = cells_of(self.config)
            cells = list(counts)
            wanted = np.fromiter(counts.values(), np.int64, len(cells))
            spare = np.fromiter(self._spares(list(counts.values())), np.int64, len(cells))
            start = np.arange(1, len(cells) + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
            phase = (start >> np.uint64(11)).astype(np.float64) / float(1 << 53)
            cell = np.repeat(np.arange(len(cells)), wanted + spare)
            first = np.cumsum(wanted + spare) - (wanted + spare)
            number = np.arange(len(cell)) - first[cell]
            inside = number < wanted[cell]
            place = np.where(
                inside,
                (number + phase[cell]) / np.maximum(wanted[cell], 1),
                1 + (number - wanted[cell] + phase[cell]) / np.maximum(spare[cell], 1),
            )
            order = np.lexsort((cell, place))
            self._layout = cells, cell[order], number[order]
        return self._layout

    def rows(self, start: int, stop: int | None, ctx: Context) -> Iterator[tuple[Key, Mapping[str, Any] | Reject]]:
        cells, cell, number = self._plan()
        axes = list(self.config.axes)
        floats = {name for name, kind in self.writes({}).items() if kind == "float"}
        draws = {name: _Draw(choices) for name, choices in self.config.draw.items()}
        names = [cell_name(axes, one) for one in cells]
        for slot in range(start, len(cell) if stop is None else min(stop, len(cell))):
            at, j = int(cell[slot]), int(number[slot])
            row: dict[str, Any] = dict(zip(axes, cells[at], strict=True))
            for name, draw in draws.items():
                row[name] = draw(ctx.seed(f"draw {name} {names[at]} {j}"))
            for name in floats:
                row[name] = float(row[name])
            yield (names[at], j), {**row, "slot": slot, "cell": names[at]}

    def redraw(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        new = {name: _Draw(choices)(ctx.seed(f"draw {name}")) for name, choices in self.config.draw.items()}
        for name, kind in self.writes({}).items():
            if kind == "float" and name in new:
                new[name] = float(new[name])
        return {**row, **new}


class _Draw:
    """Picks a value by weight from a seed."""

    def __init__(self, choices: Weights | Values) -> None:
        weights = weighed(choices)
        self._values: list[Label] = list(weights)
        whole = sum(weights.values())
        self._bounds, total = [], Fraction(0)
        for weight in weights.values():
            total += weight
            self._bounds.append(total * (1 << 31) / whole)

    def __call__(self, seed: int) -> Any:
        for value, bound in zip(self._values, self._bounds, strict=True):
            if seed < bound:
                return value
        return self._values[-1]
