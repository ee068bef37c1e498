"""Parts are cut by their rows alone: by number, and where texts are long by their bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.store import parts

TEXTS = st.one_of(st.none(), st.text(max_size=20))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "number": st.integers(0, 9),
            "text": TEXTS,
            "tags": st.one_of(st.none(), st.lists(TEXTS, max_size=3)),
            "turns": st.lists(st.fixed_dictionaries({"role": TEXTS, "said": TEXTS}), max_size=3),
        }
    ),
    max_size=20,
)
SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("text", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("turns", pa.list_(pa.struct([("role", pa.string()), ("said", pa.string())]))),
    ]
)


def size(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(size, items))


@settings(deadline=None)
@given(ROWS, st.integers(0, 20), st.integers(0, 20))
def test_bytes_of_text_are_those_of_the_rows_in_any_slice(rows: list[dict[str, Any]], start: int, count: int) -> None:
    batch = pa.RecordBatch.from_pylist(rows, SCHEMA).slice(start, count)
    sums = [sum(map(size, rows[start : start + n])) for n in range(batch.num_rows + 1)]
    assert parts.text_bytes(batch).tolist() == sums


def test_long_texts_make_small_groups_however_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "GROUP_BYTES", 1000)
    rows = [{"text": "x" * (n * 37 % 400)} for n in range(300)] + [{"text": "y" * 5000}] * 2
    whole = pa.RecordBatch.from_pylist(rows)
    written = set()
    for step in (1, 7, 302):
        folder = tmp_path / str(step)
        batches = [whole.slice(start, step) for start in range(0, len(rows), step)]
        assert parts.write_parts(folder, whole.schema, batches, rows_per_file=200, row_group=50) == len(rows)
        written.add(b"".join(path.read_bytes() for path in parts.part_paths(folder)))
    assert len(written) == 1
    files = [pq.ParquetFile(path) for path in parts.part_paths(folder)]
    assert [file.metadata.num_rows for file in files] == [200, 102]
    for file in files:
        for number in range(file.num_row_groups):
            texts = file.read_row_group(number)["text"].to_pylist()
            assert len(texts) == 1 or sum(map(len, texts[:-1])) < 1000
    assert [row for file in files for row in file.read().to_pylist()] == rows
