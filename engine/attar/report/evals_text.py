"""A comparison of two evaluations, written down: as text, Markdown, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from attar.report.evals import Comparison, Line

HEAD = ("Task", "Metric")
TAIL = ("B − A", "change", "")
MOST_NAMED = 30
COLUMNS = (
    "task", "metric", "filter", "unit", "higher_is_better", "a", "a_stderr", "b", "b_stderr",
    "difference", "change_percent", "better", "within_error",
)  # fmt: skip


def as_text(found: Comparison) -> str:
    """Aligned columns; `*` marks the better figure."""
    rows = [_cells(line, lambda text: f"{text}*", lambda text: f"{text} ") for line in found.lines]
    table = [[*HEAD, f"A: {found.names[0]}", f"B: {found.names[1]}", *TAIL], *rows]
    widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [
            text.ljust(w) if k in (0, 1, 6) else text.rjust(w)
            for k, (text, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([*lines, "", *_said(found, "*")])


def as_markdown(found: Comparison) -> str:
    """A Markdown table; the better figure is bold."""
    rows = [_cells(line, lambda text: f"**{text}**", str) for line in found.lines]
    head = [*HEAD, found.names[0], found.names[1], "Difference", "Change", "Note"]
    lines = [_row(head), "|---|---|---:|---:|---:|---:|---|", *map(_row, rows)]
    return "\n".join([*lines, "", *(f"{text}  " for text in _said(found, "bold"))])


def as_csv(found: Comparison) -> str:
    """One line per figure, numbers unrounded; empty where something is not known."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in found.lines:
        told = _told(line)
        writer.writerow(["" if told[name] is None else _plain(told[name]) for name in COLUMNS])
    return out.getvalue().rstrip("\n")


def as_json(found: Comparison) -> str:
    """Everything, for programs."""
    document = {
        "names": {"a": found.names[0], "b": found.names[1]},
        "figures": [_told(line) for line in found.lines],
        "only_a": list(found.only_a),
        "only_b": list(found.only_b),
        "no_metric_in_common": list(found.apart),
        "notes": list(found.notes),
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


FORMATS: Mapping[str, Callable[[Comparison], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
    "csv": as_csv,
}


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _cells(line: Line, mark: Callable[[str], str], unmarked: Callable[[str], str]) -> list[str]:
    digits = 2 if line.percent else 4
    figures = []
    for name, value, stderr in (("a", line.a, line.a_stderr), ("b", line.b, line.b_stderr)):
        text = f"{value:.{digits}f}" + ("" if stderr is None else f" ± {stderr:.{digits}f}")
        figures.append(mark(text) if line.better == name else unmarked(text))
    change = "–" if line.change is None else f"{_signed(line.change, 1)} %"
    note = "within error" if line.within_error else ""
    label = line.label + ("" if line.higher else " ↓")
    return [line.task, label, *figures, _signed(line.difference, digits), change, note]


def _signed(number: float, digits: int) -> str:
    text = f"{number:+.{digits}f}"
    return text.replace("-", "−") if float(text) else f"{0:.{digits}f}"


def _said(found: Comparison, mark: str) -> Iterator[str]:
    """What stands below the table."""
    b = sum(line.better == "b" for line in found.lines)
    a = sum(line.better == "a" for line in found.lines)
    better = f"{found.names[1]} is better in {b} of {len(found.lines)}, {found.names[0]} in {a}"
    yield f"{better} ({mark} marks the better figure)."
    if any(line.percent for line in found.lines):
        yield "Shares of right answers are in percent, differences in points; change is the difference in percent of A."
    if any(not line.higher for line in found.lines):
        yield "↓: less is better."
    if any(line.margin is not None for line in found.lines):
        yield "±: standard error; within error: the difference is at most 1.96 standard errors and may be chance."
    if missing := list(dict.fromkeys(line.task for line in found.lines if line.margin is None)):
        yield f"No standard errors, so chance cannot be told, in: {_some(missing)}."
    for which, tasks in ((0, found.only_a), (1, found.only_b)):
        if tasks:
            yield f"Only in {found.names[which]}: {_some(tasks)}."
    if found.apart:
        yield f"No metric in common: {', '.join(found.apart)}."
    yield from (f"Note: {note}." for note in found.notes)


def _told(line: Line) -> dict[str, Any]:
    return {
        "task": line.task,
        "metric": line.metric,
        "filter": line.filter,
        "unit": "percent" if line.percent else "",
        "higher_is_better": line.higher,
        "a": _round(line.a),
        "a_stderr": _round(line.a_stderr),
        "b": _round(line.b),
        "b_stderr": _round(line.b_stderr),
        "difference": _round(line.difference),
        "change_percent": _round(line.change),
        "better": line.better,
        "within_error": line.within_error,
    }


def _round(number: float | None) -> float | None:
    """Without what multiplying by 100 and subtracting leave behind the tenth digit."""
    return None if number is None else float(f"{number:.10g}")


def _plain(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _some(tasks: Sequence[str]) -> str:
    """A list of tasks that fits a screen; an evaluation may have thousands, and JSON names them all."""
    more = len(tasks) - MOST_NAMED
    return ", ".join(tasks[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
