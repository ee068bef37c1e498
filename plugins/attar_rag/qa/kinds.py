"""rag.kinds: a row for every kind of question that a chunk is to be asked about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Row, RowStep


class KindsConfig(Config):
    """See Kinds."""

    kinds: list[str] = Field(
        ["general_explanation", "commonsense", "causal", "open_ended"], min_length=1, description="kinds, in order"
    )
    column: str = Field("kind", min_length=1, description="column that takes the kind")


class Kinds(RowStep[KindsConfig]):
    """One row per kind for every row that arrives."""

    Config = KindsConfig
    expands = True

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, {self.config.column: "string"}, ("column",))

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        twice = {kind for kind in self.config.kinds if self.config.kinds.count(kind) > 1}
        if twice or not all(self.config.kinds):
            yield ConfigProblem(("kinds",), f"kinds are doubled or empty: {self.config.kinds}", "name each once")

    async def apply(self, row: Row, ctx: Context) -> list[Mapping[str, Any]]:
        return [{**row, self.config.column: kind} for kind in self.config.kinds]
