"""std.read: formats, bad input of every kind, slices, keys and inferred types."""

from __future__ import annotations

import gzip
import json
import pickle
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attar.api import ConfigProblem, Reject
from attar.testing.fakes import FakeContext
from attar.testing.steps import build
from attar_std.read import Read

DATA = Path(__file__).parents[2] / "../shared/data"


def reader(path: Path | str | list[str], **config: Any) -> Read:
    return build(Read, {"path": [str(p) for p in path] if isinstance(path, list) else str(path), **config})


def read(path: Path | str | list[str], scratch: Path | None = None, **config: Any) -> list[tuple[Any, Any]]:
    """All records, by rows and by batches, which must agree."""
    step = reader(path, **config)
    columns = step.writes({})
    context = FakeContext(scratch=scratch)
    rows = list(step.rows(0, None, context))
    assert step.count(context) == len(rows)
    at = 0
    for keys, batch, bad in step.batches(0, None, context):
        assert batch.schema.names == list(columns)
        values = batch.to_pylist()
        for i, key in enumerate(keys):
            assert rows[at][0] == key
            if i in bad:
                assert rows[at][1] == bad[i]
                assert all(value is None for value in values[i].values())
            else:
                for name, kind in columns.items():
                    value = values[i][name]
                    if kind.startswith("json") and value is not None:
                        value = json.loads(value)
                    if "json" not in kind or kind.startswith("json"):
                        assert rows[at][1][name] == value
            at += 1
    assert at == len(rows)
    return rows


def codes(rows: list[tuple[Any, Any]]) -> list[str]:
    return [value.code if isinstance(value, Reject) else "" for _, value in rows]


def write(path: Path, *lines: str | bytes, end: bytes = b"\n") -> Path:
    data = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    path.write_bytes(data + end)
    return path


def test_jsonl_zoo(tmp_path: Path) -> None:
    path = write(
        tmp_path / "zoo.jsonl",
        b'\xef\xbb\xbf{"text": "first"}',
        "",
        '{"text": "broken',
        "   ",
        '{"text": 5}',
        "[1, 2]",
        b'{"text": "a\xff\xfeb"}',
        '{"text": null}',
        '{"text": "x", "new": 1}',
        '{"text": "' + "y" * 200 + '"}',
        '{"other": 1}',
        '{"text": "fine \\u0928"}',
        '{"text": "torn',
        end=b"",
    )
    rows = read(path, columns={"text": "string"}, max_row_bytes=100)
    assert codes(rows) == [
        *("", "invalid_json", "schema", "not_object", "encoding", "schema", "", "too_large", "schema", "", "torn")
    ]
    assert [key for key, _ in rows] == [("zoo.jsonl", n) for n in range(11)]
    assert rows[0][1] == {"text": "first"}
    assert rows[9][1] == {"text": "fine न"}
    data = path.read_bytes()
    assert f"byte {data.index(bytes([0xFF]))} " in rows[4][1].detail
    assert "int 5" in rows[2][1].detail


def test_inferred_types_and_what_does_not_fit_them(tmp_path: Path) -> None:
    first = [{"a": 1, "b": 1, "c": "x", "d": [1], "e": {"k": 1}, "f": True, "g": None}] * 999
    mixed = {"a": 2.5, "b": "two", "c": "x", "d": [], "e": {"k": 1, "z": "s"}, "f": False, "h": 1}
    late = [
        {"a": "no", "b": 0, "c": "x", "d": [], "e": {"k": 1}, "f": True, "g": 1},
        {"a": 1, "b": 0, "c": "x", "d": [1.5], "e": {"k": 1}, "f": True, "g": 1},
        {"a": 1, "b": [0], "c": "x", "d": [7], "e": {"k": 1, "z": None}, "f": True, "g": {"deep": []}},
        {"a": 1, "b": 0, "c": "x", "d": [], "e": {"k": 1, "surprise": 1}, "f": True},
        {"a": 1, "b": 0, "c": "x", "d": [], "e": {"k": 1}, "f": True, "surprise": 1},
        {"a": 1, "b": 0, "c": None, "d": [], "e": {"k": 1}, "f": True},
    ]
    path = write(tmp_path / "types.jsonl", *(json.dumps(r) for r in [*first, mixed, *late]))
    step = reader(path)
    assert step.writes({}) == {
        "a": "float",
        "b": "json",
        "c": "string",
        "d": "list<int>",
        "e": "struct<k:int,z:string?>",
        "f": "bool",
        "g": "json?",
        "h": "int?",
    }
    rows = read(path)
    assert codes(rows[1000:]) == ["schema", "schema", "", "schema", "schema", "schema"]
    assert rows[0][1]["a"] == 1.0 and type(rows[0][1]["a"]) is float
    assert rows[0][1]["e"] == {"k": 1, "z": None}
    assert rows[1002][1]["b"] == [0]
    assert "surprise" in rows[1004][1].detail


def test_declared_columns_choose_and_map(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", '{"input persona": "a nurse", "n": 1, "junk": {}}', '{"input persona": "b"}')
    assert read(path, map={"persona": "input persona"}, columns={"persona": "string"})[0][1] == {"persona": "a nurse"}
    renamed = reader(path, map={"persona": "input persona"})
    assert renamed.writes({}) == {"persona": "string", "n": "int?", "junk": "json?"}
    plain = reader(path)  # a key with a space is a column like any other
    assert list(plain.writes({})) == ["input persona", "n", "junk"]


def test_ids_and_their_faults(tmp_path: Path) -> None:
    lines = [{"id": "a", "t": "1"}, {"id": "b", "t": "2"}, {"id": "a", "t": "3"}, {"t": "4"}, {"id": "", "t": "5"}]
    lines += [{"id": 7, "t": "6"}, {"id": 7.5, "t": "7"}, {"id": "a", "t": "8"}, {"id": "7", "t": "9"}]
    path = write(tmp_path / "ids.jsonl", *map(json.dumps, lines))
    rows = read(path, id="id", columns={"t": "string"})
    expected = ["", "", "duplicate_id", "missing_id", "missing_id", "", "missing_id", "duplicate_id", ""]
    assert codes(rows) == expected
    assert [key for key, _ in rows] == [
        *("a", "b", ("ids.jsonl", 2), ("ids.jsonl", 3), ("ids.jsonl", 4), 7, ("ids.jsonl", 6), ("ids.jsonl", 7), "7")
    ]
    assert "record 1" in rows[2][1].detail and "record 1" in rows[7][1].detail
    assert len({json.dumps(key) for key, _ in rows}) == len(rows)


def test_a_column_called_id_is_kept_as_source_id(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", '{"id": "k1", "t": "1"}')
    assert read(path, id="id") == [("k1", {"source_id": "k1", "t": "1"})]
    assert read(path, id="id", map={"name": "id"})[0][1] == {"name": "k1", "t": "1"}
    both = write(tmp_path / "y.jsonl", '{"id": "k1", "source_id": "s"}')
    with pytest.raises(ConfigProblem, match="source_id"):
        reader(both).writes({})


def test_duplicate_ids_are_found_across_files_and_slices(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    write(folder / "a.jsonl", *(json.dumps({"k": f"id{n}"}) for n in range(5000)))
    write(folder / "b.jsonl", *(json.dumps({"k": f"id{n}"}) for n in range(4990, 5010)))
    step, context = reader(folder, id="k"), FakeContext(scratch=tmp_path)
    assert step.count(context) == 5020
    part = list(step.rows(4995, 5012, context))
    assert codes(part) == [""] * 5 + ["duplicate_id"] * 10 + [""] * 2
    assert not list(tmp_path.glob("ids.*"))


def test_empty_files_are_no_rows(tmp_path: Path) -> None:
    for name, content in (("a.jsonl", b""), ("b.csv", b""), ("c.csv", b"x,y\n"), ("d.json", b" "), ("e.json", b"[]")):
        path = tmp_path / name
        path.write_bytes(content)
        assert read(path) == []
    path = write(tmp_path / "blank.jsonl", "", "  ", "\t")
    assert read(path) == []


def test_json_arrays_objects_and_jsonl_called_json(tmp_path: Path) -> None:
    array = write(tmp_path / "a.json", json.dumps([{"t": "1"}, {"t": "2"}, 3], indent=2))
    assert codes(read(array)) == ["", "", "not_object"]
    lines = write(tmp_path / "b.json", '{"t": "1"}', '{"t": "2"}')
    assert [row["t"] for _, row in read(lines)] == ["1", "2"]
    one = write(tmp_path / "c.json", json.dumps({"t": "1", "u": 2}, indent=2))
    assert read(one) == [(("c.json", 0), {"t": "1", "u": 2})]
    broken = write(tmp_path / "d.json", '[{"t": "1"}, {"t": "2"}, {"t": ')
    assert codes(read(broken)) == ["", "", "invalid_json"]


def test_csv_types_quotes_and_faults(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv",
        b"\xef\xbb\xbfcode,n,x,ok,note",
        b'007,1,1.5,true,"two\nlines, ""quoted"""',
        b"008,2,2,false,",
        b"",
        b"too,few",
        b"009,3,0.5,true,caf\xe9",
        b"010,,,,plain",
    )
    step = reader(path)
    assert step.writes({}) == {"code": "string", "n": "int?", "x": "float?", "ok": "bool?", "note": "string"}
    rows = read(path)
    assert codes(rows) == ["", "", "schema", "encoding", ""]
    assert rows[0][1] == {"code": "007", "n": 1, "x": 1.5, "ok": True, "note": 'two\nlines, "quoted"'}
    assert rows[1][1] == {"code": "008", "n": 2, "x": 2.0, "ok": False, "note": ""}
    assert rows[4][1] == {"code": "010", "n": None, "x": None, "ok": None, "note": "plain"}
    declared = read(path, columns={"n": "int", "note": "string"})
    assert codes(declared) == ["", "", "schema", "encoding", "schema"]


def test_an_unclosed_quote_costs_one_line_and_not_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path / "q.csv", "a,b", '1,"open', "2,fine", "3,fine", '4,"also fine"')
    rows = read(path, columns={"a": "int", "b": "string"})
    assert codes(rows) == ["invalid_csv", "", "", ""]
    assert [row["a"] for _, row in rows[1:]] == [2, 3, 4]


def test_tsv_and_twice_named_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "t.tsv", "a\tb", "1\tx y")
    assert read(path) == [(("t.tsv", 0), {"a": 1, "b": "x y"})]
    for header in ("a,a", "a,,", ",b,"):
        twice = write(tmp_path / "u.csv", header, "1,2,3")
        with pytest.raises(ConfigProblem, match="twice"):
            reader(twice).writes({})


def test_one_column_cannot_be_mapped_to_two_names(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", '{"a": 1}')
    with pytest.raises(ConfigProblem, match="two new names, 'b' and 'c'"):
        reader(file, map={"b": "a", "c": "a"}).writes({})
    assert read(file, columns={"b": "int", "c": "int"}, map={"b": "a", "c": "a"})[0][1] == {"b": 1, "c": 1}


@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "b", "a"), ("b", "a", "c")])
def test_a_column_that_some_parquet_files_lack_is_null_there(tmp_path: Path, order: tuple[str, ...]) -> None:
    tables = {"a": {"n": [1, 2]}, "b": {"n": [3], "m": [4]}, "c": {"m": [5]}}
    for place, name in enumerate(order):
        pq.write_table(pa.table(tables[name]), tmp_path / f"{place}.parquet")
    rows = [row for _, row in read(tmp_path)]
    assert sorted(map(str, rows)) == sorted(
        str({"n": n, "m": m}) if order[0] != "c" else str({"m": m, "n": n})
        for n, m in ((1, None), (2, None), (3, 4), (None, 5))
    )


def test_text_folder_one_row_per_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.md").write_text("# B", encoding="utf-8")
    (tmp_path / "sub/a.txt").write_text("नमस्ते", encoding="utf-8")
    (tmp_path / "bad.txt").write_bytes(b"ab\xff")
    (tmp_path / ".hidden.txt").write_text("no", encoding="utf-8")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    rows = read(tmp_path, text_column="body")
    assert [key for key, _ in rows] == [("b.md", 0), ("bad.txt", 0), ("sub/a.txt", 0)]
    assert rows[0][1] == {"body": "# B", "path": "b.md"} and rows[2][1]["body"] == "नमस्ते"
    assert rows[1][1] == Reject("encoding", "bad.txt, record 1: byte 2 of the file is not valid UTF-8")


def test_compressed_and_torn_archives(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"n": n}) + "\n" for n in range(50_000)).encode()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "b.jsonl.zst").write_bytes(zstandard.compress(lines))
    for name in ("a.jsonl.gz", "b.jsonl.zst"):
        rows = read(tmp_path / name)
        assert len(rows) == 50_000 and rows[-1] == ((name, 49_999), {"n": 49_999})
        step, context = reader(tmp_path / name), FakeContext()
        step.count(context)
        assert list(step.rows(30_000, 30_003, context)) == rows[30_000:30_003]
    whole = (tmp_path / "a.jsonl.gz").read_bytes()
    (tmp_path / "torn.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    rows = read(tmp_path / "torn.jsonl.gz")
    assert codes(rows)[-1] == "torn" and set(codes(rows)[:-1]) <= {""}


def test_utf16_is_named_and_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_bytes('{"t": "नमस्ते"}\n{"t": "b"}\n'.encode("utf-16"))
    with pytest.raises(ConfigProblem, match="UTF-16") as caught:
        reader(path).writes({})
    assert "utf-16" in caught.value.help
    assert [row["t"] for _, row in read(path, encoding="utf-16")] == ["नमस्ते", "b"]
    with pytest.raises(ConfigProblem, match="unknown encoding"):
        reader(path, encoding="klingon").writes({})


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    write(tmp_path / "personas.jsonl", "{}")
    with pytest.raises(ConfigProblem) as caught:
        reader(tmp_path / "persona.jsonl").writes({})
    assert caught.value.field == ("path",) and "personas.jsonl" in caught.value.help
    with pytest.raises(ConfigProblem, match="no folder 'nowhere'"):
        reader(tmp_path / "nowhere/x.jsonl").writes({})
    with pytest.raises(ConfigProblem, match="no file matches"):
        reader(tmp_path / "*.csv").writes({})
    (tmp_path / "data.bin").write_bytes(b"")
    with pytest.raises(ConfigProblem, match="does not tell its format"):
        reader(tmp_path / "data.bin").writes({})
    assert read(tmp_path / "data.bin", format="jsonl") == []
    (tmp_path / "fake.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(ConfigProblem, match="not a readable Parquet"):
        reader(tmp_path / "fake.parquet").writes({})


def test_a_column_that_may_be_null_is_missed_where_the_file_must_have_it(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", '{"persona": null, "domain": "d"}')
    columns = {"persona": "string?", "extra": "string?"}
    assert reader(path, columns=columns, must_have=["persona"]).writes({}) == columns
    with pytest.raises(ConfigProblem, match="no column 'persna'") as caught:
        reader(path, columns=columns, map={"persona": "persna"}, must_have=["persona"]).writes({})
    assert caught.value.field == ("map", "persona") and "persona" in caught.value.help
    with pytest.raises(ConfigProblem, match="no column 'extra'"):
        reader(path, columns=columns, must_have=["extra"]).writes({})
    with pytest.raises(ConfigProblem, match="no column 'extra'"):
        reader(path, must_have=["extra"]).writes({})
    with pytest.raises(ConfigProblem, match="must_have names 'other', which columns does not list"):
        reader(path, columns=columns, must_have=["other"]).writes({})


def test_unknown_columns_name_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", '{"persona": "a"}')
    with pytest.raises(ConfigProblem, match="no column 'persna'") as caught:
        reader(path, map={"p": "persna"}).writes({})
    assert caught.value.code == "E501" and "persona" in caught.value.help
    with pytest.raises(ConfigProblem) as caught:
        reader(path, columns={"persona": "strng"}).writes({})
    assert caught.value.field == ("columns", "persona")
    with pytest.raises(ConfigProblem) as caught:
        reader(path, id="persn").writes({})
    assert caught.value.field == ("id",)


def test_globs_lists_and_moved_folders_keep_keys(tmp_path: Path) -> None:
    one = tmp_path / "one"
    (one / "deep").mkdir(parents=True)
    write(one / "b.jsonl", '{"n": 1}')
    write(one / "deep/a.jsonl", '{"n": 2}')
    write(one / "README.md", "about")
    before = read(one)
    assert [key for key, _ in before] == [("b.jsonl", 0), ("deep/a.jsonl", 0)]
    shutil.move(one, tmp_path / "two")
    assert read(tmp_path / "two") == before
    assert read(f"{tmp_path}/two/**/*.jsonl") == before
    listed = read([str(tmp_path / "two/deep/a.jsonl"), str(tmp_path / "two/b.jsonl"), str(tmp_path / "two/b.jsonl")])
    assert [key for key, _ in listed] == [("deep/a.jsonl", 0), ("b.jsonl", 0)]


def test_parquet_types_nulls_and_slices(tmp_path: Path) -> None:
    import datetime

    n = 20_000
    table = pa.table(
        {
            "s": pa.array([f"t{i}" for i in range(n)]),
            "n": pa.array([None if i == 15_000 else i for i in range(n)], pa.int32()),
            "day": pa.array([datetime.date(2024, 1, 1)] * n),
            "kind": pa.array(["a", "b"] * (n // 2)).dictionary_encode(),
            "items": pa.array([[i, None] for i in range(n)], pa.list_(pa.int64())),
            "full": pa.array([1.5] * n, pa.float32()),
        }
    )
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, row_group_size=3000)
    step, context = reader(path), FakeContext()
    assert step.writes({}) == {
        "s": "string",
        "n": "int?",
        "day": "string",
        "kind": "string",
        "items": "list<int?>?",
        "full": "float",
    }
    rows = read(path)
    assert len(rows) == step.count(context) == n
    assert rows[15_000][1]["n"] is None and rows[1][1]["day"] == "2024-01-01" and rows[1][1]["kind"] == "b"
    assert list(step.rows(5_999, 12_001, context)) == rows[5_999:12_001]
    assert codes(read(path, columns={"n": "int", "s": "string"}))[15_000] == "schema"
    blob = tmp_path / "b.parquet"
    pq.write_table(pa.table({"raw": pa.array([b"\x00"]), "t": ["x"]}), blob)
    with pytest.raises(ConfigProblem, match="'raw'"):
        reader(blob).writes({})
    assert read(blob, columns={"t": "string"})[0][1] == {"t": "x"}


def test_remote_files_through_fsspec(tmp_path: Path) -> None:
    import fsspec

    fs = fsspec.filesystem("memory")
    try:
        for name in ("a.jsonl", "sub/b.jsonl"):
            fs.pipe(f"/attar-test/{name}", b'{"t": "x"}\n{"t": "y"}\n')
        rows = read("memory://attar-test")
        assert [key for key, _ in rows] == [("a.jsonl", 0), ("a.jsonl", 1), ("sub/b.jsonl", 0), ("sub/b.jsonl", 1)]
        with pytest.raises(ConfigProblem, match="nothing is found"):
            reader("memory://attar-nothing").writes({})
    finally:
        fs.rm("/attar-test", recursive=True)
    offline = reader("memory://nowhere/x.jsonl", columns={"t": "string"})  # validate fetches nothing
    assert offline.writes({}) == {"t": "string"} and offline.inputs() == ["memory://nowhere/x.jsonl"]


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def missing(url: str) -> Any:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(ConfigProblem, match="s3://") as caught:
        reader("s3://bucket/x.jsonl", columns={"t": "string"}).writes({})
    assert "attar[s3]" in caught.value.help


def test_pickles_and_reads_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", *(json.dumps({"n": n}) for n in range(100)))
    step = reader(path)
    fresh = pickle.loads(pickle.dumps(step))
    step.writes({})
    context = FakeContext()
    assert list(fresh.rows(0, None, context)) == list(pickle.loads(pickle.dumps(step)).rows(0, None, context))


LINE = st.one_of(
    st.builds(lambda n, t: json.dumps({"id": n, "t": t}).encode(), st.integers(0, 30), st.text(max_size=8)),
    st.sampled_from([b"", b"  ", b"{", b'{"id": 3}', b'{"id": null, "t": "x"}', b'{"t": "\xff"}', b"7", b"x" * 90]),
)


@given(st.lists(st.lists(LINE, max_size=30), min_size=1, max_size=3), st.data(), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_partition_gives_the_same_rows_and_keys(
    tmp_path: Path, files: list[list[bytes]], data: st.DataObject, with_id: bool, packed: bool
) -> None:
    folder = tmp_path / "parts"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for n, lines in enumerate(files):
        body = b"\n".join([b'{"id": -1, "t": "first"}', *lines])
        (folder / f"{n}.jsonl{'.gz' if packed else ''}").write_bytes(gzip.compress(body) if packed else body)
    config = {"columns": {"t": "string"}, "max_row_bytes": 80, **({"id": "id"} if with_id else {})}
    step, context = reader(folder, **config), FakeContext()
    whole = list(step.rows(0, None, context))
    count = step.count(context)
    assert count == len(whole)
    keys = [json.dumps(key) for key, _ in whole]
    assert len(set(keys)) == len(keys)
    cuts = data.draw(st.lists(st.integers(0, count), max_size=5))
    parts = [item for a, b in pairwise([0, *sorted(cuts), count]) for item in step.rows(a, b, context)]
    assert parts == whole
    slices = pairwise([0, *sorted(cuts), count])
    bulk = [key for a, b in slices for keys, _, _ in step.batches(a, b, context) for key in keys]
    assert bulk == [key for key, _ in whole]


FIELD = st.sampled_from(["a", "1", "x,y", 'q"q', "line\nbreak", "", "é"])


@given(st.lists(st.tuples(FIELD, FIELD), max_size=40), st.data())
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_csv_slices_are_the_same_rows(tmp_path: Path, rows: list[tuple[str, str]], data: st.DataObject) -> None:
    import csv

    path = tmp_path / "s.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["k", "v"])
        writer.writerows(rows)
    step, context = reader(path, columns={"k": "string", "v": "string"}), FakeContext()
    whole = list(step.rows(0, None, context))
    assert [(row["k"], row["v"]) for _, row in whole] == rows
    count = step.count(context)
    assert count == len(rows)
    cuts = data.draw(st.lists(st.integers(0, count), max_size=4))
    assert [item for a, b in pairwise([0, *sorted(cuts), count]) for item in step.rows(a, b, context)] == whole


def test_marks_let_a_large_file_be_entered_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"n": n, "t": "x" * (n % 97)}) + "\n" * (1 + (n % 13 == 0)) for n in range(60_000))
    step, context = reader(path), FakeContext()
    assert step.count(context) == 60_000
    index = json.loads((context.scratch / "index.json").read_bytes())
    assert len(index["files"][0][2]) > 2
    for start in (0, 1, 33_333, 59_990):
        got = [row["n"] for _, row in step.rows(start, start + 10, context)]
        assert got == list(range(start, start + 10))
    csv_path = tmp_path / "large.csv"
    with csv_path.open("w", encoding="utf-8") as file:
        file.write("n,t\n")
        file.writelines(f'{n},"{"x" * (n % 50)}\n"\n' for n in range(20_000))
    step, context = reader(csv_path), FakeContext()
    assert step.count(context) == 20_000
    assert [row["n"] for _, row in step.rows(12_345, 12_350, context)] == list(range(12_345, 12_350))


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared input is not beside this checkout")
def test_real_input() -> None:
    personas = reader(DATA / "personas_5k.jsonl", map={"persona": "input persona"})
    assert personas.writes({}) == {"persona": "string"}
    context = FakeContext()
    assert personas.count(context) == 5000
    assert len({row["persona"] for _, row in personas.rows(0, None, context)}) == 5000  # type: ignore[index, call-overload]
    pages = read(DATA / "help_hi.jsonl", id="id")
    assert len(pages) == 126 and set(codes(pages)) == {""} and pages[0][0] == pages[0][1]["source_id"]
    sections = read(DATA / "handbook_id")
    assert len(sections) == 114 and sections[0][1]["path"] == "advanced-administration.md"


@pytest.mark.parametrize("bulk", [False, True])
def test_broken_text_in_parquet_is_told_row_by_row(tmp_path: Path, bulk: bool) -> None:
    texts = pa.StringArray.from_buffers(
        4, pa.py_buffer(b"\0\0\0\0\1\0\0\0\3\0\0\0\3\0\0\0\4\0\0\0"), pa.py_buffer(b"a\xff\xfeb")
    )
    pq.write_table(pa.table({"text": texts, "n": pa.array([1, 2, 3, 4])}), tmp_path / "rows.parquet")
    step = build(Read, {"path": str(tmp_path / "rows.parquet"), "columns": {"text": "string", "n": "int"}})
    step.writes({})
    context = FakeContext()
    if bulk:
        ((_, batch, bad),) = step.batches(0, 4, context)
        assert batch.column("text").to_pylist() == ["a", None, "", "b"]
        assert batch.column("n").to_pylist() == [1, None, 3, 4]
        found = dict(bad)
    else:
        found = {n: row for n, (_, row) in enumerate(step.rows(0, 4, context)) if not isinstance(row, dict)}
    assert found == {1: ("encoding", "rows.parquet, record 2: column 'text' is not valid UTF-8")}


def test_the_id_column_of_parquet_need_not_be_among_the_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"uid": ["a", "b", "a"], "t": ["x", "y", "z"]}), tmp_path / "rows.parquet")
    step = build(Read, {"path": str(tmp_path / "rows.parquet"), "id": "uid", "columns": {"t": "string"}})
    step.writes({})
    context = FakeContext()
    assert step.count(context) == 3
    found = list(step.rows(0, 3, context))
    assert found[:2] == [("a", {"t": "x"}), ("b", {"t": "y"})]
    assert found[2][1] == ("duplicate_id", "rows.parquet, record 3: 'a' first seen at record 1")


def test_parquet_columns_go_straight_through_where_they_fit(tmp_path: Path) -> None:
    table = pa.table(
        {
            "s": pa.array(["a", None], pa.large_string()),
            "i": pa.array([1, 2], pa.int32()),
            "f": pa.array([1, None], pa.int64()),
            "b": pa.array([True, None]),
            "more": [1, 2],
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    columns = {"s": "string?", "n": "int", "f": "float?", "b": "bool?", "gone": "string?"}
    step = build(Read, {"path": str(tmp_path / "rows.parquet"), "columns": columns, "map": {"n": "i"}})
    step.writes({})
    ((_, batch, bad),) = step.batches(0, 2, FakeContext())
    rows = [row for _, row in step.rows(0, 2, FakeContext())]
    assert not bad
    assert (
        batch.to_pylist()
        == rows
        == [
            {"s": "a", "n": 1, "f": 1.0, "b": True, "gone": None},
            {"s": None, "n": 2, "f": None, "b": None, "gone": None},
        ]
    )
