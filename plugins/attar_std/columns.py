"""std.select and std.rename: which columns go on, and what they are called."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from attar.api import BatchResult, Columns, Config, ConfigProblem, Context, Row, RowStep

if TYPE_CHECKING:
    import pyarrow as pa


def unknown(field: tuple[str | int, ...], name: str, incoming: Columns) -> ConfigProblem:
    """The mistake of naming a column that does not arrive."""
    near = difflib.get_close_matches(name, list(incoming), n=3, cutoff=0.5)
    help = "did you mean " + " or ".join(map(repr, near)) + "?" if near else f"columns here: {', '.join(incoming)}"
    return ConfigProblem(field, f"no column {name!r} arrives here", help, "E501")


class SelectConfig(Config):
    keep: list[str] | None = Field(None, min_length=1, description="columns that stay, in this order; others go")
    drop: list[str] | None = Field(None, min_length=1, description="columns that go; others stay")
    rename: dict[str, str] = Field(default_factory=dict, description="new name → name as it arrives")


class Select(RowStep[SelectConfig]):
    """Keeps or drops columns (one of `keep` and `drop`), and renames them. `keep` names columns as they arrive; one
    that is renamed need not be listed."""

    Config = SelectConfig

    def __init__(self, config: SelectConfig) -> None:
        super().__init__(config)
        self._names: dict[str, str] | None = None

    def reads(self, incoming: Columns) -> Columns:
        names = [*(self.config.keep or ()), *self.config.rename.values()]
        return dict.fromkeys(names, "any")

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if self.config.keep is not None and self.config.drop is not None:
            yield ConfigProblem(("drop",), "both keep and drop are given", "give one of them")
        elif self.config.keep is None and self.config.drop is None and not self.config.rename:
            yield ConfigProblem((), "nothing is selected: neither keep, drop nor rename is given", "give one of them")
        for n, name in enumerate(self.config.drop or ()):
            if name not in incoming:
                yield unknown(("drop", n), name, incoming)

    def writes(self, incoming: Columns) -> Columns:
        self._names = self._resolve(incoming)
        return {new: incoming.get(old, "any") for new, old in self._names.items()}

    def _resolve(self, incoming: Columns) -> dict[str, str]:
        """New name → name as it arrives."""
        new_name = {old: new for new, old in self.config.rename.items()}
        if len(new_name) < len(self.config.rename):
            raise ConfigProblem(("rename",), "one column is renamed twice", "derive a copy (std.derive)", "E502")
        if self.config.keep is not None:
            listed = [*self.config.keep, *(old for old in new_name if old not in self.config.keep)]
        else:
            listed = [name for name in incoming if name not in (self.config.drop or ())]
        names: dict[str, str] = {}
        for old in listed:
            new = new_name.get(old, old)
            if new in names:
                raise ConfigProblem(("rename",), f"two columns would be called {new!r}", "drop one of them", "E502")
            if new == "id":
                raise ConfigProblem(("rename",), "`id` is attar's own column", "choose another name", "E502")
            names[new] = old
        if not names:
            raise ConfigProblem(("drop",), "no column is left", "keep at least one")
        return names

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        names = self._names if self._names is not None else self._resolve(dict.fromkeys(row, "any"))
        return {new: row[old] for new, old in names.items()}

    def apply_batch(self, batch: pa.RecordBatch, ctx: Context) -> BatchResult:
        arriving = dict.fromkeys((name for name in batch.schema.names if name != "id"), "any")
        names = self._names if self._names is not None else self._resolve(arriving)
        return BatchResult({new: batch.column(old) for new, old in names.items()})


class RenameConfig(Config):
    columns: dict[str, str] = Field(..., min_length=1, description="new name → name as it arrives")


class Rename(RowStep[RenameConfig]):
    """Renames columns and leaves the others as they are: `columns: {question: instruction}`."""

    Config = RenameConfig

    def reads(self, incoming: Columns) -> Columns:
        return dict.fromkeys(self.config.columns.values(), "any")

    def writes(self, incoming: Columns) -> Columns:
        new_name = {old: new for new, old in self.config.columns.items()}
        if len(new_name) < len(self.config.columns):
            raise ConfigProblem(("columns",), "one column is renamed twice", "derive a copy (std.derive)", "E502")
        result: dict[str, str] = {}
        for old, kind in incoming.items():
            new = new_name.get(old, old)
            if new in result or new == "id":
                raise ConfigProblem(("columns",), f"two columns would be called {new!r}", "drop one before", "E502")
            result[new] = kind
        return result

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        return {new: row[old] for new, old in self.config.columns.items()}

    def apply_batch(self, batch: pa.RecordBatch, ctx: Context) -> BatchResult:
        return BatchResult({new: batch.column(old) for new, old in self.config.columns.items()})
