"""std.dedup: exact duplicates."""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, Context, DatasetStep, Drop, New, Reject, Row, RowSet

from ._index import Ids
from ._types import to_json


class DedupConfig(Config):
    by: str | list[str] = Field(..., min_length=1, description="column or columns that make two rows the same")
    exact: bool = Field(
        False, description="compare as it is; otherwise letter case, spacing and Unicode form make no difference"
    )


class Dedup(DatasetStep[DedupConfig]):
    """Keeps the first of rows that are the same, the others are rejected as `duplicate` with the first one's id.

    Text is compared in form NFC, case-folded, each run of white space as one space; marks of Indic scripts stay. Rows
    where all the columns are null are not compared. Keeps 24 bytes per row, on disk.
    """

    Config = DedupConfig

    @property
    def _names(self) -> list[str]:
        return [self.config.by] if isinstance(self.config.by, str) else self.config.by

    def reads(self, incoming: Columns) -> Columns:
        return dict.fromkeys(self._names, "any")

    def _key(self, row: Row) -> str | None:
        values = [row[name] for name in self._names]
        if all(value is None for value in values):
            return None
        return to_json(values if self.config.exact else [plain(value) for value in values])

    def apply(self, rows: RowSet, ctx: Context) -> Iterator[Row | Drop | New]:
        with tempfile.TemporaryDirectory(prefix="attar-") as folder:
            ids = Ids(Path(folder))
            ids.add(self._key(row) for row in rows)
            repeats = ids.duplicates()
        firsts = dict.fromkeys(repeats.values(), "")
        for place, row in enumerate(rows):
            first = repeats.get(place)
            if first is not None:
                yield Drop(row, Reject("duplicate", f"same as row {firsts[first]}"))
                continue
            if place in firsts:
                firsts[place] = row.id
            yield row


def plain(value: Any) -> Any:
    """A value as it is compared."""
    if isinstance(value, str):
        # Case folding can leave a form that is not composed, so NFC comes before and after it.
        folded = unicodedata.normalize("NFC", value).casefold()
        return " ".join(unicodedata.normalize("NFC", folded).split())
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value
