"""Where the loader says a key or value stands is where it stands, for any document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.recipe.document import Document, parse

WORDS = st.text(alphabet="abcdefgxyz_कखिंी漢é", min_size=1, max_size=8).filter(
    lambda t: t.lower() not in ("yes", "no", "on", "off", "null", "true", "false", "y", "n")
)
SCALARS = st.one_of(
    WORDS,
    st.integers(-(10**6), 10**6),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30),
    st.text(alphabet="ab: #-{}[]\",'&*!|>%@`\n", max_size=20),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(WORDS, TREES, min_size=1, max_size=5)


def read(text: str) -> Document:
    document, found = parse(text, Path("x.yaml"), "x.yaml")
    assert document is not None, found
    return document


def paths(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    """Every path of a document with its value."""
    here = [(path, data)] if path else []
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return here + [deeper for key, value in items for deeper in paths(value, (*path, key))]


def text_at(text: str, line: int, column: int) -> str:
    return text.split("\n")[line - 1][column - 1 :]


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, st.booleans(), st.sampled_from([40, 80, 10_000]))
def test_data_and_places_agree_with_the_text(data: dict[str, Any], flow: bool, width: int) -> None:
    text = yaml.safe_dump(data, allow_unicode=True, default_flow_style=flow, width=width, sort_keys=False)
    document = read(text)
    assert document.data == yaml.safe_load(text) == data
    nodes = yaml.compose(text)
    for path, value in paths(data):
        span = document.value_span(path)
        key = document.key_span(path)
        if isinstance(path[-1], str):
            # The text at the key's place is the key as PyYAML writes it, quoted or not.
            shown = text_at(text, key.line, key.column)
            assert shown.lstrip("'\"?").startswith(path[-1])
        # PyYAML's own tree, pure Python, is the witness for values.
        mark = _witness(nodes, path)
        assert (span.line, span.column) == _editor_place(text, mark)
        if isinstance(value, list | dict) and value and not flow:
            assert span.end_column == 0 or span.end_column > span.column


def _witness(node: Any, path: tuple[str | int, ...]) -> int:
    for part in path:
        if isinstance(node, yaml.MappingNode):
            node = next(v for k, v in node.value if k.value == str(part))
        else:
            node = node.value[part]
    return int(node.start_mark.index)


def _editor_place(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


@given(st.lists(WORDS, min_size=2, max_size=6, unique=True), st.data())
@settings(max_examples=50, deadline=None)
def test_a_duplicate_key_is_told_at_its_second_place_with_the_line_of_the_first(names: list[str], data: Any) -> None:
    first = data.draw(st.integers(0, len(names) - 1))
    second = data.draw(st.integers(first + 1, len(names)))
    lines = [*names[:second], names[first], *names[second:]]
    text = "\n".join(f"{name}: {i}" for i, name in enumerate(lines)) + "\n"
    document, found = parse(text, Path("x.yaml"), "x.yaml")
    assert [(d.code, d.span.line, d.span.column, d.span.end_column) for d in found if d.span] == [
        ("E105", second + 1, 1, 1 + len(names[first]))
    ]
    assert f"line {first + 1}" in found[0].message
    assert document is not None and document.data[names[first]] == first


def test_an_alias_is_placed_where_it_is_written_and_its_inside_where_that_is_written() -> None:
    document = read("base: &b {x: 1}\nother:\n  here: *b\n")
    assert document.data == {"base": {"x": 1}, "other": {"here": {"x": 1}}}
    here = document.value_span(("other", "here"))
    assert (here.line, here.column, here.end_column) == (3, 9, 11)
    inside = document.value_span(("other", "here", "x"))
    assert (inside.line, inside.column) == (1, 14)


def test_merge_keys_give_way_to_keys_of_their_own() -> None:
    document = read("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 9}\nd:\n  <<: *a\n  w: 0\n")
    assert document.data["c"] == {"x": 9, "y": 2, "z": 4}
    assert document.data["d"] == {"x": 1, "y": 2, "w": 0}
    assert document.key_span(("d", "y")).line == 1


def test_a_missing_path_is_placed_at_its_nearest_ancestor() -> None:
    document = read("a:\n  b: [1, 2]\n")
    assert document.value_span(("a", "b", 7)) == document.value_span(("a", "b"))
    assert document.key_span(("a", "zzz")) == document.key_span(("a",))
    assert document.value_span(("nothing", "here")).line == 1


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_line_separators_inside_a_text_are_no_lines_to_an_editor(separator: str) -> None:
    document = read(f'a: "one{separator}two"\nb: 5\n')
    assert document.value_span(("b",)).line == 2
    assert document.value_span(("b",)).column == 4


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_other_line_ends_count_as_lines(ends: str) -> None:
    document = read(f"a: 1{ends}b:{ends}  c: 2{ends}")
    assert document.data == {"a": 1, "b": {"c": 2}}
    assert (document.value_span(("b", "c")).line, document.value_span(("b", "c")).column) == (3, 6)
