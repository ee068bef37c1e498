"""std.union: rows of several steps, one after the other."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Drop, MergeStep, New, Reject, Row, RowSet, nullable

from ._fitting import common


class UnionConfig(Config):
    fill: bool = Field(False, description="a column that one input lacks is null there; otherwise that is a mistake")


class Union(MergeStep[UnionConfig]):
    """All rows of its inputs, in the order of `from`. A row that comes by two ways (the same id) is kept once, where it
    comes first; the second is rejected as `duplicate_id`."""

    Config = UnionConfig

    def merged(self, incoming: Mapping[str, Columns]) -> Columns:
        result: dict[str, str] = {}
        for step, columns in incoming.items():
            for name, kind in columns.items():
                if name not in result:
                    result[name] = kind
                    continue
                both = common(result[name], kind)
                if both is None:
                    raise ConfigProblem(
                        (),
                        f"column {name!r} is {result[name]} before and {kind} in {step!r}",
                        "derive one type",
                        "E503",
                    )
                result[name] = both
        for step, columns in incoming.items():
            for name in result:
                if name not in columns:
                    if not self.config.fill:
                        raise ConfigProblem(
                            ("fill",), f"{step!r} has no column {name!r}", "add fill: true, or select columns", "E501"
                        )
                    result[name] = nullable(result[name])
        return result

    def merge(self, inputs: Mapping[str, RowSet], ctx: Context) -> Iterator[Row | Drop | New]:
        columns = self.merged({step: rows.columns for step, rows in inputs.items()})
        floats = {name for name, kind in columns.items() if kind.startswith("float")}
        twice = _repeated(inputs)
        seen: dict[str, str] = {}
        for step, rows in inputs.items():
            for row in rows:
                if row.id in twice:
                    if row.id in seen:
                        yield Drop(row, Reject("duplicate_id", f"came with {seen[row.id]!r} already"))
                        continue
                    seen[row.id] = step
                values: dict[str, Any] = {name: row.get(name) for name in columns}
                for name in floats:
                    if type(values[name]) is int:
                        values[name] = float(values[name])
                yield Row(row.id, values, row.parents, row.attempt)


def _repeated(inputs: Mapping[str, RowSet]) -> set[str]:
    """Ids that come more than once: found on 16 bytes each, so that only those are held as text."""
    import numpy as np

    ids = array("Q")
    for rows in inputs.values():
        for batch in rows.batches():
            ids.frombytes(bytes.fromhex("".join(batch.column("id").to_pylist())))
    if not len(ids):
        return set()
    table = np.frombuffer(ids, dtype=np.uint64).reshape(-1, 2)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    same = (table[1:] == table[:-1]).all(axis=1)
    return {table[i].tobytes().hex() for i in np.flatnonzero(same).tolist()}
