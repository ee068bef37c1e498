"""What a run says while it goes on and at its end, from recorded events."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.display import details, make_display, summary
from attar.display.plain import PlainDisplay
from attar.display.words import duration, money, shorten, table
from attar.errors.render import width

GOLDEN = Path(__file__).parent.parent / "golden" / "cli"


def results() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GOLDEN / "results.json").read_text(encoding="utf-8"))
    return loaded


def events() -> list[dict[str, Any]]:
    stages = [
        {"index": 0, "steps": ["personas", "indian"], "reused": True, "why": ""},
        {"index": 1, "steps": ["essay", "good"], "reused": False, "why": "never ran"},
    ]
    counts = {
        "essay": {"in": 7, "accepted": 5, "rejected": 1, "dead": 1},
        "good": {"in": 5, "accepted": 4, "retried": 2},
    }
    return [
        {
            "type": "run_started",
            "recipe": "essays",
            "run": "0123456789ab",
            "path": "runs/essays/0123456789ab",
            "stages": stages,
            "backends": {"writer": {"backend": "endpoint", "why": "ATTAR_URL is set", "url_from": "ATTAR_URL"}},
        },
        {"type": "stage_finished", "index": 0, "rows": 10, "seconds": 0.0, "reused": True},
        {"type": "stage_started", "index": 1, "steps": ["essay", "good"], "total": 10},
        {
            "type": "progress",
            "stage": 1,
            "steps": counts,
            "done": 6,
            "total": 10,
            "in_flight": 3,
            "requests": 12,
            "journal_hits": 4,
            "tokens_per_second": 1234.5,
            "eta_seconds": 75,
        },
        {"type": "notice", "text": "stopping"},
        {"type": "stage_finished", "index": 1, "rows": 8, "seconds": 12.3, "reused": False},
        {"type": "run_finished", "outcome": "done", "exit_code": 0, "results": {}, "path": "runs/essays/0123456789ab"},
    ]


def test_plain_lines_say_where_the_run_stands() -> None:
    stream = io.StringIO()
    now = [0.0]

    def clock() -> float:
        now[0] += 10
        return now[0]

    display = PlainDisplay(stream, clock=clock)
    for event in events():
        display(event)
    assert stream.getvalue().splitlines() == [
        "essays: run 0123456789ab in runs/essays/0123456789ab, 2 stages, 1 reused",
        "model writer: endpoint (ATTAR_URL is set)",
        "stage 1 of 2: reused, 10 rows",
        "stage 2 of 2: essay > good, 10 rows",
        "stage 2 of 2: 6 of 10 rows, 1 rejected, 2 retried, 1 dead, 3 in flight, 1,234 tokens/s, 1 min 15 s to go",
        "stopping",
        "stage 2 of 2: done in 12 s, 8 rows",
    ]


def test_plain_progress_keeps_its_distance() -> None:
    stream = io.StringIO()
    now = [0.0]
    display = PlainDisplay(stream, every=5, clock=lambda: now[0])
    progress = events()[3]
    lines = []
    for second in range(20):
        now[0] = float(second)
        display({**progress, "done": second})
        lines.append(len(stream.getvalue().splitlines()))
    assert lines[4] == 0 and lines[5] == 1 and lines[9] == 1 and lines[10] == 2
    assert lines[-1] == 3


def test_plain_progress_is_quiet_while_nothing_moves() -> None:
    stream = io.StringIO()
    now = [0.0]
    display = PlainDisplay(stream, every=5, clock=lambda: now[0])
    for second in range(200):
        now[0] = float(second)
        display({**events()[3], "eta_seconds": second, "tokens_per_second": second})
    assert len(stream.getvalue().splitlines()) == 4  # at 5, 65, 125 and 185
    display({**events()[3], "done": 7})
    assert len(stream.getvalue().splitlines()) == 5


def test_one_stage_is_one_stage() -> None:
    stream = io.StringIO()
    start = events()[0]
    PlainDisplay(stream)({**start, "stages": start["stages"][1:]})
    assert stream.getvalue().splitlines()[0].endswith(", 1 stage")


def test_json_mode_prints_one_event_a_line() -> None:
    stream = io.StringIO()
    display = make_display("json", stream)
    for event in events():
        display({**event, "path": Path("a/b")} if event["type"] == "run_started" else event)
    printed = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["type"] for event in printed] == [event["type"] for event in events()]
    assert printed[0]["path"] == "a/b"


def test_quiet_mode_prints_notices_alone() -> None:
    stream = io.StringIO()
    display = make_display("quiet", stream)
    for event in events():
        display(event)
    assert stream.getvalue() == "stopping\n"


def test_auto_mode_is_plain_off_a_terminal() -> None:
    assert isinstance(make_display("auto", io.StringIO()), PlainDisplay)


def test_live_table_shows_counts_and_leaves_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from attar.display.live import LiveDisplay

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "160")
    stream = Terminal()
    display = make_display("auto", stream)
    assert isinstance(display, LiveDisplay)
    display(events()[0])
    display(events()[2])
    display._last = 0.0  # the next redraw is due
    display(events()[3])
    shown = stream.getvalue()
    assert "essay" in shown and "1,234 tokens/s" in shown and "1 min 15 s to go" in shown
    display(events()[-1])
    display.close()
    assert "\x1b[?25h" in stream.getvalue()  # the cursor is back


def test_summary_is_as_recorded() -> None:
    text = summary(results(), Path("runs/essays/0123456789ab"), go_on="attar run essays.yaml")
    assert text + "\n" == (GOLDEN / "summary.txt").read_text(encoding="utf-8")


def test_details_are_as_recorded() -> None:
    text = details(results(), Path("runs/essays/0123456789ab"))
    assert text + "\n" == (GOLDEN / "details.txt").read_text(encoding="utf-8")


def test_brief_summary_leaves_tables_out() -> None:
    text = summary(results(), Path("runs/x/y"), brief=True)
    assert "Ledger" not in text and "dataset: 4 rows" in text and "exit 1" in text


def test_first_rows_of_every_plain_format(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "मिट्टी की खुशबू", "tags": ["x", "y"]}, {"id": "b", "text": "two", "tags": []}]
    for format in ("parquet", "jsonl", "csv"):
        (tmp_path / format).mkdir()
    pq.write_table(pa.Table.from_pylist(rows[:1]), tmp_path / "parquet" / "part-00000.parquet")
    pq.write_table(pa.Table.from_pylist(rows[1:]), tmp_path / "parquet" / "part-00001.parquet")
    (tmp_path / "jsonl" / "part-00000.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    (tmp_path / "csv" / "part-00000.csv").write_text("id,text\na,मिट्टी की खुशबू\nb,two\n", encoding="utf-8")
    outputs = {name: {"path": name, "rows": 2, "format": name} for name in ("parquet", "jsonl", "csv")}
    text = summary({**results(), "outputs": outputs}, tmp_path, show=2)
    assert text.count("text: मिट्टी की खुशबू") == 3
    assert text.count("text: two") == 3
    assert text.count('tags: ["x", "y"]') == 2
    one = summary({**results(), "outputs": outputs}, tmp_path, show=1)
    assert one.count("text: ") == 3


@given(st.floats(0, 1e6))
def test_durations_name_their_unit(seconds: float) -> None:
    assert duration(seconds).endswith((" s", " min"))


def test_words() -> None:
    assert [duration(s) for s in (None, 0.04, 9.94, 59.4, 59.6, 3599.4, 7800)] == [
        "–",
        "0.0 s",
        "9.9 s",
        "59 s",
        "1 min 00 s",
        "59 min 59 s",
        "2 h 10 min",
    ]
    assert money(None, None) == "–" and money(0.01234, "USD") == "0.0123 USD" and money(1234.5, "EUR") == "1,234.50 EUR"


@given(st.text(), st.integers(1, 40))
def test_shorten_keeps_to_its_limit_and_one_line(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert "\n" not in short


def test_shorten_keeps_marks_on_their_letters() -> None:
    assert shorten("कि" * 5, 4) == "कि…"  # not क without its vowel sign
    assert shorten("डिक्शनरी", 5) == "डि…"  # क्श is one akshara
    assert shorten("डिक्शनरी", 6) == "डिक्श…"


@given(st.lists(st.tuples(st.text("abc", max_size=9), st.integers(0, 10**9)), min_size=1))
def test_tables_are_aligned(rows: list[tuple[str, int]]) -> None:
    lines = table(("name", "n"), [(name, f"{n:,}") for name, n in rows]).splitlines()
    assert len({width(line) for line in lines}) == 1
