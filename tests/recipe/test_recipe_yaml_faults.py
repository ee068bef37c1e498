"""YAML that cannot be read, or reads as something else than it looks: told with its place and what to do."""

from __future__ import annotations

from typing import Any

import pytest
import yaml


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "says"),
    [
        ("attar: 1\n\tname: x\n", "E104", 2, 1, "tab"),
        ("attar: 1\nsteps:\n  a:\n  \tuse: x\n", "E104", 4, 3, "tab"),
        ("attar: 1\nname: a: b\n", "E103", 2, 8, "`:`"),
        ("attar: 1\nname: 'abc\nsteps: {}\n", "E103", 2, 7, "never closed"),
        ("attar: 1\nx: @home\n", "E103", 2, 4, "'@'"),
        ("attar: 1\nwith: {rows: ${params.n}}\n", "E103", 2, 14, "quotes"),
        ("attar: 1\n<<<<<<< HEAD\nname: x\n=======\n", "E103", 2, 1, "merge conflict"),
        ("attar: 1\n---\nname: x\n", "E108", 2, 1, "second document"),
        ("a: *nobody\n", "E110", 1, 4, "names no anchor"),
        ("a: &x [1, *x]\n", "E110", 1, 11, "inside the value"),
        ("- a\n- b\n", "E107", 1, 1, "found a list"),
        ("just words\n", "E107", 1, 1, "a single value"),
        ("", "E106", 1, 1, "empty"),
        ("# only a comment\n", "E106", 1, 1, "empty"),
        ("a: [1, 2\nb: 3\n", "E103", 2, 2, ""),
        ("a:\n  b: 1\n c: 2\n", "E103", 3, 2, "does not fit"),
        ("a: \x07\n", "E102", 1, 4, "control character"),
    ],
)
def test_unreadable(write: Any, text: str, code: str, line: int, column: int, says: str) -> None:
    loaded = write(text.encode())
    assert loaded.recipe is None
    assert (*loaded.places[0],) == (code, line, column)
    assert len(loaded.found) == 1
    assert says in loaded.only.message + loaded.only.help
    assert loaded.only.help or code in ("E102", "E110")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_other_unicode_encodings(write: Any, encoding: str) -> None:
    loaded = write("attar: 1\nname: x\n".encode(encoding))
    assert loaded.recipe is None
    assert loaded.only.code == "E102" and "UTF-8" in loaded.only.help


def test_latin_1_is_told_at_the_byte(write: Any) -> None:
    loaded = write(b"attar: 1\nname: x\ndescription: caf" + b"\xe9 au lait\n")
    assert loaded.places == [("E102", 3, 17)]
    assert "0xe9" in loaded.only.message


def test_cut_utf8_is_told_at_the_byte_in_characters(write: Any) -> None:
    loaded = write("attar: 1\nname: हिन्दी".encode() + b"\xe0\xa4\n")
    assert loaded.places == [("E102", 2, 7 + len("हिन्दी"))]


def test_a_byte_order_mark_is_no_fault(write: Any) -> None:
    text = "attar: 1\nname: x\nsteps: {a: {use: std.read}}\noutputs: {dataset: {from: a}}\nzzz: 1\n"
    assert write(b"\xef\xbb\xbf" + text.encode()).places == [("E203", 5, 1)]


def test_missing_file_names_its_neighbours(tmp_path: Any) -> None:
    from attar.recipe import load

    (tmp_path / "essays.yaml").write_text("")
    recipe, found = load(tmp_path / "esays.yaml")
    assert recipe is None and found[0].code == "E101" and "essays.yaml" in found[0].help
    recipe, found = load(tmp_path)
    assert recipe is None and found[0].code == "E101" and "folder" in found[0].message


def test_billion_laughs_are_refused(write: Any) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    loaded = write("\n".join(lines))
    assert loaded.recipe is None and loaded.only.code == "E110"


def test_deep_nesting_is_refused(write: Any) -> None:
    loaded = write("a: " + "[" * 5000 + "]" * 5000)
    assert loaded.recipe is None and loaded.only.code in ("E110", "E103")


def test_unknown_tags_are_refused_and_run_nothing(write: Any) -> None:
    loaded = write("attar: 1\nname: !!python/object/apply:os.system [echo]\nx: !!binary aGk=\n")
    assert [p for p in loaded.places if p[0] == "E111"] == [("E111", 2, 7), ("E111", 3, 4)]


def test_words_that_yaml_reads_as_truth_values(with_tail: Any) -> None:
    loaded = with_tail("params:\n  a: {default: no, type: bool}\n  b: {type: list, default: [yes, 'off', true]}\n")
    assert loaded.places == [("W102", 4, 16), ("W102", 5, 29)]
    assert loaded.recipe.params == {"a": False, "b": [True, "off", True]}
    assert all('"no"' in d.help or '"yes"' in d.help for d in loaded.found)


def test_words_as_keys_stay_words(with_tail: Any) -> None:
    recipe = with_tail(
        """
        models: {m: {model: x, serve: {no: 1, on: 2, "yes": 3, 4: 5}}}
        """
    ).good
    assert dict(recipe.models["m"].serve) == {"no": 1, "on": 2, "yes": 3, "4": 5}


def test_numbers_that_other_tools_read_otherwise(with_tail: Any) -> None:
    loaded = with_tail("seed: 1_000\nmodels: {m: {model: x, max_context: 010, sampling: {temperature: 1e-1}}}\n")
    assert [(c, line) for c, line, _ in loaded.places] == [("W103", 3), ("E113", 4), ("E202", 4)]
    assert loaded.recipe.seed == 1000
    assert loaded.recipe.models["m"].sampling.temperature == 0.1


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "-1",
        "+5",
        "0",
        "0x1F",
        "0b11",
        "0o17",
        "1.5",
        "-.5",
        "1.",
        "1e3",
        "1.5e-3",
        ".inf",
        "-.inf",
        "~",
        "null",
        "true",
        "False",
        "2024-01-01",
        "1:30",
        "abc",
        "1.2.3",
        "+",
    ],
)
def test_scalars_read_as_yaml_1_2_does(text: str) -> None:
    from pathlib import Path

    from attar.recipe.document import parse

    core = {
        "0o17": 15,
        "1e3": 1000.0,
        "1.5e-3": 0.0015,
        "0b11": 3,
        "2024-01-01": "2024-01-01",
        "1:30": "1:30",
        "-.5": -0.5,
    }
    expected = core[text] if text in core else yaml.safe_load(text)
    document, found = parse(f"a: {text}\n", Path("x"), "x")
    assert document is not None and not found
    assert document.data["a"] == expected and type(document.data["a"]) is type(expected)


def test_a_key_that_is_no_text(write: Any) -> None:
    loaded = write("? [a, b]\n: 1\n~: 2\nattar: 1\n")
    assert [p for p in loaded.places if p[0] == "E109"] == [("E109", 1, 3), ("E109", 3, 1)]


def test_merge_of_something_else(write: Any) -> None:
    loaded = write("attar: 1\nname: x\nsteps: {<<: 3, a: {use: b}}\noutputs: {d: {from: a}}\n")
    assert loaded.places == [("E112", 3, 13)]
