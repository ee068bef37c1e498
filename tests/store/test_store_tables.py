"""Stored tables: equal bytes whatever the ranks, slices and sorts equal to those of a plain list."""

from __future__ import annotations

import gc
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attar.store import tables as tables_module
from attar.store.arrow import from_batch, to_batch
from attar.store.digest import batches_digest, dataset_digest
from attar.store.tables import HIDDEN, RankWriter, StoredTable, hidden_batch, join_ranks

COLUMNS = {
    "persona": "string",
    "age": "int?",
    "score": "float?",
    "ok": "bool?",
    "tags": "list<string>",
    "more": "struct<a:int?,j:json>",
    "raw": "json",
}


def some_rows(n: int, seed: int = 3) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {
            "persona": rng.choice(["किसान", "ശില്പി", "ব্যবসায়ী", "nurse", ""]) + str(rng.randrange(50)),
            "age": rng.choice([None, rng.randrange(-5, 90)]),
            "score": rng.choice([None, rng.random(), -0.0, 0.0, float("inf")]),
            "ok": rng.choice([None, True, False]),
            "tags": ["शिक्षा"] * rng.randrange(3),
            "more": {"a": rng.choice([None, 1]), "j": {"deep": [i, None]}},
            "raw": rng.choice([None, 1, "x", {"b": 1, "a": 2}]),
        }
        for i in range(n)
    ]


def store(folder: Path, rows: list[dict[str, Any]], ranks: int = 1, batch: int = 0, **cuts: int) -> StoredTable:
    """Writes rows through `ranks` rank files, one by one or in batches of `batch`."""
    files = []
    for rank in range(ranks):
        writer = RankWriter(folder / f"ranks{ranks}-{batch}", f"{rank:05d}", COLUMNS)
        start, stop = rank * len(rows) // ranks, (rank + 1) * len(rows) // ranks
        if batch:
            for at in range(start, stop, batch):
                part = list(range(at, min(at + batch, stop)))
                made, bad = to_batch([rows[i] for i in part], COLUMNS)
                assert not bad
                writer.append_batch(
                    hidden_batch(made, [ident(i) for i in part], [parents(i) for i in part], [trail(i) for i in part])
                )
        else:
            for i in range(start, stop):
                writer.append(ident(i), parents(i), trail(i), rows[i])
        files.append(writer.close())
    out = folder / f"out{ranks}-{batch}"
    assert join_ranks(files, out, COLUMNS, **cuts) == len(rows)
    return StoredTable(out)


def ident(i: int) -> str:
    return f"{i:032x}"


def parents(i: int) -> list[str]:
    return [ident(i + 10**6)] * (i % 3)


def trail(i: int) -> bytes | None:
    return b'[{"attempt":1}]' if i % 4 else None


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_ranks_and_batches_leave_no_trace_in_the_bytes(tmp_path: Path) -> None:
    rows = some_rows(2500)
    cuts = {"rows_per_file": 1000, "row_group": 300}
    one = store(tmp_path, rows, 1, **cuts)
    seven = store(tmp_path, rows, 7, 13, **cuts)
    assert contents(one.folder) == contents(seven.folder)
    assert list(contents(one.folder)) == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    assert [f.num_rows for f in one._footers] == [1000, 1000, 500]
    assert one._footers[0].num_row_groups == 4


def test_what_was_stored_is_read_back(tmp_path: Path) -> None:
    rows = some_rows(700)
    table = store(tmp_path, rows, 3, rows_per_file=250, row_group=100)
    assert len(table) == 700
    assert dict(table.columns) == COLUMNS
    assert [dict(row) for row in table] == rows
    assert [row.id for row in table] == [ident(i) for i in range(700)]
    assert [list(row.parents) for row in table] == [parents(i) for i in range(700)]
    assert [row for batch in table.batches() for row in from_batch(batch)] == [
        {**row, "id": ident(i)} for i, row in enumerate(rows)
    ]


def test_no_rows_leave_a_table_with_columns(tmp_path: Path) -> None:
    assert join_ranks([], tmp_path / "none", COLUMNS) == 0
    empty = RankWriter(tmp_path / "ranks", "00000", COLUMNS).close()
    join_ranks([empty], tmp_path / "empty", COLUMNS)
    assert contents(tmp_path / "none") == contents(tmp_path / "empty")
    table = StoredTable(tmp_path / "none")
    assert (len(table), list(table), dict(table.columns)) == (0, [], COLUMNS)
    assert list(table.sorted_by("age")) == []
    assert list(table.slice(0, None)) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(start=st.integers(0, 720), stop=st.none() | st.integers(0, 720))
def test_slices_are_those_of_a_list(tmp_path: Path, start: int, stop: int | None) -> None:
    rows = some_rows(700)
    folder = tmp_path / "out1-0"
    table = StoredTable(folder) if folder.exists() else store(tmp_path, rows, rows_per_file=300, row_group=70)
    expected = [(i, ident(i), tuple(parents(i)), trail(i), rows[i]) for i in range(700)][start:stop]
    assert list(table.slice(start, stop)) == expected
    batches = list(table.batch_slice(start, stop))
    assert [row for batch in batches for row in batch.column("__id").to_pylist()] == [row[1] for row in expected]
    assert all(tuple(batch.schema.names[-3:]) == HIDDEN for batch in batches)


def test_a_slice_reads_only_the_row_groups_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = store(tmp_path, some_rows(1000), rows_per_file=500, row_group=100)
    opened: list[tuple[Path, list[int]]] = []
    real = tables_module.pq.ParquetFile

    class Watched(real):  # type: ignore[misc, valid-type]
        def __init__(self, path: Path, **options: Any) -> None:
            self.path = path
            super().__init__(path, **options)

        def iter_batches(self, size: int, row_groups: list[int], **options: Any) -> Any:
            opened.append((self.path, row_groups))
            return super().iter_batches(size, row_groups=row_groups, **options)

    monkeypatch.setattr(tables_module.pq, "ParquetFile", Watched)
    assert [row[0] for row in table.slice(620, 710)] == list(range(620, 710))
    assert [(path.name, groups) for path, groups in opened] == [("part-00001.parquet", [1, 2])]


def order(value: Any) -> tuple[Any, ...]:
    if value is None:
        return (0,)
    return (1,) if isinstance(value, float) and math.isnan(value) else (2, value)


@pytest.mark.parametrize("memory", [2000, 1 << 26])
@pytest.mark.parametrize("keys", [("persona",), ("ok", "age"), ("score", "persona"), ("age",), ("id",), ()])
def test_sorting_is_that_of_sorted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int, keys: tuple[str, ...]
) -> None:
    monkeypatch.setattr(tables_module, "SORT_BYTES", memory)
    monkeypatch.setattr(tables_module, "_READ_ROWS", 10)  # pieces of 80 rows: a merge of nine runs
    rows = some_rows(700)
    for i in range(0, 700, 50):
        rows[i]["score"] = math.nan
    table = store(tmp_path, rows, rows_per_file=300, row_group=70)
    expected = sorted(range(700), key=lambda i: tuple(order(ident(i) if key == "id" else rows[i][key]) for key in keys))
    ordered = table.sorted_by(*keys)
    assert [row.id for row in ordered] == [ident(i) for i in expected]
    assert [row.id for row in ordered] == [ident(i) for i in expected]  # again: it can be read twice
    first = next(iter(ordered.slice(0, 1)))
    assert first[1:4] == (ident(expected[0]), tuple(parents(expected[0])), trail(expected[0]))
    assert len(ordered) == 700


def test_the_sorted_copy_goes_with_its_object(tmp_path: Path) -> None:
    table = store(tmp_path, some_rows(50))
    ordered = table.sorted_by("age")
    assert list(tmp_path.glob(".sort-*"))
    rows = iter(ordered)
    del ordered
    assert len(list(rows)) == 50
    del rows
    gc.collect()
    assert not list(tmp_path.glob(".sort-*"))


@pytest.mark.parametrize("key", ["tags", "more", "raw", "nowhere"])
def test_what_has_no_order_cannot_be_sorted_by(tmp_path: Path, key: str) -> None:
    table = store(tmp_path, some_rows(5))
    with pytest.raises(ValueError, match=key):
        table.sorted_by(key)
    assert not list(tmp_path.glob(".sort-*"))


def test_a_rank_file_has_its_name_only_once_it_is_whole(tmp_path: Path) -> None:
    writer = RankWriter(tmp_path, "00000", COLUMNS)
    writer.append("a", [], None, some_rows(1)[0])
    assert not list(tmp_path.glob("[0-9]*"))
    writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["00000.arrow"]


def test_joining_again_after_a_kill_gives_the_same(tmp_path: Path) -> None:
    rows = some_rows(100)
    table = store(tmp_path, rows)
    before = contents(table.folder)
    leftover = table.folder.with_name(f".{table.folder.name}.joining")
    leftover.mkdir()
    (leftover / "part-00007.parquet").write_bytes(b"half")
    files = sorted((tmp_path / "ranks1-0").glob("[0-9]*"))
    join_ranks(files, table.folder, COLUMNS)
    assert contents(table.folder) == before
    assert not leftover.exists()


def test_the_digest_sees_rows_order_and_values_and_nothing_else(tmp_path: Path) -> None:
    rows = some_rows(300)
    one = dataset_digest(store(tmp_path, rows, 1, rows_per_file=100, row_group=30))
    assert dataset_digest(store(tmp_path, rows, 7, 11)) == one
    moved = [rows[1], rows[0], *rows[2:]]
    assert dataset_digest(store(tmp_path / "moved", moved)) != one
    changed = [dict(row) for row in rows]
    changed[299]["more"] = {**changed[299]["more"], "j": 0}
    assert dataset_digest(store(tmp_path / "changed", changed)) != one
    assert dataset_digest(store(tmp_path / "short", rows[:-1])) != one


def test_the_digest_reads_json_by_value_and_columns_by_name() -> None:
    left, _ = to_batch([{"id": "1", "a": 1, "j": {"x": 1, "y": [2.0]}}], {"id": "string", "a": "int", "j": "json"})
    right, _ = to_batch([{"id": "1", "a": 1, "j": {"y": [2.0], "x": 1}}], {"j": "json", "id": "string", "a": "int"})
    assert batches_digest([left]) == batches_digest([right])
    other, _ = to_batch([{"id": "1", "a": 1.0, "j": {"x": 1, "y": [2.0]}}], {"id": "string", "a": "float", "j": "json"})
    assert batches_digest([other]) != batches_digest([left])


def test_the_digest_of_a_language_version_is_pinned() -> None:
    batch, _ = to_batch(
        [{"id": "a", "t": "नमस्ते", "f": 0.1, "n": None}], {"id": "string", "t": "string", "f": "float", "n": "int?"}
    )
    assert batches_digest([batch]) == "51d4404f3ab9a53290ff6e4bdddba318"
