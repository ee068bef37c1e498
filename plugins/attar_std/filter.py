"""std.filter: keep the rows for which an expression is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from attar.api import BatchResult, Columns, Config, ConfigProblem, Context, Reject, Row, RowStep

from ._batch import records_of
from ._expr import Expression

if TYPE_CHECKING:
    import pyarrow as pa


class FilterConfig(Config):
    where: str = Field(..., min_length=1, description="expression over the row's columns; rows stay where it is true")
    code: str = Field("filtered", pattern=r"^[a-z][a-z0-9_]*$", description="reason code of the rows that go")


class Filter(RowStep[FilterConfig]):
    """Keeps rows for which `where` is true. The others are rejected with `code`; a row for which the expression itself
    fails (a null where text is needed) is dead-lettered as `expression`, so that a fault is not taken for an answer."""

    Config = FilterConfig

    def __init__(self, config: FilterConfig) -> None:
        super().__init__(config)
        self._where = Expression(config.where)
        self._incoming: Columns = {}

    def reads(self, incoming: Columns) -> Columns:
        return dict.fromkeys(sorted(self._where.variables()), "any")

    def writes(self, incoming: Columns) -> Columns:
        self._incoming = dict(incoming)
        return dict(incoming)

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        yield from self._where.problems(("where",))

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        if self._where.of_row(row):
            return {}
        return Reject(self.config.code, self._detail)

    def apply_batch(self, batch: pa.RecordBatch, ctx: Context) -> BatchResult:
        """As `apply`; raises for a batch that holds a faulty row, and the engine then goes row by row."""
        import pyarrow as pa

        rows = records_of(batch, self._where.variables(), self._incoming)
        codes = [None if self._where.of_row(row) else self.config.code for row in rows]
        if not any(codes):
            return BatchResult({})
        return BatchResult({}, pa.array(codes, pa.string()), pa.repeat(pa.scalar(self._detail), len(codes)))

    @property
    def _detail(self) -> str:
        return f"not true: {self.config.where}"
