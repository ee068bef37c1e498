"""Dataset steps in bulk: what a step says of many rows at once is put on the rows as they are read again beside it.

By order every row has exactly one fate; a step that says more or less than there are rows fails the run by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from attar.api import Fates
from attar.errors import AttarError, fail
from attar.execute.options import Interrupted
from attar.execute.refused import note_reasons, outcome_batch
from attar.execute.results import Emitted, RowResult
from attar.store.arrow import column_values, from_batch, to_schema
from attar.store.tables import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from attar.execute.ranks import RankFiles
    from attar.plan.types import PlannedStep
    from attar.store.tables import StoredTable


class BulkFates:
    """Puts the fates of a table's rows on them and writes what comes of it."""

    def __init__(self, planned: PlannedStep, table: StoredTable, files: RankFiles) -> None:
        self._step = planned.name
        self._columns = planned.columns
        self._schema = to_schema(planned.columns)
        self._table = table
        self._files = files

    def take_all(self, fates: Iterator[Fates], stopping: Callable[[], bool]) -> None:
        """Reads the table once, beside the fates.

        Raises:
            AttarError: E722, the step told the fates of more or fewer rows than there are, or arrays of another length.
            Interrupted: the user asked to stop.
        """
        stored = _Stored(self._table)
        told = 0
        self._files.ledger.count(self._step, "in", 0)  # a step that gets no rows has its line, too
        for some in fates:
            if stopping():
                raise Interrupted
            told += some.rows
            self._demand(some, told)
            at = 0
            for batch in stored.next_rows(some.rows):
                self._put(batch, _part(some, at, batch.num_rows))
                at += batch.num_rows
                self._files.progress({})
        if told != len(self._table):
            raise self._fault(f"{len(self._table)} rows came in, it told the fate of {told}")

    def _demand(self, some: Fates, told: int) -> None:
        if told > len(self._table):
            raise self._fault(f"{len(self._table)} rows came in, it told the fate of at least {told}")
        named = {"reject": some.reject, "detail": some.detail, **(some.columns or {})}
        for name, array in named.items():
            if array is not None and len(array) != some.rows:
                raise self._fault(f"the fates of {some.rows} rows have {len(array)} values of {name!r}")

    def _put(self, stored: pa.RecordBatch, some: Fates) -> None:
        refused: Any = None
        kept = stored
        columns = dict(some.columns or {})
        if some.reject is not None and some.reject.null_count < some.rows:
            out = pc.is_valid(some.reject)
            places = pc.indices_nonzero(out)
            details = None if some.detail is None else some.detail.take(places)
            refused = outcome_batch(stored.take(places), self._step, some.reject.take(places), details)
            orders = pc.add(places.cast(pa.int64()), self._files.order)
            stays = pc.invert(out)
            kept = stored.filter(stays)
            columns = {name: array.filter(stays) for name, array in columns.items()}
        if kept.num_rows and not self._keep(kept, columns):
            self._one_by_one(stored, some)
        count = self._files.ledger.count
        count(self._step, "in", some.rows)
        count(self._step, "accepted", kept.num_rows)
        if refused is not None:
            note_reasons(self._files.ledger, refused, "rejected", orders)
            self._files.append_outcomes("rejected", refused)
        self._files.done += some.rows

    def _keep(self, kept: pa.RecordBatch, columns: dict[str, pa.Array]) -> bool:
        """Writes rows that stay; False, and nothing written, where some of them break their declared types."""
        arrays = []
        for field in self._schema:
            array = columns.get(field.name)
            if array is None:
                at = kept.schema.get_field_index(field.name)
                if at < 0:
                    raise self._fault(f"the step says it writes column {field.name!r}, and did not")
                array = kept.column(at)
            if array.type != field.type:
                array = array.cast(field.type)
            arrays.append(array)
        if any(array.null_count and not field.nullable for array, field in zip(arrays, self._schema, strict=True)):
            return False
        hidden = [kept.column(name) for name in HIDDEN]
        names = [*self._schema.names, *HIDDEN]
        self._files.append_batch(self._step, pa.RecordBatch.from_arrays([*arrays, *hidden], names=names))
        return True

    def _one_by_one(self, stored: pa.RecordBatch, some: Fates) -> None:
        """The rows that stay, among which are some that break their declared types: those become dead letters."""
        rows = from_batch(stored.select([name for name in stored.schema.names if name not in HIDDEN]))
        ids, parents, trails = (stored.column(name).to_pylist() for name in HIDDEN)
        new = {name: column_values(array, self._schema.field(name)) for name, array in (some.columns or {}).items()}
        out = [False] * len(rows) if some.reject is None else pc.is_valid(some.reject).to_pylist()
        results: list[RowResult] = []
        for i, row in enumerate(rows):
            emitted: list[Emitted] = []  # a refused row keeps its place, by which examples are chosen
            if not out[i]:
                columns = {**row, **{name: values[i] for name, values in new.items()}}
                emitted.append(Emitted(self._step, ids[i], tuple(parents[i]), trails[i], columns))
            results.append(RowResult(emitted, [], [], []))
        done = self._files.done
        self._files.write(results)
        self._files.done = done  # `_put` counts them

    def _fault(self, what: str) -> AttarError:
        return fail(
            "E722",
            f"step {self._step!r} did not account for its rows: {what}",
            help="this is a fault of the step's plugin: report it to its authors",
            exit_code=1,
        )


class _Stored:
    """A table's batches, hidden columns included, handed out in pieces of any size."""

    def __init__(self, table: StoredTable) -> None:
        self._coming = table.batch_slice(0, None)
        self._rest: pa.RecordBatch | None = None

    def next_rows(self, rows: int) -> Iterator[pa.RecordBatch]:
        while rows:
            batch = self._rest if self._rest is not None else next(self._coming)
            self._rest = batch.slice(rows) if batch.num_rows > rows else None
            batch = batch.slice(0, min(rows, batch.num_rows))
            rows -= batch.num_rows
            if batch.num_rows:
                yield batch


def _part(some: Fates, start: int, rows: int) -> Fates:
    if not start and rows == some.rows:
        return some
    columns = some.columns and {name: array.slice(start, rows) for name, array in some.columns.items()}
    reject = None if some.reject is None else some.reject.slice(start, rows)
    detail = None if some.detail is None else some.detail.slice(start, rows)
    return Fates(rows, columns, reject, detail)


__all__: Sequence[str] = ("BulkFates",)
