"""personas.skew: how far a set of personas is from a population table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, RecipePath, RowSet, Sink
from attar_personas.population.tables import DEFAULT_TABLE, TableError, load_table, table_path
from attar_personas.population.types import Table, Variable
from attar_personas.population.weights import near

if TYPE_CHECKING:
    import pyarrow as pa

MOST_PAIRS = 200_000  # cells of a table of two variables; a larger pair is left out of the report, by name
DETECTABLE = ("state", "religion", "mother_tongue")


class SkewConfig(Config):
    """See Skew."""

    table: Annotated[str, RecipePath()] = Field(DEFAULT_TABLE, description="population table to hold the rows against")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="variable of the table → column of the rows (`state: my_state`); the others by their own name",
    )
    values: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="variable → value in the rows → value of the table (`state: {Orissa: Odisha}`)",
    )
    text: str | None = Field(None, description="column with free text in which `detect` looks for names of values")
    detect: list[str] = Field(
        list(DETECTABLE),
        description="variables looked for in `text` where the rows have no column for them; an approximation: a row "
        "counts for the one value of the variable that its text names, rows that name none or several count apart",
    )
    pairs: bool = Field(True, description="also each variable together with each one it depends on")


class Skew(Sink[SkewConfig]):
    """Reports the skew of any set of personas against a population table: skew.md to read, skew.json and skew.csv.

    For each variable with a column: the count of each value, its share among known values, the expected share, the
    difference; and over all values the total variation distance (half the sum of the absolute differences: the share of
    rows that would have to change), chi-square, degrees of freedom and p. Likewise, where both have columns, for each
    variable together with each one it directly depends on, which shows skew that the single ones hide. Empty values,
    and values the table does not know, are counted apart and enter no share. Values are compared without regard to case
    and surrounding space.

    Expected shares are exact sums over the table; where the report says otherwise, they are estimated from 4,000,000
    drawn persons, since the exact sum is too large. A p-value tells whether a difference can be chance, not
    whether it is large: with many rows tiny differences are certain, so look at the distance first. Of very few rows
    (fewer than 5 expected) cells are pooled.

    Also an output format: `format: skew`.
    """

    Config = SkewConfig

    def _table(self) -> Table:
        return load_table(table_path(self.config.table))

    def inputs(self) -> Sequence[str]:
        try:
            return [str(file) for file in self._table().files]
        except TableError:
            return ()  # told by check

    def reads(self, incoming: Columns) -> Columns:
        named = dict.fromkeys(self.config.columns.values(), "any")
        return {**named, **({self.config.text: "string?"} if self.config.text is not None else {})}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        try:
            table = self._table()
        except TableError as error:
            for message, help in error.faults:
                yield ConfigProblem(("table",), message, help)
            return
        known = list(table.variables)
        for field, names in (("columns", config.columns), ("values", config.values)):
            for name in names:
                if name not in table.variables:
                    yield ConfigProblem((field, name), f"the table has no variable {name!r}", near(name, known))
        for variable, column in config.columns.items():
            if _counted(incoming.get(column, "string")):
                continue
            message = f"column {column!r} is {incoming[column]}; expected text, a whole number or a bool"
            yield ConfigProblem(("columns", variable), message, "name another column", "E503")
        for name, renamed in config.values.items():
            variable_ = table.variables.get(name)
            for value, meant in renamed.items() if variable_ is not None else ():
                if meant not in variable_.values:  # type: ignore[union-attr]
                    help = near(meant, variable_.values)  # type: ignore[union-attr]
                    yield ConfigProblem(("values", name, value), f"{name} has no value {meant!r}", help)
        if "detect" in config.model_fields_set:
            for i, name in enumerate(config.detect):
                if name not in table.variables:
                    yield ConfigProblem(("detect", i), f"the table has no variable {name!r}", near(name, known))
        if not self._read(table, incoming) and not self._detected(table, incoming):
            help = f"say `columns: {{<variable>: <column>}}`; variables: {', '.join(known)}"
            yield ConfigProblem(("columns",), "no column that arrives is a variable of the table", help)

    def _read(self, table: Table, incoming: Columns) -> dict[str, str]:
        """Variable → column, for those with one."""
        found = {name: name for name in table.variables if _counted(incoming.get(name, "any"))}
        return {name: column for name, column in {**found, **self.config.columns}.items() if column in incoming}

    def _detected(self, table: Table, incoming: Columns) -> list[str]:
        if self.config.text is None:
            return []
        read = self._read(table, incoming)
        return [name for name in self.config.detect if name in table.variables and name not in read]

    def write(self, rows: RowSet, ctx: Context) -> None:
        from attar_personas.population.skew_report import report, write_report

        table = self._table()
        tally = Tally(
            table,
            self._read(table, rows.columns),
            self._detected(table, rows.columns),
            self.config.text,
            self.config.values,
            pairs=self.config.pairs,
        )
        for batch in rows.batches():
            tally.add(batch)
        write_report(report(table, tally), Path(ctx.out))


class Tally:
    """Counts values of persons, a batch at a time: flat in memory.

    Args:
        columns: variable → column.
        detected: variables looked for in the column `text`.
        values: variable → value in the rows → value of the table.
        pairs: whether variables are counted together with those they depend on.

    Attributes:
        rows: how many there were.
        counts: of each variable, the count of each value, then of unknown, several (detected ones) and empty.
        together: the same for pairs (condition, variable), both known.
        unknown: for each variable, up to 1,000 distinct unknown values with their counts.
        left_out: pairs that are too large.
    """

    def __init__(
        self,
        table: Table,
        columns: Mapping[str, str],
        detected: Sequence[str] = (),
        text: str | None = None,
        values: Mapping[str, Mapping[str, str]] | None = None,
        *,
        pairs: bool = True,
    ) -> None:
        import numpy as np
        import pyarrow as pa

        self.table = table
        self.columns = dict(columns)
        self.detected = list(detected)
        self.rows = 0
        self._text = text
        self._finders = {name: _Finder(table.variables[name]) for name in detected}
        self._known: dict[str, tuple[pa.Array, Any]] = {}
        self.counts: dict[str, Any] = {}
        self.unknown: dict[str, dict[str, int]] = {name: {} for name in columns}
        for name in table.variables:
            if name not in columns and name not in self._finders:
                continue
            known = table.variables[name].values
            self.counts[name] = np.zeros(len(known) + 3, dtype=np.int64)
            names = {_folded(value): i for i, value in enumerate(known)}
            renamed = {_folded(a): known.index(b) for a, b in (values or {}).get(name, {}).items()}
            both = {**names, **renamed}
            self._known[name] = pa.array(list(both), pa.string()), np.array(list(both.values()), dtype=np.int64)
        self.together: dict[tuple[str, str], Any] = {}
        self.left_out: list[tuple[str, str]] = []
        for name in self.counts if pairs else ():
            for other in table.variables[name].conditions:
                if other in self.counts:
                    shape = len(table.variables[other].values), len(table.variables[name].values)
                    if shape[0] * shape[1] <= MOST_PAIRS:
                        self.together[other, name] = np.zeros(shape, dtype=np.int64)
                    else:
                        self.left_out.append((other, name))

    def add(self, batch: pa.RecordBatch) -> None:
        """Counts the rows of a batch."""
        import numpy as np

        self.rows += batch.num_rows
        codes = {name: self._codes(name, batch) for name in self.counts}
        for name, found in codes.items():
            self.counts[name] += np.bincount(found, minlength=len(self.counts[name]))
        for (other, name), counts in self.together.items():
            high, wide = counts.shape
            both = (codes[other] < high) & (codes[name] < wide)
            flat = codes[other][both] * wide + codes[name][both]
            counts += np.bincount(flat, minlength=high * wide).reshape(high, wide)

    def _codes(self, name: str, batch: pa.RecordBatch) -> Any:
        """Each row's value by number; past the values, 0 is unknown, 1 several, 2 empty."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        size = len(self.table.variables[name].values)
        if name in self._finders:
            texts = batch.column(self._text).to_pylist()
            return np.array([size + 2 if not one else self._finders[name](one) for one in texts], dtype=np.int64)
        column = batch.column(self.columns[name])
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        folded = pc.utf8_lower(pc.utf8_trim_whitespace(pc.utf8_normalize(column.cast(pa.string()), "NFC")))
        known, positions = self._known[name]
        found = pc.index_in(folded, value_set=known).fill_null(len(positions)).to_numpy(zero_copy_only=False)
        codes = np.append(positions, size)[found]
        empty = pc.fill_null(pc.equal(folded, ""), True).to_numpy(zero_copy_only=False)
        codes[empty] = size + 2
        strange = codes == size
        if strange.any():
            self._note(name, column.filter(pa.array(strange)))
        return codes

    def _note(self, name: str, strange: pa.Array) -> None:
        import pyarrow as pa

        held = self.unknown[name]
        for one in strange.cast(pa.string()).value_counts().to_pylist():
            value = one["values"]
            if value in held or len(held) < 1000:
                held[value] = held.get(value, 0) + one["counts"]


class _Finder:
    """Looks for the names of a variable's values in a text, longest first: `West Bengal` is not `Bengal`."""

    def __init__(self, variable: Variable) -> None:
        import regex

        self._size = len(variable.values)
        self._codes = {_folded(value): i for i, value in enumerate(variable.values) if value != "none"}
        names = sorted(self._codes, key=len, reverse=True)
        pattern = "|".join(regex.escape(name) for name in names)
        self._pattern = regex.compile(rf"(?<![\p{{L}}\p{{M}}\p{{N}}])(?:{pattern})(?![\p{{L}}\p{{M}}\p{{N}}])")

    def __call__(self, text: str) -> int:
        found = {self._codes[match] for match in self._pattern.findall(_folded(text))}
        return found.pop() if len(found) == 1 else self._size + bool(found)


def _folded(value: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFC", value).strip().lower()


def _counted(kind: str) -> bool:
    return kind.removesuffix("?") in ("string", "int", "bool")
