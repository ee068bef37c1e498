"""std.derive: new columns from expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from attar.api import (
    BatchResult,
    Columns,
    Config,
    ConfigProblem,
    Context,
    ParsedType,
    Row,
    RowError,
    RowStep,
    parse_type,
)

from ._batch import records_of
from ._expr import Expression
from ._expr_types import type_of
from ._types import Misfit, arrow_array, fitter, parse_columns

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
    """Adds columns computed by expressions: `columns: {words: "text | words", text: "text | nfc"}`.

    The type of a column is its declared one, else what the expression shows (literals, columns, comparisons,
    arithmetic, the common filters), else json. A row whose expression fails is dead-lettered as `expression`, one whose
    value does not fit the type as `schema`.
    """

    Config = DeriveConfig

    def __init__(self, config: DeriveConfig) -> None:
        super().__init__(config)
        self._made = {name: Expression(text) for name, text in config.columns.items()}
        self._types: dict[str, ParsedType] | None = None
        self._incoming: Columns = {}

    def reads(self, incoming: Columns) -> Columns:
        needed: dict[str, str] = {}
        made: set[str] = set()
        for name, expression in self._made.items():
            needed.update(dict.fromkeys(sorted(expression.variables() - made), "any"))
            made.add(name)
        return needed

    def overwrites(self, incoming: Columns) -> Sequence[str]:
        return [name for name in self._made if name in incoming]

    def writes(self, incoming: Columns) -> Columns:
        self._incoming = dict(incoming)
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

    def _make(self, row: Mapping[str, Any], fits: Mapping[str, Any]) -> dict[str, Any]:
        known, made = dict(row), {}
        for name, expression in self._made.items():
            value = expression.of_row(known)
            try:
                made[name] = known[name] = fits[name](value)
            except Misfit as problem:
                raise RowError("schema", f"column {name!r}: {problem}") from None
        return made

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        return self._make(row, {name: fitter(kind) for name, kind in self._fitted().items()})

    def apply_batch(self, batch: pa.RecordBatch, ctx: Context) -> BatchResult:
        """As `apply`; raises for a batch that holds a faulty row, and the engine then goes row by row."""
        types = self._fitted()
        fits = {name: fitter(kind) for name, kind in types.items()}
        made = [self._make(row, fits) for row in records_of(batch, self.reads({}).keys(), self._incoming)]
        return BatchResult({name: arrow_array([row[name] for row in made], kind) for name, kind in types.items()})
