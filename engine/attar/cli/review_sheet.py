"""Sheets for teams: rows that wait, with empty places for decisions, as JSON Lines or CSV, and the way back.

A person writes `approve`, `edit` or `reject` under `decision`, says why under `reason`, and for an edit changes the
row itself: the object `row` of a JSON line, or the cells `row.<column>` of a CSV. A line without a decision is passed
over. A sheet is read whole before anything is filed: every fault in it is told at once, with its line.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attar.cli.review_desk import Desk, Waiting, decide
from attar.cli.review_edits import Unfit, changed, demand_column, fitting, no_constant, read_text, same
from attar.errors import AttarError, Diagnostic, fail
from attar.errors.diagnostic import Span
from attar.store.decisions import VERBS, Decision

SUFFIXES = (".jsonl", ".csv")
HEAD = ("key", "id", "step", "code", "feedback", "attempt", "decision", "reason", "who")
COLUMN = "row."
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would compute a cell that begins so: it gets an apostrophe, which is taken off again."""
_LARGEST_CELL = 1 << 27


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a sheet. `row` holds the values given for columns, as text where `texts`."""

    number: int
    values: Mapping[str, str]
    row: Mapping[str, Any]
    texts: bool


def write_sheet(file: Path, rows: Sequence[Waiting]) -> None:
    """Writes a sheet of rows.

    Raises:
        AttarError: E754, neither .jsonl nor .csv, or there is such a file already, with decisions in it perhaps.
    """
    _demand_kind(file)
    if file.exists():
        raise fail(
            "E754", f"{file} is there already", help="name another file, or move that one: it may hold decisions"
        )
    text = _json_lines(rows) if file.suffix == ".jsonl" else _csv(rows)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.tmp")
    draft.write_bytes(text)
    draft.replace(file)


def _demand_kind(file: Path) -> None:
    if file.suffix not in SUFFIXES:
        raise fail("E754", f"a sheet is a .jsonl or a .csv file, found {file.name!r}", help="name it so")


def _head(row: Waiting) -> dict[str, Any]:
    return {
        "key": row.key,
        "id": row.id,
        "step": row.step,
        "code": row.code,
        "feedback": row.detail,
        "attempt": row.attempt,
        "decision": "",
        "reason": "",
        "who": "",
    }


def _json_lines(rows: Sequence[Waiting]) -> bytes:
    lines = [json.dumps({**_head(row), "verdict": row.verdict, "row": row.row}, ensure_ascii=False) for row in rows]
    return "".join(line + "\n" for line in lines).encode("utf-8")


def _csv(rows: Sequence[Waiting]) -> bytes:
    columns = dict.fromkeys(name for row in rows for name in row.row)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([*HEAD, *(COLUMN + name for name in columns)])
    for row in rows:
        values = row.row
        cells = [_cell(values[name]) if name in values else "" for name in columns]
        writer.writerow([*(_cell(value) for value in _head(row).values()), *cells])
    return out.getvalue().encode("utf-8-sig")  # with the mark by which spreadsheets know UTF-8


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if isinstance(value, str) and text.startswith((*_FORMULA, "'")) else text


# -- reading back ------------------------------------------------------------------------------------------------


def read_sheet(file: Path, desk: Desk, who: str, when: str) -> list[Decision]:
    """The decisions in a sheet, none of them filed yet; lines without a decision are passed over.

    Args:
        who: decides where a line names nobody.

    Raises:
        AttarError: E755, every fault of the sheet at once.
    """
    _demand_kind(file)
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise fail("E754", f"there is no file {file}", help="write one with --export") from None
    except OSError as error:
        raise fail("E754", f"{file} cannot be read: {error.strerror}") from None
    reading = _Reading(file, desk, who, when)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        reading.fault(number, "the file is no UTF-8 text", "save it as UTF-8 (in a spreadsheet: CSV UTF-8)")
        raise AttarError(reading.faults) from None
    lines = reading.json_lines(text) if file.suffix == ".jsonl" else reading.csv_lines(text)
    for line in lines:
        reading.take(line)
    if reading.faults:
        raise AttarError(reading.faults)
    return [decision for _, decision in reading.found.values()]


@dataclass(slots=True)
class _Reading:
    file: Path
    desk: Desk
    who: str
    when: str
    faults: list[Diagnostic] = field(default_factory=list)
    found: dict[str, tuple[int, Decision]] = field(default_factory=dict)
    _by_key: dict[str, Waiting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_key = {row.key: row for row in (*self.desk.decided_rows(), *self.desk.waiting)}

    def fault(self, line: int, message: str, help: str = "") -> None:
        self.faults.append(Diagnostic("E755", message, Span(str(self.file), line), help))

    # -- lines of either kind --

    def json_lines(self, text: str) -> Iterator[Line]:
        for number, part in enumerate(text.split("\n"), start=1):
            if not part.strip():
                continue
            try:
                value = json.loads(part, parse_constant=no_constant)
            except (ValueError, RecursionError) as error:
                self.fault(number, f"no JSON: {error}")
                continue
            if not isinstance(value, dict):
                self.fault(number, f"expected a JSON object, found {type(value).__name__}")
                continue
            row = value.get("row", {})
            wrong = [name for name in HEAD if name != "attempt" and not isinstance(value.get(name), str | None)]
            if wrong or not isinstance(row, dict):
                what = "row is no object" if not wrong else f"{', '.join(wrong)}: expected text"
                self.fault(number, what)
                continue
            yield Line(number, {name: str(value.get(name) or "") for name in HEAD}, row, texts=False)

    def csv_lines(self, text: str) -> Iterator[Line]:
        before = csv.field_size_limit(_LARGEST_CELL)
        try:
            yield from self._csv_lines(text)
        except csv.Error as error:
            self.fault(1, f"no CSV: {error}")
        finally:
            csv.field_size_limit(before)

    def _csv_lines(self, text: str) -> Iterator[Line]:
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)  # spreadsheets write what their country writes
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        head = [name.strip() for name in next(reader, [])]
        missing = [name for name in ("decision", "reason") if name not in head]
        if missing or not {"key", "id"} & set(head):
            self.fault(1, f"the first line names no column {', '.join(missing or ['key'])}", "begin with --export")
            return
        if twice := sorted({name for name in head if name and head.count(name) > 1}):
            self.fault(1, f"the first line names {', '.join(twice)} twice")
            return
        end = reader.line_num
        for cells in reader:
            number, end = end + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(head):
                self.fault(number, f"{len(cells)} cells where the first line names {len(head)} columns")
                continue
            values = dict(zip(head, cells, strict=False))
            row = {name[len(COLUMN) :]: cell for name, cell in values.items() if name.startswith(COLUMN)}
            yield Line(number, {name: values.get(name, "") for name in HEAD}, row, texts=True)

    # -- what a line says --

    def take(self, line: Line) -> None:
        """Adds a line's decision, or its faults."""
        word = line.values["decision"].strip().lower()
        if not word:
            return
        before = len(self.faults)
        verb = next((verb for verb in VERBS if verb == word), None)
        if verb is None:
            self.fault(
                line.number,
                f"the decision is approve, edit or reject, found {line.values['decision']!r}",
                "leave it empty to pass the row over",
            )
        if not line.values["reason"].strip():
            self.fault(line.number, "a decision needs a reason", "write one under reason")
        row = self._row(line)
        if row is None:
            return
        columns = self._columns(line, row)
        if verb is not None and verb != "edit" and columns:
            names = ", ".join(columns)
            self.fault(line.number, f"{names} changed, but the decision is {verb}", "write edit, or put it back")
        if verb == "edit" and not columns and len(self.faults) == before:
            self.fault(line.number, "the decision is edit, but nothing is changed", "change the row, or write approve")
        earlier = self.found.get(row.key)
        if verb is None:
            return
        who = " ".join(line.values["who"].split()) or self.who
        decision = decide(row, verb, line.values["reason"], who, self.when, columns)
        if earlier is not None:
            same_said = earlier[1].says()[:2] == decision.says()[:2]
            what = "decided twice" if same_said else f"decided {earlier[1].decision} and {verb}, or edited differently"
            self.fault(line.number, f"row {row.id} is {what}; first in line {earlier[0]}", "keep one of the lines")
            return
        self.found[row.key] = (line.number, decision)

    def _row(self, line: Line) -> Waiting | None:
        key, id, step = (line.values[name].strip() for name in ("key", "id", "step"))
        if key:
            row = self._by_key.get(key.lower())
            if row is None:
                self.fault(line.number, f"no row of this run is in review under the key {key}", self._stale(id))
                return None
            if (id and not row.id.startswith(id.lower())) or (step and step != row.step):
                self.fault(line.number, f"key and id do not belong together: the key is that of {row.id} at {row.step}")
                return None
            return row
        if not id:
            self.fault(line.number, "the line names no row", "give its key, or its id")
            return None
        try:
            return self.desk.find(id, step or None)
        except AttarError as error:
            self.fault(line.number, error.diagnostics[0].message, error.diagnostics[0].help)
            return None

    def _stale(self, id: str) -> str:
        if id and any(row.id == id for row in self.desk.waiting):
            return "the row waits with another text or verdict by now: export it again"
        return "export the rows that wait now"

    def _columns(self, line: Line, row: Waiting) -> dict[str, Any]:
        """The columns that a line changes, with their new values."""
        present = row.row
        columns: dict[str, Any] = {}
        for name, given in line.row.items():
            if line.texts and name not in present and not given:
                continue  # a column of another judge's rows
            if line.texts and name in present and same(_cell(present[name]), given):
                continue
            if not line.texts and name in present and same(present[name], given):
                continue
            try:
                demand_column(row, name)
                kind = row.columns.get(name, "any")
                value = _from_cell(given, kind) if line.texts else given
                columns[name] = fitting(name, value, kind)
            except Unfit as fault:
                text = str(fault)
                self.fault(line.number, text if text.startswith((name, "the row")) else f"{name}: {text}")
        return changed(row, columns)


def _from_cell(text: str, kind: str) -> Any:
    if not text and kind.endswith("?"):
        return None
    if kind.rstrip("?") == "string":
        return text[1:] if text.startswith("'") and text[1:2] in (*_FORMULA, "'") else text
    return read_text(text, kind)
