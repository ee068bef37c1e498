"""std.derive: new columns from expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from attar.api import BatchResult, Columns, Config, ConfigProblem, Context, ParsedType, Reject, Row, RowStep, parse_type

from ._batch import records_of
from ._expr import Expression, fault
from ._expr_types import type_of
from ._types import Misfit, arrow_array, fitter, parse_columns
from .filter import FAULT

if TYPE_CHECKING:
    import pyarrow as pa


class DeriveConfig(Config):
    columns: dict[str, str] = Field(
        ..., min_length=1, description="column → expression; made in order, so a later one may read an earlier one"
    )
    types: dict[str, str] = Field(
        default_factory=dict,
        description="type of a column whose expression does not tell it (`words: int`); else it is json",
    )
    replace: bool = Field(False, description="a column may overwrite one of the same name")


class Derive(RowStep[DeriveConfig]):
    """Adds columns computed by expressions: `columns: {words: "text | wordcount", text: "text | nfc"}`.

    The type of a column is its declared one, else what the expression shows (literals, columns, comparisons,
    arithmetic, the common filters), else json. A row whose expression fails is rejected as `expression`, one whose
    value does not fit the type as `schema`.
    """

    Config = DeriveConfig

    def __init__(self, config: DeriveConfig) -> None:
        super().__init__(config)
        self._made = {name: Expression(text) for name, text in config.columns.items()}
        self._types: dict[str, ParsedType] | None = None

    def reads(self, incoming: Columns) -> Columns:
        needed: dict[str, str] = {}
        made: set[str] = set()
        for name, expression in self._made.items():
            needed.update(dict.fromkeys(sorted(expression.variables() - made), "any"))
            made.add(name)
        return needed

    def writes(self, incoming: Columns) -> Columns:
        self._types = self._infer(incoming)
        new = {name: kind.text() for name, kind in self._types.items()}
        if self.config.replace:
            return {**incoming, **new}
        for name in new:
            if name in incoming:
                self.add(incoming, {name: new[name]}, ("columns", name))
        return self.add(incoming, new, ("columns",))

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        for name, expression in self._made.items():
            yield from expression.problems(("columns", name))
        for name in self.config.types:
            if name not in self._made:
                yield ConfigProblem(("types", name), f"types names {name!r}, which columns does not make", "remove it")

    def _infer(self, incoming: Columns) -> dict[str, ParsedType]:
        try:
            declared = parse_columns(self.config.types)
        except ValueError as error:
            name, message = error.args
            raise ConfigProblem(("types", name), message, "types: string int float bool json list<T>") from None
        known = {}
        for name, text in incoming.items():
            known[name] = parse_type(text)
        result = {}
        for name, expression in self._made.items():
            kind = declared.get(name) or type_of(expression.text, known) or ParsedType("json", True)
            result[name] = known[name] = kind
        return result

    def _fitted(self) -> dict[str, ParsedType]:
        return self._types if self._types is not None else self._infer({})

    def _make(self, row: Mapping[str, Any], fits: Mapping[str, Any]) -> dict[str, Any] | Reject:
        known, made = dict(row), {}
        for name, expression in self._made.items():
            try:
                made[name] = known[name] = fits[name](expression(known))
            except Misfit as problem:
                return Reject("schema", f"column {name!r}: {problem}")
            except Exception as error:
                return Reject(FAULT, f"column {name!r}: {fault(error)}")
        return made

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        return self._make(row, {name: fitter(kind) for name, kind in self._fitted().items()})

    def apply_batch(self, batch: pa.RecordBatch, ctx: Context) -> BatchResult:
        import pyarrow as pa

        types = self._fitted()
        fits = {name: fitter(kind) for name, kind in types.items()}
        values: dict[str, list[Any]] = {name: [] for name in types}
        codes: list[str | None] = []
        for record in records_of(batch, self.reads({}).keys()):
            made = self._make(record, fits)
            bad = isinstance(made, Reject)
            codes.append(made.code if isinstance(made, Reject) else None)
            for name, column in values.items():
                column.append(None if bad else made[name])  # type: ignore[call-overload]
        columns = {name: arrow_array(values[name], kind) for name, kind in types.items()}
        return BatchResult(columns, pa.array(codes, pa.string()) if any(codes) else None)
