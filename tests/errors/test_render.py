"""Diagnostics on a terminal: the right line, the caret under the right cells."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attar.errors import AttarError, Diagnostic, Span, fail, ordered, render, to_json
from attar.errors.render import width


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "recipes" / "x.yaml"
    path.parent.mkdir()
    path.write_text("attar: 1\nsampling:\n  temprature: 0.9\n\tx\nहिन्दी: कि ख\n", encoding="utf-8")
    return path


def test_one_error(file: Path, tmp_path: Path) -> None:
    found = [Diagnostic("E203", "unknown key 'temprature'", Span(str(file), 3, 3, 13), "did you mean 'temperature'?")]
    assert render(found, root=tmp_path) == (
        "error[E203]: unknown key 'temprature'\n"
        " --> recipes/x.yaml:3:3\n"
        "  |\n"
        "3 |   temprature: 0.9\n"
        "  |   ^^^^^^^^^^\n"
        "  help: did you mean 'temperature'?\n"
        "\n"
        "1 error\n"
    )


def test_order_count_and_repeats(file: Path) -> None:
    a, b = str(file), str(file.with_name("y.yaml"))
    found = [
        Diagnostic("E2", "later", Span(b, 1, 1)),
        Diagnostic("E1", "third", Span(a, 3, 1)),
        Diagnostic("W1", "second", Span(a, 1, 5), severity="warning"),
        Diagnostic("E1", "third", Span(a, 3, 1), "told twice"),
        Diagnostic("E9", "no place"),
    ]
    text = render(found)
    heads = re.findall(r"^(\w+)\[(\w+)\]: (.*)$", text, re.MULTILINE)
    assert [message for _, _, message in heads] == ["no place", "second", "third", "later"]
    assert heads[1][0] == "warning"
    assert text.endswith("\n3 errors and 1 warning\n")
    assert render([]) == ""


def test_a_missing_file_or_line_shows_no_snippet(tmp_path: Path) -> None:
    text = render([Diagnostic("E101", "no file", Span(str(tmp_path / "no.yaml"), 1, 1), "a\nb")])
    assert text.count("\n") == 6 and "|" not in text
    assert "\n  help: a\n        b\n" in text


def test_tabs_and_ends_of_lines(file: Path) -> None:
    text = render([Diagnostic("E104", "tab", Span(str(file), 4, 1, 2)), Diagnostic("E1", "end", Span(str(file), 1, 9))])
    assert "4 |  x\n  | ^\n" in text
    assert "1 | attar: 1\n  |         ^\n" in text


def test_a_caret_under_devanagari(file: Path) -> None:
    line = file.read_text(encoding="utf-8").split("\n")[4]
    start = line.index("कि")
    text = render([Diagnostic("E1", "x", Span(str(file), 5, start + 1, start + 3))])
    shown, caret = text.split("\n")[3:5]
    assert shown == f"5 | {line}"
    # हिन्दी: ह + ि (a cell of its own) + न + virama (none) + द + ी.
    assert width("हिन्दी") == 5
    assert caret == "  | " + " " * width("हिन्दी: ") + "^^"


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("abc", 3),
        ("é", 1),
        ("e\u0301", 1),
        ("日本", 4),
        ("\u200d\u200c", 0),
        ("தமிழ்", 4),
        ("ｆ", 2),
        ("😀", 2),
        ("", 0),
    ],
)
def test_cells(text: str, cells: int) -> None:
    assert width(text) == cells


LINES = st.text(
    alphabet=st.one_of(
        st.sampled_from("ab:{} \t"),
        st.characters(codec="utf-8", exclude_characters="\r\n", exclude_categories=["Cs"]),
        st.sampled_from("हिन्दी日\u200d\u2028\x1b\u202e"),
    ),
    max_size=300,
)


@given(LINES, st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_caret_stands_under_its_text_however_long_or_odd_the_line(
    tmp_path: Path, line: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, len(line)))
    path = tmp_path / "x"
    path.write_bytes(("first\n" + line + "\nlast").encode())
    if line.startswith("\ufeff"):
        return
    span = Span(str(path), 2, start + 1, end + 1 if end > start else 0)
    text = render([Diagnostic("E1", "x", span)])
    lines = text.split("\n")
    bars = [row for row in lines if row.startswith(("  |", "2 |"))]
    assert len(bars) == 3, text
    shown, caret = bars[1][4:], bars[2][4:]
    assert width(shown) <= 102
    assert set(caret.strip()) == {"^"}
    assert not re.search("[\x00-\x1f\u2028\u202e]", shown)
    marked = line[start : max(end, start + 1)]
    if marked and marked.isascii() and marked.isprintable() and len(marked) < 40 and marked.strip() == marked:
        at = len(caret) - len(caret.lstrip(" "))
        cells, i = 0, 0
        while cells < at:
            cells += width(shown[i])
            i += 1
        while i < len(shown) and width(shown[i]) == 0:
            i += 1
        assert shown[i:].startswith(marked)
        assert len(caret.strip()) == len(marked)


def test_a_secret_is_shown_in_no_snippet(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("a: {key: sk-1234, wrong: 1}\nurl: >-\n", encoding="utf-8")
    shown = render(
        [
            Diagnostic("E203", "unknown key 'wrong'", Span(str(file), 1, 19, 24)),
            Diagnostic("E218", "a secret stands in the recipe", Span(str(file), 1, 10, 17)),
            Diagnostic("E218", "a secret stands in the recipe", Span(str(file), 2, 6)),
        ]
    )
    assert "sk-1234" not in shown
    assert "1 | a: {key: *******, wrong: 1}\n  |          ^^^^^^^\n" in shown
    assert "1 | a: {key: *******, wrong: 1}\n  |                   ^^^^^\n" in shown


def test_colour_changes_nothing_but_colour(file: Path) -> None:
    found = [
        Diagnostic("E203", "x", Span(str(file), 3, 3, 13), "h"),
        Diagnostic("W1", "y", Span(str(file), 1, 1), severity="warning"),
    ]
    coloured = render(found, color=True)
    assert "\033[1;31m" in coloured and "\033[1;33m" in coloured
    assert re.sub(r"\033\[[0-9;]*m", "", coloured) == render(found, color=False)


def test_json(file: Path, tmp_path: Path) -> None:
    found = [
        Diagnostic("E2", "b", Span(str(file), 3, 3, 13), "h", ("a", 0)),
        Diagnostic("W1", "a", None, severity="warning"),
    ]
    assert json.loads(json.dumps(to_json(found, tmp_path))) == [
        {"code": "W1", "severity": "warning", "message": "a", "help": "", "file": None, "line": None, "column": None,
         "end_column": None, "path": []},
        {"code": "E2", "severity": "error", "message": "b", "help": "h", "file": "recipes/x.yaml", "line": 3,
         "column": 3, "end_column": 13, "path": ["a", 0]},
    ]  # fmt: skip


def test_attar_error_holds_its_diagnostics() -> None:
    error = fail("E1", "one", help="do", exit_code=1)
    assert isinstance(error, AttarError) and error.exit_code == 1
    assert str(AttarError([*error.diagnostics, Diagnostic("E2", "two")])) == "one; two"
    assert ordered(error.diagnostics) == error.diagnostics
