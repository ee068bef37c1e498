"""std.filter: keep the rows for which an expression is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from attar.api import BatchResult, Columns, Config, ConfigProblem, Context, Reject, Row, RowStep

from ._batch import records_of
from ._expr import Expression, fault

if TYPE_CHECKING:
    import pyarrow as pa

FAULT = "expression"


class FilterConfig(Config):
    where: str = Field(..., min_length=1, description="expression over the row's columns; rows stay where it is true")
    code: str = Field("filtered", pattern=r"^[a-z][a-z0-9_]*$", description="reason code of the rows that go")


class Filter(RowStep[FilterConfig]):
    """Keeps rows for which `where` is true. The others are rejected with `code`; a row for which the expression itself
    fails (a null where text is needed) is rejected as `expression`, so that a fault is not taken for an answer."""

    Config = FilterConfig

    def __init__(self, config: FilterConfig) -> None:
        super().__init__(config)
        self._where = Expression(config.where)

    def reads(self, incoming: Columns) -> Columns:
        return dict.fromkeys(sorted(self._where.variables()), "any")

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        yield from self._where.problems(("where",))

    def _reason(self, row: Mapping[str, Any]) -> Reject | None:
        try:
            return None if self._where(row) else Reject(self.config.code, f"not true: {self.config.where}")
        except Exception as error:
            return Reject(FAULT, fault(error))

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        return self._reason(row) or {}

    def apply_batch(self, batch: pa.RecordBatch, ctx: Context) -> BatchResult:
        import pyarrow as pa

        reasons = map(self._reason, records_of(batch, self._where.variables()))
        codes = [reason and reason.code for reason in reasons]
        return BatchResult({}, pa.array(codes, pa.string()))
