"""A dataset step in bulk does what the same step does row by row: same rows, outcomes, ledger and digest."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attar.api import Config, DatasetStep, Drop, Fates, Reject, Row
from attar.errors import AttarError
from attar.execute.whole import WholeDataset
from attar.store.digest import dataset_digest
from attar.store.outcomes import read_outcomes
from attar.store.tables import RankWriter, StoredTable, join_ranks
from attar.testing import ListRowSet, make_rows

COLUMNS = {"text": "string", "n": "int?", "x": "float?", "tags": "list<string>?", "deep": "json?"}
OUT = {"text": "string", "deep": "json?", "n": "int", "x": "float?", "mark": "string?"}


class Given(NamedTuple):
    """One input row, and what the step is to say of it."""

    columns: dict[str, Any]
    trail: bytes | None
    code: str | None
    detail: str | None
    n: int | None
    mark: str | None


class ByRow(DatasetStep[Config]):
    """Does what it is told, row by row."""

    Config = Config
    said: Sequence[Given] = ()
    pieces: Sequence[int] = ()

    def apply(self, rows: Any, ctx: Any) -> Iterator[Any]:
        for row, said in zip(rows, self.said, strict=True):
            if said.code is not None:
                yield Drop(row, Reject(said.code, said.detail or ""))
            else:
                yield Row(row.id, {**row.columns, "n": said.n, "mark": said.mark}, row.parents)


class InBulk(ByRow):
    """The same, many rows at a time, in pieces of any size."""

    def apply_batches(self, rows: Any, ctx: Any) -> Iterator[Fates]:
        at = 0
        for size in [*self.pieces, len(self.said)]:
            some = self.said[at : at + size]
            at += len(some)
            columns = {"n": pa.array([s.n for s in some], pa.int64()), "mark": pa.array([s.mark for s in some])}
            if not any(s.code for s in some):
                yield Fates(len(some), {**columns, "mark": columns["mark"].cast(pa.string())})
                continue
            yield Fates(
                len(some),
                {**columns, "mark": columns["mark"].cast(pa.string())},
                pa.array([s.code for s in some], pa.string()),
                pa.array([s.detail for s in some], pa.string()),
            )


def stored(folder: Path, rows: Sequence[Given]) -> Path:
    writer = RankWriter(folder / "in", "00000", COLUMNS)
    for row, said in zip(make_rows([s.columns for s in rows]), rows, strict=True):
        writer.append(row.id, ("f" * 32,) if said.trail else (), said.trail, row.columns)
    join_ranks([writer.close()], folder / "table", COLUMNS)
    return folder / "table"


def job(folder: Path, step: DatasetStep[Any], table: Path) -> Any:
    planned = SimpleNamespace(
        name="s", use="t.s", step=step, inputs=("in",), columns=OUT, side={}, params={}, kind="dataset"
    )
    return SimpleNamespace(
        plan=SimpleNamespace(steps={"s": planned}, seed=1),
        stage=SimpleNamespace(steps=["s"], taps=["s"], inputs=["in"]),
        folder=folder,
        tables={"in": table},
        scratch=folder,
        stop_file=folder / "stop",
        in_driver=lambda: True,
    )


def result(folder: Path, step: DatasetStep[Any], table: Path) -> dict[str, Any]:
    for _ in WholeDataset(job(folder, step, table)).run(None, 0, 1):
        pass
    join_ranks([folder / "ranks" / "taps" / "s" / "00000.arrow"], folder / "out", OUT)
    out = StoredTable(folder / "out")
    outcomes = {
        kind: [row for path in (folder / "ranks" / kind).glob("*.arrow") for row in _outcomes(path, folder / kind)]
        for kind in ("rejected", "dead")
    }
    return {
        "rows": list(out.slice(0, None)),
        "digest": dataset_digest(out),
        "outcomes": outcomes,
        "record": orjson.loads((folder / "ranks" / "records" / "00000.json").read_bytes()),
    }


def _outcomes(path: Path, out: Path) -> Iterator[dict[str, Any]]:
    from attar.store.outcomes import join_outcomes

    join_outcomes([path], out)
    return read_outcomes(out)


TEXT = st.text(st.sampled_from('ab"\\\n\x00\x7f\u2028éहि😀 '), max_size=5)
ROWS = st.builds(
    Given,
    columns=st.fixed_dictionaries(
        {
            "text": TEXT,
            "n": st.none() | st.integers(-(2**63), 2**63 - 1),
            "x": st.none() | st.floats(allow_infinity=False, allow_nan=False),
            "tags": st.none() | st.lists(TEXT, max_size=2),
            "deep": st.none() | st.dictionaries(st.sampled_from(["b", "a"]), st.none() | TEXT | st.booleans()),
        }
    ),
    trail=st.none() | st.just(b'[{"key":"k","model":"m"}]'),
    code=st.sampled_from([None, None, "one", "two"]),
    detail=st.none() | TEXT,
    n=st.sampled_from([1, 2, 3, None]) | st.integers(0, 9),
    mark=st.none() | TEXT,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROWS, max_size=12), st.lists(st.integers(0, 5), max_size=4))
def test_bulk_and_row_by_row_leave_the_same(rows: list[Given], pieces: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = stored(folder, rows)
        found = []
        for kind in (ByRow, InBulk):
            step = kind(Config())
            step.said, step.pieces = rows, pieces
            found.append(result(folder / kind.__name__, step, table))
        assert found[0] == found[1]
        counts = found[0]["record"]["ledger"]["counts"].get("s", {"in": 0, "dead": 0, "rejected": 0})
        assert counts["in"] == len(rows)
        assert counts["rejected"] == sum(row.code is not None for row in rows)
        assert counts["dead"] == sum(row.code is None and row.n is None for row in rows)


class Only(DatasetStep[Config]):
    """Says what it is given."""

    Config = Config
    fates: Sequence[Fates] = ()

    def apply_batches(self, rows: Any, ctx: Any) -> Iterator[Fates]:
        yield from self.fates


GOOD = Given({"text": "a", "n": 1, "x": None, "tags": None, "deep": None}, None, None, None, 1, None)
NONE = pa.nulls(1, pa.string())


@pytest.mark.parametrize(
    ("fates", "word"),
    [
        ([Fates(2, {"mark": pa.nulls(2, pa.string())})], "3 rows came in, it told the fate of 2"),
        ([Fates(2, {"mark": pa.nulls(2, pa.string())}), Fates(2)], "3 rows came in, it told the fate of at least 4"),
        ([Fates(3, {"mark": NONE})], "3 rows have 1 values of 'mark'"),
        ([Fates(3, reject=NONE)], "3 rows have 1 values of 'reject'"),
        ([Fates(3)], "says it writes column 'mark'"),
        ([], "3 rows came in, it told the fate of 0"),
    ],
)
def test_a_step_that_loses_or_invents_rows_fails_by_name(tmp_path: Path, fates: list[Fates], word: str) -> None:
    step = Only(Config())
    step.fates = fates
    with pytest.raises(AttarError, match=word) as caught:
        result(tmp_path / "run", step, stored(tmp_path, [GOOD] * 3))
    assert caught.value.diagnostics[0].code == "E722"
    assert "'s'" in str(caught.value)


def test_apply_of_a_bulk_step_is_the_same_row_by_row() -> None:
    step = Only(Config())
    step.fates = [
        Fates(1, {"n": pa.array([7])}, None),
        Fates(2, None, pa.array(["late", None]), pa.array(["too late", None])),
    ]
    rows = make_rows([{"n": n} for n in range(3)])
    out = list(step.apply(ListRowSet(rows), None))
    assert [type(item) for item in out] == [Row, Drop, Row]
    assert out[0]["n"] == 7 and out[0].id == rows[0].id
    assert out[1] == Drop(rows[1], Reject("late", "too late"))


def test_a_step_without_either_says_so() -> None:
    with pytest.raises(NotImplementedError):
        list(DatasetStep(Config()).apply(ListRowSet([]), None))
