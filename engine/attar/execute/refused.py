"""Rejected rows of a batch as outcomes and in the ledger, without a Python object per row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attar.api import json_lines
from attar.store.ledger import EXAMPLES
from attar.store.outcomes import OUTCOME_SCHEMA
from attar.store.tables import HIDDEN

if TYPE_CHECKING:
    import pyarrow as pa

    from attar.store.ledger import Ledger


def outcome_batch(stored: pa.RecordBatch, step: str, codes: pa.Array, details: pa.Array | None) -> pa.RecordBatch:
    """Stored rows (hidden columns included), all of them refused by a step, as outcomes.

    Args:
        codes: one reason code per row, no nulls.
        details: one text per row, nulls count as none; or None.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    n = stored.num_rows
    texts = pa.repeat(pa.scalar(""), n) if details is None else pc.fill_null(details.cast(pa.string()), "")
    names = {name: name for name in stored.schema.names if name not in HIDDEN}
    arrays: list[Any] = [
        stored.column("__id"),
        pa.repeat(pa.scalar(step), n),
        codes.cast(pa.string()),
        texts,
        pa.repeat(pa.scalar(1, pa.int64()), n),
        stored.column("__parents"),
        json_lines(stored, names).cast(pa.string()),
        stored.column("__trail").cast(pa.string()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=OUTCOME_SCHEMA)


def note_reasons(ledger: Ledger, outcomes: pa.RecordBatch, kind: str, orders: pa.Array) -> None:
    """Counts outcomes of one step in the ledger, with their first examples.

    Args:
        orders: the rows' places in the run's input, ascending.
    """
    import pyarrow.compute as pc

    if not outcomes.num_rows:
        return
    step = outcomes.column("step")[0].as_py()
    codes = outcomes.column("code")
    for counted in pc.value_counts(codes).to_pylist():
        code = counted["values"]
        places = pc.indices_nonzero(pc.equal(codes, code)).slice(0, EXAMPLES)
        first = outcomes.take(places)
        examples = zip(
            orders.take(places).to_pylist(),
            first.column("id").to_pylist(),
            first.column("detail").to_pylist(),
            strict=True,
        )
        ledger.count(step, kind, counted["counts"])
        ledger.reasons(step, kind, code, counted["counts"], examples)
