"""Sheets of decisions: any text goes out and comes back unchanged, any edit arrives as it was written."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from attar.cli.review_desk import Waiting
from attar.cli.review_edits import Unfit, read_text, set_columns
from attar.cli.review_sheet import read_sheet, write_sheet
from attar.errors import AttarError

TYPES = {
    "text": "string",
    "maybe": "string?",
    "n": "int",
    "x": "float?",
    "tags": "list<string>",
    "any": "json",
    "j": "any",
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["=1+1", "'=1", "''", "@x", "-", "null", '"', "a,b;c\td", "x\r\ny", "\r", "क़\u200d", "\u2028", "\x00"]
)
ROWS = st.fixed_dictionaries(
    {
        "text": TEXT,
        "maybe": TEXT | st.none(),
        "n": st.integers(-9, 9),
        "x": st.floats(allow_nan=False, allow_infinity=False) | st.none(),
        "tags": st.lists(TEXT, max_size=2),
        "any": st.none() | st.dictionaries(TEXT, st.integers(0, 3), max_size=2),
    }
)


class DeskOf:
    """A desk with rows of the test's own."""

    def __init__(self, *rows: Waiting) -> None:
        self.waiting = list(rows)

    def decided_rows(self) -> list[Waiting]:
        return []

    def find(self, start: str, step: str | None = None) -> Waiting:
        return next(row for row in self.waiting if row.id.startswith(start))


def waiting(columns: Mapping[str, Any], number: int = 0) -> Waiting:
    judged = json.dumps({**columns, "j": {"outcome": "fail", "code": "c", "feedback": "f"}}, ensure_ascii=False)
    return Waiting(f"{number:032x}", f"{number:032x}", "j", "c", "=f", 1, judged, (), TYPES)


def filled(file: Path, decision: str, row: Mapping[str, Any]) -> None:
    """Writes a decision in every line of a sheet, and new values for columns."""
    if file.suffix == ".jsonl":
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
        for line in lines:
            line |= {"decision": decision, "reason": "r", "row": {**line["row"], **row}}
        file.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
        return
    rows = list(csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline="")))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    for line in rows:
        cells = {f"row.{name}": value if isinstance(value, str) else json.dumps(value) for name, value in row.items()}
        writer.writerow({**line, "decision": decision, "reason": "r", **cells})
    file.write_bytes(out.getvalue().encode("utf-8"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=3), suffix=st.sampled_from((".csv", ".jsonl")))
@example(rows=[{"text": "", "maybe": "", "n": 0, "x": None, "tags": [], "any": None}], suffix=".csv")
def test_what_nobody_changed_comes_back_unchanged(
    rows: list[dict[str, Any]], suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("sheet") / f"sheet{suffix}"
    desk: Any = DeskOf(*(waiting(row, n) for n, row in enumerate(rows)))
    write_sheet(file, desk.waiting)
    filled(file, "approve", {})
    made = read_sheet(file, desk, "Asha", "now")
    assert [(d.key, d.decision, dict(d.columns)) for d in made] == [(w.key, "approve", {}) for w in desk.waiting]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    suffix=st.sampled_from((".csv", ".jsonl")),
)
def test_an_edit_arrives_as_it_was_written(text: str, suffix: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("sheet") / f"sheet{suffix}"
    desk: Any = DeskOf(waiting({"text": "before", "maybe": None, "n": 1, "x": None, "tags": [], "any": None}))
    write_sheet(file, desk.waiting)
    new = f"new {text}"
    filled(file, "edit", {"text": new, "n": 7, "tags": ["ठीक"]})
    (made,) = read_sheet(file, desk, "Asha", "now")
    assert dict(made.columns) == {"text": new, "n": 7, "tags": ["ठीक"]}


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("plain", "string", "plain"),
        ('"quoted"', "string", "quoted"),
        ('"', "string", '"'),
        ("null", "string", "null"),
        ("null", "string?", None),
        ('"null"', "string?", "null"),
        ("7", "string", "7"),
        ("7", "int", 7),
        ('["a"]', "list<string>", ["a"]),
        ('{"a": 1}', "json", {"a": 1}),
    ],
)
def test_values_on_the_command_line(text: str, kind: str, value: Any) -> None:
    assert read_text(text, kind) == value


@pytest.mark.parametrize(
    ("column", "text", "words"),
    [
        ("n", "seven", "expected int as JSON"),
        ("n", "1.5", "n: expected int"),
        ("n", "null", "n: expected int, found null"),
        ("x", "NaN", "expected float? as JSON"),
        ("n", str(2**70), "n:"),
        ("tags", '["a", 1]', "tags[1]: expected string"),
        ("text", '"\\ud800"', "broken character"),
        ("any", "[" * 100_000, "expected json as JSON"),
        ("j", "{}", "it stays as the judge gave it"),
        ("id", "x", "cannot be changed"),
        ("txet", "x", "did you mean 'text'?"),
    ],
)
def test_values_that_do_not_fit(column: str, text: str, words: str) -> None:
    row = waiting({"text": "t", "maybe": None, "n": 1, "x": None, "tags": [], "any": None})
    with pytest.raises(Unfit) as refused:
        set_columns(row, {column: text})
    assert words in str(refused.value)


def test_a_line_end_or_another_normal_form_is_no_edit() -> None:
    row = waiting({"text": "e\u0301\r\nx", "maybe": None, "n": 1, "x": 1.0, "tags": [], "any": None})
    assert set_columns(row, {"text": "\u00e9\nx", "x": "1"}) == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"id": "0", "decision": 1, "reason": "x"}', "decision: expected text"),
        ('{"id": "0", "decision": "edit", "reason": "x", "row": []}', "row is no object"),
        ('{"id": "0", "decision": "edit", "reason": "x", "row": {"x": NaN}}', "NaN is no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"id": "0", "decision": "edit", "reason": "x", "row": {"text": "\\ud800"}}', "broken character"),
        ('{"decision": "approve", "reason": "x"}', "names no row"),
    ],
)
def test_broken_lines_are_told(line: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "sheet.jsonl"
    file.write_text(f"\n{line}\n", encoding="utf-8")
    desk: Any = DeskOf(waiting({"text": "t", "maybe": None, "n": 1, "x": None, "tags": [], "any": None}))
    with pytest.raises(AttarError) as refused:
        read_sheet(file, desk, "Asha", "now")
    (found,) = refused.value.diagnostics
    assert words in found.message and found.span is not None and found.span.line == 2
