"""Outputs and std.write: what is written can be read again, in parts, atomically, and with no rows at all."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attar.api import Row
from attar.store.arrow import to_batch
from attar.testing.fakes import FakeContext, ListRowSet, make_rows
from attar.testing.steps import build
from attar_std.read import Read
from attar_std.write import CsvExporter, JsonlExporter, ParquetExporter, Write

COLUMNS = {
    "text": "string",
    "n": "int?",
    "x": "float",
    "ok": "bool",
    "tags": "list<string>?",
    "pair": "struct<a:int,b:json?>",
    "data": "json?",
}
ROWS: list[dict[str, Any]] = [
    {
        "text": f'नमस्ते, "{n}"\n',
        "n": n if n % 2 else None,
        "x": n / 2,
        "ok": n % 3 == 0,
        "tags": ["a", "b"] if n % 2 else None,
        "pair": {"a": n, "b": [n] if n % 2 else None},
        "data": {"deep": [n, None]} if n % 2 else None,
    }
    for n in range(25)
]


class Rows(ListRowSet):
    """Batches as the store makes them."""

    def batches(self, columns: Any = None) -> Any:
        for start in range(0, len(self), 7):
            rows: list[Row] = list(self)[start : start + 7]
            batch, bad = to_batch(rows, self.columns)
            assert not bad
            ids = pa.array([row.id for row in rows])
            yield pa.RecordBatch.from_arrays([*batch.columns, ids], names=[*batch.schema.names, "id"])


def written(step: Any, rows: list[dict[str, Any]], out: Path) -> list[Path]:
    step.write(Rows(make_rows(rows), COLUMNS), FakeContext(out=out))
    return sorted(out.iterdir())


def read_again(path: Path, **config: Any) -> list[Any]:
    step = build(Read, {"path": str(path), **config})
    step.writes({})
    return [row for _, row in step.rows(0, None, FakeContext())]


@pytest.mark.parametrize(
    ("step", "suffix"),
    [
        (build(ParquetExporter, {"rows_per_file": 10}), ".parquet"),
        (build(JsonlExporter, {"rows_per_file": 10}), ".jsonl"),
        (build(JsonlExporter, {"rows_per_file": 10, "compression": "gz"}), ".jsonl.gz"),
        (build(JsonlExporter, {"rows_per_file": 10, "compression": "zst"}), ".jsonl.zst"),
        (build(CsvExporter, {"rows_per_file": 10}), ".csv"),
        (build(CsvExporter, {"rows_per_file": 10, "compression": "zst"}), ".csv.zst"),
    ],
)
def test_parts_and_what_is_in_them(step: Any, suffix: str, tmp_path: Path) -> None:
    files = written(step, ROWS, tmp_path)
    assert [f.name for f in files] == [f"part-{n:05d}{suffix}" for n in range(3)]
    rows = read_again(tmp_path, columns={"source_id": "string", **COLUMNS})
    ids = [row.id for row in make_rows(ROWS)]
    assert [row.pop("source_id") for row in rows] == ids
    assert rows == ROWS
    before = [f.read_bytes() for f in files]
    assert [f.read_bytes() for f in written(step, ROWS, tmp_path)] == before  # the same rows, the same bytes


def test_parquet_keeps_json_apart_from_text(tmp_path: Path) -> None:
    written(build(ParquetExporter), ROWS, tmp_path)
    step = build(Read, {"path": str(tmp_path)})
    assert step.writes({})["data"] == "json?" and step.writes({})["text"] == "string"
    assert [row["data"] for row in read_again(tmp_path)] == [row["data"] for row in ROWS]


def test_no_rows_leave_one_file_with_the_schema(tmp_path: Path) -> None:
    for step, name in ((ParquetExporter, "p"), (JsonlExporter, "j"), (CsvExporter, "c")):
        folder = tmp_path / name
        folder.mkdir()
        (file,) = written(build(step), [], folder)  # type: ignore[type-abstract]
        if name == "p":
            assert pq.read_schema(file).names == ["id", *COLUMNS] and pq.read_table(file).num_rows == 0
        elif name == "j":
            assert file.read_bytes() == b""
        else:
            assert file.read_text() == ",".join(["id", *COLUMNS]) + "\n"


def test_a_full_part_is_not_followed_by_an_empty_one(tmp_path: Path) -> None:
    assert len(written(build(JsonlExporter, {"rows_per_file": 5}), ROWS, tmp_path)) == 5


@pytest.mark.parametrize("name", ["o.parquet", "o.jsonl", "o.jsonl.gz", "o.csv", "o.tsv", "deep/new/o.jsonl"])
def test_write_to_a_file_of_ones_own(name: str, tmp_path: Path) -> None:
    step = build(Write, {"path": str(tmp_path / name)})
    assert list(step.check(COLUMNS)) == []
    step.write(Rows(make_rows(ROWS), COLUMNS), FakeContext())
    assert read_again(tmp_path / name, columns=COLUMNS) == ROWS
    assert [p.name for p in (tmp_path / name).parent.iterdir()] == [Path(name).name]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old")

    class Failing(Rows):
        def batches(self, columns: Any = None) -> Any:
            yield next(super().batches())
            raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        build(Write, {"path": str(path)}).write(Failing(make_rows(ROWS), COLUMNS), FakeContext())
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]


def test_write_mistakes(tmp_path: Path) -> None:
    for path in (str(tmp_path / "x"), str(tmp_path / "x.md"), str(tmp_path / "x.parquet.gz"), str(tmp_path)):
        assert list(build(Write, {"path": path}).check(COLUMNS)), path
    assert not list(build(Write, {"path": str(tmp_path / "x"), "format": "jsonl"}).check(COLUMNS))


def test_write_through_fsspec() -> None:
    import fsspec

    fs = fsspec.filesystem("memory")
    try:
        build(Write, {"path": "memory://attar-out/x.jsonl.gz"}).write(Rows(make_rows(ROWS), COLUMNS), FakeContext())
        lines = gzip.decompress(fs.cat("/attar-out/x.jsonl.gz")).splitlines()
        assert [json.loads(line)["x"] for line in lines] == [row["x"] for row in ROWS]
    finally:
        fs.rm("/attar-out", recursive=True)
